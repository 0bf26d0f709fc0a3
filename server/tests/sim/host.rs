//! A program that seldom gets to run its client's ticks: a page that draws in software, a machine that is short of time.

use broadside_shared::arena::{Arena, ArenaInput};
use broadside_shared::client::Client;
use broadside_shared::game::{CorrectionCause, Game};
use broadside_shared::ids::PlayerId;
use broadside_shared::link::LinkProfile;
use broadside_shared::math;
use glam::Vec2;

use crate::harness::{Host, Sim};

/// Seconds in which clock and lead find their place.
const SETTLE_S: f64 = 8.0;
/// Seconds from another input to the effect that it must have on the server, at two images a second.
const OBEYS_S: f64 = 1.6;

/// Flies in circles.
fn circle(_: usize, client: &Client<Arena>) -> ArenaInput {
    ArenaInput::new(math::wrap_angle(client.tick().0 as f32 * 0.03), ArenaInput::THRUST)
}

/// Plays on a line through a host; nothing may be missing once it has settled, and the ship must do as it is told.
fn play(line: &LinkProfile, host: &Host, what: &str) {
    let mut sim = Sim::<Arena>::new(7, 3);
    sim.connect(line);
    sim.clients[0].host = host.clone();
    sim.run(SETTLE_S, &mut circle);
    let before = *sim.clients[0].client.stats();
    let (mut moved, mut last) = (0.0f32, None);
    sim.run_watching(60.0, &mut circle, &mut |sim| {
        let at = sim.clients[0].client.local_player().map(Arena::focus);
        moved += last.zip(at).map_or(0.0, |(a, b): (Vec2, Vec2)| a.distance(b));
        last = at;
    });
    let after = *sim.clients[0].client.stats();
    assert_eq!(after.inputs_missing - before.inputs_missing, 0, "{what}: {after:?}");
    assert_eq!(after.inputs_dropped - before.inputs_dropped, 0, "{what}: {after:?}");
    for cause in [CorrectionCause::Input, CorrectionCause::Unknown] {
        let corrected = after.corrections[cause as usize] - before.corrections[cause as usize];
        assert_eq!(corrected, 0, "{what}: {} {after:?}", cause.name());
    }
    assert!(moved > 6000.0, "{what}: it flew {moved} units");
    // The other way round, from one moment to the next.
    let heading = |sim: &Sim<Arena>| sim.room().game().player_state(PlayerId(0)).expect("seated").heading_radians();
    for aim in [0.0f32, 3.0] {
        sim.run(OBEYS_S, &mut |_, _| ArenaInput::new(aim, 0));
        assert!((heading(&sim).abs() - aim).abs() < 0.2, "{what}: it points to {} and not to {aim}", heading(&sim));
    }
}

#[test]
fn no_input_is_missing_however_seldom_the_host_calls() {
    for (what, least_us, most_us) in [
        ("20 images a second", 50_000, 50_000),
        ("10 images a second, more or less", 60_000, 160_000),
        ("5 images a second", 200_000, 200_000),
        ("2 to 6 images a second", 166_000, 500_000),
    ] {
        for blocked in [false, true] {
            for line in ["clean", "cable", "far"] {
                let host = Host::every(least_us, most_us).blocked(blocked);
                let line = LinkProfile::named(line).expect("a known line");
                play(&line, &host, &format!("{what} by {}, {}", line.name, if blocked { "blocked" } else { "free" }));
            }
        }
    }
}

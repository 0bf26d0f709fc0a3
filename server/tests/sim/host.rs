//! Hosts that call their client rarely: a page that renders in software, a machine that is short of time.

use broadside_arena::{Arena, ArenaInput};
use broadside_shared::client::Client;
use broadside_shared::game::{CorrectionCause, Game};
use broadside_shared::ids::PlayerId;
use broadside_shared::link::LinkProfile;
use broadside_shared::math;
use glam::Vec2;

use broadside_sim::{Host, Sim};

/// Seconds for clock estimate and input lead to settle.
const SETTLE_S: f64 = 8.0;
/// Seconds within which a new input must take effect on the server, at two frames per second.
const OBEYS_S: f64 = 1.6;

/// Flies in circles.
fn circle(_: usize, client: &Client<Arena>) -> ArenaInput {
    ArenaInput::new(math::wrap_angle(client.tick().0 as f32 * 0.03), ArenaInput::THRUST)
}

/// Plays over a link with a host. Once settled, no input may be missing, and the ship must obey its inputs.
fn play(profile: &LinkProfile, host: &Host, what: &str) {
    let mut sim = Sim::<Arena>::new(7, 3);
    sim.connect(profile);
    sim.clients[0].host = host.clone();
    sim.run(SETTLE_S, &mut circle);
    let before = *sim.clients[0].client.stats();
    let (mut moved, mut last) = (0.0f32, None);
    sim.run_observed(60.0, &mut circle, &mut |sim| {
        let at = sim.clients[0].client.local_player().map(Arena::focus);
        moved += last.zip(at).map_or(0.0, |(a, b): (Vec2, Vec2)| a.distance(b));
        last = at;
    });
    let after = *sim.clients[0].client.stats();
    assert_eq!(after.inputs_missing - before.inputs_missing, 0, "{what}: {after:?}");
    assert_eq!(after.inputs_dropped - before.inputs_dropped, 0, "{what}: {after:?}");
    for cause in [CorrectionCause::INPUT, CorrectionCause::UNKNOWN] {
        let corrected = after.corrections[cause.index()] - before.corrections[cause.index()];
        assert_eq!(corrected, 0, "{what}: {} {after:?}", cause.name::<Arena>());
    }
    assert!(moved > 6000.0, "{what}: it flew {moved} units");
    // Sudden turns, one of them to almost the opposite heading.
    let heading = |sim: &Sim<Arena>| sim.room().game().player_state(PlayerId(0)).expect("seated").heading_radians();
    for aim in [0.0f32, 3.0] {
        sim.run(OBEYS_S, &mut |_, _| ArenaInput::new(aim, 0));
        assert!((heading(&sim).abs() - aim).abs() < 0.2, "{what}: its heading is {} and not {aim}", heading(&sim));
    }
}

#[test]
fn no_input_is_missing_however_rarely_the_host_calls() {
    for (what, least_us, most_us) in [
        ("20 frames per second", 50_000, 50_000),
        ("6 to 16 frames per second", 60_000, 160_000),
        ("5 frames per second", 200_000, 200_000),
        ("2 to 6 frames per second", 166_000, 500_000),
    ] {
        for blocked in [false, true] {
            for link in ["clean", "cable", "far"] {
                let host = Host::every(least_us, most_us).blocked(blocked);
                let profile = LinkProfile::named(link).expect("a known link profile");
                play(&profile, &host, &format!("{what} over {link}, {}", if blocked { "blocked" } else { "free" }));
            }
        }
    }
}

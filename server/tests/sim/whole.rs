//! The toy game and the arena through the whole system.

use broadside_arena::fields::SHOT;
use broadside_arena::input::ArenaInput;
use broadside_arena::{Arena, Shot};
use broadside_shared::client::{Client, ClientEvent, Phase};
use broadside_shared::game::Game;
use broadside_shared::ids::PlayerId;
use broadside_shared::link::LinkProfile;
use broadside_shared::protocol::close::CloseCode;
use broadside_shared::replication::cells::CellId;
use broadside_shared::replication::fields::Record;
use broadside_shared::time::MonoTime;
use glam::Vec2;

use broadside_shared::toy::{Push, Toy};
use broadside_sim::Sim;

fn profile(name: &str) -> LinkProfile {
    LinkProfile::named(name).expect("a known link profile")
}

#[test]
fn a_toy_game_runs_through_the_whole_system_over_every_link() {
    for profile in LinkProfile::ALL {
        let mut sim = Sim::<Toy>::new(1, 2);
        let (left, right) = (sim.connect(&profile), sim.connect(&profile));
        // The two dots start 100 units apart: each pushed to the middle, they bump.
        let mut drive = |_: usize, client: &Client<Toy>| match client.local_player() {
            Some(own) if own.at.x < 50.0 => Push(1, 0),
            Some(_) | None => Push(-1, 0),
        };
        sim.run(9.0, &mut drive);
        assert!(sim.all_play(), "{}", profile.name);
        for client in [left, right] {
            let c = &sim.clients[client];
            assert_eq!(c.client.replica().records().count(), 2, "{}: both see both", profile.name);
            let bumps = c.events.iter().filter(|event| matches!(event, ClientEvent::Game(_))).count();
            assert!(bumps > 0, "{}: the bump was received", profile.name);
            let name = c.client.player().and_then(|player| c.client.name_of(player)).map(str::to_owned);
            assert_eq!(name, Some(format!("sim {client}")), "{}", profile.name);
            assert_eq!(c.client.board().len(), 2);
        }
    }
}

#[test]
fn an_undisturbed_ship_is_predicted_without_error_on_every_lossless_link() {
    for name in ["clean", "cable", "lte", "far", "jittery"] {
        let mut sim = Sim::<Arena>::new(7, 2);
        sim.connect(&profile(name));
        let mut drive = weave(ArenaInput::THRUST);
        // Clock estimate and input lead need a moment to settle.
        sim.run(3.0, &mut drive);
        let before = *sim.clients[0].client.stats();
        let (mut moved, mut last) = (0.0f32, None);
        sim.run_observed(20.0, &mut drive, &mut |sim| {
            let at = sim.clients[0].client.local_player().map(Arena::focus);
            moved += last.zip(at).map_or(0.0, |(a, b): (Vec2, Vec2)| a.distance(b));
            last = at;
        });
        let after = sim.clients[0].client.stats();
        assert!(moved > 2000.0, "{name}: it flew {moved} units");
        assert_eq!(after.inputs_missing - before.inputs_missing, 0, "{name}");
        assert_eq!(after.corrections, before.corrections, "{name}: {after:?}");
        // 600 are due in 20 s. With jitter of up to 200 ms, newer snapshots supersede some of them.
        let least = if name == "jittery" { 530 } else { 597 };
        assert!(after.snapshots - before.snapshots >= least, "{name}: {}", after.snapshots - before.snapshots);
    }
}

#[test]
fn equal_seeds_give_equal_worlds_through_the_whole_system() {
    let run = |seed| {
        let mut sim = Sim::<Arena>::new(seed, 3);
        for name in ["4g", "wifi", "3g"] {
            sim.connect(&profile(name));
        }
        sim.run(20.0, &mut weave(ArenaInput::THRUST | ArenaInput::FIRE));
        sim.room().game().hash()
    };
    assert_eq!(run(5), run(5));
    assert_ne!(run(5), run(6));
}

#[test]
fn a_client_that_froze_catches_up_within_a_second_and_gets_no_backlog() {
    for frozen_s in [2.0, 8.0, 45.0] {
        let mut sim = Sim::<Arena>::new(3, 2);
        let frozen = sim.connect(&profile("cable"));
        let other = sim.connect(&profile("cable"));
        let mut drive = weave(ArenaInput::THRUST);
        sim.run(3.0, &mut drive);
        let received = |sim: &Sim<Arena>, index: usize| sim.clients[index].client.stats().snapshots;
        let (frozen_before, other_before) = (received(&sim, frozen), received(&sim, other));
        sim.clients[frozen].frozen_until = MonoTime(sim.now.0 + (frozen_s * 1e6) as u64);
        sim.run(frozen_s + 1.0, &mut drive);
        let stats = sim.clients[frozen].client.stats();
        assert_eq!(sim.clients[frozen].closed, None, "a silent client that answers pings stays");
        assert!(stats.snapshot_age_ms < 120.0, "after {frozen_s} s: {} ms old", stats.snapshot_age_ms);
        assert!(received(&sim, frozen) - frozen_before < 60, "no backlog: {}", received(&sim, frozen) - frozen_before);
        let expected = (frozen_s + 1.0) * 30.0;
        assert!((received(&sim, other) - other_before) as f64 > expected - 3.0, "the other notices nothing");
    }
}

#[test]
fn a_client_cut_off_for_a_minute_loses_its_socket_after_ten_seconds_and_resumes_at_once() {
    let mut sim = Sim::<Arena>::new(3, 2);
    let lost = sim.connect(&profile("cable"));
    let other = sim.connect(&profile("cable"));
    let mut drive = weave(ArenaInput::THRUST);
    sim.run(3.0, &mut drive);
    let received = |sim: &Sim<Arena>, index: usize| sim.clients[index].client.stats().snapshots;
    let other_before = received(&sim, other);
    sim.cut(lost);
    sim.run(9.5, &mut drive);
    assert_eq!(sim.clients[lost].closed, None);
    sim.run(1.0, &mut drive);
    assert_eq!(sim.clients[lost].closed, Some(CloseCode::Silent));
    assert_eq!(sim.room().players(), 2, "the seat is kept");
    sim.run(49.5, &mut drive);
    sim.reconnect(lost, &profile("cable"));
    sim.run(1.0, &mut drive);
    let back = &sim.clients[lost].client;
    assert_eq!((back.phase(), back.player()), (Phase::Playing, Some(PlayerId(0))), "the same seat");
    let stats = back.stats();
    assert!(stats.snapshots > 20 && stats.snapshot_age_ms < 120.0, "{stats:?}");
    assert!((received(&sim, other) - other_before) as f64 > 61.0 * 30.0 - 3.0, "the other notices nothing");
}

#[test]
fn a_client_that_joined_late_or_skipped_snapshots_sees_the_shots_in_flight() {
    let mut sim = Sim::<Arena>::new(11, 2);
    let gunner = sim.connect(&LinkProfile::CLEAN);
    let mut drive = weave(ArenaInput::FIRE);
    let (mut late, mut skipped) = (0, 0);
    for _ in 0..20 {
        sim.run(1.0, &mut drive);
        // The arena is larger than a view: only newcomers that spawn near the gunner see its shots.
        let newcomer = sim.connect(&LinkProfile::CLEAN);
        sim.run(0.3, &mut drive);
        late += shots_known(&sim, newcomer).expect("no shot of a subscribed cell is missing");
        sim.clients[gunner].frozen_until = MonoTime(sim.now.0 + 400_000);
        sim.run(0.5, &mut drive);
        skipped += shots_known(&sim, gunner).expect("no shot of a subscribed cell is missing");
        sim.drop_client(newcomer);
    }
    assert!(late > 0 && skipped > 20, "{late} seen by newcomers, {skipped} after a pause");
}

/// Number of shots that a client knows. `None` if it lacks one that was fired before its snapshot and lies well inside its cells.
fn shots_known(sim: &Sim<Arena>, index: usize) -> Option<usize> {
    let client = &sim.clients[index].client;
    let of = client.snapshot_tick()?;
    let known: Vec<u16> = client.replica().records().filter(|r| r.kind == SHOT).map(|r| r.id.0).collect();
    let mut placed = Vec::new();
    sim.room().game().replicate(of, &mut placed);
    let cells: Vec<CellId> = client.replica().cells().collect();
    let in_reach = |at: Vec2, record: &Record| {
        let middle = (at - CellId::of(at).centre()).abs().max_element() < CellId::SIZE * 0.4;
        middle && cells.contains(&CellId::of(at)) && Shot::read(record).start < of
    };
    let mut expected = placed.iter().filter(|(at, r)| r.kind == SHOT && in_reach(*at, r));
    expected.all(|(_, r)| known.contains(&r.id.0)).then_some(known.len())
}

#[test]
fn a_player_who_leaves_is_removed_and_the_seat_is_reused() {
    let mut sim = Sim::<Toy>::new(2, 2);
    sim.connect(&LinkProfile::CLEAN);
    sim.connect(&LinkProfile::CLEAN);
    let mut drive = |_: usize, _: &_| Push(0, 0);
    sim.run(1.0, &mut drive);
    sim.drop_client(0);
    sim.run(1.0, &mut drive);
    assert_eq!(sim.clients[1].client.name_of(PlayerId(0)), None);
    assert_eq!(sim.clients[1].client.replica().records().count(), 1);
    sim.connect(&LinkProfile::CLEAN);
    sim.run(1.0, &mut drive);
    assert_eq!(sim.clients[2].client.player(), Some(PlayerId(0)));
    assert_eq!(sim.clients[1].client.name_of(PlayerId(0)), Some("sim 2"));
}

/// Flies in wide curves, each client its own.
fn weave(buttons: u8) -> impl FnMut(usize, &Client<Arena>) -> ArenaInput {
    move |index, client| {
        let turn = client.tick().0 as f32 * 0.013 + index as f32;
        ArenaInput::new(turn.sin() * 3.0, buttons)
    }
}

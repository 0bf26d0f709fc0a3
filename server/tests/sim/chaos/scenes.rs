//! What chaos found, each as the few events that show it, under a handful of orders of the threads.

use std::path::Path;

use broadside_server::recordings::check;
use broadside_shared::link::LinkProfile;
use broadside_shared::protocol::room::Role;
use broadside_shared::toy::Toy;

use super::plan::{Chat, Event, Place, Plan, What};
use super::run::Run;
use super::{Failure, attempt};

/// Orders in which threads run.
const ORDERS: u64 = 30;
/// The first client is seated on shard 0, the second on shard 1.
const SPEAKER: usize = 0;
const LISTENER: usize = 1;

/// Plays these events with two clients in two rooms that stay, over links that only delay.
fn scene(events: &[(u64, What)]) {
    for seed in 0..ORDERS {
        if let Err(why) = attempt(&plan(seed * 10, events)) {
            panic!("order {seed}: {why}");
        }
    }
}

fn plan(seed: u64, events: &[(u64, What)]) -> Plan {
    let seated = [
        (0, What::Join(SPEAKER, Place::Room(0), Role::Play)),
        (0, What::Open(SPEAKER)),
        (4, What::Join(LISTENER, Place::Room(0), Role::Play)),
        (4, What::Open(LISTENER)),
    ];
    let events: Vec<Event> =
        seated.iter().chain(events).map(|(at_ms, what)| Event { at_ms: *at_ms, what: *what }).collect();
    let cable = LinkProfile::named("cable").expect("a known link");
    Plan {
        seed,
        shards: 2,
        links: vec![cable; 2],
        addresses: 2,
        capacity: 4,
        snapshot_every: 3,
        grace_s: 3,
        room_life_s: 40,
        length_ms: 2_500,
        events,
    }
}

#[test]
fn a_walk_that_fails_leaves_recordings_of_its_rooms_that_replay() {
    // There is no such client.
    let failing = plan(10, &[(2_400, What::Lose(LISTENER + 1))]);
    assert!(attempt(&failing).is_err());
    let minutes = Run::<Toy>::recorded(&failing);
    let failure = Failure { seed: 10, why: String::new(), events: Vec::new(), of: 0, minutes };
    let folder = std::env::temp_dir().join(format!("broadside-chaos-{}", std::process::id()));
    let lines = failure.keep(&folder).expect("it can be written");
    let [line] = &lines[..] else { panic!("one room is awake: {lines:?}") };
    let file = line.rsplit(' ').next().expect("it ends with the file");
    let said = check::replay::<Toy>(Path::new(file)).expect("it replays");
    assert!(said.contains("every hash agrees") && said.contains("2.") && line.contains("--replay"), "{said}");
    std::fs::remove_dir_all(folder).expect("it is there");
}

#[test]
fn what_was_said_before_a_connection_was_lost_and_not_delivered_comes_on_resume() {
    scene(&[
        (400, What::Subscribe(LISTENER, Chat::Lobby)),
        (800, What::Say(SPEAKER, Chat::Lobby)),
        (900, What::LagShard(1, 300)),
        (1_000, What::Say(SPEAKER, Chat::Lobby)),
        (1_198, What::Lose(LISTENER)),
    ]);
}

#[test]
fn what_is_said_as_a_connection_is_lost_comes_once() {
    let mut events = vec![(400, What::Subscribe(LISTENER, Chat::Lobby))];
    for at in 0..10 {
        events.push((700 + at * 100, What::Say(SPEAKER, Chat::Lobby)));
        events.push((720 + at * 104, What::TakeOver(LISTENER)));
    }
    scene(&events);
}

#[test]
fn what_waited_for_a_snapshot_does_not_come_again_after_a_reload() {
    scene(&[
        (400, What::Subscribe(LISTENER, Chat::Lobby)),
        (800, What::LagRoom(0, 300)),
        (820, What::Say(SPEAKER, Chat::Lobby)),
        (900, What::Reload(LISTENER, true)),
        (1_400, What::LagRoom(0, 300)),
        (1_420, What::Say(SPEAKER, Chat::Lobby)),
        (1_500, What::Reload(LISTENER, false)),
    ]);
}

#[test]
fn what_waited_for_a_snapshot_does_not_come_after_the_end_of_the_subscription() {
    scene(&[
        (400, What::Subscribe(LISTENER, Chat::Lobby)),
        (800, What::LagRoom(0, 500)),
        (850, What::Say(SPEAKER, Chat::Lobby)),
        (950, What::Unsubscribe(LISTENER, Chat::Lobby)),
        (1_050, What::Subscribe(LISTENER, Chat::Lobby)),
    ]);
}

#[test]
fn what_one_player_says_to_another_alone_stays_in_order_whatever_becomes_of_the_connection() {
    let mut events = Vec::new();
    for at in 0..30 {
        events.push((500 + at * 60, What::Direct(SPEAKER, LISTENER)));
        if at % 2 == 0 {
            events.push((510 + at * 60, What::LagShard(1, 70)));
        }
        if at % 4 == 1 {
            events.push((505 + at * 60, What::Lose(LISTENER)));
        }
        if at % 4 == 3 {
            events.push((505 + at * 60, What::TakeOver(LISTENER)));
        }
    }
    events.sort_by_key(|(at_ms, _)| *at_ms);
    scene(&events);
}

#[test]
fn whoever_had_two_seats_as_the_state_was_saved_has_one_after_a_crash() {
    // The room has given both, and the shard is about to give up the first.
    scene(&[
        (400, What::Exit(LISTENER)),
        (800, What::LagShard(1, 400)),
        (900, What::Join(LISTENER, Place::Room(0), Role::Spectate)),
        (905, What::Join(LISTENER, Place::Room(0), Role::Spectate)),
        (1_220, What::Checkpoint),
        (1_600, What::Crash(500)),
    ]);
}

//! What chaos found, each as the few events that showed it.

use broadside_shared::protocol::room::{Mode, Role};

use super::attempt;
use super::plan::{Event, Place, Plan, What};

/// Plays only these events of a seed's setup.
fn scene(seed: u64, events: &[(u64, What)]) {
    let events = events.iter().map(|(at_ms, what)| Event { at_ms: *at_ms, what: *what }).collect();
    if let Err(why) = attempt(&Plan { events, ..Plan::draw(seed) }) {
        panic!("{why}");
    }
}

#[test]
fn a_seat_whose_joined_was_lost_with_the_socket_is_resumed_without_the_world_before_it() {
    scene(
        181,
        &[
            (103, What::Join(0, Place::Mode(Mode::Duel), Role::Play)),
            (103, What::Open(0)),
            (445, What::FailShard(0)),
            (458, What::Join(6, Place::Mode(Mode::Duel), Role::Spectate)),
            (458, What::Open(6)),
            (1879, What::Panic(3)),
            (2873, What::Garbage(0, 31, 204)),
        ],
    );
}

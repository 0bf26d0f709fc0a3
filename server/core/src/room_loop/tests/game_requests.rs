//! Scenes of requests of the game, and of its state of the room.

use broadside_shared::protocol::codec::encode_value;
use broadside_shared::protocol::message::{Outcome, Refusal};
use broadside_shared::toy::Lamp;

use super::*;

/// The answers among these commands.
fn answers(commands: &[ShardCommand]) -> Vec<(u32, Outcome)> {
    let answer = |command: &ShardCommand| match command {
        ShardCommand::Answered(_, id, outcome) => Some((*id, *outcome)),
        _ => None,
    };
    commands.iter().filter_map(answer).collect()
}

/// The states of the room among the ticks of these commands.
fn states(commands: &[ShardCommand]) -> Vec<Vec<u8>> {
    let of = |update: &RoomUpdate| match update {
        RoomUpdate::State(state) => Some(state.clone()),
        _ => None,
    };
    let in_command = |command: &ShardCommand| match command {
        ShardCommand::Tick(_, output) => output.updates.iter().filter_map(of).collect(),
        ShardCommand::RoomOpened(_, updates) => updates.iter().filter_map(of).collect::<Vec<_>>(),
        _ => Vec::new(),
    };
    commands.iter().flat_map(in_command).collect()
}

#[test]
fn a_request_changes_the_room_for_everyone_or_is_refused() {
    let mut scene = Scene::new();
    let (_, bob) = (scene.seated(0, Role::Play), scene.seated(0, Role::Play));
    scene.turns(2);
    assert_eq!(states(&scene.sent(0)), Vec::<Vec<u8>>::new(), "the default state is not sent");
    let connection = ConnectionId { shard: 0, key: 2, serial: 2 };
    scene.command(RoomCommand::Request(bob, connection, 1, Lamp(1)));
    scene.command(RoomCommand::Request(bob, connection, 2, Lamp(2)));
    scene.turns(3);
    let sent = scene.sent(0);
    assert_eq!(answers(&sent), [(1, Outcome::Done), (2, Outcome::Refused(Refusal::ByGame { reason: 0 }))]);
    assert_eq!(states(&sent), [encode_value(&0b10_u32)], "once, when it changed");
    // A shard that opens the room later gets the state with the roster.
    scene.seated(1, Role::Spectate);
    assert_eq!(states(&scene.sent(1)), [encode_value(&0b10_u32)]);
}

#[test]
fn a_request_for_a_former_seat_is_answered_too() {
    let mut scene = Scene::new();
    let ann = scene.seated(0, Role::Play);
    let _keeps_the_room_awake = scene.seated(0, Role::Play);
    scene.command(RoomCommand::Leave(ann));
    scene.turns(2);
    scene.clear_sent();
    let connection = ConnectionId { shard: 0, key: 1, serial: 1 };
    scene.command(RoomCommand::Request(ann, connection, 5, Lamp(0)));
    scene.turn();
    let sent = scene.sent(0);
    assert_eq!(answers(&sent), [(5, Outcome::Refused(Refusal::NotInRoom))]);
    assert_eq!(states(&sent), Vec::<Vec<u8>>::new());
}

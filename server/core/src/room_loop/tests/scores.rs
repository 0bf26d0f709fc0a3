//! Scenes of the scores of a room, and of who is a bot.

use broadside_shared::protocol::codec::decode_server;
use broadside_shared::protocol::message::{Outcome, Refusal, ScoreLine};

use super::*;

/// The answers among these commands, and the scores that were delivered, in order.
fn answers(commands: &[ShardCommand]) -> Vec<(Option<Outcome>, Vec<ScoreLine>)> {
    let answer = |command: &ShardCommand| match command {
        ShardCommand::Answered(_, _, outcome) => Some((Some(*outcome), Vec::new())),
        ShardCommand::Deliver(_, _, envelope) => match decode_server(envelope.message.message()) {
            Ok(ServerMsg::Scores { lines }) => Some((None, lines)),
            _ => None,
        },
        _ => None,
    };
    commands.iter().filter_map(answer).collect()
}

#[test]
fn scores_are_gathered_once_a_second_for_players_and_spectators() {
    let mut scene = Scene::new();
    let (ann, cid) = (scene.seated(0, Role::Play), scene.seated(0, Role::Spectate));
    scene.turns(2);
    scene.clear_sent();
    let connection = ConnectionId { shard: 0, key: 1, serial: 1 };
    scene.command(RoomCommand::Scores(ann, connection, 1));
    scene.turn();
    let first = answers(&scene.sent(0));
    assert_eq!(first[0], (Some(Outcome::Done), Vec::new()), "the reply goes first");
    assert_eq!(first[1].1.iter().map(|line| line.player).collect::<Vec<_>>(), [ann.player], "spectators have none");
    let bob = scene.seated(0, Role::Play);
    scene.clear_sent();
    scene.command(RoomCommand::Scores(cid, connection, 2));
    scene.turn();
    assert_eq!(answers(&scene.sent(0)), first, "as gathered before, without who came since");
    scene.turns(60);
    scene.clear_sent();
    scene.command(RoomCommand::Scores(ann, connection, 3));
    scene.turn();
    let mut players: Vec<_> = answers(&scene.sent(0))[1].1.iter().map(|line| line.player).collect();
    players.sort_unstable();
    assert_eq!(players, [ann.player, bob.player]);
}

#[test]
fn whoever_left_is_refused_the_scores() {
    let mut scene = Scene::new();
    let ann = scene.seated(0, Role::Play);
    let _keeps_the_room_awake = scene.seated(0, Role::Play);
    scene.command(RoomCommand::Leave(ann));
    scene.turn();
    scene.clear_sent();
    scene.command(RoomCommand::Scores(ann, ConnectionId { shard: 0, key: 1, serial: 1 }, 5));
    scene.turn();
    assert_eq!(answers(&scene.sent(0)), [(Some(Outcome::Refused(Refusal::NotInRoom)), Vec::new())]);
}

#[test]
fn the_roster_says_who_is_a_bot() {
    let mut scene = Scene::new();
    let ann = scene.seated(0, Role::Play);
    scene.clear_sent();
    let bot = scene.join_from(0, Role::Play, None, JoinMethod::Public);
    scene.turns(3);
    let bot = scene.seat_of(bot).expect("a free seat").player;
    let bots = |commands: &[ShardCommand]| -> Vec<PlayerId> {
        let of = |update: &RoomUpdate| if let RoomUpdate::Bot { player } = update { Some(*player) } else { None };
        let in_command = |command: &ShardCommand| match command {
            ShardCommand::Tick(_, output) => output.updates.iter().filter_map(of).collect(),
            ShardCommand::RoomOpened(_, updates) => updates.iter().filter_map(of).collect::<Vec<_>>(),
            _ => Vec::new(),
        };
        commands.iter().flat_map(in_command).collect()
    };
    assert_ne!(ann.player, bot);
    assert_eq!(bots(&scene.sent(0)), [bot], "once, and only the bot");
    scene.seated(1, Role::Spectate);
    assert_eq!(bots(&scene.sent(1)), [bot], "with the roster of a shard that comes later");
}

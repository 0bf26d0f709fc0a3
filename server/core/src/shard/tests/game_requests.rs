//! Scenes of requests of the game.

use broadside_shared::protocol::codec::encode_value;
use broadside_shared::toy::Lamp;

use super::*;

fn lamp(number: u16) -> Request {
    Request::Game { body: encode_value(&Lamp(number)) }
}

fn refused(id: u32, refusal: Refusal) -> Seen {
    reply(id, Outcome::Refused(refusal))
}

#[test]
fn the_room_answers_a_request_of_the_game_once() {
    let mut scene = Scene::new();
    let (ann, _) = scene.seated(0, 0, ONE, 4);
    scene.request(ann, 7, lamp(3));
    assert_eq!(scene.seen(ann), [], "the room has not answered");
    assert_eq!(scene.lobby.take_sent(), [(ONE, Sent::Request(seat(4), 7))]);
    let answer = ShardCommand::Answered(ann, 7, Outcome::Refused(Refusal::ByGame { reason: 0 }));
    scene.command(0, answer.clone());
    assert_eq!(scene.seen(ann), [refused(7, Refusal::ByGame { reason: 0 })]);
    scene.command(0, answer);
    assert_eq!(scene.seen(ann), [], "not twice");
}

#[test]
fn only_a_player_in_a_room_may_ask_the_game() {
    let mut scene = Scene::new();
    let (ann, _) = scene.greet(0, 0);
    scene.request(ann, 1, lamp(0));
    assert_eq!(scene.seen(ann), [refused(1, Refusal::NotInRoom)], "in the lobby");
    scene.say(ann, &join(ONE, "Ann", Role::Spectate));
    scene.request(ann, 2, lamp(0));
    assert_eq!(scene.seen(ann), [refused(2, Refusal::NotInRoom)], "in the join queue");
    scene.give(ann, ONE, SeatAssignment { role: Role::Spectate, ..seat(4) });
    scene.seen(ann);
    scene.request(ann, 3, lamp(0));
    assert_eq!(scene.seen(ann), [refused(3, Refusal::NotInRoom)], "as a spectator");
}

#[test]
fn players_and_spectators_may_ask_for_the_scores_and_who_is_in_no_room_may_not() {
    let mut scene = Scene::new();
    let (ann, _) = scene.greet(0, 0);
    scene.request(ann, 1, Request::Scores);
    assert_eq!(scene.seen(ann), [refused(1, Refusal::NotInRoom)], "in the lobby");
    for (role, key) in [(Role::Play, 1), (Role::Spectate, 2)] {
        let (asker, _) = scene.greet(0, key);
        scene.say(asker, &join(ONE, "Bob", role));
        let assignment = SeatAssignment { role, ..seat(4) };
        scene.give(asker, ONE, assignment);
        scene.seen(asker);
        scene.lobby.take_sent();
        scene.request(asker, 2, Request::Scores);
        assert_eq!(scene.seen(asker), [], "the room has not answered");
        assert_eq!(scene.lobby.take_sent(), [(ONE, Sent::Scores(assignment, 2))]);
    }
}

#[test]
fn leaving_the_room_refuses_what_it_has_not_answered() {
    type End = fn(&mut Scene, ConnectionId);
    let ends: [(&str, End); 3] = [
        ("an exit", |scene, ann| scene.request(ann, 9, Request::Exit)),
        ("another room", |scene, ann| scene.say(ann, &join(TWO, "Ann", Role::Play))),
        ("the end of the room", |scene, _| scene.command(0, ShardCommand::RoomEnded(ONE))),
    ];
    for (what, end) in ends {
        let mut scene = Scene::new();
        let (ann, _) = scene.seated(0, 0, ONE, 4);
        scene.request(ann, 1, lamp(0));
        scene.request(ann, 2, lamp(1));
        end(&mut scene, ann);
        let seen = scene.seen(ann);
        for id in [1, 2] {
            let count = seen.iter().filter(|seen| **seen == refused(id, Refusal::NotInRoom)).count();
            assert_eq!(count, 1, "{what}: {seen:?}");
        }
        scene.command(0, ShardCommand::Answered(ann, 1, Outcome::Done));
        assert_eq!(scene.seen(ann), [], "{what}: the late answer of the room");
    }
}

#[test]
fn a_body_that_is_no_request_closes_and_too_many_requests_are_too_fast() {
    let mut scene = Scene::new();
    let (ann, _) = scene.seated(0, 0, ONE, 4);
    for id in 0..40 {
        scene.request(ann, id, lamp(0));
    }
    let seen = scene.seen(ann);
    assert_eq!(seen.len(), 8, "32 may wait for the room: {seen:?}");
    let is_too_fast = |seen: &Seen| {
        matches!(seen, Seen::Message(ServerMsg::Reply { outcome: Outcome::Refused(Refusal::TooFast { .. }), .. }))
    };
    assert!(seen.iter().all(is_too_fast), "{seen:?}");
    scene.request(ann, 41, Request::Game { body: vec![1, 2, 3] });
    assert_eq!(scene.seen(ann).last(), Some(&Seen::Closed(CloseCode::Malformed)));
}

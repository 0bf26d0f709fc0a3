//! Scenes of a cluster: what is asked for is on another server.

use super::*;
use crate::commands;
use crate::testing::{ELSEWHERE, elsewhere};

fn redirect(join: Option<RoomChoice>) -> [Seen; 2] {
    let url = elsewhere(ELSEWHERE).url;
    [Seen::Message(ServerMsg::Redirect { url, join }), Seen::Closed(CloseCode::Restarting)]
}

fn quick() -> ClientMsg {
    ClientMsg::Join { name: name("Ann"), room: RoomChoice::Quick, role: Role::Play }
}

#[test]
fn a_session_and_a_room_of_another_server_are_where_the_client_is_sent() {
    let mut scene = Scene::new();
    let away = scene.connect(0, 0);
    scene.say(away, &hello(Some(Token { session: ELSEWHERE.0.into(), signature: [7; 16] })));
    assert_eq!(scene.seen(away), redirect(None));
    let (ann, token) = scene.seated(0, 1, ONE, 5);
    scene.say(ann, &join(ELSEWHERE, "Ann", Role::Play));
    assert_eq!(scene.seen(ann), redirect(Some(RoomChoice::Room(ELSEWHERE))));
    assert_eq!(scene.lobby.take_sent(), [(ONE, Sent::Leave(seat(5)))], "the seat is given up, not kept");
    assert_eq!(scene.lobby.seat_of(&token), None);
}

#[test]
fn the_answer_of_other_servers_counts_for_the_join_that_asked_for_it() {
    let mut scene = Scene::new();
    let (ann, _) = scene.greet(0, 0);
    scene.say(ann, &quick());
    scene.say(ann, &quick());
    let elsewhere = || commands::Placement::Elsewhere(elsewhere(ELSEWHERE));
    scene.command(0, ShardCommand::Placed(ann, 1, elsewhere()));
    assert_eq!((scene.seen(ann), scene.lobby.take_sent()), (vec![], vec![]), "that of the first join comes too late");
    scene.command(0, ShardCommand::Placed(ann, 2, commands::Placement::Here));
    assert_eq!(scene.lobby.take_sent(), [(ONE, Sent::Join(ann, Role::Play))]);
    scene.command(0, ShardCommand::Placed(ann, 2, elsewhere()));
    assert_eq!(scene.seen(ann), [], "it is placed by now");
    scene.say(ann, &quick());
    scene.request(ann, 1, Request::Exit);
    scene.command(0, ShardCommand::Placed(ann, 3, elsewhere()));
    let left = Seen::Message(ServerMsg::Reply { id: 1, outcome: Outcome::Done });
    assert_eq!(scene.seen(ann), [left], "whoever leaves is sent nowhere");
}

#[test]
fn a_direct_message_to_a_player_elsewhere_is_replied_to_once_the_other_server_has_answered() {
    let mut scene = Scene::new();
    let (ann, _) = scene.seated(0, 0, ONE, 5);
    scene.request(ann, 1, Request::DirectMessage { to: "Bob".to_owned(), text: "hello".to_owned() });
    assert_eq!(scene.seen(ann), []);
    let outcome = Outcome::Refused(Refusal::NoSuchPlayer);
    scene.command(0, ShardCommand::Replied(ann, 1, outcome));
    assert_eq!(scene.seen(ann), [Seen::Message(ServerMsg::Reply { id: 1, outcome })]);
}

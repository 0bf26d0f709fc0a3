//! Scenes of messages, publications and requests.

use super::*;

#[test]
fn a_message_for_a_connection_that_is_closing_goes_to_the_next_one() {
    let mut scene = Scene::new();
    let (former, token) = scene.seated(0, 0, ONE, 4);
    // Both are on their way while the connection is being closed and while it is lost.
    scene.lobby.deliver(token.session, None, direct("to the closing"));
    let first = scene.lobby.take_shard_commands();
    scene.lobby.deliver(token.session, None, direct("to the lost"));
    let second = scene.lobby.take_shard_commands();
    scene.shards[0].handle_violation(scene.now, former.key, CloseCode::TooSlow, &scene.lobby);
    scene.drain(0);
    assert_eq!(scene.seen(former), [Seen::Closed(CloseCode::TooSlow)]);
    first.into_iter().for_each(|(_, command)| scene.command(0, command));
    scene.lobby.deliver(token.session, None, direct("after the close"));
    scene.lose(former);
    let next = scene.connect(1, 0);
    scene.say(next, &hello(Some(token)));
    scene.arrive(8);
    second.into_iter().for_each(|(_, command)| scene.command(0, command));
    scene.deliver_commands();
    let frame = scene.tick(0, ONE, 8, &[4]).remove(&8).expect("a snapshot for the next connection");
    for text in ["to the closing", "to the lost", "after the close"] {
        assert_eq!(count(&frame, &direct(text)), 1, "{text}");
    }
}

#[test]
fn a_publication_reaches_each_subscriber_once_unless_muted_or_received_at_subscription() {
    let mut scene = Scene::new();
    let [(ann, _), (bob, _), (eve, eve_token)] = [0, 1, 2].map(|key| scene.greet(0, key));
    scene.request(eve, 1, Request::SetName { name: "Eve".to_owned() });
    let publish = |scene: &Scene, text| scene.lobby.publish(Topic::LobbyChat, Some(eve_token.session), said(text));
    publish(&scene, "early");
    // The message is kept, and still on its way when Ann subscribes.
    let early = scene.lobby.take_shard_commands();
    scene.request(ann, 1, subscribe());
    assert_eq!(texts(&scene.seen(ann)), ["early"]);
    early.into_iter().for_each(|(_, command)| scene.command(0, command));
    assert_eq!(scene.seen(ann), [], "received at subscription");
    // Twice changes nothing.
    scene.request(ann, 2, subscribe());
    assert_eq!(scene.seen(ann), [reply(2, Outcome::Done)]);
    scene.request(bob, 1, Request::Mute { name: "Eve".to_owned() });
    scene.request(bob, 2, subscribe());
    assert_eq!(texts(&scene.seen(bob)), Vec::<&str>::new(), "kept messages of a muted session neither");
    scene.deliver_commands();
    publish(&scene, "loud");
    scene.lobby.publish(Topic::LobbyChat, None, said("server"));
    scene.lobby.publish(Topic::Notices, None, said("elsewhere"));
    scene.deliver_commands();
    assert_eq!(texts(&scene.seen(ann)), ["loud", "server"]);
    assert_eq!(texts(&scene.seen(bob)), ["server"]);
    assert_eq!(texts(&scene.seen(eve)), Vec::<&str>::new(), "who publishes is not subscribed");
    // The next connection under the same key is not subscribed.
    scene.lose(ann);
    let (next, _) = scene.greet(0, ann.key);
    scene.request(bob, 3, Request::Unsubscribe { topic: Topic::LobbyChat.to_string() });
    scene.seen(bob);
    publish(&scene, "late");
    scene.deliver_commands();
    assert_eq!((scene.seen(next), scene.seen(bob)), (Vec::new(), Vec::new()));
}

#[test]
fn every_request_is_answered_once_and_before_what_it_brings() {
    let topic = || Topic::LobbyChat.to_string();
    let requests = || {
        let (name, text) = (|| "Player 4".to_owned(), || "ahoy".to_owned());
        [
            Request::SetName { name: name() },
            subscribe(),
            Request::Say { topic: topic(), text: text() },
            Request::DirectMessage { to: name(), text: text() },
            Request::Mute { name: name() },
            Request::Unmute { name: name() },
            Request::Report { name: name(), text: text() },
            Request::Unsubscribe { topic: topic() },
            Request::Follow { player: PlayerId(4) },
            Request::Look { x: 4, y: -4 },
            Request::Handshake,
            Request::Exit,
        ]
    };
    for is_seated in [false, true] {
        let mut scene = Scene::new();
        scene.seated(0, 0, ONE, 4);
        scene.lobby.publish(Topic::LobbyChat, None, said("kept"));
        scene.deliver_commands();
        let asker = if is_seated { scene.seated(0, 1, ONE, 5).0 } else { scene.greet(0, 1).0 };
        for (number, request) in (0..).zip(requests()) {
            scene.request(asker, number, request.clone());
            let seen = scene.seen(asker);
            let answers = |seen: &Seen| matches!(seen, Seen::Message(ServerMsg::Reply { id, .. }) if *id == number);
            assert!(seen.first().is_some_and(answers), "{request:?}: {seen:?}");
            assert_eq!(seen.iter().filter(|seen| matches!(seen, Seen::Message(ServerMsg::Reply { .. }))).count(), 1);
            // In a room, what a request brings rides in the next snapshot.
            let brings = match request {
                Request::SetName { .. } | Request::Subscribe { .. } if !is_seated => 1,
                _ => 0,
            };
            assert_eq!(seen.len(), 1 + brings, "{request:?}: {seen:?}");
            if matches!(request, Request::Subscribe { .. }) && is_seated {
                let frame = scene.tick(0, ONE, 8, &[5]).remove(&asker.key).expect("a snapshot");
                assert_eq!(String::from_utf8_lossy(&frame).matches("kept").count(), 1);
            }
        }
    }
}

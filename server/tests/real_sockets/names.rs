//! Names are unique by appearance, in all rooms.

use broadside_bots::socket::Socket;
use broadside_shared::client::Phase;
use broadside_shared::protocol::message::{ClientMsg, Outcome, Publication, Refusal, Request, ServerMsg, ServerNotice};
use broadside_shared::protocol::room::RoomChoice;
use broadside_shared::toy::Push;

use crate::scene::{Puppet, Server, ask, bare, greet, hear, say, seat_of, within};

/// Sets a name; returns the outcome, and the name assigned instead, if any.
pub(crate) async fn call(socket: &mut Socket, name: &str) -> (Outcome, Option<String>) {
    let ask = |id, request| ClientMsg::Request { id, request };
    say(socket, &ask(1, Request::SetName { name: name.to_owned() })).await;
    // The notice comes after the reply, and before the reply to the next request.
    say(socket, &ask(2, Request::Unsubscribe { topic: "lobby/chat".to_owned() })).await;
    let (mut outcome, mut called) = (Outcome::Done, None);
    loop {
        match hear(socket).await {
            ServerMsg::Reply { id: 1, outcome: came } => outcome = came,
            ServerMsg::Reply { .. } => return (outcome, called),
            ServerMsg::ServerNotice(ServerNotice::Renamed { name }) => called = Some(name.to_string()),
            other => panic!("a reply was due, not {other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lookalike_name_gets_a_number_and_a_reserved_name_is_refused() {
    let server = Server::start().await;
    let (mut ann, mut eve) = (bare(&server).await, bare(&server).await);
    greet(&mut ann).await;
    greet(&mut eve).await;
    assert_eq!(call(&mut ann, "Zo\u{eb}").await, (Outcome::Done, None));
    for (typed, called) in
        [("Zoe\u{308}", "Zo\u{eb} 2"), ("Ｚоё\u{200d}", "Ｚоё 2"), ("ZO\u{cb}\u{2800}", "ZO\u{cb} 2")]
    {
        assert_eq!(call(&mut eve, typed).await, (Outcome::Done, Some(called.to_owned())), "{typed:?}");
    }
    assert_eq!(
        call(&mut eve, "Bjo\u{308}rn").await,
        (Outcome::Done, Some("Bj\u{f6}rn".to_owned())),
        "composed, and told so"
    );
    for typed in ["Server", "0perator", "Ѕerver", "bot Orca", "\u{3164}", "ＷＷＷＷＷＷＷＷＷＷＷＷＷ"] {
        assert_eq!(call(&mut eve, typed).await, (Outcome::Refused(Refusal::BadName), None), "{typed:?}");
    }
    let mut mallory = bare(&server).await;
    ask(&mut mallory, "Broadside", RoomChoice::Quick).await;
    assert!(
        matches!(hear(&mut mallory).await, ServerMsg::ServerNotice(ServerNotice::Renamed { name }) if name.as_str() == "guest")
    );
    assert!(matches!(seat_of(&mut mallory).await, ServerMsg::Joined { .. }));
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_name_in_a_seat_or_join_queue_applies_everywhere() {
    let server = Server::start_with(|config| config.capacity = 2).await;
    let mut ann = Puppet::connect(&server, "Ann").await;
    let mut bob = Puppet::connect(&server, "Bob").await;
    let idle = |_: &_| Push::default();
    within("two seats", async {
        while ann.client.phase() != Phase::Playing || bob.client.phase() != Phase::Playing {
            tokio::join!(ann.step(idle), bob.step(idle));
        }
    })
    .await;
    let mut cid = Puppet::connect(&server, "Cid").await;
    within("a place in the join queue", async {
        while cid.client.queue_position().is_none() {
            tokio::join!(ann.step(idle), bob.step(idle), cid.step(idle));
        }
    })
    .await;
    let call = |name: &str| Request::SetName { name: name.to_owned() };
    let (of_ann, now) = (ann.client.player().expect("seated"), ann.now());
    ann.client.request(now, call("Zoe"));
    cid.client.request(cid.now(), call("Rob"));
    within("the new name on everyone's board", async {
        while [&ann, &bob].iter().any(|one| one.client.name_of(of_ann) != Some("Zoe")) {
            tokio::join!(ann.step(idle), bob.step(idle), cid.step(idle));
        }
    })
    .await;
    // The former name is free everywhere at once.
    let now = bob.now();
    bob.client.request(now, call("Ann"));
    bob.client.request(now, Request::Subscribe { topic: "lobby/chat".to_owned() });
    let now = ann.now();
    ann.client.request(now, Request::Say { topic: "lobby/chat".to_owned(), text: "ahoy".to_owned() });
    let of_bob = bob.client.player().expect("seated");
    let mut said = None;
    within("one name in chat and on the board", async {
        while said.is_none() || ann.client.name_of(of_bob) != Some("Ann") {
            tokio::join!(ann.step(idle), bob.step(idle), cid.step(idle));
            while let Some(event) = bob.client.poll_event() {
                if let broadside_shared::client::ClientEvent::Published {
                    publication: Publication::Said { from, .. },
                    ..
                } = event
                {
                    said = Some(from.to_string());
                }
            }
        }
    })
    .await;
    assert_eq!(said.as_deref(), Some("Zoe"));
    let now = bob.now();
    bob.client.request(now, Request::Exit);
    within("the queued player to join under the name chosen in the queue", async {
        while cid.client.player().is_none_or(|player| ann.client.name_of(player) != Some("Rob")) {
            tokio::join!(ann.step(idle), bob.step(idle), cid.step(idle));
        }
    })
    .await;
    server.end().await;
}

//! Resume and takeover of seats, and chat between players.

use std::time::Duration;

use broadside_bots::socket::Socket;
use broadside_shared::client::requests::Answer;
use broadside_shared::client::{ClientEvent, Phase};
use broadside_shared::ids::RoomId;
use broadside_shared::protocol::REVISION;
use broadside_shared::protocol::close::CloseCode;
use broadside_shared::protocol::codec::encode_client;
use broadside_shared::protocol::limits::FRAMES_BURST;
use broadside_shared::protocol::message::{
    ClientMsg, Outcome, Publication, Refusal, Request, Resume, ServerMsg, ServerNotice,
};
use broadside_shared::protocol::name::Name;
use broadside_shared::protocol::room::{Role, RoomChoice};
use broadside_shared::protocol::token::Token;
use broadside_shared::time::{MonoTime, Tick};
use broadside_shared::toy::Push;
use futures_util::SinkExt;
use tokio::io::AsyncWriteExt;
use tokio_tungstenite::tungstenite::Message;

use crate::scene::{Puppet, Server, ask, bare, close_of, greet, hear, say, seat_of, within};

/// A hello with an earlier session's token.
fn hello_again(token: Token) -> ClientMsg {
    let resume = Resume { token, have: Tick(0), cells: Vec::new() };
    ClientMsg::Hello { revision: REVISION, agent: "test".to_owned(), resume: Some(resume), account: None }
}

/// Sends messages in one write, masked with zeros; the client library writes each frame separately.
async fn say_at_once(socket: &mut Socket, msgs: &[ClientMsg]) {
    let frames: Vec<Vec<u8>> = msgs.iter().map(encode_client).collect();
    let framed =
        frames.iter().flat_map(|frame| [&[0x82, 0x80 | frame.len() as u8, 0, 0, 0, 0], frame.as_slice()].concat());
    let bytes: Vec<u8> = framed.collect();
    within("all to be sent", socket.get_mut().write_all(&bytes)).await.expect("the server stays");
}

/// Sends hello with an earlier session's token; returns the new token and whether the seat was resumed.
async fn come_back(socket: &mut Socket, token: Token) -> (Token, bool) {
    say(socket, &hello_again(token)).await;
    match hear(socket).await {
        ServerMsg::Welcome { token, resumed, .. } => (token, resumed),
        other => panic!("a welcome was due, not {other:?}"),
    }
}

/// Sends a request and returns its outcome; earlier messages are skipped.
async fn request(socket: &mut Socket, id: u32, request: Request) -> Outcome {
    say(socket, &ClientMsg::Request { id, request }).await;
    loop {
        match hear(socket).await {
            ServerMsg::Reply { id: answered, outcome } if answered == id => return outcome,
            _ => {}
        }
    }
}

fn refused(why: Refusal) -> Outcome {
    Outcome::Refused(why)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_connection_resumes_its_seat_and_a_leave_frees_it() {
    let server = Server::start().await;
    let mut first = bare(&server).await;
    let token = ask(&mut first, "Ann", RoomChoice::Quick).await;
    let ServerMsg::Joined { player, .. } = seat_of(&mut first).await else { panic!("no seat") };
    drop(first);
    // Twice, since the second time it may start on another shard.
    for _ in 0..4 {
        let mut again = bare(&server).await;
        assert_eq!(come_back(&mut again, token).await, (token, true));
        let ServerMsg::Joined { player: same, .. } = seat_of(&mut again).await else { panic!("no seat") };
        assert_eq!(same, player);
        drop(again);
    }
    server.until("players", |players| players == 1).await;
    let mut last = bare(&server).await;
    assert_eq!(come_back(&mut last, token).await, (token, true));
    say(&mut last, &ClientMsg::Leave).await;
    assert_eq!(close_of(&mut last).await.0, CloseCode::Normal.code());
    server.until("players", |players| players == 0).await;
    let mut late = bare(&server).await;
    let (fresh, resumed) = come_back(&mut late, token).await;
    assert!(!resumed && fresh != token, "the seat was given up");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_connection_takes_the_seat_over_and_the_first_is_closed_for_good() {
    let server = Server::start().await;
    let mut first = bare(&server).await;
    let token = ask(&mut first, "Ann", RoomChoice::Quick).await;
    assert!(matches!(seat_of(&mut first).await, ServerMsg::Joined { .. }));
    let mut second = bare(&server).await;
    assert_eq!(come_back(&mut second, token).await, (token, true));
    assert_eq!(close_of(&mut first).await.0, CloseCode::TakenOver.code());
    assert!(matches!(seat_of(&mut second).await, ServerMsg::Joined { .. }));
    server.until("players", |players| players == 1).await;
    let mut forger = bare(&server).await;
    let forged = Token { signature: [0; 16], ..token };
    assert!(!come_back(&mut forger, forged).await.1, "a made-up token opens nothing");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leave_right_after_a_resume_frees_no_other_seat() {
    let server = Server::start().await;
    let mut first = bare(&server).await;
    let token = ask(&mut first, "Ann", RoomChoice::Quick).await;
    assert!(matches!(seat_of(&mut first).await, ServerMsg::Joined { .. }));
    let mut second = bare(&server).await;
    say_at_once(&mut second, &[hello_again(token), ClientMsg::Leave]).await;
    assert_eq!(close_of(&mut second).await.0, CloseCode::Normal.code());
    say(&mut first, &ClientMsg::Ping { client_time: MonoTime(7) }).await;
    assert!(matches!(hear(&mut first).await, ServerMsg::Pong { client_time: MonoTime(7), .. }), "it goes on");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_join_right_after_a_resuming_hello_is_accepted() {
    let server = Server::start_with(|config| config.shards = Some(2)).await;
    let join = || ClientMsg::Join { name: Name::new("Ann").expect("fine"), room: RoomChoice::Quick, role: Role::Play };
    let mut first = bare(&server).await;
    let hello = ClientMsg::Hello { revision: REVISION, agent: "test".to_owned(), resume: None, account: None };
    say_at_once(&mut first, &[hello, join()]).await;
    let ServerMsg::Welcome { token, resumed: false, .. } = hear(&mut first).await else { panic!("no welcome") };
    assert!(matches!(seat_of(&mut first).await, ServerMsg::Joined { .. }));
    drop(first);
    // On the shard of the seat and on the other one. The join requests another seat, as always.
    for _ in 0..4 {
        let mut again = bare(&server).await;
        say_at_once(&mut again, &[hello_again(token), join()]).await;
        assert!(matches!(hear(&mut again).await, ServerMsg::Welcome { resumed: true, .. }));
        assert!(matches!(seat_of(&mut again).await, ServerMsg::Joined { .. }), "the former seat");
        assert!(matches!(seat_of(&mut again).await, ServerMsg::Joined { .. }), "and the other one");
        drop(again);
    }
    // A client whose seat is gone starts a new session, and joins.
    let mut stranger = bare(&server).await;
    say_at_once(&mut stranger, &[hello_again(Token { signature: [0; 16], ..token }), join()]).await;
    assert!(matches!(hear(&mut stranger).await, ServerMsg::Welcome { resumed: false, .. }));
    let joined = async {
        loop {
            // Renamed first: the old name is taken.
            match hear(&mut stranger).await {
                ServerMsg::Joined { .. } => return,
                ServerMsg::ServerNotice(_) | ServerMsg::Queued { .. } => {}
                other => panic!("a seat was due, not {other:?}"),
            }
        }
    };
    within("a seat", joined).await;
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_frames_than_one_poll_reads_may_follow_a_resuming_hello() {
    let server = Server::start_with(|config| config.shards = Some(2)).await;
    let mut first = bare(&server).await;
    let token = ask(&mut first, "Ann", RoomChoice::Quick).await;
    assert!(matches!(seat_of(&mut first).await, ServerMsg::Joined { .. }));
    drop(first);
    for _ in 0..2 {
        let mut again = bare(&server).await;
        let before = server.metrics().frames_in.get();
        let pings = (0..300).map(|at| ClientMsg::Ping { client_time: MonoTime(at) });
        say_at_once(&mut again, &[hello_again(token)].into_iter().chain(pings).collect::<Vec<_>>()).await;
        // Nothing is read here, so no pong wakes the server up.
        within("the last of them to be read", async {
            while server.metrics().frames_in.get() < before + 301 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await;
    }
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_to_a_closing_connection_wait_for_the_next_one() {
    let server = Server::start().await;
    let mut bob = bare(&server).await;
    let token = ask(&mut bob, "Bob", RoomChoice::Quick).await;
    let ServerMsg::Joined { player, .. } = seat_of(&mut bob).await else { panic!("a seat was due") };
    let ping = encode_client(&ClientMsg::Ping { client_time: MonoTime(0) });
    for _ in 0..2 * FRAMES_BURST {
        // Closed for the violation and never reads: the server waits for the answer to its close.
        if within("the server to read", bob.send(Message::Binary(ping.clone().into()))).await.is_err() {
            break;
        }
    }
    let mut ann = Puppet::connect(&server, "Ann").await;
    within("Bob to be away", async {
        while !ann.client.is_away(player) {
            ann.step(|_| Push::default()).await;
        }
    })
    .await;
    let now = ann.now();
    ann.client.request(now, Request::DirectMessage { to: "Bob".to_owned(), text: "ahoy".to_owned() });
    let done = Answer::Received(Outcome::Done);
    ann.until("an answer", |event| matches!(event, ClientEvent::Answered { answer, .. } if *answer == done)).await;
    let mut back = Puppet::with_token(&server, "Bob", token).await;
    back.until("the word", |event| matches!(event, ClientEvent::DirectMessage { .. })).await;
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_to_an_absent_player_wait() {
    let server = Server::start().await;
    let mut bob = Puppet::connect(&server, "Bob").await;
    let mut token = None;
    bob.until("a seat", |event| {
        if let ClientEvent::Welcomed(shown) = event {
            token = Some(*shown);
        }
        matches!(event, ClientEvent::Joined { .. })
    })
    .await;
    let now = bob.now();
    bob.client.request(now, Request::Subscribe { topic: "lobby/chat".to_owned() });
    bob.until("an answer", |event| matches!(event, ClientEvent::Answered { .. })).await;
    let seat = bob.client.player().expect("seated");
    bob.reconnect(&server).await;
    let mut ann = Puppet::connect(&server, "Ann").await;
    within("Bob to be away", async {
        while !ann.client.is_away(seat) {
            ann.step(|_| Push::default()).await;
        }
    })
    .await;
    let (now, text) = (ann.now(), || "ahoy".to_owned());
    ann.client.request(now, Request::DirectMessage { to: "Bob".to_owned(), text: text() });
    ann.client.request(now, Request::Say { topic: "lobby/chat".to_owned(), text: text() });
    for _ in 0..2 {
        let done = Answer::Received(Outcome::Done);
        ann.until("an answer", |event| matches!(event, ClientEvent::Answered { answer, .. } if *answer == done)).await;
    }
    let (mut told, mut said) = (0, 0);
    bob.until("both", |event| {
        told += u32::from(matches!(event, ClientEvent::DirectMessage { .. }));
        said += u32::from(matches!(event, ClientEvent::Published { publication: Publication::Said { .. }, .. }));
        told > 0 && said > 0
    })
    .await;
    assert_eq!((told, said), (1, 1), "each once");

    // A reloaded page has also lost the earlier messages.
    let mut page = Puppet::with_token(&server, "Bob", token.expect("welcomed")).await;
    page.until("the history", |event| {
        matches!(event, ClientEvent::Published { publication: Publication::Said { .. }, .. })
    })
    .await;
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_join_before_the_reply_leaves_no_seat_behind() {
    let server = Server::start_with(|config| config.rooms = 2).await;
    let mut fickle = bare(&server).await;
    greet(&mut fickle).await;
    let name = || Name::new("Fickle").expect("a fine name");
    for turn in 0..5 {
        for (room, role) in [(1, Role::Spectate), (2, Role::Play), (1, Role::Play)] {
            let room = RoomChoice::Room(RoomId(room));
            say(&mut fickle, &ClientMsg::Join { name: name(), room, role }).await;
        }
        say(&mut fickle, &ClientMsg::Request { id: turn, request: Request::Exit }).await;
        while hear(&mut fickle).await != (ServerMsg::Reply { id: turn, outcome: Outcome::Done }) {}
        let nobody = || async {
            let rooms = crate::http::get(server.address(), "/api/rooms", &[]).await.text();
            let rooms: serde_json::Value = serde_json::from_str(&rooms).expect("a list of rooms");
            let count = |key: &str| -> u64 { (0..2).filter_map(|at| rooms[at][key].as_u64()).sum() };
            count("players") + count("spectators") + count("waiting") == 0
        };
        crate::scene::within("empty rooms", async { while !nobody().await {} }).await;
    }
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_seat_is_freed_after_the_grace_period() {
    let server = Server::start_with(|config| config.grace = 1).await;
    let mut first = bare(&server).await;
    ask(&mut first, "Ann", RoomChoice::Quick).await;
    assert!(matches!(seat_of(&mut first).await, ServerMsg::Joined { .. }));
    server.until("players", |players| players == 1).await;
    drop(first);
    server.until("players", |players| players == 0).await;
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn players_in_the_lobby_chat_send_direct_messages_and_mute() {
    let server = Server::start().await;
    let (mut ann, mut bob) = (bare(&server).await, bare(&server).await);
    greet(&mut ann).await;
    greet(&mut bob).await;
    let topic = || "lobby/chat".to_owned();
    let text = || "ahoy".to_owned();
    let say_it = || Request::Say { topic: topic(), text: text() };
    assert_eq!(request(&mut ann, 1, say_it()).await, refused(Refusal::Nameless));
    assert_eq!(request(&mut ann, 2, Request::SetName { name: "Ann".to_owned() }).await, Outcome::Done);
    assert_eq!(request(&mut bob, 1, Request::SetName { name: "ann".to_owned() }).await, Outcome::Done);
    assert!(
        matches!(hear(&mut bob).await, ServerMsg::ServerNotice(ServerNotice::Renamed { name }) if name.as_str() == "ann 2")
    );
    for (id, topic, outcome) in [
        (3, "lobby/chat", Outcome::Done),
        (4, "lobby/chats", refused(Refusal::NoSuchTopic)),
        (5, "room/1/chat", refused(Refusal::NotAllowed)),
        (6, "room/9/feed", refused(Refusal::NoSuchTopic)),
    ] {
        assert_eq!(request(&mut bob, id, Request::Subscribe { topic: topic.to_owned() }).await, outcome, "{topic}");
    }
    assert_eq!(request(&mut ann, 3, say_it()).await, Outcome::Done);
    match hear(&mut bob).await {
        ServerMsg::Published { publication: Publication::Said { from, text, .. }, .. } => {
            assert_eq!((from.as_str(), text.as_str()), ("Ann", "ahoy"));
        }
        other => panic!("a line was due, not {other:?}"),
    }
    let tell = |to: &str| Request::DirectMessage { to: to.to_owned(), text: text() };
    assert_eq!(request(&mut ann, 4, tell("nobody")).await, refused(Refusal::NoSuchPlayer));
    assert_eq!(request(&mut ann, 5, tell("Ann 2")).await, Outcome::Done);
    assert!(matches!(hear(&mut bob).await, ServerMsg::DirectMessage { from, .. } if from.as_str() == "Ann"));
    assert_eq!(request(&mut bob, 7, Request::Mute { name: "Ann".to_owned() }).await, Outcome::Done);
    assert_eq!(hear(&mut ann).await, ServerMsg::ServerNotice(ServerNotice::Muted));
    assert_eq!(request(&mut ann, 6, tell("ann 2")).await, Outcome::Done);
    assert_eq!(request(&mut bob, 8, Request::Unmute { name: "Ann".to_owned() }).await, Outcome::Done);
    assert_eq!(request(&mut ann, 7, Request::Mute { name: "ann 2".to_owned() }).await, Outcome::Done);
    // Messages sent while muted were not delivered: the next one is from after the mute.
    assert_eq!(hear(&mut bob).await, ServerMsg::ServerNotice(ServerNotice::Muted));
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chat_in_a_room_travels_with_snapshots() {
    let server = Server::start().await;
    let mut ann = Puppet::connect(&server, "Ann").await;
    let mut bob = Puppet::connect(&server, "Bob").await;
    let idle = |_: &_| Push::default();
    within("two seats", async {
        while ann.client.phase() != Phase::Playing || bob.client.phase() != Phase::Playing {
            ann.step(idle).await;
            bob.step(idle).await;
        }
    })
    .await;
    let topic = || "room/1/chat".to_owned();
    let now = ann.now();
    ann.client.request(now, Request::Say { topic: topic(), text: "before".to_owned() });
    bob.client.request(bob.now(), Request::Subscribe { topic: topic() });
    let (mut heard, mut answered, mut asked) = (Vec::new(), 0, false);
    within("both lines", async {
        while heard.len() < 2 {
            ann.step(idle).await;
            bob.step(idle).await;
            while let Some(event) = ann.client.poll_event() {
                if let ClientEvent::Answered { answer, .. } = event {
                    assert_eq!(answer, Answer::Received(Outcome::Done));
                }
            }
            while let Some(event) = bob.client.poll_event() {
                match event {
                    ClientEvent::Answered { .. } => answered += 1,
                    ClientEvent::Published { publication: Publication::Said { from, text, .. }, .. } => {
                        heard.push((from, text));
                    }
                    _ => {}
                }
            }
            if answered == 1 && !asked {
                asked = true;
                let now = ann.now();
                ann.client.request(now, Request::Say { topic: topic(), text: "after".to_owned() });
            }
        }
    })
    .await;
    let lines: Vec<_> = heard.iter().map(|(from, text)| (from.as_str(), text.as_str())).collect();
    assert_eq!(lines, [("Ann", "before"), ("Ann", "after")]);
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_player_who_exits_receives_pending_messages_and_joins_again() {
    let server = Server::start().await;
    let mut ann = Puppet::connect(&server, "Ann").await;
    for _ in 0..5 {
        within("a dot", async {
            while ann.client.local_player().is_none() {
                ann.step(|_| Push::default()).await;
            }
        })
        .await;
        ann.client.exit(ann.now());
        assert_eq!(ann.client.phase(), Phase::Lobby);
        ann.until("the end of it", |event| matches!(event, ClientEvent::Answered { .. })).await;
        ann.client.switch(ann.now(), RoomChoice::Quick, Role::Play);
        ann.until("another seat", |event| matches!(event, ClientEvent::Joined { .. })).await;
    }
    server.end().await;
}

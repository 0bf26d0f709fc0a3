//! Every close code that a client can cause, and shutdown.

use std::time::{Duration, Instant};

use broadside_bots::player::Progress;
use broadside_bots::socket::PlayError;
use broadside_shared::ids::RoomId;
use broadside_shared::protocol::close::CloseCode;
use broadside_shared::protocol::codec::encode_client;
use broadside_shared::protocol::limits::{CLIENT_FRAME_MAX, FRAMES_BURST};
use broadside_shared::protocol::message::{ClientMsg, ServerMsg};
use broadside_shared::protocol::room::{Role, RoomChoice};
use broadside_shared::protocol::{FrameKind, REVISION};
use broadside_shared::time::MonoTime;
use futures_util::SinkExt;
use tokio_tungstenite::tungstenite::Message;

use crate::scene::{Server, ask, bare, close_of, greet, hear, play_until, player, say, seat_of, sit, within};

/// Code and reason of a close.
pub(crate) fn meant(code: CloseCode) -> (u16, String) {
    (code.code(), code.reason().to_owned())
}

/// Sends one message first and receives the close.
async fn close_after(server: &Server, message: Message) -> (u16, String) {
    let mut socket = bare(server).await;
    socket.send(message).await.expect("the server takes one message");
    close_of(&mut socket).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_violation_before_the_hello_has_its_close_code() {
    let server = Server::start().await;
    let hello =
        |revision| encode_client(&ClientMsg::Hello { revision, agent: "test".to_owned(), resume: None, account: None });
    let too_early = encode_client(&ClientMsg::Ping { client_time: MonoTime(1) });
    let mut with_more = hello(REVISION);
    with_more.push(0);
    for (bytes, code) in [
        (vec![0; CLIENT_FRAME_MAX + 1], CloseCode::TooBig),
        (vec![1; CLIENT_FRAME_MAX + 1], CloseCode::TooBig),
        (hello(REVISION + 1), CloseCode::WrongRevision),
        (hello(0), CloseCode::WrongRevision),
        (Vec::new(), CloseCode::Malformed),
        (vec![0; CLIENT_FRAME_MAX], CloseCode::Malformed),
        (b"\x09garbage".to_vec(), CloseCode::Malformed),
        (vec![FrameKind::Control as u8, 255], CloseCode::Malformed),
        (vec![FrameKind::State as u8, 0, 0], CloseCode::Malformed),
        (with_more, CloseCode::Malformed),
        (too_early, CloseCode::Malformed),
        (encode_client(&ClientMsg::Leave), CloseCode::Normal),
    ] {
        let what = format!("{} bytes, {:?}..", bytes.len(), &bytes[..bytes.len().min(8)]);
        assert_eq!(close_after(&server, Message::Binary(bytes.into())).await, meant(code), "{what}");
    }
    assert_eq!(close_after(&server, Message::text("hello")).await, meant(CloseCode::Unsupported));
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_hello_is_an_error_and_a_second_join_requests_another_seat() {
    let server = Server::start().await;
    let hello = ClientMsg::Hello { revision: REVISION, agent: "test".to_owned(), resume: None, account: None };
    let mut greeted = bare(&server).await;
    greet(&mut greeted).await;
    say(&mut greeted, &hello).await;
    assert_eq!(close_of(&mut greeted).await, meant(CloseCode::Malformed));

    let mut seated = bare(&server).await;
    sit(&mut seated, "Ann").await;
    let name = broadside_shared::protocol::name::Name::new("Ann").expect("a fine name");
    say(&mut seated, &ClientMsg::Join { name, room: RoomChoice::Quick, role: Role::Play }).await;
    assert!(matches!(seat_of(&mut seated).await, ServerMsg::Joined { .. }));
    server.until("players", |players| players == 1).await;
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_sends_a_huge_frame_is_closed_and_affects_no_other() {
    let server = Server::start_with(|config| config.shards = Some(1)).await;
    let mut neighbour = bare(&server).await;
    greet(&mut neighbour).await;
    let (mut writes, mut reads) = futures_util::StreamExt::split(bare(&server).await);
    let flood = tokio::spawn(async move {
        let frame = bytes::Bytes::from(vec![0; 8 << 20]);
        // Until the server closes.
        while writes.send(Message::Binary(frame.clone())).await.is_ok() {}
    });
    within("a close for the flood", async {
        while let Some(Ok(message)) = futures_util::StreamExt::next(&mut reads).await {
            if let Message::Close(frame) = message {
                let frame = frame.expect("a close with a code");
                return assert_eq!((frame.code.into(), frame.reason.to_string()), meant(CloseCode::TooBig));
            }
        }
    })
    .await;
    say(&mut neighbour, &ClientMsg::Ping { client_time: MonoTime(7) }).await;
    assert!(matches!(hear(&mut neighbour).await, ServerMsg::Pong { client_time: MonoTime(7), .. }));
    within("the end of the flood", flood).await.expect("the flood ends by itself");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_frames_ends_the_connection() {
    let server = Server::start().await;
    let mut socket = bare(&server).await;
    greet(&mut socket).await;
    let ping = encode_client(&ClientMsg::Ping { client_time: MonoTime(0) });
    let (mut writes, mut reads) = futures_util::StreamExt::split(socket);
    let flood = async {
        // Twice the burst: even on a machine that takes seconds the bucket does not refill enough.
        for _ in 0..2 * FRAMES_BURST {
            if writes.send(Message::Binary(ping.clone().into())).await.is_err() {
                break;
            }
        }
    };
    let close = async {
        loop {
            match futures_util::StreamExt::next(&mut reads).await {
                Some(Ok(Message::Close(Some(frame)))) => return (u16::from(frame.code), frame.reason.to_string()),
                Some(Ok(_)) => {}
                other => panic!("a close was due, not {other:?}"),
            }
        }
    };
    let (close, ()) = within("the flood to be ended", async { tokio::join!(close, flood) }).await;
    assert_eq!(close, meant(CloseCode::TooManyFrames));
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_player_without_a_seat_enters_the_join_queue_and_gets_the_first_free_one() {
    let server = Server::start_with(|config| (config.capacity, config.grace) = (1, 0)).await;
    let mut first = bare(&server).await;
    sit(&mut first, "First").await;
    let mut second = bare(&server).await;
    ask(&mut second, "Second", RoomChoice::Quick).await;
    assert_eq!(hear(&mut second).await, ServerMsg::Queued { position: 1 });
    let mut third = bare(&server).await;
    ask(&mut third, "Third", RoomChoice::Room(RoomId(1))).await;
    assert_eq!(hear(&mut third).await, ServerMsg::Queued { position: 2 });

    say(&mut first, &ClientMsg::Leave).await;
    assert_eq!(close_of(&mut first).await, meant(CloseCode::Normal));
    assert!(matches!(seat_of(&mut second).await, ServerMsg::Joined { .. }));
    // A player who leaves the join queue does not delay the others.
    let mut fourth = bare(&server).await;
    ask(&mut fourth, "Fourth", RoomChoice::Quick).await;
    drop(third);
    drop(second);
    assert!(matches!(seat_of(&mut fourth).await, ServerMsg::Joined { .. }));
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_room_has_its_own_close_code() {
    let server = Server::start_with(|config| config.rooms = 2).await;
    let mut lost = bare(&server).await;
    ask(&mut lost, "Lost", RoomChoice::Room(RoomId(3))).await;
    assert_eq!(close_of(&mut lost).await, meant(CloseCode::NoSuchRoom));
    let mut second = bare(&server).await;
    ask(&mut second, "Second", RoomChoice::Room(RoomId(2))).await;
    assert!(matches!(seat_of(&mut second).await, ServerMsg::Joined { room: RoomId(2), .. }));
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shutdown_closes_every_socket_and_does_not_wait_for_unresponsive_clients() {
    let server = Server::start().await;
    let silent = bare(&server).await;
    let mut greeted = bare(&server).await;
    greet(&mut greeted).await;
    let mut silent_reader = bare(&server).await;
    sit(&mut silent_reader, "Silent").await;
    let mut ann = player(&server, "Ann").await;
    play_until(&mut ann, "a seat", |ann, progress| ann.joined() && matches!(progress, Progress::Snapshot(_))).await;

    let began = Instant::now();
    let playing = within("the close of a player", async {
        loop {
            match ann.step(Instant::now() + Duration::from_millis(16)).await {
                Ok(_) => {}
                Err(PlayError::Closed { code, reason }) => return (code, reason),
                Err(other) => panic!("a close was due, not {other}"),
            }
        }
    });
    let (_, ann_heard, greeted_heard) = tokio::join!(server.end(), playing, close_of(&mut greeted));
    assert_eq!(ann_heard, meant(CloseCode::GoingAway));
    assert_eq!(greeted_heard, meant(CloseCode::GoingAway));
    // Two of the four never answer the close; the limit is two seconds.
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    drop((silent, silent_reader));
}

//! Clients that do not read: their pending bytes are bounded, and other clients keep their full rate.

use std::collections::VecDeque;
use std::time::Duration;

use broadside_bots::player::Progress;
use broadside_bots::socket::Socket;
use broadside_shared::client::{Client, ClientConfig, Detail, Received};
use broadside_shared::protocol::close::CloseCode;
use broadside_shared::protocol::input::InputPacket;
use broadside_shared::protocol::limits::{REQUEST_EVERY_MS, REQUESTS_BURST};
use broadside_shared::protocol::message::{ClientMsg, Request, ServerMsg};
use broadside_shared::protocol::name::Name;
use broadside_shared::protocol::room::{Role, RoomChoice};
use broadside_shared::protocol::{FrameKind, codec};
use broadside_shared::time::{MonoTime, Tick};
use broadside_shared::toy::{Push, Toy};
use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::Message;

use crate::scene::{
    Player, Server, bare, bare_with_a_small_window, greet, next_frame, play_until, player, say, sit, within,
};

/// Consecutive snapshots, 1.5 seconds of them, over which the rate is measured.
const IN_A_ROW: usize = 45;
/// Documented maximum of snapshots in flight to a silent client.
const UNACKED_MAX: usize = 16;
/// Documented maximum of bytes pending for a client.
const OUTBOX_MAX: usize = 64 * 1024;

/// Lets a player play until snapshots have arrived at full rate for a while. On a busy machine the first attempts may fail; on a server
/// that another client delays, all of them would.
async fn play_at_full_rate(player: &mut Player) {
    let mut ticks: VecDeque<u32> = VecDeque::new();
    play_until(player, "snapshots at full rate", |_, progress| {
        if let Progress::Snapshot(arrival) = progress {
            ticks.push_back(arrival.tick.0);
        }
        while ticks.len() > IN_A_ROW + 1 {
            ticks.pop_front();
        }
        let span = ticks.back().zip(ticks.front()).map_or(0, |(last, first)| last - first);
        // One every second tick, with a tenth of tolerance for a busy machine.
        ticks.len() > IN_A_ROW && span as usize <= IN_A_ROW * 2 * 11 / 10
    })
    .await;
}

fn input(acked: Tick, first: Tick) -> Message {
    let packet = InputPacket { acked, first, lag: 0, samples: [Push::default()].into_iter().collect() };
    Message::Binary(packet.encode().into())
}

/// Reads everything that was pending, checks that it was little, and continues from there.
async fn catches_up(socket: &mut Socket, joined: &ServerMsg) {
    // The pong comes after all pending bytes: the stream is ordered.
    let mark = MonoTime(4_242);
    say(socket, &ClientMsg::Ping { client_time: mark }).await;
    let name = Name::new("Mute").expect("a fine name");
    let mut client = Client::<Toy>::new(ClientConfig {
        name,
        agent: String::new(),
        room: Some(RoomChoice::Quick),
        role: Role::Play,
        detail: Detail::Replica,
    });
    client.handle_frame(MonoTime(0), &codec::encode_server(joined)).expect("our own message");
    let (mut snapshots, mut bytes, mut newest) = (0, 0, Tick(0));
    let asked_at = loop {
        let frame = next_frame(socket).await;
        bytes += frame.len();
        if let Ok((FrameKind::Control, rest)) = FrameKind::split(&frame)
            && let Ok(ServerMsg::Pong { client_time, server_time, .. }) = codec::decode_server(rest)
            && client_time == mark
        {
            break server_time;
        }
        if let Received::Snapshot(arrival) = client.handle_frame(MonoTime(0), &frame).expect("whole and in order") {
            snapshots += 1;
            newest = arrival.tick;
        }
    };
    assert!((1..=UNACKED_MAX).contains(&snapshots), "{snapshots} snapshots waited");
    assert!(bytes <= OUTBOX_MAX, "{bytes} bytes waited");

    // After one acknowledgement the next snapshot is current and based on the last one written.
    let ServerMsg::Joined { tick_hz, tick_zero, .. } = *joined else { panic!("{joined:?}") };
    let now = asked_at.us_since(tick_zero) * u64::from(tick_hz) / 1_000_000;
    socket.send(input(newest, newest)).await.expect("the server stays");
    let frame = next_frame(socket).await;
    let received = client.handle_frame(MonoTime(0), &frame).expect("it builds on what was written");
    let Received::Snapshot(arrival) = received else { panic!("a snapshot was due, not {received:?}") };
    // Half a second of tolerance for a busy machine; a backlog would be older.
    assert!(u64::from(arrival.tick.0) + 30 >= now, "tick {} is old, it was {now} already", arrival.tick);
    assert!(arrival.tick.since(newest) > 30, "tick {} after {newest}: nothing was skipped", arrival.tick);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_stops_reading_and_writing_affects_no_other() {
    a_mute_client_affects_no_other(Server::start().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_client_over_tls_affects_no_other() {
    a_mute_client_affects_no_other(Server::start_secure().await).await;
}

async fn a_mute_client_affects_no_other(server: Server) {
    let mut mute = bare(&server).await;
    let joined = sit(&mut mute, "Mute").await;
    let mut ann = player(&server, "Ann").await;
    play_at_full_rate(&mut ann).await;
    server.until("superseded", |superseded| superseded >= 20).await;
    catches_up(&mut mute, &joined).await;
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_sends_inputs_but_never_reads_affects_no_other() {
    let server = Server::start().await;
    let mut silent_reader = bare(&server).await;
    let joined = sit(&mut silent_reader, "Silent").await;
    let (mut writes, reads) = silent_reader.split();
    let chatter = async {
        // The same old acknowledgement at the usual rate; late inputs do not matter here.
        let mut pace = tokio::time::interval(Duration::from_millis(33));
        for first in 1.. {
            pace.tick().await;
            writes.send(input(Tick(0), Tick(first * 2))).await.expect("the server stays");
        }
    };
    let others = async {
        let mut ann = player(&server, "Ann").await;
        play_at_full_rate(&mut ann).await;
        server.until("superseded", |superseded| superseded >= 20).await;
    };
    tokio::select! {
        () = chatter => {}
        () = others => {}
    }
    let mut silent_reader = writes.reunite(reads).expect("two halves of one socket");
    catches_up(&mut silent_reader, &joined).await;
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_requests_and_never_reads_is_ended() {
    a_greedy_client_is_ended(Server::start().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_client_over_tls_is_ended() {
    a_greedy_client_is_ended(Server::start_secure().await).await;
}

async fn a_greedy_client_is_ended(server: Server) {
    let mut greedy = bare_with_a_small_window(&server).await;
    greet(&mut greedy).await;
    // Each reply has 7 KiB. First the burst, then at the allowed rate.
    let flood = async {
        let ask = codec::encode_client(&ClientMsg::Request { id: 1, request: Request::Handshake });
        let mut pace = tokio::time::interval(Duration::from_millis(u64::from(REQUEST_EVERY_MS)));
        for count in 0.. {
            if count > REQUESTS_BURST {
                pace.tick().await;
            }
            if greedy.send(Message::Binary(ask.clone().into())).await.is_err() {
                break;
            }
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = flood => {}
        () = within("the end of the greedy", async {
            let too_slow = format!("code=\"{}\"}} 1", CloseCode::TooSlow.code());
            while !server.metrics().encode().contains(&too_slow) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }) => {}
    }
    // Nothing fits into the outbox, not even a close: a received one would have another reason.
    while let Some(Ok(message)) = within("the end of what waited", greedy.next()).await {
        assert!(!message.is_close(), "{message:?}");
    }
    server.end().await;
}

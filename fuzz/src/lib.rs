//! Every decoder and state machine that takes a remote's bytes, as functions over bytes: whatever they get, they return.
//!
//! `cargo xtask test` runs them on `fuzz/seeds/` and on seeded mutations of these (`fuzz/tests/seeds.rs`); cargo-fuzz runs them
//! through `fuzz/fuzz_targets/`, which only forward to here. Absent on purpose: the `arbitrary` crate, so that a seed is plain bytes.

use broadside_arena::modes::Mode;
use broadside_arena::{Arena, ArenaInput};
use broadside_core::connection::protocol::{ConnectionProtocol, ProtocolOutput};
use broadside_server::net::frames::FrameReader;
use broadside_shared::client::{Client, ClientConfig, Detail};
use broadside_shared::game::Game;
use broadside_shared::ids::{PlayerId, RoomId};
use broadside_shared::protocol::codec;
use broadside_shared::protocol::input::InputPacket;
use broadside_shared::protocol::limits::CLIENT_FRAME_MAX;
use broadside_shared::protocol::message::{Outcome, ServerMsg};
use broadside_shared::protocol::name::Name;
use broadside_shared::protocol::room::{Role, RoomChoice};
use broadside_shared::protocol::token::Token;
use broadside_shared::replication::bits::BitReader;
use broadside_shared::replication::replica::Replica;
use broadside_shared::time::{MonoTime, Tick};

/// A function that returns on any bytes.
pub type Target = fn(&[u8]);

/// All targets with their names, which are also the names of their seed folders.
pub const TARGETS: [(&str, Target); 5] =
    [("control", control), ("cells", cells), ("snapshot", snapshot), ("connection", connection), ("frames", frames)];

/// Splits `data` into parts: a length in two bytes, low byte first, then that many bytes. The last part ends with `data`.
fn parts(mut data: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, rest) = data.split_first_chunk::<2>()?;
        let (part, rest) = rest.split_at(usize::from(u16::from_le_bytes(*length)).min(rest.len()));
        data = rest;
        Some(part)
    })
}

/// Joins parts as the targets over several frames split them.
///
/// # Panics
/// If a part is longer than 65,535 bytes.
#[must_use]
pub fn joined(parts: &[&[u8]]) -> Vec<u8> {
    let length = |part: &[u8]| u16::try_from(part.len()).expect("a part is shorter than 64 KiB").to_le_bytes();
    parts.iter().flat_map(|part| length(part).into_iter().chain(part.iter().copied())).collect()
}

/// Control messages, room updates and input packets: bytes give an error or a value, and a value survives being encoded and decoded.
pub fn control(data: &[u8]) {
    if let Ok(msg) = codec::decode_client(data) {
        assert_eq!(codec::decode_client(&codec::encode_client(&msg)[1..]), Ok(msg));
    }
    if let Ok(msg) = codec::decode_server(data) {
        assert_eq!(codec::decode_server(&codec::encode_server(&msg)[1..]), Ok(msg));
    }
    if let Ok((update, used)) = codec::decode_update(data) {
        assert!(used <= data.len());
        let mut again = Vec::new();
        codec::encode_update(&update, &mut again);
        assert_eq!(codec::decode_update(&again), Ok((update, again.len())));
    }
    if let Ok(packet) = InputPacket::<ArenaInput>::decode(data) {
        assert_eq!(InputPacket::decode(&packet.encode()[1..]), Ok(packet));
    }
}

/// Sections of cells, several in a row on one replica: bytes give records or an error.
pub fn cells(data: &[u8]) {
    let mut replica = Replica::default();
    let mut bits = BitReader::new(data);
    for tick in (1000..1064).step_by(3) {
        if replica.apply(Arena::KINDS, Tick(tick), &mut bits).is_err() {
            return;
        }
        let mut context = <Arena as Game>::PredictionContext::default();
        Arena::prediction_context(replica.records(), &mut context);
    }
}

/// Frames at a client that plays: each is applied or refused, and what was applied can be drawn.
///
/// # Panics
/// If the client breaks.
pub fn snapshot(data: &[u8]) {
    let name = Name::new("fuzz").expect("four letters are a name");
    let room = Some(RoomChoice::Quick);
    let config = ClientConfig { name, agent: String::new(), room, role: Role::Play, detail: Detail::View };
    let mut client: Client<Arena> = Client::new(config);
    let mut now = MonoTime(1_000_000);
    client.handle_open(now);
    let token = Token { session: 1, signature: [0; 16] };
    for msg in [
        ServerMsg::Welcome { revision: 1, server: String::new(), token, resumed: false, account: None },
        joined_room(PlayerId(3)),
        ServerMsg::Pong { client_time: now, server_time: now, tick_us: 412 },
    ] {
        assert!(client.handle_frame(now, &codec::encode_server(&msg)).is_ok());
    }
    for frame in parts(data) {
        now = now.plus_us(33_333);
        if client.handle_frame(now, frame).is_err() {
            return;
        }
        client.advance(now, &ArenaInput::default());
        client.view(now);
        while client.poll_frame().is_some() || client.poll_event().is_some() {}
    }
}

/// Frames at a connection, in any state: each ends in an output or a close, and nothing follows a close.
///
/// # Panics
/// If something follows a close.
pub fn connection(data: &[u8]) {
    let mut connection = ConnectionProtocol::<Arena>::new(MonoTime(0));
    let mut now = MonoTime(0);
    let mut is_closed = false;
    for frame in parts(data) {
        now = now.plus_us(1000);
        connection.handle_frame(now, frame);
        while let Some(output) = connection.poll_output() {
            assert!(!is_closed, "nothing follows a close");
            match output {
                ProtocolOutput::Hello(resume, account) => {
                    let token = resume.map_or(Token { session: 1, signature: [0; 16] }, |resume| resume.token);
                    connection.handle_welcome(token, account.map(|token| token.account), None);
                }
                ProtocolOutput::Request(id, _) => connection.handle_outcome(id, Outcome::Done),
                ProtocolOutput::Join(..) => connection.handle_seated(&joined_room(PlayerId(0))),
                ProtocolOutput::Close(_) => is_closed = true,
                ProtocolOutput::Send(_) | ProtocolOutput::Ping | ProtocolOutput::Input(_) => {}
            }
        }
    }
}

/// A client's bytes as WebSocket frames, some of them received with the handshake: they end in frames within the limit or in a close
/// code.
///
/// # Panics
/// If a frame exceeds the limit.
pub fn frames(data: &[u8]) {
    let mut parts = parts(data);
    let mut reader = FrameReader::new(parts.next().unwrap_or_default());
    let mut source = parts.next().unwrap_or_default();
    loop {
        match reader.take_frame() {
            Ok(Some(_)) => assert!(reader.payload().len() <= CLIENT_FRAME_MAX),
            Ok(None) => match reader.read_from(&mut source) {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            },
            Err(_) => return,
        }
    }
}

fn joined_room(player: PlayerId) -> ServerMsg {
    ServerMsg::Joined {
        room: RoomId(1),
        player,
        tick_hz: 60,
        snapshot_every: 2,
        tick_zero: MonoTime(0),
        mode: Mode::Open.id(),
        role: Role::Play,
    }
}

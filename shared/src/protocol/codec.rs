//! Encoding and decoding of control messages. The only file that names bincode, so that replacing it means editing this
//! file.
//!
//! Frames are checked for length before they are decoded, decoding is bounded, and trailing bytes are an error.

use bincode::config::{self, Config};
use bincode::de::read::Reader;
use bincode::enc::write::Writer;
use bincode::error::{DecodeError, EncodeError};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::limits::{
    AGENT_BYTES_MAX, BOARD_LINES_MAX, CLIENT_CONTROL_MAX, GAME_REQUEST_MAX, NODE_URL_MAX, NODES_TOLD_MAX,
    RESUMED_CELLS_MAX, ROOM_STATE_MAX, SCORE_LINES_MAX, SERVER_CONTROL_MAX,
};
use super::match_status::{MatchStatus, TEAMS_MAX};
use super::message::{ClientMsg, Publication, Request, RoomUpdate, ServerMsg};
use super::{FrameKind, limits};
use crate::replication::bits::{BitReader, BitWriter, WireError};

/// Most bytes of a saved world: 3,000 players take less than one megabyte.
const WORLD_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Little-endian, with bincode's variable-length integers.
fn coding() -> impl Config {
    config::standard()
}

/// A client's control message as a frame.
#[must_use]
pub fn encode_client(msg: &ClientMsg) -> Vec<u8> {
    encode_frame(msg)
}

/// A server's control message as a frame.
#[must_use]
pub fn encode_server(msg: &ServerMsg) -> Vec<u8> {
    encode_frame(msg)
}

/// Appends a room update to the updates of a snapshot.
pub fn encode_update(update: &RoomUpdate, out: &mut Vec<u8>) {
    append(update, out);
}

fn encode_frame<T: Serialize>(msg: &T) -> Vec<u8> {
    let mut frame = vec![FrameKind::Control as u8];
    append(msg, &mut frame);
    frame
}

fn append<T: Serialize>(value: &T, out: &mut Vec<u8>) {
    bincode::serde::encode_into_std_write(value, out, coding())
        .expect("messages are plain data and a Vec accepts any length");
}

/// Decodes a client's control message from the bytes after the kind byte.
///
/// # Errors
/// [`WireError::Range`] for a message longer than its limit, [`WireError::Control`] for bytes that are not a message,
/// [`WireError::Long`] for trailing bytes.
pub fn decode_client(bytes: &[u8]) -> Result<ClientMsg, WireError> {
    check_length(bytes, limits::CLIENT_FRAME_MAX)?;
    let msg: ClientMsg = whole(bytes, config::standard().with_limit::<CLIENT_CONTROL_MAX>())?;
    match &msg {
        ClientMsg::Hello { agent, .. } if agent.len() > AGENT_BYTES_MAX => {
            Err(WireError::Range { what: "agent length", value: agent.len() as u64, limit: AGENT_BYTES_MAX as u64 })
        }
        ClientMsg::Hello { resume: Some(resume), .. } if resume.cells.len() > RESUMED_CELLS_MAX => {
            let (value, limit) = (resume.cells.len() as u64, RESUMED_CELLS_MAX as u64);
            Err(WireError::Range { what: "cells of a resuming client", value, limit })
        }
        ClientMsg::Request { request: Request::Game { body }, .. } if body.len() > GAME_REQUEST_MAX => {
            let (value, limit) = (body.len() as u64, GAME_REQUEST_MAX as u64);
            Err(WireError::Range { what: "bytes of a game's request", value, limit })
        }
        ClientMsg::Hello { .. }
        | ClientMsg::Join { .. }
        | ClientMsg::Ping { .. }
        | ClientMsg::Leave
        | ClientMsg::Request { .. } => Ok(msg),
    }
}

/// The revision in a client's hello, from the bytes after the kind byte; the bytes after the revision are not read,
/// since a hello starts alike in all revisions. `None` if this is not a hello or the revision is incomplete.
#[must_use]
pub fn hello_revision(bytes: &[u8]) -> Option<u16> {
    /// The number of the variant [`ClientMsg::Hello`].
    const HELLO: u32 = 0;
    let ((variant, revision), _) = partial::<(u32, u16)>(bytes, coding()).ok()?;
    (variant == HELLO).then_some(revision)
}

/// Decodes a server's control message from the bytes after the kind byte.
///
/// # Errors
/// As [`decode_client`].
pub fn decode_server(bytes: &[u8]) -> Result<ServerMsg, WireError> {
    check_length(bytes, limits::SERVER_FRAME_MAX)?;
    let msg: ServerMsg = whole(bytes, config::standard().with_limit::<SERVER_CONTROL_MAX>())?;
    check_server(&msg)?;
    Ok(msg)
}

fn check_server(msg: &ServerMsg) -> Result<(), WireError> {
    match msg {
        // The client divides by both.
        ServerMsg::Joined { tick_hz, snapshot_every, .. }
            if !(1..=1000).contains(tick_hz) || !(1..=60).contains(snapshot_every) =>
        {
            Err(WireError::Control)
        }
        ServerMsg::Published { publication: Publication::Leaders(lines), .. } if lines.len() > BOARD_LINES_MAX => {
            let (value, limit) = (lines.len() as u64, BOARD_LINES_MAX as u64);
            Err(WireError::Range { what: "lines of the leaderboard", value, limit })
        }
        ServerMsg::Published { publication: Publication::Match(match_status), .. } => check_match(match_status),
        ServerMsg::Redirect { url, .. } => check_node(url),
        ServerMsg::Nodes { urls } if urls.len() > NODES_TOLD_MAX => {
            let (value, limit) = (urls.len() as u64, NODES_TOLD_MAX as u64);
            Err(WireError::Range { what: "nodes of a cluster", value, limit })
        }
        ServerMsg::Scores { lines } if lines.len() > SCORE_LINES_MAX => {
            let (value, limit) = (lines.len() as u64, SCORE_LINES_MAX as u64);
            Err(WireError::Range { what: "lines of the scores", value, limit })
        }
        ServerMsg::Nodes { urls } => urls.iter().try_for_each(|url| check_node(url)),
        ServerMsg::Joined { .. }
        | ServerMsg::Welcome { .. }
        | ServerMsg::Pong { .. }
        | ServerMsg::Queued { .. }
        | ServerMsg::Reply { .. }
        | ServerMsg::Published { .. }
        | ServerMsg::DirectMessage { .. }
        | ServerMsg::ServerNotice(_)
        | ServerMsg::Handshake(_)
        | ServerMsg::Scores { .. } => Ok(()),
    }
}

/// Decodes the first room update of `bytes`; also gives its length in bytes.
///
/// # Errors
/// As [`decode_client`], except that trailing bytes are the next update.
pub fn decode_update(bytes: &[u8]) -> Result<(RoomUpdate, usize), WireError> {
    let (update, used): (RoomUpdate, usize) = partial(bytes, config::standard().with_limit::<SERVER_CONTROL_MAX>())?;
    match &update {
        RoomUpdate::Board { lines, .. } if lines.len() > BOARD_LINES_MAX => Err(WireError::Range {
            what: "lines of the board",
            value: lines.len() as u64,
            limit: BOARD_LINES_MAX as u64,
        }),
        RoomUpdate::Message(msg) => check_server(msg).map(|()| (update, used)),
        RoomUpdate::Match(match_status) => check_match(match_status).map(|()| (update, used)),
        RoomUpdate::State(state) if state.len() > ROOM_STATE_MAX => Err(WireError::Range {
            what: "bytes of a room's state",
            value: state.len() as u64,
            limit: ROOM_STATE_MAX as u64,
        }),
        RoomUpdate::Board { .. }
        | RoomUpdate::Named { .. }
        | RoomUpdate::Left { .. }
        | RoomUpdate::Away { .. }
        | RoomUpdate::Back { .. }
        | RoomUpdate::Bot { .. }
        | RoomUpdate::State(_) => Ok((update, used)),
    }
}

/// A value of a game, such as a request, as bytes.
#[must_use]
pub fn encode_value<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    append(value, &mut bytes);
    bytes
}

/// Reads what [`encode_value`] wrote. `bytes` must be bounded by the caller.
///
/// # Errors
/// [`WireError::Control`] for bytes that are not such a value, [`WireError::Long`] for trailing bytes.
pub fn decode_value<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, WireError> {
    whole(bytes, config::standard().with_limit::<SERVER_CONTROL_MAX>())
}

/// Reads a world that [`encode_value`] wrote, of at most [`WORLD_BYTES_MAX`] bytes.
///
/// # Errors
/// As [`decode_value`].
pub fn decode_world<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, WireError> {
    let (value, used) = world_part(bytes)?;
    if used < bytes.len() { Err(WireError::Long(bytes.len() - used)) } else { Ok(value) }
}

/// Reads the first of the values that [`encode_value`] wrote as a tuple.
///
/// # Errors
/// As [`decode_value`], except that trailing bytes are the other values.
pub fn decode_first<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, WireError> {
    world_part(bytes).map(|(value, _)| value)
}

/// Not by [`Shortest`], which takes a byte before a float for the length of an integer: nothing is compared with these bytes.
fn world_part<T: DeserializeOwned>(bytes: &[u8]) -> Result<(T, usize), WireError> {
    let config = config::standard().with_limit::<WORLD_BYTES_MAX>();
    bincode::serde::decode_from_slice(bytes, config).map_err(|_| WireError::Control)
}

/// Appends a value of a game to a stream of bits.
pub fn write_value<T: Serialize>(value: &T, out: &mut BitWriter) {
    /// The bits as a sink of bytes.
    struct Sink<'a, 'b>(&'a mut BitWriter<'b>);
    impl Writer for Sink<'_, '_> {
        fn write(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
            bytes.iter().for_each(|byte| self.0.bits((*byte).into(), 8));
            Ok(())
        }
    }
    bincode::serde::encode_into_writer(value, Sink(out), coding()).expect("a game's values are plain data");
}

/// Reads what [`write_value`] wrote.
///
/// # Errors
/// [`WireError::Control`] for bits that are not such a value.
pub fn read_value<T: DeserializeOwned>(bits: &mut BitReader<'_>) -> Result<T, WireError> {
    /// The bits as a source of bytes.
    struct Source<'a, 'b>(&'a mut BitReader<'b>);
    impl Reader for Source<'_, '_> {
        fn read(&mut self, out: &mut [u8]) -> Result<(), DecodeError> {
            for byte in out {
                *byte = self.0.bits(8).map_err(|_| DecodeError::UnexpectedEnd { additional: 1 })? as u8;
            }
            Ok(())
        }
    }
    bincode::serde::decode_from_reader(Source(bits), config::standard().with_limit::<SERVER_CONTROL_MAX>())
        .map_err(|_| WireError::Control)
}

fn check_match(match_status: &MatchStatus) -> Result<(), WireError> {
    let (value, limit) = (match_status.teams.len() as u64, TEAMS_MAX as u64);
    if value > limit { Err(WireError::Range { what: "teams of a match", value, limit }) } else { Ok(()) }
}

fn check_node(url: &str) -> Result<(), WireError> {
    let (value, limit) = (url.len() as u64, NODE_URL_MAX as u64);
    if value > limit { Err(WireError::Range { what: "bytes of a node's address", value, limit }) } else { Ok(()) }
}

fn check_length(bytes: &[u8], limit: usize) -> Result<(), WireError> {
    if bytes.len() > limit {
        return Err(WireError::Range { what: "frame length", value: bytes.len() as u64, limit: limit as u64 });
    }
    Ok(())
}

fn whole<T: DeserializeOwned>(bytes: &[u8], config: impl Config) -> Result<T, WireError> {
    let (value, used) = partial(bytes, config)?;
    if used == bytes.len() { Ok(value) } else { Err(WireError::Long(bytes.len() - used)) }
}

fn partial<T: DeserializeOwned>(bytes: &[u8], config: impl Config) -> Result<(T, usize), WireError> {
    let mut reader = Shortest { rest: bytes, form: None };
    let value = bincode::serde::decode_from_reader(&mut reader, config).map_err(|_| WireError::Control)?;
    Ok((value, bytes.len() - reader.rest.len()))
}

/// Reads from a slice and refuses integers in a longer form than necessary, which bincode accepts: equal messages must
/// have equal bytes. An integer of several bytes is read as a single byte that announces its length, then as that many
/// bytes. No other part of a message is read in that pattern, since a string's length always precedes its bytes.
struct Shortest<'a> {
    rest: &'a [u8],
    /// Set if the last read may have announced an integer: its length in bytes, and the largest number of a shorter
    /// form.
    form: Option<(usize, u64)>,
}

impl Reader for &mut Shortest<'_> {
    fn read(&mut self, out: &mut [u8]) -> Result<(), DecodeError> {
        let additional = out.len().saturating_sub(self.rest.len());
        let Some((read, rest)) = self.rest.split_at_checked(out.len()) else {
            return Err(DecodeError::UnexpectedEnd { additional });
        };
        out.copy_from_slice(read);
        self.rest = rest;
        if let Some((_, shorter)) = self.form.take().filter(|(len, _)| *len == read.len()) {
            let number = read.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte));
            if number <= shorter {
                return Err(DecodeError::Other("an integer has a longer form than necessary"));
            }
        }
        self.form = match read {
            [0xfb] => Some((2, 250)),
            [0xfc] => Some((4, u64::from(u16::MAX))),
            [0xfd] => Some((8, u64::from(u32::MAX))),
            _ => None,
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{AccountId, PlayerId, RoomId};
    use crate::protocol::name::Name;
    use crate::protocol::room::RoomChoice;
    use crate::protocol::room::{ModeId, Role};
    use crate::protocol::token::{AccountToken, Token};
    use crate::time::{MonoTime, Tick};

    fn name() -> Name {
        Name::new("Ann Łee").expect("a valid name")
    }

    fn account_token() -> AccountToken {
        AccountToken { account: AccountId([8; 16]), expires_s: 1_800_000_000, signature: [9; 16] }
    }

    fn client_msgs() -> Vec<ClientMsg> {
        vec![
            ClientMsg::Hello { revision: 1, agent: "test 1".into(), resume: None, account: None },
            ClientMsg::Hello { revision: 1, agent: "test 1".into(), resume: None, account: Some(account_token()) },
            ClientMsg::Join { name: name(), room: RoomChoice::Room(RoomId(7)), role: Role::Spectate },
            ClientMsg::Ping { client_time: MonoTime(123_456_789) },
            ClientMsg::Leave,
        ]
    }

    fn server_msgs() -> Vec<ServerMsg> {
        vec![
            ServerMsg::Welcome {
                revision: 1,
                server: "broadside 0.1.0".into(),
                token: Token { session: 9, signature: [7; 16] },
                resumed: false,
                account: Some(AccountId([8; 16])),
            },
            ServerMsg::Joined {
                room: RoomId(1),
                player: PlayerId(300),
                tick_hz: 60,
                snapshot_every: 2,
                tick_zero: MonoTime(5_000_000),
                mode: ModeId(0),
                role: Role::Play,
            },
            ServerMsg::Pong { client_time: MonoTime(1), server_time: MonoTime(u64::MAX), tick_us: 412 },
            ServerMsg::Redirect { url: "wss://b.example/game".into(), join: Some(RoomChoice::Room(RoomId(7))) },
            ServerMsg::Nodes { urls: vec!["wss://b.example/game".into(), "ws://c.example:8080".into()] },
        ]
    }

    fn updates() -> Vec<RoomUpdate> {
        vec![
            RoomUpdate::Named { player: PlayerId(7), name: name() },
            RoomUpdate::Left { player: PlayerId(7) },
            RoomUpdate::Board {
                tick: Tick(600),
                players: 2,
                extent: 0,
                lines: vec![(PlayerId(1), 30), (PlayerId(7), -2)],
            },
        ]
    }

    #[test]
    fn every_message_decodes_to_what_was_encoded() {
        for msg in client_msgs() {
            let frame = encode_client(&msg);
            let (kind, rest) = FrameKind::split(&frame).expect("a frame");
            assert_eq!((kind, decode_client(rest)), (FrameKind::Control, Ok(msg)));
        }
        for msg in server_msgs() {
            assert_eq!(decode_server(&encode_server(&msg)[1..]), Ok(msg));
        }
        let mut bytes = Vec::new();
        updates().iter().for_each(|update| encode_update(update, &mut bytes));
        let mut rest = bytes.as_slice();
        for update in updates() {
            let (back, used) = decode_update(rest).expect("an encoded update");
            assert_eq!(back, update);
            rest = &rest[used..];
        }
        assert!(rest.is_empty());
    }

    #[test]
    fn any_bytes_are_an_error_or_a_message_that_encodes_to_itself() {
        let mut rng = fastrand::Rng::with_seed(2);
        let good: Vec<Vec<u8>> =
            client_msgs().iter().map(encode_client).chain(server_msgs().iter().map(encode_server)).collect();
        let (mut accepted, mut updates) = (0, 0);
        for round in 0..30_000usize {
            let mut bytes = good[round % good.len()].clone();
            for _ in 0..rng.usize(0..4) {
                let at = rng.usize(0..bytes.len());
                bytes[at] = rng.u8(..);
            }
            bytes.truncate(rng.usize(1..=bytes.len()));
            // A decoded message encodes to itself, and in no more bytes: only invisible text is dropped.
            if let Ok(msg) = decode_client(&bytes[1..]) {
                let frame = encode_client(&msg);
                assert!(frame.len() <= bytes.len(), "{msg:?}");
                assert_eq!(decode_client(&frame[1..]), Ok(msg));
                accepted += 1;
            }
            if let Ok(msg) = decode_server(&bytes[1..]) {
                let frame = encode_server(&msg);
                assert!(frame.len() <= bytes.len(), "{msg:?}");
                assert_eq!(decode_server(&frame[1..]), Ok(msg));
                accepted += 1;
            }
            if let Ok((update, used)) = decode_update(&bytes[1..]) {
                let mut again = Vec::new();
                encode_update(&update, &mut again);
                assert!(again.len() <= used && used < bytes.len(), "{update:?}");
                assert_eq!(decode_update(&again), Ok((update, again.len())));
                updates += 1;
            }
        }
        assert!(accepted > 100 && accepted < 50_000 && updates > 100, "{accepted} messages, {updates} updates");
    }

    #[test]
    fn an_integer_in_a_longer_form_than_necessary_is_refused() {
        // A ping with its time in every form of bincode, and whether that is the shortest.
        for (form, is_shortest) in [
            (&[250][..], true),
            (&[0xfb, 250, 0], false),
            (&[0xfb, 251, 0], true),
            (&[0xfc, 0xff, 0xff, 0, 0], false),
            (&[0xfc, 0, 0, 1, 0], true),
            (&[0xfd, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0], false),
            (&[0xfd, 0, 0, 0, 0, 1, 0, 0, 0], true),
        ] {
            let ping = [&[2], form].concat();
            assert_eq!(decode_client(&ping).is_ok(), is_shortest, "{form:02x?}");
        }
        // The same goes for a variant, a length, and the signed numbers of the board.
        for long in [&[0xfb, 3, 0][..], &[0, 1, 0xfb, 1, 0, 120, 0]] {
            assert_eq!(decode_client(long), Err(WireError::Control), "{long:02x?}");
        }
        decode_update(&[2, 0, 0, 0, 1, 5, 0xfb, 251, 0]).expect("a score that needs two bytes");
        assert_eq!(decode_update(&[2, 0, 0, 0, 1, 5, 0xfb, 4, 0]), Err(WireError::Control));
        // A string whose bytes look like the announcement of an integer is a string.
        let agent = "\u{fb}\u{fc}\u{fd}".to_owned();
        let hello = ClientMsg::Hello { revision: 1, agent, resume: None, account: None };
        assert_eq!(decode_client(&encode_client(&hello)[1..]), Ok(hello));
    }

    #[test]
    fn too_many_nodes_and_too_long_an_address_are_refused() {
        let refused = |msg: &ServerMsg| {
            let mut update = Vec::new();
            encode_update(&RoomUpdate::Message(Box::new(msg.clone())), &mut update);
            let error = decode_server(&encode_server(msg)[1..]).err();
            assert_eq!(decode_update(&update).err(), error, "in a snapshot as in a frame of its own");
            error
        };
        let url = |bytes: usize| "x".repeat(bytes);
        let nodes = |count, bytes| ServerMsg::Nodes { urls: vec![url(bytes); count] };
        let redirect = |bytes| ServerMsg::Redirect { url: url(bytes), join: None };
        let (bytes, count) = ("bytes of a node's address", "nodes of a cluster");
        for (msg, error) in [
            (redirect(NODE_URL_MAX), None),
            (redirect(NODE_URL_MAX + 1), Some(WireError::Range { what: bytes, value: 201, limit: 200 })),
            (nodes(NODES_TOLD_MAX, NODE_URL_MAX), None),
            (nodes(1, NODE_URL_MAX + 1), Some(WireError::Range { what: bytes, value: 201, limit: 200 })),
            (nodes(NODES_TOLD_MAX + 1, 1), Some(WireError::Range { what: count, value: 17, limit: 16 })),
        ] {
            assert_eq!(refused(&msg), error);
        }
    }

    #[test]
    fn trailing_bytes_and_a_false_length_are_refused() {
        let mut frame = encode_client(&ClientMsg::Leave);
        frame.push(0);
        assert_eq!(decode_client(&frame[1..]), Err(WireError::Long(1)));
        // The revision of a hello is read whatever follows it.
        let hello =
            |revision| encode_client(&ClientMsg::Hello { revision, agent: "test".into(), resume: None, account: None });
        for revision in [0, 1, 250, 251, u16::MAX] {
            let frame = hello(revision);
            let number = frame.len() - "test".len() - 3;
            assert_eq!(hello_revision(&frame[1..number]), Some(revision));
            assert_eq!(hello_revision(&[&frame[1..], &[9; 40]].concat()), Some(revision));
            assert_eq!(hello_revision(&frame[1..number - 1]), None);
        }
        assert_eq!(hello_revision(&encode_client(&ClientMsg::Ping { client_time: MonoTime(1) })[1..]), None);
        // A hello whose agent claims 2^60 bytes: refused before anything is allocated.
        let lie = [0, 1, 253, 0, 0, 0, 0, 0, 0, 0, 16];
        assert_eq!(decode_client(&lie), Err(WireError::Control));
        let long = encode_client(&ClientMsg::Hello { revision: 1, agent: "x".repeat(65), resume: None, account: None });
        assert!(matches!(decode_client(&long[1..]), Err(WireError::Range { what: "agent length", value: 65, .. })));
    }
}

//! A connection that misbehaves: a WebSocket, or the start of one, whose every byte can be chosen.

use std::cell::Cell;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use broadside_bots::load::frames::{Opcode, parse};
use broadside_bots::load::handshake::Handshake;
use broadside_shared::protocol::message::{ClientMsg, Resume, ServerMsg};
use broadside_shared::protocol::name::Name;
use broadside_shared::protocol::room::{Role, RoomChoice};
use broadside_shared::protocol::{FrameKind, REVISION, codec};

use crate::raw_connection::{PAUSE, RawConnection};
use crate::testbed::Testbed;

/// Longest wait for an answer that should arrive immediately.
pub(crate) const ANSWER: Duration = Duration::from_secs(10);
/// Longest wait for the close frame of a connection that accepts no more bytes.
const CLOSE_WAIT: Duration = Duration::from_millis(500);
/// Bytes read at once, and consecutive reads before writing gets its turn.
const BUFFER: usize = 64 * 1024;
const READS: usize = 16;

/// Control messages kept for [`Attacker::wait_for`]; further ones are dropped.
const MESSAGES_MAX: usize = 4096;

/// How the server reacted to an attacker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reaction {
    /// Closed with a close code.
    Closed(u16),
    /// Answered with an HTTP status.
    Status(u16),
    /// The connection ended without a close frame or a response.
    Cut,
    /// Nothing happened: the connection stayed open.
    Open,
    /// No answer within [`ANSWER`].
    Unanswered,
    /// The attacker got a seat or data that belongs to another player.
    Breached,
}

impl std::fmt::Display for Reaction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Reaction::Closed(code) => write!(f, "{code}"),
            Reaction::Status(status) => write!(f, "HTTP {status}"),
            Reaction::Cut => f.write_str("cut"),
            Reaction::Open => f.write_str("left open"),
            Reaction::Unanswered => f.write_str("NO ANSWER"),
            Reaction::Breached => f.write_str("LET IN"),
        }
    }
}

pub(crate) struct Attacker {
    connection: RawConnection,
    /// Received bytes of an incomplete frame.
    kept: Vec<u8>,
    /// Control messages that were received and not yet consumed.
    messages: Vec<ServerMsg>,
    /// Snapshots received.
    pub(crate) snapshots: u64,
    ended: Option<Reaction>,
}

impl Attacker {
    /// Connects and completes the opening handshake, with further header lines `more`, each ended with CR LF.
    pub(crate) fn complete_handshake(testbed: &Testbed, from: Ipv4Addr, more: &str) -> Result<Attacker, Reaction> {
        let mut connection = RawConnection::open(&testbed.target, testbed.address, from).map_err(|_| Reaction::Cut)?;
        let handshake = Handshake::new(&testbed.target);
        let request = handshake.request.replacen("\r\n\r\n", &format!("\r\n{more}\r\n"), 1);
        write_all(&mut connection, request.as_bytes())?;
        let mut kept = Vec::new();
        let until = Instant::now() + ANSWER;
        let end = loop {
            match handshake.answered(&testbed.target, &kept) {
                Ok(Some(end)) => break end,
                Ok(None) => {}
                Err(_) => return Err(status_of(&kept).map_or(Reaction::Cut, Reaction::Status)),
            }
            if Instant::now() > until {
                return Err(Reaction::Unanswered);
            }
            if !read_some(&mut connection, &mut kept).map_err(|_| Reaction::Cut)? {
                return Err(status_of(&kept).map_or(Reaction::Cut, Reaction::Status));
            }
        };
        kept.drain(..end);
        Ok(Attacker { connection, kept, messages: Vec::new(), snapshots: 0, ended: None })
    }

    /// Connects and sends the hello, with `resume` if there is one. Also gives the welcome.
    pub(crate) fn greet(
        testbed: &Testbed,
        from: Ipv4Addr,
        resume: Option<Resume>,
    ) -> Result<(Attacker, ServerMsg), Reaction> {
        let mut attacker = Attacker::complete_handshake(testbed, from, "")?;
        let hello = ClientMsg::Hello { revision: REVISION, agent: "abuse".to_owned(), resume, account: None };
        attacker.send(&binary(&codec::encode_client(&hello)))?;
        let welcome = attacker.wait_for(|msg| matches!(msg, ServerMsg::Welcome { .. }))?;
        Ok((attacker, welcome))
    }

    /// Connects and takes a seat, as a player or as a spectator.
    pub(crate) fn enter(testbed: &Testbed, from: Ipv4Addr, room: RoomChoice, role: Role) -> Result<Attacker, Reaction> {
        let (mut attacker, _) = Attacker::greet(testbed, from, None)?;
        attacker.join(room, role)?;
        attacker.wait_for(|msg| matches!(msg, ServerMsg::Joined { .. }))?;
        Ok(attacker)
    }

    /// Sends a join, as a player or as a spectator.
    pub(crate) fn join(&mut self, room: RoomChoice, role: Role) -> Result<(), Reaction> {
        let Ok(name) = Name::new("Attacker") else { return Err(Reaction::Breached) };
        self.send(&binary(&codec::encode_client(&ClientMsg::Join { name, room, role })))
    }

    /// Connects and takes a player's seat through quick play.
    pub(crate) fn play(testbed: &Testbed, from: Ipv4Addr) -> Result<Attacker, Reaction> {
        Attacker::enter(testbed, from, RoomChoice::Quick, Role::Play)
    }

    /// Sends a leave and waits until the server closes the connection.
    pub(crate) fn leave(&mut self) -> Result<(), Reaction> {
        self.send(&binary(&codec::encode_client(&ClientMsg::Leave)))?;
        let _ = self.listen(CLOSE_WAIT);
        Ok(())
    }

    pub(crate) fn connection(&mut self) -> &mut RawConnection {
        &mut self.connection
    }

    /// Sends all of `bytes`.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> Result<(), Reaction> {
        let (mut rest, is_sent) = (Some(bytes.to_vec()), Cell::new(false));
        let reaction = self.pump_until(
            ANSWER,
            |out| out.append(&mut rest.take().unwrap_or_default()),
            |sent| {
                is_sent.set(sent == bytes.len());
                is_sent.get()
            },
        );
        match reaction {
            Reaction::Open if is_sent.get() => Ok(()),
            // The timeout: a server that does not read does not answer either.
            Reaction::Open => Err(Reaction::Unanswered),
            reaction => Err(reaction),
        }
    }

    /// Sends what `next` appends whenever the connection accepts bytes, and reads, for `length` or until the server ends the
    /// connection. `next` may append nothing and is then called again.
    pub(crate) fn pump(&mut self, length: Duration, next: impl FnMut(&mut Vec<u8>)) -> Reaction {
        self.pump_until(length, next, |_| false)
    }

    /// Reads for `length` or until the server ends the connection.
    pub(crate) fn listen(&mut self, length: Duration) -> Reaction {
        self.pump(length, |_| {})
    }

    fn pump_until(
        &mut self,
        length: Duration,
        mut next: impl FnMut(&mut Vec<u8>),
        enough: impl Fn(usize) -> bool,
    ) -> Reaction {
        let until = Instant::now() + length;
        let (mut out, mut from, mut sent) = (Vec::new(), 0, 0);
        loop {
            if let Some(reaction) = self.poll() {
                return reaction;
            }
            if Instant::now() >= until || enough(sent) {
                return Reaction::Open;
            }
            if from == out.len() {
                out.clear();
                from = 0;
                next(&mut out);
            }
            match self.connection.try_write(&out[from..]) {
                Ok(0) => std::thread::sleep(PAUSE),
                Ok(taken) => (from, sent) = (from + taken, sent + taken),
                Err(_) => return self.final_reaction(),
            }
        }
    }

    /// The connection accepts no more bytes: gives the close that the server may have sent before.
    fn final_reaction(&mut self) -> Reaction {
        let until = Instant::now() + CLOSE_WAIT;
        while Instant::now() < until {
            if let Some(reaction) = self.poll() {
                return reaction;
            }
            std::thread::sleep(PAUSE);
        }
        *self.ended.get_or_insert(Reaction::Cut)
    }

    /// Waits for a control message that `wanted` accepts.
    pub(crate) fn wait_for(&mut self, wanted: impl Fn(&ServerMsg) -> bool) -> Result<ServerMsg, Reaction> {
        let until = Instant::now() + ANSWER;
        loop {
            let ended = self.poll();
            if let Some(at) = self.messages.iter().position(&wanted) {
                return Ok(self.messages.swap_remove(at));
            }
            if let Some(reaction) = ended {
                return Err(reaction);
            }
            if Instant::now() > until {
                return Err(Reaction::Unanswered);
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Reads and decodes what has arrived; gives the reaction if the connection has ended.
    fn poll(&mut self) -> Option<Reaction> {
        // Bytes that arrived together with the response to the handshake.
        self.take();
        for _ in 0..READS {
            if self.ended.is_some() {
                break;
            }
            let before = self.kept.len();
            match read_now(&mut self.connection, &mut self.kept) {
                Ok(true) if self.kept.len() == before => break,
                Ok(true) => self.take(),
                Ok(false) | Err(_) => {
                    self.take();
                    self.ended.get_or_insert(Reaction::Cut);
                }
            }
        }
        self.ended
    }

    fn take(&mut self) {
        let mut used = 0;
        while self.ended.is_none() {
            let Ok(frame) = parse(&self.kept[used..]) else {
                self.ended = Some(Reaction::Cut);
                break;
            };
            let Some(frame) = frame else { break };
            used += frame.bytes;
            match (frame.opcode, frame.payload) {
                (Opcode::Close, [high, low, ..]) => {
                    self.ended = Some(Reaction::Closed(u16::from_be_bytes([*high, *low])));
                }
                (Opcode::Close, _) => self.ended = Some(Reaction::Cut),
                (Opcode::Binary, payload) => match FrameKind::split(payload) {
                    Ok((FrameKind::State, _)) => self.snapshots += 1,
                    Ok((FrameKind::Control, rest)) if self.messages.len() < MESSAGES_MAX => {
                        self.messages.extend(codec::decode_server(rest));
                    }
                    Ok((FrameKind::Control, _)) | Err(_) => {}
                },
                (Opcode::Ping | Opcode::Pong, _) => {}
            }
        }
        self.kept.drain(..used);
    }
}

/// Reads what has arrived, without waiting. Gives `false` at the end of the stream.
fn read_now(connection: &mut RawConnection, kept: &mut Vec<u8>) -> std::io::Result<bool> {
    let mut buffer = [0; BUFFER];
    match connection.try_read(&mut buffer)? {
        Some(0) => Ok(false),
        Some(taken) => {
            kept.extend_from_slice(&buffer[..taken]);
            Ok(true)
        }
        None => Ok(true),
    }
}

/// As [`read_now`], with a short pause if nothing has arrived.
pub(crate) fn read_some(connection: &mut RawConnection, kept: &mut Vec<u8>) -> std::io::Result<bool> {
    let before = kept.len();
    let open = read_now(connection, kept)?;
    if open && kept.len() == before {
        std::thread::sleep(PAUSE);
    }
    Ok(open)
}

/// Writes all of `bytes`; fails with the reaction if the connection accepts no more within [`ANSWER`].
pub(crate) fn write_all(connection: &mut RawConnection, mut bytes: &[u8]) -> Result<(), Reaction> {
    let until = Instant::now() + ANSWER;
    while !bytes.is_empty() {
        match connection.try_write(bytes) {
            Ok(0) if Instant::now() > until => return Err(Reaction::Open),
            Ok(0) => std::thread::sleep(PAUSE),
            Ok(taken) => bytes = &bytes[taken..],
            Err(_) => return Err(Reaction::Cut),
        }
    }
    Ok(())
}

/// The status of an HTTP response, once its status line is complete.
pub(crate) fn status_of(answer: &[u8]) -> Option<u16> {
    let connection = answer.split(|byte| *byte == b'\r').next()?;
    std::str::from_utf8(connection).ok()?.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()
}

/// A client's frame with any first byte. Its mask is zero, so its payload is readable as it is.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = frame_header(first, payload.len() as u64);
    bytes.extend_from_slice(payload);
    bytes
}

/// The header of such a frame, with any declared length.
pub(crate) fn frame_header(first: u8, len: u64) -> Vec<u8> {
    let mut bytes = vec![first];
    match len {
        0..=125 => bytes.push(0x80 | len as u8),
        126..=0xffff => {
            bytes.push(0x80 | 126);
            bytes.extend_from_slice(&(len as u16).to_be_bytes());
        }
        _ => {
            bytes.push(0x80 | 127);
            bytes.extend_from_slice(&len.to_be_bytes());
        }
    }
    bytes.extend_from_slice(&[0; 4]);
    bytes
}

/// A binary message in one frame.
pub(crate) fn binary(payload: &[u8]) -> Vec<u8> {
    frame(0x82, payload)
}

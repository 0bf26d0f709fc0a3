//! One that misbehaves: a WebSocket, or what was to become one, of which every byte can be chosen.

use std::cell::Cell;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use broadside_bots::load::handshake::Handshake;
use broadside_bots::load::wire::{Opcode, parse};
use broadside_shared::protocol::message::{ClientMsg, Resume, ServerMsg};
use broadside_shared::protocol::name::Name;
use broadside_shared::protocol::room::{Role, RoomChoice};
use broadside_shared::protocol::{FrameKind, REVISION, codec};

use crate::line::{Line, PAUSE};
use crate::scene::Scene;

/// Longest wait for an answer that should come at once.
pub(crate) const ANSWER: Duration = Duration::from_secs(10);
/// How long the word is waited for with which a connection ended that takes no more.
const LAST_WORD: Duration = Duration::from_millis(500);
/// Bytes read at once, and reads until the other things get their turn.
const BUFFER: usize = 64 * 1024;
const READS: usize = 16;

/// Control messages kept for whoever waits for one; more are forgotten.
const HEARD_MAX: usize = 4096;

/// How it went for an offender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Met {
    /// Closed with a code.
    Closed(u16),
    /// Answered over HTTP with a status.
    Status(u16),
    /// The connection ended without a word.
    Cut,
    /// Nothing happened to it.
    Open,
    /// It waited for an answer in vain.
    Unanswered,
    /// It was let into a seat that is not its own, or told what is not for it.
    Fooled,
}

impl std::fmt::Display for Met {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Met::Closed(code) => write!(f, "{code}"),
            Met::Status(status) => write!(f, "HTTP {status}"),
            Met::Cut => f.write_str("cut"),
            Met::Open => f.write_str("left open"),
            Met::Unanswered => f.write_str("NO ANSWER"),
            Met::Fooled => f.write_str("LET IN"),
        }
    }
}

/// A connection of an offender.
pub(crate) struct Offender {
    line: Line,
    /// Bytes that came and are no whole frame yet.
    kept: Vec<u8>,
    /// What the server said in control messages.
    heard: Vec<ServerMsg>,
    /// Snapshots that came.
    pub(crate) snapshots: u64,
    ended: Option<Met>,
}

impl Offender {
    /// Connects, and asks for a WebSocket with further header lines, each ended with CR LF.
    pub(crate) fn shake(scene: &Scene, from: Ipv4Addr, more: &str) -> Result<Offender, Met> {
        let mut line = Line::open(&scene.target, scene.address, from).map_err(|_| Met::Cut)?;
        let handshake = Handshake::new(&scene.target);
        let request = handshake.request.replacen("\r\n\r\n", &format!("\r\n{more}\r\n"), 1);
        write_all(&mut line, request.as_bytes())?;
        let mut kept = Vec::new();
        let until = Instant::now() + ANSWER;
        let end = loop {
            match handshake.answered(&scene.target, &kept) {
                Ok(Some(end)) => break end,
                Ok(None) => {}
                Err(_) => return Err(status_of(&kept).map_or(Met::Cut, Met::Status)),
            }
            if Instant::now() > until {
                return Err(Met::Unanswered);
            }
            if !read_some(&mut line, &mut kept).map_err(|_| Met::Cut)? {
                return Err(status_of(&kept).map_or(Met::Cut, Met::Status));
            }
        };
        kept.drain(..end);
        Ok(Offender { line, kept, heard: Vec::new(), snapshots: 0, ended: None })
    }

    /// Connects and says hello, to get an earlier seat back if `resume` says so. Gives the welcome too.
    pub(crate) fn greet(scene: &Scene, from: Ipv4Addr, resume: Option<Resume>) -> Result<(Offender, ServerMsg), Met> {
        let mut offender = Offender::shake(scene, from, "")?;
        let hello = ClientMsg::Hello { revision: REVISION, agent: "abuse".to_owned(), resume };
        offender.send(&binary(&codec::encode_client(&hello)))?;
        let welcome = offender.wait_for(|msg| matches!(msg, ServerMsg::Welcome { .. }))?;
        Ok((offender, welcome))
    }

    /// Connects and takes a seat, or a place to watch from.
    pub(crate) fn enter(scene: &Scene, from: Ipv4Addr, room: RoomChoice, role: Role) -> Result<Offender, Met> {
        let (mut offender, _) = Offender::greet(scene, from, None)?;
        offender.join(room, role)?;
        offender.wait_for(|msg| matches!(msg, ServerMsg::Joined { .. }))?;
        Ok(offender)
    }

    /// Asks for a seat, or a place to watch from.
    pub(crate) fn join(&mut self, room: RoomChoice, role: Role) -> Result<(), Met> {
        let Ok(name) = Name::new("Rascal") else { return Err(Met::Fooled) };
        self.send(&binary(&codec::encode_client(&ClientMsg::Join { name, room, role })))
    }

    /// Takes a seat as anybody does.
    pub(crate) fn play(scene: &Scene, from: Ipv4Addr) -> Result<Offender, Met> {
        Offender::enter(scene, from, RoomChoice::Quick, Role::Play)
    }

    /// Says goodbye and waits until the server ends it.
    pub(crate) fn leave(&mut self) -> Result<(), Met> {
        self.send(&binary(&codec::encode_client(&ClientMsg::Leave)))?;
        let _ = self.listen(LAST_WORD);
        Ok(())
    }

    /// The line below.
    pub(crate) fn line(&mut self) -> &mut Line {
        &mut self.line
    }

    /// Sends all of these bytes.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> Result<(), Met> {
        let (mut rest, is_sent) = (Some(bytes.to_vec()), Cell::new(false));
        let met = self.pump_until(
            ANSWER,
            |out| out.append(&mut rest.take().unwrap_or_default()),
            |sent| {
                is_sent.set(sent == bytes.len());
                is_sent.get()
            },
        );
        match met {
            Met::Open if is_sent.get() => Ok(()),
            // It took too long: whoever does not take what we say answers nothing either.
            Met::Open => Err(Met::Unanswered),
            met => Err(met),
        }
    }

    /// Sends what `next` gives whenever the line takes something, and listens, for a while or until the server ends it. `next` may
    /// give nothing, and is asked again.
    pub(crate) fn pump(&mut self, length: Duration, next: impl FnMut(&mut Vec<u8>)) -> Met {
        self.pump_until(length, next, |_| false)
    }

    /// Only listens.
    pub(crate) fn listen(&mut self, length: Duration) -> Met {
        self.pump(length, |_| {})
    }

    fn pump_until(
        &mut self,
        length: Duration,
        mut next: impl FnMut(&mut Vec<u8>),
        enough: impl Fn(usize) -> bool,
    ) -> Met {
        let until = Instant::now() + length;
        let (mut out, mut from, mut sent) = (Vec::new(), 0, 0);
        loop {
            if let Some(met) = self.look() {
                return met;
            }
            if Instant::now() >= until || enough(sent) {
                return Met::Open;
            }
            if from == out.len() {
                out.clear();
                from = 0;
                next(&mut out);
            }
            match self.line.try_write(&out[from..]) {
                Ok(0) => std::thread::sleep(PAUSE),
                Ok(taken) => (from, sent) = (from + taken, sent + taken),
                Err(_) => return self.last_word(),
            }
        }
    }

    /// The line takes no more: perhaps the server has said why.
    fn last_word(&mut self) -> Met {
        let until = Instant::now() + LAST_WORD;
        while Instant::now() < until {
            if let Some(met) = self.look() {
                return met;
            }
            std::thread::sleep(PAUSE);
        }
        *self.ended.get_or_insert(Met::Cut)
    }

    /// Waits for a control message.
    pub(crate) fn wait_for(&mut self, wanted: impl Fn(&ServerMsg) -> bool) -> Result<ServerMsg, Met> {
        let until = Instant::now() + ANSWER;
        loop {
            let ended = self.look();
            if let Some(at) = self.heard.iter().position(&wanted) {
                return Ok(self.heard.swap_remove(at));
            }
            if let Some(met) = ended {
                return Err(met);
            }
            if Instant::now() > until {
                return Err(Met::Unanswered);
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Takes what came; tells if that was the end.
    fn look(&mut self) -> Option<Met> {
        // What came along with the answer to the handshake.
        self.take();
        for _ in 0..READS {
            if self.ended.is_some() {
                break;
            }
            let before = self.kept.len();
            match read_now(&mut self.line, &mut self.kept) {
                Ok(true) if self.kept.len() == before => break,
                Ok(true) => self.take(),
                Ok(false) | Err(_) => {
                    self.take();
                    self.ended.get_or_insert(Met::Cut);
                }
            }
        }
        self.ended
    }

    fn take(&mut self) {
        let mut used = 0;
        while self.ended.is_none() {
            let Ok(frame) = parse(&self.kept[used..]) else {
                self.ended = Some(Met::Cut);
                break;
            };
            let Some(frame) = frame else { break };
            used += frame.bytes;
            match (frame.opcode, frame.payload) {
                (Opcode::Close, [high, low, ..]) => self.ended = Some(Met::Closed(u16::from_be_bytes([*high, *low]))),
                (Opcode::Close, _) => self.ended = Some(Met::Cut),
                (Opcode::Binary, payload) => match FrameKind::split(payload) {
                    Ok((FrameKind::State, _)) => self.snapshots += 1,
                    Ok((FrameKind::Control, rest)) if self.heard.len() < HEARD_MAX => {
                        self.heard.extend(codec::decode_server(rest));
                    }
                    Ok((FrameKind::Control, _)) | Err(_) => {}
                },
                (Opcode::Ping | Opcode::Pong, _) => {}
            }
        }
        self.kept.drain(..used);
    }
}

/// Reads what is there now. Gives `false` at the end.
fn read_now(line: &mut Line, kept: &mut Vec<u8>) -> std::io::Result<bool> {
    let mut buffer = [0; BUFFER];
    match line.try_read(&mut buffer)? {
        Some(0) => Ok(false),
        Some(taken) => {
            kept.extend_from_slice(&buffer[..taken]);
            Ok(true)
        }
        None => Ok(true),
    }
}

/// The same, with a pause where there is nothing.
pub(crate) fn read_some(line: &mut Line, kept: &mut Vec<u8>) -> std::io::Result<bool> {
    let before = kept.len();
    let open = read_now(line, kept)?;
    if open && kept.len() == before {
        std::thread::sleep(PAUSE);
    }
    Ok(open)
}

/// Writes all of it, or tells that the line takes no more.
pub(crate) fn write_all(line: &mut Line, mut bytes: &[u8]) -> Result<(), Met> {
    let until = Instant::now() + ANSWER;
    while !bytes.is_empty() {
        match line.try_write(bytes) {
            Ok(0) if Instant::now() > until => return Err(Met::Open),
            Ok(0) => std::thread::sleep(PAUSE),
            Ok(taken) => bytes = &bytes[taken..],
            Err(_) => return Err(Met::Cut),
        }
    }
    Ok(())
}

/// The status of an HTTP answer.
pub(crate) fn status_of(answer: &[u8]) -> Option<u16> {
    let line = answer.split(|byte| *byte == b'\r').next()?;
    std::str::from_utf8(line).ok()?.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()
}

/// A frame as a client sends it, with any first byte; its mask is zero, so that its payload is as it was.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = head(first, payload.len() as u64);
    bytes.extend_from_slice(payload);
    bytes
}

/// The head of such a frame with any declared length.
pub(crate) fn head(first: u8, len: u64) -> Vec<u8> {
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

/// A whole binary message.
pub(crate) fn binary(payload: &[u8]) -> Vec<u8> {
    frame(0x82, payload)
}

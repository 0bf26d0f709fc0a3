//! PURE. One connection as a state machine: hello, join, inputs, pings, limits, close. No socket, no clock, no task.
//!
//! Same shape as every core: `handle_*` takes what happened and when, [`ConnectionProtocol::poll_output`] gives what to do next,
//! [`ConnectionProtocol::poll_timeout`] says when to call [`ConnectionProtocol::handle_timeout`]. Any bytes in any state end in an output or a close
//! code.

use std::collections::VecDeque;

use broadside_shared::game::Game;
use broadside_shared::protocol::close::CloseCode;
use broadside_shared::protocol::codec;
use broadside_shared::protocol::input::InputPacket;
use broadside_shared::protocol::limits;
use broadside_shared::protocol::message::{ClientMsg, Outcome, Refusal, Request, Resume, ServerMsg};
use broadside_shared::protocol::name::Name;
use broadside_shared::protocol::room::{Role, RoomChoice};
use broadside_shared::protocol::token::Token;
use broadside_shared::protocol::{FrameKind, REVISION};
use broadside_shared::time::MonoTime;

use crate::bucket::Bucket;

/// Longest standstill of the server for which clients may send more at once than usual, in microseconds.
const FORGIVEN_US_MAX: u64 = 60_000_000;

/// What the driver is to do.
#[derive(Debug, Clone, PartialEq)]
pub enum ProtocolOutput<I> {
    /// Send this frame.
    Send(Vec<u8>),
    /// Send a WebSocket ping.
    Ping,
    /// The client said hello, and perhaps wants an earlier seat back: answer with [`ConnectionProtocol::handle_welcome`].
    Hello(Option<Resume>),
    /// Ask the room for a seat; answer with [`ConnectionProtocol::handle_seated`] or [`ConnectionProtocol::handle_close`].
    Join(Name, RoomChoice, Role),
    /// Give these inputs to the room.
    Input(InputPacket<I>),
    /// Do this, and answer with [`ConnectionProtocol::handle_outcome`].
    Request(u32, Request),
    /// Close the socket with this code. Nothing follows.
    Close(CloseCode),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Connected; no hello yet.
    Opened,
    /// Said hello; not welcomed yet.
    Greeting,
    /// Welcomed; in no room.
    Greeted,
    /// Asked the room for a seat.
    Joining,
    /// In a room.
    Seated,
    /// Told to close.
    Closed,
}

/// One connection.
pub struct ConnectionProtocol<G: Game> {
    state: State,
    opened_at: MonoTime,
    heard_at: MonoTime,
    pinged_at: MonoTime,
    frames: Bucket,
    bytes: Bucket,
    requests: Bucket,
    said: Bucket,
    agent: String,
    tick_us: u32,
    /// What came right behind a hello that is not answered yet, and when.
    deferred: Vec<(MonoTime, ClientMsg)>,
    outputs: VecDeque<ProtocolOutput<G::Input>>,
}

impl<G: Game> ConnectionProtocol<G> {
    /// A connection that was opened at `now`.
    #[must_use]
    pub fn new(now: MonoTime) -> Self {
        ConnectionProtocol {
            state: State::Opened,
            opened_at: now,
            heard_at: now,
            pinged_at: now,
            frames: Bucket::new(limits::FRAMES_BURST, 1_000_000 / u64::from(limits::FRAMES_PER_S), now),
            bytes: Bucket::new(limits::BYTES_BURST, 1_000_000 / u64::from(limits::BYTES_PER_S), now),
            requests: Bucket::new(limits::REQUESTS_BURST, u64::from(limits::REQUEST_EVERY_MS) * 1000, now),
            said: Bucket::new(limits::CHAT_BURST, u64::from(limits::CHAT_EVERY_MS) * 1000, now),
            agent: String::new(),
            tick_us: 0,
            deferred: Vec::new(),
            outputs: VecDeque::new(),
        }
    }

    /// A binary message came.
    pub fn handle_frame(&mut self, now: MonoTime, frame: &[u8]) {
        if self.state == State::Closed {
            return;
        }
        self.heard_at = now;
        if self.frames.take(now).is_err() {
            return self.handle_close(CloseCode::TooManyFrames);
        }
        let wrong = match FrameKind::split(frame) {
            // The rest of a hello of another revision may be anything.
            Ok((FrameKind::Control, rest)) if self.state == State::Opened && is_foreign(rest) => {
                return self.handle_close(CloseCode::WrongRevision);
            }
            Ok((FrameKind::Control, rest)) => match codec::decode_client(rest) {
                Ok(msg) => return self.handle_control(now, msg),
                Err(wrong) => wrong,
            },
            Ok((FrameKind::State, rest)) => match InputPacket::decode(rest) {
                Ok(packet) => return self.handle_input(packet),
                Err(wrong) => wrong,
            },
            Err(wrong) => wrong,
        };
        tracing::debug!(%wrong, bytes = frame.len(), "malformed frame");
        self.handle_close(CloseCode::Malformed);
    }

    /// Another frame came, which shows that the peer is alive: a pong, a ping, a fragment of a message.
    pub fn handle_alive(&mut self, now: MonoTime) {
        self.heard_at = now;
        if self.state != State::Closed && self.frames.take(now).is_err() {
            self.handle_close(CloseCode::TooManyFrames);
        }
    }

    /// So many bytes came from the socket, whatever they were.
    pub fn handle_bytes(&mut self, now: MonoTime, count: usize) {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        if self.state != State::Closed && self.bytes.take_many(count, now).is_err() {
            self.handle_close(CloseCode::TooManyFrames);
        }
    }

    /// The server stood still for so many microseconds: it heard nobody, so nobody was silent, and what was sent meanwhile comes at once.
    pub fn handle_pause(&mut self, us: u64) {
        for since in [&mut self.opened_at, &mut self.heard_at, &mut self.pinged_at] {
            *since = since.plus_us(us);
        }
        for bucket in [&mut self.frames, &mut self.bytes, &mut self.requests, &mut self.said] {
            bucket.forgive(us.min(FORGIVEN_US_MAX));
        }
    }

    /// The answer to [`ProtocolOutput::Hello`]: the session's token, and the seat, if an earlier one was given back.
    pub fn handle_welcome(&mut self, token: Token, seat: Option<&ServerMsg>) {
        if self.state != State::Greeting {
            return;
        }
        let server = concat!("broadside ", env!("CARGO_PKG_VERSION")).to_owned();
        self.send(&ServerMsg::Welcome { revision: REVISION, server, token, resumed: seat.is_some() });
        self.state = State::Greeted;
        if let Some(joined) = seat {
            self.state = State::Seated;
            self.send(joined);
        }
        for (came, msg) in std::mem::take(&mut self.deferred) {
            self.handle_control(came, msg);
        }
    }

    /// How a request ended.
    pub fn handle_outcome(&mut self, id: u32, outcome: Outcome) {
        self.send(&ServerMsg::Reply { id, outcome });
    }

    /// The seat, or the place in line, was given up without the end of the connection.
    pub fn handle_exit(&mut self) {
        if matches!(self.state, State::Joining | State::Seated) {
            self.state = State::Greeted;
        }
    }

    /// The room gave the seat that [`ProtocolOutput::Join`] asked for.
    pub fn handle_seated(&mut self, joined: &ServerMsg) {
        if self.state == State::Joining {
            self.state = State::Seated;
            self.send(joined);
        }
    }

    /// The room keeps us in line for the seat: this is the place, 1 being the next.
    pub fn handle_queued(&mut self, position: u32) {
        if self.state == State::Joining {
            self.send(&ServerMsg::Queued { position });
        }
    }

    /// How long the room's newest tick took, in microseconds, for the answers to pings.
    pub fn note_tick_us(&mut self, tick_us: u32) {
        self.tick_us = tick_us;
    }

    /// The connection is to end, for a reason from outside: the room is full, the server ends, text came.
    pub fn handle_close(&mut self, code: CloseCode) {
        if self.state != State::Closed {
            self.state = State::Closed;
            self.outputs.push_back(ProtocolOutput::Close(code));
        }
    }

    /// The time [`ConnectionProtocol::poll_timeout`] gave has come.
    pub fn handle_timeout(&mut self, now: MonoTime) {
        match self.state {
            State::Closed => return,
            State::Opened if now.us_since(self.opened_at) >= limits::GREETING_US => {
                return self.handle_close(CloseCode::GreetingTimeout);
            }
            State::Opened | State::Greeting | State::Greeted | State::Joining | State::Seated => {}
        }
        if now.us_since(self.heard_at) >= limits::SILENCE_US {
            return self.handle_close(CloseCode::Silent);
        }
        let quiet_since = self.heard_at.max(self.pinged_at);
        if now.us_since(quiet_since) >= limits::PING_EVERY_US {
            self.pinged_at = now;
            self.outputs.push_back(ProtocolOutput::Ping);
        }
    }

    /// What to do next; call until `None` after every `handle_*`.
    pub fn poll_output(&mut self) -> Option<ProtocolOutput<G::Input>> {
        self.outputs.pop_front()
    }

    /// When to call [`ConnectionProtocol::handle_timeout`]; `None` once closed.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<MonoTime> {
        let dead_at = self.heard_at.plus_us(limits::SILENCE_US);
        let ping_at = self.heard_at.max(self.pinged_at).plus_us(limits::PING_EVERY_US);
        let next = dead_at.min(ping_at);
        match self.state {
            State::Closed => None,
            State::Opened => Some(next.min(self.opened_at.plus_us(limits::GREETING_US))),
            State::Greeting | State::Greeted | State::Joining | State::Seated => Some(next),
        }
    }

    /// The client's program, once it has said hello; for logs only.
    #[must_use]
    pub fn agent(&self) -> &str {
        &self.agent
    }

    fn handle_control(&mut self, now: MonoTime, msg: ClientMsg) {
        match (self.state, msg) {
            // Of our revision: another one was told from its first bytes.
            (State::Opened, ClientMsg::Hello { revision: _, agent, resume }) => {
                self.state = State::Greeting;
                self.agent = agent;
                self.outputs.push_back(ProtocolOutput::Hello(resume));
            }
            (State::Greeted | State::Joining | State::Seated, ClientMsg::Join { name, room, role }) => {
                if self.requests.take(now).is_err() {
                    return self.handle_close(CloseCode::TooManyFrames);
                }
                self.state = State::Joining;
                self.outputs.push_back(ProtocolOutput::Join(name, room, role));
            }
            (State::Greeting | State::Greeted | State::Joining | State::Seated, ClientMsg::Ping { client_time }) => {
                self.send(&ServerMsg::Pong { client_time, server_time: now, tick_us: self.tick_us });
            }
            (State::Greeted | State::Joining | State::Seated, ClientMsg::Request { id, request }) => {
                self.handle_request(now, id, request);
            }
            (State::Greeting, msg @ (ClientMsg::Join { .. } | ClientMsg::Request { .. })) => {
                if self.deferred.len() == limits::DEFERRED_MAX {
                    return self.handle_close(CloseCode::TooManyFrames);
                }
                self.deferred.push((now, msg));
            }
            (_, ClientMsg::Leave) => self.handle_close(CloseCode::Normal),
            (
                _,
                ClientMsg::Hello { .. } | ClientMsg::Join { .. } | ClientMsg::Ping { .. } | ClientMsg::Request { .. },
            ) => {
                self.handle_close(CloseCode::Malformed);
            }
        }
    }

    fn handle_request(&mut self, now: MonoTime, id: u32, request: Request) {
        let speaks = matches!(request, Request::Say { .. } | Request::DirectMessage { .. } | Request::Report { .. });
        let bucket = if speaks { &mut self.said } else { &mut self.requests };
        match bucket.take(now) {
            Ok(()) => self.outputs.push_back(ProtocolOutput::Request(id, request)),
            Err(us) => {
                let wait_ms = us.div_ceil(1000) as u32;
                self.handle_outcome(id, Outcome::Refused(Refusal::TooFast { wait_ms }));
            }
        }
    }

    fn handle_input(&mut self, packet: InputPacket<G::Input>) {
        match self.state {
            State::Seated => self.outputs.push_back(ProtocolOutput::Input(packet)),
            // Sent before the client heard that it has no seat, or no more.
            State::Greeting | State::Greeted | State::Joining => {}
            State::Opened | State::Closed => self.handle_close(CloseCode::Malformed),
        }
    }

    fn send(&mut self, msg: &ServerMsg) {
        self.outputs.push_back(ProtocolOutput::Send(codec::encode_server(msg)));
    }
}

/// Whether this is a hello of another revision.
fn is_foreign(control: &[u8]) -> bool {
    let revision = codec::hello_revision(control).filter(|revision| *revision != REVISION);
    if let Some(revision) = revision {
        tracing::debug!(revision, ours = REVISION, "wrong revision");
    }
    revision.is_some()
}

#[cfg(test)]
mod tests;

//! The protocol of one connection as a state machine: hello, join, inputs, pings, limits, close. No socket, no clock, no task.
//!
//! Same shape as every core: `handle_*` takes an event and its time, [`ConnectionProtocol::poll_output`] returns the next action, and
//! [`ConnectionProtocol::poll_timeout`] the time to call [`ConnectionProtocol::handle_timeout`]. Any bytes in any state end in an output or
//! a close code.

use std::collections::VecDeque;

use broadside_shared::game::Game;
use broadside_shared::ids::AccountId;
use broadside_shared::protocol::close::CloseCode;
use broadside_shared::protocol::codec;
use broadside_shared::protocol::input::InputPacket;
use broadside_shared::protocol::limits;
use broadside_shared::protocol::message::{ClientMsg, Outcome, Refusal, Request, Resume, ServerMsg};
use broadside_shared::protocol::name::Name;
use broadside_shared::protocol::room::{Role, RoomChoice};
use broadside_shared::protocol::token::{AccountToken, Token};
use broadside_shared::protocol::{FrameKind, REVISION};
use broadside_shared::time::MonoTime;

use crate::bucket::Bucket;
use crate::messages::EncodedMessage;

/// The part of a pause of the server for which clients are forgiven what they sent meanwhile, in microseconds.
const FORGIVEN_US_MAX: u64 = 60_000_000;

/// An action for the connection.
#[derive(Debug, Clone, PartialEq)]
pub enum ProtocolOutput<I> {
    /// Send this frame.
    Send(Vec<u8>),
    /// Send a WebSocket ping.
    Ping,
    /// The client sent its hello, with a resume if it had a seat before, and the account it plays for: answer with
    /// [`ConnectionProtocol::handle_welcome`].
    Hello(Option<Resume>, Option<AccountToken>),
    /// Request a seat; answer with [`ConnectionProtocol::handle_seated`] or [`ConnectionProtocol::handle_close`].
    Join(Name, RoomChoice, Role),
    /// Send these inputs to the room.
    Input(InputPacket<I>),
    /// Handle this request, and reply to it under its id.
    Request(u32, Request),
    /// Close the socket with this code. Nothing follows.
    Close(CloseCode),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Connected; no hello yet.
    Opened,
    /// The hello arrived; no welcome yet.
    Greeting,
    /// Welcomed; in no room.
    Greeted,
    /// A seat was requested.
    Joining,
    /// In a room.
    Seated,
    /// The close was output.
    Closed,
}

pub struct ConnectionProtocol<G: Game> {
    state: State,
    opened_at: MonoTime,
    received_at: MonoTime,
    pinged_at: MonoTime,
    frames: Bucket,
    bytes: Bucket,
    requests: Bucket,
    said: Bucket,
    agent: String,
    tick_us: u32,
    /// Messages that followed a hello before the welcome, and when each arrived.
    deferred: Vec<(MonoTime, ClientMsg)>,
    outputs: VecDeque<ProtocolOutput<G::Input>>,
}

impl<G: Game> ConnectionProtocol<G> {
    /// A connection opened at `now`.
    #[must_use]
    pub fn new(now: MonoTime) -> Self {
        ConnectionProtocol {
            state: State::Opened,
            opened_at: now,
            received_at: now,
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

    /// A connection whose hello another server has answered: it is to be welcomed again.
    #[must_use]
    pub fn greeting(now: MonoTime) -> Self {
        ConnectionProtocol { state: State::Greeting, ..ConnectionProtocol::new(now) }
    }

    /// A binary message arrived.
    pub fn handle_frame(&mut self, now: MonoTime, frame: &[u8]) {
        if self.state == State::Closed {
            return;
        }
        self.received_at = now;
        if self.frames.take(now).is_err() {
            return self.handle_close(CloseCode::TooManyFrames);
        }
        let wrong = match FrameKind::split(frame) {
            // The rest of a hello of another revision may have any format.
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

    /// Another WebSocket frame arrived, which shows that the peer is alive: a pong, a ping, a fragment of a message.
    pub fn handle_alive(&mut self, now: MonoTime) {
        self.received_at = now;
        if self.state != State::Closed && self.frames.take(now).is_err() {
            self.handle_close(CloseCode::TooManyFrames);
        }
    }

    /// The socket delivered `count` bytes of any kind.
    pub fn handle_bytes(&mut self, now: MonoTime, count: usize) {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        if self.state != State::Closed && self.bytes.take_many(count, now).is_err() {
            self.handle_close(CloseCode::TooManyFrames);
        }
    }

    /// The server stood still for `us` microseconds: the pause counts towards no timeout, and what the client sent meanwhile arrives at
    /// once.
    pub fn handle_pause(&mut self, us: u64) {
        for since in [&mut self.opened_at, &mut self.received_at, &mut self.pinged_at] {
            *since = since.plus_us(us);
        }
        for bucket in [&mut self.frames, &mut self.bytes, &mut self.requests, &mut self.said] {
            bucket.forgive(us.min(FORGIVEN_US_MAX));
        }
    }

    /// The answer to [`ProtocolOutput::Hello`]: the session's token and account, and the seat if one was resumed.
    pub fn handle_welcome(&mut self, token: Token, account: Option<AccountId>, seat: Option<&ServerMsg>) {
        if self.state != State::Greeting {
            return;
        }
        let server = concat!("broadside ", env!("CARGO_PKG_VERSION")).to_owned();
        self.send(&ServerMsg::Welcome { revision: REVISION, server, token, resumed: seat.is_some(), account });
        self.state = State::Greeted;
        if let Some(joined) = seat {
            self.state = State::Seated;
            self.send(joined);
        }
        for (arrived, msg) in std::mem::take(&mut self.deferred) {
            self.handle_control(arrived, msg);
        }
    }

    /// Replies to a request.
    pub fn handle_outcome(&mut self, id: u32, outcome: Outcome) {
        self.send(&ServerMsg::Reply { id, outcome });
    }

    /// Sends a message that was encoded for several clients.
    pub fn handle_message(&mut self, message: &EncodedMessage) {
        if self.state != State::Closed {
            self.outputs.push_back(ProtocolOutput::Send(message.frame()));
        }
    }

    /// What the client wants is on another server.
    pub fn handle_redirect(&mut self, url: String, join: Option<RoomChoice>) {
        if self.state != State::Closed {
            self.send(&ServerMsg::Redirect { url, join });
            self.handle_close(CloseCode::Restarting);
        }
    }

    /// The seat, or the position in the join queue, was given up; the connection stays open.
    pub fn handle_exit(&mut self) {
        if matches!(self.state, State::Joining | State::Seated) {
            self.state = State::Greeted;
        }
    }

    /// The room gave the seat that [`ProtocolOutput::Join`] requested.
    pub fn handle_seated(&mut self, joined: &ServerMsg) {
        if self.state == State::Joining {
            self.state = State::Seated;
            self.send(joined);
        }
    }

    /// The request waits in the join queue at this position, 1 being the next.
    pub fn handle_queued(&mut self, position: u32) {
        if self.state == State::Joining {
            self.send(&ServerMsg::Queued { position });
        }
    }

    /// Sets the duration of the room's newest tick, in microseconds, for the answers to pings.
    pub fn set_tick_us(&mut self, tick_us: u32) {
        self.tick_us = tick_us;
    }

    /// Closes the connection for a reason from outside: the room is full, the server shuts down, a text message arrived.
    pub fn handle_close(&mut self, code: CloseCode) {
        if self.state != State::Closed {
            self.state = State::Closed;
            self.outputs.push_back(ProtocolOutput::Close(code));
        }
    }

    /// The time of [`ConnectionProtocol::poll_timeout`] has come.
    pub fn handle_timeout(&mut self, now: MonoTime) {
        match self.state {
            State::Closed => return,
            State::Opened if now.us_since(self.opened_at) >= limits::GREETING_US => {
                return self.handle_close(CloseCode::GreetingTimeout);
            }
            State::Opened | State::Greeting | State::Greeted | State::Joining | State::Seated => {}
        }
        if now.us_since(self.received_at) >= limits::SILENCE_US {
            return self.handle_close(CloseCode::Silent);
        }
        let quiet_since = self.received_at.max(self.pinged_at);
        if now.us_since(quiet_since) >= limits::PING_EVERY_US {
            self.pinged_at = now;
            self.outputs.push_back(ProtocolOutput::Ping);
        }
    }

    /// The next action; call until `None` after every `handle_*`.
    pub fn poll_output(&mut self) -> Option<ProtocolOutput<G::Input>> {
        self.outputs.pop_front()
    }

    /// When to call [`ConnectionProtocol::handle_timeout`]; `None` once closed.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<MonoTime> {
        let dead_at = self.received_at.plus_us(limits::SILENCE_US);
        let ping_at = self.received_at.max(self.pinged_at).plus_us(limits::PING_EVERY_US);
        let next = dead_at.min(ping_at);
        match self.state {
            State::Closed => None,
            State::Opened => Some(next.min(self.opened_at.plus_us(limits::GREETING_US))),
            State::Greeting | State::Greeted | State::Joining | State::Seated => Some(next),
        }
    }

    /// The client's program as named in its hello, empty before; for logs only.
    #[must_use]
    pub fn agent(&self) -> &str {
        &self.agent
    }

    fn handle_control(&mut self, now: MonoTime, msg: ClientMsg) {
        match (self.state, msg) {
            // Of our revision: `handle_frame` has refused any other by its first bytes.
            (State::Opened, ClientMsg::Hello { revision: _, agent, resume, account }) => {
                self.state = State::Greeting;
                self.agent = agent;
                self.outputs.push_back(ProtocolOutput::Hello(resume, account));
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
            // Sent before the client was notified that it has no seat, or no longer one.
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

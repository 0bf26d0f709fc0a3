//! One connection of a simulated player as plain data, run by its thread's loop.

use std::net::SocketAddr;

use broadside_shared::link::LinkProfile;
use broadside_shared::protocol::codec;
use broadside_shared::protocol::limits::SILENCE_US;
use broadside_shared::protocol::message::ClientMsg;
use broadside_shared::time::MonoTime;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use super::channel::Channel;
use super::frames::{Opcode, feed};
use super::handshake::Handshake;
use super::simulated_client::{SimulatedClient, TICK_US, WorkerContext};
use super::statistics::PlayerCounters;
use crate::socket::{PlayError, Target};

/// Time a player has to get a seat, from its connection's begin or the last word of its place in line, in microseconds.
const JOIN_US: u64 = 15_000_000;
/// Time a server has to close the connection of who leaves, in microseconds.
const LEAVING_US: u64 = 2_000_000;

/// How far a connection has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionState {
    /// The socket connects.
    Connecting,
    /// The handshake is under way.
    Handshaking,
    /// Asked for a seat.
    Joining,
    /// Has a seat and gets snapshots.
    Playing,
    /// Said that it leaves.
    Leaving,
}

/// One connection of a simulated player.
pub struct PlayerConnection {
    state: ConnectionState,
    channel: Channel,
    handshake: Handshake,
    simulated_client: SimulatedClient,
    /// Bytes of a frame, or of the handshake's answer, that is not there whole.
    partial: Vec<u8>,
    /// When it gives up waiting for what comes next; without meaning while it plays.
    deadline: MonoTime,
    /// When the server was last heard, whatever it said.
    heard_at: MonoTime,
    act_at: MonoTime,
    /// How far into a tick it acts, in microseconds, so that players do not act all at once.
    offset_us: u64,
    queue_position: Option<u32>,
}

impl PlayerConnection {
    /// Begins to connect.
    ///
    /// # Errors
    /// [`PlayError::Unreachable`] when the system has no socket to give, [`PlayError::Handshake`] when TLS cannot begin.
    pub fn connect(
        simulated_client: SimulatedClient,
        (profile, seed): (LinkProfile, u64),
        target: &Target,
        address: SocketAddr,
        (registry, token): (&Registry, Token),
        now: MonoTime,
    ) -> Result<PlayerConnection, PlayError> {
        let unreachable =
            |error: std::io::Error| PlayError::Unreachable { target: target.to_string(), cause: error.to_string() };
        let mut stream = TcpStream::connect(address).map_err(unreachable)?;
        registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE).map_err(unreachable)?;
        Ok(PlayerConnection {
            state: ConnectionState::Connecting,
            channel: Channel::new(stream, target, &profile, seed)?,
            handshake: Handshake::new(target),
            simulated_client,
            partial: Vec::new(),
            deadline: now.plus_us(JOIN_US),
            heard_at: now,
            act_at: now,
            offset_us: (token.0 as u64).wrapping_mul(10_301) % TICK_US,
            queue_position: None,
        })
    }

    /// How far it has come.
    #[must_use]
    pub fn state(&self) -> ConnectionState {
        self.state
    }

    /// Whether the server told it a place in line for a seat.
    #[must_use]
    pub fn queued(&self) -> bool {
        self.state == ConnectionState::Joining && self.queue_position.is_some()
    }

    /// When it next wants to be looked at.
    #[must_use]
    pub fn next_at(&self) -> MonoTime {
        let own = match self.state {
            ConnectionState::Connecting | ConnectionState::Handshaking | ConnectionState::Leaving => self.deadline,
            ConnectionState::Joining => self.act_at.min(self.deadline).min(self.silent_at()),
            ConnectionState::Playing => self.act_at.min(self.silent_at()),
        };
        self.channel.next_at().map_or(own, |line| line.min(own))
    }

    /// When the server counts as gone if nothing more is heard.
    fn silent_at(&self) -> MonoTime {
        self.heard_at.plus_us(SILENCE_US)
    }

    /// The player apart from its connection.
    #[must_use]
    pub fn simulated_client(&self) -> &SimulatedClient {
        &self.simulated_client
    }

    /// The player apart from its connection, which is lost.
    #[must_use]
    pub fn into_simulated_client(self) -> SimulatedClient {
        self.simulated_client
    }

    /// Its socket is ready for something.
    ///
    /// # Errors
    /// Why the connection ended.
    pub fn ready(
        &mut self,
        target: &Target,
        (readable, writable): (bool, bool),
        buffer: &mut [u8],
        context: &mut WorkerContext,
    ) -> Result<(), PlayError> {
        if readable {
            self.channel.link().set_readable();
        }
        if self.state == ConnectionState::Connecting {
            if !writable || !self.connected(target)? {
                return Ok(());
            }
            self.state = ConnectionState::Handshaking;
            self.channel.send(context.now, self.handshake.request.as_bytes())?;
        } else if writable {
            self.channel.flush(context.now)?;
        }
        self.receive(target, buffer, context)
    }

    /// Does what is due.
    ///
    /// # Errors
    /// Why the connection ended.
    pub fn wake(&mut self, target: &Target, buffer: &mut [u8], context: &mut WorkerContext) -> Result<(), PlayError> {
        let now = context.now;
        if self.state != ConnectionState::Connecting && self.channel.next_at().is_some_and(|at| at <= now) {
            self.channel.flush(now)?;
            self.receive(target, buffer, context)?;
        }
        if matches!(self.state, ConnectionState::Joining | ConnectionState::Playing) && now >= self.silent_at() {
            // Read before it is judged: it may have been us who stood still.
            self.channel.link().set_readable();
            self.receive(target, buffer, context)?;
            if now >= self.silent_at() {
                return Err(PlayError::Silent);
            }
        }
        let too_late = |what: &str| PlayError::Gone(format!("{what} within {} s", JOIN_US / 1_000_000));
        match self.state {
            ConnectionState::Connecting if now >= self.deadline => {
                let cause = format!("no connection within {} s", JOIN_US / 1_000_000);
                Err(PlayError::Unreachable { target: target.to_string(), cause })
            }
            ConnectionState::Handshaking if now >= self.deadline => Err(too_late("no answer to the handshake")),
            ConnectionState::Joining if now >= self.deadline => Err(too_late("no seat")),
            ConnectionState::Leaving if now >= self.deadline => {
                Err(PlayError::Gone("not closed after leaving".to_owned()))
            }
            ConnectionState::Joining | ConnectionState::Playing if now >= self.act_at => self.act(context),
            ConnectionState::Connecting
            | ConnectionState::Handshaking
            | ConnectionState::Joining
            | ConnectionState::Playing
            | ConnectionState::Leaving => Ok(()),
        }
    }

    /// Says that it leaves; the server then closes the connection.
    ///
    /// # Errors
    /// Why the connection ended before.
    pub fn leave(&mut self, context: &mut WorkerContext) -> Result<(), PlayError> {
        self.state = ConnectionState::Leaving;
        self.deadline = context.now.plus_us(LEAVING_US);
        context.send(Opcode::Binary, &codec::encode_client(&ClientMsg::Leave));
        self.send(context)
    }

    /// What it counted until now; what comes from now on is counted anew. Nothing while it leaves.
    pub fn take_counters(&mut self, context: &mut WorkerContext) -> PlayerCounters {
        if self.state == ConnectionState::Leaving {
            PlayerCounters::default()
        } else {
            self.simulated_client.take_counters(context)
        }
    }

    fn act(&mut self, context: &mut WorkerContext) -> Result<(), PlayError> {
        if self.state == ConnectionState::Playing {
            context.window.lateness.saturating_record(context.now.us_since(self.act_at));
        }
        self.act_at = self.simulated_client.act(self.offset_us, context)?;
        self.send(context)
    }

    /// Whether the socket is connected: told writable before that, another word follows.
    fn connected(&mut self, target: &Target) -> Result<bool, PlayError> {
        let stream = self.channel.link().stream();
        if let Some(error) = stream.take_error().ok().flatten() {
            return Err(PlayError::Unreachable { target: target.to_string(), cause: error.to_string() });
        }
        Ok(stream.peer_addr().is_ok())
    }

    fn receive(&mut self, target: &Target, buffer: &mut [u8], context: &mut WorkerContext) -> Result<(), PlayError> {
        let PlayerConnection { state, channel, handshake, simulated_client, partial, heard_at, .. } = self;
        let open = channel.receive(context.now, buffer, |bytes| {
            *heard_at = context.now;
            if *state != ConnectionState::Handshaking {
                return feed(partial, bytes, |frame| simulated_client.take(frame, context));
            }
            partial.extend_from_slice(bytes);
            let Some(answer) = handshake.answered(target, partial)? else { return Ok(()) };
            *state = ConnectionState::Joining;
            simulated_client.open(context);
            let rest = partial.split_off(answer);
            partial.clear();
            feed(partial, &rest, |frame| simulated_client.take(frame, context))
        })?;
        if self.state == ConnectionState::Joining {
            self.joining(context);
        }
        self.send(context)?;
        if open { Ok(()) } else { Err(PlayError::Gone("connection ended".to_owned())) }
    }

    fn joining(&mut self, context: &mut WorkerContext) {
        if self.simulated_client.playing() {
            self.state = ConnectionState::Playing;
            self.act_at = context.now;
        }
        let place = self.simulated_client.client().queue_position();
        if place.is_some() {
            self.deadline = context.now.plus_us(JOIN_US);
        }
        self.queue_position = place;
    }

    fn send(&mut self, context: &mut WorkerContext) -> Result<(), PlayError> {
        let moved = self.channel.take_socket_bytes();
        context.window.socket_down += moved.down;
        context.window.socket_up += moved.up;
        let result = if context.out.is_empty() { Ok(()) } else { self.channel.send(context.now, context.out) };
        context.out.clear();
        result
    }
}

//! One connection of a simulated player as plain data, driven by its worker.

use broadside_shared::client::nodes::Arrival;
use broadside_shared::game::Game;
use broadside_shared::link::LinkProfile;
use broadside_shared::protocol::codec;
use broadside_shared::protocol::limits::SILENCE_US;
use broadside_shared::protocol::message::ClientMsg;
use broadside_shared::time::MonoTime;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use super::channel::Channel;
use super::endpoint::{Endpoint, Route};
use super::frames::{Opcode, feed};
use super::handshake::Handshake;
use super::simulated_client::{SimulatedClient, WorkerContext, tick_us};
use super::statistics::PlayerCounters;
use crate::socket::{PlayError, Target};

/// Timeout of a join, from the start of the connection or the last update of the queue position, in microseconds.
const JOIN_US: u64 = 15_000_000;
/// Time the server has to close the connection after a leave, in microseconds.
const LEAVING_US: u64 = 2_000_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConnectionState {
    /// TCP is connecting.
    Connecting,
    /// The opening handshake was sent.
    Handshaking,
    /// The hello was sent; there is no seat yet.
    Joining,
    /// Seated: snapshots arrive.
    Playing,
    /// A leave was sent.
    Leaving,
}

pub(crate) struct PlayerConnection<G: Game> {
    state: ConnectionState,
    channel: Channel,
    handshake: Handshake,
    simulated_client: SimulatedClient<G>,
    /// What the node is to the client.
    arrival: Arrival,
    /// Received bytes of an incomplete frame or handshake response.
    partial: Vec<u8>,
    /// When the current state times out; unused in [`ConnectionState::Playing`].
    deadline: MonoTime,
    /// When the last bytes arrived from the server.
    received_at: MonoTime,
    act_at: MonoTime,
    /// Offset of its actions within a tick, in microseconds, so that players do not all act at once.
    offset_us: u64,
    queue_position: Option<u32>,
}

impl<G: Game> PlayerConnection<G> {
    /// Starts the TCP connect.
    ///
    /// # Errors
    /// [`PlayError::Unreachable`] if the system provides no socket, [`PlayError::Handshake`] if TLS cannot start.
    pub(crate) fn connect(
        simulated_client: SimulatedClient<G>,
        (profile, seed): (LinkProfile, u64),
        route: &Route,
        (registry, token): (&Registry, Token),
        now: MonoTime,
    ) -> Result<PlayerConnection<G>, PlayError> {
        let Endpoint { target, address } = &*route.endpoint;
        let unreachable =
            |error: std::io::Error| PlayError::Unreachable { target: target.to_string(), cause: error.to_string() };
        let mut stream = TcpStream::connect(*address).map_err(unreachable)?;
        registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE).map_err(unreachable)?;
        Ok(PlayerConnection {
            state: ConnectionState::Connecting,
            channel: Channel::new(stream, target, &profile, seed)?,
            handshake: Handshake::new(target),
            simulated_client,
            arrival: route.nodes.arrival(),
            partial: Vec::new(),
            deadline: now.plus_us(JOIN_US),
            received_at: now,
            act_at: now,
            offset_us: (token.0 as u64).wrapping_mul(10_301) % tick_us::<G>(),
            queue_position: None,
        })
    }

    pub(crate) fn state(&self) -> ConnectionState {
        self.state
    }

    /// Whether it is in the join queue.
    pub(crate) fn queued(&self) -> bool {
        self.state == ConnectionState::Joining && self.queue_position.is_some()
    }

    /// When [`PlayerConnection::wake`] is due.
    pub(crate) fn next_at(&self) -> MonoTime {
        let timer = match self.state {
            ConnectionState::Connecting | ConnectionState::Handshaking | ConnectionState::Leaving => self.deadline,
            ConnectionState::Joining => self.act_at.min(self.deadline).min(self.silent_at()),
            ConnectionState::Playing => self.act_at.min(self.silent_at()),
        };
        self.channel.next_at().map_or(timer, |link| link.min(timer))
    }

    /// When the server counts as lost if nothing more arrives.
    fn silent_at(&self) -> MonoTime {
        self.received_at.plus_us(SILENCE_US)
    }

    pub(crate) fn simulated_client(&self) -> &SimulatedClient<G> {
        &self.simulated_client
    }

    /// See [`SimulatedClient::take_redirect`].
    pub(crate) fn take_redirect(&mut self) -> Option<String> {
        self.simulated_client.take_redirect()
    }

    pub(crate) fn into_simulated_client(self) -> SimulatedClient<G> {
        self.simulated_client
    }

    /// Handles a readable or writable socket.
    ///
    /// # Errors
    /// Why the connection ended.
    pub(crate) fn ready(
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

    /// Handles a timer: the link, the silence limit, the state's timeout, the next action.
    ///
    /// # Errors
    /// Why the connection ended.
    pub(crate) fn wake(
        &mut self,
        target: &Target,
        buffer: &mut [u8],
        context: &mut WorkerContext,
    ) -> Result<(), PlayError> {
        let now = context.now;
        if self.state != ConnectionState::Connecting && self.channel.next_at().is_some_and(|at| at <= now) {
            self.channel.flush(now)?;
            self.receive(target, buffer, context)?;
        }
        if matches!(self.state, ConnectionState::Joining | ConnectionState::Playing) && now >= self.silent_at() {
            // Read before judging: this process may have been suspended itself.
            self.channel.link().set_readable();
            self.receive(target, buffer, context)?;
            if now >= self.silent_at() {
                return Err(PlayError::Silent);
            }
        }
        let too_late = |what: &str| PlayError::Lost(format!("{what} within {} s", JOIN_US / 1_000_000));
        match self.state {
            ConnectionState::Connecting if now >= self.deadline => {
                let cause = format!("no connection within {} s", JOIN_US / 1_000_000);
                Err(PlayError::Unreachable { target: target.to_string(), cause })
            }
            ConnectionState::Handshaking if now >= self.deadline => Err(too_late("no answer to the handshake")),
            ConnectionState::Joining if now >= self.deadline => Err(too_late("no seat")),
            ConnectionState::Leaving if now >= self.deadline => {
                Err(PlayError::Lost("the connection was not closed after a leave".to_owned()))
            }
            ConnectionState::Joining | ConnectionState::Playing if now >= self.act_at => self.act(context),
            ConnectionState::Connecting
            | ConnectionState::Handshaking
            | ConnectionState::Joining
            | ConnectionState::Playing
            | ConnectionState::Leaving => Ok(()),
        }
    }

    /// Sends a leave; the server then closes the connection.
    ///
    /// # Errors
    /// Why the connection ended before that.
    pub(crate) fn leave(&mut self, context: &mut WorkerContext) -> Result<(), PlayError> {
        self.state = ConnectionState::Leaving;
        self.deadline = context.now.plus_us(LEAVING_US);
        context.send(Opcode::Binary, &codec::encode_client(&ClientMsg::Leave));
        self.send(context)
    }

    /// Takes the counters and resets them; empty after a leave.
    pub(crate) fn take_counters(&mut self, context: &mut WorkerContext) -> PlayerCounters {
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

    /// Whether TCP is connected. A socket can be reported writable before that; another event follows.
    fn connected(&mut self, target: &Target) -> Result<bool, PlayError> {
        let stream = self.channel.link().stream();
        if let Some(error) = stream.take_error().ok().flatten() {
            return Err(PlayError::Unreachable { target: target.to_string(), cause: error.to_string() });
        }
        Ok(stream.peer_addr().is_ok())
    }

    fn receive(&mut self, target: &Target, buffer: &mut [u8], context: &mut WorkerContext) -> Result<(), PlayError> {
        let PlayerConnection { state, channel, handshake, simulated_client, arrival, partial, received_at, .. } = self;
        let open = channel.receive(context.now, buffer, |bytes| {
            *received_at = context.now;
            if *state != ConnectionState::Handshaking {
                return feed(partial, bytes, |frame| simulated_client.take(frame, context));
            }
            partial.extend_from_slice(bytes);
            let Some(answer) = handshake.answered(target, partial)? else { return Ok(()) };
            *state = ConnectionState::Joining;
            simulated_client.open(*arrival, context);
            let rest = partial.split_off(answer);
            partial.clear();
            feed(partial, &rest, |frame| simulated_client.take(frame, context))
        })?;
        if self.state == ConnectionState::Joining {
            self.update_join(context);
        }
        self.send(context)?;
        if open { Ok(()) } else { Err(PlayError::Lost("connection ended".to_owned())) }
    }

    fn update_join(&mut self, context: &mut WorkerContext) {
        if self.simulated_client.playing() {
            self.state = ConnectionState::Playing;
            self.act_at = context.now;
        }
        let queue_position = self.simulated_client.client().queue_position();
        if queue_position.is_some() {
            self.deadline = context.now.plus_us(JOIN_US);
        }
        self.queue_position = queue_position;
    }

    fn send(&mut self, context: &mut WorkerContext) -> Result<(), PlayError> {
        let bytes = self.channel.take_socket_bytes();
        context.window.socket_down += bytes.down;
        context.window.socket_up += bytes.up;
        let result = if context.out.is_empty() { Ok(()) } else { self.channel.send(context.now, context.out) };
        context.out.clear();
        result
    }
}

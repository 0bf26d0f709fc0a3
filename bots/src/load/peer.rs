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
use super::figures::Tally;
use super::handshake::Handshake;
use super::mind::{Around, Mind, TICK_US};
use super::wire::{Opcode, feed};
use crate::socket::{PlayError, Target};

/// Time a player has to get a seat, from its connection's begin or the last word of its place in line, in microseconds.
const JOIN_US: u64 = 15_000_000;
/// Time a server has to close the connection of who leaves, in microseconds.
const LEAVING_US: u64 = 2_000_000;

/// How far a connection has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The socket connects.
    Connecting,
    /// The handshake is under way.
    Shaking,
    /// Asked for a seat.
    Joining,
    /// Has a seat and gets snapshots.
    Playing,
    /// Said that it leaves.
    Leaving,
}

/// One connection of a simulated player.
pub struct Peer {
    stage: Stage,
    channel: Channel,
    handshake: Handshake,
    mind: Mind,
    /// Bytes of a frame, or of the handshake's answer, that is not there whole.
    partial: Vec<u8>,
    /// When it gives up waiting for what comes next; without meaning while it plays.
    deadline: MonoTime,
    /// When the server was last heard, whatever it said.
    heard_at: MonoTime,
    act_at: MonoTime,
    /// How far into a tick it acts, in microseconds, so that players do not act all at once.
    offset_us: u64,
    place: Option<u32>,
}

impl Peer {
    /// Begins to connect.
    ///
    /// # Errors
    /// [`PlayError::Unreachable`] when the system has no socket to give, [`PlayError::Handshake`] when TLS cannot begin.
    pub fn connect(
        mind: Mind,
        (profile, seed): (LinkProfile, u64),
        target: &Target,
        address: SocketAddr,
        (registry, token): (&Registry, Token),
        now: MonoTime,
    ) -> Result<Peer, PlayError> {
        let unreachable =
            |error: std::io::Error| PlayError::Unreachable { target: target.to_string(), cause: error.to_string() };
        let mut stream = TcpStream::connect(address).map_err(unreachable)?;
        registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE).map_err(unreachable)?;
        Ok(Peer {
            stage: Stage::Connecting,
            channel: Channel::new(stream, target, &profile, seed)?,
            handshake: Handshake::new(target),
            mind,
            partial: Vec::new(),
            deadline: now.plus_us(JOIN_US),
            heard_at: now,
            act_at: now,
            offset_us: (token.0 as u64).wrapping_mul(10_301) % TICK_US,
            place: None,
        })
    }

    /// How far it has come.
    #[must_use]
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// Whether the server told it a place in line for a seat.
    #[must_use]
    pub fn in_line(&self) -> bool {
        self.stage == Stage::Joining && self.place.is_some()
    }

    /// When it next wants to be looked at.
    #[must_use]
    pub fn next_at(&self) -> MonoTime {
        let own = match self.stage {
            Stage::Connecting | Stage::Shaking | Stage::Leaving => self.deadline,
            Stage::Joining => self.act_at.min(self.deadline).min(self.silent_at()),
            Stage::Playing => self.act_at.min(self.silent_at()),
        };
        self.channel.next_at().map_or(own, |line| line.min(own))
    }

    /// When the server counts as gone if nothing more is heard.
    fn silent_at(&self) -> MonoTime {
        self.heard_at.plus_us(SILENCE_US)
    }

    /// The player apart from its connection.
    #[must_use]
    pub fn mind(&self) -> &Mind {
        &self.mind
    }

    /// The player apart from its connection, which is lost.
    #[must_use]
    pub fn into_mind(self) -> Mind {
        self.mind
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
        around: &mut Around,
    ) -> Result<(), PlayError> {
        if readable {
            self.channel.wire().set_readable();
        }
        if self.stage == Stage::Connecting {
            if !writable || !self.connected(target)? {
                return Ok(());
            }
            self.stage = Stage::Shaking;
            self.channel.send(around.now, self.handshake.request.as_bytes())?;
        } else if writable {
            self.channel.flush(around.now)?;
        }
        self.receive(target, buffer, around)
    }

    /// Does what is due.
    ///
    /// # Errors
    /// Why the connection ended.
    pub fn wake(&mut self, target: &Target, buffer: &mut [u8], around: &mut Around) -> Result<(), PlayError> {
        let now = around.now;
        if self.stage != Stage::Connecting && self.channel.next_at().is_some_and(|at| at <= now) {
            self.channel.flush(now)?;
            self.receive(target, buffer, around)?;
        }
        if matches!(self.stage, Stage::Joining | Stage::Playing) && now >= self.silent_at() {
            // Read before it is judged: it may have been us who stood still.
            self.channel.wire().set_readable();
            self.receive(target, buffer, around)?;
            if now >= self.silent_at() {
                return Err(PlayError::Silent);
            }
        }
        let too_late = |what: &str| PlayError::Gone(format!("{what} within {} s", JOIN_US / 1_000_000));
        match self.stage {
            Stage::Connecting if now >= self.deadline => {
                let cause = format!("no connection within {} s", JOIN_US / 1_000_000);
                Err(PlayError::Unreachable { target: target.to_string(), cause })
            }
            Stage::Shaking if now >= self.deadline => Err(too_late("no answer to the handshake")),
            Stage::Joining if now >= self.deadline => Err(too_late("no seat")),
            Stage::Leaving if now >= self.deadline => Err(PlayError::Gone("not closed after leaving".to_owned())),
            Stage::Joining | Stage::Playing if now >= self.act_at => self.act(around),
            Stage::Connecting | Stage::Shaking | Stage::Joining | Stage::Playing | Stage::Leaving => Ok(()),
        }
    }

    /// Says that it leaves; the server then closes the connection.
    ///
    /// # Errors
    /// Why the connection ended before.
    pub fn leave(&mut self, around: &mut Around) -> Result<(), PlayError> {
        self.stage = Stage::Leaving;
        self.deadline = around.now.plus_us(LEAVING_US);
        around.send(Opcode::Binary, &codec::encode_client(&ClientMsg::Leave));
        self.send(around)
    }

    /// What it counted until now; what comes from now on is counted anew. Nothing while it leaves.
    pub fn take_tally(&mut self, around: &mut Around) -> Tally {
        if self.stage == Stage::Leaving { Tally::default() } else { self.mind.take_tally(around) }
    }

    fn act(&mut self, around: &mut Around) -> Result<(), PlayError> {
        if self.stage == Stage::Playing {
            around.window.lateness.saturating_record(around.now.us_since(self.act_at));
        }
        self.act_at = self.mind.act(self.offset_us, around)?;
        self.send(around)
    }

    /// Whether the socket is connected: told writable before that, another word follows.
    fn connected(&mut self, target: &Target) -> Result<bool, PlayError> {
        let stream = self.channel.wire().stream();
        if let Some(error) = stream.take_error().ok().flatten() {
            return Err(PlayError::Unreachable { target: target.to_string(), cause: error.to_string() });
        }
        Ok(stream.peer_addr().is_ok())
    }

    fn receive(&mut self, target: &Target, buffer: &mut [u8], around: &mut Around) -> Result<(), PlayError> {
        let Peer { stage, channel, handshake, mind, partial, heard_at, .. } = self;
        let open = channel.receive(around.now, buffer, |bytes| {
            *heard_at = around.now;
            if *stage != Stage::Shaking {
                return feed(partial, bytes, |frame| mind.take(frame, around));
            }
            partial.extend_from_slice(bytes);
            let Some(answer) = handshake.answered(target, partial)? else { return Ok(()) };
            *stage = Stage::Joining;
            mind.open(around);
            let rest = partial.split_off(answer);
            partial.clear();
            feed(partial, &rest, |frame| mind.take(frame, around))
        })?;
        if self.stage == Stage::Joining {
            self.joining(around);
        }
        self.send(around)?;
        if open { Ok(()) } else { Err(PlayError::Gone("connection ended".to_owned())) }
    }

    fn joining(&mut self, around: &mut Around) {
        if self.mind.playing() {
            self.stage = Stage::Playing;
            self.act_at = around.now;
        }
        let place = self.mind.client().queue_position();
        if place.is_some() {
            self.deadline = around.now.plus_us(JOIN_US);
        }
        self.place = place;
    }

    fn send(&mut self, around: &mut Around) -> Result<(), PlayError> {
        let moved = self.channel.take_moved();
        around.window.socket_down += moved.down;
        around.window.socket_up += moved.up;
        let result = if around.out.is_empty() { Ok(()) } else { self.channel.send(around.now, around.out) };
        around.out.clear();
        result
    }
}

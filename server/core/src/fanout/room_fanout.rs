//! One room's fan-out on one shard: its recipients there, what was sent to each, and the walk that sends them a tick.

use std::collections::BTreeMap;
use std::sync::Arc;

use broadside_shared::game::Game;
use broadside_shared::ids::{PlayerId, RoomId};
use broadside_shared::protocol::header_bytes;
use broadside_shared::protocol::input::InputPacket;
use broadside_shared::protocol::message::{Resume, RoomUpdate};
use broadside_shared::protocol::room::Role;
use broadside_shared::protocol::snapshot::SectionBytes;
use broadside_shared::replication::cells::CellId;
use broadside_shared::time::{MonoTime, Tick, tick_us};

use super::assembler::SnapshotAssembler;
use super::flow::{Decision, Flow, SocketState};
use crate::commands::{RoomCommand, RoomInfo, SeatAssignment, SessionId};
use crate::lobby::Lobby;
use crate::room::RoomOutput;

/// The rooms that have recipients on a shard.
pub type RoomFanouts<G> = BTreeMap<RoomId, RoomFanout<G>>;

/// One room's fan-out on one shard.
pub struct RoomFanout<G: Game> {
    room: RoomInfo,
    assembler: SnapshotAssembler,
    /// The room's tick zero, which distinguishes it from a restarted room. `None` before the first recipient.
    tick_zero: Option<MonoTime>,
    /// By player number.
    recipients: Vec<Option<Recipient>>,
    /// The newest tick has recipients and was not sent yet.
    is_fresh: bool,
    /// Inputs to send to the room.
    inputs: Vec<RoomCommand<G>>,
}

/// A player on this shard.
struct Recipient {
    /// The key of the connection; `None` while the seat is parked.
    connection: Option<usize>,
    /// 0 once the seat is given up, so that no token resumes it.
    session: SessionId,
    seat: SeatAssignment,
    flow: Flow,
}

/// Fan-out statistics of one walk, for the shell to export.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FanoutStats {
    /// Snapshots written, and skipped because the client had not taken those before.
    pub written: u64,
    pub skipped: u64,
    /// Times a connection was stepped down or up because of its link.
    pub steps_down: u64,
    pub steps_up: u64,
    /// Bytes of snapshots by class, and of messages that went with them.
    pub bytes: SectionBytes,
    pub message_bytes: u64,
    /// Bytes of the WebSocket headers of the snapshots.
    pub header_bytes: u64,
}

/// The sockets of a shard's connections during a walk.
pub trait Sockets {
    /// Free bytes that the shell needs in front of a frame for its header.
    const HEADROOM: usize;
    /// The state of a connection's socket; `None` once nothing can be written to it.
    fn state(&self, key: usize) -> Option<SocketState>;
    /// Writes a frame that starts after [`Sockets::HEADROOM`] free bytes. Returns false if the connection is closed.
    fn write(&mut self, key: usize, frame: &mut [u8]) -> bool;
}

/// There is no such seat, or another session has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoSeat;

impl<G: Game> RoomFanout<G> {
    /// The fan-out of a room from which nothing was sent yet; `updates` hold its roster.
    #[must_use]
    pub fn new(room: RoomInfo, updates: &[RoomUpdate]) -> Self {
        let mut assembler = SnapshotAssembler::new::<G>(room.config.capacity);
        assembler.apply_updates(updates);
        RoomFanout { room, assembler, tick_zero: None, recipients: Vec::new(), is_fresh: false, inputs: Vec::new() }
    }

    #[must_use]
    pub fn room(&self) -> &RoomInfo {
        &self.room
    }

    /// How long the room's tick before the newest one took, in microseconds; 0 before the first.
    #[must_use]
    pub fn tick_us(&self) -> u32 {
        self.assembler.newest().map_or(0, |output| output.tick_us)
    }

    /// The tick zero of the recipients' room, which distinguishes it from a restarted one; `None` before the first recipient.
    #[must_use]
    pub fn tick_zero(&self) -> Option<MonoTime> {
        self.tick_zero
    }

    /// Whether a tick with recipients waits to be sent.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        self.is_fresh
    }

    /// Adds a recipient: snapshots of this player go to this connection, to which nothing was sent yet.
    pub fn seat(&mut self, seat: SeatAssignment, connection: usize, session: SessionId) {
        self.insert(seat, Some(connection), session);
    }

    /// Adds a recipient that has no connection yet: its seat was restored.
    pub fn restore_seat(&mut self, seat: SeatAssignment, session: SessionId) {
        self.insert(seat, None, session);
    }

    fn insert(&mut self, seat: SeatAssignment, connection: Option<usize>, session: SessionId) {
        self.tick_zero = Some(seat.tick_zero);
        let at = usize::from(seat.player.0);
        if self.recipients.len() <= at {
            self.recipients.resize_with(at + 1, || None);
        }
        self.assembler.reset(seat.player);
        self.recipients[at] = Some(Recipient { connection, session, seat, flow: Flow::default() });
    }

    /// Removes a recipient. Returns its session, its seat, and its connection if that is still open.
    pub fn unseat(&mut self, player: PlayerId) -> Option<(SessionId, SeatAssignment, Option<usize>)> {
        let recipient = self.recipients.get_mut(usize::from(player.0))?.take()?;
        Some((recipient.session, recipient.seat, recipient.connection))
    }

    /// Detaches the player's connection: nothing is sent until it resumes. A seat that is not parked is given up; no token resumes it.
    pub fn disconnect(&mut self, player: PlayerId, is_parked: bool) {
        if let Some(Some(recipient)) = self.recipients.get_mut(usize::from(player.0)) {
            recipient.connection = None;
            if !is_parked {
                recipient.session = 0;
            }
        }
    }

    /// Resumes the player's seat over this connection; `resume` says what its client already has. Returns the former connection if it is
    /// still open.
    ///
    /// # Errors
    /// [`NoSeat`] when this session has no such seat here.
    pub fn resume(
        &mut self,
        seat: SeatAssignment,
        connection: usize,
        resume: &Resume,
    ) -> Result<Option<usize>, NoSeat> {
        let player = seat.player;
        let recipient = self.recipients.get_mut(usize::from(player.0)).and_then(Option::as_mut).ok_or(NoSeat)?;
        if recipient.session != resume.token.session || recipient.seat != seat {
            return Err(NoSeat);
        }
        recipient.flow = Flow::default();
        let former = recipient.connection.replace(connection);
        let tick_of = |behind: u8| resume.have.before(u32::from(behind));
        let cells = resume.cells.iter().map(|(cell, behind)| (CellId(*cell), tick_of(*behind)));
        self.assembler.resume(player, resume.have, cells);
        Ok(former)
    }

    /// The newest tick of which a frame was written to this player's connection.
    #[must_use]
    pub fn sent_tick(&self, player: PlayerId) -> Option<Tick> {
        self.assembler.sent_tick(player)
    }

    /// Whether a player with this number is in the room, as of the newest tick here.
    #[must_use]
    pub fn has_player(&self, player: PlayerId) -> bool {
        self.assembler.roster().has(player)
    }

    /// The session, the seat and the connection key of every recipient.
    pub fn recipients(&self) -> impl Iterator<Item = (SessionId, SeatAssignment, Option<usize>)> + '_ {
        self.recipients.iter().flatten().map(|recipient| (recipient.session, recipient.seat, recipient.connection))
    }

    /// Queues inputs of a player; [`RoomFanout::flush_inputs`] sends them to the room.
    pub fn input(&mut self, seat: SeatAssignment, packet: InputPacket<G::Input>, now: MonoTime) {
        if let Some(Some(recipient)) = self.recipients.get_mut(usize::from(seat.player.0)) {
            recipient.flow.handle_ack(packet.acked, now);
        }
        // A spectator's packet only acknowledges.
        if seat.role == Role::Play {
            self.inputs.push(RoomCommand::Input(seat, packet, now));
        }
    }

    /// Sends the queued inputs to the room in one batch.
    pub fn flush_inputs(&mut self, lobby: &impl Lobby<G>) {
        if !self.inputs.is_empty() {
            lobby.send_all(self.room.id, &mut self.inputs);
        }
    }

    /// Adds a tick. Returns whether the one before had recipients and was not sent yet: its fan-out is skipped.
    pub fn push(&mut self, output: Arc<RoomOutput>) -> bool {
        let was_fresh = std::mem::replace(&mut self.is_fresh, !output.due.is_empty());
        self.assembler.push(output);
        was_fresh
    }

    /// Adds the updates of ticks that were left out.
    pub fn apply_updates(&mut self, updates: &[RoomUpdate]) {
        self.assembler.apply_updates(updates);
    }

    /// Sends the newest tick, unless it was sent: one frame to each recipient with a due snapshot. `frame` is a scratch buffer;
    /// `append_messages` appends a connection's queued messages to its snapshot and returns their bytes.
    pub fn fan_out<S: Sockets>(
        &mut self,
        now: MonoTime,
        sockets: &mut S,
        frame: &mut Vec<u8>,
        mut append_messages: impl FnMut(usize, &mut Vec<u8>) -> u64,
    ) -> FanoutStats {
        let mut stats = FanoutStats::default();
        if !std::mem::take(&mut self.is_fresh) {
            return stats;
        }
        let interval_us = tick_us(G::TICK_HZ, self.room.config.snapshot_every);
        let Some((tick, level, count)) = self.assembler.newest().map(|o| (o.tick, o.level, o.due.len())) else {
            return stats;
        };
        for at in 0..count {
            let Some(player) = self.assembler.newest().map(|output| output.due[at].player) else { break };
            let Some(Some(recipient)) = self.recipients.get_mut(usize::from(player.0)) else { continue };
            let Some(key) = recipient.connection else { continue };
            let Some(state) = sockets.state(key) else { continue };
            let flow = &mut recipient.flow;
            let before = flow.budget().steps();
            let decision = flow.decide(interval_us, state, level);
            let after = flow.budget().steps();
            stats.steps_down += after.0 - before.0;
            stats.steps_up += after.1 - before.1;
            let tier = match decision {
                Decision::Write(tier) => tier,
                Decision::Skip => {
                    stats.skipped += 1;
                    continue;
                }
                Decision::Rest => continue,
            };
            frame.clear();
            frame.resize(S::HEADROOM, 0);
            stats.bytes += self.assembler.frame(at, flow.level(level), tier, frame);
            stats.message_bytes += append_messages(key, frame);
            let bytes = frame.len() - S::HEADROOM;
            if sockets.write(key, frame) {
                flow.wrote(tick, now);
                stats.written += 1;
                stats.header_bytes += header_bytes(bytes);
            }
        }
        stats
    }
}

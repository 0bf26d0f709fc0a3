//! One room's part on one shard: who of its players are here, what they have been told, and the walk that tells them.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use broadside_shared::game::{Game, PlayerId};
use broadside_shared::protocol::header_bytes;
use broadside_shared::protocol::input::InputPacket;
use broadside_shared::protocol::message::{Resume, RoomUpdate};
use broadside_shared::protocol::room::Role;
use broadside_shared::replication::cells::CellId;
use broadside_shared::time::{MonoTime, tick_us};
use slab::Slab;

use super::conn::{HEADER_MAX, Sent};
use super::connection::{Connection, Seat};
use crate::clock::MonoClock;
use crate::driver::{RoomCommand, RoomHandle, SeatAssignment};
use crate::lobby::sessions::SessionId;
use crate::metrics::Metrics;
use crate::metrics::labels::{ByteClass, Direction};
use crate::room::RoomOutput;
use crate::room::flow::{Decision, Flow, Socket};
use crate::room::outgoing::{FrameBytes, Outgoing};

/// One room's part on one shard.
pub struct RoomFanout<G: Game> {
    room: Arc<RoomHandle<G>>,
    outgoing: Outgoing,
    tick_zero: Option<MonoTime>,
    /// By number of player.
    recipients: Vec<Option<Recipient>>,
    /// A tick has come that nobody has been told of.
    fresh: bool,
    /// What the players here said, on its way to the room.
    commands: Vec<RoomCommand<G>>,
    counted: FrameBytes,
}

/// A player here.
struct Recipient {
    /// Key of the connection; `None` while it is lost and the seat is kept.
    peer: Option<usize>,
    session: SessionId,
    seated: SeatAssignment,
    flow: Flow,
}

/// What a walk did.
#[derive(Debug, Default)]
struct FanoutStats {
    written: u64,
    skipped: u64,
    steps_down: u64,
    steps_up: u64,
    header_bytes: u64,
    message_bytes: u64,
}

/// There is no such seat, or another session has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoSeat;

impl<G: Game> RoomFanout<G> {
    /// The part of a room of which nothing was told yet; `updates` say who is there.
    #[must_use]
    pub fn new(room: Arc<RoomHandle<G>>, updates: &[RoomUpdate]) -> Self {
        let mut outgoing = Outgoing::new::<G>(room.config.capacity);
        outgoing.note(updates);
        RoomFanout {
            room,
            outgoing,
            tick_zero: None,
            recipients: Vec::new(),
            fresh: false,
            commands: Vec::new(),
            counted: FrameBytes::default(),
        }
    }

    /// The room.
    #[must_use]
    pub fn room(&self) -> &Arc<RoomHandle<G>> {
        &self.room
    }

    /// When tick 0 of the room was due whose players are here: tells it from one that began anew.
    #[must_use]
    pub fn tick_zero(&self) -> Option<MonoTime> {
        self.tick_zero
    }

    /// From now on the snapshots of this player go to this connection, which knows nothing yet.
    pub fn seat(&mut self, seated: SeatAssignment, peer: usize, session: SessionId) {
        let player = seated.player;
        self.tick_zero = Some(seated.tick_zero);
        let at = usize::from(player.0);
        if self.recipients.len() <= at {
            self.recipients.resize_with(at + 1, || None);
        }
        self.outgoing.reset(player);
        self.recipients[at] = Some(Recipient { peer: Some(peer), session, seated, flow: Flow::default() });
    }

    /// The player has no seat any more. Gives the session that had it, the seat, and the connection that still counts on it.
    pub fn unseat(&mut self, player: PlayerId) -> Option<(SessionId, SeatAssignment, Option<usize>)> {
        let recipient = self.recipients.get_mut(usize::from(player.0))?.take()?;
        Some((recipient.session, recipient.seated, recipient.peer))
    }

    /// The player has no connection any more, and the seat is kept or given up: nothing is sent for now.
    pub fn away(&mut self, player: PlayerId, seat: Seat) {
        if let Some(Some(recipient)) = self.recipients.get_mut(usize::from(player.0)) {
            recipient.peer = None;
            if seat == Seat::Free {
                // Nobody's any more: no token takes it up.
                recipient.session = 0;
            }
        }
    }

    /// The player goes on over this connection, whose other end has what `resume` says. Gives the connection there was, if it is
    /// still open.
    ///
    /// # Errors
    /// When this session has no such seat here.
    pub fn resume(&mut self, seated: SeatAssignment, peer: usize, resume: &Resume) -> Result<Option<usize>, NoSeat> {
        let player = seated.player;
        let recipient = self.recipients.get_mut(usize::from(player.0)).and_then(Option::as_mut).ok_or(NoSeat)?;
        if recipient.session != resume.token.session || recipient.seated != seated {
            return Err(NoSeat);
        }
        recipient.flow = Flow::default();
        let former = recipient.peer.replace(peer);
        let tick_of = |behind: u8| resume.have.before(u32::from(behind));
        let cells = resume.cells.iter().map(|(cell, behind)| (CellId(*cell), tick_of(*behind)));
        self.outgoing.resume(player, resume.have, cells);
        Ok(former)
    }

    /// Whether a player of this number is in the room, as far as its ticks have come here.
    #[must_use]
    pub fn has_player(&self, player: PlayerId) -> bool {
        self.outgoing.roster().has(player)
    }

    /// The connections of everyone here.
    pub fn connections(&self) -> impl Iterator<Item = usize> + '_ {
        self.recipients.iter().flatten().filter_map(|recipient| recipient.peer)
    }

    /// The sessions of everyone here, and their seats.
    pub fn sessions(&self) -> impl Iterator<Item = (SessionId, SeatAssignment)> + '_ {
        self.recipients.iter().flatten().map(|recipient| (recipient.session, recipient.seated))
    }

    /// A player here said what to do; it goes to the room with [`RoomFanout::post`].
    pub fn input(&mut self, seated: SeatAssignment, packet: InputPacket<G::Input>, now: MonoTime) {
        if let Some(Some(recipient)) = self.recipients.get_mut(usize::from(seated.player.0)) {
            recipient.flow.handle_ack(packet.acked, now);
        }
        // A spectator's only says what it has.
        if seated.role == Role::Play {
            self.commands.push(RoomCommand::Input(seated, packet, now));
        }
    }

    /// Gives the room what was said.
    pub fn send(&mut self) {
        if !self.commands.is_empty() {
            self.room.send_all(&mut self.commands);
        }
    }

    /// A tick was stepped. Gives whether one before it had not been told yet: its turn is over.
    pub fn push(&mut self, output: Arc<RoomOutput>) -> bool {
        let before = self.fresh;
        self.fresh |= !output.due.is_empty();
        self.outgoing.push(output);
        before
    }

    /// Changes of the roster came without a tick.
    pub fn note(&mut self, updates: &[RoomUpdate]) {
        self.outgoing.note(updates);
    }

    /// Tells the players here of the newest tick, if they were not told yet: assembles one frame for each who is due, and writes
    /// it. `frame` is room to work in.
    pub fn fan_out(
        &mut self,
        connections: &mut Slab<Connection<G>>,
        frame: &mut Vec<u8>,
        clock: MonoClock,
        metrics: &Metrics,
    ) {
        if !std::mem::take(&mut self.fresh) {
            return;
        }
        let began = clock.now();
        let walk = self.walk(connections, frame, began);
        let took_us = clock.now().us_since(began);
        metrics.fanout_seconds.observe(took_us as f64 / 1e6);
        self.count(&walk, metrics);
    }

    fn walk(&mut self, connections: &mut Slab<Connection<G>>, frame: &mut Vec<u8>, now: MonoTime) -> FanoutStats {
        let mut walk = FanoutStats::default();
        let interval_us = tick_us(G::TICK_HZ, self.room.config.snapshot_every);
        let Some((tick, level, count)) = self.outgoing.newest().map(|o| (o.tick, o.level, o.due.len())) else {
            return walk;
        };
        for at in 0..count {
            let Some(player) = self.outgoing.newest().map(|output| output.due[at].player) else { break };
            let Some(Some(recipient)) = self.recipients.get_mut(usize::from(player.0)) else { continue };
            let Some(key) = recipient.peer else { continue };
            let Some(peer) = connections.get_mut(key).filter(|peer| !peer.conn.wire.is_over()) else { continue };
            let flow = &mut recipient.flow;
            let before = flow.budget().steps();
            let decision = flow.decide(interval_us, Socket::from_free(peer.conn.wire.is_free()), level);
            let after = flow.budget().steps();
            walk.steps_down += after.0 - before.0;
            walk.steps_up += after.1 - before.1;
            let tier = match decision {
                Decision::Write(tier) => tier,
                Decision::Skip => {
                    walk.skipped += 1;
                    continue;
                }
                Decision::Rest => continue,
            };
            frame.clear();
            frame.resize(HEADER_MAX, 0);
            self.outgoing.frame(at, flow.level(level), tier, frame);
            walk.message_bytes += peer.append_messages(frame);
            let start_len = frame.len();
            if peer.conn.send_framed(frame) == Sent::Envelope {
                flow.wrote(tick, now);
                walk.written += 1;
                walk.header_bytes += header_bytes(start_len - HEADER_MAX);
            }
        }
        walk
    }

    fn count(&mut self, walk: &FanoutStats, metrics: &Metrics) {
        let status = &self.room.status;
        status.snapshots.fetch_add(walk.written, Ordering::Relaxed);
        status.superseded.fetch_add(walk.skipped, Ordering::Relaxed);
        status.budget_steps_down.fetch_add(walk.steps_down, Ordering::Relaxed);
        status.budget_steps_up.fetch_add(walk.steps_up, Ordering::Relaxed);
        metrics.snapshots_written.inc_by(walk.written);
        metrics.snapshots_skipped.inc_by(walk.skipped);
        metrics.budget_steps.of(Direction::Down).inc_by(walk.steps_down);
        metrics.budget_steps.of(Direction::Up).inc_by(walk.steps_up);
        let (sizes, before) = (self.outgoing.sizes(), self.counted);
        metrics.bytes_out.of(ByteClass::PlayerState).inc_by(sizes.own - before.own);
        metrics.bytes_out.of(ByteClass::CellHeads).inc_by(sizes.cell_heads - before.cell_heads);
        metrics.bytes_out.of(ByteClass::Cells).inc_by(sizes.cells - before.cells);
        metrics.bytes_out.of(ByteClass::Events).inc_by(sizes.events - before.events);
        metrics.bytes_out.of(ByteClass::Updates).inc_by(sizes.updates - before.updates);
        metrics.bytes_out.of(ByteClass::Control).inc_by(walk.message_bytes);
        metrics.bytes_out.of(ByteClass::WsHeaders).inc_by(walk.header_bytes);
        self.counted = sizes;
    }
}

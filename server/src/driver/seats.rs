//! TeamLabel comes and who goes: commands, the line, seats.

use std::net::IpAddr;
use std::sync::atomic::Ordering;

use broadside_shared::game::{Game, PlayerId};
use broadside_shared::protocol::close::CloseCode;
use broadside_shared::protocol::message::{ServerMsg, ServerNotice};
use broadside_shared::protocol::name::Name;
use broadside_shared::protocol::room::Role;

use super::{ConnectionId, Driver, JoinMethod, JoinRequest, RoomCommand, Seat, SeatAssignment, ends_in};
use crate::limits::counted_as;
use crate::limits::holds::{Hold, TooMuch, What};
use crate::lobby::messages::EncodedMessage;
use crate::metrics::labels::{AddressLimit, JoinResult};
use crate::net::inbox::ShardCommand;

impl<G: Game> Driver<G> {
    pub(super) fn take_commands(&mut self) {
        let mut commands = std::mem::take(&mut self.commands);
        self.mailbox.take(&mut commands);
        self.context.metrics.mailbox_depth.set(commands.len() as i64);
        for command in commands.drain(..) {
            self.take(command);
        }
        self.commands = commands;
    }

    fn take(&mut self, command: RoomCommand<G>) {
        match command {
            RoomCommand::Join(request) => {
                self.came += 1;
                self.take_join(request);
            }
            RoomCommand::Gone(peer) => self.queue.remove(|request| request.peer == peer),
            RoomCommand::Leave(seated) if self.is_current(seated) => self.leave(seated.player),
            RoomCommand::Away(seated) if self.is_current(seated) => self.away(seated.player),
            RoomCommand::Back(seated, peer) if self.is_current(seated) => {
                if let Some(Some(seat)) = self.seats.get_mut(usize::from(seated.player.0)) {
                    seat.peer = peer;
                    seat.kept = None;
                }
                self.room.back(seated.player);
            }
            RoomCommand::Input(seated, packet, arrived) if self.is_current(seated) => {
                self.room.input(seated.player, &packet, arrived);
            }
            RoomCommand::Follow(seated, player) if self.is_current(seated) => self.room.follow(seated.player, player),
            RoomCommand::Renamed(seated, name) if self.is_current(seated) => self.room.rename(seated.player, &name),
            RoomCommand::RenamedInQueue(peer, name) => self.rename_in_queue(peer, &name),
            RoomCommand::Reserve(number, until, hold) => {
                self.came += 1;
                self.reservations.keep(number, until, hold);
            }
            // Meant for a seat that was given up, or for the room that failed before this one.
            RoomCommand::Leave(_)
            | RoomCommand::Away(_)
            | RoomCommand::Back(..)
            | RoomCommand::Input(..)
            | RoomCommand::Follow(..)
            | RoomCommand::Renamed(..) => {}
            RoomCommand::ShardLost(shard) => self.lose(shard),
        }
    }

    /// Whoever asked over this connection will come by another name, unless they have come already.
    fn rename_in_queue(&mut self, peer: ConnectionId, name: &Name) {
        if let Some(request) = self.queue.iter_mut().find(|request| request.peer == peer) {
            request.name = name.clone();
            return;
        }
        for seat in self.seats.iter().flatten().filter(|seat| seat.peer == peer) {
            self.room.rename(seat.seated.player, name);
        }
    }

    /// Whether a seat is still that of whom it was given to.
    fn is_current(&self, seated: SeatAssignment) -> bool {
        self.seats
            .get(usize::from(seated.player.0))
            .is_some_and(|seat| seat.as_ref().is_some_and(|seat| seat.seated == seated))
    }

    fn take_join(&mut self, mut request: JoinRequest) {
        // What the address held for the reservation is free for the seat by now. One that came too late is as good as none.
        let reserved = match (request.role, request.by) {
            (Role::Play, JoinMethod::Reservation(number)) => self.reservations.redeem(number),
            (Role::Play, JoinMethod::Public | JoinMethod::Code) | (Role::Spectate, _) => false,
        };
        match self.hold_seat(&request) {
            Ok(hold) => request.hold = hold,
            Err(TooMuch(what)) => return self.refuse_address(&request, what),
        }
        match request.role {
            Role::Spectate => match self.room.watch(request.name.clone()) {
                Ok(player) => self.seat(player, request),
                Err(_) => self.refuse(request.peer, CloseCode::RoomFull),
            },
            Role::Play if reserved => self.enter(request),
            Role::Play => {
                let limits = &self.context.limits;
                let in_queue = request.address.map(|address| limits.take(address, &[limits.caps().in_queue(self.id)]));
                match in_queue.transpose() {
                    Ok(in_queue) => request.in_queue = in_queue.unwrap_or_default(),
                    Err(TooMuch(what)) => return self.refuse_address(&request, what),
                }
                if let Err(request) = self.queue.push(request) {
                    self.refuse(request.peer, CloseCode::RoomFull);
                }
            }
        }
    }

    /// Takes a place for the seat from what its address may have. Seats that are kept here for lost connections of the same address make way,
    /// the oldest first.
    fn hold_seat(&mut self, request: &JoinRequest) -> Result<Hold, TooMuch> {
        let Some(address) = request.address else { return Ok(Hold::default()) };
        let caps = self.context.limits.caps();
        let wants = match request.role {
            Role::Play => caps.seat(self.id, self.seats_per_address),
            Role::Spectate => caps.watch(self.id),
        };
        loop {
            let why = match self.context.limits.take(address, &wants) {
                Ok(hold) => return Ok(hold),
                Err(why) => why,
            };
            let oldest = self.oldest_kept(address, |role| role == request.role).ok_or(why)?;
            self.give_up(oldest);
        }
    }

    /// The seat that has been kept longest for a lost connection of this address.
    fn oldest_kept(&self, address: IpAddr, is_meant: impl Fn(Role) -> bool) -> Option<PlayerId> {
        let address = counted_as(address);
        let kept = (0..).map(PlayerId).zip(&self.seats).filter_map(|(player, seat)| {
            let seat = seat.as_ref().filter(|seat| is_meant(seat.seated.role))?;
            let (since, _) = seat.kept.as_ref()?;
            (counted_as(seat.address?) == address).then_some((*since, player))
        });
        kept.min().map(|(_, player)| player)
    }

    /// A connection is lost: its seat is kept, unless its address has as many of those as it may. Then the oldest is given up.
    fn away(&mut self, player: PlayerId) {
        let Some(Some(seat)) = self.seats.get(usize::from(player.0)) else { return };
        if let (None, Some(address)) = (&seat.kept, seat.address) {
            let want = [self.context.limits.caps().kept()];
            let hold = loop {
                if let Ok(hold) = self.context.limits.take(address, &want) {
                    break hold;
                }
                // Without one here all of them are in other rooms.
                let Some(oldest) = self.oldest_kept(address, |_| true) else { return self.give_up(player) };
                self.give_up(oldest);
            };
            if let Some(Some(seat)) = self.seats.get_mut(usize::from(player.0)) {
                seat.kept = Some((self.context.clock.now(), hold));
            }
        }
        self.room.away(player);
    }

    /// Frees a seat that is kept for a lost connection, since its address has too many.
    fn give_up(&mut self, player: PlayerId) {
        if let Some(Some(Seat { address: Some(address), .. })) = self.seats.get(usize::from(player.0)) {
            self.context.refused(*address, AddressLimit::Kept);
        }
        self.leave(player);
    }

    fn refuse_address(&mut self, request: &JoinRequest, what: What) {
        if let Some(address) = request.address {
            self.context.refused(address, what.label());
        }
        self.refuse(request.peer, CloseCode::TooManyFromAddress);
    }

    fn refuse(&mut self, peer: ConnectionId, code: CloseCode) {
        self.context.metrics.joins.of(JoinResult::Refused).inc();
        self.answer(peer, ShardCommand::Refused(peer, self.id, code));
    }

    /// Frees the seats of those who did not come back in time.
    pub(super) fn free_seats(&mut self) {
        // When this tick was due, not when it came: if the server stood still, nobody could come for their seat.
        self.reservations.expire(self.room.due_at(self.tick));
        let grace = self.context.grace_s * G::TICK_HZ;
        while let Some(player) = self.room.gone_for(grace) {
            self.leave(player);
        }
    }

    /// Seats those whose turn it is.
    pub(super) fn admit(&mut self) {
        let taken = self.room.players().saturating_add(self.reservations.len() as u16);
        let free = u32::from(self.config.capacity.saturating_sub(taken));
        let admitted = self.queue.admitted(free, self.governor.level());
        for _ in 0..admitted {
            let Some(request) = self.queue.pop() else { break };
            self.enter(request);
        }
    }

    fn enter(&mut self, request: JoinRequest) {
        match self.room.join(request.name.clone()) {
            Ok(player) => {
                if request.by == JoinMethod::Code {
                    self.greet_friend(player, &request.name);
                }
                self.seat(player, request);
            }
            // The line and the room disagree on the free seats: the next tick tries again.
            Err(_) => self.queue.push_front(request),
        }
    }

    /// Tells the first who came by the link that somebody else did.
    fn greet_friend(&mut self, player: PlayerId, name: &Name) {
        let host = self.host.and_then(|host| self.seats.get(usize::from(host.0))).and_then(Option::as_ref);
        match host {
            Some(host) => {
                let message =
                    EncodedMessage::new(ServerMsg::ServerNotice(ServerNotice::FriendJoined { name: name.clone() }));
                let (peer, message) = (host.peer, host.message(message));
                self.answer(peer, message);
            }
            None => self.host = Some(player),
        }
    }

    fn seat(&mut self, player: PlayerId, request: JoinRequest) {
        let JoinRequest { role, peer, session, address, hold, .. } = request;
        let at = usize::from(player.0);
        if self.seats.len() <= at {
            self.seats.resize_with(at + 1, || None);
        }
        let seated = SeatAssignment { player, tick_zero: self.tick_zero, since: self.tick, role };
        let seat = Seat { peer, session, seated, address, _hold: hold, kept: None };
        if self.links[peer.shard].seats == 0 {
            let roster = self.room.roster();
            self.links[peer.shard].owed.clear();
            self.answer(peer, ShardCommand::Opened(self.id, roster));
        }
        self.links[peer.shard].seats += 1;
        self.answer(peer, ShardCommand::Seated(peer, self.id, seated));
        if self.warned {
            // Whoever comes late is told as well.
            self.answer(peer, seat.message(ends_in(self.seconds_left(self.context.clock.now()))));
        }
        self.seats[at] = Some(seat);
        if role == Role::Play {
            self.people += u32::from(address.is_some());
            self.context.metrics.players.inc();
        }
        self.context.metrics.joins.of(JoinResult::Seated).inc();
    }

    fn leave(&mut self, player: PlayerId) {
        let Some(Seat { peer, seated, address, .. }) = self.seats.get_mut(usize::from(player.0)).and_then(Option::take)
        else {
            return;
        };
        self.room.leave(player);
        if self.host == Some(player) {
            self.host = None;
        }
        self.answer(peer, ShardCommand::Unseated(self.id, player));
        self.links[peer.shard].seats -= 1;
        if self.links[peer.shard].seats == 0 {
            self.answer(peer, ShardCommand::Emptied(self.id));
        }
        if seated.role == Role::Play {
            self.people -= u32::from(address.is_some());
            self.context.metrics.players.dec();
        }
        self.context.metrics.leaves.inc();
    }

    /// A shard broke down: whoever was there is gone.
    fn lose(&mut self, shard: usize) {
        self.queue.remove(|request| request.peer.shard == shard);
        self.links[shard].outgoing.clear();
        for at in 0..self.seats.len() {
            if self.seats[at].as_ref().is_some_and(|seat| seat.peer.shard == shard) {
                self.leave(PlayerId(at as u16));
            }
        }
        self.status.queued[shard].store(0, Ordering::Relaxed);
    }
}

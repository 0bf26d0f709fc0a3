//! Seats: joins, the join queue, parking, resuming, leaving.

use std::net::IpAddr;

use broadside_shared::game::Game;
use broadside_shared::ids::PlayerId;
use broadside_shared::protocol::close::CloseCode;
use broadside_shared::protocol::message::{ServerMsg, ServerNotice};
use broadside_shared::protocol::name::Name;
use broadside_shared::protocol::room::Role;
use broadside_shared::time::MonoTime;

use super::{End, RoomLoop, ends_in, is_same};
use crate::commands::{
    AccountId, ConnectionId, Envelope, Hold, JoinMethod, JoinRequest, SeatAssignment, SessionId, ShardCommand,
};
use crate::lobby::{AddressShare, SeatLimits};
use crate::messages::EncodedMessage;

/// A seat that is taken.
#[derive(Debug)]
pub struct Seat {
    /// The connection of its holder, or the last one while it is parked.
    pub connection: ConnectionId,
    pub session: SessionId,
    pub assignment: SeatAssignment,
    /// `None` for the server's own bots.
    pub(super) address: Option<IpAddr>,
    /// `None` for a player without an account.
    pub(super) account: Option<AccountId>,
    /// The room's count of stepped ticks when it was taken.
    pub(super) joined_at: u32,
    pub(super) _hold: Hold,
    /// Since when it is kept for a lost connection, and the address's share of parked seats.
    pub(super) parked: Option<(MonoTime, Hold)>,
}

impl Seat {
    /// The command that delivers a message of the room to its holder.
    pub(super) fn deliver(&self, message: EncodedMessage) -> ShardCommand {
        ShardCommand::Deliver(Some(self.connection), self.session, Envelope { from: None, message })
    }

    /// Whether its holder plays and does not only spectate.
    pub(super) fn is_at_play(&self) -> bool {
        self.assignment.role == Role::Play
    }

    /// The same, and is none of the server's own bots.
    #[must_use]
    pub fn is_person_at_play(&self) -> bool {
        self.is_at_play() && self.address.is_some()
    }

    /// Whether it is kept for a lost connection.
    #[must_use]
    pub fn is_parked(&self) -> bool {
        self.parked.is_some()
    }
}

/// The seats of a room.
#[derive(Debug, Default)]
pub(super) struct Seats {
    /// By player number.
    seats: Vec<Option<Seat>>,
    /// Number of players without the server's own bots.
    people: u32,
    /// The first player who joined by the room's code; notified when another one does.
    pub(super) host: Option<PlayerId>,
}

impl Seats {
    pub(super) fn people(&self) -> u32 {
        self.people
    }

    pub(super) fn get(&self, player: PlayerId) -> Option<&Seat> {
        self.seats.get(usize::from(player.0))?.as_ref()
    }

    fn get_mut(&mut self, player: PlayerId) -> Option<&mut Seat> {
        self.seats.get_mut(usize::from(player.0))?.as_mut()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Seat> {
        self.seats.iter().flatten()
    }

    /// Whether the assignment is still in force.
    pub(super) fn is_current(&self, assignment: SeatAssignment) -> bool {
        self.get(assignment.player).is_some_and(|seat| seat.assignment == assignment)
    }

    pub(super) fn insert(&mut self, seat: Seat) {
        let at = usize::from(seat.assignment.player.0);
        if self.seats.len() <= at {
            self.seats.resize_with(at + 1, || None);
        }
        assert!(self.seats[at].is_none(), "seat {at} is taken");
        self.people += u32::from(seat.is_person_at_play());
        self.seats[at] = Some(seat);
    }

    fn remove(&mut self, player: PlayerId) -> Option<Seat> {
        let seat = self.seats.get_mut(usize::from(player.0))?.take()?;
        self.people -= u32::from(seat.is_person_at_play());
        if self.host == Some(player) {
            self.host = None;
        }
        Some(seat)
    }

    /// The seat of this address that has been parked longest.
    fn oldest_parked(
        &self,
        address: IpAddr,
        limits: &impl SeatLimits,
        has_role: impl Fn(Role) -> bool,
    ) -> Option<PlayerId> {
        let parked = self.iter().filter_map(|seat| {
            let (since, _) = seat.parked.as_ref()?;
            let matches = has_role(seat.assignment.role) && is_same(limits, seat.address?, address);
            matches.then_some((*since, seat.assignment.player))
        });
        parked.min().map(|(_, player)| player)
    }
}

impl<G: Game> RoomLoop<G> {
    pub(super) fn handle_join(&mut self, mut request: JoinRequest, limits: &impl SeatLimits) {
        assert!(request.connection.shard < self.links.len(), "a connection of shard {}", request.connection.shard);
        // Redeeming frees the address's share for the seat below. An expired reservation counts as none.
        let is_reserved = match (request.role, request.method) {
            (Role::Play, JoinMethod::Reservation(number)) => self.reservations.redeem(number),
            (Role::Play, JoinMethod::Public | JoinMethod::Code) | (Role::Spectate, _) => false,
        };
        match self.hold_seat(&request, limits) {
            Ok(hold) => request.hold = hold,
            Err(over) => return self.refuse_address(&request, over, limits),
        }
        match request.role {
            Role::Spectate => match self.room.spectate(request.name.clone()) {
                Ok(player) => self.seat(player, request),
                Err(_) => self.refuse(request.connection, CloseCode::RoomFull),
            },
            Role::Play if is_reserved => self.enter(request),
            Role::Play => {
                let share = AddressShare::Queue { room: self.info.id };
                match request.address.map(|address| limits.take(address, share)).transpose() {
                    Ok(hold) => request.queue_hold = hold.unwrap_or_default(),
                    Err(over) => return self.refuse_address(&request, over, limits),
                }
                if let Err(request) = self.queue.push(request.session, request) {
                    self.refuse(request.connection, CloseCode::RoomFull);
                }
            }
        }
    }

    /// Takes the address's share for the seat. If it has none left, its parked seats are given up, the oldest first.
    fn hold_seat<A: SeatLimits>(&mut self, request: &JoinRequest, limits: &A) -> Result<Hold, A::Over> {
        let Some(address) = request.address else { return Ok(Hold::default()) };
        let room = self.info.id;
        let share = match request.role {
            Role::Play => AddressShare::Seat { room, max: self.policy.seats_per_address },
            Role::Spectate => AddressShare::Spectator { room },
        };
        loop {
            let why = match limits.take(address, share) {
                Ok(hold) => return Ok(hold),
                Err(why) => why,
            };
            let oldest = self.seats.oldest_parked(address, limits, |role| role == request.role).ok_or(why)?;
            self.give_up(oldest, limits);
        }
    }

    /// Keeps the seat of a lost connection. If its address is at its limit of parked seats, the oldest of them is given up.
    pub(super) fn park(&mut self, player: PlayerId, limits: &impl SeatLimits) {
        let Some(seat) = self.seats.get(player) else { return };
        if let (None, Some(address)) = (&seat.parked, seat.address) {
            let hold = loop {
                if let Ok(hold) = limits.take(address, AddressShare::Parked) {
                    break hold;
                }
                // All of them are in other rooms.
                let Some(oldest) = self.seats.oldest_parked(address, limits, |_| true) else {
                    return self.give_up(player, limits);
                };
                self.give_up(oldest, limits);
            };
            let now = self.now;
            if let Some(seat) = self.seats.get_mut(player) {
                seat.parked = Some((now, hold));
            }
        }
        self.room.away(player);
    }

    pub(super) fn resume(&mut self, assignment: SeatAssignment, connection: ConnectionId, account: Option<AccountId>) {
        if let Some(seat) = self.seats.get_mut(assignment.player) {
            assert_eq!(seat.connection.shard, connection.shard, "a seat is resumed on the shard that has it");
            seat.connection = connection;
            seat.account = account;
            seat.parked = None;
        }
        self.room.back(assignment.player);
    }

    /// Frees a parked seat whose address has too many.
    fn give_up(&mut self, player: PlayerId, limits: &impl SeatLimits) {
        if let Some(address) = self.seats.get(player).and_then(|seat| seat.address) {
            limits.gave_up_parked(address);
        }
        self.leave(player);
    }

    fn refuse_address<A: SeatLimits>(&mut self, request: &JoinRequest, over: A::Over, limits: &A) {
        if let Some(address) = request.address {
            limits.refused(address, over);
        }
        self.refuse(request.connection, CloseCode::TooManyFromAddress);
    }

    fn refuse(&mut self, connection: ConnectionId, code: CloseCode) {
        self.effects.refused += 1;
        let command = ShardCommand::Refused(connection, self.info.id, code);
        self.links[connection.shard].outgoing.push(command);
    }

    /// Renames the join request of this connection, or its seat if the assignment is still on its way.
    pub(super) fn rename_queued(&mut self, connection: ConnectionId, name: &Name) {
        if let Some(request) = self.queue.iter_mut().find(|request| request.connection == connection) {
            request.name = name.clone();
            return;
        }
        for seat in self.seats.iter().filter(|seat| seat.connection == connection) {
            self.room.rename(seat.assignment.player, name);
        }
    }

    /// Frees the seats whose grace period is over, and drops reservations whose time is over.
    pub(super) fn free_seats(&mut self) {
        // As of the time this tick was due, not of now: while the server stood still, no client could join.
        self.reservations.expire(self.room.due_at(self.tick));
        let grace = self.policy.grace_s * G::TICK_HZ;
        while let Some(player) = self.room.expired_seat(grace) {
            self.leave(player);
        }
    }

    /// Seats the next requests of the join queue.
    pub(super) fn admit(&mut self) {
        let taken = self.room.players().saturating_add(self.reservations.len() as u16);
        let free = u32::from(self.info.config.capacity.saturating_sub(taken));
        for _ in 0..self.queue.admitted(free, self.governor.level()) {
            let Some(request) = self.queue.pop() else { break };
            self.enter(request);
        }
    }

    fn enter(&mut self, request: JoinRequest) {
        match self.room.join(request.name.clone()) {
            Ok(player) => {
                if request.address.is_none() {
                    self.room.mark_bot(player);
                }
                if request.method == JoinMethod::Code {
                    self.greet_friend(player, &request.name);
                }
                self.seat(player, request);
            }
            // There is no free seat after all, despite the reservation: the next tick tries again.
            Err(_) => self.queue.push_front(request.session, request),
        }
    }

    /// Notifies the first player who joined by the room's code that another one did.
    fn greet_friend(&mut self, player: PlayerId, name: &Name) {
        match self.seats.host.and_then(|host| self.seats.get(host)) {
            Some(host) => {
                let notice = ServerMsg::ServerNotice(ServerNotice::FriendJoined { name: name.clone() });
                let (shard, command) = (host.connection.shard, host.deliver(EncodedMessage::new(notice)));
                self.links[shard].outgoing.push(command);
            }
            None => self.seats.host = Some(player),
        }
    }

    fn seat(&mut self, player: PlayerId, request: JoinRequest) {
        let JoinRequest { role, connection, session, account, address, hold, .. } = request;
        let joined_at = self.room.stepped();
        let assignment = SeatAssignment { player, tick_zero: self.tick_zero, since: self.tick, role };
        let seat = Seat { connection, session, assignment, address, account, joined_at, _hold: hold, parked: None };
        let link = &mut self.links[connection.shard];
        if link.seats == 0 {
            link.owed.clear();
            link.outgoing.push(ShardCommand::RoomOpened(self.info, self.room.roster()));
        }
        link.seats += 1;
        link.outgoing.push(ShardCommand::Seated(connection, self.info.id, assignment));
        if matches!(self.end, End::Notified | End::NotifiedRetiring) {
            let notice = seat.deliver(ends_in(self.seconds_left()));
            self.links[connection.shard].outgoing.push(notice);
        }
        self.seats.insert(seat);
        self.effects.seated += 1;
    }

    pub(super) fn leave(&mut self, player: PlayerId) {
        let Some(seat) = self.seats.remove(player) else { return };
        self.keep_leaver(&seat);
        self.room.leave(player);
        self.end_match_if_empty();
        let (id, link) = (self.info.id, &mut self.links[seat.connection.shard]);
        link.outgoing.push(ShardCommand::Unseated(id, player));
        link.seats -= 1;
        if link.seats == 0 {
            link.outgoing.push(ShardCommand::RoomEmptied(id));
        }
        self.effects.left += 1;
    }

    /// A shard failed: its connections and their seats are gone.
    pub(super) fn lose_shard(&mut self, shard: usize) {
        self.queue.remove(|request| request.connection.shard == shard);
        self.links[shard].outgoing.clear();
        let lost: Vec<PlayerId> = self
            .seats
            .iter()
            .filter(|seat| seat.connection.shard == shard)
            .map(|seat| seat.assignment.player)
            .collect();
        lost.into_iter().for_each(|player| self.leave(player));
        // The restarted shard may still learn of the room, from a command that was on its way.
        let (id, link) = (self.info.id, &mut self.links[shard]);
        if link.outgoing.is_empty() {
            link.outgoing.push(ShardCommand::RoomEmptied(id));
        }
    }
}

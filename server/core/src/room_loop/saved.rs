//! A room with its seats as bytes, and the room that goes on from them.
//!
//! The clock of a server goes on where that of its predecessor stood, so the room's tick zero stays what it was, and the ticks that passed
//! meanwhile are left out, as those of a room that slept. No client has a tick that is still to come, so none takes a new world for one
//! that it has. Whoever waited for a seat asks again and gets the place that was kept.

use std::net::IpAddr;
use std::sync::Arc;

use broadside_shared::game::Game;
use broadside_shared::ids::PlayerId;
use broadside_shared::protocol::room::Role;
use broadside_shared::saved;
use broadside_shared::time::{MonoTime, tick_us};
use serde::{Deserialize, Serialize};

use super::results::RunningMatch;
use super::seats::Seat;
use super::{Activity, Policy, RoomLoop};
use crate::commands::{AccountId, ConnectionId, Hold, RoomInfo, SeatAssignment, SeatLocation, SessionId, ShardCommand};
use crate::lobby::{AddressShare, SeatLimits};
use crate::room::{SavedOccupant, SavedTime};

/// A room as it was after a tick, but for its world.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SavedRoom {
    tick_zero: MonoTime,
    time: SavedTime,
    ends_at: Option<MonoTime>,
    running: Option<RunningMatch>,
    host: Option<PlayerId>,
    /// In order of player, without the server's own bots.
    pub seats: Vec<SavedSeat>,
    /// Players in the world who are to leave it, such as those bots.
    gone: Vec<PlayerId>,
    /// Who waits for a seat, the next one first.
    queue: Vec<SessionId>,
    /// Numbers of reservations, and until when they hold.
    reservations: Vec<(u64, MonoTime)>,
}

/// A seat as it was.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SavedSeat {
    pub session: SessionId,
    /// `None` for a player without an account.
    pub account: Option<AccountId>,
    pub occupant: SavedOccupant,
    pub assignment: SeatAssignment,
    address: IpAddr,
    joined_at: u32,
}

impl SavedRoom {
    /// Whether nobody has a seat, waits for one, or has reserved one.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.seats.is_empty() && self.queue.is_empty() && self.reservations.is_empty()
    }

    /// The same room by a clock that reads `by_us` more; `None` if that clock is younger than the room.
    #[must_use]
    pub fn by_another_clock(mut self, by_us: i64) -> Option<SavedRoom> {
        let times = std::iter::once(&mut self.tick_zero).chain(&mut self.ends_at);
        let times = times.chain(self.reservations.iter_mut().map(|(_, until)| until));
        for time in times.chain(self.seats.iter_mut().map(|seat| &mut seat.assignment.tick_zero)) {
            *time = MonoTime(time.0.checked_add_signed(by_us)?);
        }
        Some(self)
    }

    /// Leaves out the seats that `is_left` is true for: their players are elsewhere by now.
    pub fn leave_out(&mut self, is_left: impl Fn(&SavedSeat) -> bool) {
        for seat in self.seats.extract_if(.., |seat| is_left(seat)) {
            if seat.assignment.role == Role::Play {
                self.gone.push(seat.assignment.player);
            }
        }
    }
}

impl SavedSeat {
    /// The shard that gets the seat, of this many.
    fn shard(&self, shards: usize) -> usize {
        (self.session % shards.max(1) as u64) as usize
    }

    /// When it was given, in microseconds of the server's clock.
    #[must_use]
    pub fn since_us<G: Game>(&self) -> u64 {
        self.assignment.tick_zero.plus_us(tick_us(G::TICK_HZ, self.assignment.since.0)).0
    }

    /// Where the session has its seat once the room is restored.
    #[must_use]
    pub fn location(&self, room: &RoomInfo, shards: usize) -> SeatLocation {
        SeatLocation { shard: self.shard(shards), room: room.id, seat: self.assignment }
    }
}

impl<G: Game> RoomLoop<G> {
    /// The room after its newest tick. To be called between turns.
    #[must_use]
    pub fn save(&self) -> Vec<u8> {
        let seat = |seat: &Seat| {
            Some(SavedSeat {
                session: seat.session,
                account: seat.account,
                occupant: self.room.saved_occupant(seat.assignment.player)?,
                assignment: seat.assignment,
                address: seat.address?,
                joined_at: seat.joined_at,
            })
        };
        let bots = self.seats.iter().filter(|seat| seat.address.is_none());
        let room = SavedRoom {
            tick_zero: self.tick_zero,
            time: self.room.saved_time(),
            ends_at: self.policy.ends_at,
            running: self.running.clone(),
            host: self.seats.host,
            seats: self.seats.iter().filter_map(seat).collect(),
            gone: bots.map(|seat| seat.assignment.player).collect(),
            queue: self.queue.places(|request| request.address.is_some()),
            reservations: self.reservations.iter().collect(),
        };
        saved::save(&(room, self.room.game()))
    }

    /// The room that goes on from what [`RoomLoop::save`] wrote, with every seat kept for a lost connection; without a world, in a new one.
    /// The first `sockets` of the shards have clients.
    #[must_use]
    pub fn restored(
        info: RoomInfo,
        policy: Policy,
        game: &Arc<G::Config>,
        (shards, sockets): (usize, usize),
        now: MonoTime,
        (saved, world): (SavedRoom, Option<G>),
        limits: &impl SeatLimits,
    ) -> Self {
        let SavedRoom { tick_zero, time, ends_at, running, host, seats, gone, queue, reservations } = saved;
        let mut restored = RoomLoop::new(info, Policy { ends_at, ..policy }, game, shards, tick_zero);
        let is_new = world.is_none();
        restored.room.restore(time, world);
        (restored.now, restored.tick) = (now, time.tick.after(1));
        (restored.running, restored.activity) = (running.filter(|_| !is_new), Activity::Asleep);
        for saved in &seats {
            let (player, role) = (saved.assignment.player, saved.assignment.role);
            restored.room.restore_seat(player, saved.occupant.clone(), role == Role::Play);
            if is_new && role == Role::Play {
                restored.room.enter_world(player);
            }
        }
        if !is_new {
            gone.into_iter().for_each(|player| restored.room.leave_world(player));
        }
        restored.room.restore_match();
        for saved in &seats {
            let shard = saved.shard(sockets);
            restored.restore_seat(saved, shard, limits);
        }
        restored.queue.keep_places(queue);
        for (number, until) in reservations {
            restored.reservations.keep(number, until, Hold::default());
        }
        // Nobody could be seated since.
        restored.reservations.prolong(now.us_since(restored.room.due_at(time.tick)));
        restored.seats.host = host.filter(|host| restored.seats.get(*host).is_some());
        // The recording of the match goes on from here, since the match has the same id.
        if restored.running.is_some() {
            restored.room.begin_recording();
        }
        restored.end_match_if_empty();
        restored
    }

    fn restore_seat(&mut self, saved: &SavedSeat, shard: usize, limits: &impl SeatLimits) {
        let SavedSeat { session, account, occupant: _, assignment, address, joined_at } = *saved;
        let room = self.info.id;
        let share = match assignment.role {
            Role::Play => AddressShare::Seat { room, max: self.policy.seats_per_address },
            Role::Spectate => AddressShare::Spectator { room },
        };
        // They had their seats before: a limit that is exceeded now keeps others out, not them.
        let take = |share| limits.take(address, share).unwrap_or_default();
        let link = &mut self.links[shard];
        if link.seats == 0 {
            link.outgoing.push(ShardCommand::RoomOpened(self.info, self.room.roster()));
        }
        link.seats += 1;
        link.outgoing.push(ShardCommand::SeatRestored(room, session, assignment));
        self.seats.insert(Seat {
            connection: ConnectionId { shard, ..ConnectionId::NONE },
            session,
            assignment,
            address: Some(address),
            account,
            joined_at,
            _hold: take(share),
            parked: Some((self.now, take(AddressShare::Parked))),
        });
    }
}

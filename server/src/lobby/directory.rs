//! The rooms by number and by code: opening, finding, reserving, retiring.

mod moved;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use broadside_shared::game::{Game, WhenFull};
use broadside_shared::ids::RoomId;
use broadside_shared::protocol::close::CloseCode;
use broadside_shared::protocol::room::{ModeId, RoomChoice, RoomCode};
use dashmap::DashMap;
use dashmap::mapref::entry::Entry;

use broadside_core::admission::matching::{self, Fill};
use broadside_core::admission::reservations::RESERVED_MAX;
use broadside_core::commands::{Hold, JoinMethod, MinuteFor, RoomCommand, SeatLocation};
use broadside_core::room::{RoomConfig, mode_name, seats_max};
use broadside_core::room_loop::SavedRoom;

use crate::checkpoints::SavedEntry;
use crate::limits::holds::TooMuch;
use crate::limits::rates::{AddressRates, Rate};
use crate::metrics::labels::AddressLimit;
use crate::peers::{NodeId, rooms_of};
use crate::rooms::context::ServerContext;
use crate::rooms::entry::RoomEntry;
use crate::rooms::handle::{RoomHandle, RoomSpec};
use crate::rooms::pool::Pool;
use crate::secret;

/// How long a reserved seat is kept, in seconds.
pub const RESERVATION_S: u32 = 15;
/// Time after which an ephemeral room ends that is not played, in seconds. Spectators and bots do not keep it open.
pub const EMPTY_S: u64 = 30;

/// Why no room was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there are {0} rooms, as many as this server opens (--max-rooms); join one of them, or try again later")]
pub struct TooManyRooms(pub usize);

/// Why no seat was reserved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotReserved {
    /// The room has as many reservations as it may.
    RoomFull,
    /// The address is at a limit.
    TooMuch(TooMuch),
}

/// The rooms of a server, whatever game is played in them: what the HTTP API sees of [`Directory`]. The calls are described there.
pub trait Rooms: Send + Sync {
    /// Every room, in order of number.
    fn all(&self) -> Vec<Arc<RoomEntry>>;

    /// The room with this number, public or not, unless it has ended.
    fn get(&self, id: RoomId) -> Option<Arc<RoomEntry>>;

    /// See [`Directory::by_code`].
    ///
    /// # Errors
    /// The seconds until the address may look up again.
    fn by_code(&self, code: RoomCode, address: IpAddr) -> Result<Option<Arc<RoomEntry>>, u64>;

    /// Opens a room that ends when it was not played for [`EMPTY_S`] seconds. A private room is in no list and has a code. `opener` is the
    /// share of the address that opens it.
    ///
    /// # Errors
    /// When there are as many rooms as `--max-rooms` allows.
    fn open_ephemeral(
        &self,
        mode: ModeId,
        name: Option<String>,
        private: bool,
        opener: Hold,
    ) -> Result<Arc<RoomEntry>, TooManyRooms>;

    /// The room of [`Directory::quick_play`], with a seat reserved there for a client at `address`: the number that its join must show.
    ///
    /// # Errors
    /// When there is no room at all.
    fn reserve_best(
        &self,
        mode: ModeId,
        address: IpAddr,
        may_open: &dyn Fn() -> Result<Hold, CloseCode>,
    ) -> Result<(Arc<RoomEntry>, Result<u64, NotReserved>), CloseCode>;

    /// How full the best public room of a mode is; `None` without one.
    fn best_fill(&self, mode: ModeId) -> Option<Fill>;

    /// How full a room is.
    fn fill(&self, room: &RoomEntry) -> Fill;

    /// Reserves a seat for a client at `address` in a public room that has a free one: the number that its join must show. `None` if no seat
    /// is free, or the address may have none.
    fn reserve(&self, room: RoomId, address: IpAddr) -> Option<u64>;

    /// Frees a seat whose owner is not connected.
    fn leave(&self, seat: SeatLocation);

    /// Keeps the last minute of a room under this id, if the room is recorded.
    fn keep_minute(&self, room: RoomId, id: [u8; 16], whom: MinuteFor);

    /// Ends a room, whoever plays in it.
    fn close(&self, id: RoomId);

    /// Lets nobody in from here on: not into a room, and no room is opened. Whoever has a seat keeps it.
    fn drain(&self);

    /// Whether nobody is let in any more.
    fn is_draining(&self) -> bool;

    /// See [`Directory::sweep`].
    fn sweep(&self, still_us: u64);

    /// Ends the threads of the rooms.
    fn end_threads(&self);

    /// Ends the rooms, after their threads.
    fn end_rooms(&self);
}

/// The rooms by number and by code. No lock is held across an await or inside a tick: callers get a shared handle.
pub struct Directory<G: Game> {
    rooms: DashMap<RoomId, Arc<RoomHandle<G>>>,
    by_code: DashMap<RoomCode, RoomId>,
    /// The numbers here of rooms that have moved here from another node, by their numbers there.
    moved: DashMap<RoomId, RoomId>,
    /// In the number of each room.
    node: NodeId,
    /// How many rooms were opened.
    next: AtomicU32,
    /// Held while an ephemeral room is opened, so that `max_rooms` holds.
    opening: Mutex<()>,
    /// See [`Directory::taking`].
    taking: Mutex<()>,
    context: ServerContext,
    pool: Arc<Pool<G>>,
    game: Arc<G::Config>,
    /// Shared by all rooms but for mode, capacity and seed.
    common: RoomConfig,
    max_rooms: usize,
    /// The rate at which addresses look up codes.
    look_ups: AddressRates,
    /// Whether nobody is let in any more.
    is_draining: AtomicBool,
}

impl<G: Game> Directory<G> {
    /// A directory without rooms.
    #[must_use]
    pub fn new(
        context: ServerContext,
        pool: Arc<Pool<G>>,
        game: Arc<G::Config>,
        common: RoomConfig,
        (max_rooms, node): (usize, NodeId),
    ) -> Self {
        let (rooms, by_code, moved) = (DashMap::new(), DashMap::new(), DashMap::new());
        let look_ups = AddressRates::new(Rate::LOOK_UPS);
        Directory {
            rooms,
            by_code,
            moved,
            node,
            next: AtomicU32::new(1),
            opening: Mutex::new(()),
            taking: Mutex::new(()),
            context,
            pool,
            game,
            common,
            max_rooms,
            look_ups,
            is_draining: AtomicBool::new(false),
        }
    }

    /// The threads that run the rooms.
    #[must_use]
    pub fn pool(&self) -> &Pool<G> {
        &self.pool
    }

    /// Opens a persistent room of the first mode. Its capacity is the configured one.
    pub fn open_persistent(&self, name: &str) -> Arc<RoomHandle<G>> {
        self.open(|id| RoomSpec {
            name: name.to_owned(),
            config: self.config(ModeId(0), id),
            code: None,
            is_ephemeral: false,
            opener: Hold::default(),
        })
    }

    /// See [`Rooms::open_ephemeral`]; `opening` is locked.
    fn open_locked(
        &self,
        mode: ModeId,
        name: Option<String>,
        private: bool,
        opener: Hold,
    ) -> Result<Arc<RoomHandle<G>>, TooManyRooms> {
        if self.rooms.len() >= self.max_rooms {
            return Err(TooManyRooms(self.max_rooms));
        }
        let code = private.then(|| self.new_code());
        let room = self.open(|id| RoomSpec {
            name: name.unwrap_or_else(|| self.default_name(mode, id)),
            config: self.config(mode, id),
            code,
            is_ephemeral: true,
            opener,
        });
        if let Some(code) = code {
            self.by_code.insert(code, room.id());
        }
        Ok(room)
    }

    /// The mode and the number; on a node of a cluster those of the node and of the room there.
    fn default_name(&self, mode: ModeId, id: RoomId) -> String {
        let mode = mode_name::<G>(mode);
        match self.node {
            0 => format!("{mode} {id}"),
            node => format!("{mode} {node}.{}", id.0 - rooms_of(node).0 + 1),
        }
    }

    /// The next number that no room has.
    pub fn next_free(&self) -> RoomId {
        let (first, count) = rooms_of(self.node);
        loop {
            let id = RoomId(first + (self.next.fetch_add(1, Ordering::Relaxed) - 1) % count);
            if !self.rooms.contains_key(&id) {
                return id;
            }
        }
    }

    fn open(&self, opening: impl FnOnce(RoomId) -> RoomSpec) -> Arc<RoomHandle<G>> {
        let id = self.next_free();
        let game = Arc::new(G::on_day(&self.game, self.context.clock.unix_day()));
        let room = Arc::new(RoomHandle::open(id, opening(id), &game, &self.context, &self.pool));
        self.rooms.insert(id, Arc::clone(&room));
        self.context.metrics.rooms.inc();
        room
    }

    /// Adds a room that goes on from a saved one. The first `sockets` of the shards have clients.
    pub fn restore(&self, entry: SavedEntry, saved: (SavedRoom, Option<G>), sockets: usize) {
        let SavedEntry { id, name, config, code, is_ephemeral } = entry;
        let spec = RoomSpec { name, config, code, is_ephemeral, opener: Hold::default() };
        // Should the room fail, it opens again with the rules of today.
        let game = Arc::new(G::on_day(&self.game, self.context.clock.unix_day()));
        let room = RoomHandle::restore(id, spec, saved, sockets, &game, &self.context, &self.pool);
        self.rooms.insert(id, Arc::new(room));
        self.context.metrics.rooms.inc();
        if let Some(code) = code {
            self.by_code.insert(code, id);
        }
        let (first, count) = rooms_of(self.node);
        if let Some(opened) = id.0.checked_sub(first).filter(|opened| *opened < count) {
            self.next.fetch_max(opened + 2, Ordering::Relaxed);
        }
    }

    /// Every room as bytes. To be called once the threads of the rooms have ended; the rooms are gone afterwards.
    #[must_use]
    pub fn save(&self) -> BTreeMap<RoomId, Vec<u8>> {
        let asleep = self.all().into_iter().filter_map(|room| room.take_asleep());
        let rooms = self.pool.take_all().into_iter().chain(asleep);
        rooms.filter_map(|room| Some((room.room().info().id, room.stand_still()?))).collect()
    }

    /// How many rooms were opened, and one.
    #[must_use]
    pub fn next_id(&self) -> u32 {
        self.next.load(Ordering::Relaxed)
    }

    /// Goes on after the rooms of another server.
    pub fn skip_to(&self, id: u32) {
        self.next.fetch_max(id, Ordering::Relaxed);
    }

    fn config(&self, mode: ModeId, id: RoomId) -> RoomConfig {
        let capacity = self.common.capacity.min(seats_max::<G>(mode));
        RoomConfig {
            mode,
            capacity,
            seed: self.common.seed.wrapping_add(u64::from(id.0 - rooms_of(self.node).0)),
            ..self.common
        }
    }

    /// A code that no room has.
    fn new_code(&self) -> RoomCode {
        loop {
            // The remainder of 64 bits favours no letter by more than one part in 10^17.
            let code = RoomCode::from_picks(|count| (secret::number() % count as u64) as usize);
            if let Entry::Vacant(_) = self.by_code.entry(code) {
                return code;
            }
        }
    }

    /// The room that a client at `address` requests, and how it found the room. `may_open` is called before a room is opened for it.
    ///
    /// # Errors
    /// The code to close the connection with, when there is no such room.
    pub fn find(
        &self,
        choice: RoomChoice,
        address: IpAddr,
        may_open: impl FnOnce() -> Result<Hold, CloseCode>,
    ) -> Result<(Arc<RoomHandle<G>>, JoinMethod), CloseCode> {
        if self.is_draining() {
            return Err(CloseCode::GoingAway);
        }
        let room = match choice {
            RoomChoice::Quick => self.quick_play(ModeId(0), may_open)?,
            RoomChoice::Mode(mode) => self.quick_play(mode, may_open)?,
            RoomChoice::Room(id) => {
                self.get(self.number_here(id)).filter(|room| room.code.is_none()).ok_or(CloseCode::NoSuchRoom)?
            }
            RoomChoice::Code(code) => {
                let Some(code) = code else { return Err(CloseCode::NoSuchRoom) };
                let found = self.by_code(code, address).map_err(|_| CloseCode::TooManyFromAddress)?;
                return found.map(|room| (room, JoinMethod::Code)).ok_or(CloseCode::NoSuchRoom);
            }
            RoomChoice::Reserved { room, reservation } => {
                // Only public rooms have reservations.
                let room = self.get(room).filter(|room| room.code.is_none()).ok_or(CloseCode::NoSuchRoom)?;
                return Ok((room, JoinMethod::Reservation(reservation)));
            }
        };
        Ok((room, JoinMethod::Public))
    }

    /// The room that one of the server's own bots joins.
    ///
    /// # Errors
    /// When it has ended, or the bot requests anything but a room by its number.
    pub fn find_for_bot(&self, choice: RoomChoice) -> Result<(Arc<RoomHandle<G>>, JoinMethod), CloseCode> {
        let RoomChoice::Room(id) = choice else { return Err(CloseCode::NoSuchRoom) };
        self.get(id).map(|room| (room, JoinMethod::Public)).ok_or(CloseCode::NoSuchRoom)
    }

    /// The best public room of a mode. If none has a free seat, its players wait in the join queue, for company, or a room is opened if
    /// `may_open` allows it, as the mode says.
    ///
    /// # Errors
    /// When there is no room at all: the code of `may_open`, or [`CloseCode::RoomFull`] at the limit of rooms. [`CloseCode::NoSuchRoom`]
    /// for a mode that the game does not have.
    pub fn quick_play(
        &self,
        mode: ModeId,
        may_open: impl FnOnce() -> Result<Hold, CloseCode>,
    ) -> Result<Arc<RoomHandle<G>>, CloseCode> {
        if self.is_draining() {
            return Err(CloseCode::GoingAway);
        }
        let spec = G::MODES.get(usize::from(mode.0)).ok_or(CloseCode::NoSuchRoom)?;
        let takes_one_more = |fill: &Fill| fill.has_room() || spec.when_full == WhenFull::Queue;
        if let Some((room, _)) = self.best(mode).filter(|(_, fill)| takes_one_more(fill)) {
            return Ok(room);
        }
        // Two who come at the same moment meet: the second finds the room of the first.
        let _opening = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        match self.best(mode) {
            Some((room, fill)) if takes_one_more(&fill) => Ok(room),
            other => {
                let opened = may_open().and_then(|opener| {
                    self.open_locked(mode, None, false, opener).map_err(|TooManyRooms(_)| CloseCode::RoomFull)
                });
                opened.or_else(|why| other.map(|(room, _)| room).ok_or(why))
            }
        }
    }

    /// Reserves a seat in a room for a client at `address`. Returns the number that its join must show. A room that has ended keeps
    /// nothing; the join is then refused.
    ///
    /// # Errors
    /// When the room or the address is at its limit of reservations.
    pub fn reserve(&self, room: RoomId, address: IpAddr) -> Result<u64, NotReserved> {
        let number = secret::number();
        let Some(room) = self.get(room) else { return Ok(number) };
        // Commands that the room has not handled yet may be reservations too.
        let coming = room.status.coming.load(Ordering::Relaxed) as usize;
        if usize::from(room.status.reserved.load(Ordering::Relaxed)).saturating_add(coming) >= RESERVED_MAX {
            return Err(NotReserved::RoomFull);
        }
        let limits = &self.context.limits;
        let wants = limits.caps().reservation(room.id(), room.seats_per_address());
        let hold = limits.take(address, &wants).map_err(NotReserved::TooMuch)?;
        let until = self.context.clock.now().plus_us(u64::from(RESERVATION_S) * 1_000_000);
        // It may have ended since.
        let _ = room.send(RoomCommand::Reserve(number, until, hold));
        Ok(number)
    }

    /// To be held from a quick play until the join, or the reservation, was sent: the next one then counts it, and two do not take the
    /// same last seat, of which one would wait for the end of the other's match.
    pub fn taking(&self) -> MutexGuard<'_, ()> {
        self.taking.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The best public room of a mode, and how full it is.
    fn best(&self, mode: ModeId) -> Option<(Arc<RoomHandle<G>>, Fill)> {
        // Yesterday's rules are played to the end, and by nobody new.
        let day = (G::DAILY == Some(mode)).then(|| self.context.clock.unix_day());
        let today = |room: &RoomHandle<G>| day.is_none_or(|day| room.day == day);
        let open = |room: &RoomHandle<G>| {
            room.code.is_none() && room.info.config.mode == mode && today(room) && !room.is_over()
        };
        let rooms = self.rooms.iter().filter(|room| open(room)).map(|room| (room.id(), fill(&room)));
        matching::best(rooms).and_then(|(id, fill)| Some((self.get(id)?, fill)))
    }

    /// The room with this number, public or not, unless it has ended.
    #[must_use]
    pub fn get(&self, id: RoomId) -> Option<Arc<RoomHandle<G>>> {
        self.rooms.get(&id).map(|entry| Arc::clone(entry.value())).filter(|room| !room.is_over())
    }

    /// The private room with this code, if there is one, for a client at `address`.
    ///
    /// # Errors
    /// The seconds until the address may look up again: the limit keeps clients from trying one code after the other.
    pub fn by_code(&self, code: RoomCode, address: IpAddr) -> Result<Option<Arc<RoomHandle<G>>>, u64> {
        self.look_up(address, || {
            let id = self.by_code.get(&code).map(|id| *id);
            id.and_then(|id| self.get(id))
        })
    }

    /// Looks something up by a code, wherever it is.
    ///
    /// # Errors
    /// As [`Directory::by_code`].
    pub fn look_up<T>(&self, address: IpAddr, find: impl FnOnce() -> Option<T>) -> Result<Option<T>, u64> {
        // Taken before the look-up: a refusal must not reveal whether there is such a room.
        self.look_ups.take(address, Rate::MISS, self.context.clock.now()).inspect_err(|_| {
            self.context.refused(address, AddressLimit::LookUps);
        })?;
        let found = find();
        if found.is_some() {
            self.look_ups.give_back(address, Rate::MISS - 1);
        }
        Ok(found)
    }

    /// How full the best public room of a mode is.
    #[must_use]
    pub fn best_fill(&self, mode: ModeId) -> Option<Fill> {
        self.best(mode).map(|(_, fill)| fill)
    }

    /// Whether a private room here has this code. Whoever asks is limited by the caller.
    #[must_use]
    pub fn has_code(&self, code: RoomCode) -> bool {
        self.by_code.contains_key(&code)
    }

    /// Every room, in order of number.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<RoomHandle<G>>> {
        let mut rooms: Vec<_> = self.rooms.iter().map(|entry| Arc::clone(entry.value())).collect();
        rooms.sort_by_key(|room| room.id());
        rooms
    }

    /// Retires ephemeral rooms that were not played for [`EMPTY_S`] seconds, and removes those that have ended. Since the last call the
    /// server stood still for `still_us` microseconds, in which no client could join; they do not count.
    pub fn sweep(&self, still_us: u64) {
        let now = self.context.clock.now();
        self.look_ups.forget(now);
        for room in self.all().into_iter().filter(|room| room.is_ephemeral) {
            let postpone = |since: u64| (since != 0).then_some(since.saturating_add(still_us));
            let _ = room.status.unplayed_since.fetch_update(Ordering::Relaxed, Ordering::Relaxed, postpone);
            let unplayed_since = room.status.unplayed_since.load(Ordering::Relaxed);
            if unplayed_since != 0 && now.0.saturating_sub(unplayed_since) > EMPTY_S * 1_000_000 {
                room.retire();
            }
            if room.is_over() && self.rooms.remove(&room.id()).is_some() {
                room.code.map(|code| self.by_code.remove(&code));
                self.moved.retain(|_, here| *here != room.id());
                self.context.metrics.rooms.dec();
            }
        }
    }
}

impl<G: Game> Rooms for Directory<G> {
    fn all(&self) -> Vec<Arc<RoomEntry>> {
        self.all().iter().map(|room| room.entry()).collect()
    }

    fn get(&self, id: RoomId) -> Option<Arc<RoomEntry>> {
        self.get(id).map(|room| room.entry())
    }

    fn by_code(&self, code: RoomCode, address: IpAddr) -> Result<Option<Arc<RoomEntry>>, u64> {
        Ok(self.by_code(code, address)?.map(|room| room.entry()))
    }

    fn open_ephemeral(
        &self,
        mode: ModeId,
        name: Option<String>,
        private: bool,
        opener: Hold,
    ) -> Result<Arc<RoomEntry>, TooManyRooms> {
        let _opening = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        self.open_locked(mode, name, private, opener).map(|room| room.entry())
    }

    fn reserve_best(
        &self,
        mode: ModeId,
        address: IpAddr,
        may_open: &dyn Fn() -> Result<Hold, CloseCode>,
    ) -> Result<(Arc<RoomEntry>, Result<u64, NotReserved>), CloseCode> {
        let _taking = self.taking();
        let room = self.quick_play(mode, may_open)?;
        Ok((room.entry(), self.reserve(room.id(), address)))
    }

    fn best_fill(&self, mode: ModeId) -> Option<Fill> {
        self.best_fill(mode)
    }

    fn fill(&self, room: &RoomEntry) -> Fill {
        fill(room)
    }

    fn reserve(&self, room: RoomId, address: IpAddr) -> Option<u64> {
        let _taking = self.taking();
        let found = self.get(room).filter(|room| room.code.is_none() && fill(room).has_room())?;
        (!self.is_draining()).then(|| self.reserve(found.id(), address).ok()).flatten()
    }

    fn leave(&self, seat: SeatLocation) {
        // An ended room has no seats to free.
        let _ = self.get(seat.room).map(|room| room.send(RoomCommand::Leave(seat.seat)));
    }

    fn keep_minute(&self, room: RoomId, id: [u8; 16], whom: MinuteFor) {
        // A room that has ended has none.
        let _ = self.get(room).map(|room| room.send(RoomCommand::KeepMinute(id, whom)));
    }

    fn close(&self, id: RoomId) {
        if let Some(room) = self.get(id) {
            room.close();
        }
    }

    fn drain(&self) {
        self.is_draining.store(true, Ordering::Relaxed);
    }

    fn is_draining(&self) -> bool {
        self.is_draining.load(Ordering::Relaxed)
    }

    fn sweep(&self, still_us: u64) {
        self.sweep(still_us);
    }

    fn end_threads(&self) {
        self.pool.end();
    }

    fn end_rooms(&self) {
        self.pool.end_rooms();
    }
}

fn fill(room: &RoomEntry) -> Fill {
    let status = &room.status;
    let coming = status.coming.load(Ordering::Acquire);
    // Bots make way for people.
    let people = status.players.load(Ordering::Relaxed).saturating_sub(status.bots.load(Ordering::Relaxed));
    let taken = people + status.reserved.load(Ordering::Relaxed);
    let waiting = status.waiting.load(Ordering::Relaxed).saturating_add(coming);
    Fill { taken: u32::from(taken), capacity: u32::from(room.info.config.capacity), waiting }
}

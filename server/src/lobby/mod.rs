//! The directory of rooms: which there are, and how to reach each.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use broadside_shared::game::Game;
use broadside_shared::protocol::message::RoomId;
use dashmap::DashMap;

use crate::clock::MonoClock;
use crate::driver::RoomHandle;
use crate::room::RoomConfig;

/// The rooms by number. No lock of it is held across an await or inside a tick: what comes out is a shared handle.
pub struct Directory<G: Game> {
    rooms: DashMap<RoomId, Arc<RoomHandle<G>>>,
    next: AtomicU32,
}

impl<G: Game> Directory<G> {
    /// No rooms.
    #[must_use]
    pub fn new() -> Self {
        Directory { rooms: DashMap::new(), next: AtomicU32::new(1) }
    }

    /// Opens a room.
    ///
    /// # Errors
    /// When the operating system gives no thread.
    pub fn open(&self, name: &str, config: RoomConfig, clock: MonoClock) -> std::io::Result<Arc<RoomHandle<G>>> {
        let id = RoomId(self.next.fetch_add(1, Ordering::Relaxed));
        let room = Arc::new(RoomHandle::open(id, name, config, clock)?);
        self.rooms.insert(id, Arc::clone(&room));
        Ok(room)
    }

    /// The room that someone who just wants to play joins.
    #[must_use]
    pub fn for_quick_play(&self) -> Option<Arc<RoomHandle<G>>> {
        self.all().into_iter().next()
    }

    /// Every room, in order of number.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<RoomHandle<G>>> {
        let mut rooms: Vec<_> = self.rooms.iter().map(|entry| Arc::clone(entry.value())).collect();
        rooms.sort_by_key(|room| room.id);
        rooms
    }

    /// Ends every room and waits for their threads.
    pub fn end(&self) {
        for room in self.all() {
            room.end();
        }
    }
}

impl<G: Game> Default for Directory<G> {
    fn default() -> Self {
        Self::new()
    }
}

//! What lies between the rooms: the directory of rooms, sessions, topics.
//!
//! | module | what it holds |
//! |---|---|
//! | [`sessions`] | who is connected or may come back, and the names players find each other by |
//! | [`topics`] | publish and subscribe: encoded once, kept for who comes later |

pub mod sessions;
pub mod topics;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use broadside_shared::game::Game;
use broadside_shared::protocol::message::RoomId;
use dashmap::DashMap;

use crate::driver::{Grounds, RoomHandle};
use crate::room::RoomConfig;

/// The rooms by number. No lock of it is held across an await or inside a tick: what comes out is a shared handle.
pub struct Directory<G: Game> {
    rooms: DashMap<RoomId, Arc<RoomHandle<G>>>,
    next: AtomicU32,
    grounds: Grounds<G>,
}

impl<G: Game> Directory<G> {
    /// No rooms; those to come stand on `grounds`.
    #[must_use]
    pub fn new(grounds: Grounds<G>) -> Self {
        Directory { rooms: DashMap::new(), next: AtomicU32::new(1), grounds }
    }

    /// Opens a room.
    ///
    /// # Errors
    /// When the operating system gives no thread.
    pub fn open(&self, name: &str, config: RoomConfig) -> std::io::Result<Arc<RoomHandle<G>>> {
        let id = RoomId(self.next.fetch_add(1, Ordering::Relaxed));
        let room = Arc::new(RoomHandle::open(id, name, config, &self.grounds)?);
        self.rooms.insert(id, Arc::clone(&room));
        self.grounds.metrics.rooms.inc();
        Ok(room)
    }

    /// The room that someone who just wants to play joins: the fullest that has a free seat; if none has, the one with the shortest
    /// line.
    #[must_use]
    pub fn for_quick_play(&self) -> Option<Arc<RoomHandle<G>>> {
        self.all().into_iter().min_by_key(|room| {
            let (players, line) =
                (room.figures.players.load(Ordering::Relaxed), room.figures.waiting.load(Ordering::Relaxed));
            let free = room.config.capacity.saturating_sub(players);
            (free == 0, line, free)
        })
    }

    /// The room with this number.
    #[must_use]
    pub fn get(&self, id: RoomId) -> Option<Arc<RoomHandle<G>>> {
        self.rooms.get(&id).map(|entry| Arc::clone(entry.value()))
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

//! The leaderboard of all rooms: assembled once a second, published when it changed, kept for HTTP requests.

use std::sync::{Arc, Mutex, PoisonError};

use broadside_shared::protocol::limits::BOARD_LINES_MAX;
use broadside_shared::protocol::message::{Leader, Publication};
use broadside_shared::protocol::topic::Topic;
use broadside_shared::time::MonoTime;

use crate::rooms::context::ServerContext;
use crate::rooms::entry::RoomEntry;

#[derive(Debug, Default)]
pub struct Leaderboard {
    newest: Mutex<(MonoTime, Arc<[Leader]>)>,
}

impl Leaderboard {
    /// When it last changed, by the server's clock, and the best players of all rooms, best first.
    #[must_use]
    pub fn newest(&self) -> (MonoTime, Arc<[Leader]>) {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Assembles it again from these rooms and the best players elsewhere, and publishes it if it changed.
    pub fn renew(&self, rooms: &[Arc<RoomEntry>], elsewhere: Vec<Leader>, context: &ServerContext) {
        let mut leaders = best_of(rooms);
        leaders.extend(elsewhere);
        leaders.sort_by_key(|leader| std::cmp::Reverse(leader.score));
        leaders.truncate(BOARD_LINES_MAX);
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        if *newest.1 != leaders[..] {
            newest.1 = leaders.clone().into();
            newest.0 = context.publish(Topic::Leaderboard, None, Publication::Leaders(leaders));
        }
    }
}

/// The best players of these rooms, best first, the private ones left out.
#[must_use]
pub fn best_of(rooms: &[Arc<RoomEntry>]) -> Vec<Leader> {
    let mut leaders: Vec<Leader> = Vec::new();
    for room in rooms.iter().filter(|room| room.code.is_none()) {
        let best = Arc::clone(&room.status.best.lock().unwrap_or_else(PoisonError::into_inner));
        let of_room = best.iter().map(|(name, score)| Leader { name: name.clone(), room: room.id(), score: *score });
        leaders.extend(of_room);
    }
    leaders.sort_by_key(|leader| std::cmp::Reverse(leader.score));
    leaders.truncate(BOARD_LINES_MAX);
    leaders
}

//! Rooms of other nodes that have moved here: they go on under other numbers, and links have those of the other node.

use broadside_shared::game::Game;
use broadside_shared::ids::RoomId;

use broadside_core::room_loop::SavedRoom;

use super::Directory;
use crate::checkpoints::SavedEntry;

impl<G: Game> Directory<G> {
    /// Adds a room of another node, which goes on here under another number, until it was not played for [`EMPTY_S`](super::EMPTY_S) seconds.
    pub fn move_in(&self, entry: SavedEntry, id: RoomId, saved: (SavedRoom, Option<G>), sockets: usize) {
        self.moved.insert(entry.id, id);
        self.restore(SavedEntry { id, is_ephemeral: true, ..entry }, saved, sockets);
    }

    /// Whether a room has moved here that had this number on another node.
    #[must_use]
    pub fn has_moved_here(&self, there: RoomId) -> bool {
        self.moved.contains_key(&there)
    }

    /// The number here of a room that had this number on another node, or else this number.
    pub(super) fn number_here(&self, there: RoomId) -> RoomId {
        self.moved.get(&there).map_or(there, |here| *here)
    }
}

//! What the server knows of a room, whatever game is played in it.

use std::sync::Arc;

use broadside_core::commands::RoomInfo;
use broadside_shared::ids::RoomId;
use broadside_shared::protocol::room::RoomCode;

use super::status::RoomStatus;
use crate::limits::holds::share;

/// See the module.
pub struct RoomEntry {
    pub info: RoomInfo,
    pub name: String,
    pub status: Arc<RoomStatus>,
    /// The day it was opened on, or restored: see `MonoClock::unix_day`.
    pub day: u32,
    /// The code to join it with, if it is private.
    pub code: Option<RoomCode>,
    /// Whether it ends when it was not played for a while.
    pub is_ephemeral: bool,
}

impl RoomEntry {
    #[must_use]
    pub fn id(&self) -> RoomId {
        self.info.id
    }

    /// Limit of seats per address.
    #[must_use]
    pub fn seats_per_address(&self) -> usize {
        seats_per_address(self.is_ephemeral, self.info.config.capacity)
    }

    /// Whether the room has ended.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.status.is_over()
    }
}

/// A share of a persistent room. An ephemeral room may belong to one family or one school, and quick play opens another when its seats
/// are taken: there the number of rooms that an address may open is the limit.
pub(super) fn seats_per_address(is_ephemeral: bool, capacity: u16) -> usize {
    if is_ephemeral { usize::from(capacity) } else { share(usize::from(capacity)) }
}

//! The numbers that name rooms, seats, entities and accounts, on the wire and in every module.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// A room's number on its server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RoomId(pub u32);

impl std::fmt::Display for RoomId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// A seat's number in its room: small, reused after the player has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct PlayerId(pub u16);

impl std::fmt::Display for PlayerId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(&self.0, f)
    }
}

/// An account: whoever it belongs to, on every server that shares the database. Random, so that it reveals nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AccountId(pub [u8; 16]);

/// 32 hexadecimal digits.
impl std::fmt::Display for AccountId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A replicated entity's number in its room. A game allocates numbers with [`EntityIds`], so that a number is not reused while a
/// client may still hold its former entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct EntityId(pub u16);

/// Allocates entity numbers: first freed, first reused, each held by at most one entity at a time.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct EntityIds {
    fresh: u32,
    freed: VecDeque<u16>,
}

impl EntityIds {
    /// A freed number is reused only after this many others have been freed, so that it does not come back within the snapshot
    /// history of a busy world.
    const QUARANTINE: usize = 512;

    /// The next number, or `None` when all 65,536 are taken.
    pub fn take(&mut self) -> Option<EntityId> {
        if self.freed.len() > Self::QUARANTINE || self.fresh > u32::from(u16::MAX) {
            return self.freed.pop_front().map(EntityId);
        }
        let id = self.fresh as u16;
        self.fresh += 1;
        Some(EntityId(id))
    }

    /// Returns a number that [`EntityIds::take`] gave.
    pub fn free(&mut self, id: EntityId) {
        self.freed.push_back(id.0);
    }
}

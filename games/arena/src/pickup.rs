//! Pickups: bonuses for the first ship that flies over them.

use glam::Vec2;
use serde::{Deserialize, Serialize};

use super::fields::{self, PICKUP};
use super::rules::{RAPID, REPAIR, SCORE_PICKUP, SHIELD_MAX};
use super::ship::LocalPlayerState;
use broadside_shared::hash::WorldHash;
use broadside_shared::ids::EntityId;
use broadside_shared::replication::fields::Record;

/// The effect of a pickup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Boon {
    /// Restores part of the hull.
    Repair,
    /// Halves the time between shots for some seconds.
    Rapid,
    /// A shield that takes damage before the hull, and fades.
    Shield,
}

impl Boon {
    /// Every kind of pickup, in order of its number on the wire.
    pub const ALL: [Boon; 3] = [Boon::Repair, Boon::Rapid, Boon::Shield];

    /// Its number on the wire, 2 bits.
    #[must_use]
    pub fn number(self) -> u8 {
        self as u8
    }

    /// The pickup with a number; unused numbers count as repairs.
    #[must_use]
    pub fn of(number: u32) -> Boon {
        Boon::ALL.get(number as usize).copied().unwrap_or(Boon::Repair)
    }

    /// Applies the effect to a ship.
    pub(super) fn bless(self, own: &mut LocalPlayerState) {
        match self {
            Boon::Repair => own.repair(REPAIR),
            Boon::Rapid => own.rapid = RAPID,
            Boon::Shield => own.shield = SHIELD_MAX,
        }
        own.score += SCORE_PICKUP;
    }
}

/// A pickup, placed on the wire's grid.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Pickup {
    /// The pickup's number in the room.
    pub id: EntityId,
    /// Its centre in world units.
    pub at: Vec2,
    /// Its effect.
    pub what: Boon,
}

impl Pickup {
    /// The pickup as it is replicated.
    #[must_use]
    #[inline]
    pub fn record(&self) -> Record {
        Record::pack(self.id, PICKUP, fields::spec(PICKUP), &[self.at.x, self.at.y, f32::from(self.what.number())])
    }

    /// The pickup of a record of kind [`fields::PICKUP`].
    #[must_use]
    pub fn read(record: &Record) -> Pickup {
        let [x, y, ..] = fields::unpack(record);
        Pickup { id: record.id, at: Vec2::new(x, y), what: Boon::of(record.values[2].cast_unsigned()) }
    }

    pub(super) fn hash(&self, hash: &mut WorldHash) {
        hash.u64(u64::from(self.id.0) << 8 | u64::from(self.what.number()));
        hash.vec2(self.at);
    }
}

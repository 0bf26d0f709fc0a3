//! A shot: its start at the muzzle, from which both ends compute its whole path.

use glam::Vec2;
use serde::{Deserialize, Serialize};

use super::fields::{self, SHOT};
use super::rules::{DT, SHOT_LIFE};
use broadside_shared::hash::WorldHash;
use broadside_shared::ids::{EntityId, PlayerId};
use broadside_shared::replication::fields::Record;
use broadside_shared::time::Tick;

/// A shot in flight. Origin and velocity are on the wire's grid, so that server and clients compute the same path.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Shot {
    /// The shot's number in the room.
    pub id: EntityId,
    /// The shooter.
    pub owner: PlayerId,
    /// The muzzle at the tick it was fired, in world units.
    pub origin: Vec2,
    /// Velocity in units per second.
    pub velocity: Vec2,
    /// The tick it was fired at.
    pub start: Tick,
}

impl Shot {
    /// The record of a shot, which rounds it to the wire's grid.
    #[must_use]
    #[inline]
    pub fn record(&self) -> Record {
        let mut record = Record::pack(
            self.id,
            SHOT,
            fields::spec(SHOT),
            &[self.origin.x, self.origin.y, self.velocity.x, self.velocity.y, 0.0, f32::from(self.owner.0)],
        );
        // Set directly, since a float would lose the last bits of a large tick.
        record.values[4] = self.start.0.cast_signed();
        record
    }

    /// The shot of a record of kind [`fields::SHOT`].
    #[must_use]
    pub fn read(record: &Record) -> Shot {
        let [x, y, vx, vy, ..] = fields::unpack(record);
        Shot {
            id: record.id,
            owner: PlayerId(record.values[5] as u16),
            origin: Vec2::new(x, y),
            velocity: Vec2::new(vx, vy),
            start: Tick(record.values[4].cast_unsigned()),
        }
    }

    /// Position `age` ticks after it was fired; `age` may be a fraction, or negative inside the barrel.
    #[must_use]
    pub(crate) fn at_age(&self, age: f32) -> Vec2 {
        self.origin + self.velocity * (age * DT)
    }

    /// Position at a moment between ticks.
    #[must_use]
    pub fn position_at(&self, tick: f64) -> Vec2 {
        self.at_age((tick - f64::from(self.start.0)) as f32)
    }

    /// Whether its flight has ended at `tick`.
    #[must_use]
    pub(crate) fn spent_at(&self, tick: Tick) -> bool {
        tick.since(self.start) > SHOT_LIFE
    }

    /// Its path in the step to `tick`.
    pub(super) fn way(&self, tick: Tick) -> (Vec2, Vec2) {
        let age = tick.since(self.start) as f32;
        (self.at_age(age - 1.0), self.at_age(age))
    }

    pub(super) fn hash(&self, hash: &mut WorldHash) {
        hash.u64(u64::from(self.id.0) << 48 | u64::from(self.owner.0) << 32 | u64::from(self.start.0));
        hash.vec2(self.origin);
        hash.vec2(self.velocity);
    }
}

/// When a point that moves from `from` to `to` first touches a circle of `radius` around the origin, as a share 0..=1
/// of the path; `None` if it does not. Starting inside counts as touching at once.
#[must_use]
pub fn first_touch(from: Vec2, to: Vec2, radius: f32) -> Option<f32> {
    let way = to - from;
    let outside = from.length_squared() - radius * radius;
    if outside <= 0.0 {
        return Some(0.0);
    }
    let (a, b) = (way.length_squared(), from.dot(way));
    if b >= 0.0 || a <= f32::EPSILON {
        return None; // moving away, or not at all
    }
    let root = b * b - a * outside;
    if root < 0.0 {
        return None;
    }
    let share = (-b - root.sqrt()) / a;
    (share <= 1.0).then_some(share)
}

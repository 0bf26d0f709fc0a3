//! A beam: the trace of a rail shot. It takes effect in the tick it is fired and is only drawn after that.

use glam::Vec2;
use serde::{Deserialize, Serialize};

use super::fields::{self, BEAM};
use super::input::radians_of;
use super::rock::Rock;
use super::rules::{BEAM_LIFE, RAIL_RANGE};
use super::shot::first_touch;
use broadside_shared::hash::WorldHash;
use broadside_shared::ids::{EntityId, PlayerId};
use broadside_shared::math;
use broadside_shared::replication::fields::Record;
use broadside_shared::time::Tick;

/// A beam that still glows. Its origin is on the wire's grid and its direction exact, so that server and clients agree
/// on it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Beam {
    /// The beam's number in the room.
    pub id: EntityId,
    /// The shooter.
    pub owner: PlayerId,
    /// The muzzle at the tick it was fired, in world units.
    pub origin: Vec2,
    /// Direction in 1/65536 turn from +x toward +y.
    pub heading: u16,
    /// Length in world units, 0..=[`RAIL_RANGE`].
    pub length: f32,
    /// The tick it was fired at.
    pub start: Tick,
}

impl Beam {
    /// The record of a beam, which rounds it to the wire's grid.
    #[must_use]
    #[inline]
    pub fn record(&self) -> Record {
        let values = [self.origin.x, self.origin.y, 0.0, self.length, 0.0, f32::from(self.owner.0)];
        let mut record = Record::pack(self.id, BEAM, fields::spec(BEAM), &values);
        // Set directly, since floats would lose the last bits.
        record.values[2] = i32::from(self.heading);
        record.values[4] = self.start.0.cast_signed();
        record
    }

    /// The beam of a record of kind [`fields::BEAM`].
    #[must_use]
    pub fn read(record: &Record) -> Beam {
        let [x, y, _, length, ..] = fields::unpack(record);
        Beam {
            id: record.id,
            owner: PlayerId(record.values[5] as u16),
            origin: Vec2::new(x, y),
            heading: record.values[2] as u16,
            length,
            start: Tick(record.values[4].cast_unsigned()),
        }
    }

    /// The unit vector along it.
    #[must_use]
    pub fn direction(&self) -> Vec2 {
        math::heading(radians_of(self.heading))
    }

    /// Its far end.
    #[must_use]
    pub fn end(&self) -> Vec2 {
        self.origin + self.direction() * self.length
    }

    /// The point that decides its cell: no part of the beam is further from it than half its length.
    #[must_use]
    pub fn middle(&self) -> Vec2 {
        self.origin + self.direction() * (self.length * 0.5)
    }

    /// Whether it has stopped glowing at `tick`.
    #[must_use]
    pub(crate) fn spent_at(&self, tick: Tick) -> bool {
        tick.since(self.start) >= BEAM_LIFE
    }

    /// The distance from the muzzle at which it first touches a circle; `None` if it does not.
    #[must_use]
    pub fn touches(&self, at: Vec2, radius: f32) -> Option<f32> {
        let share = first_touch(self.origin - at, self.end() - at, radius)?;
        Some(share * self.length)
    }

    /// Shortens the beam to the first of `rocks` in its way.
    pub(crate) fn stop_at<'a>(&mut self, rocks: impl Iterator<Item = &'a Rock>) {
        let whole = Beam { length: RAIL_RANGE, ..*self };
        for rock in rocks {
            if let Some(distance) = whole.touches(rock.at, rock.radius) {
                self.length = self.length.min(distance);
            }
        }
    }

    pub(super) fn hash(&self, hash: &mut WorldHash) {
        hash.u64(u64::from(self.id.0) << 48 | u64::from(self.owner.0) << 32 | u64::from(self.start.0));
        hash.u64(u64::from(self.heading));
        hash.vec2(self.origin);
        hash.f32(self.length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beam_ends_at_the_nearest_rock_in_its_way_and_reads_back_as_written() {
        let rock = |x: f32, y: f32| Rock { id: EntityId(1), at: Vec2::new(x, y), radius: 50.0 };
        let mut beam = Beam {
            id: EntityId(7),
            owner: PlayerId(5000),
            origin: Vec2::new(100.0, -20.5),
            heading: 0,
            length: RAIL_RANGE,
            start: Tick(3_000_000_001 >> 1),
        };
        beam.stop_at([rock(700.0, -20.5), rock(450.0, -20.5), rock(300.0, 60.0), rock(-100.0, -20.5)].iter());
        assert!((beam.length - 300.0).abs() < 0.01, "{beam:?}");
        beam.length = 300.0;
        assert_eq!(Beam::read(&beam.record()), beam);
        assert_eq!(beam.end(), Vec2::new(400.0, -20.5));
        assert_eq!(beam.middle(), Vec2::new(250.0, -20.5));
    }
}

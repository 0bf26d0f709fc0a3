//! One field table per kind of entity. It drives quantizing, writing, reading, diffing and drawing, so that they cannot
//! drift apart.
//!
//! A replicated entity is a row of integers, one per field. The game quantizes its floats with [`FieldSpec::pack`], the
//! client restores them with [`FieldSpec::unpack`]. Everything between (cells, deltas, history) is integers, which are
//! equal on every machine.

use super::bits::{BitReader, BitWriter, WireError};
use super::cells::{CellId, POSITION_STEP};
use crate::ids::EntityId;
use crate::time::Tick;

/// Most fields of a kind.
pub const FIELDS_MAX: usize = 10;
/// Most kinds of a game; a kind's number takes 3 bits.
pub const KINDS_MAX: usize = 8;
/// Ticks in which an entity moves by its velocity: velocities are position steps per this many ticks, so that linear
/// prediction is integer arithmetic.
///
/// Coarse on purpose: the correction of the position is small either way, and both together take the fewest bits at
/// this value (measured with the example `ledger`).
pub const VELOCITY_TICKS: i32 = 2;

/// World units per second of one step of a velocity field, at `tick_hz`.
#[must_use]
pub(crate) const fn velocity_step(tick_hz: u32) -> f32 {
    POSITION_STEP * tick_hz as f32 / VELOCITY_TICKS as f32
}

/// A row of a kind's table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FieldSpec {
    /// Name in docs, logs and tests.
    pub name: &'static str,
    /// What the engine does with the field.
    pub role: FieldRole,
    /// Bits of the raw value.
    pub bits: u8,
    /// Game units per step of the integer. A game's value is rounded to the nearest step, so that the worst error is
    /// half a step.
    pub step: f32,
    /// Order of the exponential Golomb code of its differences: about log2 of the usual difference.
    pub k: u8,
}

/// What the engine does with a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldRole {
    /// Position along x: field 0 of every kind. Written relative to the cell.
    X,
    /// Position along y: field 1 of every kind.
    Y,
    /// Velocity in position steps per [`VELOCITY_TICKS`]: fields 2 and 3 of moving kinds. Signed.
    Velocity,
    /// An angle, whose steps wrap around.
    Angle,
    /// An unsigned number; interpolation takes the older of two values.
    Plain,
    /// A signed number; as `Plain`.
    Signed,
    /// The tick an entity started, at most `2^bits - 1` ticks before the first snapshot that contains it.
    Start,
}

/// How entities of a kind move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Motion {
    /// Its fields never change: a wall, or a shot whose path follows from its start.
    Still,
    /// It moves and changes; predicted linearly from position and velocity.
    Moving,
}

/// A kind of replicated entity.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KindSpec {
    /// Name in docs, logs and tests.
    pub name: &'static str,
    /// How it moves.
    pub motion: Motion,
    /// Its fields in wire order: x and y first, and in moving kinds the velocity third and fourth.
    pub fields: &'static [FieldSpec],
}

/// A replicated entity at one tick: its number, its kind and its fields as integers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// The entity's number in the room.
    pub id: EntityId,
    /// Index into the game's kinds.
    pub kind: u8,
    /// The fields in the order of the kind's table; the rest is 0.
    pub values: [i32; FIELDS_MAX],
}

impl FieldSpec {
    /// Position along x, in world units of a game with the default [`Game::CELL`](crate::game::Game::CELL).
    pub const X: FieldSpec = FieldSpec { name: "x", role: FieldRole::X, bits: 19, step: POSITION_STEP, k: 0 };
    /// As [`FieldSpec::X`], along y.
    pub const Y: FieldSpec = FieldSpec { name: "y", role: FieldRole::Y, bits: 19, step: POSITION_STEP, k: 0 };

    /// This position or velocity for a game whose [`Game::CELL`](crate::game::Game::CELL) is `cell` world units.
    #[must_use]
    pub const fn for_cells_of(self, cell: f32) -> FieldSpec {
        FieldSpec { step: self.step * (cell / CellId::SIZE), ..self }
    }

    /// The integer for a game value: rounded to the nearest step and clamped to the field's range; angles wrap.
    #[must_use]
    #[inline(always)] // With a constant table, as in a game's `record()`, only the arithmetic is left: a seventh off a capture.
    pub fn pack(&self, value: f32) -> i32 {
        let steps = nearest(value / self.step);
        match self.role {
            FieldRole::X | FieldRole::Y | FieldRole::Velocity | FieldRole::Signed => {
                let half = 1 << (self.bits - 1);
                steps.clamp(-half, half - 1)
            }
            FieldRole::Angle => steps & ((1 << self.bits) - 1),
            FieldRole::Plain => steps.clamp(0, (1 << self.bits) - 1),
            FieldRole::Start => steps.max(0),
        }
    }

    /// The game value of an integer.
    #[must_use]
    pub fn unpack(&self, value: i32) -> f32 {
        value as f32 * self.step
    }

    /// The smallest and the largest integer the field can carry.
    #[must_use]
    pub fn range(&self) -> (i64, i64) {
        match self.role {
            FieldRole::X | FieldRole::Y | FieldRole::Velocity | FieldRole::Signed => {
                (-(1i64 << (self.bits - 1)), (1i64 << (self.bits - 1)) - 1)
            }
            FieldRole::Angle | FieldRole::Plain => (0, (1i64 << self.bits) - 1),
            FieldRole::Start => (0, i64::from(i32::MAX)),
        }
    }
}

/// The nearest integer, halves away from zero. Equal to `libm::roundf`; the call of that for every field took a third
/// of a capture.
#[inline]
fn nearest(value: f32) -> i32 {
    // Slightly less than a half, so that a fraction just below a half is not rounded up by the sum; the cast truncates.
    (value + (0.5 - 0.25 * f32::EPSILON).copysign(value)) as i32
}

/// A velocity field of `bits` bits for a game of `tick_hz`, in world units per second.
#[must_use]
pub const fn velocity(name: &'static str, bits: u8, tick_hz: u32) -> FieldSpec {
    FieldSpec { name, role: FieldRole::Velocity, bits, step: velocity_step(tick_hz), k: 1 }
}

/// An angle field of `bits` bits, in radians.
#[must_use]
pub const fn angle(name: &'static str, bits: u8) -> FieldSpec {
    FieldSpec { name, role: FieldRole::Angle, bits, step: std::f32::consts::TAU / (1u32 << bits) as f32, k: 1 }
}

/// An unsigned field of `bits` bits, `step` game units a step.
#[must_use]
pub const fn plain(name: &'static str, bits: u8, step: f32) -> FieldSpec {
    FieldSpec { name, role: FieldRole::Plain, bits, step, k: 1 }
}

/// The field with the tick an entity started, at most `2^bits - 1` ticks before it is first sent.
#[must_use]
pub const fn start(name: &'static str, bits: u8) -> FieldSpec {
    FieldSpec { name, role: FieldRole::Start, bits, step: 1.0, k: 0 }
}

impl Record {
    /// A record of `kind` from the game's values, in the order of its table.
    ///
    /// # Panics
    /// If there are not as many values as the kind has fields, which is a bug of the game.
    #[must_use]
    #[inline(always)] // See `FieldSpec::pack`.
    pub fn pack(id: EntityId, kind: u8, spec: &KindSpec, values: &[f32]) -> Record {
        assert_eq!(values.len(), spec.fields.len(), "{}: one value per field", spec.name);
        let mut record = Record { id, kind, values: [0; FIELDS_MAX] };
        for ((packed, field), value) in record.values.iter_mut().zip(spec.fields).zip(values) {
            *packed = field.pack(*value);
        }
        record
    }

    /// Writes every field in full, as a keyframe does.
    pub(super) fn write_raw(&self, spec: &KindSpec, cell: CellId, tick: Tick, out: &mut BitWriter) {
        for (field, value) in spec.fields.iter().zip(&self.values) {
            field.write_raw(*value, spec.motion, cell, tick, out);
        }
    }

    /// Reads what [`Record::write_raw`] wrote for the same cell and tick.
    pub(super) fn read_raw(
        id: EntityId,
        kind: u8,
        spec: &KindSpec,
        cell: CellId,
        tick: Tick,
        bits: &mut BitReader,
    ) -> Result<Record, WireError> {
        let mut record = Record { id, kind, values: [0; FIELDS_MAX] };
        for (field, value) in spec.fields.iter().zip(&mut record.values) {
            *value = field.read_raw(spec.motion, cell, tick, bits)?;
        }
        Ok(record)
    }
}

impl FieldSpec {
    /// Order of the code of a still entity's position, relative to the middle of the cell: within half a cell, or
    /// slightly more for the muzzle of a shot that has flown on.
    pub const STILL_K: u32 = 10;

    fn write_raw(&self, value: i32, motion: Motion, cell: CellId, tick: Tick, out: &mut BitWriter) {
        match (self.role, motion) {
            (FieldRole::X, Motion::Moving) => out.bits(CellId::to_local(value, cell.corner().0), CellId::LOCAL_BITS),
            (FieldRole::Y, Motion::Moving) => out.bits(CellId::to_local(value, cell.corner().1), CellId::LOCAL_BITS),
            (FieldRole::X, Motion::Still) => out.signed(value - cell.middle().0, Self::STILL_K),
            (FieldRole::Y, Motion::Still) => out.signed(value - cell.middle().1, Self::STILL_K),
            (FieldRole::Start, _) => {
                let age = (i64::from(tick.0) - i64::from(value)).clamp(0, (1i64 << self.bits) - 1);
                out.bits(age as u32, u32::from(self.bits));
            }
            (FieldRole::Velocity | FieldRole::Signed | FieldRole::Angle | FieldRole::Plain, _) => {
                out.bits((i64::from(value) - self.range().0) as u32, u32::from(self.bits));
            }
        }
    }

    fn read_raw(&self, motion: Motion, cell: CellId, tick: Tick, bits: &mut BitReader) -> Result<i32, WireError> {
        match (self.role, motion) {
            (FieldRole::X, Motion::Moving) => Ok(CellId::of_local(bits.bits(CellId::LOCAL_BITS)?, cell.corner().0)),
            (FieldRole::Y, Motion::Moving) => Ok(CellId::of_local(bits.bits(CellId::LOCAL_BITS)?, cell.corner().1)),
            (FieldRole::X, Motion::Still) => {
                self.check(i64::from(bits.signed(Self::STILL_K)?) + i64::from(cell.middle().0))
            }
            (FieldRole::Y, Motion::Still) => {
                self.check(i64::from(bits.signed(Self::STILL_K)?) + i64::from(cell.middle().1))
            }
            (FieldRole::Start, _) => {
                let age = bits.bits(u32::from(self.bits))?;
                let limit = u64::from(tick.0);
                let start =
                    tick.0.checked_sub(age).ok_or(WireError::Range { what: "age", value: age.into(), limit })?;
                i32::try_from(start).map_err(|_| WireError::Range { what: "start", value: start.into(), limit })
            }
            (FieldRole::Velocity | FieldRole::Signed | FieldRole::Angle | FieldRole::Plain, _) => {
                Ok((i64::from(bits.bits(u32::from(self.bits))?) + self.range().0) as i32)
            }
        }
    }
}

/// Checks the tables of a game with cells of `cell` world units.
///
/// # Panics
/// If a table breaks the rules this module states.
pub(crate) const fn check_kinds(kinds: &[KindSpec], cell: f32, tick_hz: u32) {
    let position = POSITION_STEP * (cell / CellId::SIZE);
    let velocity = velocity_step(tick_hz) * (cell / CellId::SIZE);
    assert!(kinds.len() <= KINDS_MAX, "too many kinds");
    let mut k = 0;
    while k < kinds.len() {
        let fields = kinds[k].fields;
        assert!(fields.len() >= 2 && fields.len() <= FIELDS_MAX, "a kind has 2 to FIELDS_MAX fields");
        assert!(matches!(fields[0].role, FieldRole::X) && matches!(fields[1].role, FieldRole::Y), "x and y come first");
        assert!(
            fields[0].step == position && fields[1].step == position,
            "a position's step follows from CELL: use `for_cells_of`"
        );
        if matches!(kinds[k].motion, Motion::Moving) {
            assert!(fields.len() >= 4, "a moving kind has a velocity");
            assert!(matches!(fields[2].role, FieldRole::Velocity) && matches!(fields[3].role, FieldRole::Velocity));
            assert!(
                fields[2].step == velocity && fields[3].step == velocity,
                "a velocity's step follows from TICK_HZ and CELL"
            );
        }
        let mut f = 0;
        while f < fields.len() {
            assert!(fields[f].bits >= 1 && fields[f].bits <= 24, "a field has 1 to 24 bits");
            assert!(fields[f].step > 0.0, "a step is positive");
            f += 1;
        }
        k += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_integer_equals_that_of_the_mathematical_library() {
        let mut rng = fastrand::Rng::with_seed(17);
        for round in 0..2_000_000 {
            let value = match round % 3 {
                0 => f32::from_bits(rng.u32(..)),
                1 => (rng.i32(-4000..4000) as f32) * 0.25,
                _ => (rng.f32() - 0.5) * 200_000.0,
            };
            assert_eq!(nearest(value), libm::roundf(value) as i32, "{value}");
        }
        for value in [0.5, 1.5, 0.499_999_97, 8_388_607.5, 8_388_609.0, 16_777_217.0, f32::NAN, f32::INFINITY] {
            assert_eq!(nearest(value), libm::roundf(value) as i32, "{value}");
            assert_eq!(nearest(-value), libm::roundf(-value) as i32, "-{value}");
        }
    }
}

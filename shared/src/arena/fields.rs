//! The arena's kinds and the bits of their fields.
//!
//! | kind | worst error of what a client sees |
//! |---|---|
//! | ship | position 1/8 unit per axis, velocity 3.75 units/s per axis, heading 1.4 degrees, hull 1.6 points |
//! | shot | none: origin and velocity are rounded once, at the muzzle, and both ends run the rounded shot |
//! | beam | its length half a unit; its line none: the origin is rounded at the muzzle, the heading is exact |
//! | rock, pickup | none: they are placed on the grid of positions |

use crate::replication::fields::{
    FIELDS_MAX, FieldRole, FieldSpec, KindSpec, Motion, Record, angle, plain, start, velocity,
};

use super::rules::TICK_HZ;
use crate::protocol::match_status::TEAMS_MAX;

/// Number of the kind of a ship that fights for itself.
pub const SHIP: u8 = 0;
/// Number of a shot's kind.
pub const SHOT: u8 = 1;
/// Number of a rock's kind.
pub const ROCK: u8 = 2;
/// Number of a pickup's kind.
pub const PICKUP: u8 = 3;
/// Number of a beam's kind.
pub const BEAM: u8 = 4;
/// Numbers of the kinds of a ship of a side: the same as a ship in every field. What side a ship is of never changes, so that as
/// part of its kind it costs nothing.
pub const SIDE_SHIPS: [u8; TEAMS_MAX] = [5, 6];

/// Bit of a ship's flags: the main engine burns.
pub const FLAG_THRUST: u8 = 1;
/// Bit of a ship's flags: it has a shield.
pub const FLAG_SHIELD: u8 = 2;
/// Bit of a ship's flags: it fires rapidly.
pub const FLAG_RAPID: u8 = 4;
/// Bit of a ship's flags: it is new and cannot be hurt.
pub const FLAG_PROTECTED: u8 = 8;

/// Bits of a player's number in ships, shots and beams.
pub(super) const OWNER_BITS: u8 = 13;
/// Bits of a shot's age when it is first told of.
pub(super) const START_BITS: u8 = 7;
/// Bits of a beam's age when it is first told of.
pub(super) const BEAM_START_BITS: u8 = 5;
/// Bits of a beam's length, whole world units.
pub(super) const LENGTH_BITS: u8 = 10;
/// Points of hull per step of a ship's hull field: 31 steps are a whole hull and a little more.
const HULL_STEP: f32 = 3.25;

/// Every kind, in the order of its number. The orders `k` of a ship's codes are those that took the fewest bits when sixty
/// bots of mixed skill fought, at 30 and at 20 snapshots a second alike.
pub const KINDS: &[KindSpec] = &[
    KindSpec { name: "ship", motion: Motion::Moving, fields: SHIP_FIELDS },
    KindSpec {
        name: "shot",
        motion: Motion::Still,
        fields: &[
            FieldSpec::X,
            FieldSpec::Y,
            shot_velocity("vx"),
            shot_velocity("vy"),
            start("start", START_BITS),
            plain("owner", OWNER_BITS, 1.0),
        ],
    },
    KindSpec { name: "rock", motion: Motion::Still, fields: &[FieldSpec::X, FieldSpec::Y, plain("radius", 8, 1.0)] },
    KindSpec { name: "pickup", motion: Motion::Still, fields: &[FieldSpec::X, FieldSpec::Y, plain("what", 2, 1.0)] },
    KindSpec {
        name: "beam",
        motion: Motion::Still,
        fields: &[
            FieldSpec::X,
            FieldSpec::Y,
            angle("heading", 16),
            plain("length", LENGTH_BITS, 1.0),
            start("start", BEAM_START_BITS),
            plain("owner", OWNER_BITS, 1.0),
        ],
    },
    KindSpec { name: "ship of the first side", motion: Motion::Moving, fields: SHIP_FIELDS },
    KindSpec { name: "ship of the second side", motion: Motion::Moving, fields: SHIP_FIELDS },
];

const SHIP_FIELDS: &[FieldSpec] = &[
    FieldSpec::X,
    FieldSpec::Y,
    FieldSpec { k: 1, ..velocity("vx", 8, TICK_HZ) },
    FieldSpec { k: 1, ..velocity("vy", 8, TICK_HZ) },
    FieldSpec { k: 2, ..angle("heading", 7) },
    FieldSpec { k: 3, ..plain("hull", 5, HULL_STEP) },
    plain("flags", 4, 1.0),
    plain("owner", OWNER_BITS, 1.0),
];

const _: () = crate::replication::fields::check_kinds(KINDS);

/// Velocity of a shot, in steps of 4 units/s: never used for linear prediction, so its step is the game's choice.
const fn shot_velocity(name: &'static str) -> FieldSpec {
    FieldSpec { name, role: FieldRole::Signed, bits: 10, step: 4.0, k: 8 }
}

/// The kind of a ship of a side, or of none.
#[must_use]
pub fn ship_of(side: Option<u8>) -> u8 {
    side.map_or(SHIP, |side| SIDE_SHIPS[usize::from(side)])
}

/// Whether a kind is one of the ships.
#[must_use]
pub fn is_ship(kind: u8) -> bool {
    kind == SHIP || SIDE_SHIPS.contains(&kind)
}

/// The side that a kind of ship fights for; `None` for itself, and for what is no ship.
#[must_use]
pub fn side_of(kind: u8) -> Option<u8> {
    SIDE_SHIPS.iter().position(|of| *of == kind).map(|side| side as u8)
}

/// The table of a kind.
pub(super) fn spec(kind: u8) -> &'static KindSpec {
    &KINDS[usize::from(kind)]
}

/// A record's fields in game units, in the order of its kind's table; the rest is 0.
///
/// # Panics
/// If the record is of no kind of the arena.
#[must_use]
pub fn unpack(record: &Record) -> [f32; FIELDS_MAX] {
    let mut values = [0.0; FIELDS_MAX];
    for ((value, field), packed) in values.iter_mut().zip(spec(record.kind).fields).zip(&record.values) {
        *value = field.unpack(*packed);
    }
    values
}

/// Rounds a coordinate to the grid of positions.
pub(super) fn on_grid(coordinate: f32) -> f32 {
    FieldSpec::X.unpack(FieldSpec::X.pack(coordinate))
}

//! The arena's kinds and the bits of their fields.
//!
//! | kind | worst error of what a client sees |
//! |---|---|
//! | ship | position 1/8 unit per axis, velocity 3.75 units/s per axis, heading 1.4 degrees, hull 1.6 hundredths |
//! | shot | none: origin and velocity are rounded once, at the muzzle, and both ends step the rounded shot |
//! | beam | length half a unit; line none: the origin is rounded at the muzzle, the heading is exact |
//! | rock, pickup, mine | none: they are placed on the position grid |

use broadside_shared::protocol::limits::SEATS_MAX;
use broadside_shared::replication::fields::{
    FIELDS_MAX, FieldRole, FieldSpec, KindSpec, Motion, Record, angle, plain, start, velocity,
};

use super::rules::{BEAM_LIFE, MINE_LIFE, PLAYERS_MAX, RAIL_RANGE, SHOT_LIFE, TICK_HZ};
use crate::modes::TEAM_COUNT;

/// Kind number of a ship without a team.
pub const SHIP: u8 = 0;
/// Kind number of a shot.
pub const SHOT: u8 = 1;
/// Kind number of a rock.
pub const ROCK: u8 = 2;
/// Kind number of a pickup.
pub const PICKUP: u8 = 3;
/// Kind number of a beam.
pub const BEAM: u8 = 4;
/// Kind number of a mine.
pub const MINE: u8 = 7;
/// Kind numbers of the ships of each team: the same fields as [`SHIP`]. A ship's team never changes, so that it costs
/// nothing as part of the kind.
pub const TEAM_SHIPS: [u8; TEAM_COUNT] = [5, 6];

/// Flag of a ship: the main engine burns.
pub const FLAG_THRUST: u8 = 1;
/// Flag of a ship: it has a shield.
pub const FLAG_SHIELD: u8 = 2;
/// Flag of a ship: it has rapid fire.
pub const FLAG_RAPID: u8 = 4;
/// Flag of a ship: it is new and invulnerable.
pub const FLAG_PROTECTED: u8 = 8;

/// Where the number of its craft begins in a ship's flags: it never changes, so that it costs nothing there but in full.
pub const CRAFT_SHIFT: u8 = 4;

/// Bits of a player number in ships, shots and beams.
pub(super) const OWNER_BITS: u8 = 13;
/// Bits of a shot's age when it is first sent.
pub(super) const START_BITS: u8 = 7;
/// Bits of a beam's age when it is first sent.
pub(super) const BEAM_START_BITS: u8 = 5;
/// Bits of a mine's age when it is first sent.
pub(super) const MINE_START_BITS: u8 = 11;
/// Bits of a beam's length in whole world units.
pub(super) const LENGTH_BITS: u8 = 10;
// What the rules allow fits into the bits it has.
const _: () = assert!(PLAYERS_MAX == 1 << OWNER_BITS && PLAYERS_MAX >= SEATS_MAX);
const _: () = assert!(SHOT_LIFE < 1 << START_BITS);
const _: () = assert!(MINE_LIFE < 1 << MINE_START_BITS);
const _: () = assert!(BEAM_LIFE < 1 << BEAM_START_BITS);
const _: () = assert!((RAIL_RANGE as u32) < 1 << LENGTH_BITS);
/// Hundredths of its hull per step of a ship's hull field: 31 steps are slightly more than a whole hull.
const HULL_STEP: f32 = 3.25;

/// Every kind, in order of number. The orders `k` of a ship's codes took the fewest bits when sixty bots of mixed skill
/// fought, at 30 and at 20 snapshots a second.
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
    KindSpec { name: "ship of the first team", motion: Motion::Moving, fields: SHIP_FIELDS },
    KindSpec { name: "ship of the second team", motion: Motion::Moving, fields: SHIP_FIELDS },
    KindSpec {
        name: "mine",
        motion: Motion::Still,
        fields: &[FieldSpec::X, FieldSpec::Y, start("start", MINE_START_BITS), plain("owner", OWNER_BITS, 1.0)],
    },
];

const SHIP_FIELDS: &[FieldSpec] = &[
    FieldSpec::X,
    FieldSpec::Y,
    FieldSpec { k: 1, ..velocity("vx", 8, TICK_HZ) },
    FieldSpec { k: 1, ..velocity("vy", 8, TICK_HZ) },
    FieldSpec { k: 2, ..angle("heading", 7) },
    FieldSpec { k: 3, ..plain("hull", 5, HULL_STEP) },
    plain("flags", 6, 1.0),
    plain("owner", OWNER_BITS, 1.0),
];

/// Velocity of a shot, in steps of 4 units/s: it is not used for linear prediction, so that the step is free to choose.
const fn shot_velocity(name: &'static str) -> FieldSpec {
    FieldSpec { name, role: FieldRole::Signed, bits: 10, step: 4.0, k: 8 }
}

/// The ship kind of a team; `None` is a ship without a team.
#[must_use]
pub fn ship_of(team: Option<u8>) -> u8 {
    team.map_or(SHIP, |team| TEAM_SHIPS[usize::from(team)])
}

/// Whether a kind is one of the ships.
#[must_use]
pub fn is_ship(kind: u8) -> bool {
    kind == SHIP || TEAM_SHIPS.contains(&kind)
}

/// The team of a ship kind; `None` for a ship without a team and for other kinds.
#[must_use]
pub fn team_of(kind: u8) -> Option<u8> {
    TEAM_SHIPS.iter().position(|of| *of == kind).map(|team| team as u8)
}

/// The field table of a kind.
pub(super) fn spec(kind: u8) -> &'static KindSpec {
    &KINDS[usize::from(kind)]
}

/// A record's fields in game units, in the order of its kind's table; the rest is 0.
///
/// # Panics
/// If the record's kind is not one of the arena's.
#[must_use]
pub fn unpack(record: &Record) -> [f32; FIELDS_MAX] {
    let mut values = [0.0; FIELDS_MAX];
    for ((value, field), packed) in values.iter_mut().zip(spec(record.kind).fields).zip(&record.values) {
        *value = field.unpack(*packed);
    }
    values
}

/// Rounds a coordinate to the position grid.
pub(super) fn on_grid(coordinate: f32) -> f32 {
    FieldSpec::X.unpack(FieldSpec::X.pack(coordinate))
}

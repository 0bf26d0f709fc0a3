//! The three ships to choose from: what each hull and each cannon does.
//!
//! What they share is not here: size, rail, mines, boost and shields are the same for all, so that nobody has to learn again what hits.
//! The examples `arena_stats` and a test let bots fight in all three: none wins more than its share by much.

use serde::{Deserialize, Serialize};

use super::rules::{
    COOLDOWN, COOLDOWN_RAPID, HULL_MAX, POINT, RAIL_SWAY, REVERSE, SHIP_RADIUS, SHOT_DAMAGE, SHOT_SPEED, SPEED_BOOST,
    SPEED_MAX, STRAFE, THRUST, TURN,
};
use broadside_shared::history::REWIND_MS_MAX;

/// A ship to choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub enum Craft {
    /// The usual one, and the measure of the others.
    #[default]
    Sloop,
    /// Fast and light: a thin hull, and a cannon that fires quickly and softly.
    Skiff,
    /// Slow and heavy: a thick hull, and a cannon that fires seldom and hard.
    Brig,
}

/// What a craft can do. Units are those of the [rules](super::rules).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CraftSpec {
    /// The name in addresses, settings and texts: lower-case letters.
    pub name: &'static str,
    /// Acceleration of the main engine, units/s².
    pub thrust: f32,
    /// Acceleration of the reverse engine, units/s².
    pub reverse: f32,
    /// Sideways acceleration, units/s².
    pub strafe: f32,
    /// Top speed, units/s.
    pub speed: f32,
    /// Top speed with boost, units/s.
    pub speed_boost: f32,
    /// Most turn per tick, in 1/65536 turn.
    pub turn: u16,
    /// A whole hull, in units of 1/60 point.
    pub hull: u16,
    /// Speed of a shot relative to its ship, units/s.
    pub shot_speed: f32,
    /// Damage of a shot, in units of 1/60 point.
    pub shot_damage: u16,
    /// Ticks from one shot to the next, without and with rapid fire.
    pub cooldown: (u8, u8),
}

/// The crafts, in order of their numbers.
const SPECS: [CraftSpec; 3] = [
    CraftSpec {
        name: "sloop",
        thrust: THRUST,
        reverse: REVERSE,
        strafe: STRAFE,
        speed: SPEED_MAX,
        speed_boost: SPEED_BOOST,
        turn: TURN,
        hull: HULL_MAX,
        shot_speed: SHOT_SPEED,
        shot_damage: SHOT_DAMAGE,
        cooldown: (COOLDOWN, COOLDOWN_RAPID),
    },
    CraftSpec {
        name: "skiff",
        thrust: 700.0,
        reverse: 480.0,
        strafe: 540.0,
        speed: 500.0,
        speed_boost: 620.0,
        turn: 1130,
        hull: 86 * POINT,
        shot_speed: 940.0,
        shot_damage: 21 * POINT / 2,
        cooldown: (8, 4),
    },
    CraftSpec {
        name: "brig",
        thrust: 520.0,
        reverse: 360.0,
        strafe: 390.0,
        speed: 400.0,
        speed_boost: 560.0,
        turn: 830,
        hull: 122 * POINT,
        shot_speed: 860.0,
        shot_damage: 19 * POINT,
        cooldown: (14, 7),
    },
];

impl Craft {
    /// Every craft, in order of its number.
    pub const ALL: [Craft; 3] = [Craft::Sloop, Craft::Skiff, Craft::Brig];
    /// The thickest hull of all.
    pub const HULL_MOST: u16 = 122 * POINT;

    /// Its number on the wire, 2 bits.
    #[must_use]
    pub fn number(self) -> u8 {
        self as u8
    }

    /// The craft with a number; unused numbers count as the usual one.
    #[must_use]
    pub fn of(number: u8) -> Craft {
        Craft::ALL.get(usize::from(number)).copied().unwrap_or_default()
    }

    /// The craft with a name; the usual one for any other text.
    #[must_use]
    pub fn named(name: &str) -> Craft {
        Craft::ALL.into_iter().find(|craft| craft.spec().name == name).unwrap_or_default()
    }

    /// What it can do.
    #[must_use]
    #[inline]
    pub fn spec(self) -> &'static CraftSpec {
        &SPECS[self as usize]
    }
}

// What the rest of the rules relies on holds for each of them.
const _: () = {
    let mut at = 0;
    while at < SPECS.len() {
        let spec = &SPECS[at];
        assert!(spec.hull <= Craft::HULL_MOST && spec.cooldown.0 < 16 && spec.cooldown.1 > 0);
        assert!(spec.speed < spec.speed_boost);
        // A beam is judged against ships as far away as they can have come since; see `RAIL_SWAY`.
        assert!(spec.speed_boost * REWIND_MS_MAX as f32 / 1000.0 + SHIP_RADIUS < RAIL_SWAY * 0.75);
        // The velocity of a shot is sent in 10 bits, in steps of 4.
        assert!(spec.speed_boost + spec.shot_speed < 2040.0);
        at += 1;
    }
};

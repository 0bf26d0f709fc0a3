//! What the daily event changes in the rules of an open arena. The date comes with the configuration of a room when it is opened; no
//! step knows of it.

use serde::{Deserialize, Serialize};

use super::rules::{DRAG, DRAG_LOW, ROCK_RADIUS, ROCK_RADIUS_BIG};

/// What is different.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub enum Twist {
    /// Nothing.
    #[default]
    None,
    /// Hardly anything slows a ship down: low gravity, as players call it.
    Drift,
    /// Fewer rocks, each as large as a village.
    BigRocks,
    /// Whatever hits a ship that is not protected sinks it.
    OneHit,
}

impl Twist {
    /// One for each day, in turn.
    const BY_DAY: [Twist; 3] = [Twist::Drift, Twist::BigRocks, Twist::OneHit];

    /// That of a day, counted from the first of 1970 in UTC.
    #[must_use]
    pub fn of_day(day: u32) -> Twist {
        Twist::BY_DAY[day as usize % Twist::BY_DAY.len()]
    }

    /// The name in texts and in what an operator writes.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Twist::None => "none",
            Twist::Drift => "drift",
            Twist::BigRocks => "big-rocks",
            Twist::OneHit => "one-hit",
        }
    }

    /// Its number on the wire, 2 bits.
    #[must_use]
    pub fn number(self) -> u8 {
        self as u8
    }

    /// The one with a number of 2 bits.
    #[must_use]
    pub fn of(number: u8) -> Twist {
        [Twist::None, Twist::Drift, Twist::BigRocks, Twist::OneHit][usize::from(number & 3)]
    }

    /// Share of the velocity that a ship loses per second.
    #[must_use]
    pub(crate) fn drag(self) -> f32 {
        if self == Twist::Drift { DRAG_LOW } else { DRAG }
    }

    /// Smallest and largest radius of a rock, whole units.
    #[must_use]
    pub(crate) fn rock_radius(self) -> (u16, u16) {
        if self == Twist::BigRocks { ROCK_RADIUS_BIG } else { ROCK_RADIUS }
    }

    /// Rocks, as a share of the usual number.
    #[must_use]
    pub(crate) fn rocks(self) -> f32 {
        if self == Twist::BigRocks { 0.55 } else { 1.0 }
    }
}

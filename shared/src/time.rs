//! Ticks, clocks and the arithmetic between them.

use serde::{Deserialize, Serialize};

/// The number of one fixed simulation step. It starts at 0 when a room opens and never wraps: at 60 Hz, `u32` lasts two
/// years.
///
/// Tick numbers are tied to the clock for the life of a room: tick `n` is due at `tick_zero + n * period`. A dropped
/// tick leaves a gap in the numbers and never shifts later ones, so that a client's clock estimate stays valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Tick(pub u32);

impl Tick {
    /// The tick `ticks` later.
    #[must_use]
    pub fn after(self, ticks: u32) -> Tick {
        Tick(self.0.saturating_add(ticks))
    }

    /// The tick `ticks` earlier, or tick 0.
    #[must_use]
    pub fn before(self, ticks: u32) -> Tick {
        Tick(self.0.saturating_sub(ticks))
    }

    /// How many ticks `self` is past `earlier`; 0 if it is not.
    #[must_use]
    pub fn since(self, earlier: Tick) -> u32 {
        self.0.saturating_sub(earlier.0)
    }
}

impl std::fmt::Display for Tick {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// The ticks of a duration of `ms` milliseconds at `tick_hz` ticks per second, rounded up.
#[must_use]
pub const fn ticks_of_ms(tick_hz: u32, ms: u32) -> u32 {
    (tick_hz * ms).div_ceil(1000)
}

/// A moment in sixteenths of a tick: what a player saw when an input was sampled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ViewTime(pub u64);

impl ViewTime {
    /// Parts per tick.
    pub const PARTS: u32 = 16;

    /// The moment of a tick.
    #[must_use]
    pub fn of(tick: Tick) -> ViewTime {
        ViewTime(u64::from(tick.0) * u64::from(Self::PARTS))
    }

    /// The moment of a tick with a fraction; negative values are tick 0.
    #[must_use]
    pub fn from_ticks(ticks: f64) -> ViewTime {
        ViewTime((ticks.max(0.0) * f64::from(Self::PARTS)) as u64)
    }

    /// Parts of a tick from `earlier` to this moment; 0 if that is later.
    #[must_use]
    pub fn parts_since(self, earlier: ViewTime) -> u32 {
        u32::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(u32::MAX)
    }
}

/// Microseconds since the process, page or test started: the only clock a core sees, always as an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct MonoTime(pub u64);

impl MonoTime {
    /// The time `micros` microseconds later.
    #[must_use]
    pub fn plus_us(self, micros: u64) -> MonoTime {
        MonoTime(self.0.saturating_add(micros))
    }

    /// The time `millis` milliseconds later.
    #[must_use]
    pub fn plus_ms(self, millis: u64) -> MonoTime {
        self.plus_us(millis.saturating_mul(1000))
    }

    /// Microseconds from `earlier` to `self`; 0 if `self` is not later.
    #[must_use]
    pub fn us_since(self, earlier: MonoTime) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Milliseconds from `earlier` to `self`; 0 if `self` is not later.
    #[must_use]
    pub fn ms_since(self, earlier: MonoTime) -> f64 {
        self.us_since(earlier) as f64 / 1000.0
    }
}

/// Time from tick 0 to tick `ticks` in microseconds, at `tick_hz` steps per second. Dividing last keeps the sum of many
/// ticks exact.
#[must_use]
pub fn tick_us(tick_hz: u32, ticks: u32) -> u64 {
    u64::from(ticks) * 1_000_000 / u64::from(tick_hz)
}

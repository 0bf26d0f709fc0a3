//! The edge of the arena: a circle around the origin whose radius follows the number of players, announced before it
//! moves.

use glam::Vec2;
use serde::{Deserialize, Serialize};

use super::rules::{
    AREA_PER_PLAYER, BORDER_GROW, BORDER_NOTICE, BORDER_SHRINK, BORDER_SLACK, DUEL_RADIUS, RADIUS_MAX, TICK_HZ,
};
use broadside_shared::hash::WorldHash;
use broadside_shared::replication::bits::{BitReader, BitWriter, WireError};
use broadside_shared::replication::layout::Layout;
use broadside_shared::time::Tick;

/// The border: its radius at rest, or its movement. Radii are whole world units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Border {
    /// Radius until `since`.
    pub from: u16,
    /// Radius after the change; equal to `from` at rest.
    pub to: u16,
    /// The tick at which the change starts.
    pub since: Tick,
    /// Length of the change in ticks; 0 at rest.
    pub ticks: u16,
}

const RADIUS_BITS: u32 = 15;
const TICKS_BITS: u32 = 15;
const _: () = assert!((RADIUS_MAX as u32) < 1 << RADIUS_BITS);
const _: () = assert!(((RADIUS_MAX - DUEL_RADIUS) / BORDER_SHRINK) as u32 * TICK_HZ < 1 << TICKS_BITS);

impl Border {
    /// A border at rest with the radius for `population` players, at least `floor`.
    #[must_use]
    pub(crate) fn resting(floor: f32, population: usize) -> Border {
        let radius = radius_for(floor, population);
        Border { from: radius, to: radius, since: Tick(0), ticks: 0 }
    }

    /// Radius at a tick, in world units.
    #[must_use]
    pub fn radius_at(&self, tick: Tick) -> f32 {
        let (from, to) = (f32::from(self.from), f32::from(self.to));
        let passed = tick.since(self.since);
        if passed >= u32::from(self.ticks) {
            return if self.ticks == 0 { from } else { to };
        }
        let share = passed as f32 / f32::from(self.ticks);
        from + (to - from) * share
    }

    /// Distance of a point outside the border at a tick, in world units; negative inside.
    #[must_use]
    pub fn depth(&self, point: Vec2, tick: Tick) -> f32 {
        point.length() - self.radius_at(tick)
    }

    /// Whether no change is in progress or announced at `tick`.
    #[must_use]
    pub(crate) fn rests_at(&self, tick: Tick) -> bool {
        self.ticks == 0 || tick >= self.since.after(u32::from(self.ticks))
    }

    /// The border to announce at `tick` for `population` players, if it rests and they need another radius, at least
    /// `floor`.
    pub(super) fn follow(&self, floor: f32, population: usize, tick: Tick) -> Option<Border> {
        if !self.rests_at(tick) {
            return None;
        }
        let (now, wanted) = (self.radius_at(tick), radius_for(floor, population));
        let change = f32::from(wanted) - now;
        let near_the_floor = f32::from(wanted) <= floor && change < 0.0;
        if change.abs() < now * BORDER_SLACK && !near_the_floor {
            return None;
        }
        let ticks = if change > 0.0 { BORDER_GROW } else { (change.abs() / BORDER_SHRINK * TICK_HZ as f32) as u32 + 1 };
        Some(Border { from: now as u16, to: wanted, since: tick.after(BORDER_NOTICE), ticks: ticks as u16 })
    }

    pub(super) fn hash(&self, hash: &mut WorldHash) {
        hash.u64(u64::from(self.from) << 48 | u64::from(self.to) << 32 | u64::from(self.since.0));
        hash.u64(u64::from(self.ticks));
    }

    /// What [`Border::write`] appends.
    pub(super) const LAYOUT: Layout = Layout::Fields(&[
        ("from", Layout::Bits(RADIUS_BITS as u8)),
        (
            "change",
            Layout::Option(&Layout::Fields(&[
                ("to", Layout::Bits(RADIUS_BITS as u8)),
                ("since", Layout::Bits(32)),
                ("ticks", Layout::Bits(TICKS_BITS as u8)),
            ])),
        ),
    ]);

    pub(super) fn write(&self, out: &mut BitWriter) {
        out.bits(u32::from(self.from), RADIUS_BITS);
        out.flag(self.ticks != 0);
        if self.ticks != 0 {
            out.bits(u32::from(self.to), RADIUS_BITS);
            out.bits(self.since.0, 32);
            out.bits(u32::from(self.ticks), TICKS_BITS);
        }
    }

    pub(super) fn read(bits: &mut BitReader<'_>) -> Result<Border, WireError> {
        let from = bits.bits(RADIUS_BITS)? as u16;
        if !bits.flag()? {
            return Ok(Border { from, to: from, since: Tick(0), ticks: 0 });
        }
        let to = bits.bits(RADIUS_BITS)? as u16;
        let since = Tick(bits.bits(32)?);
        let ticks = bits.bits(TICKS_BITS)? as u16;
        Ok(Border { from, to, since, ticks })
    }

    /// The same border without its last change, once that is finished.
    pub(super) fn settled(&self) -> Border {
        Border { from: self.to, to: self.to, since: Tick(0), ticks: 0 }
    }
}

/// The radius for `population` players, in world units.
fn radius_for(floor: f32, population: usize) -> u16 {
    let area = population as f32 * AREA_PER_PLAYER;
    (area / std::f32::consts::PI).sqrt().clamp(floor, RADIUS_MAX) as u16
}

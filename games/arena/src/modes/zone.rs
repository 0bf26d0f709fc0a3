//! The zone of a team match. It leans to the team that is alone in it. A team holds it from a full lean until the lean
//! is back at zero, and scores meanwhile.

use glam::Vec2;

use super::super::rules::{ZONE_FULL, ZONE_RADIUS};
use crate::modes::TEAM_COUNT;
use broadside_shared::hash::WorldHash;
use broadside_shared::time::Tick;
use serde::{Deserialize, Serialize};

/// A circular zone that scores for the team that holds it. A new value is sent only when its lean changes course; in
/// between, both ends compute the lean from the tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Zone {
    /// X of the centre, in whole world units.
    pub x: i16,
    /// Y of the centre, in whole world units.
    pub y: i16,
    /// Radius, in whole world units.
    pub radius: u16,
    /// The team that holds it.
    pub holder: Option<u8>,
    /// Ships of both teams are in it: the lean does not change, and nobody scores.
    pub contested: bool,
    /// Lean at `since`: `-full` is fully the first team's, `full` fully the second's.
    pub from: i16,
    /// Lean that it moves to from `since` on, by one per tick.
    pub to: i16,
    /// The tick of `from`.
    pub since: Tick,
    /// Lean at which a team takes the zone; the team loses it at 0.
    pub full: u16,
}

impl Zone {
    /// Lean at a tick, `-full..=full`.
    #[must_use]
    pub fn lean_at(&self, tick: Tick) -> i16 {
        let (from, to) = (i32::from(self.from), i32::from(self.to));
        let moved = tick.since(self.since).min(to.abs_diff(from)) as i32;
        (from + (to - from).signum() * moved) as i16
    }
}

const FULL: i16 = ZONE_FULL as i16;

/// A neutral zone.
pub(super) fn neutral(tick: Tick) -> Zone {
    let (from, to, since) = (0, 0, tick);
    Zone { x: 0, y: 0, radius: ZONE_RADIUS, holder: None, contested: false, from, to, since, full: ZONE_FULL }
}

/// Its centre.
pub(super) fn middle(zone: &Zone) -> Vec2 {
    Vec2::new(f32::from(zone.x), f32::from(zone.y))
}

/// Updates it with the teams that are in it at a tick.
pub(super) fn follow(zone: &mut Zone, present: [bool; TEAM_COUNT], tick: Tick) {
    let lean = zone.lean_at(tick);
    zone.holder = match zone.holder {
        Some(0) if lean < 0 => Some(0),
        Some(1) if lean > 0 => Some(1),
        _ if lean == -FULL => Some(0),
        _ if lean == FULL => Some(1),
        _ => None,
    };
    let to = match (present, zone.holder) {
        ([true, true], _) => lean,
        ([true, false], _) | ([false, false], Some(0)) => -FULL,
        ([false, true], _) | ([false, false], Some(_)) => FULL,
        ([false, false], None) => 0,
    };
    zone.contested = present == [true, true];
    if to != zone.to {
        (zone.from, zone.to, zone.since) = (lean, to, tick);
    }
}

/// Stops its lean.
pub(super) fn freeze(zone: &mut Zone, tick: Tick) {
    let lean = zone.lean_at(tick);
    (zone.from, zone.to, zone.since, zone.contested) = (lean, lean, tick, false);
}

pub(super) fn hash(zone: &Zone, hash: &mut WorldHash) {
    let holder = zone.holder.map_or(7, u64::from);
    hash.u64(u64::from(zone.from.cast_unsigned()) << 48 | u64::from(zone.to.cast_unsigned()) << 32 | holder);
    hash.u64(u64::from(zone.since.0) << 1 | u64::from(zone.contested));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lets `ticks` pass with these teams in the zone.
    fn pass(zone: &mut Zone, tick: &mut Tick, present: [bool; 2], ticks: u16) {
        for _ in 0..ticks {
            follow(zone, present, *tick);
            *tick = tick.after(1);
        }
        follow(zone, present, *tick);
    }

    #[test]
    fn a_zone_is_taken_by_a_team_alone_in_it_and_lost_half_way_to_the_other() {
        let mut tick = Tick(100);
        let mut zone = neutral(tick);
        pass(&mut zone, &mut tick, [true, false], ZONE_FULL - 1);
        assert_eq!(zone.holder, None);
        pass(&mut zone, &mut tick, [true, false], 1);
        assert_eq!(zone.holder, Some(0));
        pass(&mut zone, &mut tick, [false, true], ZONE_FULL - 1);
        assert_eq!((zone.holder, zone.contested), (Some(0), false));
        pass(&mut zone, &mut tick, [true, true], 500);
        assert_eq!((zone.holder, zone.contested, zone.lean_at(tick)), (Some(0), true, -1), "nothing moves");
        pass(&mut zone, &mut tick, [false, true], 1);
        assert_eq!(zone.holder, None);
        pass(&mut zone, &mut tick, [false, true], ZONE_FULL);
        assert_eq!(zone.holder, Some(1));
        pass(&mut zone, &mut tick, [true, false], 100);
        pass(&mut zone, &mut tick, [false, false], 100);
        assert_eq!((zone.holder, zone.lean_at(tick)), (Some(1), FULL), "left alone, it returns to its holder");
    }
}

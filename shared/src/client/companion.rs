//! The companion: an entity that prediction steps along with the own player, such as a puck that they are about to hit.
//!
//! Near the player it is drawn at the player's moment, which is ahead of the server; otherwise at the moment of all
//! other entities, which is behind it. From one to the other it glides: its drawn time runs faster or slower until it
//! is there, so that it is always drawn on its path. When the path turns out to have been another one, the error is
//! smoothed like that of the own player.

use glam::Vec2;

use super::prediction::SMOOTHING_S;
use crate::ids::EntityId;
use crate::time::MonoTime;

/// Slowest and fastest that drawn time runs on the way from one moment to the other: visible, but never a jump.
const RATE: (f64, f64) = (0.5, 2.0);
/// Further away than this many seconds, drawn time jumps: after a frozen tab.
const JUMP_S: f64 = 1.0;

/// What is no error but another place or time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Jumps {
    /// Corrections over this many world units.
    units: f32,
    /// Drawn moments further apart than this many ticks.
    ticks: f64,
}

impl Jumps {
    /// Those of a game of `tick_hz`, in which corrections of more than `units` world units are jumps.
    pub(super) fn new(tick_hz: u32, units: f32) -> Jumps {
        Jumps { units, ticks: JUMP_S * f64::from(tick_hz) }
    }
}

/// Where the companion was drawn last.
#[derive(Debug, Clone, Copy)]
pub(super) struct Companion {
    id: EntityId,
    /// The drawn moment, and the player's moment at that time.
    tick: f64,
    own_tick: f64,
    /// Its place on the path at that moment, as known then.
    at: Vec2,
    /// The rest of past corrections.
    offset: Vec2,
    drawn_at: MonoTime,
}

impl Companion {
    /// Moves a companion on to `now`: the entity `id` on its `path`, of which the place at a moment is known or not, with the
    /// drawn moment on its way to `goal`. The player's moment is `own_tick`.
    pub(super) fn follow(
        before: Option<Companion>,
        now: MonoTime,
        id: EntityId,
        (goal, own_tick): (f64, f64),
        jumps: Jumps,
        path: impl Fn(f64) -> Option<Vec2>,
    ) -> Option<Companion> {
        let before = before.filter(|before| before.id == id && (goal - before.tick).abs() < jumps.ticks);
        let Some(before) = before else {
            return path(goal).map(|at| Companion { id, tick: goal, own_tick, at, offset: Vec2::ZERO, drawn_at: now });
        };
        let corrected = path(before.tick).map_or(Vec2::ZERO, |at| before.at - at);
        let seconds = now.us_since(before.drawn_at) as f32 / 1e6;
        let offset = (before.offset + corrected) * libm::expf(-seconds / SMOOTHING_S);
        let offset = if offset.length() > jumps.units { Vec2::ZERO } else { offset };
        let elapsed = (own_tick - before.own_tick).max(0.0);
        let tick = goal.clamp(before.tick + elapsed * RATE.0, before.tick + elapsed * RATE.1);
        path(tick).map(|at| Companion { id, tick, own_tick, at, offset, drawn_at: now })
    }

    /// Which entity it is, the drawn moment, and where to draw it.
    pub(super) fn drawn(&self) -> (EntityId, f64, Vec2) {
        (self.id, self.tick, self.at + self.offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Follows a companion for `ticks` ticks with the player 12 ticks ahead of the others; gives every drawn place.
    fn follow(
        companion: &mut Option<Companion>,
        ticks: u32,
        is_near: bool,
        path: impl Fn(f64) -> Option<Vec2>,
    ) -> Vec<f32> {
        let mut drawn = Vec::new();
        for _ in 0..ticks {
            let (now, own_tick) =
                companion.map_or((MonoTime(0), 12.0), |c| (c.drawn_at.plus_us(16_667), c.own_tick + 1.0));
            let goal = if is_near { own_tick } else { own_tick - 12.0 };
            *companion =
                Companion::follow(*companion, now, EntityId(3), (goal, own_tick), Jumps::new(60, 160.0), &path);
            drawn.push(companion.expect("the path is known").drawn().2.x);
        }
        drawn
    }

    #[test]
    fn a_companion_glides_along_its_path_from_one_moment_to_the_other() {
        let (path, mut companion) = (|tick: f64| Some(Vec2::X * tick as f32), None);
        assert_eq!(follow(&mut companion, 2, false, path), [0.0, 1.0]);
        let near = follow(&mut companion, 14, true, path);
        assert_eq!((near[0], near[11], near[13]), (3.0, 25.0, 27.0));
        let far = follow(&mut companion, 26, false, path);
        assert_eq!((far[0], far[25]), (27.5, 41.0 - 12.0 + 12.0));
    }

    #[test]
    fn a_path_that_turns_out_to_be_another_is_smoothed() {
        let mut companion = None;
        follow(&mut companion, 5, true, |_| Some(Vec2::ZERO));
        let drawn = follow(&mut companion, 60, true, |_| Some(Vec2::X * 40.0));
        assert!(drawn[0] < 10.0 && drawn.is_sorted() && drawn[59] > 39.9, "{drawn:?}");
        // Too far for an error: it was put somewhere else.
        assert_eq!(follow(&mut companion, 1, true, |_| Some(Vec2::X * 400.0)), [400.0]);
    }
}

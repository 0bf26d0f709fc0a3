//! Aiming and shooting with a slightly unsteady hand: the cannon leads a moving target, the rail is aimed at where the
//! target is seen.

use fastrand::Rng;
use glam::Vec2;

use super::{Seen, helm};
use crate::input::radians_of;
use crate::input::ticks_of;
use crate::record_view::ShipView;
use crate::rules::{DT, RAIL_RANGE, SHIP_RADIUS, SHOT_LIFE};
use broadside_shared::ids::PlayerId;
use broadside_shared::math;
use broadside_shared::time::Tick;

/// The gunner's knowledge of its target, and its aim error.
#[derive(Debug, Clone)]
pub(super) struct Gunner {
    target: Option<PlayerId>,
    /// When it has noticed the target and may fire.
    ready_at: Tick,
    /// The target's velocity as the AI estimates it: it notices changes late.
    velocity: Vec2,
    /// Aim error in radians; wanders.
    error: f32,
    /// Until when the trigger is pressed, and until when it is then released.
    burst: (Tick, Tick),
    /// When it considers the rail again.
    rail_at: Tick,
    /// Additional aim error of the next rail shot, in radians.
    flick: f32,
}

/// Where to aim, and whether to fire.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lay {
    pub(super) aim: f32,
    pub(super) fire: bool,
    pub(super) rail: bool,
}

/// Seconds of a shot's flight up to which it opens fire: slightly less than a shot lasts.
const RANGE_S: f32 = SHOT_LIFE as f32 * DT * 0.85;
/// Distances at which it considers the rail: closer by, the cannon does as well and the nose swings too much.
const RAIL_BAND: (f32, f32) = (130.0, RAIL_RANGE * 0.95);

impl Gunner {
    pub(super) fn new() -> Gunner {
        Gunner {
            target: None,
            ready_at: Tick(0),
            velocity: Vec2::ZERO,
            error: 0.0,
            burst: (Tick(0), Tick(0)),
            rail_at: Tick(0),
            flick: 0.0,
        }
    }

    pub(super) fn forget(&mut self) {
        self.target = None;
    }

    /// `rail`: how soon it considers the rail again, 1 being usual.
    pub(super) fn lay(&mut self, seen: &Seen, target: &ShipView, (skill, rail): (f32, f32), rng: &mut Rng) -> Lay {
        let clumsy = 1.0 - skill;
        if self.target != Some(target.player) {
            self.target = Some(target.player);
            self.velocity = target.velocity * skill;
            self.ready_at = seen.tick.after(ticks_of(0.12 + 0.5 * clumsy + 0.2 * rng.f32()));
            self.error = (rng.f32() - 0.5) * (0.1 + 0.6 * clumsy);
        }
        self.velocity += (target.velocity - self.velocity) * (0.12 + 0.5 * skill * skill);
        // The aim error wanders: the old one fades, a new one is added. Distant and crossing targets are harder.
        let spread = 0.009 + 0.36 * clumsy * clumsy.sqrt();
        self.error = self.error * 0.94 + (rng.f32() + rng.f32() - 1.0) * spread;

        if let Some(lay) = self.lay_rail(seen, target, (clumsy, rail), rng) {
            return lay;
        }
        let own = seen.own;
        let late = (f64::from(seen.tick.0) - seen.ships_at) as f32 * DT;
        let offset = target.position + self.velocity * late.clamp(0.0, 0.5) - own.position;
        let relative = (self.velocity - own.velocity) * (0.55 + 0.45 * skill);
        let (lead, time) = intercept(offset, relative, own.spec().shot_speed);
        let aim = math::angle_of(lead) + self.error;
        Lay { aim, fire: self.trigger(seen, target, lead, time, clumsy, rng), rail: false }
    }

    /// With the rail ready and the target in the open, aims straight at it, since it is judged where it is seen; fires
    /// once the nose is almost on it.
    fn lay_rail(&mut self, seen: &Seen, target: &ShipView, (clumsy, keen): (f32, f32), rng: &mut Rng) -> Option<Lay> {
        let own = seen.own;
        let offset = target.position - (own.position + own.velocity * DT);
        let good = own.rail == 0
            && seen.tick >= self.ready_at
            && seen.tick >= self.rail_at
            && (RAIL_BAND.0..RAIL_BAND.1).contains(&offset.length())
            && !target.protected()
            && helm::is_clear(seen, target.position);
        if !good {
            return None;
        }
        let aim = math::angle_of(offset) + self.error + self.flick;
        let rail = math::turn_between(own.heading_radians(), aim).abs() < radians_of(own.spec().turn);
        if rail {
            // It does not notice at once that the rail is ready; the clumsy less so.
            let wait = 2.5 + (1.0 + 3.0 * clumsy) * rng.f32() + clumsy;
            self.rail_at = seen.tick.after(ticks_of(wait / keen));
            self.flick = (rng.f32() + rng.f32() - 1.0) * (0.06 + 0.1 * clumsy);
        }
        Some(Lay { aim, fire: false, rail })
    }

    /// Fires bursts while the nose is on the target, the way is clear and the distance makes sense.
    fn trigger(&mut self, seen: &Seen, target: &ShipView, lead: Vec2, time: f32, clumsy: f32, rng: &mut Rng) -> bool {
        let distance = lead.length().max(1.0);
        let off = math::turn_between(seen.own.heading_radians(), math::angle_of(lead) + self.error).abs();
        let tolerance = SHIP_RADIUS * 1.3 / distance + 0.03 + 0.06 * clumsy;
        let good = seen.tick >= self.ready_at
            && time < SHOT_LIFE as f32 * DT
            && distance < seen.own.spec().shot_speed * RANGE_S
            && off < tolerance
            && !target.protected()
            && helm::is_clear(seen, target.position);
        if seen.tick >= self.burst.1 {
            if !good {
                return false;
            }
            let held = ticks_of(0.45 + 0.7 * rng.f32());
            let pause = ticks_of(0.1 + 0.3 * rng.f32() + 0.9 * clumsy);
            self.burst = (seen.tick.after(held), seen.tick.after(held + pause));
        }
        seen.tick < self.burst.0 && off < tolerance * 2.0 && good
    }
}

/// The direction, relative to the own ship, in which a shot of this speed meets a target at `offset` that moves with velocity
/// `relative`, and the seconds until then; straight at it if no shot can.
pub(super) fn intercept(offset: Vec2, relative: Vec2, speed: f32) -> (Vec2, f32) {
    let a = speed * speed - relative.length_squared();
    let b = offset.dot(relative);
    let c = offset.length_squared();
    if a <= 1.0 {
        return (offset, f32::INFINITY);
    }
    // |offset + relative t| = speed t
    let time = (b + (b * b + a * c).sqrt()) / a;
    (offset + relative * time, time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shot_along_the_lead_meets_its_target() {
        let (offset, relative) = (Vec2::new(300.0, -200.0), Vec2::new(-150.0, 320.0));
        let (lead, time) = intercept(offset, relative, 900.0);
        let shot = lead.normalize() * 900.0 * time;
        assert!((shot - (offset + relative * time)).length() < 0.1);
    }
}

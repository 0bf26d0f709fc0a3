//! The battle behind the title: pilots who only chase, fire and turn away from the edge. It has none of the arena's rules, which a page that
//! plays does not need either: a whole arena with its AIs would make a first visit a tenth larger.

use broadside_arena::Craft;
use broadside_arena::rules::{SHIP_RADIUS, SHOT_SPEED, SPEED_MAX};
use broadside_client::Random;
use broadside_shared::math::wrap_angle;
use glam::Vec2;

use crate::stage::{Effect, RockLook, ShipLook, ShotLook, Stage};

/// Radius of the arena, in world units.
const EDGE: f32 = 1300.0;
/// How fast the camera glides to the followed ship, 1/s.
const GLIDE: f32 = 1.1;
/// Seconds for which the camera follows one ship.
const FOLLOW_SECONDS: f32 = 12.0;
const PILOTS: u16 = 13;
const ROCKS: u16 = 9;
/// Longest step, in seconds; a slow machine shows the battle more slowly.
const STEP_MAX: f32 = 1.0 / 15.0;
/// Radians per second.
const TURN: f32 = 2.6;
/// Distance within which a pilot fires, in world units, and how far off the aim may be, in radians.
const RANGE: f32 = 620.0;
const AIM: f32 = 0.12;
/// Seconds that a shot flies.
const FLIGHT: f32 = 1.0;
/// What a hit takes of a hull.
const HIT: f32 = 0.17;
/// Seconds until a sunk pilot is back.
const AWAY: f32 = 2.5;

struct Pilot {
    look: ShipLook,
    /// The pilot that this one chases.
    target: usize,
    /// Seconds until the next shot; until the next ship, of a sunk one.
    wait: f32,
    /// Shots fired so far.
    shots: u64,
}

impl Pilot {
    fn afloat(&self) -> bool {
        self.look.hull > 0.0
    }
}

pub(crate) struct Backdrop {
    pilots: Vec<Pilot>,
    rocks: Vec<RockLook>,
    shots: Vec<ShotLook>,
    effects: Vec<Effect>,
    random: Random,
    followed: usize,
    followed_for: f32,
    /// Where the camera should look, in world units.
    pub(crate) focus: Vec2,
}

impl Backdrop {
    /// A battle from a seed, already under way.
    #[must_use]
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Random::new(seed as u32);
        let rock = |id: u16| {
            let at = Vec2::from_angle(f32::from(id) * 2.4) * (0.3 + 0.07 * f32::from(id)) * EDGE;
            RockLook { id, at, radius: 50.0 + 9.0 * f32::from(id) }
        };
        let rocks = (0..ROCKS).map(rock).collect();
        let pilots =
            (0..PILOTS).map(|player| Pilot { look: launch(player, &mut random), target: 0, wait: 0.0, shots: 0 });
        let mut backdrop = Backdrop {
            pilots: pilots.collect(),
            rocks,
            shots: Vec::new(),
            effects: Vec::new(),
            random,
            followed: 0,
            followed_for: 0.0,
            focus: Vec2::ZERO,
        };
        // Skip the arrivals.
        for _ in 0..60 {
            backdrop.step(STEP_MAX);
        }
        backdrop.focus = backdrop.pilots[0].look.at;
        backdrop
    }

    /// Advances by `dt` seconds and fills the stage.
    pub(crate) fn show(&mut self, dt: f32, stage: &mut Stage) {
        self.effects.clear();
        self.step(dt.min(STEP_MAX));
        stage.clear();
        stage.own = None;
        stage.edge = EDGE;
        stage.ships.extend(self.pilots.iter().filter(|pilot| pilot.afloat()).map(|pilot| pilot.look));
        stage.shots.extend_from_slice(&self.shots);
        stage.rocks.extend_from_slice(&self.rocks);
        stage.effects.append(&mut self.effects);
        stage.add_shot_effects();
        self.follow(dt);
    }

    fn step(&mut self, dt: f32) {
        for n in 0..self.pilots.len() {
            match self.pilots[n].afloat() {
                true => self.fly(n, dt),
                false => self.wait(n, dt),
            }
        }
        for shot in &mut self.shots {
            shot.age += dt;
            shot.at += shot.velocity * dt;
        }
        let (pilots, rocks, effects) = (&mut self.pilots, &self.rocks, &mut self.effects);
        self.shots.retain(|shot| {
            if rocks.iter().any(|rock| shot.at.distance(rock.at) < rock.radius) {
                effects.push(Effect::Chipped { at: shot.at });
                return false;
            }
            let is_hit = |look: &ShipLook| look.player != shot.player && shot.at.distance(look.at) < SHIP_RADIUS;
            let Some(hit) = pilots.iter_mut().find(|pilot| pilot.afloat() && is_hit(&pilot.look)) else {
                return shot.age < FLIGHT;
            };
            let ShipLook { player, at, velocity, .. } = hit.look;
            effects.push(Effect::Struck { player, by: shot.player, at: shot.at, shielded: false, heavy: false });
            hit.look.hull -= HIT;
            if !hit.afloat() {
                effects.push(Effect::Sunk { player, at, velocity });
                hit.wait = AWAY;
            }
            false
        });
    }

    /// Lets a pilot chase another and fire, or turn away from what is ahead.
    fn fly(&mut self, n: usize, dt: f32) {
        let target = self.pilots[n].target;
        if target == n || !self.pilots[target].afloat() || self.random.unit() < 0.1 * dt {
            self.pilots[n].target = self.random.bits() as usize % self.pilots.len();
        }
        let goal = self.pilots[self.pilots[n].target].look;
        let look = self.pilots[n].look;
        let way = goal.at + goal.velocity * (goal.at.distance(look.at) / SHOT_SPEED) - look.at;
        let ahead = look.at + look.velocity * 0.6;
        let mut course = way;
        for rock in self.rocks.iter().filter(|rock| ahead.distance(rock.at) < rock.radius + 60.0) {
            course = ahead - rock.at;
        }
        if way.length() < 140.0 {
            course = way.perp();
        }
        if ahead.length() > EDGE * 0.93 {
            course = -look.at;
        }
        let off = wrap_angle(course.to_angle() - look.heading);
        let pilot = &mut self.pilots[n];
        pilot.look.heading = wrap_angle(look.heading + off.clamp(-TURN * dt, TURN * dt));
        pilot.look.thrust = off.abs() < 1.0;
        let cruise = Vec2::from_angle(pilot.look.heading) * pilot.look.craft.spec().speed.min(SPEED_MAX) * 0.7;
        pilot.look.velocity += (cruise - look.velocity) * (1.4 * dt).min(1.0);
        pilot.look.at += pilot.look.velocity * dt;
        pilot.wait -= dt;
        if course == way && off.abs() < AIM && way.length() < RANGE && pilot.wait < 0.0 {
            pilot.wait = self.random.range(0.16, 0.5);
            pilot.shots += 1;
            let bow = Vec2::from_angle(pilot.look.heading);
            let key = u64::from(look.player) << 32 | pilot.shots;
            let velocity = bow * SHOT_SPEED;
            self.shots.push(ShotLook { player: look.player, at: look.at + bow * SHIP_RADIUS, velocity, age: 0.0, key });
        }
    }

    /// Brings a sunk pilot back in time.
    fn wait(&mut self, n: usize, dt: f32) {
        let pilot = &mut self.pilots[n];
        pilot.wait -= dt;
        if pilot.wait < 0.0 {
            pilot.look = launch(n as u16, &mut self.random);
            self.effects.push(Effect::Launched { player: n as u16, at: pilot.look.at });
        }
    }

    /// Follows one ship for a while, then another.
    fn follow(&mut self, dt: f32) {
        self.followed_for += dt;
        if !self.pilots[self.followed].afloat() || self.followed_for > FOLLOW_SECONDS {
            let next = (1..self.pilots.len()).map(|by| (self.followed + by) % self.pilots.len());
            self.followed = next.into_iter().find(|n| self.pilots[*n].afloat()).unwrap_or(self.followed);
            self.followed_for = 0.0;
        }
        let share = 1.0 - (-GLIDE * dt).exp();
        self.focus += (self.pilots[self.followed].look.at - self.focus) * share;
    }
}

/// A new ship, somewhere in the arena.
fn launch(player: u16, random: &mut Random) -> ShipLook {
    ShipLook {
        id: player,
        player,
        team: None,
        craft: Craft::of((player % 3) as u8),
        at: random.direction() * random.range(0.3, 0.85) * EDGE,
        velocity: Vec2::ZERO,
        heading: random.range(-3.0, 3.0),
        hull: 1.0,
        shield: 0.0,
        protected: false,
        rapid: false,
        thrust: true,
        boost: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pilots_fire_sink_each_other_and_stay_in_the_arena() {
        let (mut backdrop, mut stage, mut sunk) = (Backdrop::new(7), Stage::default(), 0);
        for _ in 0..60 * 60 {
            backdrop.show(1.0 / 60.0, &mut stage);
            sunk += stage.effects.iter().filter(|effect| matches!(effect, Effect::Sunk { .. })).count();
            let far = stage.ships.iter().map(|ship| ship.at.length()).fold(0.0, f32::max);
            assert!(far < EDGE, "a ship is at {far}");
        }
        assert!((5..120).contains(&sunk), "{sunk} ships sank in a minute");
        assert!(stage.ships.len() > 6, "{} ships are left", stage.ships.len());
    }
}

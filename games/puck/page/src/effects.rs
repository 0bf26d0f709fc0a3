//! Sparks, and the flash of a goal.

use std::f32::consts::TAU;

use broadside_client::{Color, Particle, ParticleShape, Particles, Pen, Random};
use broadside_puck::rules::HALF_LENGTH;
use glam::Vec2;

/// Seconds for which a goal stays lit.
const GOAL_S: f32 = 1.8;
const PARTICLES_MAX: usize = 400;
/// Slower impacts leave no spark, in units/s.
const SPARKLESS: f32 = 180.0;

pub(crate) struct Effects {
    particles: Particles,
    random: Random,
    /// The team that scored, and the seconds since.
    goal: Option<(u8, f32)>,
}

impl Effects {
    pub(crate) fn new() -> Effects {
        Effects { particles: Particles::new(PARTICLES_MAX), random: Random::new(7), goal: None }
    }

    pub(crate) fn clear(&mut self) {
        self.particles.clear();
        self.goal = None;
    }

    /// The team that has just scored, and how brightly its goal shines, 0..=1.
    pub(crate) fn goal(&self) -> Option<(u8, f32)> {
        self.goal.map(|(team, age)| (team, (1.0 - age / GOAL_S) * (0.75 + 0.25 * (age * TAU * 3.0).cos())))
    }

    pub(crate) fn kick(&mut self, at: Vec2) {
        let fade = (Color::WHITE.alpha(0.8), Color::WHITE.alpha(0.0));
        self.particles.add(Particle::new(ParticleShape::Ring, at, 0.28, (14.0, 58.0), fade));
        self.sparks(at, 8, 260.0, Color::WHITE);
    }

    pub(crate) fn bounce(&mut self, at: Vec2, speed: f32) {
        if speed > SPARKLESS {
            self.sparks(at, 3 + (speed / 150.0) as usize, speed * 0.5, Color::hex(0xbf_dcff));
        }
    }

    pub(crate) fn score(&mut self, team: u8) {
        self.goal = Some((team, 0.0));
        let at = Vec2::new(if team == 0 { HALF_LENGTH } else { -HALF_LENGTH }, 0.0);
        let color = Color::of_team(team);
        self.sparks(at, 60, 900.0, color);
        for (delay, size) in [(0.0, 320.0), (0.15, 460.0), (0.3, 620.0)] {
            let fade = (color.alpha(0.9), color.alpha(0.0));
            self.particles.add(Particle::new(ParticleShape::Ring, at, 0.9, (20.0, size), fade).after(delay));
        }
    }

    pub(crate) fn advance(&mut self, dt: f32) {
        self.particles.advance(dt);
        self.goal = self.goal.map(|(team, age)| (team, age + dt)).filter(|(_, age)| *age < GOAL_S);
    }

    pub(crate) fn draw(&self, pen: &mut Pen<'_>) {
        self.particles.draw(pen);
    }

    fn sparks(&mut self, at: Vec2, count: usize, speed: f32, color: Color) {
        for _ in 0..self.particles.burst(count) {
            let velocity = self.random.direction() * speed * self.random.range(0.2, 1.0);
            let life = self.random.range(0.2, 0.6);
            let fade = (color, color.alpha(0.0));
            self.particles.add(Particle::new(ParticleShape::Spark, at, life, (2.6, 0.8), fade).flying(velocity, 3.0));
        }
    }
}

//! Particles: short-lived sprites that fly, turn and fade. A bounded pool of plain numbers.

use glam::Vec2;

use crate::color::Color;
use crate::gl::batch::{Batch, Layer, Shape, Sprite};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ParticleShape {
    Glow,
    /// A light stretched along its flight.
    Spark,
    /// A ring that widens.
    Ring,
    /// A splinter that tumbles and cools.
    Shard,
    Smoke,
}

/// One particle. Sizes are half sizes in world units; colors and sizes change from the first value to the second over its life.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Particle {
    pub(crate) shape: ParticleShape,
    /// World units.
    pub(crate) at: Vec2,
    /// World units per second.
    pub(crate) velocity: Vec2,
    /// Share of the velocity lost per second.
    pub(crate) drag: f32,
    /// Radians.
    pub(crate) turn: f32,
    /// Radians per second.
    pub(crate) spin: f32,
    /// Seconds.
    pub(crate) life: f32,
    pub(crate) size: (f32, f32),
    pub(crate) color: (Color, Color),
    /// Seconds lived; negative before it appears.
    pub(crate) age: f32,
}

impl Particle {
    /// A particle at rest that lives for `life` seconds.
    #[must_use]
    pub(crate) fn new(shape: ParticleShape, at: Vec2, life: f32, size: (f32, f32), color: (Color, Color)) -> Self {
        Particle { shape, at, velocity: Vec2::ZERO, drag: 0.0, turn: 0.0, spin: 0.0, life, size, color, age: 0.0 }
    }

    #[must_use]
    pub(crate) fn flying(self, velocity: Vec2, drag: f32) -> Self {
        Particle { velocity, drag, ..self }
    }

    #[must_use]
    pub(crate) fn tumbling(self, turn: f32, spin: f32) -> Self {
        Particle { turn, spin, ..self }
    }

    /// Delays it by `seconds`.
    #[must_use]
    pub(crate) fn after(self, seconds: f32) -> Self {
        Particle { age: -seconds, ..self }
    }
}

#[derive(Debug)]
pub(crate) struct Particles {
    alive: Vec<Particle>,
    most: usize,
    share: f32,
}

impl Particles {
    #[must_use]
    pub(crate) fn new(most: usize) -> Self {
        Particles { alive: Vec::with_capacity(most), most, share: 1.0 }
    }

    /// Reduces all later bursts to this share of their size, 0..=1.
    pub(crate) fn thin(&mut self, share: f32) {
        self.share = share;
    }

    /// Number of particles for a burst of `full`: reduced, but at least one.
    #[must_use]
    pub(crate) fn burst(&self, full: usize) -> usize {
        ((full as f32 * self.share) as usize).max(1)
    }

    /// The share that bursts are reduced to, 0..=1.
    #[must_use]
    pub(crate) fn share(&self) -> f32 {
        self.share
    }

    /// Adds a particle. A full pool drops it: among that many, one is not missed.
    pub(crate) fn add(&mut self, particle: Particle) {
        if self.alive.len() < self.most {
            self.alive.push(particle);
        }
    }

    /// Advances by `dt` seconds and removes dead particles.
    pub(crate) fn advance(&mut self, dt: f32) {
        for p in &mut self.alive {
            p.age += dt;
            if p.age > 0.0 {
                p.at += p.velocity * dt;
                p.velocity *= (-p.drag * dt).exp();
                p.turn += p.spin * dt;
            }
        }
        self.alive.retain(|p| p.age < p.life);
    }

    pub(crate) fn clear(&mut self) {
        self.alive.clear();
    }

    /// Adds the particles that `sees` accepts to the batch.
    pub(crate) fn draw(&self, batch: &mut Batch, sees: impl Fn(Vec2, f32) -> bool) {
        for p in &self.alive {
            if p.age < 0.0 || !sees(p.at, p.size.0.max(p.size.1) + 20.0) {
                continue;
            }
            let share = p.age / p.life;
            let size = p.size.0 + (p.size.1 - p.size.0) * share;
            let color = p.color.0.mix(p.color.1, share);
            match p.shape {
                ParticleShape::Glow => {
                    batch.add(Layer::Light, &Sprite::light(Shape::Glow, p.at, Vec2::splat(size), color));
                }
                ParticleShape::Spark => {
                    let stretch = size * 1.6 + p.velocity.length() * 0.028;
                    let half = Vec2::new(stretch, size);
                    batch.add(
                        Layer::Light,
                        &Sprite::light(Shape::Bolt, p.at, half, color).turned(p.velocity.to_angle()),
                    );
                }
                ParticleShape::Ring => {
                    let fresh = 1.0 - share;
                    // Fast at first, then slower: a shock wave, not a balloon.
                    let size = p.size.0 + (p.size.1 - p.size.0) * (1.0 - fresh * fresh * fresh);
                    let ring = Sprite::light(Shape::Ring, p.at, Vec2::splat(size), color);
                    batch.add(Layer::Light, &ring.with(0.84, 0.022 + 0.075 * fresh));
                }
                ParticleShape::Shard => {
                    let sprite = Sprite::new(Shape::Shard, p.at, Vec2::splat(size), color).turned(p.turn);
                    let heat = (1.0 - share * 2.2).max(0.0);
                    batch.add(Layer::Solid, &sprite.with(p.life * 91.0, heat).accent(Color::hex(0xff_b060)));
                }
                ParticleShape::Smoke => {
                    let sprite = Sprite::new(Shape::Smoke, p.at, Vec2::splat(size), color).turned(p.turn);
                    batch.add(Layer::Back, &sprite.with(p.life * 7.0, 0.0));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn glow(life: f32) -> Particle {
        Particle::new(ParticleShape::Glow, Vec2::ZERO, life, (1.0, 2.0), (Color::WHITE, Color::WHITE.alpha(0.0)))
    }

    #[test]
    fn particles_die_at_the_end_of_their_life_and_the_pool_is_bounded() {
        let mut particles = Particles::new(8);
        for n in 0..20 {
            particles.add(glow(if n % 2 == 0 { 0.1 } else { 1.0 }));
        }
        assert_eq!(particles.alive.len(), 8);
        particles.advance(0.5);
        assert_eq!(particles.alive.len(), 4);
        particles.advance(0.6);
        assert!(particles.alive.is_empty());
    }

    #[test]
    fn a_delayed_particle_is_not_drawn_and_does_not_move() {
        let mut particles = Particles::new(8);
        particles.add(glow(1.0).flying(Vec2::X * 100.0, 0.0).after(0.2));
        let mut batch = Batch::default();
        particles.advance(0.1);
        particles.draw(&mut batch, |_, _| true);
        assert_eq!(batch.len(), 0);
        particles.advance(0.2);
        particles.draw(&mut batch, |at, _| at.x > 1.0);
        assert_eq!(batch.len(), 1);
    }
}

//! Particles: short-lived sprites that fly, turn and fade. A bounded pool of plain numbers.

use glam::Vec2;

use crate::color::Color;
use crate::gl::batch::{Batch, Layer, Shape, Sprite};
use crate::pen::{Pen, Surface};

/// What a particle looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParticleShape {
    /// A soft light.
    Glow,
    /// A light stretched along its flight.
    Spark,
    /// A ring that widens.
    Ring,
    /// A splinter that tumbles and cools.
    Shard,
    /// A puff that spreads.
    Smoke,
}

/// One particle. Sizes are half sizes in world units; colors and sizes change from the first value to the second over its life.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Particle {
    /// What it looks like.
    pub shape: ParticleShape,
    /// World units.
    pub at: Vec2,
    /// World units per second.
    pub velocity: Vec2,
    /// Share of the velocity lost per second.
    pub drag: f32,
    /// Radians.
    pub turn: f32,
    /// Radians per second.
    pub spin: f32,
    /// Seconds.
    pub life: f32,
    /// Half sizes at the start and at the end.
    pub size: (f32, f32),
    /// Colors at the start and at the end.
    pub color: (Color, Color),
    /// Seconds lived; negative before it appears.
    pub age: f32,
}

impl Particle {
    /// A particle at rest that lives for `life` seconds.
    #[must_use]
    pub fn new(shape: ParticleShape, at: Vec2, life: f32, size: (f32, f32), color: (Color, Color)) -> Self {
        Particle { shape, at, velocity: Vec2::ZERO, drag: 0.0, turn: 0.0, spin: 0.0, life, size, color, age: 0.0 }
    }

    /// Lets it fly; `drag` is the share of the velocity lost per second.
    #[must_use]
    pub fn flying(self, velocity: Vec2, drag: f32) -> Self {
        Particle { velocity, drag, ..self }
    }

    /// Lets it turn, from `turn` radians on by `spin` radians per second.
    #[must_use]
    pub fn tumbling(self, turn: f32, spin: f32) -> Self {
        Particle { turn, spin, ..self }
    }

    /// Delays it by `seconds`.
    #[must_use]
    pub fn after(self, seconds: f32) -> Self {
        Particle { age: -seconds, ..self }
    }

    fn size(&self) -> f32 {
        let share = self.age / self.life;
        let way = match self.shape {
            // Fast at first, then slower: a shock wave, not a balloon.
            ParticleShape::Ring => 1.0 - (1.0 - share).powi(3),
            ParticleShape::Glow | ParticleShape::Spark | ParticleShape::Shard | ParticleShape::Smoke => share,
        };
        self.size.0 + (self.size.1 - self.size.0) * way
    }

    fn color(&self) -> Color {
        self.color.0.mix(self.color.1, self.age / self.life)
    }
}

/// A bounded pool of particles.
#[derive(Debug)]
pub struct Particles {
    alive: Vec<Particle>,
    most: usize,
    share: f32,
}

impl Particles {
    /// An empty pool for at most `most` particles.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Particles { alive: Vec::with_capacity(most), most, share: 1.0 }
    }

    /// Reduces all later bursts to this share of their size, 0..=1.
    pub fn thin(&mut self, share: f32) {
        self.share = share;
    }

    /// Number of particles for a burst of `full`: reduced, but at least one.
    #[must_use]
    pub fn burst(&self, full: usize) -> usize {
        ((full as f32 * self.share) as usize).max(1)
    }

    /// The share that bursts are reduced to, 0..=1.
    #[must_use]
    pub fn share(&self) -> f32 {
        self.share
    }

    /// Adds a particle. A full pool drops it: among that many, one is not missed.
    pub fn add(&mut self, particle: Particle) {
        if self.alive.len() < self.most {
            self.alive.push(particle);
        }
    }

    /// Advances by `dt` seconds and removes dead particles.
    pub fn advance(&mut self, dt: f32) {
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

    /// Removes all particles.
    pub fn clear(&mut self) {
        self.alive.clear();
    }

    /// Draws the particles in the picture, with either renderer.
    pub fn draw(&self, pen: &mut Pen<'_>) {
        let camera = pen.camera;
        if let Surface::Full(full) = &mut pen.surface {
            return self.draw_sprites(full.batch, |at, reach| camera.sees(at, reach));
        }
        for p in &self.alive {
            let (size, color) = (p.size(), p.color());
            if p.age < 0.0 || !camera.sees(p.at, size) {
                continue;
            }
            match p.shape {
                ParticleShape::Glow => pen.glow(p.at, size, color),
                ParticleShape::Spark => pen.line(p.at, p.at - p.velocity * 0.04, size, color),
                ParticleShape::Ring => pen.ring(p.at, size, 1.0 + 0.1 * size * (1.0 - p.age / p.life), color),
                ParticleShape::Shard => pen.rect(p.at, Vec2::splat(size * 0.6), p.turn, color),
                ParticleShape::Smoke => pen.disc(p.at, size * 0.7, color.alpha(color.a * 0.5)),
            }
        }
    }

    /// Adds the particles that `sees` accepts to the full renderer's batch.
    pub fn draw_sprites(&self, batch: &mut Batch, sees: impl Fn(Vec2, f32) -> bool) {
        for p in &self.alive {
            if p.age < 0.0 || !sees(p.at, p.size.0.max(p.size.1) + 20.0) {
                continue;
            }
            let (share, size, color) = (p.age / p.life, p.size(), p.color());
            match p.shape {
                ParticleShape::Glow => {
                    batch.add(Layer::Light, &Sprite::light(Shape::GLOW, p.at, Vec2::splat(size), color));
                }
                ParticleShape::Spark => {
                    let stretch = size * 1.6 + p.velocity.length() * 0.028;
                    let half = Vec2::new(stretch, size);
                    batch.add(
                        Layer::Light,
                        &Sprite::light(Shape::BOLT, p.at, half, color).turned(p.velocity.to_angle()),
                    );
                }
                ParticleShape::Ring => {
                    let fresh = 1.0 - share;
                    let ring = Sprite::light(Shape::RING, p.at, Vec2::splat(size), color);
                    batch.add(Layer::Light, &ring.with(0.84, 0.022 + 0.075 * fresh));
                }
                ParticleShape::Shard => {
                    let sprite = Sprite::new(Shape::SHARD, p.at, Vec2::splat(size), color).turned(p.turn);
                    let heat = (1.0 - share * 2.2).max(0.0);
                    batch.add(Layer::Solid, &sprite.with(p.life * 91.0, heat).accent(Color::hex(0xff_b060)));
                }
                ParticleShape::Smoke => {
                    let sprite = Sprite::new(Shape::SMOKE, p.at, Vec2::splat(size), color).turned(p.turn);
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
        particles.draw_sprites(&mut batch, |_, _| true);
        assert_eq!(batch.len(), 0);
        particles.advance(0.2);
        particles.draw_sprites(&mut batch, |at, _| at.x > 1.0);
        assert_eq!(batch.len(), 1);
    }
}

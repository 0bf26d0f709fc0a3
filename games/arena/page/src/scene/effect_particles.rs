//! The effects as particles: muzzle flashes, sparks, wrecks.

use broadside_arena::rules::MINE_BLAST;
use broadside_client::{Color, Particle, ParticleShape, Particles, Random};
use glam::Vec2;

use super::objects::boon_color;
use super::paint_of;
use crate::stage::{Effect, Stage};

const FIRE: Color = Color::hex(0xffa03c);
const EMBER: Color = Color::hex(0xff3a18);

pub(crate) struct EffectParticles<'a> {
    pub(crate) particles: &'a mut Particles,
    pub(crate) random: &'a mut Random,
}

impl EffectParticles<'_> {
    /// Turns the stage's effects into particles.
    pub(crate) fn show(&mut self, stage: &Stage) {
        for effect in &stage.effects {
            match *effect {
                Effect::Fired { player, at, velocity } => {
                    let ship = stage.ship_of(player).map_or(Vec2::ZERO, |ship| ship.velocity);
                    self.muzzle(at, velocity, ship, paint_of(stage, player));
                }
                Effect::Railed { player, from, to } => self.rail(from, to, paint_of(stage, player)),
                Effect::Struck { at, by, player, shielded, heavy } => {
                    let away = stage.ship_of(player).map_or(Vec2::ZERO, |ship| (at - ship.at).normalize_or_zero());
                    let color = if shielded { Color::hex(0x8fc6ff) } else { paint_of(stage, by) };
                    self.sparks(at, away, color, if shielded { 9 } else { 15 } + if heavy { 16 } else { 0 });
                }
                Effect::Chipped { at } => self.chips(at),
                Effect::Sunk { player, at, velocity } => self.wreck(at, velocity, paint_of(stage, player)),
                Effect::Blown { player, at } => {
                    self.sparks(at, Vec2::ZERO, FIRE, 34);
                    self.add(ParticleShape::Glow, at, 0.35, (130.0, 40.0), (FIRE, EMBER.alpha(0.0)));
                    let color = paint_of(stage, player);
                    self.add(ParticleShape::Ring, at, 0.45, (14.0, MINE_BLAST), (color.alpha(0.9), color.alpha(0.0)));
                }
                Effect::Taken { what, at, .. } => self.taken(at, boon_color(what)),
                Effect::Launched { player, at } => self.launched(at, paint_of(stage, player)),
                Effect::Dealt { .. } | Effect::Judged { .. } => {}
            }
        }
    }

    fn add(&mut self, shape: ParticleShape, at: Vec2, life: f32, size: (f32, f32), colors: (Color, Color)) {
        self.particles.add(Particle::new(shape, at, life, size, colors));
    }

    fn muzzle(&mut self, at: Vec2, velocity: Vec2, ship: Vec2, color: Color) {
        let flash = Particle::new(
            ParticleShape::Glow,
            at,
            0.09,
            (34.0, 14.0),
            (color.mix(Color::WHITE, 0.5), color.alpha(0.0)),
        );
        self.particles.add(flash.flying(ship, 0.0));
        let ahead = velocity.normalize_or_zero();
        for _ in 0..self.particles.burst(4) {
            let way = ahead * self.random.range(120.0, 320.0) + ahead.perp() * self.random.bell() * 150.0;
            let life = self.random.range(0.08, 0.2);
            let spark = Particle::new(
                ParticleShape::Spark,
                at,
                life,
                (2.6, 1.0),
                (color.mix(Color::WHITE, 0.4), color.alpha(0.0)),
            );
            self.particles.add(spark.flying(ship + way, 3.0));
        }
    }

    /// A beam: a flash at both ends, and motes along its whole length.
    fn rail(&mut self, from: Vec2, to: Vec2, color: Color) {
        let pale = color.mix(Color::WHITE, 0.6);
        self.add(ParticleShape::Glow, from, 0.18, (70.0, 20.0), (pale, color.alpha(0.0)));
        self.add(ParticleShape::Ring, from, 0.26, (8.0, 46.0), (color.alpha(0.9), color.alpha(0.0)));
        self.add(ParticleShape::Glow, to, 0.26, (60.0, 24.0), (pale, color.alpha(0.0)));
        let way = to - from;
        for _ in 0..self.particles.burst((way.length() / 22.0) as usize) {
            let at = from + way * self.random.unit() + self.random.direction() * 5.0;
            let life = self.random.range(0.3, 0.9);
            let mote = Particle::new(ParticleShape::Glow, at, life, (5.0, 1.0), (color.alpha(0.7), color.alpha(0.0)));
            self.particles.add(mote.flying(self.random.direction() * self.random.range(8.0, 46.0), 1.0));
        }
    }

    fn sparks(&mut self, at: Vec2, away: Vec2, color: Color, count: usize) {
        self.add(ParticleShape::Glow, at, 0.14, (46.0, 20.0), (Color::WHITE.alpha(0.9), color.alpha(0.0)));
        self.add(ParticleShape::Ring, at, 0.22, (6.0, 34.0), (color.alpha(0.7), color.alpha(0.0)));
        for _ in 0..self.particles.burst(count) {
            let way = (away * 0.9 + self.random.direction()) * self.random.range(70.0, 330.0);
            let life = self.random.range(0.15, 0.5);
            let hot = color.mix(Color::hex(0xfff2d0), self.random.unit());
            let spark = Particle::new(ParticleShape::Spark, at, life, (3.0, 1.2), (hot, color.alpha(0.0)));
            self.particles.add(spark.flying(way, 2.6));
        }
    }

    fn chips(&mut self, at: Vec2) {
        self.add(ParticleShape::Glow, at, 0.12, (26.0, 10.0), (Color::hex(0xffe0b0).alpha(0.8), FIRE.alpha(0.0)));
        let dust = Color::hex(0x8a8070);
        self.add(ParticleShape::Smoke, at, 0.7, (8.0, 30.0), (dust.alpha(0.45), dust.alpha(0.0)));
        for n in 0..self.particles.burst(7) {
            let way = self.random.direction() * self.random.range(40.0, 190.0);
            let life = self.random.range(0.25, 0.7);
            let spin = self.random.bell() * 12.0;
            let chip = if n % 2 == 0 {
                let size = self.random.range(2.5, 5.0);
                Particle::new(ParticleShape::Shard, at, life * 1.5, (size, size), (dust, dust.alpha(0.0)))
            } else {
                Particle::new(
                    ParticleShape::Spark,
                    at,
                    life * 0.6,
                    (2.4, 1.0),
                    (Color::hex(0xffd9a0), EMBER.alpha(0.0)),
                )
            };
            self.particles.add(chip.flying(way, 2.0).tumbling(spin, spin));
        }
    }

    /// A wreck: flash, shock wave, fire, splinters in the ship's color, lasting smoke.
    fn wreck(&mut self, at: Vec2, velocity: Vec2, color: Color) {
        let drift = velocity * 0.4;
        self.add(ParticleShape::Glow, at, 0.16, (210.0, 150.0), (Color::WHITE, Color::hex(0xffd090).alpha(0.0)));
        self.add(ParticleShape::Glow, at, 0.75, (190.0, 260.0), (FIRE.alpha(0.55), EMBER.alpha(0.0)));
        self.add(ParticleShape::Ring, at, 0.60, (18.0, 190.0), (Color::hex(0xfff0d0), color.alpha(0.0)));
        self.particles.add(
            Particle::new(ParticleShape::Ring, at, 0.85, (10.0, 280.0), (color.alpha(0.55), color.alpha(0.0)))
                .after(0.06),
        );
        for _ in 0..self.particles.burst(16) {
            let way = self.random.direction() * self.random.range(10.0, 150.0);
            let life = self.random.range(0.35, 0.95);
            let size = self.random.range(20.0, 46.0);
            let fire = Particle::new(
                ParticleShape::Glow,
                at + way * 0.12,
                life,
                (size, size * 0.3),
                (Color::hex(0xffe2a0).mix(FIRE, self.random.unit()).alpha(0.85), EMBER.alpha(0.0)),
            );
            self.particles.add(fire.flying(drift + way, 2.0).after(self.random.unit() * 0.12));
        }
        for _ in 0..self.particles.burst(38) {
            let way = self.random.direction() * self.random.range(120.0, 620.0);
            let life = self.random.range(0.3, 1.0);
            let hot = FIRE.mix(Color::hex(0xfff6dc), self.random.unit());
            let spark = Particle::new(ParticleShape::Spark, at, life, (3.6, 1.2), (hot, EMBER.alpha(0.0)));
            self.particles.add(spark.flying(drift + way, 2.1));
        }
        let plate = color.mix(Color::hex(0x202634), 0.4);
        for _ in 0..self.particles.burst(13) {
            let way = self.random.direction() * self.random.range(40.0, 260.0);
            let life = self.random.range(0.9, 2.2);
            let size = self.random.range(3.5, 9.0);
            let shard = Particle::new(ParticleShape::Shard, at, life, (size, size * 0.8), (plate, plate.alpha(0.0)));
            let spin = self.random.bell() * 14.0;
            self.particles.add(shard.flying(drift + way, 0.9).tumbling(self.random.unit() * 6.0, spin));
        }
        for _ in 0..self.particles.burst(8) {
            let way = self.random.direction() * self.random.range(10.0, 60.0);
            let life = self.random.range(1.0, 2.0);
            let smoke = Particle::new(
                ParticleShape::Smoke,
                at + way * 0.4,
                life,
                (26.0, 80.0),
                (Color::hex(0x15161c).alpha(0.7), Color::hex(0x20222a).alpha(0.0)),
            );
            self.particles.add(smoke.flying(drift + way, 1.2).tumbling(self.random.unit() * 6.0, self.random.bell()));
        }
    }

    fn taken(&mut self, at: Vec2, color: Color) {
        self.add(ParticleShape::Glow, at, 0.3, (80.0, 120.0), (color.alpha(0.8), color.alpha(0.0)));
        self.add(ParticleShape::Ring, at, 0.5, (20.0, 96.0), (color, color.alpha(0.0)));
        for _ in 0..self.particles.burst(18) {
            let out = self.random.direction();
            let life = self.random.range(0.4, 0.9);
            let mote = Particle::new(
                ParticleShape::Glow,
                at + out * 14.0,
                life,
                (7.0, 1.0),
                (color, color.mix(Color::WHITE, 0.4).alpha(0.0)),
            );
            self.particles.add(mote.flying(out * self.random.range(60.0, 220.0), 3.0));
        }
    }

    fn launched(&mut self, at: Vec2, color: Color) {
        self.add(
            ParticleShape::Glow,
            at,
            0.5,
            (150.0, 40.0),
            (color.mix(Color::WHITE, 0.5).alpha(0.8), color.alpha(0.0)),
        );
        for (delay, reach) in [(0.0, 120.0), (0.12, 80.0)] {
            let ring = Particle::new(ParticleShape::Ring, at, 0.5, (reach, 20.0), (color.alpha(0.0), color));
            self.particles.add(ring.after(delay));
        }
        for _ in 0..self.particles.burst(14) {
            let out = self.random.direction();
            let mote =
                Particle::new(ParticleShape::Glow, at + out * 130.0, 0.45, (3.0, 8.0), (color.alpha(0.1), color));
            self.particles.add(mote.flying(out * -260.0, 0.0));
        }
    }
}

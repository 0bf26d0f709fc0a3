//! Ships as sprites: hull, flame, shield, and what lasts of each from image to image.

use broadside_client::{Batch, Camera, Color, Layer, Particle, ParticleShape, Particles, Random, Shape, Sprite};
use glam::Vec2;

use super::paint_of;
use crate::hulls::{HULL, engines, silhouette, size};
use crate::shapes;
use crate::stage::{Effect, ShipLook, Stage};
use crate::trail::Trail;

/// Particles of exhaust per second at full thrust.
const EXHAUST: f32 = 46.0;

/// What lasts of a ship from image to image.
#[derive(Debug, Clone, Copy, Default)]
struct Memory {
    seen: u32,
    /// How brightly the hull flashes, 0..=1.
    flash: f32,
    /// How brightly the shield flashes, 0..=1.
    guard: f32,
    /// How strongly its engine burns, 0..=1: flames grow and die.
    burn: f32,
    /// Exhaust particles still to emit.
    owed: f32,
}

#[derive(Debug, Default)]
pub(crate) struct Ships {
    /// By ship; a few dozen at most, so that a linear search is fast.
    known: Vec<(u16, Memory)>,
    image: u32,
}

impl Ships {
    /// Takes the stage's effects on ships.
    pub(crate) fn apply_effects(&mut self, stage: &Stage) {
        for effect in &stage.effects {
            if let Effect::Struck { player, shielded, .. } = *effect
                && let Some(ship) = stage.ship_of(player)
            {
                let memory = remember(&mut self.known, ship.id);
                if shielded { memory.guard = 1.0 } else { memory.flash = 1.0 }
            }
        }
    }

    /// Adds every ship in the picture, and the exhaust of the last `dt` seconds.
    pub(crate) fn draw(
        &mut self,
        stage: &Stage,
        camera: &Camera,
        seconds: f64,
        dt: f32,
        out: (&mut Batch, &mut Particles, &mut Random),
    ) {
        let (batch, particles, random) = out;
        self.image = self.image.wrapping_add(1);
        for ship in &stage.ships {
            let memory = remember(&mut self.known, ship.id);
            memory.seen = self.image;
            memory.flash = (memory.flash - dt * 7.0).max(0.0);
            memory.guard = (memory.guard - dt * 4.0).max(0.0);
            let burn = match (ship.boost, ship.thrust) {
                (true, _) => 1.9,
                (false, true) => 1.0,
                (false, false) => 0.0,
            };
            memory.burn += (burn - memory.burn) * (1.0 - (-dt * 14.0).exp());
            if !camera.sees(ship.at, 120.0) {
                continue;
            }
            let color = paint_of(stage, ship.player);
            let own = stage.own == Some(ship.player);
            let trail = if own { stage.trail } else { Trail::Usual };
            exhaust(ship, memory, (color, trail), dt, particles, random);
            let flame = flame_of(ship, color, own, stage.paint);
            draw_one(ship, memory, (color, flame), own, seconds, batch);
        }
        if let Some(ghost) = &stage.ghost {
            let color = Color::hex(0xff6f9c);
            let hull = Sprite::new(shapes::SHIP, ghost.at, Vec2::splat(HULL * 1.3), color.alpha(0.5));
            batch.add(Layer::Solid, &hull.turned(ghost.heading).accent(Color::WHITE));
        }
        let image = self.image;
        self.known.retain(|(_, memory)| memory.seen == image);
    }
}

/// The memory of a ship; a fresh one if it is new.
fn remember(known: &mut Vec<(u16, Memory)>, ship: u16) -> &mut Memory {
    let index = known.iter().position(|(id, _)| *id == ship).unwrap_or_else(|| {
        known.push((ship, Memory::default()));
        known.len() - 1
    });
    &mut known[index].1
}

/// The color of a ship's engines: the own one's follow its paint.
fn flame_of(ship: &ShipLook, color: Color, own: bool, paint: Option<Color>) -> Color {
    match ship.team {
        Some(_) => color.mix(Color::WHITE, 0.15),
        None if own => paint.unwrap_or(Color::hex(0x59c8ff)),
        None => Color::hex(0xff9a3c),
    }
}

fn draw_one(
    ship: &ShipLook,
    memory: &Memory,
    (color, flame): (Color, Color),
    own: bool,
    seconds: f64,
    batch: &mut Batch,
) {
    let shape = silhouette(ship.craft, ship.team, ship.player, own);
    let hull = HULL * size(shape);
    let bow = Vec2::from_angle(ship.heading);
    let side = bow.perp();
    let (behind, apart) = engines(shape);
    // Idle engines glow too, so that a drifting ship shows where its stern is.
    let power = 0.16 + 0.84 * memory.burn;
    for (nozzle, sign) in [1.0, -1.0].into_iter().enumerate() {
        let at = ship.at - bow * (behind * hull) + side * (sign * apart * hull);
        let long = 9.0 + 31.0 * power;
        let sprite = Sprite::light(
            shapes::FLAME,
            at - bow * (long * 0.86),
            Vec2::new(long, 8.0),
            flame.alpha(0.55 + 0.45 * power),
        );
        let phase = f32::from(ship.id) * 1.7 + nozzle as f32;
        batch.add(
            Layer::Back,
            &sprite.turned(ship.heading).with(phase, 0.35 + 0.6 * power).accent(Color::hex(0xeaf7ff)),
        );
        batch.add(
            Layer::Back,
            &Sprite::light(Shape::GLOW, at, Vec2::splat(9.0 + 15.0 * power), flame.alpha(0.55 * power)),
        );
    }
    let aura = if own { 0.26 } else { 0.16 };
    batch.add(Layer::Back, &Sprite::light(Shape::GLOW, ship.at, Vec2::splat(HULL * 2.5), color.alpha(aura)));
    let blink = if ship.protected { 0.78 + 0.22 * ((seconds * 11.0).sin() as f32) } else { 1.0 };
    let stripe = if own { Color::hex(0xffe9b0) } else { color.mix(Color::WHITE, 0.65) };
    let body = Sprite::new(shapes::SHIP, ship.at, Vec2::splat(hull * 1.3), color.alpha(blink)).turned(ship.heading);
    batch.add(Layer::Solid, &body.with(shape as f32, memory.flash).accent(stripe));
    if ship.rapid {
        let beat = 0.6 + 0.4 * ((seconds * 16.0).sin() as f32);
        let at = ship.at + bow * (HULL * 0.95);
        batch.add(
            Layer::Light,
            &Sprite::light(Shape::GLOW, at, Vec2::splat(18.0), Color::hex(0xffb84a).alpha(0.75 * beat)),
        );
    }
    if ship.shield > 0.0 || memory.guard > 0.0 {
        let strength = (0.45 + 0.55 * ship.shield).min(1.0);
        let bubble = Sprite::light(shapes::SHIELD, ship.at, Vec2::splat(HULL * 1.75), Color::hex(0x6fb4ff));
        batch.add(Layer::Light, &bubble.with(strength, memory.guard));
    }
    if ship.protected {
        let bubble =
            Sprite::light(shapes::SHIELD, ship.at, Vec2::splat(HULL * 1.75), Color::hex(0xe8f6ff).alpha(0.8 * blink));
        batch.add(Layer::Light, &bubble.with(0.8, memory.guard));
    }
}

/// Emits exhaust, and smoke and sparks while the hull is low.
fn exhaust(
    ship: &ShipLook,
    memory: &mut Memory,
    (color, trail): (Color, Trail),
    dt: f32,
    particles: &mut Particles,
    random: &mut Random,
) {
    let bow = Vec2::from_angle(ship.heading);
    memory.owed += EXHAUST * trail.look().share * memory.burn * particles.share() * dt;
    let (behind, apart) = engines(silhouette(ship.craft, ship.team, ship.player, false));
    while memory.owed >= 1.0 {
        memory.owed -= 1.0;
        let side = bow.perp() * (HULL * apart * random.bell());
        let at = ship.at - bow * (HULL * (behind + 0.5)) + side - ship.velocity * (dt * random.unit());
        particles.add(trail.particle(at, (ship.velocity, bow * -170.0), color, random));
    }
    let bad = (0.42 - ship.hull).max(0.0) / 0.42;
    if random.unit() < bad * dt * 26.0 * particles.share() {
        let at = ship.at + random.direction() * HULL * 0.4;
        let smoke = Particle::new(
            ParticleShape::Smoke,
            at,
            random.range(0.7, 1.3),
            (7.0, 26.0),
            (Color::hex(0x1a1c22).alpha(0.75), Color::hex(0x2a2c33).alpha(0.0)),
        );
        particles.add(
            smoke
                .flying(ship.velocity * 0.4 + random.direction() * 20.0, 1.0)
                .tumbling(random.unit() * 6.0, random.bell()),
        );
        if random.unit() < bad {
            let ember = Particle::new(
                ParticleShape::Spark,
                at,
                random.range(0.2, 0.5),
                (2.6, 1.2),
                (Color::hex(0xffb050), Color::hex(0xff4020).alpha(0.0)),
            );
            particles.add(ember.flying(ship.velocity * 0.6 + random.direction() * 110.0, 2.0));
        }
    }
}

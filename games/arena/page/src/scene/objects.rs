//! Rocks, pickups, shots and the arena's edge as sprites.

use std::f32::consts::TAU;

use broadside_arena::pickup::Boon;
use broadside_arena::rules::{BEAM_LIFE, DT};
use broadside_client::{Batch, Camera, Color, Layer, Shape, Sprite};
use glam::Vec2;

use super::paint_of;
use crate::shapes;
use crate::stage::{RockLook, Stage, ZoneLook};

/// Dark and light color of each mineral.
const MINERALS: [(Color, Color); 4] = [
    (Color::hex(0x4c5266), Color::hex(0x9aa3b5)),
    (Color::hex(0x5a4a44), Color::hex(0xb59d86)),
    (Color::hex(0x454863), Color::hex(0x8f8fb8)),
    (Color::hex(0x3f5158), Color::hex(0x8fb0ac)),
];
/// Size of a rock's quad relative to the circle that shots hit.
const ROCK_QUAD: f32 = 1.2;

/// The color of a kind of pickup: in the world, in the HUD and on the radar.
#[must_use]
pub(crate) fn boon_color(what: Boon) -> Color {
    match what {
        Boon::Repair => Color::hex(0x62f59b),
        Boon::Rapid => Color::hex(0xffb84a),
        Boon::Shield => Color::hex(0x6fb4ff),
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct RockPaint {
    /// Which of the eight reliefs.
    pub(crate) relief: usize,
    pub(crate) dark: Color,
    pub(crate) light: Color,
    /// Radians.
    pub(crate) turn: f32,
}

/// How a rock looks at a moment; its number decides.
#[must_use]
pub(crate) fn rock_paint(rock: &RockLook, seconds: f64) -> RockPaint {
    let look = u32::from(rock.id).wrapping_mul(2_654_435_761) >> 8;
    let (dark, light) = MINERALS[(look >> 4) as usize % MINERALS.len()];
    let pace = (((look >> 9) & 255) as f32 / 127.5 - 1.0) * 9.0 / rock.radius.max(20.0);
    let turn = ((look >> 3) & 1023) as f32 / 1023.0 * TAU + (seconds * f64::from(pace)).rem_euclid(TAU.into()) as f32;
    RockPaint { relief: (look & 7) as usize, dark, light, turn }
}

pub(crate) fn rocks(stage: &Stage, camera: &Camera, seconds: f64, batch: &mut Batch) {
    for rock in &stage.rocks {
        let half = Vec2::splat(rock.radius * ROCK_QUAD);
        if !camera.sees(rock.at, half.x) {
            continue;
        }
        let RockPaint { relief, dark, light, turn } = rock_paint(rock, seconds);
        let shade = Sprite::new(Shape::GLOW, rock.at + Vec2::new(7.0, 10.0), half * 1.25, Color::hex(0).alpha(0.75));
        batch.add(Layer::Back, &shade);
        let sprite = Sprite::new(shapes::ROCK, rock.at, half, dark).turned(turn);
        batch.add(Layer::Solid, &sprite.with(relief as f32, 0.0).accent(light));
    }
}

/// Size of a zone's quad relative to the zone: it includes the ring that shows the lean.
const ZONE_QUAD: f32 = 1.12;
/// The color of a zone without a holder.
const NOBODY: Color = Color::hex(0x9fb4cc);

#[must_use]
pub(crate) fn zone_color(zone: &ZoneLook) -> Color {
    zone.holder.map_or(NOBODY, Color::of_team)
}

pub(crate) fn zone(stage: &Stage, camera: &Camera, batch: &mut Batch) {
    let Some(zone) = stage.zone.filter(|zone| camera.sees(zone.at, zone.radius * ZONE_QUAD)) else { return };
    let toward = match zone.lean {
        lean if lean < 0.0 => Color::of_team(0),
        lean if lean > 0.0 => Color::of_team(1),
        _ => NOBODY,
    };
    let half = Vec2::splat(zone.radius * ZONE_QUAD);
    let sprite = Sprite::light(shapes::ZONE, zone.at, half, zone_color(&zone));
    let contested = if zone.contested { 1.0 } else { 0.0 };
    batch.add(Layer::Back, &sprite.with(zone.lean.abs(), contested).accent(toward));
}

pub(crate) fn pickups(stage: &Stage, camera: &Camera, seconds: f64, batch: &mut Batch) {
    for pickup in &stage.pickups {
        if !camera.sees(pickup.at, 90.0) {
            continue;
        }
        let color = boon_color(pickup.what);
        let beat = (seconds * 2.6 + f64::from(pickup.id)).sin() as f32;
        let at = pickup.at + Vec2::Y * ((seconds * 1.7 + f64::from(pickup.id)).sin() as f32) * 2.5;
        batch.add(
            Layer::Back,
            &Sprite::light(Shape::GLOW, at, Vec2::splat(62.0 + 8.0 * beat), color.alpha(0.34 + 0.10 * beat)),
        );
        let wave = (seconds * 0.7 + f64::from(pickup.id) * 0.37).fract() as f32;
        let ring = Sprite::light(Shape::RING, at, Vec2::splat(22.0 + 30.0 * wave), color.alpha(0.5 * (1.0 - wave)));
        batch.add(Layer::Back, &ring.with(0.86, 0.07));
        let badge = Sprite::new(shapes::PICKUP, at, Vec2::splat(23.0 + 1.2 * beat), color);
        batch.add(Layer::Solid, &badge.with(f32::from(pickup.what.number()), 0.0));
    }
}

/// What enemies' mines look like: red, and with spikes, so that not only the color says whose they are.
pub(crate) const HOSTILE: Color = Color::hex(0xff5468);
pub(crate) const HARMLESS: Color = Color::hex(0x7fd6ff);

pub(crate) fn mines(stage: &Stage, camera: &Camera, seconds: f64, batch: &mut Batch) {
    for mine in stage.mines.iter().filter(|mine| camera.sees(mine.at, 40.0)) {
        let color = if mine.friendly { HARMLESS } else { HOSTILE };
        let blink = if mine.armed { 0.55 + 0.45 * (seconds * 9.0).sin() as f32 } else { 0.15 };
        batch.add(Layer::Back, &Sprite::light(Shape::GLOW, mine.at, Vec2::splat(34.0), color.alpha(0.5 * blink)));
        let body = Sprite::new(Shape::DISC, mine.at, Vec2::splat(11.0), Color::hex(0x10182a));
        batch.add(Layer::Solid, &body);
        let ring = Sprite::new(Shape::RING, mine.at, Vec2::splat(12.0), color).with(0.8, 0.16);
        batch.add(Layer::Solid, &ring);
        batch.add(Layer::Solid, &Sprite::new(Shape::DISC, mine.at, Vec2::splat(4.0), color.alpha(blink.max(0.3))));
        for n in 0..if mine.friendly { 0 } else { 6 } {
            let way = TAU / 6.0 * n as f32;
            let at = mine.at + Vec2::from_angle(way) * 15.0;
            batch.add(Layer::Solid, &Sprite::new(shapes::ARROW, at, Vec2::splat(5.0), color).turned(way));
        }
    }
}

pub(crate) fn shots(stage: &Stage, camera: &Camera, batch: &mut Batch) {
    for shot in &stage.shots {
        if shot.age < 0.0 || !camera.sees(shot.at, 60.0) {
            continue;
        }
        let own = stage.own == Some(shot.player);
        let color = paint_of(stage, shot.player);
        // A bolt grows out of the muzzle instead of starting behind it.
        let long = (shot.velocity.length() * shot.age).min(if own { 30.0 } else { 27.0 }).max(8.0);
        let heading = shot.velocity.to_angle();
        let back = Vec2::from_angle(heading) * (long - 10.0);
        let bolt = Sprite::light(Shape::BOLT, shot.at - back, Vec2::new(long, 9.5), color.alpha(1.0));
        batch.add(Layer::Light, &bolt.turned(heading));
        batch.add(Layer::Light, &Sprite::light(Shape::GLOW, shot.at, Vec2::splat(34.0), color.alpha(0.30)));
    }
}

/// Half the width of a beam's quad, in world units.
const BEAM_WIDE: f32 = 24.0;

pub(crate) fn beams(stage: &Stage, camera: &Camera, batch: &mut Batch) {
    for beam in &stage.beams {
        let share = beam.age / (BEAM_LIFE as f32 * DT);
        let way = beam.to - beam.from;
        let middle = beam.from + way * 0.5;
        if !(0.0..1.0).contains(&share) || !camera.sees(middle, way.length() * 0.5 + BEAM_WIDE) {
            continue;
        }
        let half = Vec2::new(way.length() * 0.5, BEAM_WIDE);
        let sprite = Sprite::light(shapes::BEAM, middle, half, paint_of(stage, beam.player)).turned(way.to_angle());
        batch.add(Layer::Light, &sprite.with(share, way.length()));
    }
}

/// Length of one straight piece of the edge, in world units: short enough to look round on the smallest arena.
const PIECE: f32 = 60.0;

/// Adds the visible part of the arena's edge, redder as the own ship comes near.
pub(crate) fn edge(stage: &Stage, camera: &Camera, batch: &mut Batch) {
    let radius = stage.edge;
    let reach = camera.half.length() + 160.0;
    let far = camera.at.length();
    if radius <= 0.0 || (far - radius).abs() > reach {
        return;
    }
    let pieces = (TAU * radius / PIECE).ceil().max(8.0);
    let step = TAU / pieces;
    let middle = (camera.at.to_angle() / step).round() as i32;
    // The whole circle if the arena is small, the visible arc otherwise.
    let count = ((reach / radius.max(1.0)).min(std::f32::consts::PI) / step).ceil() as i32;
    let cool = Color::hex(0x3aa8ff);
    let hot = Color::hex(0xff4a55);
    for n in (middle - count)..=(middle + count) {
        let angle = n as f32 * step;
        let at = Vec2::from_angle(angle) * radius;
        if !camera.sees(at, 140.0) {
            continue;
        }
        let near = stage.own_ship().map_or(0.0, |ship| (1.0 - (ship.at - at).length() / 420.0).clamp(0.0, 1.0));
        let sprite =
            Sprite::light(shapes::WALL, at, Vec2::new(PIECE * 0.5 + 0.4, 70.0), cool.mix(hot, near).alpha(0.9));
        // The arc runs along +x when its outside is +y, so the distance along it counts against the angle.
        let sprite = sprite.turned(angle - TAU / 4.0).with(-angle * radius, 0.0);
        batch.add(Layer::Back, &sprite.accent(Color::hex(0xcfeaff).mix(Color::hex(0xffd0c0), near)));
    }
}

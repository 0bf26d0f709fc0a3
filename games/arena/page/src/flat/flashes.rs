//! The effects as flat light: discs, rings and rays that fade. A bounded pool of plain numbers.

use std::f32::consts::TAU;

use broadside_arena::rules::MINE_BLAST;
use broadside_client::{Camera, Color, FlatPen, ParticleShape};
use glam::Vec2;

use crate::hulls::HULL;
use crate::scene::objects::boon_color;
use crate::scene::paint_of;
use crate::stage::{Effect, Stage};
use crate::trail::Trail;

/// Most flashes at a time; among that many, one more is not missed.
const FLASHES_MAX: usize = 96;
/// Pieces per second of a trail that is usual in number.
const TRAIL: f32 = 24.0;
/// Rays of a wreck.
const RAYS: u32 = 11;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FlashShape {
    Disc,
    Ring,
    /// Splinters that fly out from the middle.
    Rays,
}

#[derive(Debug, Clone, Copy)]
struct Flash {
    shape: FlashShape,
    at: Vec2,
    velocity: Vec2,
    color: Color,
    /// Radius at the start and at the end, in world units.
    size: (f32, f32),
    life: f32,
    age: f32,
}

#[derive(Debug, Default)]
pub(crate) struct Flashes {
    alive: Vec<Flash>,
    /// Pieces of the trail still to be added.
    owed: f32,
}

impl Flashes {
    /// Takes the stage's effects, and lets `dt` seconds pass.
    pub(crate) fn apply_effects(&mut self, stage: &Stage, dt: f32) {
        for flash in &mut self.alive {
            flash.age += dt;
            flash.at += flash.velocity * dt;
        }
        self.alive.retain(|flash| flash.age < flash.life);
        self.trail(stage, dt);
        for effect in &stage.effects {
            match *effect {
                Effect::Fired { player, at, .. } => {
                    let velocity = stage.ship_of(player).map_or(Vec2::ZERO, |ship| ship.velocity);
                    let color = paint_of(stage, player).mix(Color::WHITE, 0.5);
                    self.add(Flash { velocity, ..flash(FlashShape::Disc, at, color, (10.0, 5.0), 0.08) });
                }
                Effect::Railed { player, from, to } => {
                    let color = paint_of(stage, player).mix(Color::WHITE, 0.4);
                    self.add(flash(FlashShape::Ring, from, color, (8.0, 42.0), 0.24));
                    self.add(flash(FlashShape::Disc, to, color, (16.0, 6.0), 0.2));
                }
                Effect::Struck { at, by, shielded, heavy, .. } => {
                    let color = if shielded { Color::hex(0x8f_c6ff) } else { paint_of(stage, by) };
                    let far = if heavy { 52.0 } else { 32.0 };
                    self.add(flash(FlashShape::Disc, at, Color::WHITE, (13.0, 5.0), 0.12));
                    self.add(flash(FlashShape::Ring, at, color, (6.0, far), 0.24));
                }
                Effect::Chipped { at } => {
                    self.add(flash(FlashShape::Disc, at, Color::hex(0xff_d9a0), (9.0, 3.0), 0.14));
                }
                Effect::Sunk { player, at, velocity } => self.wreck(at, velocity * 0.4, paint_of(stage, player)),
                Effect::Blown { player, at } => {
                    self.add(flash(FlashShape::Disc, at, Color::hex(0xff_8a30), (46.0, 60.0), 0.35));
                    self.add(flash(FlashShape::Ring, at, paint_of(stage, player), (14.0, MINE_BLAST), 0.45));
                }
                Effect::Taken { what, at, .. } => {
                    self.add(flash(FlashShape::Ring, at, boon_color(what), (24.0, 74.0), 0.4));
                }
                Effect::Launched { player, at } => {
                    self.add(flash(FlashShape::Ring, at, paint_of(stage, player), (96.0, 22.0), 0.45));
                }
                Effect::Dealt { .. } | Effect::Judged { .. } => {}
            }
        }
    }

    /// What the own ship leaves behind; the usual trail is left out here, for the flames are enough.
    fn trail(&mut self, stage: &Stage, dt: f32) {
        let burning = stage.own_ship().filter(|ship| ship.thrust && stage.trail != Trail::Usual);
        let Some(ship) = burning else { return };
        let look = stage.trail.look();
        self.owed += TRAIL * look.share * dt;
        while self.owed >= 1.0 {
            self.owed -= 1.0;
            let shape = if look.shape == ParticleShape::Ring { FlashShape::Ring } else { FlashShape::Disc };
            let dark = if look.shape == ParticleShape::Smoke { 0.7 } else { 0.2 };
            let color = paint_of(stage, ship.player).mix(Color::hex(0x0a_1020), dark);
            let at = ship.at - Vec2::from_angle(ship.heading) * HULL;
            let velocity = ship.velocity * 0.2;
            self.add(Flash { velocity, ..flash(shape, at, color, look.size, look.life) });
        }
    }

    fn wreck(&mut self, at: Vec2, velocity: Vec2, color: Color) {
        for (shape, color, size, life) in [
            (FlashShape::Disc, Color::hex(0xff_8a30), (70.0, 96.0), 0.5),
            (FlashShape::Disc, Color::hex(0xff_f0d0), (52.0, 20.0), 0.3),
            (FlashShape::Rays, color, (24.0, 190.0), 0.75),
            (FlashShape::Ring, Color::hex(0xff_f0d0), (18.0, 170.0), 0.55),
        ] {
            self.add(Flash { velocity, ..flash(shape, at, color, size, life) });
        }
    }

    fn add(&mut self, flash: Flash) {
        if self.alive.len() < FLASHES_MAX {
            self.alive.push(flash);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.alive.clear();
    }

    pub(crate) fn draw(&self, pen: &FlatPen, camera: &Camera) {
        for flash in &self.alive {
            if !camera.sees(flash.at, flash.size.0.max(flash.size.1)) {
                continue;
            }
            let left = 1.0 - flash.age / flash.life;
            // Fast at first, then slower.
            let size = flash.size.0 + (flash.size.1 - flash.size.0) * (1.0 - left * left);
            pen.fade(left);
            match flash.shape {
                FlashShape::Disc => {
                    pen.fill_with(flash.color);
                    pen.disc(flash.at, size);
                }
                FlashShape::Ring => {
                    pen.line_with(flash.color, 2.0 + 3.0 * left);
                    pen.ring(flash.at, size);
                }
                FlashShape::Rays => {
                    pen.line_with(flash.color, 4.0);
                    for n in 0..RAYS {
                        // Irregular, but the same from image to image.
                        let uneven = (n * 7 % RAYS) as f32 / RAYS as f32;
                        let way = Vec2::from_angle((n as f32 + 0.6 * uneven) / RAYS as f32 * TAU);
                        let out = flash.at + way * size * (0.5 + 0.5 * uneven);
                        pen.line(out, out + way * (6.0 + 14.0 * left));
                    }
                }
            }
        }
        pen.fade(1.0);
    }
}

fn flash(shape: FlashShape, at: Vec2, color: Color, size: (f32, f32), life: f32) -> Flash {
    Flash { shape, at, velocity: Vec2::ZERO, color, size, life, age: 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flashes_fade_away_and_are_bounded() {
        let mut stage = Stage::default();
        stage.effects.extend((0..200).map(|n| Effect::Sunk { player: n, at: Vec2::ZERO, velocity: Vec2::X }));
        let mut flashes = Flashes::default();
        flashes.apply_effects(&stage, 0.016);
        assert_eq!(flashes.alive.len(), FLASHES_MAX);
        stage.effects.clear();
        flashes.apply_effects(&stage, 0.4);
        assert!(!flashes.alive.is_empty() && flashes.alive.len() < FLASHES_MAX);
        flashes.apply_effects(&stage, 0.6);
        assert!(flashes.alive.is_empty());
    }
}

//! The arena's edge, the zone, rocks, pickups, mines, shots and beams, flat.

use std::f32::consts::{PI, TAU};

use broadside_arena::pickup::Boon;
use broadside_arena::rules::{BEAM_LIFE, DT};
use broadside_client::{Camera, Color, FlatPen, Outline, Random};
use glam::Vec2;

use crate::scene::objects::{HARMLESS, HOSTILE, boon_color, rock_paint, zone_color};
use crate::scene::paint_of;
use crate::stage::Stage;

/// Reliefs of rocks.
const RELIEFS: usize = 8;
/// Corners of a rock.
const ROCK_CORNERS: usize = 13;
/// Direction of the light, as on every ship and rock of the full renderer.
const LIGHT: Vec2 = Vec2::new(-0.61, -0.79);

/// Draws the arena's edge and what lies beyond it, redder as the own ship comes near.
pub(crate) fn edge(pen: &FlatPen, stage: &Stage, camera: &Camera) {
    let radius = stage.edge;
    let (far, reach) = (camera.at.length(), camera.half.length());
    if radius <= 0.0 || far + reach < radius {
        return;
    }
    pen.fill_with(Color::hex(0x1a_0810));
    pen.outside(Vec2::ZERO, radius, camera.at, camera.half);
    if far - reach > radius {
        return;
    }
    let near = stage.own_ship().map_or(0.0, |ship| (1.0 - (radius - ship.at.length()) / 420.0).clamp(0.0, 1.0));
    let color = Color::hex(0x3a_a8ff).mix(Color::hex(0xff_4a55), near);
    // The visible arc, or the whole circle if the arena is small.
    let (middle, half) = (camera.at.to_angle(), (reach / radius.max(1.0)).min(1.0).asin().max(0.2) * 1.6);
    let angles = if far < reach { (0.0, TAU) } else { (middle - half, middle + half) };
    pen.line_with(color, 5.0);
    pen.arc(Vec2::ZERO, radius, angles);
    pen.fade(0.4);
    pen.line_with(color, 2.0);
    pen.arc(Vec2::ZERO, radius + 14.0, angles);
    pen.fade(1.0);
}

/// Draws the zone: its floor, its rim, and around it a ring that fills from the top on both sides.
pub(crate) fn zone(pen: &FlatPen, stage: &Stage, camera: &Camera, seconds: f64) {
    let Some(zone) = stage.zone.filter(|zone| camera.sees(zone.at, zone.radius * 1.1)) else { return };
    let color = zone_color(&zone);
    let beat = if zone.contested { 0.6 + 0.4 * (seconds * 9.0).sin() as f32 } else { 1.0 };
    pen.fade(0.10);
    pen.fill_with(color);
    pen.disc(zone.at, zone.radius);
    pen.fade(0.9 * beat);
    pen.line_with(color, 4.0);
    pen.ring(zone.at, zone.radius);
    let track = zone.radius * 1.06;
    pen.fade(0.22);
    pen.line_with(Color::hex(0x8c_a6cc), 9.0);
    pen.ring(zone.at, track);
    if zone.lean != 0.0 {
        let (top, filled) = (-PI / 2.0, zone.lean.abs().min(1.0) * PI);
        pen.fade(0.95);
        pen.line_with(Color::of_team(u8::from(zone.lean > 0.0)), 9.0);
        pen.arc(zone.at, track, (top - filled, top + filled));
    }
    pen.fade(1.0);
}

pub(crate) struct Rocks {
    reliefs: Vec<(Outline, Outline)>,
}

impl Rocks {
    /// Prepares the shapes; `None` if the browser cannot.
    #[must_use]
    pub(crate) fn new() -> Option<Self> {
        let relief = |n: usize| {
            Some((Outline::new(outline(n).into_iter())?, Outline::new(outline(n).into_iter().map(|at| at * 0.62))?))
        };
        Some(Rocks { reliefs: (0..RELIEFS).map(relief).collect::<Option<_>>()? })
    }

    /// Draws the visible rocks: a dark body, and the lit face.
    pub(crate) fn draw(&self, pen: &FlatPen, stage: &Stage, camera: &Camera, seconds: f64) {
        for rock in stage.rocks.iter().filter(|rock| camera.sees(rock.at, rock.radius * 1.1)) {
            let paint = rock_paint(rock, seconds);
            let Some((body, face)) = self.reliefs.get(paint.relief) else { continue };
            pen.place(rock.at, paint.turn, rock.radius);
            pen.fill_with(paint.dark.mix(Color::hex(0x0a_0e1a), 0.35));
            pen.fill(body);
            pen.line_with(paint.dark.mix(paint.light, 0.45), 2.2 / rock.radius.max(1.0));
            pen.outline(body);
            pen.place(rock.at + LIGHT * (rock.radius * 0.2), paint.turn, rock.radius);
            pen.fill_with(paint.dark.mix(paint.light, 0.22));
            pen.fill(face);
        }
        pen.world();
    }
}

/// The corners of a rock of radius 1.
fn outline(relief: usize) -> [Vec2; ROCK_CORNERS] {
    let mut random = Random::new(relief as u32 * 977 + 5);
    // The first numbers of similar seeds are similar.
    for _ in 0..8 {
        random.bits();
    }
    std::array::from_fn(|n| {
        let angle = (n as f32 + random.bell() * 0.35) / ROCK_CORNERS as f32 * TAU;
        Vec2::from_angle(angle) * random.range(0.86, 1.06)
    })
}

/// Draws the visible mines: those of enemies have spikes.
pub(crate) fn mines(pen: &FlatPen, stage: &Stage, camera: &Camera, seconds: f64) {
    for mine in stage.mines.iter().filter(|mine| camera.sees(mine.at, 30.0)) {
        let color = if mine.friendly { HARMLESS } else { HOSTILE };
        pen.fill_with(color);
        for n in 0..if mine.friendly { 0 } else { 6 } {
            let way = Vec2::from_angle(TAU / 6.0 * n as f32);
            pen.polygon(&[(19.0, 0.0), (9.0, 4.5), (9.0, -4.5)].map(|(x, y)| mine.at + way.rotate(Vec2::new(x, y))));
        }
        pen.fill_with(Color::hex(0x10_182a));
        pen.disc(mine.at, 11.0);
        pen.line_with(color, 2.0);
        pen.ring(mine.at, 11.0);
        let lit = mine.armed && (seconds * 3.0).fract() < 0.5;
        pen.fill_with(if lit { color } else { color.mix(Color::hex(0x10_182a), 0.6) });
        pen.disc(mine.at, 4.0);
    }
}

/// Draws the visible pickups: a badge, and a ring that widens.
pub(crate) fn pickups(pen: &FlatPen, stage: &Stage, camera: &Camera, seconds: f64) {
    for pickup in stage.pickups.iter().filter(|pickup| camera.sees(pickup.at, 60.0)) {
        let color = boon_color(pickup.what);
        let wave = (seconds * 0.7 + f64::from(pickup.id) * 0.37).fract() as f32;
        pen.fade(0.55 * (1.0 - wave));
        pen.line_with(color, 2.0);
        pen.ring(pickup.at, 22.0 + 20.0 * wave);
        pen.fade(1.0);
        let hexagon: [Vec2; 6] = std::array::from_fn(|n| Vec2::from_angle(n as f32 / 6.0 * TAU) * 19.0 + pickup.at);
        pen.fill_with(color);
        pen.polygon(&hexagon);
        pen.fill_with(color.mix(Color::hex(0x05_0812), 0.82));
        pen.polygon(&hexagon.map(|corner| pickup.at + (corner - pickup.at) * 0.84));
        pen.fill_with(color.mix(Color::WHITE, 0.45));
        match pickup.what {
            Boon::Repair => {
                pen.rect(pickup.at, Vec2::new(9.0, 3.0));
                pen.rect(pickup.at, Vec2::new(3.0, 9.0));
            }
            Boon::Rapid => {
                for x in [-6.0, 2.0] {
                    let chevron = [(0.0, -8.0), (3.5, -8.0), (8.5, 0.0), (3.5, 8.0), (0.0, 8.0), (5.0, 0.0)];
                    pen.polygon(&chevron.map(|(dx, dy)| pickup.at + Vec2::new(x + dx, dy)));
                }
            }
            Boon::Shield => {
                pen.disc(pickup.at, 3.0);
                pen.line_with(color.mix(Color::WHITE, 0.45), 3.0);
                pen.ring(pickup.at, 8.5);
            }
        }
    }
}

/// Draws the visible shots as short bright lines.
pub(crate) fn shots(pen: &FlatPen, stage: &Stage, camera: &Camera) {
    pen.round(true);
    for shot in &stage.shots {
        if shot.age < 0.0 || !camera.sees(shot.at, 30.0) {
            continue;
        }
        let color = paint_of(stage, shot.player);
        // It grows out of the muzzle instead of starting behind it.
        let long = (shot.velocity.length() * shot.age).min(26.0);
        let tail = shot.at - shot.velocity.normalize_or_zero() * long;
        pen.line_with(color, 6.5);
        pen.line(tail, shot.at);
        pen.line_with(color.mix(Color::WHITE, 0.75), 2.6);
        pen.line(tail, shot.at);
    }
    pen.round(false);
}

pub(crate) fn beams(pen: &FlatPen, stage: &Stage, camera: &Camera) {
    for beam in &stage.beams {
        let (share, way) = (beam.age / (BEAM_LIFE as f32 * DT), beam.to - beam.from);
        if !(0.0..1.0).contains(&share) || !camera.sees(beam.from + way * 0.5, way.length() * 0.5) {
            continue;
        }
        let (fresh, color) = (1.0 - share, paint_of(stage, beam.player));
        pen.fade(0.75 * fresh);
        pen.line_with(color, 4.0 + 9.0 * fresh);
        pen.line(beam.from, beam.to);
        pen.fade(fresh);
        pen.line_with(Color::WHITE, 1.0 + 3.0 * fresh);
        pen.line(beam.from, beam.to);
    }
    pen.fade(1.0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rocks_differ_and_are_as_large_as_what_shots_hit() {
        let rocks: Vec<_> = (0..RELIEFS).map(outline).collect();
        for (n, rock) in rocks.iter().enumerate() {
            assert!(rock.iter().all(|corner| (0.8..1.1).contains(&corner.length())), "{rock:?}");
            let turns = rock.windows(2).all(|pair| pair[0].perp_dot(pair[1]) > 0.0);
            assert!(turns, "its corners go round once: {rock:?}");
            assert!(!rocks[..n].contains(rock));
        }
    }
}

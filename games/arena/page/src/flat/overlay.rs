//! What is drawn over the world for the player: hit marks, hit directions, arrows, the radar.

use std::f32::consts::TAU;

use broadside_client::{Camera, Color, FlatPen, Window};
use glam::Vec2;

use crate::scene::Moment;
use crate::scene::markers::{Beyond, Markers, RADAR_REACH, beyond, dial, way_to_zone};
use crate::scene::objects::{boon_color, zone_color};
use crate::scene::paint_of;
use crate::stage::{ShipLook, Stage};

/// An arrowhead of size 1 that points along +x.
const ARROW: [(f32, f32); 4] = [(1.0, 0.0), (-0.7, 0.75), (-0.3, 0.0), (-0.7, -0.75)];
/// Angle between two points of the arena's edge on the radar, seen from the arena's middle, in units of the radar's radius.
const EDGE_STEP: f32 = 0.11;

pub(crate) fn draw(pen: &FlatPen, markers: &Markers, stage: &Stage, moment: Moment<'_>) {
    let (camera, window) = (moment.camera, moment.window);
    marks(pen, markers);
    if let Some(own) = stage.own_ship() {
        pen.line_with(Color::hex(0xff_3b4a), 6.0);
        for (angle, fresh) in markers.wounds() {
            pen.fade(fresh);
            pen.arc(own.at, 104.0, (angle - 0.42, angle + 0.42));
        }
        red_rim(pen, camera, markers.red(own, moment.seconds));
        for Beyond { ship, at, way, near } in beyond(stage, camera, window) {
            let (size, color) = ((7.0 + 4.0 * near) * window.px, paint_of(stage, ship.player));
            pen.fade(0.4 + 0.55 * near);
            if stage.is_friend(ship) {
                pen.line_with(color, 2.5 * window.px);
                pen.ring(at, size * 0.7);
            } else {
                arrow(pen, at, way, size, color);
            }
        }
        pen.fade(1.0);
    }
    if let Some((zone, at, way)) = way_to_zone(stage, camera, window) {
        let (color, px) = (zone_color(&zone), window.px);
        pen.line_with(color, 2.5 * px);
        pen.ring(at, 14.0 * px);
        pen.fill_with(color);
        pen.disc(at, 4.5 * px);
        arrow(pen, at + way * (25.0 * px), way.to_angle(), 9.0 * px, color);
    }
    if stage.own.is_some() || stage.followed.is_some() {
        radar(pen, stage, camera, window);
    }
}

/// Draws hits of the own ship, and where beams that hit it were judged.
fn marks(pen: &FlatPen, markers: &Markers) {
    pen.line_with(Color::WHITE, 3.0);
    for (at, fresh) in markers.marks() {
        pen.fade(fresh);
        for n in 0..4 {
            let way = Vec2::from_angle(TAU / 8.0 + n as f32 * TAU / 4.0);
            let near = 13.0 + 8.0 * (1.0 - fresh);
            pen.line(at + way * near, at + way * (near + 10.0));
        }
    }
    pen.line_with(Color::hex(0xff_7a8a), 3.0);
    for (at, fresh) in markers.judged() {
        pen.fade(0.8 * fresh);
        pen.ring(at, 21.0);
    }
    pen.fade(1.0);
}

/// Draws a red rim around the picture: four bars, which cost less than a glow over all of it.
fn red_rim(pen: &FlatPen, camera: &Camera, red: f32) {
    if red <= 0.01 {
        return;
    }
    pen.fade(red * 0.5);
    pen.fill_with(Color::hex(0xd0_1828));
    let wide = camera.half.min_element() * 0.05;
    for side in [-1.0, 1.0] {
        let (x, y) = (camera.half.x - wide, camera.half.y - wide);
        pen.rect(camera.at + Vec2::new(side * x, 0.0), Vec2::new(wide, camera.half.y));
        pen.rect(camera.at + Vec2::new(0.0, side * y), Vec2::new(x - wide, wide));
    }
    pen.fade(1.0);
}

fn arrow(pen: &FlatPen, at: Vec2, way: f32, size: f32, color: Color) {
    let turn = Vec2::from_angle(way) * size;
    pen.fill_with(color);
    pen.polygon(&ARROW.map(|(x, y)| at + turn.rotate(Vec2::new(x, y))));
}

/// Draws the radar: what is near, and the arena's edge.
fn radar(pen: &FlatPen, stage: &Stage, camera: &Camera, window: Window) {
    let ((middle, radius), px) = (dial(camera, window), window.px);
    pen.fade(0.72);
    pen.fill_with(Color::hex(0x06_0c1c));
    pen.disc(middle, radius);
    pen.line_with(Color::hex(0x7f_b8e8), 1.5 * px);
    pen.ring(middle, radius);
    pen.fade(0.25);
    pen.ring(middle, radius * 0.5);
    pen.fade(1.0);
    let here = stage.own_ship().map_or(camera.at, |ship| ship.at);
    let place = |at: Vec2| middle + ((at - here) / RADAR_REACH) * radius;
    let within = |at: Vec2| (at - here).length() < RADAR_REACH * 0.96;
    pen.fill_with(Color::hex(0x4c_5a72));
    for rock in stage.rocks.iter().filter(|rock| within(rock.at)) {
        pen.disc(place(rock.at), px + rock.radius / RADAR_REACH * radius);
    }
    pen.fill_with(Color::hex(0x6c_c4ff));
    let step = EDGE_STEP * RADAR_REACH / stage.edge.max(1.0);
    // The whole circle if the arena is small, otherwise the part that may be near.
    let (around, count) = (here.to_angle(), (TAU / step / 2.0).min(2.0 / EDGE_STEP) as i32);
    for at in (-count..count).map(|n| Vec2::from_angle(around + n as f32 * step) * stage.edge) {
        if within(at) {
            pen.rect(place(at), Vec2::splat(px));
        }
    }
    for pickup in stage.pickups.iter().filter(|pickup| within(pickup.at)) {
        pen.fill_with(boon_color(pickup.what));
        pen.rect(place(pickup.at), Vec2::splat(2.0 * px));
    }
    let others = || stage.ships.iter().filter(|ship| stage.own != Some(ship.player) && within(ship.at));
    let has_teams = stage.own_team().is_some();
    // In modes with teams, opponents have corners.
    let pointed = |ship: &ShipLook| has_teams && !stage.is_friend(ship);
    for ship in others() {
        let color = paint_of(stage, ship.player);
        if pointed(ship) {
            arrow(pen, place(ship.at), -TAU / 4.0, 5.0 * px, color);
        } else {
            pen.fill_with(color);
            pen.disc(place(ship.at), 3.0 * px);
        }
    }
    if let Some(zone) = stage.zone {
        let at = middle + ((zone.at - here) / RADAR_REACH).clamp_length_max(0.96) * radius;
        pen.line_with(zone_color(&zone), 2.0 * px);
        pen.ring(at, (zone.radius / RADAR_REACH * radius).max(4.0 * px));
    }
    if let Some(own) = stage.own_ship() {
        arrow(pen, middle, own.heading, 6.0 * px, paint_of(stage, own.player));
    }
}

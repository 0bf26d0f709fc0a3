//! What is drawn over the world for the player: names, bars, arrows to ships beyond the picture, hit directions, the radar.

use std::f32::consts::TAU;

use broadside_client::{Batch, Camera, Color, FullSurface, Layer, Shape, Sprite, Window};
use glam::Vec2;

use super::objects::{boon_color, zone_color};
use super::{Names, paint_of};
use crate::shapes;
use crate::stage::{Effect, ShipLook, Stage, ZoneLook};

/// Seconds for which a hit's direction is shown.
const WOUND_SECONDS: f32 = 1.1;
/// Seconds for which a hit marker is shown.
const MARK_SECONDS: f32 = 0.22;
/// Seconds for which the victim sees where a beam was judged.
const JUDGED_SECONDS: f32 = 0.7;
/// Radius of the radar in CSS pixels, and its largest share of the picture's height.
const RADAR_PX: f32 = 74.0;
const RADAR_SHARE: f32 = 0.13;
/// Distance of the radar from the corner, in CSS pixels.
const RADAR_MARGIN_PX: f32 = 18.0;
/// Distance of the zone's arrow from the edge of the picture, in CSS pixels.
const ZONE_INSET_PX: f32 = 66.0;
/// World units from the radar's middle to its rim.
pub(crate) const RADAR_REACH: f32 = 1500.0;

/// Marks that last for several images.
#[derive(Debug, Default)]
pub(crate) struct Markers {
    /// Directions of recent hits on the own ship in radians, and their ages in seconds.
    wounds: Vec<(f32, f32)>,
    /// Positions of recent hits by the own ship, and their ages.
    marks: Vec<(Vec2, f32)>,
    /// Where beams that hit the own ship were judged, and their ages.
    judged: Vec<(Vec2, f32)>,
    /// How badly the own ship was just hit, 0..=1.
    hurt: f32,
}

impl Markers {
    /// Takes the stage's effects, and lets `dt` seconds pass.
    pub(crate) fn apply_effects(&mut self, stage: &Stage, dt: f32) {
        for (_, age) in &mut self.wounds {
            *age += dt;
        }
        for (_, age) in &mut self.marks {
            *age += dt;
        }
        self.wounds.retain(|(_, age)| *age < WOUND_SECONDS);
        self.marks.retain(|(_, age)| *age < MARK_SECONDS);
        self.hurt = (self.hurt - dt * 2.2).max(0.0);
        self.judged.iter_mut().for_each(|(_, age)| *age += dt);
        self.judged.retain(|(_, age)| *age < JUDGED_SECONDS);
        for effect in &stage.effects {
            if let Effect::Judged { seen_at, now } = *effect {
                match now {
                    Some(_) => self.judged.push((seen_at, 0.0)),
                    None => self.marks.push((seen_at, 0.0)),
                }
            }
            let Effect::Struck { player, by, at, shielded, heavy } = *effect else { continue };
            if stage.own == Some(player) {
                let Some(own) = stage.own_ship() else { continue };
                let from = stage.ship_of(by).map_or(at, |ship| ship.at) - own.at;
                self.wounds.push((from.to_angle(), 0.0));
                let blow = if shielded { 0.25 } else { 0.55 } + if heavy { 0.3 } else { 0.0 };
                self.hurt = (self.hurt + blow).min(1.0);
            } else if stage.own == Some(by) {
                self.marks.push((at, 0.0));
            }
        }
    }

    pub(crate) fn clear(&mut self) {
        *self = Markers::default();
    }

    /// Positions of recent hits by the own ship, and how fresh each is, 0..=1.
    pub(crate) fn marks(&self) -> impl Iterator<Item = (Vec2, f32)> {
        self.marks.iter().map(|(at, age)| (*at, 1.0 - age / MARK_SECONDS))
    }

    /// Where beams that hit the own ship were judged, and how fresh that is, 0..=1. It is what the shooter saw, and explains hits
    /// that seem unfair.
    pub(crate) fn judged(&self) -> impl Iterator<Item = (Vec2, f32)> {
        self.judged.iter().map(|(at, age)| (*at, 1.0 - age / JUDGED_SECONDS))
    }

    /// Directions of recent hits on the own ship in radians, and how fresh each is, 0..=1.
    pub(crate) fn wounds(&self) -> impl Iterator<Item = (f32, f32)> {
        self.wounds.iter().map(|(angle, age)| (*angle, 1.0 - age / WOUND_SECONDS))
    }

    /// How red the rim of the picture is, 0..=1: after a hit, and while the hull is low.
    #[must_use]
    pub(crate) fn red(&self, own: &ShipLook, seconds: f64) -> f32 {
        let faint = (0.30 - own.hull).max(0.0) / 0.30;
        let pulse = faint * (0.45 + 0.25 * (seconds * 5.0).sin() as f32);
        (self.hurt * 0.9).max(pulse).min(1.0)
    }

    pub(crate) fn draw(&self, stage: &Stage, camera: &Camera, window: Window, seconds: f64, batch: &mut Batch) {
        for (at, fresh) in self.marks() {
            for n in 0..4 {
                let angle = TAU / 8.0 + n as f32 * TAU / 4.0;
                let tick = at + Vec2::from_angle(angle) * (15.0 + 8.0 * (1.0 - fresh));
                let sprite = Sprite::light(Shape::BOLT, tick, Vec2::new(9.0, 4.0), Color::WHITE.alpha(fresh));
                batch.add(Layer::Top, &sprite.turned(angle + TAU / 2.0));
            }
        }
        for (at, fresh) in self.judged() {
            let ring = Sprite::light(Shape::RING, at, Vec2::splat(26.0), Color::hex(0xff7a8a).alpha(0.8 * fresh));
            batch.add(Layer::Top, &ring.with(0.8, 0.06));
        }
        if let Some(own) = stage.own_ship() {
            for (angle, fresh) in self.wounds() {
                let arc = Sprite::light(shapes::WOUND, own.at, Vec2::splat(118.0), Color::hex(0xff3b4a).alpha(fresh));
                batch.add(Layer::Top, &arc.turned(angle).with(0.5, 0.0));
            }
            let red = self.red(own, seconds);
            if red > 0.01 {
                let edge = Sprite::light(shapes::EDGE, camera.at, camera.half, Color::hex(0xd01828).alpha(red * 0.6));
                batch.add(Layer::Top, &edge);
            }
            arrows(stage, camera, window, batch);
        }
        zone_arrow(stage, camera, window, batch);
        if stage.own.is_some() || stage.followed.is_some() {
            radar(stage, camera, window, batch);
        }
    }
}

/// Adds names and bars over the other ships.
pub(crate) fn labels(stage: &Stage, camera: &Camera, window: Window, names: Names<'_>, full: &mut FullSurface<'_>) {
    for ship in &stage.ships {
        if stage.own == Some(ship.player) || !camera.sees(ship.at, 60.0) {
            continue;
        }
        let color = paint_of(stage, ship.player);
        let above = ship.at - Vec2::Y * (26.0 + 13.0 * window.px);
        let half = Vec2::new(24.0 * window.px, 3.0 * window.px);
        if stage.is_friend(ship) {
            // A teammate has a ring: not only the color marks them.
            let ring = Sprite::light(Shape::RING, ship.at, Vec2::splat(46.0), color.alpha(0.5));
            full.batch.add(Layer::Top, &ring.with(0.86, 0.035));
        }
        let hull = Color::hex(0xff5468).mix(Color::hex(0x62f59b), (ship.hull * 1.25 - 0.25).clamp(0.0, 1.0));
        if ship.hull < 0.985 || ship.shield > 0.0 {
            let bar = Sprite::new(shapes::BAR, above + Vec2::Y * (9.0 * window.px), half, hull.alpha(0.95));
            full.batch.add(Layer::Top, &bar.with(ship.hull, ship.shield).accent(Color::hex(0x7cc0ff)));
        }
        let away = stage.away.contains(&ship.player);
        let name = names(ship.player).and_then(|name| full.text(&stage.tag(ship.player, name)));
        if let Some(slot) = name {
            let tall = 8.6 * window.px;
            let half = Vec2::new(tall * slot.aspect(), tall);
            // The ship of a player who is away idles, and its name is faint.
            let strong = if away { 0.4 } else { 0.92 };
            let sprite = Sprite::new(Shape::TEXT, above, half, color.mix(Color::WHITE, 0.45).alpha(strong));
            full.batch.add(Layer::Top, &sprite.with(slot.index, slot.fill));
        }
    }
}

/// A ship beyond the picture.
pub(crate) struct Beyond<'a> {
    pub(crate) ship: &'a ShipLook,
    /// Where the way to it crosses the rim of the picture, in world units.
    pub(crate) at: Vec2,
    /// Direction to it, in radians.
    pub(crate) way: f32,
    /// How near it is, 0.25..=1.
    pub(crate) near: f32,
}

/// Every other ship beyond the picture.
pub(crate) fn beyond<'a>(stage: &'a Stage, camera: &'a Camera, window: Window) -> impl Iterator<Item = Beyond<'a>> {
    let rim = camera.half - 20.0 * window.px;
    let unseen = stage.ships.iter().filter(|ship| stage.own != Some(ship.player) && !camera.sees(ship.at, 4.0));
    unseen.map(move |ship| {
        let off = ship.at - camera.at;
        let share = (rim / off.abs().max(Vec2::splat(1.0))).min_element();
        let near = 1.0 - ((off.length() - off.length() * share) / 700.0).clamp(0.0, 0.75);
        Beyond { ship, at: camera.at + off * share, way: off.to_angle(), near }
    })
}

/// Adds an arrow at the rim for every ship beyond the picture.
fn arrows(stage: &Stage, camera: &Camera, window: Window, batch: &mut Batch) {
    for Beyond { ship, at, way, near } in beyond(stage, camera, window) {
        let size = Vec2::splat((6.5 + 4.0 * near) * window.px);
        let color = paint_of(stage, ship.player).alpha(0.4 + 0.55 * near);
        let mark = if stage.is_friend(ship) {
            Sprite::new(Shape::RING, at, size, color).with(0.6, 0.2)
        } else {
            Sprite::new(shapes::ARROW, at, size, color).turned(way)
        };
        batch.add(Layer::Top, &mark);
    }
}

/// The zone, the position of its arrow and the direction as a unit vector, while its middle is beyond the picture.
#[must_use]
pub(crate) fn way_to_zone(stage: &Stage, camera: &Camera, window: Window) -> Option<(ZoneLook, Vec2, Vec2)> {
    let zone = stage.zone.filter(|zone| !camera.sees(zone.at, 0.0))?;
    let off = zone.at - camera.at;
    let rim = camera.half - ZONE_INSET_PX * window.px;
    let at = camera.at + off * (rim / off.abs().max(Vec2::splat(1.0))).min_element();
    Some((zone, at, off.normalize_or_zero()))
}

/// Adds the arrow to the zone while its middle is beyond the picture.
fn zone_arrow(stage: &Stage, camera: &Camera, window: Window, batch: &mut Batch) {
    let Some((zone, at, way)) = way_to_zone(stage, camera, window) else { return };
    let color = zone_color(&zone);
    let disc = Sprite::new(Shape::DISC, at, Vec2::splat(15.0 * window.px), Color::hex(0x060c1c).alpha(0.6));
    let ring = Sprite::new(Shape::RING, at, Vec2::splat(17.0 * window.px), color).with(0.8, 0.1);
    let heart = Sprite::new(Shape::DISC, at, Vec2::splat(4.5 * window.px), color);
    let arrow = Sprite::new(shapes::ARROW, at + way * (25.0 * window.px), Vec2::splat(10.0 * window.px), color);
    for sprite in [disc, ring, heart, arrow.turned(way.to_angle())] {
        batch.add(Layer::Top, &sprite);
    }
}

/// The middle and the radius of the radar, in world units.
#[must_use]
pub(crate) fn dial(camera: &Camera, window: Window) -> (Vec2, f32) {
    // In a low window it shrinks, and thumbs need space.
    let tall = camera.half.y * 2.0 * RADAR_SHARE;
    let radius = (RADAR_PX * window.px).min(tall) * if window.touch { 0.85 } else { 1.0 };
    let margin = RADAR_MARGIN_PX * window.px;
    let corner = if window.touch { Vec2::new(-1.0, -1.0) } else { Vec2::ONE };
    let mut middle = camera.at + corner * (camera.half - radius - margin);
    if window.touch {
        // The menu button and the meter are above it.
        middle.y += 76.0 * window.px;
    }
    (middle, radius)
}

/// Adds the radar: what is near, and the arena's edge.
fn radar(stage: &Stage, camera: &Camera, window: Window, batch: &mut Batch) {
    let (middle, radius) = dial(camera, window);
    let dial = Sprite::new(shapes::RADAR, middle, Vec2::splat(radius), Color::hex(0x7fb8e8).alpha(0.9));
    batch.add(Layer::Top, &dial);
    let here = stage.own_ship().map_or(camera.at, |ship| ship.at);
    let mut dot = |at: Vec2, size: f32, color: Color| {
        let off = (at - here) / RADAR_REACH;
        if off.length_squared() < 0.93 {
            let at = middle + off * radius;
            batch.add(Layer::Top, &Sprite::new(Shape::DISC, at, Vec2::splat(size * window.px), color));
        }
    };
    for rock in &stage.rocks {
        dot(rock.at, 0.8 + rock.radius / RADAR_REACH * RADAR_PX * 0.8, Color::hex(0x5a6a84).alpha(0.75));
    }
    let step = 8.0 / RADAR_PX * RADAR_REACH / stage.edge.max(1.0);
    let middle_angle = here.to_angle();
    let count = (TAU / step / 2.0) as i32;
    for n in -count..count {
        dot(Vec2::from_angle(middle_angle + n as f32 * step) * stage.edge, 1.3, Color::hex(0x6cc4ff).alpha(0.95));
    }
    for pickup in &stage.pickups {
        dot(pickup.at, 2.4, boon_color(pickup.what));
    }
    let others = stage.ships.iter().filter(|ship| stage.own != Some(ship.player));
    let (friends, foes): (Vec<&ShipLook>, Vec<&ShipLook>) = others.partition(|ship| stage.is_friend(ship));
    let has_teams = stage.own_team().is_some();
    for ship in friends.iter().chain(if has_teams { &[] } else { foes.as_slice() }) {
        dot(ship.at, 3.3, paint_of(stage, ship.player));
    }
    // In modes with teams, opponents have corners.
    let place = |at: Vec2| middle + ((at - here) / RADAR_REACH).clamp_length_max(0.96) * radius;
    for ship in foes.iter().filter(|ship| has_teams && (ship.at - here).length() < RADAR_REACH * 0.96) {
        let half = Vec2::splat(5.2 * window.px);
        let foe = Sprite::new(shapes::ARROW, place(ship.at), half, paint_of(stage, ship.player));
        batch.add(Layer::Top, &foe.turned(-TAU / 4.0));
    }
    if let Some(zone) = stage.zone {
        let half = Vec2::splat((zone.radius / RADAR_REACH * radius).max(5.0 * window.px));
        let ring = Sprite::light(Shape::RING, place(zone.at), half, zone_color(&zone));
        batch.add(Layer::Top, &ring.with(0.84, 0.1));
    }
    if let Some(own) = stage.own_ship() {
        let arrow = Sprite::new(shapes::ARROW, middle, Vec2::splat(6.0 * window.px), paint_of(stage, own.player));
        batch.add(Layer::Top, &arrow.turned(own.heading));
    }
}

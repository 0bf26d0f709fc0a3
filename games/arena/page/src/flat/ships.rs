//! Ships, flat: silhouettes in the players' colors; names and bars of the others.

use broadside_client::{Camera, Color, FlatPen, Outline, Window};
use glam::Vec2;

use crate::hulls::{self, HULL, HULLS, cockpit, engines, outline, silhouette, size};
use crate::scene::Names;
use crate::scene::paint_of;
use crate::stage::{ShipLook, Stage};

pub(crate) struct Hulls {
    hulls: Vec<Outline>,
}

impl Hulls {
    /// Prepares the shapes; `None` if the browser cannot.
    #[must_use]
    pub(crate) fn new() -> Option<Self> {
        Some(Hulls { hulls: (0..HULLS.len()).map(|kind| Outline::new(outline(kind))).collect::<Option<_>>()? })
    }

    pub(crate) fn draw(&self, pen: &FlatPen, stage: &Stage, camera: &Camera, seconds: f64) {
        for ship in stage.ships.iter().filter(|ship| camera.sees(ship.at, 70.0)) {
            let own = stage.own == Some(ship.player);
            self.ship(pen, ship, paint_of(stage, ship.player), own, seconds);
        }
        if let Some((ghost, hull)) = stage.ghost.as_ref().zip(self.hulls.first()) {
            pen.place(ghost.at, ghost.heading, HULL);
            pen.line_with(Color::hex(0xff_6f9c), 0.09);
            pen.outline(hull);
        }
        pen.world();
    }

    fn ship(&self, pen: &FlatPen, ship: &ShipLook, color: Color, own: bool, seconds: f64) {
        let kind = silhouette(ship.craft, ship.team, ship.player, own);
        let Some(hull) = self.hulls.get(kind) else { return };
        pen.place(ship.at, ship.heading, HULL * size(kind));
        flames(pen, ship, kind, own, color, seconds);
        let blink = if ship.protected { 0.70 + 0.30 * ((seconds * 11.0).sin() as f32) } else { 1.0 };
        pen.fade(blink);
        pen.fill_with(color.mix(Color::hex(0x06_0a16), if own { 0.30 } else { 0.48 }));
        pen.fill(hull);
        pen.line_with(color.mix(Color::WHITE, if own { 0.35 } else { 0.1 }), 0.10);
        pen.outline(hull);
        pen.fill_with(if own { Color::hex(0xff_e9b0) } else { color.mix(Color::WHITE, 0.65) });
        let glass = cockpit(kind);
        pen.polygon(&[(0.22, 0.0), (0.0, 0.11), (-0.2, 0.0), (0.0, -0.11)].map(|(x, y)| Vec2::new(glass + x, y)));
        if ship.rapid {
            pen.fill_with(Color::hex(0xff_b84a));
            let bow = Vec2::new(1.25, 0.0);
            pen.polygon(&[(0.22, 0.0), (0.0, 0.16), (-0.22, 0.0), (0.0, -0.16)].map(|(x, y)| bow + Vec2::new(x, y)));
        }
        for (shown, color, strength) in [
            (ship.shield > 0.0, Color::hex(0x6f_b4ff), 0.35 + 0.6 * ship.shield),
            (ship.protected, Color::hex(0xe8_f6ff), 0.8 * blink),
        ] {
            if shown {
                pen.fade(strength);
                pen.line_with(color, 0.11);
                pen.ring(Vec2::ZERO, 1.55);
                pen.fade(strength * 0.12);
                pen.fill_with(color);
                pen.disc(Vec2::ZERO, 1.5);
            }
        }
        pen.fade(1.0);
    }
}

/// Draws the flames: long while the engines burn, and otherwise short, to show where the stern is.
fn flames(pen: &FlatPen, ship: &ShipLook, kind: usize, own: bool, color: Color, seconds: f64) {
    let fire = match ship.team {
        Some(_) => color.mix(Color::WHITE, 0.3),
        None if own => color,
        None => Color::hex(0xff_9a3c),
    };
    let flicker = (seconds * 43.0 + f64::from(ship.id)).sin() as f32;
    let long = match (ship.boost, ship.thrust) {
        (true, _) => 2.6 + 0.4 * flicker,
        (false, true) => 1.5 + 0.3 * flicker,
        (false, false) => 0.25,
    };
    let (behind, apart) = engines(kind);
    for side in [apart, -apart] {
        for (color, share) in [(fire, 1.0), (Color::hex(0xf2_faff), 0.45)] {
            let (wide, tip): (f32, f32) = (if share < 1.0 { 0.11 } else { 0.19 }, long * share);
            pen.fill_with(color);
            pen.polygon(&[(0.0, wide), (-tip, 0.0), (0.0, -wide)].map(|(x, y)| Vec2::new(x - behind, side + y)));
        }
    }
}

/// Draws names and bars over the other ships.
pub(crate) fn labels(pen: &FlatPen, stage: &Stage, camera: &Camera, window: Window, names: Names<'_>) {
    for ship in &stage.ships {
        if stage.own == Some(ship.player) || !camera.sees(ship.at, 60.0) {
            continue;
        }
        let (color, px) = (paint_of(stage, ship.player), window.px);
        if stage.is_friend(ship) {
            // A teammate has a ring: not only the color marks them.
            pen.line_with(color.alpha(0.6), 2.0);
            pen.ring(ship.at, hulls::HULL * 1.75);
        }
        let above = ship.at - Vec2::Y * (26.0 + 13.0 * px);
        if ship.hull < 0.985 || ship.shield > 0.0 {
            bar(pen, above + Vec2::Y * (9.0 * px), px, ship);
        }
        if let Some(name) = names(ship.player) {
            // The ship of a player who is away idles, and its name is faint.
            let away = stage.away.contains(&ship.player);
            pen.fade(if away { 0.5 } else { 0.95 });
            let light = color.mix(Color::WHITE, 0.45);
            pen.text(&stage.tag(ship.player, name), above, 13.0, light);
            pen.fade(1.0);
        }
    }
}

fn bar(pen: &FlatPen, at: Vec2, px: f32, ship: &ShipLook) {
    let half = Vec2::new(24.0, 2.5) * px;
    let part = |share: f32, color: Color, top: f32, low: f32| {
        pen.fill_with(color);
        let wide = half.x * share.clamp(0.0, 1.0);
        let (above, below) = (at.y + half.y * top, at.y + half.y * low);
        pen.rect(Vec2::new(at.x - half.x + wide, (above + below) / 2.0), Vec2::new(wide, (below - above) / 2.0));
    };
    pen.fill_with(Color::hex(0x05_0812));
    pen.rect(at, half + px);
    let color = Color::hex(0xff_5468).mix(Color::hex(0x62_f59b), (ship.hull * 1.25 - 0.25).clamp(0.0, 1.0));
    part(ship.hull, color, -1.0, 1.0);
    if ship.shield > 0.0 {
        part(ship.shield, Color::hex(0x7c_c0ff), -1.0, -0.1);
    }
}

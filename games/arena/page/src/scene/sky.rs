//! Stars and drifting dust in sheets at different depths, which make speed visible.

use broadside_client::{Batch, Camera, Color, Layer, Random, Sprite};
use glam::Vec2;

use crate::shapes;

/// One sheet of stars. `depth`: how far it moves with the world (0 stands still, 1 is the plane of the ships).
struct Sheet {
    depth: f32,
    size: (f32, f32),
    strength: f32,
    stars: usize,
}

/// Farthest first. The last one is dust near the plane of the ships, which shows the speed.
const SHEETS: [Sheet; 4] = [
    Sheet { depth: 0.05, size: (2.2, 4.0), strength: 0.60, stars: 260 },
    Sheet { depth: 0.14, size: (3.0, 6.5), strength: 0.75, stars: 110 },
    Sheet { depth: 0.30, size: (4.0, 11.0), strength: 0.85, stars: 46 },
    Sheet { depth: 0.92, size: (2.0, 3.2), strength: 0.34, stars: 70 },
];
/// Side of the repeating square in world units: more than the widest picture, so that no star appears twice.
const TILE: f32 = 2100.0;
const HUES: [Color; 5] =
    [Color::hex(0xcfe4ff), Color::hex(0xa9c9ff), Color::hex(0xfff1dc), Color::hex(0xffd2a8), Color::hex(0xb9a8ff)];

pub(crate) struct Star {
    at: Vec2,
    /// Half of its size with its glow, in world units.
    pub(crate) size: f32,
    pub(crate) color: Color,
    pace: f32,
}

pub(crate) struct Sky {
    sheets: Vec<Vec<Star>>,
}

impl Sky {
    /// The same stars for everyone.
    #[must_use]
    pub(crate) fn new() -> Self {
        let mut random = Random::new(2_024);
        let mut star = |sheet: &Sheet| {
            let rare = random.unit().powi(4);
            Star {
                at: Vec2::new(random.unit(), random.unit()) * TILE,
                size: sheet.size.0 + (sheet.size.1 - sheet.size.0) * rare,
                color: HUES[random.bits() as usize % HUES.len()].alpha(sheet.strength * random.range(0.45, 1.0)),
                pace: random.range(0.6, 2.4),
            }
        };
        Sky { sheets: SHEETS.iter().map(|sheet| (0..sheet.stars).map(|_| star(sheet)).collect()).collect() }
    }

    /// Calls `show` with every visible star and its position, farthest first; `share` of them, 0..=1.
    pub(crate) fn visit(&self, camera: &Camera, share: f32, mut show: impl FnMut(&Star, Vec2)) {
        for (sheet, stars) in SHEETS.iter().zip(&self.sheets) {
            let shown = (stars.len() as f32 * share) as usize;
            for star in &stars[..shown] {
                let off = (star.at - camera.at * sheet.depth).rem_euclid(Vec2::splat(TILE)) - TILE / 2.0;
                let at = camera.at + off;
                if camera.sees(at, star.size) {
                    show(star, at);
                }
            }
        }
    }

    /// Adds the visible stars; `share` of them, 0..=1.
    pub(crate) fn draw(&self, batch: &mut Batch, camera: &Camera, seconds: f64, share: f32) {
        self.visit(camera, share, |star, at| {
            let twinkle = 0.82 + 0.18 * (seconds * f64::from(star.pace) + f64::from(star.at.x)).sin() as f32;
            let rays = ((star.size - 5.0) / 6.0).clamp(0.0, 1.0);
            let color = star.color.alpha(star.color.a * twinkle);
            batch.add(Layer::Back, &Sprite::light(shapes::STAR, at, Vec2::splat(star.size), color).with(rays, 0.0));
        });
    }
}

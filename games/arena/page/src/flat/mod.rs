//! The arena with the simple renderer: flat shapes.
//!
//! | module | what it holds |
//! |---|---|
//! | [`flashes`] | the effects: discs, rings and rays that fade |
//! | [`objects`] | the arena's edge, the zone, rocks, pickups, shots |
//! | [`ships`] | hulls, flames, shields, names |
//! | [`overlay`] | arrows, hit marks, radar |
//!
//! It draws the same stage as [`scene`](crate::scene) and shares its colors, silhouettes, stars and marks. Nothing covers the whole
//! picture, because software pays per pixel.

pub(crate) mod flashes;
pub(crate) mod objects;
pub(crate) mod overlay;
pub(crate) mod ships;

use broadside_client::{Camera, Color, FlatPen};
use glam::Vec2;

use crate::scene::markers::Markers;
use crate::scene::sky::Sky;
use crate::scene::{Moment, Names};
use crate::stage::Stage;
use flashes::Flashes;
use objects::Rocks;
use ships::Hulls;

pub(crate) const SPACE: Color = Color::hex(0x05_0812);
/// Share of the stars that is drawn.
const STARS: f32 = 0.6;

/// What lasts from image to image.
pub(crate) struct Flat {
    sky: Sky,
    hulls: Hulls,
    rocks: Rocks,
    flashes: Flashes,
    markers: Markers,
}

impl Flat {
    /// Prepares the shapes; `None` if the browser cannot.
    #[must_use]
    pub(crate) fn new() -> Option<Self> {
        let (flashes, markers) = (Flashes::default(), Markers::default());
        Some(Flat { sky: Sky::new(), hulls: Hulls::new()?, rocks: Rocks::new()?, flashes, markers })
    }

    /// Removes all flashes and markers, after a jump in time or for another world.
    pub(crate) fn clear(&mut self) {
        self.flashes.clear();
        self.markers.clear();
    }

    /// Draws one image of the stage.
    pub(crate) fn draw(&mut self, stage: &Stage, moment: Moment<'_>, names: Names<'_>, pen: &FlatPen) {
        self.flashes.apply_effects(stage, moment.dt);
        self.markers.apply_effects(stage, moment.dt);
        let camera = moment.camera;
        self.stars(camera, moment.window.px, pen);
        objects::edge(pen, stage, camera);
        objects::zone(pen, stage, camera, moment.seconds);
        self.rocks.draw(pen, stage, camera, moment.seconds);
        objects::pickups(pen, stage, camera, moment.seconds);
        objects::mines(pen, stage, camera, moment.seconds);
        self.hulls.draw(pen, stage, camera, moment.seconds);
        objects::shots(pen, stage, camera);
        objects::beams(pen, stage, camera);
        self.flashes.draw(pen, camera);
        if stage.own.is_some() || stage.followed.is_some() {
            ships::labels(pen, stage, camera, moment.window, names);
        }
        overlay::draw(pen, &self.markers, stage, moment);
    }

    /// Draws stars as points of a pixel or two.
    fn stars(&self, camera: &Camera, px: f32, pen: &FlatPen) {
        let mut before = None;
        self.sky.visit(camera, STARS, |star, at| {
            let strong = (star.color.a * 1.5).min(1.0);
            // Only four strengths: setting a color costs more than drawing a point.
            let step = (strong * 4.0).ceil() / 4.0;
            if before.replace(step) != Some(step) {
                pen.fill_with(SPACE.mix(Color::hex(0xd2_e2ff), step * 0.95));
            }
            pen.rect(at, Vec2::splat((star.size * 0.2).clamp(0.7, 1.3) * px));
        });
    }
}

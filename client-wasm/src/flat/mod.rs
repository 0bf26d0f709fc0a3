//! The simple renderer: flat shapes on a 2D canvas, for machines that draw in software and browsers without WebGL 2.
//!
//! | module | what it holds |
//! |---|---|
//! | [`pen`] | the canvas in world units |
//! | [`flashes`] | the effects: discs, rings and rays that fade |
//! | [`objects`] | the arena's edge, the zone, rocks, pickups, shots |
//! | [`ships`] | hulls, flames, shields, names |
//! | [`overlay`] | arrows, hit marks, radar |
//!
//! It draws the same stage as [`scene`](crate::scene) and shares its colors, silhouettes, stars and marks. Nothing but the
//! background covers the whole picture, because software pays per pixel. `docs/decisions/0006-a-renderer-without-a-gpu.md` has
//! the measurements.

pub(crate) mod flashes;
pub(crate) mod objects;
pub(crate) mod overlay;
pub(crate) mod pen;
pub(crate) mod ships;

use glam::Vec2;
use wasm_bindgen::JsCast;
use web_sys::{Document, HtmlCanvasElement};

use crate::camera::Camera;
use crate::color::Color;
use crate::scene::markers::{Markers, Window};
use crate::scene::shake;
use crate::scene::sky::Sky;
use crate::stage::Stage;
use flashes::Flashes;
use objects::Rocks;
use pen::Pen;
use ships::Hulls;

const SPACE: Color = Color::hex(0x05_0812);
/// Share of the stars that is drawn.
const STARS: f32 = 0.6;

/// The time and the settings of one image.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    /// Seconds of the page's clock.
    pub(crate) seconds: f64,
    /// Seconds since the previous image.
    pub(crate) dt: f32,
    pub(crate) window: Window,
    /// Device pixels per CSS pixel.
    pub(crate) css: f32,
}

/// Gives a player's name.
pub(crate) type Names<'a> = &'a dyn Fn(u16) -> Option<&'a str>;

/// The canvas and what lasts from image to image.
pub(crate) struct Flat {
    canvas: HtmlCanvasElement,
    pen: Pen,
    sky: Sky,
    hulls: Hulls,
    rocks: Rocks,
    flashes: Flashes,
    markers: Markers,
}

impl Flat {
    /// Adds a canvas over `below`, which continues to take the pointer.
    ///
    /// # Errors
    /// The browser has no 2D canvas.
    pub(crate) fn new(document: &Document, below: &HtmlCanvasElement) -> Result<Self, String> {
        let canvas = document.create_element("canvas").ok().and_then(|e| e.dyn_into::<HtmlCanvasElement>().ok());
        let canvas = canvas.ok_or("no canvas")?;
        canvas.set_id("flat");
        let pen = Pen::open(&canvas).ok_or("no 2D canvas")?;
        let hulls = Hulls::new().ok_or("no paths")?;
        let rocks = Rocks::new().ok_or("no paths")?;
        below.insert_adjacent_element("afterend", &canvas).map_err(|_| "no place for a canvas")?;
        Ok(Flat {
            canvas,
            pen,
            sky: Sky::new(),
            hulls,
            rocks,
            flashes: Flashes::default(),
            markers: Markers::default(),
        })
    }

    #[must_use]
    pub(crate) fn canvas(&self) -> &HtmlCanvasElement {
        &self.canvas
    }

    /// Removes all flashes and markers, after a jump in time or for another world.
    pub(crate) fn clear(&mut self) {
        self.flashes.clear();
        self.markers.clear();
    }

    /// Draws one image of the stage, and shakes the camera for its effects.
    pub(crate) fn draw(&mut self, stage: &Stage, camera: &mut Camera, moment: Moment, names: Names<'_>) {
        self.flashes.apply_effects(stage, moment.dt);
        self.markers.apply_effects(stage, moment.dt);
        shake(stage, camera);
        let camera = &*camera;
        let size = Vec2::new(self.canvas.width() as f32, self.canvas.height() as f32);
        self.pen.begin(camera, size, moment.css, SPACE);
        self.stars(camera, moment.window.px);
        let pen = &self.pen;
        objects::edge(pen, stage, camera);
        objects::zone(pen, stage, camera, moment.seconds);
        self.rocks.draw(pen, stage, camera, moment.seconds);
        objects::pickups(pen, stage, camera, moment.seconds);
        self.hulls.draw(pen, stage, camera, moment.seconds);
        objects::shots(pen, stage, camera);
        objects::beams(pen, stage, camera);
        self.flashes.draw(pen, camera);
        if stage.own.is_some() || stage.followed.is_some() {
            ships::labels(pen, stage, camera, moment.window, names);
        }
        overlay::draw(pen, &self.markers, stage, camera, moment);
    }

    /// Draws stars as points of a pixel or two.
    fn stars(&self, camera: &Camera, px: f32) {
        let mut before = None;
        self.sky.visit(camera, STARS, |star, at| {
            let strong = (star.color.a * 1.5).min(1.0);
            // Only four strengths: setting a color costs more than drawing a point.
            let step = (strong * 4.0).ceil() / 4.0;
            if before.replace(step) != Some(step) {
                self.pen.fill_with(SPACE.mix(Color::hex(0xd2_e2ff), step * 0.95));
            }
            self.pen.rect(at, Vec2::splat((star.size * 0.2).clamp(0.7, 1.3) * px));
        });
    }
}

impl Drop for Flat {
    fn drop(&mut self) {
        self.canvas.remove();
    }
}

//! The simple renderer: flat shapes on a 2D canvas, for machines that draw in software and browsers without WebGL 2.
//! `docs/decisions/0006-a-renderer-without-a-gpu.md` has the measurements.

pub(crate) mod pen;

use glam::Vec2;
use wasm_bindgen::JsCast;
use web_sys::{Document, HtmlCanvasElement};

use crate::camera::Camera;
use crate::color::Color;
use pen::FlatPen;

/// A canvas over that of the full renderer.
#[derive(Debug)]
pub(crate) struct Flat {
    canvas: HtmlCanvasElement,
    pub(crate) pen: FlatPen,
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
        let _ = canvas.set_attribute("aria-hidden", "true");
        let pen = FlatPen::open(&canvas).ok_or("no 2D canvas")?;
        below.insert_adjacent_element("afterend", &canvas).map_err(|_| "no place for a canvas")?;
        Ok(Flat { canvas, pen })
    }

    #[must_use]
    pub(crate) fn canvas(&self) -> &HtmlCanvasElement {
        &self.canvas
    }

    /// Starts an image, `css` device pixels per CSS pixel, filled with one color.
    pub(crate) fn begin(&mut self, camera: &Camera, css: f32, color: Color) {
        let size = Vec2::new(self.canvas.width() as f32, self.canvas.height() as f32);
        self.pen.begin(camera, size, css, color);
    }
}

impl Drop for Flat {
    fn drop(&mut self) {
        self.canvas.remove();
    }
}

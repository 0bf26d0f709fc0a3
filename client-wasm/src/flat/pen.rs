//! A 2D canvas in world units.

use glam::Vec2;
use wasm_bindgen::JsCast;
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement, Path2d};

use crate::camera::Camera;
use crate::color::Color;

/// The browser's 2D context fails only for arguments that are not finite; then one shape is missing in one image.
#[derive(Debug)]
pub(crate) struct Pen {
    context: CanvasRenderingContext2d,
    /// Device pixels per world unit.
    scale: f32,
    /// The world's origin in device pixels.
    origin: Vec2,
    /// Device pixels per CSS pixel.
    css: f32,
}

impl Pen {
    /// Opens the canvas for drawing; `None` if the browser has no 2D canvas.
    #[must_use]
    pub(crate) fn open(canvas: &HtmlCanvasElement) -> Option<Pen> {
        let options = js_sys::Object::new();
        // The canvas is opaque: without blending the browser copies it faster.
        js_sys::Reflect::set(&options, &"alpha".into(), &false.into()).ok()?;
        let context = canvas.get_context_with_context_options("2d", &options).ok()??.dyn_into().ok()?;
        Some(Pen { context, scale: 1.0, origin: Vec2::ZERO, css: 1.0 })
    }

    /// Starts an image of `size` device pixels, `css` per CSS pixel, filled with one color.
    pub(crate) fn begin(&mut self, camera: &Camera, size: Vec2, css: f32, color: Color) {
        (self.scale, self.css) = (camera.scale, css);
        self.origin = size * 0.5 - camera.at * camera.scale;
        let _ = self.context.reset_transform();
        self.context.set_global_alpha(1.0);
        self.fill_with(color);
        self.context.fill_rect(0.0, 0.0, size.x.into(), size.y.into());
        self.world();
    }

    /// Draws in world units from here on.
    pub(crate) fn world(&self) {
        self.transform(Vec2::new(self.scale, 0.0), self.origin);
    }

    /// Draws in units of `size` world units from here on, around `at`, turned by `turn` radians.
    pub(crate) fn place(&self, at: Vec2, turn: f32, size: f32) {
        self.transform(Vec2::from_angle(turn) * (size * self.scale), self.origin + at * self.scale);
    }

    fn transform(&self, along: Vec2, to: Vec2) {
        let (x, y) = (f64::from(along.x), f64::from(along.y));
        let _ = self.context.set_transform(x, y, -y, x, to.x.into(), to.y.into());
    }

    /// Sets the fill color.
    pub(crate) fn fill_with(&self, color: Color) {
        self.context.set_fill_style_str(&color.css());
    }

    /// Sets the color and the width of lines.
    pub(crate) fn line_with(&self, color: Color, width: f32) {
        self.context.set_stroke_style_str(&color.css());
        self.context.set_line_width(width.into());
    }

    /// Sets the opacity of everything that follows, 0..=1.
    pub(crate) fn fade(&self, alpha: f32) {
        self.context.set_global_alpha(alpha.clamp(0.0, 1.0).into());
    }

    pub(crate) fn fill(&self, path: &Path2d) {
        self.context.fill_with_path_2d(path);
    }

    pub(crate) fn outline(&self, path: &Path2d) {
        self.context.stroke_with_path(path);
    }

    /// Fills a rectangle around `at`.
    pub(crate) fn rect(&self, at: Vec2, half: Vec2) {
        let (corner, size) = (at - half, half * 2.0);
        self.context.fill_rect(corner.x.into(), corner.y.into(), size.x.into(), size.y.into());
    }

    pub(crate) fn disc(&self, at: Vec2, radius: f32) {
        self.trace(at, radius, (0.0, std::f32::consts::TAU));
        self.context.fill();
    }

    pub(crate) fn ring(&self, at: Vec2, radius: f32) {
        self.arc(at, radius, (0.0, std::f32::consts::TAU));
    }

    /// Draws a part of a circle between two angles in radians.
    pub(crate) fn arc(&self, at: Vec2, radius: f32, angles: (f32, f32)) {
        self.trace(at, radius, angles);
        self.context.stroke();
    }

    /// Fills everything within `half` of `around` that is outside of a circle.
    pub(crate) fn outside(&self, middle: Vec2, radius: f32, around: Vec2, half: Vec2) {
        let (corner, size) = (around - half, half * 2.0);
        self.trace(middle, radius, (0.0, std::f32::consts::TAU));
        self.context.rect(corner.x.into(), corner.y.into(), size.x.into(), size.y.into());
        self.context.fill_with_canvas_winding_rule(web_sys::CanvasWindingRule::Evenodd);
    }

    fn trace(&self, at: Vec2, radius: f32, (from, to): (f32, f32)) {
        self.context.begin_path();
        let _ = self.context.arc(at.x.into(), at.y.into(), radius.max(0.0).into(), from.into(), to.into());
    }

    pub(crate) fn line(&self, from: Vec2, to: Vec2) {
        self.context.begin_path();
        self.context.move_to(from.x.into(), from.y.into());
        self.context.line_to(to.x.into(), to.y.into());
        self.context.stroke();
    }

    pub(crate) fn polygon(&self, corners: &[Vec2]) {
        self.context.begin_path();
        for corner in corners {
            self.context.line_to(corner.x.into(), corner.y.into());
        }
        self.context.fill();
    }

    /// Whether lines have round ends.
    pub(crate) fn round(&self, round: bool) {
        self.context.set_line_cap(if round { "round" } else { "butt" });
    }

    /// Writes a text of `size` CSS pixels, centered at `at`, light with a dark edge below. World units apply again afterwards.
    pub(crate) fn text(&self, text: &str, at: Vec2, size: f32, color: Color) {
        let at = self.origin + at * self.scale;
        let (px, drop) = (size * self.css, self.css.max(1.0));
        let _ = self.context.reset_transform();
        self.context.set_font(&format!("600 {px:.1}px {FACE}"));
        self.context.set_text_align("center");
        self.context.set_text_baseline("middle");
        for (color, below) in [(Color::hex(0x02_040a), drop), (color, 0.0)] {
            self.fill_with(color);
            let _ = self.context.fill_text(text, at.x.into(), (at.y + below).into());
        }
        self.world();
    }
}

/// The page's font.
const FACE: &str = "Bahnschrift, 'DIN Alternate', 'Segoe UI', system-ui, sans-serif";

/// A prepared polygon; `None` if the browser cannot.
#[must_use]
pub(crate) fn path(corners: impl Iterator<Item = Vec2>) -> Option<Path2d> {
    let path = Path2d::new().ok()?;
    for corner in corners {
        path.line_to(corner.x.into(), corner.y.into());
    }
    path.close_path();
    Some(path)
}

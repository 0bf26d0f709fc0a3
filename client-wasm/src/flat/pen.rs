//! The 2D canvas of the simple renderer, in world units.

use glam::Vec2;
use wasm_bindgen::JsCast;
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement, Path2d};

use crate::camera::Camera;
use crate::color::Color;

/// A 2D canvas in world units, for what a [`Pen`](crate::Pen) cannot draw.
///
/// The browser's 2D context fails only for arguments that are not finite; then one shape is missing in one image.
#[derive(Debug)]
pub struct FlatPen {
    context: CanvasRenderingContext2d,
    /// Device pixels per world unit.
    scale: f32,
    /// The world's origin in device pixels.
    origin: Vec2,
    /// Device pixels per CSS pixel.
    css: f32,
}

impl FlatPen {
    /// Opens the canvas for drawing; `None` if the browser has no 2D canvas.
    #[must_use]
    pub(crate) fn open(canvas: &HtmlCanvasElement) -> Option<FlatPen> {
        let options = js_sys::Object::new();
        // The canvas is opaque: without blending the browser copies it faster.
        js_sys::Reflect::set(&options, &"alpha".into(), &false.into()).ok()?;
        let context = canvas.get_context_with_context_options("2d", &options).ok()??.dyn_into().ok()?;
        Some(FlatPen { context, scale: 1.0, origin: Vec2::ZERO, css: 1.0 })
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
    pub fn world(&self) {
        self.transform(Vec2::new(self.scale, 0.0), self.origin);
    }

    /// Draws in units of `size` world units from here on, around `at`, turned by `turn` radians.
    pub fn place(&self, at: Vec2, turn: f32, size: f32) {
        self.transform(Vec2::from_angle(turn) * (size * self.scale), self.origin + at * self.scale);
    }

    fn transform(&self, along: Vec2, to: Vec2) {
        let (x, y) = (f64::from(along.x), f64::from(along.y));
        let _ = self.context.set_transform(x, y, -y, x, to.x.into(), to.y.into());
    }

    /// Sets the fill color.
    pub fn fill_with(&self, color: Color) {
        self.context.set_fill_style_str(&color.css());
    }

    /// Sets the color and the width of lines.
    pub fn line_with(&self, color: Color, width: f32) {
        self.context.set_stroke_style_str(&color.css());
        self.context.set_line_width(width.into());
    }

    /// Sets the opacity of everything that follows, 0..=1.
    pub fn fade(&self, alpha: f32) {
        self.context.set_global_alpha(alpha.clamp(0.0, 1.0).into());
    }

    /// Fills a prepared polygon.
    pub fn fill(&self, outline: &Outline) {
        self.context.fill_with_path_2d(&outline.0);
    }

    /// Draws the edge of a prepared polygon.
    pub fn outline(&self, outline: &Outline) {
        self.context.stroke_with_path(&outline.0);
    }

    /// Fills a rectangle around `at`.
    pub fn rect(&self, at: Vec2, half: Vec2) {
        let (corner, size) = (at - half, half * 2.0);
        self.context.fill_rect(corner.x.into(), corner.y.into(), size.x.into(), size.y.into());
    }

    /// Fills a circle.
    pub fn disc(&self, at: Vec2, radius: f32) {
        self.trace(at, radius, (0.0, std::f32::consts::TAU));
        self.context.fill();
    }

    /// Draws a circle.
    pub fn ring(&self, at: Vec2, radius: f32) {
        self.arc(at, radius, (0.0, std::f32::consts::TAU));
    }

    /// Draws a part of a circle between two angles in radians.
    pub fn arc(&self, at: Vec2, radius: f32, angles: (f32, f32)) {
        self.trace(at, radius, angles);
        self.context.stroke();
    }

    /// Fills everything within `half` of `around` that is outside of a circle.
    pub fn outside(&self, middle: Vec2, radius: f32, around: Vec2, half: Vec2) {
        let (corner, size) = (around - half, half * 2.0);
        self.trace(middle, radius, (0.0, std::f32::consts::TAU));
        self.context.rect(corner.x.into(), corner.y.into(), size.x.into(), size.y.into());
        self.context.fill_with_canvas_winding_rule(web_sys::CanvasWindingRule::Evenodd);
    }

    fn trace(&self, at: Vec2, radius: f32, (from, to): (f32, f32)) {
        self.context.begin_path();
        let _ = self.context.arc(at.x.into(), at.y.into(), radius.max(0.0).into(), from.into(), to.into());
    }

    /// Draws a line.
    pub fn line(&self, from: Vec2, to: Vec2) {
        self.context.begin_path();
        self.context.move_to(from.x.into(), from.y.into());
        self.context.line_to(to.x.into(), to.y.into());
        self.context.stroke();
    }

    /// Fills a polygon.
    pub fn polygon(&self, corners: &[Vec2]) {
        self.context.begin_path();
        for corner in corners {
            self.context.line_to(corner.x.into(), corner.y.into());
        }
        self.context.fill();
    }

    /// Whether lines have round ends.
    pub fn round(&self, round: bool) {
        self.context.set_line_cap(if round { "round" } else { "butt" });
    }

    /// Writes a text of `size` CSS pixels, centered at `at`, light with a dark edge below. World units apply again afterwards.
    pub fn text(&self, text: &str, at: Vec2, size: f32, color: Color) {
        let at = self.origin + at * self.scale;
        let (px, drop) = (size * self.css, self.css.max(1.0));
        let _ = self.context.reset_transform();
        self.context.set_font(&format!("600 {}px {FACE}", px.round() as u32));
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

/// A prepared polygon, which costs less to draw again.
#[derive(Debug)]
pub struct Outline(Path2d);

impl Outline {
    /// Prepares a polygon; `None` if the browser cannot.
    #[must_use]
    pub fn new(corners: impl Iterator<Item = Vec2>) -> Option<Outline> {
        let path = Path2d::new().ok()?;
        for corner in corners {
            path.line_to(corner.x.into(), corner.y.into());
        }
        path.close_path();
        Some(Outline(path))
    }
}

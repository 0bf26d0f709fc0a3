//! What a cartridge draws with, whichever renderer there is.

use std::f32::consts::{PI, TAU};

use glam::Vec2;

use crate::camera::Camera;
use crate::color::Color;
use crate::flat::pen::FlatPen;
use crate::gl::batch::{Batch, Layer, Shape, Sprite};
use crate::gl::text::TextSlot;
use crate::gl::{EffectsLevel, Painter};

/// Draws one image in world units, in the order of the calls: later ones cover earlier ones.
///
/// What both renderers can draw is a method here. A cartridge that draws differently with each takes the
/// [`surface`](Pen::surface).
#[derive(Debug)]
pub struct Pen<'a> {
    /// The renderer.
    pub surface: Surface<'a>,
    /// What the picture shows.
    pub camera: &'a Camera,
    /// The window, for what has its size in CSS pixels.
    pub window: Window,
    /// Seconds of the page's clock.
    pub seconds: f64,
    /// Seconds since the previous image; 0 while the picture is frozen.
    pub dt: f32,
}

/// The renderer of an image.
#[derive(Debug)]
pub enum Surface<'a> {
    /// WebGL 2: sprites, lights, own shaders.
    Full(FullSurface<'a>),
    /// Flat shapes on a 2D canvas.
    Simple(&'a FlatPen),
}

/// The full renderer: sprites are collected and drawn together.
#[derive(Debug)]
pub struct FullSurface<'a> {
    /// The sprites of this image.
    pub batch: &'a mut Batch,
    /// How much this machine can afford.
    pub effects: EffectsLevel,
    /// A number for the game's sky.
    pub sky_number: f32,
    pub(crate) painter: &'a mut Painter,
}

impl FullSurface<'_> {
    /// Where the atlas has a text, for a sprite of shape [`Shape::TEXT`] in this image; `None` if there are too many.
    pub fn text(&mut self, text: &str) -> Option<TextSlot> {
        self.painter.text(text)
    }
}

/// The window, for what has its size in CSS pixels.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    /// World units per CSS pixel.
    pub px: f32,
    /// Whether thumbs cover the corners.
    pub touch: bool,
}

/// Height of a line in the text atlas over the size of its letters.
const LINE: f32 = 1.6;

impl Pen<'_> {
    /// World units per CSS pixel.
    #[must_use]
    pub fn px(&self) -> f32 {
        self.window.px
    }

    /// Whether something at `at` with radius `reach` is in the picture.
    #[must_use]
    pub fn sees(&self, at: Vec2, reach: f32) -> bool {
        self.camera.sees(at, reach)
    }

    /// Fills a circle.
    pub fn disc(&mut self, at: Vec2, radius: f32, color: Color) {
        match &mut self.surface {
            Surface::Full(full) => sprite(full, Sprite::new(Shape::DISC, at, Vec2::splat(radius), color)),
            Surface::Simple(flat) => {
                flat.fill_with(color);
                flat.disc(at, radius);
            }
        }
    }

    /// Draws a circle; `radius` reaches to the middle of the line.
    pub fn ring(&mut self, at: Vec2, radius: f32, width: f32, color: Color) {
        self.arc(at, radius, width, (-PI, PI), color);
    }

    /// Draws a part of a circle between two angles in radians, from +x toward +y.
    pub fn arc(&mut self, at: Vec2, radius: f32, width: f32, (from, to): (f32, f32), color: Color) {
        match &mut self.surface {
            Surface::Full(full) => {
                let outer = radius + width / 2.0;
                let half = ((to - from).abs() / 2.0).min(PI);
                let arc = Sprite::new(Shape::ARC, at, Vec2::splat(outer), color).turned((from + to) / 2.0);
                sprite(full, arc.with(width / outer.max(f32::MIN_POSITIVE), half));
            }
            Surface::Simple(flat) => {
                flat.line_with(color, width);
                flat.arc(at, radius, (from, to.min(from + TAU)));
            }
        }
    }

    /// Draws a line.
    pub fn line(&mut self, from: Vec2, to: Vec2, width: f32, color: Color) {
        match &mut self.surface {
            Surface::Full(full) => {
                let way = to - from;
                let half = Vec2::new(way.length(), width) / 2.0;
                sprite(full, Sprite::new(Shape::RECT, from + way / 2.0, half, color).turned(way.to_angle()));
            }
            Surface::Simple(flat) => {
                flat.line_with(color, width);
                flat.line(from, to);
            }
        }
    }

    /// Fills a rectangle of half size `half` around `at`, turned by `turn` radians.
    pub fn rect(&mut self, at: Vec2, half: Vec2, turn: f32, color: Color) {
        match &mut self.surface {
            Surface::Full(full) => sprite(full, Sprite::new(Shape::RECT, at, half, color).turned(turn)),
            Surface::Simple(flat) => {
                flat.fill_with(color);
                flat.place(at, turn, 1.0);
                flat.rect(Vec2::ZERO, half);
                flat.world();
            }
        }
    }

    /// Fills a polygon all of whose edges can be seen from the mean of its corners, such as any convex one or a star.
    pub fn polygon(&mut self, corners: &[Vec2], color: Color) {
        match &mut self.surface {
            Surface::Full(full) => {
                let middle = corners.iter().sum::<Vec2>() / corners.len().max(1) as f32;
                let next = corners.iter().cycle().skip(1);
                for triangle in corners.iter().zip(next).filter_map(|(a, b)| triangle(*a, *b, middle, color)) {
                    sprite(full, triangle);
                }
            }
            Surface::Simple(flat) => {
                flat.fill_with(color);
                flat.polygon(corners);
            }
        }
    }

    /// Adds a soft round light.
    pub fn glow(&mut self, at: Vec2, radius: f32, color: Color) {
        match &mut self.surface {
            Surface::Full(full) => sprite(full, Sprite::light(Shape::GLOW, at, Vec2::splat(radius), color)),
            Surface::Simple(flat) => {
                // Two faint discs: a gradient over as many pixels costs a software renderer too much.
                for (share, strength) in [(0.7, 0.15), (0.4, 0.35)] {
                    flat.fill_with(color.alpha(color.a * strength));
                    flat.disc(at, radius * share);
                }
            }
        }
    }

    /// Writes a text of up to about 30 characters, `size` CSS pixels large, centered at `at`.
    pub fn text(&mut self, text: &str, at: Vec2, size: f32, color: Color) {
        let tall = size * LINE / 2.0 * self.window.px;
        match &mut self.surface {
            Surface::Full(full) => {
                let Some(slot) = full.text(text) else { return };
                let text = Sprite::new(Shape::TEXT, at, Vec2::new(tall * slot.aspect(), tall), color);
                sprite(full, text.with(slot.index, slot.fill));
            }
            Surface::Simple(flat) => flat.text(text, at, size, color),
        }
    }
}

fn sprite(full: &mut FullSurface<'_>, sprite: Sprite) {
    full.batch.add(Layer::Solid, &sprite);
}

/// A triangle whose edge from `a` to `b` is softened; `None` if it has no area.
fn triangle(mut a: Vec2, mut b: Vec2, top: Vec2, color: Color) -> Option<Sprite> {
    if (b - a).perp_dot(top - a) < 0.0 {
        (a, b) = (b, a);
    }
    let (base, along) = ((b - a).length(), (b - a).try_normalize()?);
    let (x, height) = ((top - a).dot(along), (top - a).dot(along.perp()));
    let (left, right) = (x.min(0.0), x.max(base));
    let half = Vec2::new((right - left) / 2.0, height / 2.0);
    if half.y <= 0.0 {
        return None;
    }
    let at = a + along * (left + half.x) + along.perp() * half.y;
    let place = |x: f32| (x - left) / half.x - 1.0;
    // The place of the top, and the base's end on its side.
    let (top, end) = match x {
        x if x < 0.0 => (-1.0, place(0.0)),
        x if x > base => (1.0, place(base)),
        x => (place(x), if x <= 0.0 { -1.0 } else { 1.0 }),
    };
    let sprite = Sprite::new(Shape::TRIANGLE, at, half, color).turned(along.to_angle());
    Some(sprite.with(top, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_triangle_is_the_same_whichever_way_its_base_runs() {
        let (a, b) = (Vec2::new(3.0, 1.0), Vec2::new(9.0, 2.0));
        for top in [Vec2::new(5.0, 7.0), Vec2::new(-4.0, 9.0), Vec2::new(6.0, -3.0), Vec2::new(20.0, 5.0)] {
            let one = triangle(a, b, top, Color::WHITE).map(|sprite| format!("{sprite:?}"));
            assert!(one.is_some());
            assert_eq!(one, triangle(b, a, top, Color::WHITE).map(|sprite| format!("{sprite:?}")));
        }
        assert!(triangle(a, a, b, Color::WHITE).is_none());
    }
}

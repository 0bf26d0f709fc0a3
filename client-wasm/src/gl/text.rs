//! Names as sprites: the browser draws each once into a slot of an atlas.

use wasm_bindgen::JsCast;
use web_sys::{CanvasRenderingContext2d, Document, HtmlCanvasElement, WebGl2RenderingContext as Gl, WebGlTexture};

use super::context::{Wrap, texture};

/// Columns and rows of the atlas.
const COLUMNS: i32 = 4;
const ROWS: i32 = 32;
/// Size of a slot in pixels.
const SLOT: (i32, i32) = (256, 32);
/// Letters of 20 of the slot's 32 pixels, in the page's font.
const FONT: &str = "600 20px Bahnschrift, 'DIN Alternate', 'Segoe UI', system-ui, sans-serif";

#[derive(Debug, Clone, Copy, PartialEq)]
/// Where the atlas has a text.
pub struct TextSlot {
    /// Its number: the first number of a sprite of shape [`Shape::TEXT`](crate::Shape::TEXT).
    pub index: f32,
    /// Share of the slot's width that the text fills: the second number.
    pub fill: f32,
}

impl TextSlot {
    /// Width over height of the text.
    #[must_use]
    pub fn aspect(&self) -> f32 {
        self.fill * SLOT.0 as f32 / SLOT.1 as f32
    }
}

#[derive(Debug)]
pub(crate) struct TextAtlas {
    texture: WebGlTexture,
    pen: CanvasRenderingContext2d,
    canvas: HtmlCanvasElement,
    /// The text, its slot's fill, and the image in which it was last used.
    slots: Vec<(String, f32, u32)>,
    frame: u32,
}

impl TextAtlas {
    /// An empty atlas.
    ///
    /// # Errors
    /// The browser has no 2D canvas, or the context is lost.
    pub(crate) fn new(gl: &Gl, document: &Document) -> Result<Self, String> {
        let texture = texture(gl, COLUMNS * SLOT.0, ROWS * SLOT.1, Wrap::Clamp)?;
        let canvas = document.create_element("canvas").ok().and_then(|e| e.dyn_into::<HtmlCanvasElement>().ok());
        let canvas = canvas.ok_or("no canvas")?;
        canvas.set_width(SLOT.0 as u32);
        canvas.set_height(SLOT.1 as u32);
        let pen = canvas.get_context("2d").ok().flatten().and_then(|c| c.dyn_into::<CanvasRenderingContext2d>().ok());
        let pen = pen.ok_or("no 2d context")?;
        Ok(TextAtlas { texture, pen, canvas, slots: Vec::new(), frame: 0 })
    }

    #[must_use]
    pub(crate) fn texture(&self) -> &WebGlTexture {
        &self.texture
    }

    /// Starts an image: slots that it uses are not replaced during it.
    pub(crate) fn begin_frame(&mut self) {
        self.frame = self.frame.wrapping_add(1);
    }

    /// The slot with `text`, drawn now if it is new. `None` if one image uses more names than there are slots.
    pub(crate) fn slot(&mut self, gl: &Gl, text: &str) -> Option<TextSlot> {
        if let Some(index) = self.slots.iter().position(|(known, ..)| known == text) {
            self.slots[index].2 = self.frame;
            return Some(TextSlot { index: index as f32, fill: self.slots[index].1 });
        }
        let index = if self.slots.len() < (COLUMNS * ROWS) as usize {
            self.slots.push((String::new(), 0.0, 0));
            self.slots.len() - 1
        } else {
            let (index, oldest) = self.slots.iter().enumerate().min_by_key(|(_, slot)| slot.2)?;
            if oldest.2 == self.frame {
                return None;
            }
            index
        };
        let fill = self.draw(gl, index, text);
        self.slots[index] = (text.to_owned(), fill, self.frame);
        Some(TextSlot { index: index as f32, fill })
    }

    fn draw(&self, gl: &Gl, index: usize, text: &str) -> f32 {
        let (width, height) = (f64::from(SLOT.0), f64::from(SLOT.1));
        let pen = &self.pen;
        pen.clear_rect(0.0, 0.0, width, height);
        pen.set_font(FONT);
        pen.set_text_baseline("middle");
        pen.set_line_join("round");
        pen.set_line_width(4.0);
        pen.set_stroke_style_str("rgba(2,4,10,.8)");
        pen.set_fill_style_str("#fff");
        let edge = 4.0;
        // The width limit squeezes a long name instead of cutting it.
        let width_max = width - 2.0 * edge;
        let wide = pen.measure_text(text).map_or(width_max, |m| m.width()).min(width_max);
        // Text that cannot be drawn leaves an empty slot; nothing depends on it.
        let _ = pen.stroke_text_with_max_width(text, edge, height / 2.0, width_max);
        let _ = pen.fill_text_with_max_width(text, edge, height / 2.0, width_max);
        let (column, row) = (index as i32 % COLUMNS, index as i32 / COLUMNS);
        gl.bind_texture(Gl::TEXTURE_2D, Some(&self.texture));
        gl.pixel_storei(Gl::UNPACK_PREMULTIPLY_ALPHA_WEBGL, 1);
        let _ = gl.tex_sub_image_2d_with_u32_and_u32_and_html_canvas_element(
            Gl::TEXTURE_2D,
            0,
            column * SLOT.0,
            row * SLOT.1,
            Gl::RGBA,
            Gl::UNSIGNED_BYTE,
            &self.canvas,
        );
        gl.pixel_storei(Gl::UNPACK_PREMULTIPLY_ALPHA_WEBGL, 0);
        ((wide + 2.0 * edge) / width) as f32
    }
}

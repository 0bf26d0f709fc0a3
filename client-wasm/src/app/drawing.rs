//! Which renderer draws the picture, and the change from one to the other.

use glam::Vec2;
use web_sys::{Document, HtmlCanvasElement};

use super::App;
use super::image::image_of;
use super::replay::shown_client;
use crate::browser;
use crate::cartridge::Cartridge;
use crate::flat::Flat;
use crate::gl::{Painter, context};
use crate::pen::{FullSurface, Pen, Surface, Window};
use crate::probe::Report;
use crate::quality::{EffectsSetting, Quality, Renderer, draws_in_software};
use crate::settings;
use crate::words::{say_or, say_with};

pub(super) enum Drawing {
    /// The browser has taken the context away, and may give it back.
    Nothing,
    Full(Box<Painter>),
    Simple(Box<Flat>),
}

/// Opens a renderer for the effects that the address asks for, or else for those that the player has set.
pub(super) fn open_drawing<C: Cartridge>(
    canvas: &HtmlCanvasElement,
    document: &Document,
    setting: EffectsSetting,
) -> Result<(Quality, Drawing), String> {
    let asked = browser::parameter("effects");
    let setting = asked.map_or(setting, |text| EffectsSetting::from_text(Some(&text)));
    let mut quality = Quality::new(setting, setting == EffectsSetting::Auto && has_gpu(canvas));
    let drawing = open::<C>(canvas, document, &mut quality)?;
    Ok((quality, drawing))
}

fn has_gpu(canvas: &HtmlCanvasElement) -> bool {
    context::open(canvas).is_some_and(|gl| !context::renderer(&gl).is_some_and(|name| draws_in_software(&name)))
}

/// Opens the chosen renderer, or the simple one where WebGL fails.
fn open<C: Cartridge>(
    canvas: &HtmlCanvasElement,
    document: &Document,
    quality: &mut Quality,
) -> Result<Drawing, String> {
    if quality.renderer == Renderer::Full {
        match Painter::new(canvas, document, quality.effects, (&C::shaders(), C::BACKGROUND)) {
            Ok(painter) => return Ok(Drawing::Full(Box::new(painter))),
            Err(reason) => {
                web_sys::console::warn_1(&format!("the simple renderer draws: {reason}").into());
                quality.renderer = Renderer::Simple;
            }
        }
    }
    let flat = Flat::new(document, canvas)?;
    // The simple renderer's canvas covers this one: make it as cheap as possible.
    canvas.set_width(1);
    canvas.set_height(1);
    Ok(Drawing::Simple(Box::new(flat)))
}

impl<C: Cartridge> App<C> {
    /// Changes to the renderer that the quality asks for.
    pub(super) fn choose_renderer(&mut self) {
        let fits = match self.drawing {
            Drawing::Full(_) => self.quality.renderer == Renderer::Full,
            Drawing::Simple(_) => self.quality.renderer == Renderer::Simple,
            // Wait for the browser to restore the context, unless WebGL is no longer needed.
            Drawing::Nothing => self.quality.renderer == Renderer::Full,
        };
        if fits {
            return;
        }
        self.drawing = Drawing::Nothing;
        match open::<C>(&self.canvas, &self.document, &mut self.quality) {
            Ok(drawing) => self.drawing = drawing,
            Err(reason) => {
                // Do not try again with every image.
                self.quality.renderer = Renderer::Full;
                browser::log_error(&format!("cannot draw: {reason}"));
            }
        }
    }

    /// Advances the effects setting: auto, simple, full.
    pub(super) fn change_effects(&mut self) {
        let setting = self.quality.setting.next();
        settings::change(Report::new().with("effects", setting.text()));
        self.set_effects(setting);
    }

    /// Draws with these effects from now on.
    pub(super) fn set_effects(&mut self, setting: EffectsSetting) {
        if self.quality.setting == setting {
            return;
        }
        self.quality = Quality::new(setting, setting == EffectsSetting::Auto && has_gpu(&self.canvas));
        self.choose_renderer();
        self.show_effects();
    }

    pub(super) fn show_effects(&self) {
        if let Some(button) = self.document.get_element_by_id("effects") {
            let level = self.quality.setting.text();
            let level = say_or(&["effects.", level].concat(), level);
            button.set_text_content(Some(&say_with("effects", &[("level", level)])));
        }
    }

    /// The context is lost: nothing is drawn until the browser restores it.
    pub(super) fn lose_context(&mut self) {
        if let Drawing::Full(_) = self.drawing {
            self.drawing = Drawing::Nothing;
        }
    }

    /// The context is restored, empty: recreate everything on the GPU.
    pub(super) fn regain_context(&mut self) {
        if let (Drawing::Nothing, Renderer::Full) = (&self.drawing, self.quality.renderer) {
            match open::<C>(&self.canvas, &self.document, &mut self.quality) {
                Ok(drawing) => self.drawing = drawing,
                Err(reason) => browser::log_error(&format!("cannot draw again: {reason}")),
            }
        }
    }

    /// Device pixels per CSS pixel.
    fn ratio(&self) -> f32 {
        let ratio = browser::window().map_or(1.0, |w| w.device_pixel_ratio()) as f32;
        self.quality.pixel_ratio(ratio)
    }

    /// Resizes the canvas to its size on the screen.
    pub(super) fn resize(&mut self) {
        let ratio = self.ratio();
        let canvas = match &self.drawing {
            Drawing::Simple(flat) => flat.canvas(),
            Drawing::Full(_) | Drawing::Nothing => &self.canvas,
        };
        let pixels = |css: i32| ((css as f32 * ratio).round() as u32).max(1);
        let (width, height) = (pixels(self.canvas.client_width()), pixels(self.canvas.client_height()));
        if canvas.width() != width || canvas.height() != height {
            canvas.set_width(width);
            canvas.set_height(height);
        }
        self.camera.fit(Vec2::new(width as f32, height as f32), self.devices.borrow().touch());
    }

    pub(super) fn draw(&mut self, seconds: f64, dt: f32) {
        let css_wide = self.canvas.client_width().max(1) as f32;
        let window = Window { px: self.camera.half.x * 2.0 / css_wide, touch: self.devices.borrow().touch() };
        let css = self.ratio();
        let surface = match &mut self.drawing {
            Drawing::Nothing => return,
            Drawing::Simple(flat) => {
                flat.begin(&self.camera, css, C::BACKGROUND);
                Surface::Simple(&flat.pen)
            }
            Drawing::Full(painter) => {
                if painter.is_lost() {
                    return;
                }
                let size = (self.canvas.width() as i32, self.canvas.height() as i32);
                if let Err(reason) = painter.begin(size, self.quality.effects) {
                    // The context was lost just now; its event follows.
                    web_sys::console::warn_1(&reason.into());
                    return;
                }
                self.batch.clear();
                let (batch, effects) = (&mut self.batch, self.quality.effects);
                Surface::Full(FullSurface { batch, effects, sky_number: 0.0, painter })
            }
        };
        let mut pen = Pen { surface, camera: &self.camera, window, seconds, dt };
        if self.behind_title {
            self.cartridge.draw_title(&mut pen);
        } else if let Some(client) = shown_client(&self.replay, &self.connection).or(self.kept_client.as_ref()) {
            let image = image_of(client, &self.flow, &self.lab, dt);
            self.cartridge.draw(&image, &mut pen);
        }
        if let Surface::Full(FullSurface { batch, sky_number, painter, .. }) = pen.surface {
            painter.draw(batch, &self.camera, sky_number, seconds);
        }
    }
}

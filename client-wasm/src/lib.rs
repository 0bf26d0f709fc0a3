//! The shell of a game in the browser, around `broadside_shared::client`: title, lobby, rooms, chat, connection, devices, sound, and
//! two renderers. The game is put into it as a [`Cartridge`].
//!
//! | module | what it holds |
//! |---|---|
//! | `cartridge` | what a game implements |
//! | `flow` | the page's states (title, connecting, playing, lost) as a pure core |
//! | `app` | the shell around it: events, timers, and what each image does |
//! | `connection`, `socket`, `simulated_link` | one connection: WebSocket and client, and a simulated link between them for the network lab |
//! | `account` | whose account the browser has, for the hello of a connection |
//! | `fetch` | requests over HTTP |
//! | `pen` | what a cartridge draws with, whichever renderer there is |
//! | `gl` | from sprites to pixels, with WebGL 2 |
//! | `flat` | flat shapes on a 2D canvas, where there is no GPU |
//! | `particles`, `camera`, `color` | helpers for drawing |
//! | `hud` | scores, board, match, lobby, chat, menus: elements of the page |
//! | `input` | keyboard, mouse, touch, gamepad |
//! | `synth`, `sound` | computes and plays sounds |
//! | `words` | the texts of the page, in the player's language |
//! | `settings` | what the player has set |
//! | `quality` | which renderer and effects this machine can afford |
//! | `rest` | the parts of the program that a first visit does without |
//! | `browser`, `probe`, `random` | the browser's API, the state for tests, randomness for visual effects |
//!
//! Absent on purpose: rules, prediction and the protocol (they are in `broadside_shared`), any game, JavaScript beyond what loads the
//! module, image and sound files (everything is drawn and computed).

mod account;
mod app;
mod browser;
mod camera;
mod cartridge;
mod color;
mod connection;
mod fetch;
mod flat;
mod flow;
mod gl;
mod hud;
mod input;
mod particles;
mod pen;
mod probe;
mod quality;
mod random;
mod rest;
mod score;
mod settings;
mod simulated_link;
mod socket;
mod sound;
pub mod synth;
pub mod words;

pub use camera::{Camera, Framing};
pub use cartridge::{Cartridge, Cues, Focus, Image, Place};
pub use color::Color;
pub use flat::pen::{FlatPen, Outline};
pub use gl::batch::{Batch, Layer, Shape, Sprite};
pub use gl::text::TextSlot;
pub use gl::{EffectsLevel, Shaders};
pub use hud::dom::{Page, Shown};
pub use input::controls::Controls;
pub use particles::{Particle, ParticleShape, Particles};
pub use pen::{FullSurface, Pen, Surface, Window};
pub use probe::Report;
pub use random::Random;
pub use sound::{Sound, SoundGroup, SoundId};
#[doc(hidden)]
pub use wasm_bindgen;

use wasm_bindgen::JsValue;

/// Makes a cartridge the program that the browser loads.
#[macro_export]
macro_rules! page {
    ($cartridge:ty) => {
        /// Starts the page. The browser calls it once the module is loaded.
        ///
        /// # Errors
        /// What the page or the browser lacks, as text; the script that loads the module shows it.
        #[$crate::wasm_bindgen::prelude::wasm_bindgen(wasm_bindgen = $crate::wasm_bindgen, start)]
        pub fn start_page() -> Result<(), $crate::wasm_bindgen::JsValue> {
            $crate::start::<$cartridge>()
        }
    };
}

/// Puts items into the program for recorded matches alone, which a first visit does not load.
#[cfg(feature = "replay")]
#[macro_export]
macro_rules! in_replays {
    ($($item:item)*) => { $($item)* };
}

/// Puts items into the program for recorded matches alone, which a first visit does not load. This is not that program.
#[cfg(not(feature = "replay"))]
#[macro_export]
macro_rules! in_replays {
    ($($item:item)*) => {};
}

/// Starts the page; see [`page!`].
///
/// # Errors
/// What the page or the browser lacks, as text.
pub fn start<C: Cartridge>() -> Result<(), JsValue> {
    std::panic::set_hook(Box::new(|info| browser::log_error(&info.to_string())));
    // Outside a page there is nothing to start: a test may only want what the module exports.
    match browser::document() {
        Some(_) => {
            rest::offer();
            app::start::<C>().map_err(JsValue::from)
        }
        None => Ok(()),
    }
}

//! Broadside in the browser: a thin shell around `broadside_shared::client`.
//!
//! | module | what it holds |
//! |---|---|
//! | [`app`] | the page's states (title, connecting, playing, lost) and what each image does |
//! | [`session`], [`socket`], [`mod@line`] | one connection: WebSocket and client, and a bad line between them if wanted |
//! | [`fetch`] | questions over HTTP |
//! | [`live`], [`backdrop`] | what fills the stage: the real game, or the battle behind the title |
//! | [`stage`] | everything one image shows, in one plain struct |
//! | [`scene`], [`particles`], [`camera`], [`color`] | from the stage to sprites |
//! | [`gl`] | from sprites to pixels, with WebGL 2 |
//! | [`flat`] | from the stage to flat shapes on a 2D canvas, where there is no GPU |
//! | [`hulls`] | the silhouettes of ships |
//! | [`hud`] | gauges, board, lobby, chat, menus: elements of the page |
//! | [`input`] | keyboard, mouse, thumbs |
//! | [`synth`], [`sound`] | every sound computed, and played |
//! | [`quality`] | what this machine can afford |
//! | [`browser`], [`probe`], [`random`] | the browser's corners, what tests may ask, chance for the eye |
//!
//! Absent on purpose: rules, prediction, the wire (they are in `broadside_shared`), hand-written JavaScript beyond what loads
//! this module, pictures and recordings (everything is drawn and computed).

pub mod app;
pub mod backdrop;
pub mod browser;
pub mod camera;
pub mod color;
pub mod connection;
pub mod fetch;
pub mod flat;
pub mod gl;
pub mod hud;
pub mod hulls;
pub mod input;
pub mod live;
pub mod particles;
pub mod probe;
pub mod quality;
pub mod random;
pub mod scene;
pub mod simulated_link;
pub mod socket;
pub mod sound;
pub mod stage;
pub mod synth;

use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

/// Starts the page. The browser calls it once the module is loaded.
///
/// # Errors
/// What the page or the browser lacks, as text; the script that loads the module shows it.
#[wasm_bindgen(start)]
pub fn start_broadside() -> Result<(), JsValue> {
    std::panic::set_hook(Box::new(|info| browser::complain(&info.to_string())));
    // Outside a page (a test that only wants `world_hashes`) there is nothing to start.
    match browser::document() {
        Some(_) => app::start().map_err(JsValue::from),
        None => Ok(()),
    }
}

/// Plays a scripted match and gives the world's hash every `every` ticks: native builds give the same numbers.
#[wasm_bindgen]
#[must_use]
pub fn world_hashes(seed: u64, ticks: u32, every: u32) -> Vec<u64> {
    broadside_shared::arena::script::world_hashes(seed, ticks, every.max(1))
}

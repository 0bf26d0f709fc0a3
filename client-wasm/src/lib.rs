//! Broadside in the browser: a thin shell around `broadside_shared::client`.
//!
//! | module | what it holds |
//! |---|---|
//! | `flow` | the page's states (title, connecting, playing, lost) as a pure core |
//! | `app` | the shell around it: events, timers, and what each image does |
//! | `connection`, `socket`, `simulated_link` | one connection: WebSocket and client, and a simulated link between them for the network lab |
//! | `fetch` | requests over HTTP |
//! | `live`, `backdrop` | what fills the stage: the game, or the battle behind the title |
//! | `stage` | everything that one image shows, as one plain struct |
//! | `scene`, `particles`, `camera`, `color` | from the stage to sprites |
//! | `gl` | from sprites to pixels, with WebGL 2 |
//! | `flat` | from the stage to flat shapes on a 2D canvas, where there is no GPU |
//! | `hulls` | the silhouettes of ships |
//! | `hud` | gauges, board, lobby, chat, menus: elements of the page |
//! | `input` | keyboard, mouse, touch |
//! | `synth`, `sound` | computes and plays every sound |
//! | `quality` | which renderer and effects this machine can afford |
//! | `browser`, `probe`, `random` | the browser's API, the state for tests, randomness for visual effects |
//!
//! Absent on purpose: rules, prediction and the protocol (they are in `broadside_shared`), JavaScript beyond what loads this
//! module, image and sound files (everything is drawn and computed).

mod app;
mod backdrop;
mod browser;
mod camera;
mod color;
mod connection;
mod fetch;
mod flat;
mod flow;
mod gl;
mod hud;
mod hulls;
mod input;
mod live;
mod particles;
mod probe;
mod quality;
mod random;
mod scene;
mod simulated_link;
mod socket;
mod sound;
mod stage;
mod synth;

use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

/// Starts the page. The browser calls it once the module is loaded.
///
/// # Errors
/// What the page or the browser lacks, as text; the script that loads the module shows it.
#[wasm_bindgen(start)]
pub fn start_broadside() -> Result<(), JsValue> {
    std::panic::set_hook(Box::new(|info| browser::log_error(&info.to_string())));
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
    broadside_arena::script::world_hashes(seed, ticks, every.max(1))
}

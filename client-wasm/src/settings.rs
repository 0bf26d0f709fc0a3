//! What the player has set, as `assets/settings.js` keeps it: one object with a version in the browser's storage. Whatever is stored
//! there is read as far as it makes sense; the rest is as if never set.

use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};

use crate::browser;
use crate::fetch::{get, text};
use crate::probe::Report;
use crate::quality::EffectsSetting;

/// What the page dispatches at its window when settings have changed.
pub(crate) const CHANGED: &str = "broadside-settings";
/// Most keys with another meaning; a keyboard has about a hundred.
const KEYS_MAX: usize = 200;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(catch, js_namespace = ["broadside", "settings"], js_name = set)]
    fn store(changes: &JsValue) -> Result<(), JsValue>;
}

/// The volumes of the groups of sounds, 0..=100.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Volumes {
    pub(crate) master: u32,
    pub(crate) effects: u32,
    pub(crate) music: u32,
    /// The clicks and chimes of the interface.
    pub(crate) voice: u32,
    pub(crate) muted: bool,
    /// Whether the score plays.
    pub(crate) score: bool,
}

impl Default for Volumes {
    fn default() -> Self {
        Volumes { master: 70, effects: 100, music: 100, voice: 100, muted: false, score: true }
    }
}

/// See the module.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Settings {
    pub(crate) effects: EffectsSetting,
    /// Shortest time between two images, in seconds; 0 for as many as the screen shows.
    pub(crate) image_s: f32,
    pub(crate) volumes: Volumes,
    /// Whether the left and the right stick are swapped, of touch screens and gamepads.
    pub(crate) swapped: bool,
    /// Whether the net graph is open.
    pub(crate) graph: bool,
    /// What keys and buttons of the mouse stand for: another key by its usual place, or nothing if empty.
    pub(crate) keys: Vec<(String, String)>,
}

impl Settings {
    /// What is set now.
    #[must_use]
    pub(crate) fn read() -> Settings {
        Settings::of(&values())
    }

    fn of(values: &JsValue) -> Settings {
        let usual = Volumes::default();
        let volume =
            |name, usual: u32| get(values, name).as_f64().map_or(usual, |volume| volume.clamp(0.0, 100.0) as u32);
        let is = |name| get(values, name).as_bool() == Some(true);
        // A little less than the time of an image, or every second image of such a screen would be left out.
        let image_s = get(values, "cap").as_f64().filter(|cap| *cap >= 10.0).map_or(0.0, |cap| 0.9 / cap as f32);
        let keys = get(values, "keys").dyn_into::<js_sys::Object>().ok();
        let pairs = keys.iter().flat_map(js_sys::Object::entries).take(KEYS_MAX);
        let part = |pair: &JsValue, at| pair.unchecked_ref::<js_sys::Array>().get(at).as_string();
        Settings {
            effects: EffectsSetting::from_text(Some(&text(values, "effects"))),
            image_s,
            volumes: Volumes {
                master: volume("volume", usual.master),
                effects: volume("effectsVolume", usual.effects),
                music: volume("musicVolume", usual.music),
                voice: volume("voiceVolume", usual.voice),
                muted: is("muted"),
                score: get(values, "score").as_bool() != Some(false),
            },
            swapped: is("swapped"),
            graph: is("graph"),
            keys: pairs.filter_map(|pair| Some((part(&pair, 0)?, part(&pair, 1)?))).collect(),
        }
    }
}

fn values() -> JsValue {
    let page = browser::window().map_or(JsValue::UNDEFINED, |window| get(&window, "broadside"));
    get(&get(&page, "settings"), "values")
}

/// The choice of one of the game's own settings; empty for the usual one.
pub(crate) fn chosen(what: &str) -> String {
    text(&values(), what)
}

/// Stores changes that the player made outside of the panel.
pub(crate) fn change(changes: Report) {
    if store(&changes.into()).is_err() {
        browser::log_warning("the settings could not be kept");
    }
}

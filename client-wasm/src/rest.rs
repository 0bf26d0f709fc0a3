//! The parts of the program that a first visit does without. `xtask/src/split.rs` cuts them off, and `assets/boot.js` loads them: the rest
//! when the player plays, and any part at once if a function of it is called before.

use js_sys::Reflect;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::browser;

#[wasm_bindgen]
extern "C" {
    /// Loads a part: the rest soon if 0, or the one with this number before it returns.
    #[wasm_bindgen(js_namespace = broadside)]
    fn rest(number: u32);
}

/// Gives the page what the parts need of this one.
pub(crate) fn offer() {
    let page = browser::window().and_then(|window| Reflect::get(&window, &"broadside".into()).ok());
    if let Some(page) = page.filter(JsValue::is_object) {
        let _ = Reflect::set(&page, &"program".into(), &wasm_bindgen::exports());
    }
}

/// Loads the rest, since there is time for it.
pub(crate) fn load() {
    rest(0);
}

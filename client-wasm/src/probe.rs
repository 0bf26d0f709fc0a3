//! `window.broadside.state()`: the page's state, for tests and developers.

use js_sys::{Array, Object, Reflect};
use wasm_bindgen::{JsCast, JsValue, closure::Closure};

use crate::browser;

/// A JavaScript object under construction.
pub(crate) struct JsRecord(Object);

impl JsRecord {
    #[must_use]
    pub(crate) fn new() -> Self {
        JsRecord(Object::new())
    }

    /// Adds a property.
    #[must_use]
    pub(crate) fn with(self, key: &str, value: impl Into<JsValue>) -> Self {
        // Setting a property of a plain object cannot fail.
        let _ = Reflect::set(&self.0, &key.into(), &value.into());
        self
    }
}

impl From<JsRecord> for JsValue {
    fn from(record: JsRecord) -> JsValue {
        record.0.into()
    }
}

#[must_use]
pub(crate) fn list(records: impl Iterator<Item = JsRecord>) -> Array {
    records.map(JsValue::from).collect()
}

/// Makes `window.broadside.state()` return what `state` gives.
pub(crate) fn install(state: impl Fn() -> JsValue + 'static) {
    let Some(window) = browser::window() else { return };
    let found = Reflect::get(&window, &"broadside".into()).ok().filter(JsValue::is_object);
    let probe = found.unwrap_or_else(|| Object::new().into());
    let closure = Closure::<dyn Fn() -> JsValue>::new(state);
    let _ = Reflect::set(&probe, &"state".into(), closure.as_ref().unchecked_ref());
    let _ = Reflect::set(&window, &"broadside".into(), &probe);
    closure.forget();
}

//! `window.broadside.state()`: the page's state, for tests and developers.

use js_sys::{Array, Object, Reflect};
use wasm_bindgen::{JsCast, JsValue, closure::Closure};

use crate::browser;

/// A JavaScript object under construction.
#[derive(Debug)]
pub struct Report(Object);

impl Report {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Report(Object::new())
    }

    /// Adds a property: a number, a text, a truth value, another report, or an option of these.
    #[must_use]
    pub fn with(self, key: &str, value: impl Into<JsValue>) -> Self {
        // Setting a property of a plain object cannot fail.
        let _ = Reflect::set(&self.0, &key.into(), &value.into());
        self
    }

    /// Adds a property that is a list.
    #[must_use]
    pub fn with_all(self, key: &str, reports: impl Iterator<Item = Report>) -> Self {
        self.with(key, reports.map(JsValue::from).collect::<Array>())
    }
}

impl Default for Report {
    fn default() -> Self {
        Report::new()
    }
}

impl From<Report> for JsValue {
    fn from(record: Report) -> JsValue {
        record.0.into()
    }
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

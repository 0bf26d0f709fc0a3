//! Requests to the server over HTTP, with JSON replies.

use js_sys::{JSON, Reflect};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Headers, RequestInit, Response};

use crate::browser;
use crate::words::say;

#[wasm_bindgen]
extern "C" {
    /// The part of a promise that is needed here. One function handles both outcomes, so that it is called exactly once and then
    /// freed.
    type Thenable;

    #[wasm_bindgen(method)]
    fn then(this: &Thenable, came: &JsValue, failed: &JsValue) -> Thenable;
}

/// The error when no reply arrives.
#[must_use]
pub(crate) fn unreachable_text() -> &'static str {
    say("end.unreachable")
}

/// A reply's value, or a sentence that explains the failure.
pub(crate) type Answer = Result<JsValue, String>;

/// Requests a path relative to the page's folder and calls `done` with the reply. With a `body`, which is JSON, it is a POST.
pub(crate) fn ask(path: &str, body: Option<&str>, done: impl FnOnce(Answer) + 'static) {
    let Some(window) = browser::window() else { return };
    let init = RequestInit::new();
    if browser::embedded_room().is_some() {
        init.set_credentials(web_sys::RequestCredentials::Omit);
    }
    if let Some(body) = body {
        init.set_method("POST");
        init.set_body(&body.into());
        if let Ok(headers) = Headers::new() {
            let _ = headers.set("content-type", "application/json");
            init.set_headers(&headers);
        }
    }
    let answer: JsValue = window.fetch_with_str_and_init(&browser::address(path), &init).into();
    when_settled(&answer, move |value| {
        let response = value.dyn_into::<Response>().ok();
        let text = response.as_ref().and_then(|response| response.text().ok());
        match (response, text) {
            (Some(response), Some(text)) => {
                let good = response.ok();
                when_settled(&text.into(), move |text| done(read(good, &text.as_string().unwrap_or_default())));
            }
            (Some(_) | None, _) => done(Err(unreachable_text().to_owned())),
        }
    });
}

/// Requests a path relative to the page's folder and calls `done` with its bytes.
pub(crate) fn bytes(path: &str, done: impl FnOnce(Result<Vec<u8>, String>) + 'static) {
    let Some(window) = browser::window() else { return };
    when_settled(&window.fetch_with_str(&browser::address(path)).into(), move |value| {
        let response = value.dyn_into::<Response>().ok();
        let is_good = response.as_ref().is_some_and(Response::ok);
        let body = response.and_then(|response| if is_good { response.array_buffer() } else { response.text() }.ok());
        let Some(body) = body else { return done(Err(unreachable_text().to_owned())) };
        when_settled(&body.into(), move |body| {
            done(match (is_good, body.dyn_ref::<js_sys::ArrayBuffer>()) {
                (true, Some(buffer)) => Ok(js_sys::Uint8Array::new(buffer).to_vec()),
                (true, None) => Err(unreachable_text().to_owned()),
                (false, _) => Err(read(false, &body.as_string().unwrap_or_default()).err().unwrap_or_default()),
            });
        });
    });
}

/// Calls `call` with the result of a promise, or with its error.
pub(crate) fn when_settled(promise: &JsValue, call: impl FnOnce(JsValue) + 'static) {
    let call = Closure::once_into_js(call);
    promise.unchecked_ref::<Thenable>().then(&call, &call);
}

/// Lets a promise settle unnoticed. A rejection without a handler would count as an error of the page; `Boolean` takes anything.
pub(crate) fn ignore(promise: &JsValue) {
    if let Some(window) = browser::window() {
        let handler = get(&window, "Boolean");
        promise.unchecked_ref::<Thenable>().then(&handler, &handler);
    }
}

/// The JSON of a reply; of a refusal, its detail (RFC 9457).
fn read(good: bool, text: &str) -> Answer {
    match (good, JSON::parse(text)) {
        (true, Ok(value)) => Ok(value),
        (false, Ok(problem)) => {
            let detail = self::text(&problem, "detail");
            Err(if detail.is_empty() { say("http.refused").to_owned() } else { sentence(&detail) })
        }
        (_, Err(_)) => Err(say("http.bad-json").to_owned()),
    }
}

/// Turns a detail into a sentence.
fn sentence(detail: &str) -> String {
    let (first, rest) = detail.split_at(detail.chars().next().map_or(0, char::len_utf8));
    format!("{}{rest}.", first.to_ascii_uppercase())
}

/// A property of an object; undefined if it is missing.
#[must_use]
pub(crate) fn get(value: &JsValue, key: &str) -> JsValue {
    Reflect::get(value, &key.into()).unwrap_or(JsValue::UNDEFINED)
}

/// A property that is a whole number; 0 if it is not.
#[must_use]
pub(crate) fn number(value: &JsValue, key: &str) -> u32 {
    get(value, key).as_f64().unwrap_or(0.0) as u32
}

/// A property that is text; empty if it is not.
#[must_use]
pub(crate) fn text(value: &JsValue, key: &str) -> String {
    get(value, key).as_string().unwrap_or_default()
}

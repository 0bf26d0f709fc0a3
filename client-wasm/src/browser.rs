//! The browser's API for the rest of the crate: window, clock, storage, address, listeners.

use broadside_shared::protocol::token::Token;
use broadside_shared::time::MonoTime;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::convert::FromWasmAbi;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Document, EventTarget, Storage, UrlSearchParams, Window};

/// The page's window; `None` outside of a page.
#[must_use]
pub(crate) fn window() -> Option<Window> {
    web_sys::window()
}

#[must_use]
pub(crate) fn document() -> Option<Document> {
    window()?.document()
}

/// Milliseconds since the page was opened, with fractions.
#[must_use]
pub(crate) fn now_ms() -> f64 {
    window().and_then(|w| w.performance()).map_or(0.0, |p| p.now())
}

/// The page's clock as the cores take it.
#[must_use]
pub(crate) fn now() -> MonoTime {
    MonoTime((now_ms() * 1000.0) as u64)
}

/// Whether the tab is in the background.
#[must_use]
pub(crate) fn hidden() -> bool {
    document().is_some_and(|d| d.hidden())
}

/// Whether the page's window has the keyboard focus.
#[must_use]
pub(crate) fn focused() -> bool {
    document().is_none_or(|d| d.has_focus().unwrap_or(true))
}

/// Whether the player's setting, or else the system's, asks for reduced motion.
#[must_use]
pub(crate) fn wants_calm() -> bool {
    let root = document().and_then(|document| document.document_element());
    match root.and_then(|root| root.get_attribute("data-motion")).as_deref() {
        Some("reduced") => true,
        Some("full") => false,
        Some(_) | None => matches("(prefers-reduced-motion: reduce)"),
    }
}

/// Whether the main pointer is a finger.
#[must_use]
pub(crate) fn is_held() -> bool {
    matches("(pointer: coarse)")
}

/// Closes the dialog that is open over the page; `false` without one.
pub(crate) fn close_dialog(document: &Document) -> bool {
    let Some(dialog) = document.query_selector("dialog[open]").ok().flatten() else { return false };
    let close = js_sys::Reflect::get(&dialog, &"close".into()).ok().and_then(|close| close.dyn_into().ok());
    close.is_some_and(|close: js_sys::Function| close.call0(&dialog).is_ok())
}

fn matches(query: &str) -> bool {
    window().and_then(|w| w.match_media(query).ok().flatten()).is_some_and(|q| q.matches())
}

/// A random number, for what pages should not do all at once.
#[must_use]
pub(crate) fn entropy() -> u64 {
    (js_sys::Math::random() * 9e15) as u64
}

#[must_use]
pub(crate) fn parameter(name: &str) -> Option<String> {
    let search = window()?.location().search().ok()?;
    UrlSearchParams::new_with_str(&search).ok()?.get(name)
}

/// The address of the folder that the page was loaded from, with a slash at its end: the host, or a path below it where a proxy
/// serves the game. boot.js stores it, because the path in the address bar may be deeper and changes.
fn base() -> String {
    let stored = window().and_then(|window| {
        let probe = js_sys::Reflect::get(&window, &"broadside".into()).ok()?;
        js_sys::Reflect::get(&probe, &"base".into()).ok()?.as_string()
    });
    stored.unwrap_or_else(|| {
        let origin = window().and_then(|window| window.location().origin().ok()).unwrap_or_default();
        format!("{origin}/")
    })
}

/// Reloads the page with fresh files, unless that has happened a moment ago: boot.js decides.
pub(crate) fn renew() {
    let call = window().and_then(|window| {
        let probe = js_sys::Reflect::get(&window, &"broadside".into()).ok()?;
        js_sys::Reflect::get(&probe, &"renew".into()).ok()?.dyn_into::<js_sys::Function>().ok()
    });
    if let Some(renew) = call {
        let _ = renew.call0(&JsValue::NULL);
    }
}

/// The path of an address like [`base`].
fn path_of(address: &str) -> &str {
    let host = address.find("://").map_or(0, |at| at + 3);
    address[host..].find('/').map_or("/", |at| &address[host + at..])
}

/// The address of the game's socket: beside the page, with TLS if the page has it.
#[must_use]
pub(crate) fn socket_url() -> Option<String> {
    socket_beside(&base())
}

fn socket_beside(base: &str) -> Option<String> {
    // http becomes ws, and https becomes wss.
    Some(format!("ws{}ws", base.strip_prefix("http")?))
}

/// Path of the read-only view of a public room for frames of other sites, up to the number of the room.
const EMBED: &str = "embed/";

/// The number of the room that this page shows in a frame of another site. Such a page watches as a guest: it stores nothing, sends no
/// cookie and stays at its address.
#[must_use]
pub(crate) fn embedded_room() -> Option<String> {
    path().strip_prefix(EMBED).map(str::to_owned)
}

fn storage() -> Option<Storage> {
    if embedded_room().is_some() {
        return None;
    }
    // Private windows and strict settings refuse; then nothing is stored.
    window()?.local_storage().ok()?
}

#[must_use]
pub(crate) fn recall(key: &str) -> Option<String> {
    storage()?.get_item(key).ok()?
}

/// Stores a value, if the browser allows it.
pub(crate) fn remember(key: &str, value: &str) {
    if let Some(storage) = storage() {
        let _ = storage.set_item(key, value);
    }
}

/// A value stored for the life of this tab, reloads included.
#[must_use]
pub(crate) fn recall_in_tab(key: &str) -> Option<String> {
    tab_storage()?.get_item(&key_here(key)).ok()?
}

/// Stores a value for the life of this tab, or deletes it, if the browser allows it.
pub(crate) fn remember_in_tab(key: &str, value: Option<&str>) {
    if let Some(storage) = tab_storage() {
        let key = key_here(key);
        let _ = match value {
            Some(value) => storage.set_item(&key, value),
            None => storage.remove_item(&key),
        };
    }
}

/// The storage key for the server at this path: another path of the same host is another server, where a token of this one is not
/// valid.
fn key_here(key: &str) -> String {
    match path_of(&base()) {
        "/" => key.to_owned(),
        path => format!("{key}{path}"),
    }
}

/// Storage key of the session's token: in the tab, so that a reload finds it and another tab does not.
const TOKEN_KEY: &str = "broadside.token";
/// Storage key of the WebSocket's address at which the session is.
const NODE_KEY: &str = "broadside.node";

/// The session of this tab before a reload: its token, and the address of its WebSocket.
#[must_use]
pub(crate) fn recall_session() -> Option<(Token, String)> {
    let token = Token::from_text(&recall_in_tab(TOKEN_KEY)?)?;
    Some((token, recall_in_tab(NODE_KEY).unwrap_or_default()))
}

/// Stores the session of this tab for a reload, or deletes it.
pub(crate) fn remember_session(session: Option<(Token, &str)>) {
    remember_in_tab(TOKEN_KEY, session.map(|(token, _)| token.to_text()).as_deref());
    remember_in_tab(NODE_KEY, session.map(|(_, node)| node));
}

fn tab_storage() -> Option<web_sys::Storage> {
    if embedded_room().is_some() {
        return None;
    }
    window()?.session_storage().ok()?
}

/// Calls `handler` for every event of this kind, for as long as the page lives.
pub(crate) fn listen<E: FromWasmAbi + 'static>(target: &EventTarget, kind: &str, handler: impl FnMut(E) + 'static) {
    let closure = Closure::<dyn FnMut(E)>::new(handler);
    let options = web_sys::AddEventListenerOptions::new();
    // Some handlers prevent the default, which passive listeners may not.
    options.set_passive(false);
    let added = target.add_event_listener_with_callback_and_add_event_listener_options(
        kind,
        closure.as_ref().unchecked_ref(),
        &options,
    );
    if added.is_ok() {
        closure.forget();
    }
}

/// Calls a function periodically until it is dropped.
pub(crate) struct Ticker {
    id: Option<i32>,
    _call: Closure<dyn FnMut()>,
}

impl Ticker {
    #[must_use]
    pub(crate) fn every(pause_ms: i32, call: impl FnMut() + 'static) -> Self {
        let call = Closure::<dyn FnMut()>::new(call);
        let handler = call.as_ref().unchecked_ref();
        let id =
            window().and_then(|w| w.set_interval_with_callback_and_timeout_and_arguments_0(handler, pause_ms).ok());
        Ticker { id, _call: call }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        if let (Some(window), Some(id)) = (window(), self.id) {
            window.clear_interval_with_handle(id);
        }
    }
}

/// Writes a warning to the console.
pub(crate) fn log_warning(what: &str) {
    web_sys::console::warn_1(&JsValue::from_str(what));
}

/// Writes an error to the console.
pub(crate) fn log_error(what: &str) {
    web_sys::console::error_1(&JsValue::from_str(what));
}

/// The path of the page's address relative to [`base`]: empty at the title.
#[must_use]
pub(crate) fn path() -> String {
    let path = window().and_then(|window| window.location().pathname().ok()).unwrap_or_default();
    path.strip_prefix(path_of(&base())).unwrap_or_default().to_owned()
}

/// The address of a path relative to [`base`].
#[must_use]
pub(crate) fn address(path: &str) -> String {
    format!("{}{path}", base())
}

/// The function of the navigator that hands a link to the system; phones have it, most desktops do not, and no page over plain HTTP does.
#[must_use]
pub(crate) fn share() -> Option<js_sys::Function> {
    let navigator = window()?.navigator();
    js_sys::Reflect::get(&navigator, &"share".into()).ok()?.dyn_into().ok()
}

/// The address's parameter that names a public room.
pub(crate) const ROOM: &str = "room";

/// The address's parameter that names a moment of a recorded match, in seconds.
pub(crate) const MOMENT: &str = "t";

/// The address's parameter that names the player whose view a recorded match shows first.
pub(crate) const FOLLOW: &str = "follow";

/// Shows another path relative to [`base`] in the address without loading it. Parameters stay, except for [`ROOM`] and [`MOMENT`]: a
/// reload must lead to the current room.
pub(crate) fn set_path(wanted: &str) {
    set_address(wanted, &[(ROOM, None), (MOMENT, None)]);
}

/// Shows another value of a parameter in the address without loading it; `None` for none.
pub(crate) fn set_parameter(name: &str, value: Option<&str>) {
    set_address(&path(), &[(name, value)]);
}

fn set_address(path: &str, changes: &[(&str, Option<&str>)]) {
    let Some(window) = window().filter(|_| embedded_room().is_none()) else { return };
    let mut search = window.location().search().unwrap_or_default();
    if let Ok(parameters) = UrlSearchParams::new_with_str(&search)
        && changes.iter().any(|(name, value)| value.is_some() || parameters.has(name))
    {
        for (name, value) in changes {
            match value {
                Some(value) => parameters.set(name, value),
                None => parameters.delete(name),
            }
        }
        let left = String::from(parameters.to_string());
        search = if left.is_empty() { left } else { format!("?{left}") };
    }
    if let Ok(history) = window.history() {
        let here = base();
        let wanted = format!("{}{path}{search}", path_of(&here));
        let _ = history.replace_state_with_url(&JsValue::NULL, "", Some(&wanted));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_is_beside_the_page_at_any_address() {
        for (base, socket, path) in [
            ("http://127.0.0.1:8080/", "ws://127.0.0.1:8080/ws", "/"),
            ("https://[::1]:8443/game/", "wss://[::1]:8443/game/ws", "/game/"),
            ("https://host.example/a/b/", "wss://host.example/a/b/ws", "/a/b/"),
        ] {
            assert_eq!((socket_beside(base).as_deref(), path_of(base)), (Some(socket), path));
        }
        assert_eq!(socket_beside("file:///game/"), None);
    }
}

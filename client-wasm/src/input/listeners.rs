//! The browser's input events, turned into the events of [`Devices`].

use std::cell::RefCell;
use std::rc::Rc;

use glam::Vec2;
use wasm_bindgen::JsCast;
use web_sys::{
    Document, Element, Event, EventTarget, HtmlCanvasElement, HtmlInputElement, KeyboardEvent, MouseEvent,
    PointerEvent, Window,
};

use super::{Devices, KeyInput, PointerAction, PointerInput, PointerTarget};
use crate::browser::{self, listen};

/// Whether a key belongs to an input method that is composing: then it is no shortcut. Safari reports the Enter that ends a
/// composition by its old key code only.
#[must_use]
pub(crate) fn is_composing(event: &KeyboardEvent) -> bool {
    /// The key code for a key that an input method has taken.
    const TAKEN: u32 = 229;
    event.is_composing() || event.key_code() == TAKEN
}

/// Listens to the window and the canvas for as long as the page lives. An element with the attribute `data-key` is a touch button
/// that stands for that key. `gesture` is called within the handler of every user gesture, because the browser allows sound only
/// there.
pub(crate) fn attach(
    devices: &Rc<RefCell<Devices>>,
    (window, document): (&Window, &Document),
    canvas: &HtmlCanvasElement,
    gesture: &Rc<dyn Fn()>,
) {
    for (kind, down) in [("keydown", true), ("keyup", false)] {
        let (devices, gesture) = (Rc::clone(devices), Rc::clone(gesture));
        listen(window, kind, move |event: KeyboardEvent| {
            gesture();
            let code = event.code();
            let input = KeyInput {
                code: &code,
                down,
                repeated: event.repeat(),
                meta: event.meta_key(),
                chord: event.ctrl_key() || event.alt_key(),
                shift: event.shift_key(),
                typing: is_text(&event) || is_composing(&event),
            };
            let mut devices = devices.borrow_mut();
            // Space and the arrows must not scroll, and F3 must not open the browser's search.
            if devices.handle_key(input) && (devices.steering || code.starts_with('F')) {
                event.prevent_default();
            }
        });
    }
    listen(canvas, "contextmenu", |event: MouseEvent| event.prevent_default());
    attach_releases(devices, window);
    let root = document.document_element().map(EventTarget::from);
    for (kind, action) in [
        ("pointerdown", PointerAction::Press),
        ("pointermove", PointerAction::Move),
        ("pointerup", PointerAction::Lift),
        ("pointercancel", PointerAction::Cancel),
        ("lostpointercapture", PointerAction::Cancel),
        ("pointerleave", PointerAction::Cancel),
    ] {
        let (devices, gesture) = (Rc::clone(devices), Rc::clone(gesture));
        let canvas = canvas.clone();
        // Leave events go to the element that was left and do not bubble.
        let target = if kind == "pointerleave" { root.as_ref() } else { Some(window.as_ref()) };
        let Some(target) = target else { continue };
        listen(target, kind, move |event: PointerEvent| {
            if matches!(action, PointerAction::Press | PointerAction::Lift) {
                gesture();
            }
            let over = match event.target() {
                Some(target) if target == *canvas.as_ref() => PointerTarget::Game,
                target => match target.and_then(key_of) {
                    Some(code) => PointerTarget::Button(devices.borrow().bits_of(&code)),
                    None => PointerTarget::Page,
                },
            };
            if action == PointerAction::Press && over == PointerTarget::Game {
                // So that a release outside of the window is reported; a pointer that is already gone cannot be captured.
                let _ = canvas.set_pointer_capture(event.pointer_id());
            }
            devices.borrow_mut().handle_pointer(pointer_input(&event, action, over));
        });
    }
}

/// The key that a touch button stands for.
fn key_of(target: EventTarget) -> Option<String> {
    target.dyn_into::<Element>().ok()?.get_attribute("data-key")
}

/// Releases everything whenever release events may not arrive.
fn attach_releases(devices: &Rc<RefCell<Devices>>, window: &Window) {
    for kind in ["blur", "focus", "pagehide"] {
        let devices = Rc::clone(devices);
        listen(window, kind, move |_: Event| devices.borrow_mut().release());
    }
    // The browser's context menu swallows releases; over the game it is disabled.
    let held = Rc::clone(devices);
    listen(window, "contextmenu", move |event: Event| {
        if !event.default_prevented() {
            held.borrow_mut().release();
        }
    });
    let held = Rc::clone(devices);
    listen(window, "focusin", move |event: Event| {
        if is_text(&event) {
            held.borrow_mut().release();
        }
    });
}

/// Whether an event belongs to a text field. Sliders and boxes are inputs too, but take no text.
fn is_text(event: &Event) -> bool {
    let target = event.target().and_then(|target| target.dyn_into::<HtmlInputElement>().ok());
    target.is_some_and(|input| input.type_() == "text")
}

fn pointer_input(event: &PointerEvent, action: PointerAction, target: PointerTarget) -> PointerInput {
    PointerInput {
        pointer: event.pointer_id(),
        action,
        target,
        at: Vec2::new(event.client_x() as f32, event.client_y() as f32),
        window: window_size(),
        finger: event.pointer_type() == "touch",
        first: event.is_primary(),
        buttons: event.buttons(),
    }
}

/// The window's size in CSS pixels, at least 1 per axis.
#[must_use]
pub(crate) fn window_size() -> Vec2 {
    let side = |value: Result<wasm_bindgen::JsValue, _>| value.ok().and_then(|v| v.as_f64()).unwrap_or(1.0) as f32;
    browser::window().map_or(Vec2::ONE, |w| Vec2::new(side(w.inner_width()), side(w.inner_height()))).max(Vec2::ONE)
}

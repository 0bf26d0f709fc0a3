//! Connects the page's events to the app; each is one call.

use std::cell::RefCell;
use std::rc::Rc;

use glam::Vec2;
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use web_sys::{Document, Event, HtmlElement, KeyboardEvent, PointerEvent};

use super::{App, Shared};
use crate::browser::{self, listen};
use crate::cartridge::Cartridge;
use crate::hud::dom::element;
use crate::input::{self, Devices};
use crate::probe;
use crate::settings;

/// Milliseconds between two calls for a tab in the background.
const BACKGROUND_MS: i32 = 250;
/// Milliseconds between two samplings of the input: a little less than a tick.
const STEER_MS: i32 = 15;

/// Calls into the app, unless the app itself caused the event and is already borrowed.
pub(super) fn with<C: Cartridge, T>(app: &Shared<C>, call: impl FnOnce(&mut App<C>) -> T) -> Option<T> {
    app.try_borrow_mut().ok().map(|mut app| call(&mut app))
}

/// Connects the app to the page for as long as the page lives.
pub(super) fn attach<C: Cartridge>(app: &Shared<C>) -> Result<(), String> {
    let window = browser::window().ok_or("no window")?;
    let (canvas, document, devices) = {
        let app = app.borrow();
        (app.canvas.clone(), app.document.clone(), Rc::clone(&app.devices))
    };
    let gesture: Rc<dyn Fn()> = {
        let app = Rc::clone(app);
        Rc::new(move || {
            with(&app, |app| app.speaker.unlock());
        })
    };
    input::listeners::attach(&devices, (&window, &document), &canvas, &gesture);

    for (id, kind, call) in [
        ("card", "submit", App::press_play as fn(&mut App<C>)),
        ("name", "change", App::change_name),
        ("chat-form", "submit", App::submit_chat),
        ("code-form", "submit", App::enter_by_code),
        ("resume", "click", App::toggle_pause),
        ("leave", "click", App::leave),
        ("replay-leave", "click", App::leave),
        ("replay-play", "click", App::toggle_replay),
        ("replay-at", "input", App::seek_replay),
        ("replay-speed", "change", App::change_replay_speed),
        ("replay-follow", "change", App::change_replay_follow),
        ("mute", "click", App::toggle_mute),
        ("volume", "input", App::change_volume),
        ("notice-now", "click", App::try_now),
        ("notice-back", "click", App::leave),
        ("menu-touch", "click", App::toggle_pause),
        ("open-lab", "click", App::toggle_lab),
        ("open-net", "click", App::toggle_net),
        ("close-lab", "click", App::toggle_lab),
    ] {
        let target: HtmlElement = element(&document, id)?;
        let app = Rc::clone(app);
        listen(&target, kind, move |event: Event| {
            event.prevent_default(); // A form must not reload the page.
            with(&app, call);
        });
    }
    attach_lab(app, &document)?;
    attach_replay(app, &document, &canvas);
    attach_chat(app, &document, &canvas)?;
    for (kind, call) in [("online", App::network_is_back as fn(&mut App<C>)), (settings::CHANGED, App::apply_settings)]
    {
        let shared = Rc::clone(app);
        listen(&window, kind, move |_: Event| {
            with(&shared, call);
        });
    }
    let shared = Rc::clone(app);
    listen(&document, "visibilitychange", move |_: Event| {
        with(&shared, App::visibility_changed);
    });
    let shared = Rc::clone(app);
    listen(&canvas, "webglcontextlost", move |event: Event| {
        event.prevent_default(); // Otherwise it never comes back.
        with(&shared, App::lose_context);
    });
    let shared = Rc::clone(app);
    listen(&canvas, "webglcontextrestored", move |_: Event| {
        with(&shared, App::regain_context);
    });
    let shared = Rc::clone(app);
    probe::install(move || with(&shared, |app| app.report()).unwrap_or(wasm_bindgen::JsValue::NULL));
    run_images(app, devices, document);
    run_timers(app, &window)
}

/// Connects the chat and all buttons with a `data-act`.
fn attach_chat<C: Cartridge>(app: &Shared<C>, document: &Document, canvas: &HtmlElement) -> Result<(), String> {
    let shared = Rc::clone(app);
    listen(document, "click", move |event: Event| {
        with(&shared, |app| app.press(&event));
    });
    let text: HtmlElement = element(document, "chat-text")?;
    let shared = Rc::clone(app);
    listen(&text, "keydown", move |event: KeyboardEvent| {
        if input::listeners::is_composing(&event) {
            return; // An input method chooses with Tab and gives up with Escape.
        }
        let call: fn(&mut App<C>) = match event.code().as_str() {
            "Escape" => App::close_chat,
            "Tab" => App::switch_channel,
            _ => return,
        };
        event.prevent_default();
        with(&shared, call);
    });
    // Immediately and not with the next image: the letters that follow belong into the field.
    let shared = Rc::clone(app);
    listen(document, "keydown", move |event: KeyboardEvent| {
        if event.key() != "Enter" {
            return;
        }
        if input::listeners::is_composing(&event) {
            // It ends a composition; Safari would also submit the form.
            return event.prevent_default();
        }
        let elsewhere = event.target().is_none_or(|target| target.dyn_ref::<HtmlElement>().is_none_or(is_no_control));
        if elsewhere && !event.repeat() {
            event.prevent_default();
            with(&shared, App::toggle_chat);
        }
    });
    // A click on the game closes the chat.
    let shared = Rc::clone(app);
    listen(canvas, "pointerdown", move |_: Event| {
        with(&shared, App::close_chat);
    });
    Ok(())
}

/// Whether Enter has no meaning of its own for this element.
fn is_no_control(element: &HtmlElement) -> bool {
    !matches!(element.tag_name().as_str(), "INPUT" | "BUTTON" | "A" | "SELECT")
}

fn attach_lab<C: Cartridge>(app: &Shared<C>, document: &Document) -> Result<(), String> {
    let links: HtmlElement = element(document, "lab-links")?;
    let shared = Rc::clone(app);
    listen(&links, "click", move |event: Event| {
        with(&shared, |app| app.choose_link(&event));
    });
    let lab: HtmlElement = element(document, "lab")?;
    let shared = Rc::clone(app);
    listen(&lab, "input", move |_: Event| {
        with(&shared, App::change_lab);
    });
    Ok(())
}

/// Connects the keys of a replay, and pointers that drag its picture or a spectator's.
fn attach_replay<C: Cartridge>(app: &Shared<C>, document: &Document, canvas: &HtmlElement) {
    let shared = Rc::clone(app);
    listen(document, "keydown", move |event: KeyboardEvent| {
        with(&shared, |app| app.press_replay_key(&event));
    });
    for kind in ["pointerdown", "pointermove"] {
        let shared = Rc::clone(app);
        listen(canvas, kind, move |event: PointerEvent| {
            if event.buttons() & 1 != 0 {
                let at = Vec2::new(event.client_x() as f32, event.client_y() as f32);
                with(&shared, |app| app.drag_picture(event.pointer_id(), at, kind == "pointerdown"));
            }
        });
    }
}

type Frame = Closure<dyn FnMut(f64)>;

/// Requests every animation frame from now on.
fn run_images<C: Cartridge>(app: &Shared<C>, devices: Rc<RefCell<Devices>>, document: Document) {
    let slot: Rc<RefCell<Option<Frame>>> = Rc::default();
    let again = Rc::clone(&slot);
    let app = Rc::clone(app);
    let frame = Frame::new(move |_| {
        // First, so that a failure in this image does not stop the next one.
        request(&again);
        input::gamepad_shell::poll(&devices, &document);
        with(&app, App::image);
    });
    *slot.borrow_mut() = Some(frame);
    request(&slot);
}

fn request(slot: &RefCell<Option<Frame>>) {
    if let (Some(window), Some(frame)) = (browser::window(), slot.borrow().as_ref()) {
        // Only a page that is being closed refuses.
        let _ = window.request_animation_frame(frame.as_ref().unchecked_ref());
    }
}

fn run_timers<C: Cartridge>(app: &Shared<C>, window: &web_sys::Window) -> Result<(), String> {
    for (pause_ms, in_background, call) in
        [(STEER_MS, false, App::steer as fn(&mut App<C>)), (BACKGROUND_MS, true, App::wake as fn(&mut App<C>))]
    {
        let app = Rc::clone(app);
        let tick = Closure::<dyn FnMut()>::new(move || {
            if browser::hidden() == in_background {
                with(&app, call);
            }
        });
        let set =
            window.set_interval_with_callback_and_timeout_and_arguments_0(tick.as_ref().unchecked_ref(), pause_ms);
        set.map_err(|e| crate::gl::context::text(&e))?;
        tick.forget();
    }
    Ok(())
}

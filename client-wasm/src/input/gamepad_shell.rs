//! The browser's side of gamepads: reads them, moves the focus through menus, and rumbles.

use std::cell::RefCell;

use glam::Vec2;
use js_sys::{Array, JSON};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Document, GamepadButton, HtmlElement};

use super::gamepad::{BUTTONS, Reading};
use super::{Devices, MenuMove};
use crate::browser;
use crate::fetch::{ignore, text};

#[wasm_bindgen]
extern "C" {
    /// What a gamepad has besides in some browsers.
    type Rumbling;

    #[wasm_bindgen(method, getter, js_name = vibrationActuator)]
    fn actuator(this: &Rumbling) -> Option<Actuator>;

    type Actuator;

    #[wasm_bindgen(method, catch, js_name = playEffect)]
    fn play_effect(this: &Actuator, kind: &str, effect: &JsValue) -> Result<JsValue, JsValue>;
}

/// What can be pressed in an open dialog, which is above every panel.
const DIALOG: &str = "dialog[open] :is(button, input):enabled:not([hidden], [hidden] *)";
/// The buttons that can be pressed in an open panel, and where none is open on the page below.
const PANEL: &str = ".panel:not([hidden]) button:enabled:not([hidden], [hidden] *)";
const BELOW: &str = ":is(.menu #menu, .replay #replay) button:enabled:not([hidden], [hidden] *)";

/// The two effects that hands tell apart in a fight, and the strength from which on it is the heavy one.
const LIGHT: &str = r#"{"duration":120,"strongMagnitude":0.3,"weakMagnitude":0.5}"#;
const HEAVY: &str = r#"{"duration":320,"strongMagnitude":0.9,"weakMagnitude":0.6}"#;
const STRONG: f32 = 0.6;

/// Reads the gamepad and hands it to the devices: once per image, because browsers report changes in no other way. A page without
/// focus, which hidden ones have not, reads none: another window gets the same buttons.
pub(crate) fn poll(devices: &RefCell<Devices>, document: &Document) {
    let pad = if browser::focused() { plugged_in() } else { None };
    let reading = pad.map(|pad| read(&pad));
    let menu_move = devices.borrow_mut().handle_gamepad(reading);
    // After the borrow: the handlers of what is pressed use the devices.
    if let Some(menu_move) = menu_move {
        move_focus(document, menu_move);
    }
}

/// The first gamepad whose buttons the browser knows by the standard mapping. Those that were unplugged are not in the list.
#[inline(never)]
fn plugged_in() -> Option<web_sys::Gamepad> {
    // Firefox has none on pages over plain HTTP.
    let pads = browser::window()?.navigator().get_gamepads().ok()?;
    let found = pads.iter().find(|pad| pad.is_object() && text(pad, "mapping") == "standard");
    found.map(JsCast::unchecked_into)
}

fn read(pad: &web_sys::Gamepad) -> Reading {
    let (axes, buttons) = (pad.axes(), pad.buttons());
    let mut down = 0;
    for index in 0..buttons.length().min(BUTTONS) {
        let button: GamepadButton = buttons.get(index).unchecked_into();
        down |= u32::from(button.pressed()) << index;
    }
    Reading { left: stick(&axes, 0), right: stick(&axes, 2), down }
}

/// The stick with this first axis.
#[inline(never)]
fn stick(axes: &Array, first: u32) -> Vec2 {
    let axis = |index| axes.get(index).as_f64().unwrap_or(0.0) as f32;
    Vec2::new(axis(first), axis(first + 1))
}

/// Moves the keyboard's focus between the buttons of the open screen, or presses the one that has it.
fn move_focus(document: &Document, menu_move: MenuMove) {
    let Some(buttons) = find(document, DIALOG).or_else(|| find(document, PANEL)).or_else(|| find(document, BELOW))
    else {
        return;
    };
    let count = buttons.length();
    let focused: JsValue = document.query_selector(":focus").ok().flatten().into();
    let at = (0..count).find(|index| buttons.get(*index) == focused);
    // On the title, links and settings stand before the button that everybody looks for.
    let first = (0..count).find(|index| text(&buttons.get(*index), "id") == "play").unwrap_or(0);
    let next = match (menu_move, at) {
        (MenuMove::Press, Some(at)) => at,
        // Nobody sees what they would press.
        (MenuMove::Press | MenuMove::Previous | MenuMove::Next, None) => first,
        (MenuMove::Previous, Some(at)) => (at + count - 1) % count,
        (MenuMove::Next, Some(at)) => (at + 1) % count,
    };
    let button: HtmlElement = buttons.get(next).unchecked_into();
    if menu_move == MenuMove::Press && at.is_some() {
        button.click();
    } else {
        let _ = button.focus();
    }
}

/// What a selector finds; `None` for nothing.
#[inline(never)]
fn find(document: &Document, selector: &str) -> Option<Array> {
    // Only its length and its items are used, which it has like an array.
    let found: Array = document.query_selector_all(selector).ok()?.unchecked_into();
    (found.length() > 0).then_some(found)
}

/// Lets the gamepad rumble, 0..=1, if it and the browser can.
pub(crate) fn rumble(strength: f32) {
    let Some(actuator) = plugged_in().and_then(|pad| pad.unchecked_ref::<Rumbling>().actuator()) else { return };
    let Ok(effect) = JSON::parse(if strength < STRONG { LIGHT } else { HEAVY }) else { return };
    if let Ok(settled) = actuator.play_effect("dual-rumble", &effect) {
        // A gamepad without such an effect refuses, and the game goes on without.
        ignore(&settled);
    }
}

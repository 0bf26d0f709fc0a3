//! Keyboard, mouse and thumbs, as one input of the game.
//!
//! [`keys`] and [`touch`] hold what can be decided without a browser; this module listens and keeps what is held down.

pub mod keys;
pub mod touch;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use broadside_shared::arena::ArenaInput;
use glam::Vec2;
use wasm_bindgen::JsCast;
use web_sys::{Event, EventTarget, HtmlCanvasElement, KeyboardEvent, MouseEvent, PointerEvent, Window};

use crate::browser::{self, listen};
use crate::camera::Camera;
use keys::{Command, Key};
use touch::Thumbs;

/// Commands remembered until the next image; more than a hand can give in that time.
const COMMANDS_MAX: usize = 8;

/// What the devices hold down right now.
#[derive(Debug, Default)]
pub struct Devices {
    /// Buttons held down by keys.
    pub buttons: u8,
    /// Buttons held down by the mouse, or by the rail's button on a touch screen.
    pub trigger: u8,
    /// Where the pointer is, -1..=1 per axis, y down.
    pub pointer: Vec2,
    /// The thumbs on a touch screen.
    pub thumbs: Thumbs,
    /// Whether the last touch of anything was a finger.
    pub touch: bool,
    /// Whether keys and buttons steer; off while a menu is open.
    pub steering: bool,
    /// Commands not yet polled.
    pub commands: VecDeque<Command>,
}

impl Devices {
    /// What the pilot asks for, with the ship at `ship` and its bow at `heading` radians.
    #[must_use]
    pub fn input(&self, ship: Vec2, heading: f32, camera: &Camera) -> ArenaInput {
        if !self.steering {
            return ArenaInput::new(heading, 0);
        }
        if self.touch {
            let input = self.thumbs.input(heading);
            return ArenaInput { buttons: input.buttons | self.trigger, ..input };
        }
        let way = camera.world_at(self.pointer) - ship;
        let aim = if way.length_squared() > 16.0 { way.to_angle() } else { heading };
        ArenaInput::new(aim, self.buttons | self.trigger)
    }

    /// The next command.
    pub fn poll(&mut self) -> Option<Command> {
        self.commands.pop_front()
    }

    /// Lets go of everything: the window lost focus and will not hear of releases.
    pub fn release(&mut self) {
        self.buttons = 0;
        self.trigger = 0;
        self.thumbs = Thumbs::default();
    }

    fn key(&mut self, code: &str, down: bool, repeated: bool) -> bool {
        match keys::meaning(code) {
            Some(Key::Hold(button)) => {
                if down {
                    self.buttons |= button;
                } else {
                    self.buttons &= !button;
                }
                true
            }
            Some(Key::Press(command)) => {
                if down && !repeated && self.commands.len() < COMMANDS_MAX {
                    self.commands.push_back(command);
                }
                true
            }
            None => false,
        }
    }
}

/// Listens to the window and the canvas for as long as the page lives. `gesture` is called in the handler of everything that
/// counts as one, because the browser allows sound only there.
pub fn attach(devices: &Rc<RefCell<Devices>>, window: &Window, canvas: &HtmlCanvasElement, gesture: &Rc<dyn Fn()>) {
    for (kind, down) in [("keydown", true), ("keyup", false)] {
        let (devices, gesture) = (Rc::clone(devices), Rc::clone(gesture));
        listen(window, kind, move |event: KeyboardEvent| {
            gesture();
            // Sliders and boxes are inputs too, but nobody types in them.
            let target = event.target().and_then(|t| t.dyn_into::<web_sys::HtmlInputElement>().ok());
            let typing = target.is_some_and(|input| input.type_() == "text");
            let chord = event.ctrl_key() || event.meta_key() || event.alt_key();
            if typing || (chord && down) {
                return;
            }
            let mut devices = devices.borrow_mut();
            let code = event.code();
            // Space and the arrows must not scroll, and F3 must not open the browser's search.
            if devices.key(&code, down, event.repeat()) && (devices.steering || code.starts_with('F')) {
                event.prevent_default();
            }
        });
    }
    let held = Rc::clone(devices);
    listen(window, "blur", move |_: Event| held.borrow_mut().release());
    listen(canvas, "contextmenu", |event: MouseEvent| event.prevent_default());
    for kind in ["pointerdown", "pointermove", "pointerup", "pointercancel"] {
        let (devices, gesture, canvas) = (Rc::clone(devices), Rc::clone(gesture), EventTarget::from(canvas.clone()));
        listen(window, kind, move |event: PointerEvent| {
            if kind != "pointermove" {
                gesture();
            }
            let on_canvas = event.target().is_some_and(|t| t == canvas);
            point(&mut devices.borrow_mut(), kind, &event, on_canvas);
        });
    }
}

fn point(devices: &mut Devices, kind: &str, event: &PointerEvent, on_canvas: bool) {
    let at = Vec2::new(event.client_x() as f32, event.client_y() as f32);
    let size = window_size();
    if event.pointer_type() == "touch" {
        devices.touch = true;
        match kind {
            "pointerdown" if on_canvas => devices.thumbs.down(event.pointer_id(), at, size),
            "pointermove" => devices.thumbs.moved(event.pointer_id(), at),
            "pointerup" | "pointercancel" => devices.thumbs.up(event.pointer_id()),
            _ => {}
        }
        return;
    }
    devices.touch = false;
    devices.pointer = at / size * 2.0 - 1.0;
    // Every event tells all buttons that are down (1 left, 2 right): a second button comes as a move.
    let held = event.buttons();
    let part = |mask: u16, button: u8| if held & mask != 0 { button } else { 0 };
    let now = part(1, ArenaInput::FIRE) | part(2, ArenaInput::RAIL);
    // What is pressed over a menu stays the menu's; what is let go of is let go of anywhere.
    devices.trigger = if on_canvas { now } else { now & devices.trigger };
}

/// The window's size in CSS pixels, at least one each way.
#[must_use]
pub fn window_size() -> Vec2 {
    let side = |value: Result<wasm_bindgen::JsValue, _>| value.ok().and_then(|v| v.as_f64()).unwrap_or(1.0) as f32;
    browser::window().map_or(Vec2::ONE, |w| Vec2::new(side(w.inner_width()), side(w.inner_height()))).max(Vec2::ONE)
}

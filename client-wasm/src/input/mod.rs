//! Keyboard, mouse and thumbs, as one input of the game.
//!
//! [`held`], [`keys`] and [`touch`] hold what can be decided without a browser, and so does [`Devices`]; the rest of this module
//! listens.

pub mod held;
pub mod keys;
pub mod touch;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use broadside_shared::arena::ArenaInput;
use glam::Vec2;
use wasm_bindgen::JsCast;
use web_sys::{
    Document, Event, EventTarget, HtmlCanvasElement, HtmlInputElement, KeyboardEvent, MouseEvent, PointerEvent, Window,
};

use crate::browser::{self, listen};
use crate::camera::Camera;
use held::Held;
use keys::{Command, Key};
use touch::Thumbs;

/// Commands remembered until the next image; more than a hand can give in that time.
const COMMANDS_MAX: usize = 8;

/// What the devices hold down right now.
#[derive(Debug, Default)]
pub struct Devices {
    /// Keys, and buttons of the mouse or on a touch screen.
    pub held: Held,
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

/// A key that went down or came up.
#[derive(Debug, Clone, Copy, Default)]
pub struct Stroke<'a> {
    /// The browser's name for its place.
    pub code: &'a str,
    /// Whether it went down.
    pub down: bool,
    /// Whether it went down long ago and the keyboard repeats it.
    pub repeated: bool,
    /// Whether the Meta key (Cmd, Windows) is down with it.
    pub meta: bool,
    /// Whether Ctrl or Alt is down with it.
    pub chord: bool,
    /// Whether a Shift key is down after it.
    pub shift: bool,
    /// Whether it belongs to a field with text or to an input method.
    pub typing: bool,
}

/// What a pointer did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Did {
    /// It went down, or its first button did.
    Press,
    /// It moved, or another button changed.
    Move,
    /// It came up, or its last button did.
    Lift,
    /// Nobody will hear more of it: the system took it away, or it left the page with a button down.
    Vanish,
}

/// What is under a pointer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// The game.
    Game,
    /// The button on a touch screen that fires the rail.
    Rail,
    /// Anything else of the page.
    Page,
}

/// An event of a pointer.
#[derive(Debug, Clone, Copy)]
pub struct Poke {
    /// Which pointer.
    pub pointer: i32,
    /// What it did.
    pub did: Did,
    /// What is under it.
    pub over: Over,
    /// Where it is, CSS pixels.
    pub at: Vec2,
    /// The window's size, CSS pixels.
    pub window: Vec2,
    /// Whether it is a finger.
    pub finger: bool,
    /// Whether no other pointer of its kind was down before it.
    pub first: bool,
    /// All its buttons that are down now: 1 left, 2 right.
    pub buttons: u16,
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
            return ArenaInput { buttons: input.buttons | self.held.pointer_buttons(), ..input };
        }
        let way = camera.world_at(self.pointer) - ship;
        let aim = if way.length_squared() > 16.0 { way.to_angle() } else { heading };
        ArenaInput::new(aim, self.held.buttons())
    }

    /// The next command.
    pub fn poll(&mut self) -> Option<Command> {
        self.commands.pop_front()
    }

    /// Lets go of everything: releases may go unheard from here on. What is still down counts again when it is pressed anew.
    pub fn release(&mut self) {
        self.held.release();
        self.thumbs = Thumbs::default();
    }

    /// Takes a key; tells whether it means something to the game.
    pub fn stroke(&mut self, stroke: Stroke) -> bool {
        if stroke.meta || keys::is_meta(stroke.code) {
            // macOS tells no release of a key that comes up while Cmd is down.
            self.release();
            return false;
        }
        if !stroke.shift {
            self.held.no_shift();
        }
        if !stroke.down {
            self.held.key_up(stroke.code);
        } else if stroke.typing || stroke.chord {
            return false;
        }
        match keys::meaning(stroke.code) {
            Some(Key::Hold(buttons)) => {
                if stroke.down && !stroke.repeated {
                    self.held.key_down(stroke.code, buttons);
                }
                !stroke.typing
            }
            Some(Key::Press(command)) => {
                if stroke.down && !stroke.repeated && self.commands.len() < COMMANDS_MAX {
                    self.commands.push_back(command);
                }
                !stroke.typing
            }
            None => false,
        }
    }

    /// Takes what a pointer did.
    pub fn poke(&mut self, poke: Poke) {
        if poke.finger {
            self.touch = true;
            return self.finger(poke);
        }
        self.touch = false;
        self.pointer = poke.at / poke.window * 2.0 - 1.0;
        // Every event tells all buttons that are down: a second button comes as a move.
        let part = |mask: u16, button: u8| if poke.buttons & mask != 0 { button } else { 0 };
        let now = part(1, ArenaInput::FIRE) | part(2, ArenaInput::RAIL);
        let buttons = match (poke.did, poke.over) {
            (Did::Vanish, _) => 0,
            (Did::Press | Did::Move | Did::Lift, Over::Game) => now,
            // What is pressed over a menu stays the menu's; what is let go of is let go of anywhere.
            (Did::Press | Did::Move | Did::Lift, Over::Rail | Over::Page) => now & self.held.pointed(poke.pointer),
        };
        self.held.point(poke.pointer, buttons);
    }

    fn finger(&mut self, poke: Poke) {
        match poke.did {
            Did::Press => {
                if poke.first {
                    // Whatever other fingers did is over, whether or not their end was told.
                    self.held.lift_pointers();
                    self.thumbs = Thumbs::default();
                }
                match poke.over {
                    Over::Game => self.thumbs.down(poke.pointer, poke.at, poke.window),
                    Over::Rail => self.held.point(poke.pointer, ArenaInput::RAIL),
                    Over::Page => {}
                }
            }
            Did::Move => self.thumbs.moved(poke.pointer, poke.at),
            Did::Lift | Did::Vanish => {
                self.thumbs.up(poke.pointer);
                self.held.point(poke.pointer, 0);
            }
        }
    }
}

/// Whether a key belongs to an input method that is composing: none of our shortcuts then. Safari tells the Enter that ends a
/// composition by its old key code alone.
#[must_use]
pub fn is_composing(event: &KeyboardEvent) -> bool {
    /// What browsers give as the code of a key that an input method has taken.
    const TAKEN: u32 = 229;
    event.is_composing() || event.key_code() == TAKEN
}

/// Listens to the window and the canvas for as long as the page lives; `rail` is the rail's button on a touch screen. `gesture` is
/// called in the handler of everything that counts as one, because the browser allows sound only there.
pub fn attach(
    devices: &Rc<RefCell<Devices>>,
    (window, document): (&Window, &Document),
    (canvas, rail): (&HtmlCanvasElement, &EventTarget),
    gesture: &Rc<dyn Fn()>,
) {
    for (kind, down) in [("keydown", true), ("keyup", false)] {
        let (devices, gesture) = (Rc::clone(devices), Rc::clone(gesture));
        listen(window, kind, move |event: KeyboardEvent| {
            gesture();
            let code = event.code();
            let stroke = Stroke {
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
            if devices.stroke(stroke) && (devices.steering || code.starts_with('F')) {
                event.prevent_default();
            }
        });
    }
    listen(canvas, "contextmenu", |event: MouseEvent| event.prevent_default());
    attach_releases(devices, window);
    let root = document.document_element().map(EventTarget::from);
    for (kind, did) in [
        ("pointerdown", Did::Press),
        ("pointermove", Did::Move),
        ("pointerup", Did::Lift),
        ("pointercancel", Did::Vanish),
        ("lostpointercapture", Did::Vanish),
        ("pointerleave", Did::Vanish),
    ] {
        let (devices, gesture) = (Rc::clone(devices), Rc::clone(gesture));
        let (canvas, rail) = (canvas.clone(), rail.clone());
        // Leaving is told to what was left and goes no further.
        let target = if kind == "pointerleave" { root.as_ref() } else { Some(window.as_ref()) };
        let Some(target) = target else { continue };
        listen(target, kind, move |event: PointerEvent| {
            if matches!(did, Did::Press | Did::Lift) {
                gesture();
            }
            let over = match event.target() {
                Some(target) if target == *canvas.as_ref() => Over::Game,
                Some(target) if target == rail => Over::Rail,
                Some(_) | None => Over::Page,
            };
            if did == Did::Press && over == Over::Game {
                // So that a release outside the window is told, too; a pointer that is gone by now cannot be held.
                let _ = canvas.set_pointer_capture(event.pointer_id());
            }
            devices.borrow_mut().poke(poke(&event, did, over));
        });
    }
}

/// Lets go of everything whenever releases may go unheard.
fn attach_releases(devices: &Rc<RefCell<Devices>>, window: &Window) {
    for kind in ["blur", "focus", "pagehide"] {
        let devices = Rc::clone(devices);
        listen(window, kind, move |_: Event| devices.borrow_mut().release());
    }
    // The browser's own menu takes the releases; over the game there is none.
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

/// Whether an event belongs to a field with text. Sliders and boxes are inputs too, but nobody types in them.
fn is_text(event: &Event) -> bool {
    let target = event.target().and_then(|target| target.dyn_into::<HtmlInputElement>().ok());
    target.is_some_and(|input| input.type_() == "text")
}

fn poke(event: &PointerEvent, did: Did, over: Over) -> Poke {
    Poke {
        pointer: event.pointer_id(),
        did,
        over,
        at: Vec2::new(event.client_x() as f32, event.client_y() as f32),
        window: window_size(),
        finger: event.pointer_type() == "touch",
        first: event.is_primary(),
        buttons: event.buttons(),
    }
}

/// The window's size in CSS pixels, at least one each way.
#[must_use]
pub fn window_size() -> Vec2 {
    let side = |value: Result<wasm_bindgen::JsValue, _>| value.ok().and_then(|v| v.as_f64()).unwrap_or(1.0) as f32;
    browser::window().map_or(Vec2::ONE, |w| Vec2::new(side(w.inner_width()), side(w.inner_height()))).max(Vec2::ONE)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Vec2 = Vec2::new(800.0, 400.0);

    fn down(code: &str) -> Stroke<'_> {
        Stroke { code, down: true, ..Stroke::default() }
    }

    fn up(code: &str) -> Stroke<'_> {
        Stroke { code, ..Stroke::default() }
    }

    fn poke(pointer: i32, did: Did, over: Over, buttons: u16) -> Poke {
        let at = Vec2::new(700.0, 200.0);
        Poke { pointer, did, over, at, window: WINDOW, finger: false, first: true, buttons }
    }

    #[test]
    fn a_key_whose_release_cmd_swallows_is_let_go_of() {
        for meta in ["MetaLeft", "MetaRight", "OSLeft"] {
            let mut devices = Devices::default();
            devices.stroke(down("KeyW"));
            assert_eq!(devices.held.buttons(), ArenaInput::THRUST);
            devices.stroke(Stroke { meta: true, ..down(meta) });
            assert_eq!(devices.held.buttons(), 0, "{meta} down");
            // What goes down beside it is a shortcut of the system, and its release is not told either.
            devices.stroke(Stroke { meta: true, ..down("KeyA") });
            devices.stroke(up(meta));
            assert_eq!(devices.held.buttons(), 0, "{meta} up");
            devices.stroke(down("KeyW"));
            assert_eq!(devices.held.buttons(), ArenaInput::THRUST, "a new press counts");
        }
    }

    #[test]
    fn cmd_that_went_down_unheard_lets_go_as_well() {
        let mut devices = Devices::default();
        devices.stroke(down("KeyW"));
        devices.stroke(Stroke { meta: true, ..down("Tab") });
        assert_eq!(devices.held.buttons(), 0);
    }

    #[test]
    fn what_was_let_go_of_is_not_pressed_again_by_the_keyboards_repetition() {
        let mut devices = Devices::default();
        devices.stroke(down("KeyW"));
        devices.release();
        devices.stroke(Stroke { repeated: true, ..down("KeyW") });
        assert_eq!(devices.held.buttons(), 0);
    }

    #[test]
    fn a_release_is_heard_in_a_field_and_in_a_chord_where_a_press_is_not() {
        let mut devices = Devices::default();
        for quiet in [Stroke { typing: true, ..up("") }, Stroke { chord: true, ..up("") }] {
            devices.stroke(down("KeyW"));
            devices.stroke(Stroke { code: "KeyW", ..quiet });
            assert_eq!(devices.held.buttons(), 0, "{quiet:?}");
            assert!(!devices.stroke(Stroke { code: "KeyW", down: true, ..quiet }));
            assert!(!devices.stroke(Stroke { code: "Escape", down: true, ..quiet }));
            assert_eq!((devices.held.buttons(), devices.poll()), (0, None), "{quiet:?}");
        }
    }

    #[test]
    fn both_shift_keys_are_up_when_the_keyboard_says_that_none_is_down() {
        let mut devices = Devices::default();
        devices.stroke(Stroke { shift: true, ..down("ShiftLeft") });
        devices.stroke(Stroke { shift: true, ..down("ShiftRight") });
        devices.stroke(Stroke { shift: true, ..up("ShiftLeft") });
        assert_eq!(devices.held.buttons(), ArenaInput::RAIL);
        devices.stroke(Stroke { shift: true, ..down("ShiftLeft") });
        devices.stroke(up("ShiftRight"));
        assert_eq!(devices.held.buttons(), 0);
    }

    #[test]
    fn a_button_counts_from_the_game_on_and_until_it_is_up_or_gone() {
        let mut devices = Devices::default();
        devices.poke(poke(1, Did::Press, Over::Page, 1));
        devices.poke(poke(1, Did::Move, Over::Page, 1));
        assert_eq!(devices.held.buttons(), 0);
        devices.poke(poke(1, Did::Press, Over::Game, 1));
        devices.poke(poke(1, Did::Move, Over::Game, 3));
        assert_eq!(devices.held.buttons(), ArenaInput::FIRE | ArenaInput::RAIL);
        devices.poke(poke(1, Did::Move, Over::Page, 2));
        assert_eq!(devices.held.buttons(), ArenaInput::RAIL);
        devices.poke(poke(1, Did::Vanish, Over::Game, 2));
        assert_eq!(devices.held.buttons(), 0);
    }

    #[test]
    fn a_pen_that_hovers_does_not_end_what_the_mouse_holds() {
        let mut devices = Devices::default();
        devices.poke(poke(1, Did::Press, Over::Game, 1));
        devices.poke(poke(2, Did::Move, Over::Game, 0));
        assert_eq!(devices.held.buttons(), ArenaInput::FIRE);
    }

    #[test]
    fn a_finger_whose_end_was_not_told_is_over_with_the_next_first_touch() {
        let finger = |pointer, over, first| Poke { finger: true, first, ..poke(pointer, Did::Press, over, 1) };
        let mut devices = Devices { steering: true, ..Devices::default() };
        devices.poke(finger(1, Over::Game, true));
        devices.poke(finger(2, Over::Rail, false));
        let asks = |devices: &Devices| devices.input(Vec2::ZERO, 0.0, &Camera::new()).buttons;
        assert_eq!(asks(&devices), ArenaInput::FIRE | ArenaInput::RAIL);
        devices.poke(finger(3, Over::Page, true));
        assert_eq!(asks(&devices), 0);
        devices.poke(finger(4, Over::Rail, true));
        devices.poke(Poke { finger: true, ..poke(4, Did::Vanish, Over::Page, 0) });
        assert_eq!(asks(&devices), 0);
    }
}

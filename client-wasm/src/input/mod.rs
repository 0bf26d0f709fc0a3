//! Keyboard, mouse, touch and gamepad, as [`Controls`].
//!
//! [`held`], [`keys`], [`touch`], [`gamepad`] and [`Devices`] decide without a browser; [`listeners`] and [`gamepad_shell`] turn what
//! it reports into theirs.

pub(crate) mod controls;
pub(crate) mod gamepad;
pub(crate) mod gamepad_shell;
pub(crate) mod held;
pub(crate) mod keys;
pub(crate) mod listeners;
pub(crate) mod touch;

use std::collections::VecDeque;

use glam::Vec2;

use crate::camera::Camera;
use controls::Controls;
use gamepad::{Gamepad, Reading};
use held::Held;
use keys::Command;
use touch::Thumbs;

/// The pointer that stands for the gamepad in [`Held`]; no browser gives this id.
const GAMEPAD: i32 = i32::MIN;
/// The buttons of the mouse as keys, in the order of their bits in an event, and what its first two stand for in any game.
const MOUSE: [&str; 5] = [MOUSE_LEFT, MOUSE_RIGHT, "Mouse1", "Mouse3", "Mouse4"];
const MOUSE_LEFT: &str = "Mouse0";
const MOUSE_RIGHT: &str = "Mouse2";
/// Stand for turning; no keyboard has them.
const TURN_LEFT: &str = "TurnLeft";
const TURN_RIGHT: &str = "TurnRight";
/// How far a pointer is moved by a hand that rests on the mouse, as a share of half the window.
const STILL: f32 = 0.01;
/// Commands kept until the next image; more than a hand can give in that time.
const COMMANDS_MAX: usize = 8;

/// What the player used last: it decides how aiming works, and which controls are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LastUsed {
    /// Keyboard and mouse.
    Mouse,
    Touch,
    Gamepad,
}

/// What a gamepad does in a menu.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MenuMove {
    Previous,
    Next,
    Press,
}

/// The state of all input devices.
#[derive(Debug)]
pub(crate) struct Devices {
    /// The bits that a key holds, by the browser's name for its position.
    key_bits: fn(&str) -> u32,
    /// What keys and buttons of the mouse stand for, where the player has changed that; nothing if empty.
    keys: Vec<(String, String)>,
    /// Whether left and right sticks are swapped.
    swapped: bool,
    /// Whether the player turns by keys: the pointer then aims no more, until it moves.
    turns_by_keys: bool,
    /// The bits that a button of a gamepad holds, by its number.
    gamepad_bits: fn(u32) -> u32,
    /// Keys, and buttons of the mouse, on a touch screen, or of a gamepad.
    pub(crate) held: Held,
    /// Pointer position, -1..=1 per axis, y down.
    pub(crate) pointer: Vec2,
    pub(crate) thumbs: Thumbs,
    gamepad: Gamepad,
    pub(crate) last_used: LastUsed,
    /// Whether keys and buttons steer; off while a menu is open.
    pub(crate) steering: bool,
    pub(crate) commands: VecDeque<Command>,
    /// Whether the scoreboard's key is down.
    scores_key: bool,
}

/// A key that went down or came up.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct KeyInput<'a> {
    /// The browser's name for its position.
    pub(crate) code: &'a str,
    pub(crate) down: bool,
    /// Whether the keyboard repeats a key that has been down for a while.
    pub(crate) repeated: bool,
    /// Whether the Meta key (Cmd, Windows) is down with it.
    pub(crate) meta: bool,
    /// Whether Ctrl or Alt is down with it.
    pub(crate) chord: bool,
    /// Whether a Shift key is down after it.
    pub(crate) shift: bool,
    /// Whether it belongs to a text field or to an input method.
    pub(crate) typing: bool,
}

/// What a pointer did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PointerAction {
    /// It went down, or its first button did.
    Press,
    /// It moved, or another button changed.
    Move,
    /// It came up, or its last button did.
    Lift,
    /// No further event will come: the system took it away, or it left the page with a button down.
    Cancel,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PointerTarget {
    Game,
    /// A touch button, which holds these bits.
    Button(u32),
    /// Anything else on the page.
    Page,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct PointerInput {
    /// The pointer's id.
    pub(crate) pointer: i32,
    pub(crate) action: PointerAction,
    pub(crate) target: PointerTarget,
    /// Position in CSS pixels.
    pub(crate) at: Vec2,
    /// The window's size in CSS pixels.
    pub(crate) window: Vec2,
    pub(crate) finger: bool,
    /// Whether it is the first pointer of its kind that is down.
    pub(crate) first: bool,
    /// All its buttons that are down: 1 left, 2 right.
    pub(crate) buttons: u16,
}

impl Devices {
    /// Devices that hold nothing yet.
    #[must_use]
    pub(crate) fn new(key_bits: fn(&str) -> u32, gamepad_bits: fn(u32) -> u32, last_used: LastUsed) -> Self {
        Devices {
            key_bits,
            gamepad_bits,
            keys: Vec::new(),
            swapped: false,
            turns_by_keys: false,
            held: Held::default(),
            pointer: Vec2::ZERO,
            thumbs: Thumbs::default(),
            gamepad: Gamepad::default(),
            last_used,
            steering: false,
            commands: VecDeque::new(),
            scores_key: false,
        }
    }

    /// Takes the player's own keys, and whether left and right sticks are swapped. Nothing is held any more: it may mean something else.
    pub(crate) fn set_hands(&mut self, keys: Vec<(String, String)>, swapped: bool) {
        (self.keys, self.swapped) = (keys, swapped);
        self.release();
    }

    /// The key or button whose meaning this one has.
    fn stands_for<'a>(&'a self, code: &'a str) -> &'a str {
        self.keys.iter().find(|(key, _)| key == code).map_or(code, |(_, meaning)| meaning)
    }

    /// What the player asks for, who was last drawn at `own`.
    #[must_use]
    pub(crate) fn controls(&self, own: Vec2, camera: &Camera) -> Controls {
        if !self.steering {
            return Controls { own, ..Controls::default() };
        }
        let (pointer, left, right) = match self.last_used {
            LastUsed::Mouse if self.turns_by_keys => (None, None, None),
            LastUsed::Mouse => (Some(camera.world_at(self.pointer)), None, None),
            LastUsed::Touch => {
                (None, self.thumbs.left.map(|stick| stick.push()), self.thumbs.right.map(|stick| stick.push()))
            }
            LastUsed::Gamepad => (None, self.gamepad.left, self.gamepad.right),
        };
        let (left, right) = if self.swapped { (right, left) } else { (left, right) };
        Controls { held: self.held.buttons(), pointer, left, right, own }
    }

    /// Whether the key or the gamepad's button for the scoreboard is down.
    #[must_use]
    pub(crate) fn wants_scores(&self) -> bool {
        self.steering && (self.scores_key || self.gamepad.holds(gamepad::BACK))
    }

    /// Whether the touch controls are shown.
    #[must_use]
    pub(crate) fn touch(&self) -> bool {
        self.last_used == LastUsed::Touch
    }

    /// The bits of the key that a touch button stands for.
    #[must_use]
    pub(crate) fn bits_of(&self, code: &str) -> u32 {
        match self.stands_for(code) {
            MOUSE_LEFT => Controls::PRIMARY,
            MOUSE_RIGHT => Controls::SECONDARY,
            TURN_LEFT => Controls::TURN_LEFT,
            TURN_RIGHT => Controls::TURN_RIGHT,
            code => (self.key_bits)(code),
        }
    }

    pub(crate) fn poll(&mut self) -> Option<Command> {
        self.commands.pop_front()
    }

    /// Releases everything, because release events may not arrive from here on. A key that is still down counts again after the
    /// next press.
    pub(crate) fn release(&mut self) {
        self.held.release();
        self.thumbs = Thumbs::default();
        self.gamepad.release();
        self.scores_key = false;
    }

    /// Takes a key event; returns whether the key means something to the game.
    pub(crate) fn handle_key(&mut self, event: KeyInput) -> bool {
        if event.meta || keys::is_meta(event.code) {
            // macOS reports no release of a key that comes up while Cmd is down.
            self.release();
            return false;
        }
        if !event.shift {
            self.held.no_shift();
        }
        if !event.down {
            self.held.key_up(event.code);
        } else if event.typing || event.chord {
            return false;
        }
        if event.code == keys::SCORES {
            // In a menu it moves the focus.
            self.scores_key = event.down && self.steering;
            return self.steering;
        }
        let pressed = event.down && !event.repeated;
        if let Some(command) = keys::command(self.stands_for(event.code)) {
            if pressed && self.commands.len() < COMMANDS_MAX {
                self.commands.push_back(command);
            }
            return !event.typing;
        }
        let bits = self.bits_of(event.code);
        if pressed && bits != 0 {
            self.held.key_down(event.code, bits);
            self.turns_by_keys |= bits & (Controls::TURN_LEFT | Controls::TURN_RIGHT) != 0;
            if self.last_used == LastUsed::Gamepad {
                self.last_used = LastUsed::Mouse;
            }
        }
        bits != 0 && !event.typing
    }

    pub(crate) fn handle_pointer(&mut self, event: PointerInput) {
        if event.finger {
            self.last_used = LastUsed::Touch;
            return self.handle_finger(event);
        }
        self.last_used = LastUsed::Mouse;
        let at = event.at / event.window * 2.0 - 1.0;
        self.turns_by_keys &= self.pointer.distance(at) < STILL;
        self.pointer = at;
        // Every event reports all buttons that are down: a second button comes as a move.
        let down = MOUSE.iter().enumerate().filter(|(bit, _)| event.buttons >> bit & 1 != 0);
        let now = down.fold(0, |all, (_, button)| all | self.bits_of(button));
        let buttons = match (event.action, event.target) {
            (PointerAction::Cancel, _) => 0,
            (PointerAction::Press | PointerAction::Move | PointerAction::Lift, PointerTarget::Game) => now,
            // A press over a menu belongs to the menu; a release counts anywhere.
            (
                PointerAction::Press | PointerAction::Move | PointerAction::Lift,
                PointerTarget::Button(_) | PointerTarget::Page,
            ) => now & self.held.pointed(event.pointer),
        };
        self.held.point(event.pointer, buttons);
    }

    /// Takes what the gamepad reports now, `None` for none. Gives what it does in a menu.
    pub(crate) fn handle_gamepad(&mut self, reading: Option<Reading>) -> Option<MenuMove> {
        let pressed = self.gamepad.take(reading);
        self.held.point(GAMEPAD, self.gamepad.buttons(self.gamepad_bits));
        if pressed != 0 || self.gamepad.left.is_some() || self.gamepad.right.is_some() {
            self.last_used = LastUsed::Gamepad;
        }
        // Start opens and closes the menu; B, which the game may use, closes it.
        let menu = if self.steering { gamepad::START } else { gamepad::START | gamepad::B };
        if pressed & menu != 0 && self.commands.len() < COMMANDS_MAX {
            self.commands.push_back(Command::Menu);
        }
        match pressed {
            _ if self.steering => None,
            pressed if pressed & gamepad::A != 0 => Some(MenuMove::Press),
            pressed if pressed & (gamepad::UP | gamepad::LEFT) != 0 => Some(MenuMove::Previous),
            pressed if pressed & (gamepad::DOWN | gamepad::RIGHT) != 0 => Some(MenuMove::Next),
            _ => None,
        }
    }

    fn handle_finger(&mut self, event: PointerInput) {
        match event.action {
            PointerAction::Press => {
                if event.first {
                    // All earlier touches are over, even if their end was not reported.
                    self.held.lift_pointers();
                    self.thumbs = Thumbs::default();
                }
                match event.target {
                    PointerTarget::Game => self.thumbs.down(event.pointer, event.at, event.window),
                    PointerTarget::Button(bits) => self.held.point(event.pointer, bits),
                    PointerTarget::Page => {}
                }
            }
            PointerAction::Move => self.thumbs.moved(event.pointer, event.at),
            PointerAction::Lift | PointerAction::Cancel => {
                self.thumbs.up(event.pointer);
                self.held.point(event.pointer, 0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::camera::Framing;

    const WINDOW: Vec2 = Vec2::new(800.0, 400.0);

    fn devices() -> Devices {
        Devices::new(Controls::usual_key, Controls::usual_gamepad_button, LastUsed::Mouse)
    }

    fn down(code: &str) -> KeyInput<'_> {
        KeyInput { code, down: true, ..KeyInput::default() }
    }

    fn up(code: &str) -> KeyInput<'_> {
        KeyInput { code, ..KeyInput::default() }
    }

    fn pointer_input(pointer: i32, action: PointerAction, target: PointerTarget, buttons: u16) -> PointerInput {
        let at = Vec2::new(700.0, 200.0);
        PointerInput { pointer, action, target, at, window: WINDOW, finger: false, first: true, buttons }
    }

    #[test]
    fn a_key_whose_release_cmd_swallows_is_released() {
        for meta in ["MetaLeft", "MetaRight", "OSLeft"] {
            let mut devices = devices();
            devices.handle_key(down("KeyW"));
            assert_eq!(devices.held.buttons(), Controls::UP);
            devices.handle_key(KeyInput { meta: true, ..down(meta) });
            assert_eq!(devices.held.buttons(), 0, "{meta} down");
            // A key with it is a system shortcut, and its release is not reported either.
            devices.handle_key(KeyInput { meta: true, ..down("KeyA") });
            devices.handle_key(up(meta));
            assert_eq!(devices.held.buttons(), 0, "{meta} up");
            devices.handle_key(down("KeyW"));
            assert_eq!(devices.held.buttons(), Controls::UP, "a new press counts");
        }
    }

    #[test]
    fn a_meta_key_whose_press_was_missed_also_releases_everything() {
        let mut devices = devices();
        devices.handle_key(down("KeyW"));
        devices.handle_key(KeyInput { meta: true, ..down("Tab") });
        assert_eq!(devices.held.buttons(), 0);
    }

    #[test]
    fn a_released_key_is_not_pressed_again_by_key_repeat() {
        let mut devices = devices();
        devices.handle_key(down("KeyW"));
        devices.release();
        devices.handle_key(KeyInput { repeated: true, ..down("KeyW") });
        assert_eq!(devices.held.buttons(), 0);
    }

    #[test]
    fn a_release_counts_in_a_field_and_in_a_chord_where_a_press_does_not() {
        let mut devices = devices();
        for quiet in [KeyInput { typing: true, ..up("") }, KeyInput { chord: true, ..up("") }] {
            devices.handle_key(down("KeyW"));
            devices.handle_key(KeyInput { code: "KeyW", ..quiet });
            assert_eq!(devices.held.buttons(), 0, "{quiet:?}");
            assert!(!devices.handle_key(KeyInput { code: "KeyW", down: true, ..quiet }));
            assert!(!devices.handle_key(KeyInput { code: "Escape", down: true, ..quiet }));
            assert_eq!((devices.held.buttons(), devices.poll()), (0, None), "{quiet:?}");
        }
    }

    #[test]
    fn both_shift_keys_are_up_when_the_keyboard_says_that_none_is_down() {
        let mut devices = devices();
        devices.handle_key(KeyInput { shift: true, ..down("ShiftLeft") });
        devices.handle_key(KeyInput { shift: true, ..down("ShiftRight") });
        devices.handle_key(KeyInput { shift: true, ..up("ShiftLeft") });
        assert_eq!(devices.held.buttons(), Controls::SECONDARY);
        devices.handle_key(KeyInput { shift: true, ..down("ShiftLeft") });
        devices.handle_key(up("ShiftRight"));
        assert_eq!(devices.held.buttons(), 0);
    }

    #[test]
    fn a_button_counts_from_a_press_over_the_game_until_it_is_up_or_gone() {
        let mut devices = devices();
        devices.handle_pointer(pointer_input(1, PointerAction::Press, PointerTarget::Page, 1));
        devices.handle_pointer(pointer_input(1, PointerAction::Move, PointerTarget::Page, 1));
        assert_eq!(devices.held.buttons(), 0);
        devices.handle_pointer(pointer_input(1, PointerAction::Press, PointerTarget::Game, 1));
        devices.handle_pointer(pointer_input(1, PointerAction::Move, PointerTarget::Game, 3));
        assert_eq!(devices.held.buttons(), Controls::PRIMARY | Controls::SECONDARY);
        devices.handle_pointer(pointer_input(1, PointerAction::Move, PointerTarget::Page, 2));
        assert_eq!(devices.held.buttons(), Controls::SECONDARY);
        devices.handle_pointer(pointer_input(1, PointerAction::Cancel, PointerTarget::Game, 2));
        assert_eq!(devices.held.buttons(), 0);
    }

    #[test]
    fn a_pen_that_hovers_does_not_end_what_the_mouse_holds() {
        let mut devices = devices();
        devices.handle_pointer(pointer_input(1, PointerAction::Press, PointerTarget::Game, 1));
        devices.handle_pointer(pointer_input(2, PointerAction::Move, PointerTarget::Game, 0));
        assert_eq!(devices.held.buttons(), Controls::PRIMARY);
    }

    #[test]
    fn a_finger_whose_end_was_not_reported_ends_with_the_next_first_touch() {
        let finger = |pointer, over, first| PointerInput {
            finger: true,
            first,
            ..pointer_input(pointer, PointerAction::Press, over, 1)
        };
        let mut devices = Devices { steering: true, ..devices() };
        devices.handle_pointer(finger(1, PointerTarget::Game, true));
        devices.handle_pointer(finger(2, PointerTarget::Button(Controls::SECONDARY), false));
        let asks = |devices: &Devices| {
            let controls = devices.controls(Vec2::ZERO, &Camera::new(Framing::follow(WINDOW)));
            (controls.right.is_some(), controls.held)
        };
        assert_eq!(asks(&devices), (true, Controls::SECONDARY));
        devices.handle_pointer(finger(3, PointerTarget::Page, true));
        assert_eq!(asks(&devices), (false, 0));
        devices.handle_pointer(finger(4, PointerTarget::Button(Controls::SECONDARY), true));
        devices.handle_pointer(PointerInput {
            finger: true,
            ..pointer_input(4, PointerAction::Cancel, PointerTarget::Page, 0)
        });
        assert_eq!(asks(&devices), (false, 0));
    }

    #[test]
    fn keys_and_buttons_mean_what_the_player_has_set() {
        let mut devices = Devices { steering: true, ..devices() };
        let own = [("KeyI", "KeyW"), ("KeyW", ""), ("Mouse2", "KeyW"), ("ArrowLeft", "TurnLeft"), ("KeyP", "Escape")];
        devices.set_hands(own.map(|(key, meaning)| (key.to_owned(), meaning.to_owned())).into(), true);
        devices.handle_key(down("KeyW"));
        assert_eq!(devices.held.buttons(), 0, "it means nothing any more");
        devices.handle_key(down("KeyI"));
        assert_eq!(devices.held.buttons(), Controls::UP);
        devices.handle_key(up("KeyI"));
        devices.handle_pointer(pointer_input(1, PointerAction::Press, PointerTarget::Game, 3));
        assert_eq!(devices.held.buttons(), Controls::PRIMARY | Controls::UP);
        devices.handle_key(down("KeyP"));
        assert_eq!(devices.poll(), Some(Command::Menu));
        assert!(controls(&devices).pointer.is_some());
        devices.handle_key(down("ArrowLeft"));
        assert_eq!(controls(&devices).pointer, None, "who turns by keys does not aim with a mouse that lies still");
        devices.handle_gamepad(pad(Vec2::X, &[]));
        assert_eq!((controls(&devices).left, controls(&devices).right), (None, Some(Vec2::X)));
    }

    fn pad(left: Vec2, down: &[u32]) -> Option<Reading> {
        Some(Reading { left, right: Vec2::ZERO, down: down.iter().fold(0, |all, button| all | 1 << button) })
    }

    fn controls(devices: &Devices) -> Controls {
        devices.controls(Vec2::ZERO, &Camera::new(Framing::follow(WINDOW)))
    }

    #[test]
    fn the_device_that_was_used_last_decides_how_aiming_works() {
        let mut devices = Devices { steering: true, ..devices() };
        assert!(controls(&devices).pointer.is_some());
        devices.handle_gamepad(pad(Vec2::ZERO, &[]));
        assert!(controls(&devices).pointer.is_some(), "a gamepad that lies on the table");
        devices.handle_gamepad(pad(Vec2::X, &[]));
        assert_eq!((controls(&devices).pointer, controls(&devices).left), (None, Some(Vec2::X)));
        devices.handle_pointer(PointerInput {
            finger: true,
            ..pointer_input(1, PointerAction::Press, PointerTarget::Game, 1)
        });
        assert_eq!((controls(&devices).left, controls(&devices).right), (None, Some(Vec2::ZERO)));
        devices.handle_gamepad(pad(Vec2::ZERO, &[7]));
        assert_eq!(controls(&devices), Controls { held: Controls::PRIMARY, ..Controls::default() });
        devices.handle_key(down("KeyW"));
        assert!(controls(&devices).pointer.is_some(), "keys go with the mouse");
    }

    #[test]
    fn a_gamepad_without_its_page_or_its_plug_holds_nothing() {
        let mut devices = Devices { steering: true, ..devices() };
        devices.handle_gamepad(pad(Vec2::X, &[7, 12]));
        assert_eq!(devices.held.buttons(), Controls::PRIMARY | Controls::UP);
        devices.release();
        assert_eq!(controls(&devices), Controls::default());
        devices.handle_gamepad(pad(Vec2::X, &[7]));
        assert_eq!(
            (devices.held.buttons(), controls(&devices).left),
            (0, Some(Vec2::X)),
            "the button counts when pressed again"
        );
        devices.handle_gamepad(None);
        assert_eq!(controls(&devices), Controls::default());
    }

    #[test]
    fn a_gamepad_steers_or_moves_through_a_menu_and_start_leads_from_one_to_the_other() {
        let mut devices = Devices { steering: true, ..devices() };
        assert_eq!((devices.handle_gamepad(pad(Vec2::ZERO, &[0, 1, 12])), devices.poll()), (None, None));
        devices.handle_gamepad(pad(Vec2::ZERO, &[]));
        devices.handle_gamepad(pad(Vec2::ZERO, &[9]));
        assert_eq!(devices.poll(), Some(Command::Menu));
        devices.steering = false;
        for (button, wanted) in [
            (12, MenuMove::Previous),
            (13, MenuMove::Next),
            (14, MenuMove::Previous),
            (15, MenuMove::Next),
            (0, MenuMove::Press),
        ] {
            assert_eq!(devices.handle_gamepad(pad(Vec2::ZERO, &[button])), Some(wanted), "{button}");
            assert_eq!(devices.handle_gamepad(pad(Vec2::ZERO, &[])), None);
        }
        assert_eq!(devices.handle_gamepad(pad(Vec2::Y, &[])), Some(MenuMove::Next));
        devices.handle_gamepad(pad(Vec2::ZERO, &[1]));
        assert_eq!(devices.poll(), Some(Command::Menu));
    }
}

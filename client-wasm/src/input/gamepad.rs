//! A gamepad of the standard mapping (W3C Gamepad, section "Remapping"): two sticks, and buttons by their numbers there.

use glam::Vec2;

/// Share of a stick's way below which it is at rest. Worn sticks rest up to there; XInput's own figures are 0.24 and 0.27.
const DEAD: f32 = 0.25;
/// Share of the way from which on a push is full: many sticks do not reach 1 in every direction.
const FULL: f32 = 0.95;
/// Share of the way from which on the left stick also counts as that button of the d-pad in menus.
const STEP: f32 = 0.6;

/// The buttons that the shell knows, as bits of a reading.
pub(crate) const A: u32 = 1 << 0;
pub(crate) const B: u32 = 1 << 1;
/// Shows the scoreboard while it is down.
pub(crate) const BACK: u32 = 1 << 8;
pub(crate) const START: u32 = 1 << 9;
pub(crate) const UP: u32 = 1 << 12;
pub(crate) const DOWN: u32 = 1 << 13;
pub(crate) const LEFT: u32 = 1 << 14;
pub(crate) const RIGHT: u32 = 1 << 15;
/// Number of buttons of the standard mapping; further ones mean something else on every gamepad, and are not read.
pub(crate) const BUTTONS: u32 = 17;

const _: () = assert!(BUTTONS <= 32, "a reading has a bit for each");

/// What a gamepad reports at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Reading {
    /// -1..=1 per axis, y down.
    pub(crate) left: Vec2,
    pub(crate) right: Vec2,
    /// The buttons that are down: bit n is button n.
    pub(crate) down: u32,
}

/// The gamepad as it was last read; at rest without one.
#[derive(Debug, Default)]
pub(crate) struct Gamepad {
    /// The push of the left stick, at most 1 in length; `None` at rest.
    pub(crate) left: Option<Vec2>,
    /// The same of the right stick.
    pub(crate) right: Option<Vec2>,
    down: u32,
    /// What is down in a menu, where the left stick is a d-pad too.
    in_menu: u32,
    /// What was down when everything was released: it counts after the next press.
    stale: u32,
}

impl Gamepad {
    /// Takes what the gamepad reports now, `None` for none. Gives the buttons that were pressed since, where the left stick counts as
    /// d-pad too.
    pub(crate) fn take(&mut self, reading: Option<Reading>) -> u32 {
        let Some(Reading { left, right, down }) = reading else {
            self.release();
            return 0;
        };
        let in_menu = down
            | match left.to_array() {
                [_, y] if y < -STEP => UP,
                [_, y] if y > STEP => DOWN,
                [x, _] if x < -STEP => LEFT,
                [x, _] if x > STEP => RIGHT,
                [_, _] => 0,
            };
        let stale = self.stale & in_menu;
        let pressed = in_menu & !self.in_menu & !stale;
        *self = Gamepad { left: push(left), right: push(right), down: down & !stale, in_menu, stale };
        pressed
    }

    /// Releases everything. Sticks count again with the next reading, buttons with the next press.
    pub(crate) fn release(&mut self) {
        *self = Gamepad { stale: u32::MAX, ..Gamepad::default() };
    }

    /// Whether one of these buttons is down.
    #[must_use]
    pub(crate) fn holds(&self, buttons: u32) -> bool {
        self.down & buttons != 0
    }

    /// The bits of all buttons that are down, by `bits_of` a button.
    #[must_use]
    #[inline(never)]
    pub(crate) fn buttons(&self, bits_of: fn(u32) -> u32) -> u32 {
        let (mut down, mut bits) = (self.down, 0);
        while down != 0 {
            bits |= bits_of(down.trailing_zeros());
            down &= down - 1;
        }
        bits
    }
}

/// A push beyond the dead zone, rescaled so that it begins at 0 there; a jump would make slow moves impossible.
#[inline(never)]
fn push(at: Vec2) -> Option<Vec2> {
    let way = at.length();
    (way > DEAD).then(|| at / way * ((way - DEAD) / (FULL - DEAD)).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bits(button: u32) -> u32 {
        1 << button
    }

    fn left(x: f32, y: f32) -> Option<Reading> {
        Some(Reading { left: Vec2::new(x, y), ..Reading::default() })
    }

    fn down(buttons: u32) -> Option<Reading> {
        Some(Reading { down: buttons, ..Reading::default() })
    }

    #[test]
    fn a_stick_begins_to_push_at_the_edge_of_its_dead_zone_and_pushes_at_most_by_1() {
        let mut pad = Gamepad::default();
        for (at, wanted) in
            [(0.0, None), (0.24, None), (0.25, None), (0.6, Some(0.5)), (0.95, Some(1.0)), (1.4, Some(1.0))]
        {
            pad.take(left(0.0, at));
            match (pad.left, wanted) {
                (Some(push), Some(wanted)) => assert!(push.distance(Vec2::Y * wanted) < 1e-6, "{at}: {push}"),
                (push, wanted) => assert_eq!(push.map(Vec2::length), wanted, "{at}"),
            }
        }
        pad.take(left(0.2501, 0.0));
        assert!(pad.left.is_some_and(|push| push.length() < 0.001), "no jump");
    }

    #[test]
    fn a_gamepad_that_is_unplugged_holds_nothing_and_its_buttons_count_after_the_next_press() {
        let mut pad = Gamepad::default();
        assert_eq!(pad.take(Some(Reading { right: Vec2::X, ..down(A | START).expect("one") })), A | START);
        assert_eq!((pad.right, pad.buttons(bits)), (Some(Vec2::X), A | START));
        assert_eq!(pad.take(down(A | START)), 0, "held, not pressed again");
        assert_eq!(pad.take(None), 0);
        assert_eq!((pad.left, pad.right, pad.buttons(bits)), (None, None, 0));
        assert_eq!((pad.take(down(A)), pad.buttons(bits)), (0, 0), "it was never seen up");
        pad.take(down(0));
        assert_eq!((pad.take(down(A)), pad.buttons(bits)), (A, A));
    }

    #[test]
    fn the_left_stick_is_a_d_pad_in_menus_and_not_in_the_game() {
        let mut pad = Gamepad::default();
        assert_eq!(pad.take(left(0.0, 1.0)), DOWN);
        assert_eq!(pad.take(left(0.0, 1.0)), 0, "one step per push");
        assert_eq!(pad.take(left(-1.0, 0.0)), LEFT);
        assert_eq!(pad.buttons(bits), 0);
        pad.release();
        assert_eq!(pad.take(left(-1.0, 0.0)), 0, "a push from before a menu opened moves nothing in it");
        assert!(pad.left.is_some(), "while it steers at once");
    }
}

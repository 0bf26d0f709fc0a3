//! What the keys, the mouse and the thumbs mean: the left thumb thrusts and turns, the right one fires, and aims when it is dragged.

use broadside_arena::ArenaInput;
use broadside_client::Controls;
use glam::Vec2;

/// Share of a push that must lie along an engine's direction for it to burn.
const ALONG: f32 = 0.45;
/// Distance between pointer and ship below which the ship keeps its heading, in world units.
const TOO_NEAR: f32 = 4.0;
/// How far beside the bow a key aims that turns, in radians: more than a ship turns between two images of a slow machine.
const AHEAD: f32 = 0.6;

/// Held for the boost, and for a mine.
const BOOST: u32 = Controls::OWN;
const MINE: u32 = Controls::OWN << 1;
/// Pressed to play again, while the results are shown.
pub(crate) const AGAIN: u32 = Controls::OWN << 2;

/// The bits of a key: Shift boosts, Q leaves a mine, G asks for a rematch.
#[must_use]
pub(crate) fn key(code: &str) -> u32 {
    match code {
        "ShiftLeft" | "ShiftRight" => BOOST,
        "KeyQ" => MINE,
        "KeyG" => AGAIN,
        code => Controls::usual_key(code),
    }
}

/// The bits of a gamepad's button: the left bumper boosts, B leaves a mine, Y asks for a rematch.
#[must_use]
pub(crate) fn gamepad_button(number: u32) -> u32 {
    match number {
        4 => BOOST,
        1 => MINE,
        3 => AGAIN,
        number => Controls::usual_gamepad_button(number),
    }
}

/// The input for a ship with its bow at `heading` radians.
#[must_use]
pub(crate) fn input(controls: &Controls, heading: f32) -> ArenaInput {
    let buttons = buttons(controls);
    if controls.left.is_some() || controls.right.is_some() {
        let input = thumbs(controls, heading);
        return ArenaInput { buttons: input.buttons | buttons, ..input };
    }
    let way = controls.pointer.map(|pointer| pointer - controls.own);
    let way = way.filter(|way| way.length() > TOO_NEAR);
    let turned = |bit: u32, by: f32| if controls.holds(bit) { by } else { 0.0 };
    let by = turned(Controls::TURN_RIGHT, AHEAD) - turned(Controls::TURN_LEFT, AHEAD);
    ArenaInput::new(way.map_or(heading, Vec2::to_angle) + by, buttons)
}

fn buttons(controls: &Controls) -> u8 {
    let mut buttons = 0;
    for (held, button) in [
        (Controls::UP, ArenaInput::THRUST),
        (Controls::DOWN, ArenaInput::REVERSE),
        (Controls::LEFT, ArenaInput::LEFT),
        (Controls::RIGHT, ArenaInput::RIGHT),
        (Controls::PRIMARY, ArenaInput::FIRE),
        (Controls::SECONDARY, ArenaInput::RAIL),
        (BOOST, ArenaInput::BOOST),
        (MINE, ArenaInput::MINE),
    ] {
        if controls.holds(held) {
            buttons |= button;
        }
    }
    buttons
}

fn thumbs(controls: &Controls, heading: f32) -> ArenaInput {
    let steer = controls.left.unwrap_or_default();
    let aim_push = controls.right.unwrap_or_default();
    let mut buttons = if controls.right.is_some() { ArenaInput::FIRE } else { 0 };
    if aim_push == Vec2::ZERO {
        if steer == Vec2::ZERO {
            return ArenaInput::new(heading, buttons);
        }
        return ArenaInput::new(steer.to_angle(), buttons | ArenaInput::THRUST);
    }
    // Aims one way and flies another: the engines burn that point where the left thumb pushes.
    let bow = aim_push.normalize();
    let (ahead, starboard) = (steer.dot(bow), steer.dot(bow.perp()));
    for (burns, button) in [
        (ahead > ALONG, ArenaInput::THRUST),
        (ahead < -ALONG, ArenaInput::REVERSE),
        (starboard > ALONG, ArenaInput::RIGHT),
        (starboard < -ALONG, ArenaInput::LEFT),
    ] {
        if burns {
            buttons |= button;
        }
    }
    ArenaInput::new(bow.to_angle(), buttons)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pushes(left: Option<Vec2>, right: Option<Vec2>) -> Controls {
        Controls { left, right, ..Controls::default() }
    }

    #[test]
    fn boost_and_mine_have_keys_and_buttons_of_their_own() {
        let pressed = |held| input(&Controls { held, ..Controls::default() }, 0.0).buttons;
        assert_eq!(pressed(key("ShiftRight")), ArenaInput::BOOST);
        assert_eq!(pressed(key("KeyQ") | gamepad_button(4)), ArenaInput::MINE | ArenaInput::BOOST);
        assert_eq!(pressed(key("KeyE") | gamepad_button(7)), ArenaInput::RAIL | ArenaInput::FIRE);
        assert_eq!(gamepad_button(1), key("KeyQ"));
    }

    #[test]
    fn the_left_thumb_flies_where_it_pushes() {
        assert_eq!(input(&pushes(Some(Vec2::ZERO), None), 1.0), ArenaInput::new(1.0, 0));
        let down = std::f32::consts::FRAC_PI_2;
        assert_eq!(input(&pushes(Some(Vec2::Y), None), 1.0), ArenaInput::new(down, ArenaInput::THRUST));
    }

    #[test]
    fn the_right_thumb_fires_and_the_left_one_then_slips_sideways() {
        let firing = ArenaInput::new(0.5, ArenaInput::FIRE);
        assert_eq!(input(&pushes(None, Some(Vec2::ZERO)), 0.5), firing);
        let slipping = ArenaInput::new(0.0, ArenaInput::FIRE | ArenaInput::RIGHT);
        assert_eq!(input(&pushes(Some(Vec2::Y), Some(Vec2::X)), 0.5), slipping);
    }

    #[test]
    fn the_mouse_turns_and_a_pointer_over_the_ship_does_not() {
        let own = Vec2::splat(10.0);
        let at = |pointer| Controls { pointer: Some(pointer), own, held: Controls::UP, ..Controls::default() };
        assert_eq!(input(&at(own + Vec2::X * 50.0), 2.0), ArenaInput::new(0.0, ArenaInput::THRUST));
        assert_eq!(input(&at(own + Vec2::X * 3.0), 2.0), ArenaInput::new(2.0, ArenaInput::THRUST));
        assert_eq!(input(&Controls::default(), 2.0), ArenaInput::new(2.0, 0));
        let turning = Controls { held: Controls::TURN_LEFT, ..Controls::default() };
        assert_eq!(input(&turning, 2.0), ArenaInput::new(2.0 - AHEAD, 0));
    }
}

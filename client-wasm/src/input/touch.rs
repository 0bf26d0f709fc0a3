//! Touch controls: the left thumb thrusts and turns, the right one fires, and aims when it is dragged.

use broadside_arena::ArenaInput;
use glam::Vec2;

/// Reach of a knob, in CSS pixels.
const REACH: f32 = 56.0;
/// Share of the reach below which a thumb is at rest.
const REST: f32 = 0.28;
/// Share of a push that must lie along an engine's direction for it to burn.
const ALONG: f32 = 0.45;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Stick {
    pointer: i32,
    /// Where the thumb came down, in CSS pixels.
    pub(crate) origin: Vec2,
    at: Vec2,
}

impl Stick {
    /// The knob's offset from the origin in CSS pixels, at most the reach.
    #[must_use]
    pub(crate) fn knob(&self) -> Vec2 {
        (self.at - self.origin).clamp_length_max(REACH)
    }

    /// The push, 0..=1 in length; zero at rest.
    fn push(&self) -> Vec2 {
        let push = self.knob() / REACH;
        if push.length() < REST { Vec2::ZERO } else { push }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Thumbs {
    /// Thrusts and turns.
    pub(crate) left: Option<Stick>,
    /// Fires and aims.
    pub(crate) right: Option<Stick>,
}

impl Thumbs {
    /// A finger came down: in the left half of the window it steers, in the right half it fires.
    pub(crate) fn down(&mut self, pointer: i32, at: Vec2, window: Vec2) {
        let side = if at.x < window.x * 0.5 { &mut self.left } else { &mut self.right };
        side.get_or_insert(Stick { pointer, origin: at, at });
    }

    pub(crate) fn moved(&mut self, pointer: i32, at: Vec2) {
        for stick in [&mut self.left, &mut self.right].into_iter().flatten() {
            if stick.pointer == pointer {
                stick.at = at;
            }
        }
    }

    pub(crate) fn up(&mut self, pointer: i32) {
        for side in [&mut self.left, &mut self.right] {
            if side.is_some_and(|stick| stick.pointer == pointer) {
                *side = None;
            }
        }
    }

    /// The input of both thumbs for a ship with its bow at `heading` radians.
    #[must_use]
    pub(crate) fn input(&self, heading: f32) -> ArenaInput {
        let steer = self.left.map_or(Vec2::ZERO, |stick| stick.push());
        let aim_push = self.right.map_or(Vec2::ZERO, |stick| stick.push());
        let mut buttons = if self.right.is_some() { ArenaInput::FIRE } else { 0 };
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
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Vec2 = Vec2::new(800.0, 400.0);

    #[test]
    fn the_left_thumb_flies_where_it_pushes() {
        let mut thumbs = Thumbs::default();
        thumbs.down(1, Vec2::new(100.0, 300.0), WINDOW);
        assert_eq!(thumbs.input(1.0), ArenaInput::new(1.0, 0));
        thumbs.moved(1, Vec2::new(100.0, 380.0));
        let down = std::f32::consts::FRAC_PI_2;
        assert_eq!(thumbs.input(1.0), ArenaInput::new(down, ArenaInput::THRUST));
        thumbs.up(1);
        assert_eq!(thumbs, Thumbs::default());
    }

    #[test]
    fn the_right_thumb_fires_and_the_left_one_then_slips_sideways() {
        let mut thumbs = Thumbs::default();
        thumbs.down(4, Vec2::new(700.0, 300.0), WINDOW);
        assert_eq!(thumbs.input(0.5), ArenaInput::new(0.5, ArenaInput::FIRE));
        thumbs.moved(4, Vec2::new(780.0, 300.0));
        thumbs.down(5, Vec2::new(100.0, 300.0), WINDOW);
        thumbs.moved(5, Vec2::new(100.0, 390.0));
        assert_eq!(thumbs.input(0.5), ArenaInput::new(0.0, ArenaInput::FIRE | ArenaInput::RIGHT));
    }

    #[test]
    fn a_second_finger_on_the_same_side_does_not_take_over() {
        let mut thumbs = Thumbs::default();
        thumbs.down(1, Vec2::new(100.0, 300.0), WINDOW);
        thumbs.down(2, Vec2::new(200.0, 300.0), WINDOW);
        assert_eq!(thumbs.left.map(|s| s.pointer), Some(1));
    }
}

//! What the player asks for, for a cartridge to turn into an input.

use glam::Vec2;

/// What the player holds down and points at, while it may steer; otherwise nothing is held.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Controls {
    /// The bits of everything that is held, such as [`Controls::UP`].
    pub held: u32,
    /// The place in the world under the mouse; `None` with touch or a gamepad, or while the player may not steer.
    pub pointer: Option<Vec2>,
    /// Where the left thumb or stick pushes, at most 1 in length. A thumb is zero at rest and `None` without one, a stick `None` at rest.
    pub left: Option<Vec2>,
    /// The same of the right thumb or stick.
    pub right: Option<Vec2>,
    /// Where the own player was last drawn, in world units: what the player aims from.
    pub own: Vec2,
}

impl Controls {
    /// W or the arrow up.
    pub const UP: u32 = 1;
    /// S or the arrow down.
    pub const DOWN: u32 = 2;
    /// A or the arrow to the left.
    pub const LEFT: u32 = 4;
    /// D or the arrow to the right.
    pub const RIGHT: u32 = 8;
    /// The left button of the mouse, or the space bar.
    pub const PRIMARY: u32 = 16;
    /// The right button of the mouse, E or Shift.
    pub const SECONDARY: u32 = 32;
    /// The first bit for a game's own keys; the higher ones up to bit 29 are free too.
    pub const OWN: u32 = 64;
    /// A key to turn to the left, for those who play without a pointer. No key is one until the player says so.
    pub const TURN_LEFT: u32 = 1 << 30;
    /// The same to the right.
    pub const TURN_RIGHT: u32 = 1 << 31;

    /// The bit of a key by the browser's name for its position; 0 for most.
    #[must_use]
    pub fn usual_key(code: &str) -> u32 {
        match code {
            "KeyW" | "ArrowUp" => Self::UP,
            "KeyS" | "ArrowDown" => Self::DOWN,
            "KeyA" | "ArrowLeft" => Self::LEFT,
            "KeyD" | "ArrowRight" => Self::RIGHT,
            "Space" => Self::PRIMARY,
            "KeyE" | "ShiftLeft" | "ShiftRight" => Self::SECONDARY,
            _ => 0,
        }
    }

    /// The bit of a gamepad's button by its number in the browser's standard mapping: A and the right trigger and bumper are
    /// [`PRIMARY`](Self::PRIMARY), X and the left ones [`SECONDARY`](Self::SECONDARY), the d-pad is the arrows. 0 for most.
    #[must_use]
    pub fn usual_gamepad_button(number: u32) -> u32 {
        match number {
            0 | 5 | 7 => Self::PRIMARY,
            2 | 4 | 6 => Self::SECONDARY,
            12 => Self::UP,
            13 => Self::DOWN,
            14 => Self::LEFT,
            15 => Self::RIGHT,
            _ => 0,
        }
    }

    /// Whether any of these bits is held.
    #[must_use]
    pub fn holds(&self, bits: u32) -> bool {
        self.held & bits != 0
    }

    /// Where the keys, the d-pad or the left thumb or stick push, at most 1 in length, y down.
    #[must_use]
    pub fn direction(&self) -> Vec2 {
        let axis = |less, more| f32::from(u8::from(self.holds(more))) - f32::from(u8::from(self.holds(less)));
        let keys = Vec2::new(axis(Self::LEFT, Self::RIGHT), axis(Self::UP, Self::DOWN));
        self.left.unwrap_or(keys).clamp_length_max(1.0)
    }

    /// The unit vector from the own player to what the player aims at: with the mouse, or by pushing the right thumb or stick. `None` while
    /// nothing is aimed at.
    #[must_use]
    pub fn aim(&self) -> Option<Vec2> {
        let way = self.right.or(self.pointer.map(|pointer| pointer - self.own))?;
        way.try_normalize()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_hands_can_steer() {
        for (left, right) in [("KeyW", "ArrowUp"), ("KeyA", "ArrowLeft"), ("KeyS", "ArrowDown"), ("KeyD", "ArrowRight")]
        {
            assert_eq!(Controls::usual_key(left), Controls::usual_key(right));
            assert_ne!(Controls::usual_key(left), 0);
        }
        assert_eq!(Controls::usual_key("KeyQ"), 0);
    }

    #[test]
    fn keys_and_thumbs_give_the_same_direction() {
        let keys = Controls { held: Controls::UP | Controls::RIGHT, ..Controls::default() };
        let thumb = Controls { left: Some(Vec2::new(5.0, -5.0)), ..Controls::default() };
        assert!(keys.direction().distance(thumb.direction()) < 1e-6);
        assert_eq!(Controls::default().direction(), Vec2::ZERO);
        let mouse = Controls { pointer: Some(Vec2::new(8.0, 1.0)), own: Vec2::new(3.0, 1.0), ..Controls::default() };
        assert_eq!(mouse.aim(), Some(Vec2::X));
    }
}

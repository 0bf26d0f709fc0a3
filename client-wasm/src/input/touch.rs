//! Touch controls: two sticks, wherever the thumbs come down.

use glam::Vec2;

/// Reach of a knob, in CSS pixels.
const REACH: f32 = 56.0;
/// Share of the reach below which a thumb is at rest.
const REST: f32 = 0.28;

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
    pub(crate) fn push(&self) -> Vec2 {
        let push = self.knob() / REACH;
        if push.length() < REST { Vec2::ZERO } else { push }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Thumbs {
    /// In the left half of the window.
    pub(crate) left: Option<Stick>,
    /// In the right half.
    pub(crate) right: Option<Stick>,
}

impl Thumbs {
    /// A finger came down. A second one in the same half is no stick.
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
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Vec2 = Vec2::new(800.0, 400.0);

    #[test]
    fn a_thumb_pushes_after_a_small_rest_and_at_most_by_its_reach() {
        let mut thumbs = Thumbs::default();
        thumbs.down(1, Vec2::new(100.0, 300.0), WINDOW);
        let push = |thumbs: &Thumbs| thumbs.left.map(|stick| stick.push());
        assert_eq!(push(&thumbs), Some(Vec2::ZERO));
        thumbs.moved(1, Vec2::new(100.0, 310.0));
        assert_eq!(push(&thumbs), Some(Vec2::ZERO));
        thumbs.moved(1, Vec2::new(100.0, 390.0));
        assert_eq!((push(&thumbs), thumbs.right), (Some(Vec2::Y), None));
        thumbs.up(1);
        assert_eq!(thumbs, Thumbs::default());
    }

    #[test]
    fn a_second_finger_on_the_same_side_does_not_take_over() {
        let mut thumbs = Thumbs::default();
        thumbs.down(1, Vec2::new(100.0, 300.0), WINDOW);
        thumbs.down(2, Vec2::new(200.0, 300.0), WINDOW);
        assert_eq!(thumbs.left.map(|s| s.pointer), Some(1));
    }
}

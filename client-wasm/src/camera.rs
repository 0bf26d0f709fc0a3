//! The camera: follows a ship with a little lead toward where it aims and flies, and never shows more than a client knows.

use glam::Vec2;

use crate::random::Random;

/// Largest lead along each axis, in world units.
pub(crate) const LEAD_MAX: Vec2 = Vec2::new(120.0, 80.0);
/// Most that a picture shows, in world units: less than a client knows, because ships must not be too small.
pub(crate) const SHOWN_MAX: Vec2 = Vec2::new(1440.0, 900.0);
/// Lead with the pointer at the edge of the window, as a share of [`LEAD_MAX`].
const LEAD_POINTER: f32 = 0.65;
/// Seconds of flight that the camera looks ahead.
const LEAD_SECONDS: f32 = 0.16;
/// How fast the lead follows, 1/s.
const LEAD_RATE: f32 = 4.0;
/// Shift of a shake at full strength, in world units.
const SHAKE_REACH: f32 = 13.0;
/// How fast a shake decays, 1/s.
const SHAKE_DECAY: f32 = 3.2;

#[derive(Debug, Clone)]
pub(crate) struct Camera {
    /// Middle of the picture in world units, including the shake.
    pub(crate) at: Vec2,
    /// Half of the shown area, in world units.
    pub(crate) half: Vec2,
    /// Device pixels per world unit.
    pub(crate) scale: f32,
    /// Strength of shakes, 0..=1: less with reduced motion.
    pub(crate) calm: f32,
    lead: Vec2,
    shake: f32,
    random: Random,
}

impl Camera {
    /// A camera at the origin that shows nothing yet.
    #[must_use]
    pub(crate) fn new() -> Self {
        Camera {
            at: Vec2::ZERO,
            half: Vec2::ONE,
            scale: 1.0,
            calm: 1.0,
            lead: Vec2::ZERO,
            shake: 0.0,
            random: Random::new(7),
        }
    }

    /// Fits the picture into `pixels`, filling them, so that neither axis reaches beyond `view` world units around the ship,
    /// including lead and shake. Shows `share` of [`SHOWN_MAX`], 0..=1: less on a handheld screen.
    pub(crate) fn fit(&mut self, pixels: Vec2, view: Vec2, share: f32) {
        let shown = (SHOWN_MAX * share).min(view - 2.0 * (LEAD_MAX + SHAKE_REACH));
        let pixels = pixels.max(Vec2::ONE);
        self.scale = (pixels / shown).max_element();
        self.half = pixels / self.scale * 0.5;
    }

    /// Follows a ship at `target` for `dt` seconds; `pointer` is the pointer's position in the window, -1..=1 per axis.
    pub(crate) fn follow(&mut self, target: Vec2, velocity: Vec2, pointer: Vec2, dt: f32) {
        let wanted = pointer.clamp(-Vec2::ONE, Vec2::ONE) * LEAD_MAX * LEAD_POINTER + velocity * LEAD_SECONDS;
        let share = 1.0 - (-LEAD_RATE * dt).exp();
        self.lead += (wanted.clamp(-LEAD_MAX, LEAD_MAX) - self.lead) * share;
        self.shake = (self.shake - self.shake * SHAKE_DECAY * dt).clamp(0.0, 1.0);
        let shift =
            Vec2::new(self.random.bell(), self.random.bell()) * self.shake * self.shake * SHAKE_REACH * self.calm;
        self.at = target + self.lead + shift;
    }

    /// Adds a shake, 0..=1; the sum is at most 1.
    pub(crate) fn shake(&mut self, strength: f32) {
        self.shake = (self.shake + strength).min(1.0);
    }

    /// Whether something at `at` with radius `reach` is in the picture.
    #[must_use]
    pub(crate) fn sees(&self, at: Vec2, reach: f32) -> bool {
        let off = (at - self.at).abs();
        off.x < self.half.x + reach && off.y < self.half.y + reach
    }

    /// The world position under a position in the window, -1..=1 per axis, y down.
    #[must_use]
    pub(crate) fn world_at(&self, pointer: Vec2) -> Vec2 {
        self.at + pointer * self.half
    }

    /// World units per device pixel.
    #[must_use]
    pub(crate) fn pixel(&self) -> f32 {
        1.0 / self.scale
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VIEW: Vec2 = Vec2::new(1920.0, 1200.0);

    #[test]
    fn no_window_shows_more_than_the_view_wherever_the_camera_leads() {
        for pixels in [(1920.0, 1080.0), (1080.0, 1920.0), (3440.0, 1440.0), (640.0, 640.0), (1.0, 900.0)] {
            let mut camera = Camera::new();
            camera.fit(Vec2::from(pixels), VIEW, 1.0);
            camera.shake(1.0);
            for _ in 0..120 {
                camera.follow(Vec2::ZERO, Vec2::splat(4000.0), Vec2::ONE, 1.0 / 60.0);
                let shown = camera.at.abs() + camera.half;
                assert!(shown.cmple(VIEW / 2.0 + 0.01).all(), "{pixels:?} shows {shown:?}");
            }
        }
    }

    #[test]
    fn a_pixel_is_square_and_the_window_is_filled() {
        let mut camera = Camera::new();
        camera.fit(Vec2::new(1280.0, 720.0), VIEW, 0.8);
        let pixels = camera.half * 2.0 * camera.scale;
        assert!((pixels - Vec2::new(1280.0, 720.0)).length() < 0.01, "{pixels:?}");
    }

    #[test]
    fn a_shake_dies_away() {
        let mut camera = Camera::new();
        camera.shake(1.0);
        for _ in 0..240 {
            camera.follow(Vec2::ZERO, Vec2::ZERO, Vec2::ZERO, 1.0 / 60.0);
        }
        assert!(camera.at.length() < 0.01, "{:?}", camera.at);
    }
}

//! The camera: follows what the cartridge looks at with a little lead toward the pointer and the flight, and never shows more than a
//! client knows.

use glam::Vec2;

use crate::random::Random;

/// Lead with the pointer at the edge of the window, as a share of [`Framing::lead`].
const LEAD_POINTER: f32 = 0.65;
/// Seconds of flight that the camera looks ahead.
const LEAD_SECONDS: f32 = 0.16;
/// How fast the lead follows, 1/s.
const LEAD_RATE: f32 = 4.0;
/// How fast a shake decays, 1/s.
const SHAKE_DECAY: f32 = 3.2;
/// Share of the usual picture that is shown on a handheld screen.
const HAND_SHARE: f32 = 0.8;

/// How much of the world a picture shows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Framing {
    /// What a picture shows, in world units.
    pub shown: Vec2,
    /// Largest lead along each axis toward the pointer and the flight, in world units.
    pub lead: Vec2,
    /// Shift of a shake at full strength, in world units.
    pub shake: f32,
    /// Whether all of `shown` is in the picture in any window. Otherwise the window is filled and one axis shows less.
    pub whole: bool,
}

impl Framing {
    /// For a camera that follows a player, in a game with this [`Game::VIEW`](broadside_shared::game::Game::VIEW): it shows three
    /// quarters of it, so that leads and shakes never show what the client does not know.
    #[must_use]
    pub const fn follow(view: Vec2) -> Framing {
        let lead = Vec2::new(view.x / 16.0, view.y / 16.0);
        Framing { shown: Vec2::new(view.x * 0.75, view.y * 0.75), lead, shake: view.x / 150.0, whole: false }
    }

    /// For a world that is always shown whole: `size` world units around the middle, with margins beside or above.
    #[must_use]
    pub const fn whole(size: Vec2) -> Framing {
        Framing { shown: size, lead: Vec2::ZERO, shake: size.x / 150.0, whole: true }
    }
}

/// What a picture shows.
#[derive(Debug, Clone)]
pub struct Camera {
    /// Middle of the picture in world units, including the shake.
    pub at: Vec2,
    /// Half of the shown area, in world units.
    pub half: Vec2,
    /// Device pixels per world unit.
    pub scale: f32,
    /// Strength of shakes, 0..=1: less with reduced motion.
    pub(crate) calm: f32,
    framing: Framing,
    lead: Vec2,
    shake: f32,
    random: Random,
}

impl Camera {
    /// A camera at the origin that shows nothing yet.
    #[must_use]
    pub(crate) fn new(framing: Framing) -> Self {
        Camera {
            framing,
            at: Vec2::ZERO,
            half: Vec2::ONE,
            scale: 1.0,
            calm: 1.0,
            lead: Vec2::ZERO,
            shake: 0.0,
            random: Random::new(7),
        }
    }

    /// Fits the picture into `pixels`; `hand`: a handheld screen, whose picture is nearer. A picture that fills its window reaches
    /// beyond `shown` along neither axis.
    pub(crate) fn fit(&mut self, pixels: Vec2, hand: bool) {
        let pixels = pixels.max(Vec2::ONE);
        let Framing { shown, whole, .. } = self.framing;
        self.scale = match (whole, hand) {
            (true, _) => (pixels / shown).min_element(),
            (false, true) => (pixels / (shown * HAND_SHARE)).max_element(),
            (false, false) => (pixels / shown).max_element(),
        };
        self.half = pixels / self.scale * 0.5;
    }

    /// Follows `target` for `dt` seconds; `pointer` is the pointer's position in the window, -1..=1 per axis.
    pub(crate) fn follow(&mut self, target: Vec2, velocity: Vec2, pointer: Vec2, dt: f32) {
        let most = self.framing.lead;
        let wanted = pointer.clamp(-Vec2::ONE, Vec2::ONE) * most * LEAD_POINTER + velocity * LEAD_SECONDS;
        let share = 1.0 - (-LEAD_RATE * dt).exp();
        self.lead += (wanted.clamp(-most, most) - self.lead) * share;
        self.shake = (self.shake - self.shake * SHAKE_DECAY * dt).clamp(0.0, 1.0);
        let reach = self.shake * self.shake * self.framing.shake * self.calm;
        self.at = target + self.lead + Vec2::new(self.random.bell(), self.random.bell()) * reach;
    }

    /// Adds a shake, 0..=1; the sum is at most 1.
    pub(crate) fn shake(&mut self, strength: f32) {
        self.shake = (self.shake + strength).min(1.0);
    }

    /// Whether something at `at` with radius `reach` is in the picture.
    #[must_use]
    pub fn sees(&self, at: Vec2, reach: f32) -> bool {
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

    fn following() -> Camera {
        Camera::new(Framing::follow(VIEW))
    }

    #[test]
    fn no_window_shows_more_than_the_view_wherever_the_camera_leads() {
        for pixels in [(1920.0, 1080.0), (1080.0, 1920.0), (3440.0, 1440.0), (640.0, 640.0), (1.0, 900.0)] {
            let mut camera = following();
            camera.fit(Vec2::from(pixels), false);
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
        let mut camera = following();
        camera.fit(Vec2::new(1280.0, 720.0), true);
        let pixels = camera.half * 2.0 * camera.scale;
        assert!((pixels - Vec2::new(1280.0, 720.0)).length() < 0.01, "{pixels:?}");
    }

    #[test]
    fn a_whole_world_is_in_the_picture_of_any_window() {
        for pixels in [(1920.0, 1080.0), (390.0, 844.0)] {
            let mut camera = Camera::new(Framing::whole(Vec2::new(1000.0, 500.0)));
            camera.fit(Vec2::from(pixels), true);
            camera.follow(Vec2::ZERO, Vec2::splat(4000.0), Vec2::ONE, 1.0);
            assert!(camera.at == Vec2::ZERO && camera.half.cmpge(Vec2::new(499.9, 249.9)).all(), "{camera:?}");
        }
    }

    #[test]
    fn a_shake_dies_away() {
        let mut camera = following();
        camera.shake(1.0);
        for _ in 0..240 {
            camera.follow(Vec2::ZERO, Vec2::ZERO, Vec2::ZERO, 1.0 / 60.0);
        }
        assert!(camera.at.length() < 0.01, "{:?}", camera.at);
    }
}

//! How much the picture may cost on this machine: starts with everything and takes off what does not fit in an image's time.

use crate::gl::Effects;

/// Images averaged before a judgement.
const IMAGES: u32 = 90;
/// Mean time of an image in seconds above which the picture is made cheaper: clearly below 50 images per second.
const SLOW: f32 = 0.0215;
/// Times longer than this are a hiccup of the browser and no measure of the picture.
const HICCUP: f32 = 0.25;
/// A cheaper picture that is not at least this much faster, as a share of the time, was not what the machine lacked: a screen
/// of 30 images per second, say. Then the dearer one comes back for good.
const GAIN: f32 = 0.93;
/// Least share of the window's pixels per axis that is drawn.
const SHARPNESS_MIN: f32 = 0.6;

/// The steering of quality.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quality {
    /// What is drawn.
    pub effects: Effects,
    /// Device pixels per axis as a share of what the screen has.
    pub sharpness: f32,
    fixed: bool,
    /// The last dearer picture, and the mean time it took.
    before: Option<(Effects, f32, f32)>,
    sum: f32,
    images: u32,
}

impl Quality {
    /// From the page's `effects` parameter: `low`, `medium` and `high` are kept whatever they cost.
    #[must_use]
    pub fn new(wish: Option<&str>) -> Self {
        let (effects, fixed) = match wish {
            Some("low") => (Effects::Low, true),
            Some("medium") => (Effects::Medium, true),
            Some("high") => (Effects::High, true),
            Some(_) | None => (Effects::High, false),
        };
        Quality { effects, sharpness: 1.0, fixed, before: None, sum: 0.0, images: 0 }
    }

    /// Takes the time an image took, in seconds, and decides now and then.
    pub fn measure(&mut self, dt: f32) {
        if self.fixed || dt > HICCUP {
            return;
        }
        self.sum += dt;
        self.images += 1;
        if self.images < IMAGES {
            return;
        }
        let mean = self.sum / IMAGES as f32;
        (self.sum, self.images) = (0.0, 0);
        if let Some((effects, sharpness, took)) = self.before.take()
            && mean > took * GAIN
        {
            (self.effects, self.sharpness, self.fixed) = (effects, sharpness, true);
            return;
        }
        if mean < SLOW {
            return;
        }
        self.before = Some((self.effects, self.sharpness, mean));
        match self.effects {
            Effects::High => self.effects = Effects::Medium,
            Effects::Medium | Effects::Low if self.sharpness > SHARPNESS_MIN => {
                self.sharpness = (self.sharpness * 0.8).max(SHARPNESS_MIN);
            }
            Effects::Medium => self.effects = Effects::Low,
            Effects::Low => {}
        }
    }

    /// Device pixels per CSS pixel to draw on a screen that has `ratio` of them.
    #[must_use]
    pub fn pixel_ratio(&self, ratio: f32) -> f32 {
        let most = if self.effects == Effects::Low { 1.0 } else { 2.0 };
        (ratio.clamp(0.5, most) * self.sharpness).max(0.5)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(quality: &mut Quality, dt: f32) {
        (0..IMAGES).for_each(|_| quality.measure(dt));
    }

    #[test]
    fn a_slow_machine_loses_bloom_then_pixels_then_particles() {
        let mut quality = Quality::new(None);
        run(&mut quality, 0.016);
        assert_eq!(quality.effects, Effects::High);
        let mut took = 0.060;
        run(&mut quality, took);
        assert_eq!((quality.effects, quality.sharpness), (Effects::Medium, 1.0));
        for _ in 0..6 {
            took *= 0.85;
            run(&mut quality, took);
        }
        assert_eq!((quality.effects, quality.sharpness), (Effects::Low, SHARPNESS_MIN));
    }

    #[test]
    fn a_slow_screen_keeps_the_full_picture() {
        let mut quality = Quality::new(None);
        run(&mut quality, 0.033);
        assert_eq!(quality.effects, Effects::Medium);
        run(&mut quality, 0.033);
        assert_eq!(quality.effects, Effects::High);
        run(&mut quality, 0.033);
        assert_eq!(quality.effects, Effects::High);
    }

    #[test]
    fn what_the_address_asks_for_stays_and_a_frozen_tab_is_no_measure() {
        let mut low = Quality::new(Some("low"));
        assert_eq!(low.pixel_ratio(3.0), 1.0);
        run(&mut low, 0.1);
        assert_eq!(low.effects, Effects::Low);
        let mut free = Quality::new(None);
        run(&mut free, 5.0);
        assert_eq!(free.effects, Effects::High);
        assert_eq!(free.pixel_ratio(3.0), 2.0);
    }
}

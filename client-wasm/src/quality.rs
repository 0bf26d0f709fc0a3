//! How much the picture may cost on this machine: which renderer draws, and how finely. Starts with everything and takes off what
//! does not fit in an image's time. A machine that draws in software gets the simple renderer within two seconds.

use crate::gl::EffectsLevel;

/// Images averaged before a decision about the full renderer's effects and sharpness.
const IMAGES: u32 = 90;
/// Mean time of an image in seconds above which the picture is made cheaper: clearly below 50 images per second.
const SLOW: f32 = 0.0215;
/// Longer times, in seconds, are a hiccup of the browser and not counted.
const HICCUP: f32 = 0.25;
/// If a cheaper picture takes more than this share of the time of the one before, the machine was not the limit; a screen with 30
/// images per second may be. Then the finer picture comes back for good.
const GAIN: f32 = 0.93;
/// Smallest share of the window's pixels per axis for the full renderer.
const SHARPNESS_MIN: f32 = 0.6;

/// Seconds of a sample that decides whether this machine can use the full renderer at all. Two samples end within two seconds.
const SAMPLE_S: f32 = 0.9;
/// Fewest images of a sample; the longest one is left out, because any machine hiccups.
const SAMPLE_IMAGES: u32 = 3;
/// Mean time in seconds from which on the full renderer is given up after two samples in a row: below 20 images per second.
const HOPELESS_S: f32 = 0.050;
/// The same if the first sample is enough: below 10 images per second.
const UNUSABLE_S: f32 = 0.100;
/// Longer times, in seconds, mean that the page was suspended.
const STOOD_STILL_S: f32 = 1.5;
/// Mean time in seconds above which the simple renderer draws fewer pixels: below 30 images per second.
const SIMPLE_SLOW: f32 = 0.034;
/// Smallest share of the window's pixels per axis for the simple renderer.
const SIMPLE_SHARPNESS_MIN: f32 = 0.5;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Renderer {
    /// WebGL 2, with lights.
    Full,
    /// Flat shapes on a 2D canvas.
    Simple,
}

impl Renderer {
    #[must_use]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Renderer::Full => "full",
            Renderer::Simple => "simple",
        }
    }
}

/// The player's setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EffectsSetting {
    /// Whatever this machine can do.
    Auto,
    /// The full renderer with these effects, whatever it costs.
    Full(EffectsLevel),
    Simple,
}

impl EffectsSetting {
    /// Reads the page's `effects` parameter or the stored setting; an unknown text is `Auto`.
    #[must_use]
    pub(crate) fn from_text(text: Option<&str>) -> EffectsSetting {
        match text {
            Some("simple") => EffectsSetting::Simple,
            Some("low") => EffectsSetting::Full(EffectsLevel::Low),
            Some("medium") => EffectsSetting::Full(EffectsLevel::Medium),
            Some("full" | "high") => EffectsSetting::Full(EffectsLevel::High),
            Some(_) | None => EffectsSetting::Auto,
        }
    }

    /// As [`EffectsSetting::from_text`] reads it, and as the menu shows it.
    #[must_use]
    pub(crate) fn text(self) -> &'static str {
        match self {
            EffectsSetting::Auto => "auto",
            EffectsSetting::Full(EffectsLevel::Low) => "low",
            EffectsSetting::Full(EffectsLevel::Medium) => "medium",
            EffectsSetting::Full(EffectsLevel::High) => "full",
            EffectsSetting::Simple => "simple",
        }
    }

    /// The next setting in the menu.
    #[must_use]
    pub(crate) fn next(self) -> EffectsSetting {
        match self {
            EffectsSetting::Auto => EffectsSetting::Simple,
            EffectsSetting::Simple => EffectsSetting::Full(EffectsLevel::High),
            EffectsSetting::Full(_) => EffectsSetting::Auto,
        }
    }
}

/// Whether a WebGL renderer with this name draws on the CPU.
#[must_use]
pub(crate) fn draws_in_software(renderer: &str) -> bool {
    let name = renderer.to_ascii_lowercase();
    ["swiftshader", "llvmpipe", "softpipe", "software", "basic render"].iter().any(|known| name.contains(known))
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Quality {
    pub(crate) setting: EffectsSetting,
    pub(crate) renderer: Renderer,
    /// The effects of the full renderer.
    pub(crate) effects: EffectsLevel,
    /// Drawn pixels per axis as a share of the screen's.
    pub(crate) sharpness: f32,
    /// Effects and sharpness are final.
    settled: bool,
    /// The last finer picture, and its mean time in seconds.
    before: Option<(EffectsLevel, f32, f32)>,
    sum: f32,
    images: u32,
    sample: Sample,
    /// Whether the last sample was hopeless, and whether any was usable.
    last_hopeless: bool,
    usable_once: bool,
}

/// A sample of images: their number, their total time and the longest, in seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Sample {
    images: u32,
    sum: f32,
    longest: f32,
}

impl Quality {
    /// Starts with the setting; `can_full`: this machine has a GPU for the full renderer.
    #[must_use]
    pub(crate) fn new(setting: EffectsSetting, can_full: bool) -> Self {
        let (renderer, effects) = match setting {
            EffectsSetting::Auto if can_full => (Renderer::Full, EffectsLevel::High),
            EffectsSetting::Auto | EffectsSetting::Simple => (Renderer::Simple, EffectsLevel::High),
            EffectsSetting::Full(effects) => (Renderer::Full, effects),
        };
        let settled = setting != EffectsSetting::Auto;
        let sample = Sample::default();
        Quality {
            setting,
            renderer,
            effects,
            sharpness: 1.0,
            settled,
            before: None,
            sum: 0.0,
            images: 0,
            sample,
            last_hopeless: false,
            usable_once: false,
        }
    }

    /// Takes the time of an image, in seconds, and decides when there is enough data.
    pub(crate) fn measure(&mut self, dt: f32) {
        match self.renderer {
            Renderer::Full if self.setting == EffectsSetting::Auto => {
                if self.sample(dt).is_some_and(|mean| self.is_hopeless(mean)) {
                    (self.renderer, self.sharpness) = (Renderer::Simple, 1.0);
                } else if !self.settled && dt <= HICCUP {
                    self.step(dt);
                }
            }
            Renderer::Full => {}
            Renderer::Simple => {
                if self.sample(dt).is_some_and(|mean| mean > SIMPLE_SLOW) {
                    self.sharpness = (self.sharpness * 0.75).max(SIMPLE_SHARPNESS_MIN);
                }
            }
        }
    }

    /// Whether to give up the full renderer after a sample with this mean time. A machine that was fast enough once may have one
    /// bad second.
    fn is_hopeless(&mut self, mean: f32) -> bool {
        let was_hopeless = std::mem::replace(&mut self.last_hopeless, mean > HOPELESS_S);
        self.usable_once |= mean <= HOPELESS_S;
        self.last_hopeless && (was_hopeless || (!self.usable_once && mean > UNUSABLE_S))
    }

    /// Forgets the running measurements, because the page was not in view.
    pub(crate) fn forget(&mut self) {
        self.sample = Sample::default();
        (self.sum, self.images) = (0.0, 0);
    }

    /// The mean time of a sample's images, once it is complete.
    fn sample(&mut self, dt: f32) -> Option<f32> {
        if dt > STOOD_STILL_S {
            self.sample = Sample::default();
            return None;
        }
        let sample = &mut self.sample;
        (sample.images, sample.sum, sample.longest) = (sample.images + 1, sample.sum + dt, sample.longest.max(dt));
        if sample.sum < SAMPLE_S || sample.images < SAMPLE_IMAGES {
            return None;
        }
        let Sample { images, sum, longest } = std::mem::take(sample);
        Some((sum - longest) / (images - 1) as f32)
    }

    /// Adjusts effects and sharpness of the full renderer.
    fn step(&mut self, dt: f32) {
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
            (self.effects, self.sharpness, self.settled) = (effects, sharpness, true);
            return;
        }
        if mean < SLOW {
            return;
        }
        self.before = Some((self.effects, self.sharpness, mean));
        match self.effects {
            EffectsLevel::High => self.effects = EffectsLevel::Medium,
            EffectsLevel::Medium | EffectsLevel::Low if self.sharpness > SHARPNESS_MIN => {
                self.sharpness = (self.sharpness * 0.8).max(SHARPNESS_MIN);
            }
            EffectsLevel::Medium => self.effects = EffectsLevel::Low,
            EffectsLevel::Low => {}
        }
    }

    /// Device pixels per CSS pixel to draw, on a screen that has `ratio`.
    #[must_use]
    pub(crate) fn pixel_ratio(&self, ratio: f32) -> f32 {
        let most = match (self.renderer, self.effects) {
            (Renderer::Simple, _) | (Renderer::Full, EffectsLevel::Low) => 1.0,
            (Renderer::Full, EffectsLevel::Medium | EffectsLevel::High) => 2.0,
        };
        (ratio.clamp(0.5, most) * self.sharpness).max(0.5)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn auto() -> Quality {
        Quality::new(EffectsSetting::Auto, true)
    }

    fn run(quality: &mut Quality, dt: f32) {
        (0..IMAGES).for_each(|_| quality.measure(dt));
    }

    #[test]
    fn a_slow_machine_loses_bloom_then_pixels_then_particles() {
        let mut quality = auto();
        run(&mut quality, 0.016);
        assert_eq!(quality.effects, EffectsLevel::High);
        let mut took = 0.045;
        run(&mut quality, took);
        assert_eq!((quality.effects, quality.sharpness), (EffectsLevel::Medium, 1.0));
        for _ in 0..6 {
            took *= 0.9;
            run(&mut quality, took);
        }
        assert_eq!((quality.effects, quality.sharpness), (EffectsLevel::Low, SHARPNESS_MIN));
        assert_eq!(quality.renderer, Renderer::Full);
    }

    #[test]
    fn a_slow_screen_keeps_the_full_picture() {
        let mut quality = auto();
        run(&mut quality, 0.033);
        assert_eq!(quality.effects, EffectsLevel::Medium);
        run(&mut quality, 0.033);
        assert_eq!(quality.effects, EffectsLevel::High);
        run(&mut quality, 0.033);
        assert_eq!((quality.effects, quality.renderer), (EffectsLevel::High, Renderer::Full));
    }

    #[test]
    fn a_machine_that_draws_in_software_gets_the_simple_renderer_within_two_seconds() {
        for images_per_s in [2.0f32, 3.0, 6.0, 12.0, 18.0] {
            let (mut quality, mut seconds) = (auto(), 0.0);
            while quality.renderer == Renderer::Full {
                quality.measure(1.0 / images_per_s);
                seconds += 1.0 / images_per_s;
                assert!(seconds <= 2.0, "{images_per_s} images a second");
            }
        }
        assert_eq!(Quality::new(EffectsSetting::Auto, false).renderer, Renderer::Simple);
    }

    #[test]
    fn hiccups_and_times_in_the_background_are_not_measured() {
        let mut quality = auto();
        for n in 0..2000 {
            quality.measure(if n % 50 == 0 { 1.2 } else { 0.016 });
            if n % 300 == 0 {
                quality.measure(30.0);
                quality.forget();
            }
        }
        assert_eq!(quality.renderer, Renderer::Full);
    }

    #[test]
    fn one_bad_second_does_not_end_the_full_renderer() {
        let mut quality = auto();
        // The first images compile shaders; later another program takes the CPU for a second.
        for (images, slow) in [(2, 0.4), (3, 0.3), (6, 0.15)] {
            (0..images).for_each(|_| quality.measure(slow));
            (0..200).for_each(|_| quality.measure(0.016));
        }
        assert_eq!(quality.renderer, Renderer::Full);
    }

    #[test]
    fn the_players_setting_is_never_changed() {
        let mut low = Quality::new(EffectsSetting::from_text(Some("low")), true);
        assert_eq!(low.pixel_ratio(3.0), 1.0);
        run(&mut low, 0.3);
        assert_eq!((low.effects, low.renderer), (EffectsLevel::Low, Renderer::Full));
        let mut full = Quality::new(EffectsSetting::from_text(Some("full")), false);
        run(&mut full, 0.4);
        assert_eq!((full.effects, full.renderer, full.pixel_ratio(3.0)), (EffectsLevel::High, Renderer::Full, 2.0));
        let mut simple = Quality::new(EffectsSetting::from_text(Some("simple")), true);
        run(&mut simple, 0.016);
        assert_eq!((simple.renderer, simple.pixel_ratio(3.0)), (Renderer::Simple, 1.0));
        run(&mut simple, 0.1);
        assert_eq!((simple.renderer, simple.pixel_ratio(3.0)), (Renderer::Simple, SIMPLE_SHARPNESS_MIN));
    }

    #[test]
    fn the_menu_cycles_and_every_setting_survives_a_round_trip() {
        let mut setting = EffectsSetting::Auto;
        for _ in 0..3 {
            assert_eq!(EffectsSetting::from_text(Some(setting.text())), setting);
            setting = setting.next();
        }
        assert_eq!(setting, EffectsSetting::Auto);
        assert_eq!(EffectsSetting::from_text(Some("pretty")), EffectsSetting::Auto);
    }

    #[test]
    fn renderers_without_a_gpu_are_known_by_name() {
        for name in [
            "ANGLE (Google, Vulkan 1.3.0 (SwiftShader Device (Subzero) (0x0000C0DE)), SwiftShader driver)",
            "llvmpipe (LLVM 15.0.6, 256 bits)",
            "Software Adapter",
            "ANGLE (Microsoft, Microsoft Basic Render Driver Direct3D11 vs_5_0 ps_5_0)",
        ] {
            assert!(draws_in_software(name), "{name}");
        }
        assert!(!draws_in_software("ANGLE (Intel, Mesa Intel(R) UHD Graphics 620 (KBL GT2), OpenGL 4.6)"));
    }
}

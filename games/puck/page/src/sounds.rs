//! Every sound of puck beside those of the shell.

use broadside_client::synth::{Low, chime, phase_of_fall, saw, sine, tone};
use broadside_client::{Random, Sound, SoundId};

pub(crate) const KICK: SoundId = SoundId::own(0);
/// A disc on the puck.
pub(crate) const TOUCH: SoundId = SoundId::own(1);
/// The puck on the boards.
pub(crate) const BOARDS: SoundId = SoundId::own(2);
/// The puck on a post.
pub(crate) const POST: SoundId = SoundId::own(3);
/// Two discs.
pub(crate) const CLASH: SoundId = SoundId::own(4);
/// A goal.
pub(crate) const HORN: SoundId = SoundId::own(5);

/// In the order of their numbers.
pub(crate) const SOUNDS: [Sound; 6] = [
    Sound::once(kick),
    Sound::once(touch),
    Sound::once(boards),
    Sound::once(post),
    Sound::once(clash),
    Sound::once(horn),
];

fn kick() -> Vec<f32> {
    let (mut random, mut noise) = (Random::new(1), Low::default());
    tone(0.2, |t| {
        let crack = noise.pass(random.bell(), 0.7) * 1.3 * (-t * 70.0).exp();
        crack + sine(phase_of_fall(90.0, 420.0, 30.0, t)) * 0.8 * (-t * 18.0).exp()
    })
}

fn touch() -> Vec<f32> {
    let (mut random, mut noise) = (Random::new(2), Low::default());
    tone(0.09, |t| {
        let tick = noise.pass(random.bell(), 0.8) * 0.8 * (-t * 110.0).exp();
        tick + (sine(620.0 * t) + sine(1010.0 * t) * 0.5) * 0.3 * (-t * 55.0).exp()
    })
}

fn boards() -> Vec<f32> {
    let (mut random, mut noise) = (Random::new(3), Low::default());
    tone(0.26, |t| {
        let rattle = noise.pass(random.bell(), 0.25) * 1.6 * (-t * 26.0).exp();
        rattle + sine(phase_of_fall(110.0, 90.0, 25.0, t)) * 0.5 * (-t * 20.0).exp()
    })
}

fn post() -> Vec<f32> {
    tone(0.7, |t| {
        let ring = sine(1320.0 * t) * 0.4 + sine(2105.0 * t) * 0.25 + sine(3470.0 * t) * 0.12;
        ring * (-t * 7.0).exp()
    })
}

fn clash() -> Vec<f32> {
    let (mut random, mut noise) = (Random::new(5), Low::default());
    tone(0.14, |t| {
        let scrape = noise.pass(random.bell(), 0.4) * 0.9 * (-t * 34.0).exp();
        scrape + sine(240.0 * t) * 0.35 * (-t * 30.0).exp()
    })
}

fn horn() -> Vec<f32> {
    let cheer = chime(&[523.3, 659.3, 784.0, 1046.5], 0.09, 1.3);
    let blast = tone(1.3, |t| {
        let chord = saw(146.8 * t) * 0.5 + saw(185.0 * t) * 0.4 + saw(220.0 * t) * 0.3;
        chord * 0.4 * (t * 30.0).min(1.0) * (-(t - 0.55).max(0.0) * 7.0).exp()
    });
    blast.iter().zip(&cheer).map(|(blast, cheer)| (blast + cheer * 0.5).clamp(-1.0, 1.0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sound_is_heard_and_none_clips_or_clicks() {
        for (number, sound) in SOUNDS.iter().enumerate() {
            let samples = (sound.samples)();
            let loudest = samples.iter().fold(0.0f32, |top, s| top.max(s.abs()));
            assert!((0.1..=1.0).contains(&loudest), "{number}: {loudest}");
            assert!(samples.last().is_some_and(|s| s.abs() < 0.02), "{number} ends abruptly");
        }
    }
}

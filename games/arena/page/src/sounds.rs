//! Every sound of the arena beside those of the shell.

use broadside_client::synth::{Low, RATE, chime, phase_of_fall, saw, sine, tone, tone_flat};
use broadside_client::{Random, Sound, SoundId};

pub(crate) const LASER: SoundId = SoundId::own(0);
pub(crate) const RAIL: SoundId = SoundId::own(1);
/// A shot on a hull.
pub(crate) const HIT: SoundId = SoundId::own(2);
/// A shot on a shield.
pub(crate) const SHIELD: SoundId = SoundId::own(3);
/// A shot on a rock.
pub(crate) const CHIP: SoundId = SoundId::own(4);
/// A ship is sunk.
pub(crate) const BLAST: SoundId = SoundId::own(5);
/// A ship sunk by the own one.
pub(crate) const KILL: SoundId = SoundId::own(6);
/// The engine.
pub(crate) const ENGINE: SoundId = SoundId::own(7);
/// A pickup, and a new ship: as when a match is won, and when a round begins.
pub(crate) const PICKUP: SoundId = SoundId::WON;
pub(crate) const LAUNCH: SoundId = SoundId::BEGIN;

/// In the order of their numbers.
pub(crate) const SOUNDS: [Sound; 9] = [
    Sound::once(laser),
    Sound::once(rail),
    Sound::once(hit),
    Sound::once(shield),
    Sound::once(chip),
    Sound::once(blast),
    Sound::once(kill),
    Sound::looped(engine, 0.0),
    Sound::looped(drone, 0.16),
];

fn laser() -> Vec<f32> {
    let mut random = Random::new(1);
    tone(0.19, |t| {
        let pitch = 190.0 + 1250.0 * (-t * 24.0).exp();
        let body = saw(phase_of_fall(190.0, 1250.0, 24.0, t)) * 0.4 + sine(pitch * 0.5 * t) * 0.3;
        (body + random.bell() * 0.25 * (-t * 60.0).exp()) * (-t * 17.0).exp()
    })
}

fn rail() -> Vec<f32> {
    let (mut random, mut noise) = (Random::new(2), Low::default());
    tone(0.8, |t| {
        let sweep = saw(phase_of_fall(48.0, 2600.0, 17.0, t)) * 0.45 * (-t * 7.0).exp();
        let hiss = noise.pass(random.bell(), 0.5) * 0.9 * (-t * 26.0).exp();
        let sing = sine(1244.0 * t + 1.6 * sine(310.0 * t)) * 0.16 * (-t * 5.0).exp();
        ((sweep + hiss + sing) * 1.2).tanh()
    })
}

fn hit() -> Vec<f32> {
    let (mut random, mut noise) = (Random::new(3), Low::default());
    tone(0.24, |t| {
        let crunch = noise.pass(random.bell(), 0.35) * 1.6 * (-t * 24.0).exp();
        let ring = (sine(431.0 * t) + sine(677.0 * t) * 0.6) * 0.25 * (-t * 30.0).exp();
        crunch + ring + sine(phase_of_fall(60.0, 120.0, 20.0, t)) * 0.5 * (-t * 16.0).exp()
    })
}

fn shield() -> Vec<f32> {
    tone(0.34, |t| {
        let shimmer = sine(940.0 * t + 2.0 * sine(71.0 * t)) * 0.3 + sine(1411.0 * t) * 0.16;
        shimmer * (-t * 11.0).exp()
    })
}

fn chip() -> Vec<f32> {
    let (mut random, mut noise) = (Random::new(5), Low::default());
    tone(0.16, |t| noise.pass(random.bell(), 0.6) * 1.1 * (-t * 38.0).exp())
}

fn blast() -> Vec<f32> {
    let (mut random, mut noise) = (Random::new(6), Low::default());
    tone(1.5, |t| {
        let open = 0.02 + 0.5 * (-t * 5.0).exp();
        let roar = noise.pass(random.bell(), open) * 2.4 * (-t * 3.2).exp();
        let thump = sine(phase_of_fall(34.0, 110.0, 9.0, t)) * 0.9 * (-t * 4.2).exp();
        let crackle = if random.unit() > 0.995 { random.bell() * 0.6 * (-t * 3.0).exp() } else { 0.0 };
        ((roar + thump + crackle) * 1.1).tanh()
    })
}

fn kill() -> Vec<f32> {
    chime(&[659.3, 987.8, 1318.5, 1975.5], 0.055, 0.7)
}

/// Noise and a low hum whose parts all fit the loop a whole number of times.
fn engine() -> Vec<f32> {
    let seconds = 1.0;
    let (mut random, mut low) = (Random::new(12), Low::default());
    let mut samples = tone_flat(seconds, |t| {
        let hum = saw(55.0 * t) * 0.22 + sine(82.0 * t) * 0.18 + sine(110.0 * t) * 0.10;
        hum + low.pass(random.bell(), 0.10) * 0.9
    });
    // The noise has no period: its end is faded into its start.
    let (blend, last) = (RATE as usize / 8, samples.len());
    for n in 0..blend {
        let share = n as f32 / blend as f32;
        samples[n] = samples[n] * share + samples[last - blend + n] * (1.0 - share);
    }
    samples.truncate(last - blend);
    samples
}

/// A slow low chord.
fn drone() -> Vec<f32> {
    tone_flat(8.0, |t| {
        let swell = |turns: f32| 0.6 + 0.4 * sine(turns);
        let low = sine(55.0 * t) * swell(t / 8.0) + sine(82.5 * t) * 0.6 * swell(t / 4.0 + 0.3);
        let high = sine(220.0 * t + 0.3 * sine(t / 2.0)) * 0.10 * swell(t / 8.0 + 0.6)
            + sine(330.25 * t) * 0.06 * swell(t / 4.0);
        (low * 0.32 + high) * 0.6
    })
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
            let ends = samples.last().is_some_and(|s| s.abs() < 0.02);
            assert!(ends || sound.looped.is_some(), "{number} ends abruptly");
        }
    }

    #[test]
    fn loops_join_without_a_seam() {
        for sound in SOUNDS.iter().filter(|sound| sound.looped.is_some()) {
            let samples = (sound.samples)();
            let jump = |a: f32, b: f32| (a - b).abs();
            let usual = samples.windows(2).map(|w| jump(w[0], w[1])).fold(0.0, f32::max);
            let seam = jump(samples[samples.len() - 1], samples[0]);
            assert!(seam <= usual * 1.05, "{seam} against {usual}");
        }
    }
}

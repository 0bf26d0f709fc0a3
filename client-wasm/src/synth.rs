//! Every sound of the game, computed from oscillators, noise and envelopes. There are no recordings.

use std::f32::consts::TAU;

use crate::random::Random;

pub(crate) const RATE: f32 = 32_000.0;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sound {
    Laser,
    Rail,
    /// A shot on a hull.
    Hit,
    /// A shot on a shield.
    Shield,
    /// A shot on a rock.
    Chip,
    /// A ship is sunk.
    Blast,
    Pickup,
    /// A new ship.
    Launch,
    /// A confirmed hit by the own ship.
    Mark,
    /// A ship sunk by the own one.
    Kill,
    /// A button.
    Click,
    /// The engine: loops without a seam.
    Engine,
    /// Deep space: loops without a seam.
    Drone,
}

impl Sound {
    /// Every sound, in the order of its number.
    pub(crate) const ALL: [Sound; 13] = [
        Sound::Laser,
        Sound::Rail,
        Sound::Hit,
        Sound::Shield,
        Sound::Chip,
        Sound::Blast,
        Sound::Pickup,
        Sound::Launch,
        Sound::Mark,
        Sound::Kill,
        Sound::Click,
        Sound::Engine,
        Sound::Drone,
    ];

    /// Its samples, -1..=1.
    #[must_use]
    pub(crate) fn samples(self) -> Vec<f32> {
        let mut random = Random::new(self as u32 + 1);
        let mut noise = Low::default();
        match self {
            Sound::Laser => tone(0.19, |t| {
                let pitch = 190.0 + 1250.0 * (-t * 24.0).exp();
                let body = saw(phase_of_fall(190.0, 1250.0, 24.0, t)) * 0.4 + sine(pitch * 0.5 * t) * 0.3;
                (body + random.bell() * 0.25 * (-t * 60.0).exp()) * (-t * 17.0).exp()
            }),
            Sound::Rail => tone(0.8, |t| {
                let sweep = saw(phase_of_fall(48.0, 2600.0, 17.0, t)) * 0.45 * (-t * 7.0).exp();
                let hiss = noise.pass(random.bell(), 0.5) * 0.9 * (-t * 26.0).exp();
                let sing = sine(1244.0 * t + 1.6 * sine(310.0 * t)) * 0.16 * (-t * 5.0).exp();
                ((sweep + hiss + sing) * 1.2).tanh()
            }),
            Sound::Hit => tone(0.24, |t| {
                let crunch = noise.pass(random.bell(), 0.35) * 1.6 * (-t * 24.0).exp();
                let ring = (sine(431.0 * t) + sine(677.0 * t) * 0.6) * 0.25 * (-t * 30.0).exp();
                crunch + ring + sine(phase_of_fall(60.0, 120.0, 20.0, t)) * 0.5 * (-t * 16.0).exp()
            }),
            Sound::Shield => tone(0.34, |t| {
                let shimmer = sine(940.0 * t + 2.0 * sine(71.0 * t)) * 0.3 + sine(1411.0 * t) * 0.16;
                shimmer * (-t * 11.0).exp()
            }),
            Sound::Chip => tone(0.16, |t| noise.pass(random.bell(), 0.6) * 1.1 * (-t * 38.0).exp()),
            Sound::Blast => tone(1.5, |t| {
                let open = 0.02 + 0.5 * (-t * 5.0).exp();
                let roar = noise.pass(random.bell(), open) * 2.4 * (-t * 3.2).exp();
                let thump = sine(phase_of_fall(34.0, 110.0, 9.0, t)) * 0.9 * (-t * 4.2).exp();
                let crackle = if random.unit() > 0.995 { random.bell() * 0.6 * (-t * 3.0).exp() } else { 0.0 };
                ((roar + thump + crackle) * 1.1).tanh()
            }),
            Sound::Pickup => chime(&[523.3, 784.0, 1046.5], 0.065, 0.5),
            Sound::Launch => tone(0.7, |t| {
                let rise = sine(120.0 * t + 260.0 * t * t) * 0.35 + noise.pass(random.bell(), 0.12) * 0.5;
                rise * (t * 4.0).min(1.0) * (-(t - 0.3).max(0.0) * 9.0).exp()
            }),
            Sound::Mark => tone(0.06, |t| (sine(1750.0 * t) + sine(2600.0 * t) * 0.4) * 0.5 * (-t * 70.0).exp()),
            Sound::Kill => chime(&[659.3, 987.8, 1318.5, 1975.5], 0.055, 0.7),
            Sound::Click => tone(0.05, |t| sine(900.0 * t) * 0.5 * (-t * 90.0).exp()),
            Sound::Engine => engine(&mut random),
            Sound::Drone => drone(),
        }
    }
}

/// One-pole low pass.
#[derive(Default)]
struct Low(f32);

impl Low {
    fn pass(&mut self, input: f32, open: f32) -> f32 {
        self.0 += (input - self.0) * open;
        self.0
    }
}

fn tone(seconds: f32, mut at: impl FnMut(f32) -> f32) -> Vec<f32> {
    let count = (seconds * RATE) as usize;
    let last = count as f32;
    // The last 5 ms fade whatever the envelope: no click.
    let fade = 0.005 * RATE;
    (0..count).map(|n| at(n as f32 / RATE).clamp(-1.0, 1.0) * ((last - n as f32) / fade).min(1.0)).collect()
}

/// Sine after `turns`.
fn sine(turns: f32) -> f32 {
    (turns.fract() * TAU).sin()
}

/// Sawtooth after `turns`, without its sharpest harmonics.
fn saw(turns: f32) -> f32 {
    (1..=6).map(|n| sine(turns * n as f32) / n as f32).sum::<f32>() * 0.6
}

/// Turns after `t` seconds of a pitch that falls from `base + above` to `base` at `rate`: the integral, so that the pitch glides.
fn phase_of_fall(base: f32, above: f32, rate: f32, t: f32) -> f32 {
    base * t + above * (1.0 - (-rate * t).exp()) / rate
}

/// Notes one after another, each ringing on.
fn chime(notes: &[f32], apart: f32, seconds: f32) -> Vec<f32> {
    tone(seconds, |t| {
        let ring = |(n, pitch): (usize, &f32)| {
            let t = t - n as f32 * apart;
            if t < 0.0 { 0.0 } else { (sine(pitch * t) + 0.3 * sine(pitch * 2.0 * t)) * 0.30 * (-t * 9.0).exp() }
        };
        notes.iter().enumerate().map(ring).sum()
    })
}

/// Noise and a low hum whose parts all fit the loop a whole number of times.
fn engine(random: &mut Random) -> Vec<f32> {
    let seconds = 1.0;
    let mut low = Low::default();
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

fn tone_flat(seconds: f32, at: impl FnMut(f32) -> f32) -> Vec<f32> {
    (0..(seconds * RATE) as usize).map(|n| n as f32 / RATE).map(at).map(|s| s.clamp(-1.0, 1.0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sound_is_heard_and_none_clips_or_clicks() {
        for sound in Sound::ALL {
            let samples = sound.samples();
            let loudest = samples.iter().fold(0.0f32, |top, s| top.max(s.abs()));
            assert!((0.1..=1.0).contains(&loudest), "{sound:?}: {loudest}");
            if !matches!(sound, Sound::Engine | Sound::Drone) {
                assert!(samples.last().is_some_and(|s| s.abs() < 0.02), "{sound:?} ends abruptly");
            }
        }
    }

    #[test]
    fn loops_join_without_a_seam() {
        for sound in [Sound::Engine, Sound::Drone] {
            let samples = sound.samples();
            let jump = |a: f32, b: f32| (a - b).abs();
            let usual = samples.windows(2).map(|w| jump(w[0], w[1])).fold(0.0, f32::max);
            let seam = jump(samples[samples.len() - 1], samples[0]);
            assert!(seam <= usual * 1.05, "{sound:?}: {seam} against {usual}");
        }
    }
}

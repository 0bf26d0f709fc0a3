//! Sounds computed from oscillators, noise and envelopes: there are no recordings.

use std::f32::consts::TAU;

use crate::random::Random;
use crate::sound::{Sound, SoundGroup};

/// Samples per second.
pub const RATE: f32 = 32_000.0;

/// The sounds of the shell, in the order of their [`SoundId`](crate::SoundId)s.
pub(crate) const SHELL: [Sound; 4] = [voice(click), voice(mark), voice(begin), voice(won)];

const fn voice(samples: fn() -> Vec<f32>) -> Sound {
    Sound::once(samples).of(SoundGroup::Voice)
}

fn click() -> Vec<f32> {
    tone(0.05, |t| sine(900.0 * t) * 0.5 * (-t * 90.0).exp())
}

fn mark() -> Vec<f32> {
    tone(0.06, |t| (sine(1750.0 * t) + sine(2600.0 * t) * 0.4) * 0.5 * (-t * 70.0).exp())
}

fn begin() -> Vec<f32> {
    let (mut random, mut noise) = (Random::new(8), Low::default());
    tone(0.7, |t| {
        let rise = sine(120.0 * t + 260.0 * t * t) * 0.35 + noise.pass(random.bell(), 0.12) * 0.5;
        rise * (t * 4.0).min(1.0) * (-(t - 0.3).max(0.0) * 9.0).exp()
    })
}

fn won() -> Vec<f32> {
    chime(&[523.3, 784.0, 1046.5], 0.065, 0.5)
}

/// One-pole low pass.
#[derive(Debug, Default)]
pub struct Low(f32);

impl Low {
    /// The filtered sample; `open` is 0..=1.
    pub fn pass(&mut self, input: f32, open: f32) -> f32 {
        self.0 += (input - self.0) * open;
        self.0
    }
}

/// A sound of this length from its samples by time; it fades at its end.
pub fn tone(seconds: f32, mut at: impl FnMut(f32) -> f32) -> Vec<f32> {
    let count = (seconds * RATE) as usize;
    let last = count as f32;
    // The last 5 ms fade whatever the envelope: no click.
    let fade = 0.005 * RATE;
    (0..count).map(|n| at(n as f32 / RATE).clamp(-1.0, 1.0) * ((last - n as f32) / fade).min(1.0)).collect()
}

/// Sine after `turns`.
#[must_use]
pub fn sine(turns: f32) -> f32 {
    (turns.fract() * TAU).sin()
}

/// Sawtooth after `turns`, without its sharpest harmonics.
#[must_use]
pub fn saw(turns: f32) -> f32 {
    (1..=6).map(|n| sine(turns * n as f32) / n as f32).sum::<f32>() * 0.6
}

/// Turns after `t` seconds of a pitch that falls from `base + above` to `base` at `rate`: the integral, so that the pitch glides.
#[must_use]
pub fn phase_of_fall(base: f32, above: f32, rate: f32, t: f32) -> f32 {
    base * t + above * (1.0 - (-rate * t).exp()) / rate
}

/// Notes one after another, each ringing on.
#[must_use]
pub fn chime(notes: &[f32], apart: f32, seconds: f32) -> Vec<f32> {
    tone(seconds, |t| {
        let ring = |(n, pitch): (usize, &f32)| {
            let t = t - n as f32 * apart;
            if t < 0.0 { 0.0 } else { (sine(pitch * t) + 0.3 * sine(pitch * 2.0 * t)) * 0.30 * (-t * 9.0).exp() }
        };
        notes.iter().enumerate().map(ring).sum()
    })
}

/// The same without a fade, for loops.
pub fn tone_flat(seconds: f32, at: impl FnMut(f32) -> f32) -> Vec<f32> {
    (0..(seconds * RATE) as usize).map(|n| n as f32 / RATE).map(at).map(|s| s.clamp(-1.0, 1.0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sound_is_heard_and_none_clips_or_clicks() {
        for (number, sound) in SHELL.iter().enumerate() {
            let samples = (sound.samples)();
            let loudest = samples.iter().fold(0.0f32, |top, s| top.max(s.abs()));
            assert!((0.1..=1.0).contains(&loudest), "{number}: {loudest}");
            assert!(samples.last().is_some_and(|s| s.abs() < 0.02), "{number} ends abruptly");
        }
    }
}

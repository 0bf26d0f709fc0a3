//! Sound through WebAudio: plays what [`crate::synth`] computed. Silent until the first user gesture, as browsers demand.

use glam::Vec2;
use web_sys::{AudioBuffer, AudioContext, AudioContextState, GainNode};

use crate::browser;
use crate::stage::{Effect, Stage};
use crate::synth::{RATE, Sound};

/// Storage keys of volume and mute.
const VOLUME_KEY: &str = "broadside.volume";
const MUTED_KEY: &str = "broadside.muted";
/// The same sound twice within this time, in seconds, is played once.
const APART: f64 = 0.028;
/// Distance at which a sound is half as loud, in world units.
const HALF_AT: f32 = 420.0;

pub(crate) struct Speaker {
    mixer: Option<Mixer>,
    /// 0..=100.
    volume: u32,
    muted: bool,
}

/// What exists once the browser allows sound.
struct Mixer {
    context: AudioContext,
    master: GainNode,
    buffers: Vec<AudioBuffer>,
    last: Vec<f64>,
    engine: Option<(GainNode, web_sys::AudioBufferSourceNode)>,
}

impl Speaker {
    /// A speaker with the stored volume.
    #[must_use]
    pub(crate) fn new() -> Self {
        let volume = browser::recall(VOLUME_KEY).and_then(|v| v.parse().ok()).unwrap_or(70).min(100);
        Speaker { mixer: None, volume, muted: browser::recall(MUTED_KEY).as_deref() == Some("1") }
    }

    /// Call it in a gesture's handler: the first call opens the audio, later ones resume it if the browser suspended it.
    pub(crate) fn unlock(&mut self) {
        if self.mixer.is_none() {
            self.mixer = Mixer::open();
            self.apply_volume();
        }
        if let Some(mixer) = &self.mixer
            && mixer.context.state() == AudioContextState::Suspended
        {
            // If the browser refuses, the next gesture calls this again.
            let _ = mixer.context.resume();
        }
    }

    #[must_use]
    pub(crate) fn volume(&self) -> u32 {
        self.volume
    }

    #[must_use]
    pub(crate) fn muted(&self) -> bool {
        self.muted
    }

    /// Sets the volume, 0..=100, and stores it.
    pub(crate) fn set_volume(&mut self, volume: u32) {
        self.volume = volume.min(100);
        self.muted = false;
        self.remember();
    }

    /// Mutes or unmutes, and stores it.
    pub(crate) fn toggle_mute(&mut self) {
        self.muted = !self.muted;
        self.remember();
    }

    fn remember(&self) {
        browser::remember(VOLUME_KEY, &self.volume.to_string());
        browser::remember(MUTED_KEY, if self.muted { "1" } else { "0" });
        self.apply_volume();
    }

    fn apply_volume(&self) {
        if let Some(mixer) = &self.mixer {
            let share = if self.muted { 0.0 } else { self.volume as f32 / 100.0 };
            // Perceived loudness is about the square.
            mixer.master.gain().set_value(share * share);
        }
    }

    /// Computes at most one missing sound: called once per image, so that no image stutters.
    pub(crate) fn prepare(&mut self) {
        if let Some(mixer) = &mut self.mixer {
            mixer.prepare();
        }
    }

    pub(crate) fn click(&mut self, sound: Sound) {
        if let Some(mixer) = &mut self.mixer {
            mixer.play(sound, 0.5, 0.0, 1.0);
        }
    }

    /// Plays the stage's effects as heard from `ear`, and sets the engine's sound.
    pub(crate) fn play_effects(&mut self, stage: &Stage, ear: Vec2, loud: f32) {
        let Some(mixer) = &mut self.mixer else { return };
        for effect in &stage.effects {
            let own = |player: u16| stage.own == Some(player);
            let (sound, at, gain) = match *effect {
                Effect::Fired { player, at, .. } => (Sound::Laser, at, if own(player) { 0.34 } else { 0.26 }),
                Effect::Railed { player, from, .. } => (Sound::Rail, from, if own(player) { 0.6 } else { 0.5 }),
                Effect::Judged { now: None, .. } => (Sound::Mark, ear, 0.5),
                Effect::Judged { now: Some(_), .. } => continue,
                Effect::Struck { player, at, shielded: false, .. } => {
                    (Sound::Hit, at, if own(player) { 0.95 } else { 0.4 })
                }
                Effect::Struck { player, at, shielded: true, .. } => {
                    (Sound::Shield, at, if own(player) { 0.8 } else { 0.35 })
                }
                Effect::Chipped { at } => (Sound::Chip, at, 0.22),
                Effect::Sunk { at, .. } => (Sound::Blast, at, 0.95),
                Effect::Taken { player, at, .. } => (Sound::Pickup, at, if own(player) { 0.6 } else { 0.15 }),
                Effect::Launched { player, at } => (Sound::Launch, at, if own(player) { 0.6 } else { 0.15 }),
                Effect::Dealt { .. } => (Sound::Mark, ear, 0.35),
            };
            let off = at - ear;
            let near = 1.0 / (1.0 + (off.length() / HALF_AT).powi(2));
            if near * gain > 0.02 {
                let pitch = 0.94 + 0.12 * (at.x * 0.37 + at.y * 0.73).fract().abs();
                mixer.play(sound, gain * near * loud, (off.x / 800.0).clamp(-0.85, 0.85), pitch);
            }
        }
        let thrust = stage.own_ship().map_or(0.0, |ship| if ship.thrust { 1.0 } else { 0.25 });
        let pace = stage.own_ship().map_or(0.0, |ship| ship.velocity.length() / 450.0);
        mixer.drive(thrust * 0.20 * loud, 0.75 + 0.55 * pace);
    }
}

impl Mixer {
    fn open() -> Option<Mixer> {
        let context = AudioContext::new().ok()?;
        let master = context.create_gain().ok()?;
        // A dozen cannons at once must not clip.
        let limiter = context.create_dynamics_compressor().ok()?;
        master.connect_with_audio_node(&limiter).ok()?;
        limiter.connect_with_audio_node(&context.destination()).ok()?;
        Some(Mixer { context, master, buffers: Vec::new(), last: vec![-1.0; Sound::ALL.len()], engine: None })
    }

    fn prepare(&mut self) {
        let Some(sound) = Sound::ALL.get(self.buffers.len()) else { return };
        let samples = sound.samples();
        let Ok(buffer) = self.context.create_buffer(1, samples.len() as u32, RATE) else { return };
        if buffer.copy_to_channel(&samples, 0).is_err() {
            return;
        }
        self.buffers.push(buffer);
        match sound {
            Sound::Engine => self.engine = self.start_loop(Sound::Engine, 0.0),
            Sound::Drone => {
                self.start_loop(Sound::Drone, 0.16);
            }
            _ => {}
        }
    }

    fn start_loop(&self, sound: Sound, gain: f32) -> Option<(GainNode, web_sys::AudioBufferSourceNode)> {
        let source = self.context.create_buffer_source().ok()?;
        source.set_buffer(self.buffers.get(sound as usize));
        source.set_loop(true);
        let volume = self.context.create_gain().ok()?;
        volume.gain().set_value(gain);
        source.connect_with_audio_node(&volume).ok()?;
        volume.connect_with_audio_node(&self.master).ok()?;
        source.start().ok()?;
        Some((volume, source))
    }

    fn drive(&self, gain: f32, rate: f32) {
        let Some((volume, source)) = &self.engine else { return };
        let now = self.context.current_time();
        // Both glide, because a step would click. If it fails, they stay as they were.
        let _ = volume.gain().set_target_at_time(gain, now, 0.08);
        let _ = source.playback_rate().set_target_at_time(rate, now, 0.15);
    }

    fn play(&mut self, sound: Sound, gain: f32, pan: f32, rate: f32) -> Option<()> {
        let now = self.context.current_time();
        let last = self.last.get_mut(sound as usize)?;
        if now - *last < APART {
            return None;
        }
        *last = now;
        let source = self.context.create_buffer_source().ok()?;
        source.set_buffer(Some(self.buffers.get(sound as usize)?));
        source.playback_rate().set_value(rate);
        let volume = self.context.create_gain().ok()?;
        volume.gain().set_value(gain);
        let side = self.context.create_stereo_panner().ok()?;
        side.pan().set_value(pan);
        source.connect_with_audio_node(&volume).ok()?;
        volume.connect_with_audio_node(&side).ok()?;
        side.connect_with_audio_node(&self.master).ok()?;
        source.start().ok()
    }
}

//! Sound through WebAudio: plays what was computed. Silent until the first user gesture, as browsers demand.

use glam::Vec2;
use web_sys::{AudioBuffer, AudioContext, AudioContextState, AudioNode, BiquadFilterType, GainNode, OscillatorType};

use crate::score::{self, Note, Tension};
use crate::settings::Volumes;
use crate::synth::{RATE, SHELL};

/// The same sound twice within this time, in seconds, is played once.
const APART: f64 = 0.028;
/// Distance at which a sound is half as loud, and at which it comes from one side, as shares of the width of the game's view.
const HALF_AT: f32 = 0.22;
const SIDE_AT: f32 = 0.42;
/// Frequency above which a sound behind an obstacle is damped, in hertz, and the volume that is left of it.
const MUFFLED_HZ: f32 = 620.0;
const MUFFLED_GAIN: f32 = 0.7;
/// Volume of the score, and what is left of it and of loops under a loud sound.
const SCORE_GAIN: f32 = 0.22;
const DUCKED: f32 = 0.25;
/// How far ahead notes are scheduled, in seconds: longer than images are apart.
const AHEAD_S: f64 = 0.35;
/// Sounds kept until the next image; among that many, one more is not missed.
const QUEUED_MAX: usize = 64;

/// Sounds that share a volume setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SoundGroup {
    /// What happens in the game.
    Effects,
    /// Music.
    Music,
    /// Clicks and chimes of the interface.
    Voice,
}

/// A sound of the shell or of a game.
#[derive(Debug, Clone, Copy)]
pub struct Sound {
    /// Computes its samples, -1..=1, at [`RATE`].
    pub samples: fn() -> Vec<f32>,
    /// The volume that it starts with and keeps, looping without an end, until [`Cues::drive`](crate::Cues::drive) changes it; `None` for a sound that
    /// is played when something happens.
    pub looped: Option<f32>,
    /// Whose volume setting it follows.
    pub group: SoundGroup,
}

impl Sound {
    /// A sound that is played when something happens.
    #[must_use]
    pub const fn once(samples: fn() -> Vec<f32>) -> Sound {
        Sound { samples, looped: None, group: SoundGroup::Effects }
    }

    /// A sound that always plays, at first with this volume.
    #[must_use]
    pub const fn looped(samples: fn() -> Vec<f32>, gain: f32) -> Sound {
        Sound { samples, looped: Some(gain), group: SoundGroup::Effects }
    }

    /// This sound, with the volume of another group.
    #[must_use]
    pub const fn of(self, group: SoundGroup) -> Sound {
        Sound { group, ..self }
    }
}

/// Names a sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SoundId(usize);

impl SoundId {
    /// A button.
    pub const CLICK: SoundId = SoundId(0);
    /// Something small that the player should notice.
    pub const MARK: SoundId = SoundId(1);
    /// Something begins.
    pub const BEGIN: SoundId = SoundId(2);
    /// Something was won.
    pub const WON: SoundId = SoundId(3);

    /// The sound with this index in [`Cartridge::SOUNDS`](crate::Cartridge::SOUNDS).
    #[must_use]
    pub const fn own(index: usize) -> SoundId {
        SoundId(SHELL.len() + index)
    }
}

/// A sound that waits to be played.
#[derive(Debug, Clone, Copy)]
struct Cry {
    sound: SoundId,
    at: Vec2,
    gain: f32,
    muffled: bool,
}

/// Sounds that wait for the next image.
#[derive(Debug, Default)]
pub(crate) struct Sounds {
    once: Vec<Cry>,
    driven: Vec<(SoundId, f32, f32)>,
    /// How much goes on, 0..=1: it decides how dense the score is.
    tension: f32,
    ducks: bool,
}

impl Sounds {
    pub(crate) fn play(&mut self, sound: SoundId, at: Vec2, gain: f32, muffled: bool) {
        if self.once.len() < QUEUED_MAX {
            self.once.push(Cry { sound, at, gain, muffled });
        }
    }

    pub(crate) fn tension(&mut self, tension: f32) {
        self.tension = tension;
    }

    pub(crate) fn duck(&mut self) {
        self.ducks = true;
    }

    pub(crate) fn drive(&mut self, sound: SoundId, gain: f32, rate: f32) {
        self.driven.retain(|(driven, ..)| *driven != sound);
        self.driven.push((sound, gain, rate));
    }
}

/// Where sounds are heard from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ear {
    /// World units.
    pub(crate) at: Vec2,
    /// Width of the game's view, in world units.
    pub(crate) view: f32,
    /// Volume of all sounds, 0..=1.
    pub(crate) loud: f32,
}

pub(crate) struct Speaker {
    sounds: Vec<Sound>,
    mixer: Option<Mixer>,
    volumes: Volumes,
    tension: Tension,
}

/// What exists once the browser allows sound.
struct Mixer {
    context: AudioContext,
    master: GainNode,
    /// What is quieter under a loud sound: the loops, and the score.
    below: GainNode,
    score: GainNode,
    /// The next step of the score, and when it is due.
    step: (u32, f64),
    /// The volume that the score glides to.
    score_loud: f32,
    /// In the order of [`SoundGroup`].
    groups: [GainNode; 3],
    /// The loops, which are effects too.
    looping: GainNode,
    buffers: Vec<AudioBuffer>,
    last: Vec<f64>,
    /// The sounds that always play.
    loops: Vec<(SoundId, GainNode, web_sys::AudioBufferSourceNode)>,
}

impl Speaker {
    /// A speaker with these volumes, for the sounds of the shell and of a game.
    #[must_use]
    pub(crate) fn new(own: &[Sound], volumes: Volumes) -> Self {
        let sounds = SHELL.iter().chain(own).copied().collect();
        Speaker { sounds, mixer: None, volumes, tension: Tension::default() }
    }

    /// Call it in a gesture's handler: the first call opens the audio, later ones resume it if the browser suspended it.
    pub(crate) fn unlock(&mut self) {
        if self.mixer.is_none() {
            self.mixer = Mixer::open(self.sounds.len());
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
    pub(crate) fn volumes(&self) -> Volumes {
        self.volumes
    }

    pub(crate) fn set_volumes(&mut self, volumes: Volumes) {
        self.volumes = volumes;
        self.apply_volume();
    }

    fn apply_volume(&self) {
        let Some(mixer) = &self.mixer else { return };
        let Volumes { master, effects, music, voice, muted, .. } = self.volumes;
        // Perceived loudness is about the square.
        let loud = |volume: u32| (volume as f32 / 100.0).powi(2);
        mixer.master.gain().set_value(if muted { 0.0 } else { loud(master) });
        for (group, volume) in mixer.groups.iter().zip([effects, music, voice]) {
            group.gain().set_value(loud(volume));
        }
        mixer.looping.gain().set_value(loud(effects));
    }

    /// Computes at most one missing sound: called once per image, so that no image stutters.
    pub(crate) fn prepare(&mut self) {
        if let Some(mixer) = &mut self.mixer {
            mixer.prepare(&self.sounds);
        }
    }

    pub(crate) fn click(&mut self, sound: SoundId) {
        let group = group_of(&self.sounds, sound);
        if let Some(mixer) = &mut self.mixer {
            mixer.play((sound, group), 0.5, 0.0, 1.0, false);
        }
    }

    /// Plays what waits, as heard from `ear`, `dt` seconds after the last time.
    pub(crate) fn play(&mut self, sounds: &mut Sounds, ear: Ear, dt: f32) {
        let tension = self.tension.follow(sounds.tension, dt);
        let Sounds { once, driven, ducks, .. } = sounds;
        let Some(mixer) = &mut self.mixer else {
            once.clear();
            driven.clear();
            return;
        };
        if std::mem::take(ducks) {
            mixer.duck();
        }
        mixer.play_score(if self.volumes.score { ear.loud } else { 0.0 }, tension);
        for Cry { sound, at, gain, muffled } in once.drain(..) {
            let off = at - ear.at;
            let near = 1.0 / (1.0 + (off.length() / (HALF_AT * ear.view)).powi(2));
            if near * gain > 0.02 {
                let pitch = 0.94 + 0.12 * (at.x * 0.37 + at.y * 0.73).fract().abs();
                let side = (off.x / (SIDE_AT * ear.view)).clamp(-0.85, 0.85);
                let sound = (sound, group_of(&self.sounds, sound));
                mixer.play(sound, gain * near * ear.loud, side, pitch, muffled);
            }
        }
        for (sound, gain, rate) in driven.drain(..) {
            mixer.drive(sound, gain * ear.loud, rate);
        }
    }
}

fn group_of(sounds: &[Sound], SoundId(sound): SoundId) -> SoundGroup {
    sounds.get(sound).map_or(SoundGroup::Effects, |sound| sound.group)
}

impl Mixer {
    fn open(sounds: usize) -> Option<Mixer> {
        let context = AudioContext::new().ok()?;
        let master = context.create_gain().ok()?;
        // A dozen sounds at once must not clip.
        let limiter = context.create_dynamics_compressor().ok()?;
        master.connect_with_audio_node(&limiter).ok()?;
        limiter.connect_with_audio_node(&context.destination()).ok()?;
        let below = context.create_gain().ok()?;
        below.connect_with_audio_node(&master).ok()?;
        let into = |node: &GainNode| {
            let gain = context.create_gain().ok()?;
            gain.connect_with_audio_node(node).ok()?;
            Some(gain)
        };
        let (groups, looping) = ([into(&master)?, into(&below)?, into(&master)?], into(&below)?);
        let score = into(&groups[SoundGroup::Music as usize])?;
        score.gain().set_value(0.0);
        let (buffers, last, loops) = (Vec::new(), vec![-1.0; sounds], Vec::new());
        Some(Mixer {
            context,
            master,
            below,
            score,
            step: (0, 0.0),
            score_loud: 0.0,
            groups,
            looping,
            buffers,
            last,
            loops,
        })
    }

    fn prepare(&mut self, sounds: &[Sound]) {
        let number = self.buffers.len();
        let Some(sound) = sounds.get(number) else { return };
        let samples = (sound.samples)();
        let Ok(buffer) = self.context.create_buffer(1, samples.len() as u32, RATE) else { return };
        if buffer.copy_to_channel(&samples, 0).is_err() {
            return;
        }
        self.buffers.push(buffer);
        if let Some(gain) = sound.looped {
            self.start_loop(SoundId(number), gain, sound.group);
        }
    }

    fn start_loop(&mut self, sound: SoundId, gain: f32, group: SoundGroup) -> Option<()> {
        let source = self.context.create_buffer_source().ok()?;
        source.set_buffer(self.buffers.get(sound.0));
        source.set_loop(true);
        let volume = self.context.create_gain().ok()?;
        volume.gain().set_value(gain);
        source.connect_with_audio_node(&volume).ok()?;
        let group = if group == SoundGroup::Effects { &self.looping } else { &self.groups[group as usize] };
        volume.connect_with_audio_node(group).ok()?;
        source.start().ok()?;
        self.loops.push((sound, volume, source));
        Some(())
    }

    fn drive(&self, sound: SoundId, gain: f32, rate: f32) {
        let Some((_, volume, source)) = self.loops.iter().find(|(looped, ..)| *looped == sound) else { return };
        let now = self.context.current_time();
        // Both glide, because a step would click. If it fails, they stay as they were.
        let _ = volume.gain().set_target_at_time(gain, now, 0.08);
        let _ = source.playback_rate().set_target_at_time(rate, now, 0.15);
    }

    fn play(
        &mut self,
        (SoundId(sound), group): (SoundId, SoundGroup),
        gain: f32,
        pan: f32,
        rate: f32,
        muffled: bool,
    ) -> Option<()> {
        let now = self.context.current_time();
        let last = self.last.get_mut(sound)?;
        if now - *last < APART {
            return None;
        }
        *last = now;
        let source = self.context.create_buffer_source().ok()?;
        source.set_buffer(Some(self.buffers.get(sound)?));
        source.playback_rate().set_value(rate);
        let volume = self.context.create_gain().ok()?;
        volume.gain().set_value(if muffled { gain * MUFFLED_GAIN } else { gain });
        let side = self.context.create_stereo_panner().ok()?;
        side.pan().set_value(pan);
        source.connect_with_audio_node(&volume).ok()?;
        if muffled {
            let filter = self.context.create_biquad_filter().ok()?;
            filter.set_type(BiquadFilterType::Lowpass);
            filter.frequency().set_value(MUFFLED_HZ);
            volume.connect_with_audio_node(&filter).ok()?;
            filter.connect_with_audio_node(&side).ok()?;
        } else {
            volume.connect_with_audio_node(&side).ok()?;
        }
        side.connect_with_audio_node(&self.groups[group as usize]).ok()?;
        source.start().ok()
    }

    /// Lowers loops and score for a moment, so that a loud sound stands out.
    fn duck(&self) {
        let (gain, now) = (self.below.gain(), self.context.current_time());
        // If it fails, they stay as loud as they are.
        let _ = gain.set_target_at_time(DUCKED, now, 0.02);
        let _ = gain.set_target_at_time(1.0, now + 0.35, 0.4);
    }

    /// Schedules the notes of the score that are due soon. `loud` is its volume, 0 to let it fade.
    fn play_score(&mut self, loud: f32, tension: f32) {
        let now = self.context.current_time();
        if loud != self.score_loud {
            self.score_loud = loud;
            let _ = self.score.gain().set_target_at_time(loud * SCORE_GAIN, now, 0.5);
        }
        let (mut step, mut due) = self.step;
        if loud == 0.0 || due < now {
            // It was off, or the tab slept: it goes on from here, and does not rush.
            due = now + 0.1;
        }
        while loud > 0.0 && due < now + AHEAD_S {
            for note in score::notes(step, tension) {
                // A note that cannot be played is missing, no more.
                let _ = self.play_note(note, due);
            }
            (step, due) = (step.wrapping_add(1), due + score::STEP_S);
        }
        self.step = (step, due);
    }

    fn play_note(&self, note: Note, at: f64) -> Option<()> {
        let Note { pitch, gain, rise, length, side, soft } = note;
        let (source, volume) = (self.context.create_oscillator().ok()?, self.context.create_gain().ok()?);
        source.set_type(if soft { OscillatorType::Sine } else { OscillatorType::Triangle });
        source.frequency().set_value(pitch);
        let envelope = volume.gain();
        envelope.set_value_at_time(0.0, at).ok()?;
        envelope.linear_ramp_to_value_at_time(gain, at + f64::from(rise)).ok()?;
        envelope.linear_ramp_to_value_at_time(0.0, at + f64::from(length)).ok()?;
        let panner = self.context.create_stereo_panner().ok()?;
        panner.pan().set_value(side);
        let chain: [&AudioNode; 4] = [&source, &volume, &panner, &self.score];
        for pair in chain.windows(2) {
            pair[0].connect_with_audio_node(pair[1]).ok()?;
        }
        source.start_with_when(at).ok()?;
        source.stop_with_when(at + f64::from(length)).ok()
    }
}

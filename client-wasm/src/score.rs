//! The score: quiet music that is composed as it plays, from a table of chords and a number that says how tense the game is.
//!
//! Everything here is a function of the step and the tension, so that it is the same everywhere; [`sound`](crate::sound) plays it.

/// Seconds of a step: a sixteenth note at 78 beats a minute.
pub(crate) const STEP_S: f64 = 60.0 / 78.0 / 4.0;
/// Steps of a bar, and bars of a chord.
const BAR: u32 = 16;
const BARS: u32 = 2;
/// Tension from which on there is a pulse, and from which on a melody goes over it.
const PULSE_FROM: f32 = 0.3;
const LEAD_FROM: f32 = 0.62;

/// The chords, in half tones from A: bass, then the three notes above. A minor, F, C, E minor: dark, and never resolved.
const CHORDS: [[i32; 4]; 4] = [[0, 12, 15, 19], [-4, 12, 15, 20], [3, 10, 15, 19], [-5, 10, 14, 19]];
/// The notes of the melody, as numbers of a chord's notes; 0 rests.
const LEAD: [u8; 16] = [1, 0, 0, 3, 0, 2, 0, 0, 3, 0, 1, 0, 2, 0, 0, 0];

/// A note to play.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Note {
    /// Hertz.
    pub(crate) pitch: f32,
    /// 0..=1.
    pub(crate) gain: f32,
    /// Seconds until it is loudest, and until it is gone.
    pub(crate) rise: f32,
    pub(crate) length: f32,
    /// -1..=1, from left to right.
    pub(crate) side: f32,
    /// Whether it is a plain tone, and not a brighter one.
    pub(crate) soft: bool,
}

/// The notes that begin with a step, at a tension of 0..=1.
pub(crate) fn notes(step: u32, tension: f32) -> impl Iterator<Item = Note> {
    let chord = CHORDS[(step / (BAR * BARS)) as usize % CHORDS.len()];
    let at = step % (BAR * BARS);
    let of = move |voice: usize, up: i32| pitch(chord[voice] + up);
    let chord_s = f64::from(BAR * BARS) as f32 * STEP_S as f32;
    // The pad: the whole chord, slowly, with every change; the bass again with every bar.
    let pad = (at == 0).then_some([1, 2, 3]).into_iter().flatten().map(move |voice: usize| Note {
        pitch: of(voice, 0),
        gain: 0.16 - 0.04 * tension,
        rise: 1.6,
        length: chord_s * 1.25,
        side: (voice as f32 - 2.0) * 0.55,
        soft: true,
    });
    let bass = at.is_multiple_of(BAR).then(|| Note {
        pitch: of(0, -12),
        gain: 0.3,
        rise: 0.05,
        length: 2.4,
        side: 0.0,
        soft: true,
    });
    // The pulse: eighth notes on the bass, louder with the tension, the second and the fourth beat a fifth up.
    let strong = ((tension - PULSE_FROM) / (1.0 - PULSE_FROM)).clamp(0.0, 1.0);
    let pulse = (strong > 0.0 && at.is_multiple_of(2)).then(|| Note {
        pitch: of(0, if at / 4 % 2 == 1 { 7 } else { 0 }),
        gain: 0.05 + 0.13 * strong,
        rise: 0.008,
        length: 0.24,
        side: if (at / 2).is_multiple_of(2) { -0.25 } else { 0.25 },
        soft: false,
    });
    let voice = usize::from(LEAD[at as usize % LEAD.len()]);
    let lead = (tension > LEAD_FROM && voice > 0).then(|| Note {
        pitch: of(voice, 12),
        gain: 0.07,
        rise: 0.01,
        length: 0.5,
        side: if (step / 4).is_multiple_of(2) { 0.5 } else { -0.5 },
        soft: false,
    });
    pad.chain(bass).chain(pulse).chain(lead)
}

/// The frequency of a note in half tones from the A below middle C.
fn pitch(half_tones: i32) -> f32 {
    220.0 * (half_tones as f32 / 12.0).exp2()
}

/// How tense the music is: it rises at once and calms down slowly, as a fight does.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tension(f32);

impl Tension {
    /// The tension after `dt` seconds, with this much going on, 0..=1.
    pub(crate) fn follow(&mut self, now: f32, dt: f32) -> f32 {
        let pace = if now > self.0 { 1.2 } else { 0.12 };
        self.0 += (now.clamp(0.0, 1.0) - self.0) * (1.0 - (-pace * dt).exp());
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_score_is_quiet_at_rest_and_gets_denser_with_the_tension() {
        let count = |tension| (0..512).map(|step| notes(step, tension).count()).sum::<usize>();
        let [rest, fight, storm] = [0.0, 0.5, 1.0].map(count);
        assert!(rest < 100 && fight > rest * 3 && storm > fight, "{rest} {fight} {storm}");
        for note in (0..512).flat_map(|step| notes(step, 1.0)) {
            assert!((40.0..2000.0).contains(&note.pitch) && note.gain <= 0.3 && note.rise < note.length, "{note:?}");
        }
        // Never more than a few notes at once: quiet music must not fill the mixer.
        assert!((0..512).all(|step| notes(step, 1.0).count() <= 6));
    }

    #[test]
    fn the_tension_rises_in_a_second_and_falls_in_many() {
        let mut tension = Tension::default();
        (0..60).for_each(|_| _ = tension.follow(1.0, 1.0 / 60.0));
        assert!(tension.0 > 0.65, "{}", tension.0);
        (0..60).for_each(|_| _ = tension.follow(0.0, 1.0 / 60.0));
        assert!(tension.0 > 0.55, "{}", tension.0);
    }
}

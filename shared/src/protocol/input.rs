//! The input packet: the inputs of consecutive ticks, and the newest snapshot that the client has applied.
//!
//! ```text
//! packet := kind:u8 = 2, acked:u32, first:u32, lag (golomb 8), count - 1 (golomb 1), samples, padding
//! ```
//! `lag` is the age of the picture that the player saw when the first sample was taken: how far behind `first`, in
//! sixteenths of a tick. Samples are for the ticks `first`, `first + 1`, and so on. The first one is written in full;
//! each later one is a bit that means "equal to the previous one", or is written in full.

use std::fmt::Debug;

use arrayvec::ArrayVec;

use super::FrameKind;
use super::limits::{LAG_MAX, SAMPLES_MAX};
use crate::replication::bits::{BitReader, BitWriter, WireError};
use crate::replication::layout::Layout;
use crate::time::{Tick, ViewTime};

/// A player's input for one tick. The default value has no effect.
pub trait GameInput: Copy + Default + PartialEq + Debug + Send + Sync + 'static {
    /// The bits of [`GameInput::write`], for clients that do not share its code.
    const LAYOUT: Layout;

    /// Appends the input to a packet.
    fn write(&self, out: &mut BitWriter);

    /// Reads what [`GameInput::write`] wrote; every bit pattern gives a valid input or an error.
    ///
    /// # Errors
    /// The reason the bits are not an input.
    fn read(bits: &mut BitReader<'_>) -> Result<Self, WireError>;

    /// The input that replaces this one after it has been repeated too long: no movement and no action, but the same aim.
    #[must_use]
    fn idle(&self) -> Self;
}

/// The input of a game that has none.
impl GameInput for () {
    const LAYOUT: Layout = Layout::NOTHING;

    fn write(&self, _out: &mut BitWriter) {}

    fn read(_bits: &mut BitReader<'_>) -> Result<Self, WireError> {
        Ok(())
    }

    fn idle(&self) -> Self {}
}

/// A player's inputs for consecutive ticks.
#[derive(Debug, Clone, PartialEq)]
pub struct InputPacket<I> {
    /// The newest snapshot applied; tick 0 before the first.
    pub acked: Tick,
    /// The tick that the first sample is for.
    pub first: Tick,
    /// Age of the picture that the player saw, before `first`, in sixteenths of a tick, at most [`LAG_MAX`].
    pub lag: u32,
    /// One input per tick, 1 to [`SAMPLES_MAX`].
    pub samples: ArrayVec<I, SAMPLES_MAX>,
}

impl<I: GameInput> InputPacket<I> {
    /// The packet as a frame.
    ///
    /// # Panics
    /// If there are no samples, which is a bug of the sender.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        assert!(!self.samples.is_empty(), "1 to {SAMPLES_MAX} samples");
        let mut frame = vec![FrameKind::State as u8];
        let mut bits = BitWriter::new(&mut frame);
        bits.bits(self.acked.0, 32);
        bits.bits(self.first.0, 32);
        bits.golomb(self.lag.min(LAG_MAX), 8);
        bits.golomb(self.samples.len() as u32 - 1, 1);
        let mut before: Option<&I> = None;
        for sample in &self.samples {
            if before.is_some() {
                bits.flag(before == Some(sample));
            }
            if before != Some(sample) {
                sample.write(&mut bits);
            }
            before = Some(sample);
        }
        bits.finish();
        frame
    }

    /// The moment that the player saw when the `at`-th sample was taken.
    #[must_use]
    pub fn view_of(&self, at: usize) -> ViewTime {
        ViewTime(ViewTime::of(self.first.after(at as u32)).0.saturating_sub(self.lag.into()))
    }

    /// Decodes a packet from the bytes after the kind byte.
    ///
    /// # Errors
    /// What is wrong with the bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let mut bits = BitReader::new(bytes);
        let (acked, first) = (Tick(bits.bits(32)?), Tick(bits.bits(32)?));
        let lag = bits.count(8, LAG_MAX as usize, "view lag")? as u32;
        let count = bits.count(1, SAMPLES_MAX - 1, "input samples")? + 1;
        let mut samples: ArrayVec<I, SAMPLES_MAX> = ArrayVec::new();
        for _ in 0..count {
            let sample = match samples.last() {
                Some(before) if bits.flag()? => *before,
                Some(_) | None => I::read(&mut bits)?,
            };
            samples.push(sample);
        }
        bits.finish()?;
        Ok(InputPacket { acked, first, lag, samples })
    }
}

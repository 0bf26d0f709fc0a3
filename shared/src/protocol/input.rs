//! The input packet: what a player asks for, tick by tick, and the newest snapshot they have.
//!
//! ```text
//! packet := kind:u8 = 2, acked:u32, first:u32, lag (golomb 8), count - 1 (golomb 1), samples, padding
//! ```
//! `lag` says what the player was looking at when the first sample was taken: how far behind `first`, in sixteenths of a tick.
//! Samples are for the ticks `first`, `first + 1`, and so on; the first is written in full, each other one with a bit that
//! says "as the one before" or in full.

use std::fmt::Debug;

use arrayvec::ArrayVec;

use super::FrameKind;
use super::limits::{LAG_MAX, SAMPLES_MAX};
use crate::replication::bits::{BitReader, BitWriter, WireError};
use crate::time::{Tick, ViewTime};

/// What a player asks for in one tick. The default value asks for nothing.
pub trait GameInput: Copy + Default + PartialEq + Debug + Send + Sync + 'static {
    /// Appends the input to a packet.
    fn write(&self, out: &mut BitWriter);

    /// Reads what [`GameInput::write`] wrote; every bit pattern gives a valid input or an error.
    ///
    /// # Errors
    /// The reason the bits are not an input.
    fn read(bits: &mut BitReader<'_>) -> Result<Self, WireError>;

    /// What stands in for this input once it has been repeated long enough: no thrust, no trigger, same aim.
    #[must_use]
    fn idle(&self) -> Self;
}

/// What a player asks for in consecutive ticks.
#[derive(Debug, Clone, PartialEq)]
pub struct InputPacket<I> {
    /// The newest snapshot applied; tick 0 before the first.
    pub acked: Tick,
    /// The tick that the first sample is for.
    pub first: Tick,
    /// How far behind `first` the picture was that the player saw, in sixteenths of a tick, at most [`LAG_MAX`].
    pub lag: u32,
    /// One input per tick, 1 to [`SAMPLES_MAX`].
    pub samples: ArrayVec<I, SAMPLES_MAX>,
}

impl<I: GameInput> InputPacket<I> {
    /// The packet as a frame.
    ///
    /// # Panics
    /// If there is no sample: the sender's mistake.
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

    /// What the player was looking at when the `at`-th sample was taken.
    #[must_use]
    pub fn view_of(&self, at: usize) -> ViewTime {
        ViewTime(ViewTime::of(self.first.after(at as u32)).0.saturating_sub(self.lag.into()))
    }

    /// Reads a packet from the bytes after the kind byte.
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

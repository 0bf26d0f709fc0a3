//! The snapshot frame: the world as sent to one client at one tick.
//!
//! ```text
//! frame  := kind:u8 = 2, head, own, cells, events, updates
//! head   := tick:u32, consumed:u32, early:i16, missing:u8, dropped:u8, budget:u8      little-endian
//! own    := present:1, [present: the game's exact private state], padding to a byte
//! cells  := see replication::viewer
//! events := count (golomb 1), padding to a byte, then each: age:u8 in ticks, the game's event, padding to a byte
//! updates  := bincode-coded updates up to the end of the frame
//! ```

use super::FrameKind;
use crate::replication::bits::{BitReader, BitWriter, WireError};
use crate::time::Tick;

/// The fixed start of every snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SnapshotHead {
    /// The tick whose final state this is.
    pub tick: Tick,
    /// The newest tick for which an input of this client was used; tick 0 before the first.
    pub consumed: Tick,
    /// How early this client's inputs arrive: since the last snapshot, the least time from the arrival of an input to
    /// the moment its tick was due, in tenths of a millisecond; negative is late. [`SnapshotHead::NO_INPUT`] if none
    /// arrived.
    pub early: i16,
    /// Counts ticks that were stepped without an input of this client, wrapping at 256.
    pub missing: u8,
    /// Counts inputs of this client that were dropped as too late or too early, wrapping at 256.
    pub dropped: u8,
    /// How far the server has reduced its sending rate for this client's link. 0 is the full rate; at 1 and 2 far cells
    /// are sent less often, at 3 half of the snapshots are left out, at 4 three quarters.
    pub budget: u8,
}

impl SnapshotHead {
    /// At this budget, the server sends one of every N due snapshots, and input packets are spaced out by the same factor. Gives N.
    #[must_use]
    pub fn every(budget: u8) -> u32 {
        match budget {
            0..=2 => 1,
            3 => 2,
            _ => 4,
        }
    }

    /// The value of `early` when no input arrived since the last snapshot.
    pub const NO_INPUT: i16 = i16::MIN;
    /// Bytes of the kind and the head.
    pub const BYTES: usize = 14;

    /// Starts a frame.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.push(FrameKind::State as u8);
        out.extend_from_slice(&self.tick.0.to_le_bytes());
        out.extend_from_slice(&self.consumed.0.to_le_bytes());
        out.extend_from_slice(&self.early.to_le_bytes());
        out.push(self.missing);
        out.push(self.dropped);
        out.push(self.budget);
    }

    /// Reads the head from the bits after the kind byte.
    ///
    /// # Errors
    /// [`WireError::Short`] if the frame ends in it.
    pub fn read(bits: &mut BitReader) -> Result<Self, WireError> {
        Ok(SnapshotHead {
            tick: Tick(bits.bits(32)?),
            consumed: Tick(bits.bits(32)?),
            early: bits.bits(16)? as u16 as i16,
            missing: bits.bits(8)? as u8,
            dropped: bits.bits(8)? as u8,
            budget: bits.bits(8)? as u8,
        })
    }
}

/// Appends the local player state; `None` for a spectator.
pub fn write_player_state(state: Option<impl FnOnce(&mut BitWriter)>, out: &mut Vec<u8>) {
    let mut bits = BitWriter::new(out);
    bits.flag(state.is_some());
    if let Some(write) = state {
        write(&mut bits);
    }
    bits.finish();
}

/// Appends events, oldest first: each with its age in ticks and its bytes.
pub fn write_events<'a>(events: impl ExactSizeIterator<Item = (u8, &'a [u8])>, out: &mut Vec<u8>) {
    let mut bits = BitWriter::new(out);
    bits.golomb(events.len() as u32, 1);
    bits.finish();
    for (age, event) in events {
        out.push(age);
        out.extend_from_slice(event);
    }
}

/// The sections of a frame behind its head, in the order in which [`write_frame`] asks for them.
pub trait Sections {
    /// Appends the cells; gives the bytes of cell heads and of encoded cells.
    fn cells(&mut self, out: &mut Vec<u8>) -> (usize, usize);
    /// Appends the events, with [`write_events`].
    fn events(&mut self, out: &mut Vec<u8>);
    /// Appends the room updates, encoded.
    fn updates(&mut self, out: &mut Vec<u8>);
}

/// Bytes of a frame by section.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SectionBytes {
    /// The head and the local player state.
    pub player_state: u64,
    /// Subscription changes and present masks.
    pub cell_heads: u64,
    /// Encoded cells.
    pub cells: u64,
    /// Events.
    pub events: u64,
    /// Room updates.
    pub updates: u64,
}

impl std::ops::AddAssign for SectionBytes {
    fn add_assign(&mut self, other: SectionBytes) {
        self.player_state += other.player_state;
        self.cell_heads += other.cell_heads;
        self.cells += other.cells;
        self.events += other.events;
        self.updates += other.updates;
    }
}

/// Appends a whole frame. It is the only writer of snapshot frames: the server's fan-out and the golden frames go through it.
/// `player_state` is what [`write_player_state`] wrote.
pub fn write_frame(
    head: SnapshotHead,
    player_state: &[u8],
    sections: &mut impl Sections,
    out: &mut Vec<u8>,
) -> SectionBytes {
    let start = out.len();
    head.write(out);
    out.extend_from_slice(player_state);
    let player_state = out.len() - start;
    let (cell_heads, cells) = sections.cells(out);
    let events_at = out.len();
    sections.events(out);
    let updates_at = out.len();
    sections.updates(out);
    SectionBytes {
        player_state: player_state as u64,
        cell_heads: cell_heads as u64,
        cells: cells as u64,
        events: (updates_at - events_at) as u64,
        updates: (out.len() - updates_at) as u64,
    }
}

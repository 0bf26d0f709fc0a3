//! Storage of encoded cells. Those that most viewers need are stored in the [`WorldState`](super::state::WorldState)
//! they lead to, shared by all threads that encode it; the others in a cache of each
//! [`WorldHistory`](super::world::WorldHistory).
//!
//! No lock is held and, once warm, nothing is allocated. The bytes of shared encoded cells lie in one array of words,
//! of which each cell takes the next few. Words can be written through a shared reference in safe code, and a cell's
//! usual delta takes one or two of them.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::cells::CellId;
use crate::time::Tick;

/// Which of a cell's shared encodings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    /// The delta from the common baseline, which may refer to the neighbour cells.
    CrossCell,
    /// The same delta without such references.
    WithinCell,
    /// A keyframe.
    Keyframe,
}

const SLOTS: usize = 3;
const WORD: usize = size_of::<u64>();

/// Words reserved per record and per cell: more than deltas and the few keyframes of a tick take. If they do not
/// suffice, the state reserves more when it is used again.
const WORDS_PER_RECORD: usize = 2;
const WORDS_PER_CELL: usize = 2;

/// A stored encoding. Small on purpose: there are three per cell and state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stored {
    /// Nothing has changed, so nothing is sent.
    Same,
    /// The length in bytes, the first word (shared) or byte (local), and the directions of the neighbours it refers to.
    At { at: u32, len: u16, sources: u8 },
    /// It is stored in the local cache, since there was no space for it here.
    Elsewhere,
}

/// The most that a state of a world has needed so far. All states of the world get as much: if each grew only with its own needs, memory would
/// grow for hours, since there are many of them and each peak meets one.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Largest {
    cells: usize,
    records: usize,
    words: usize,
}

impl Largest {
    /// Space for this many cells and records, in numbers of them.
    pub(super) fn with(&mut self, cells: usize, records: usize) -> (usize, usize) {
        (raised(&mut self.cells, cells), raised(&mut self.records, records))
    }
}

/// A quarter more than is needed now, if it is not enough: a slowly growing world does not reallocate each tick.
fn raised(largest: &mut usize, needed: usize) -> usize {
    if *largest < needed {
        *largest = needed * 5 / 4;
    }
    *largest
}

/// The shared encoded cells of a state.
#[derive(Debug, Default)]
pub(super) struct SharedEncodedCells {
    /// By slot, then by the cell's place in the state's index: the slots in demand lie close together.
    stored: Vec<OnceLock<Stored>>,
    /// Number of cells in that index.
    cells: usize,
    words: Vec<AtomicU64>,
    /// Words taken, or requested where there were too few.
    taken: AtomicUsize,
}

impl SharedEncodedCells {
    /// Drops all encoded cells, and reserves space for a world of this many cells and records.
    pub(super) fn reset(&mut self, cells: usize, records: usize, largest: &mut Largest) {
        self.cells = cells;
        self.stored.clear();
        self.stored.reserve_exact(largest.with(cells, records).0 * SLOTS);
        self.stored.resize_with(cells * SLOTS, OnceLock::new);
        let wanted = std::mem::take(self.taken.get_mut());
        let usual = records * WORDS_PER_RECORD + cells * WORDS_PER_CELL;
        let words = raised(&mut largest.words, wanted.max(usual));
        if self.words.len() < words {
            self.words.reserve_exact(words - self.words.len());
            self.words.resize_with(words, AtomicU64::default);
        }
    }

    /// The encoding in a slot, if there is one.
    #[inline]
    pub(super) fn get(&self, place: usize, slot: Slot) -> Option<Stored> {
        self.stored[slot as usize * self.cells + place].get().copied()
    }

    /// The encoding in a slot. The first thread to ask encodes it; others that ask meanwhile wait. `encode` fills the
    /// buffer and gives the directions it refers to, or `None` if nothing is sent.
    pub(super) fn get_or_encode(
        &self,
        place: usize,
        slot: Slot,
        buffer: &mut Vec<u8>,
        encode: impl FnOnce(&mut Vec<u8>) -> Option<u8>,
    ) -> Stored {
        *self.stored[slot as usize * self.cells + place].get_or_init(|| {
            buffer.clear();
            match encode(buffer) {
                Some(sources) => self.store(buffer, sources),
                None => Stored::Same,
            }
        })
    }

    fn store(&self, bytes: &[u8], sources: u8) -> Stored {
        let count = bytes.len().div_ceil(WORD);
        let at = self.taken.fetch_add(count, Ordering::Relaxed);
        let (Some(words), Ok(len)) = (self.words.get(at..at + count), u16::try_from(bytes.len())) else {
            return Stored::Elsewhere;
        };
        for (word, chunk) in words.iter().zip(bytes.chunks(WORD)) {
            let mut whole = [0; WORD];
            whole[..chunk.len()].copy_from_slice(chunk);
            // The slot is set after this and read before the words are, which orders the two.
            word.store(u64::from_le_bytes(whole), Ordering::Relaxed);
        }
        Stored::At { at: at as u32, len, sources }
    }

    /// Appends the bytes of an encoded cell.
    #[inline]
    pub(super) fn append(&self, at: u32, len: usize, out: &mut Vec<u8>) {
        let (at, end) = (at as usize, out.len() + len);
        for word in &self.words[at..at + len.div_ceil(WORD)] {
            out.extend_from_slice(&word.load(Ordering::Relaxed).to_le_bytes());
        }
        out.truncate(end);
    }
}

/// The cell and baseline of a locally stored encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LocalKey {
    pub(super) cell: CellId,
    pub(super) base: Option<Tick>,
    pub(super) slot: Slot,
}

#[derive(Debug, Clone, Copy)]
struct LocalEncodedCell {
    key: LocalKey,
    /// `None` if nothing is sent; otherwise the range of its bytes and the directions it refers to.
    bytes: Option<(u32, u32, u8)>,
}

/// Encoded cells by key, dropped all at once: open addressing in arrays that are reused.
#[derive(Debug)]
pub(super) struct LocalEncodedCells {
    encoded_cells: Vec<LocalEncodedCell>,
    /// Index into `encoded_cells` plus one, or 0 if empty; its length is a power of two, and at most half of it is
    /// used.
    table: Vec<u32>,
    bytes: Vec<u8>,
}

impl Default for LocalEncodedCells {
    /// With enough space for usual ticks, so that none of them allocates.
    fn default() -> Self {
        LocalEncodedCells {
            encoded_cells: Vec::with_capacity(Self::TABLE_MIN / 2),
            table: vec![0; Self::TABLE_MIN],
            bytes: Vec::with_capacity(Self::TABLE_MIN * 16),
        }
    }
}

impl LocalEncodedCells {
    const TABLE_MIN: usize = 256;

    pub(super) fn clear(&mut self) {
        if !self.encoded_cells.is_empty() {
            self.table.fill(0);
            self.encoded_cells.clear();
            self.bytes.clear();
        }
    }

    /// The encoding of a key: the range of its bytes and the directions it refers to, or `None` if nothing is sent.
    pub(super) fn get_or_encode(
        &mut self,
        key: LocalKey,
        encode: impl FnOnce(&mut Vec<u8>) -> Option<u8>,
    ) -> Option<(u32, u32, u8)> {
        if self.table.len() < 2 * (self.encoded_cells.len() + 1) {
            self.grow();
        }
        let slot = self.slot(&key);
        if let Some(found) = self.table[slot].checked_sub(1) {
            return self.encoded_cells[found as usize].bytes;
        }
        let from = self.bytes.len() as u32;
        let bytes = encode(&mut self.bytes).map(|sources| (from, self.bytes.len() as u32, sources));
        self.encoded_cells.push(LocalEncodedCell { key, bytes });
        self.table[slot] = self.encoded_cells.len() as u32;
        bytes
    }

    /// The bytes that the ranges point into.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The index of a key in the table, or where to insert it.
    fn slot(&self, key: &LocalKey) -> usize {
        let mask = self.table.len() - 1;
        let base = key.base.map_or(u64::MAX, |tick| u64::from(tick.0));
        let mixed = (base << 18 | u64::from(key.cell.0) << 2 | key.slot as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mut at = (mixed >> 40) as usize & mask;
        while let Some(found) = self.table[at].checked_sub(1)
            && self.encoded_cells[found as usize].key != *key
        {
            at = (at + 1) & mask;
        }
        at
    }

    fn grow(&mut self) {
        let size = self.table.len() * 2;
        self.table.clear();
        self.table.resize(size, 0);
        for at in 0..self.encoded_cells.len() {
            let slot = self.slot(&self.encoded_cells[at].key);
            self.table[slot] = at as u32 + 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoded_cell_without_space_is_stored_elsewhere_and_the_state_has_space_the_next_time() {
        let (mut encoded_cells, mut largest) = (SharedEncodedCells::default(), Largest::default());
        encoded_cells.reset(1, 0, &mut largest);
        let long = [7u8; 999];
        let encode = |out: &mut Vec<u8>| {
            out.extend_from_slice(&long);
            Some(3)
        };
        let get = |encoded_cells: &SharedEncodedCells| {
            encoded_cells.get_or_encode(0, Slot::CrossCell, &mut Vec::new(), encode)
        };
        assert_eq!(get(&encoded_cells), Stored::Elsewhere);
        encoded_cells.reset(1, 0, &mut largest);
        let Stored::At { at, len: 999, sources: 3 } = get(&encoded_cells) else { panic!("there is space now") };
        let mut out = vec![1, 2];
        encoded_cells.append(at, 999, &mut out);
        assert_eq!((&out[..2], &out[2..]), (&[1, 2][..], &long[..]));
        let mut another = SharedEncodedCells::default();
        another.reset(1, 0, &mut largest);
        assert!(matches!(get(&another), Stored::At { .. }), "so has any other state of the world");
    }

    #[test]
    fn each_key_has_its_own_encoded_cell_however_many_there_are() {
        let mut encoded_cells = LocalEncodedCells::default();
        for round in 0..2 {
            for again in [false, true] {
                for n in 0..3000u16 {
                    let base = (n % 3 != 0).then_some(Tick(u32::from(n % 7)));
                    let key = LocalKey {
                        cell: CellId(n / 2),
                        base,
                        slot: [Slot::CrossCell, Slot::WithinCell][n as usize % 2],
                    };
                    let found = encoded_cells.get_or_encode(key, |out| {
                        assert!(!again, "encoded once");
                        out.extend_from_slice(&n.to_le_bytes());
                        (n % 5 != 0).then_some(n as u8)
                    });
                    let bytes = found.map(|(from, to, _)| encoded_cells.bytes()[from as usize..to as usize].to_vec());
                    assert_eq!(bytes, (n % 5 != 0).then(|| n.to_le_bytes().to_vec()), "{n} in round {round}");
                }
            }
            encoded_cells.clear();
        }
    }
}

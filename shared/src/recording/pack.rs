//! Recordings in as few bytes as a small model can: it foretells each bit from the bytes before it, and a range coder writes what surprises it.
//!
//! ```text
//! packed := magic, chunk...
//! chunk  := bytes before packing:u32, length:u32, coded bits, crc32:u32     the checksum covers all before it
//! ```
//! What was cut off is good up to the last whole chunk. Everything is computed in whole numbers, so that every machine foretells the same. The
//! model is that of lpaq, made smaller: the last bytes name a counter in a table for each context, and a row of weights mixes what the counters say.

use std::borrow::Cow;

use crate::replication::bits::WireError;

/// The first bytes of a packed recording; the last of them is the version of the format.
pub const MAGIC: [u8; 8] = *b"BSRPACK\x01";
/// Most bytes that are unpacked: what a page can hold, and more than any match has.
pub const UNPACKED_MAX: usize = 64 << 20;
/// Bytes of a chunk before packing.
const CHUNK: usize = 32 << 10;

/// Bits of the number of a counter.
const SLOT_BITS: u32 = 16;
/// How many times a counter has learnt when it is slow enough.
const LEARNT_MAX: u8 = 60;
/// Largest weight, far beyond any that is learnt: bytes that nobody packed cannot make numbers overflow.
const WEIGHT_MAX: i32 = 1 << 20;
/// Contexts that have counters, and the match.
const CONTEXTS: usize = 6;
const INPUTS: usize = CONTEXTS + 1;
/// Longest match that is told from longer ones.
const MATCH_MAX: usize = 15;

/// Packs a recording.
#[must_use]
pub fn pack(bytes: &[u8]) -> Vec<u8> {
    let (mut model, mut packed) = (Model::new(), MAGIC.to_vec());
    for chunk in bytes.chunks(CHUNK) {
        let mut coded = Vec::new();
        let (mut low, mut high) = (0u32, u32::MAX);
        for bit in chunk.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1 == 1)) {
            let middle = model.middle(low, high);
            if bit {
                high = middle;
            } else {
                low = middle + 1;
            }
            while (low ^ high) >> 24 == 0 {
                coded.push((low >> 24) as u8);
                (low, high) = (low << 8, high << 8 | 0xff);
            }
            model.learn(bit);
        }
        // With the zeros that a reader adds, this lies between the two.
        coded.push((low >> 24) as u8 + 1);
        let mut part = (chunk.len() as u32).to_le_bytes().to_vec();
        part.extend((coded.len() as u32).to_le_bytes());
        part.extend(coded);
        part.extend(crc32fast::hash(&part).to_le_bytes());
        packed.extend(part);
    }
    packed
}

/// The recording that was packed, up to the first chunk that is not whole; what was not packed, as it is.
///
/// # Errors
/// [`WireError::Range`] if it has more than [`UNPACKED_MAX`] bytes.
pub fn unpack(bytes: &[u8]) -> Result<Cow<'_, [u8]>, WireError> {
    let Some(mut rest) = bytes.strip_prefix(&MAGIC) else { return Ok(Cow::Borrowed(bytes)) };
    let mut model = Model::new();
    while let Some((count, coded, length)) = chunk(rest) {
        if model.bytes.len() + count > UNPACKED_MAX {
            let value = (model.bytes.len() + count) as u64;
            return Err(WireError::Range { what: "size of a recording", value, limit: UNPACKED_MAX as u64 });
        }
        let mut coded = coded.iter().copied().chain(std::iter::repeat(0));
        let mut next = || u32::from(coded.next().unwrap_or(0));
        let (mut low, mut high) = (0u32, u32::MAX);
        let mut code = (0..4).fold(0, |code, _| code << 8 | next());
        for _ in 0..count * 8 {
            let middle = model.middle(low, high);
            let bit = code <= middle;
            if bit {
                high = middle;
            } else {
                low = middle + 1;
            }
            while (low ^ high) >> 24 == 0 {
                (low, high, code) = (low << 8, high << 8 | 0xff, code << 8 | next());
            }
            model.learn(bit);
        }
        rest = &rest[length..];
    }
    Ok(Cow::Owned(model.bytes))
}

/// The first chunk: how many bytes it unpacks to, its coded bits, and its length. `None` for one that was cut off or is damaged.
fn chunk(bytes: &[u8]) -> Option<(usize, &[u8], usize)> {
    let (count, rest) = bytes.split_first_chunk()?;
    let (length, rest) = rest.split_first_chunk()?;
    let (count, length) = (u32::from_le_bytes(*count) as usize, u32::from_le_bytes(*length) as usize);
    let (coded, rest) = rest.split_at_checked(length)?;
    let is_whole = crc32fast::hash(&bytes[..8 + length]) == u32::from_le_bytes(*rest.first_chunk()?);
    (is_whole && count <= CHUNK).then_some((count, coded, 12 + length))
}

/// How likely the next bit is 1.
struct Model {
    /// All bytes so far.
    bytes: Vec<u8>,
    /// The bits of the next byte that are known, after a 1.
    partial: u32,
    /// How likely a 1 is, in 1/65536, and how often it was seen: of each context in turn.
    counters: Vec<(u16, u8)>,
    /// Hashes of the last bytes.
    contexts: [u32; CONTEXTS],
    weights: Vec<[i32; INPUTS]>,
    /// By the last four bytes: what followed them the last time.
    followed: Vec<u32>,
    /// What followed when the last bytes were the same, and for how long they have been.
    matching: (usize, usize),
    logits: Vec<i16>,
    /// Of the next bit.
    slots: [usize; CONTEXTS],
    inputs: [i32; INPUTS],
    weighted_by: usize,
    likely: i32,
}

impl Model {
    fn new() -> Model {
        let mut model = Model {
            bytes: Vec::new(),
            partial: 1,
            counters: vec![(1 << 15, 0); CONTEXTS << SLOT_BITS],
            contexts: [0; CONTEXTS],
            weights: vec![[1 << 14; INPUTS]; 4 << 8],
            followed: vec![0; 1 << SLOT_BITS],
            matching: (0, 0),
            logits: logits(),
            slots: [0; CONTEXTS],
            inputs: [0; INPUTS],
            weighted_by: 0,
            likely: 0,
        };
        model.next_byte();
        model
    }

    /// Divides a range by how likely the next bit is.
    fn middle(&mut self, low: u32, high: u32) -> u32 {
        for (at, context) in self.contexts.into_iter().enumerate() {
            self.slots[at] = at << SLOT_BITS | slot(context.wrapping_add(self.partial.wrapping_mul(0x2545_f491)));
            let (likely, learnt) = self.counters[self.slots[at]];
            let trust = if learnt == 0 { 0 } else { (i32::from(learnt) + 2).min(8) };
            self.inputs[at] = i32::from(self.logits[usize::from(likely >> 4)]) * trust / 8;
        }
        let (place, length) = self.matching;
        let known = self.partial.ilog2();
        let foretold = self.bytes.get(place).map(|byte| 0x100 | u32::from(*byte));
        let foretold = foretold.filter(|byte| length > 0 && byte >> (8 - known) == self.partial);
        self.inputs[CONTEXTS] = foretold.map_or(0, |byte| {
            let strength = 100 + 60 * length as i32;
            if byte >> (7 - known) & 1 == 1 { strength } else { -strength }
        });
        self.weighted_by = foretold.map_or(0, |_| 1 + length / 6) << 8 | self.partial as usize;
        let sum = |sum, (input, weight): (&i32, &i32)| sum + i64::from(*input) * i64::from(*weight);
        let sum = self.inputs.iter().zip(&self.weights[self.weighted_by]).fold(0, sum);
        self.likely = share((sum >> 16).clamp(-2047, 2047) as i32).clamp(1, 4095);
        low + ((high - low) >> 12) * self.likely.cast_unsigned()
    }

    fn learn(&mut self, bit: bool) {
        let error = (i32::from(bit) << 12) - self.likely;
        for (weight, input) in self.weights[self.weighted_by].iter_mut().zip(&self.inputs) {
            *weight = (*weight + ((input * error * 6 + 0x2000) >> 14)).clamp(-WEIGHT_MAX, WEIGHT_MAX);
        }
        for slot in self.slots {
            let (likely, learnt) = &mut self.counters[slot];
            let wanted = if bit { i32::from(u16::MAX) } else { 0 };
            let is = i32::from(*likely);
            *likely = (is + (wanted - is) * 2 / (2 * i32::from(*learnt) + 3)) as u16;
            *learnt = (*learnt + 1).min(LEARNT_MAX);
        }
        self.partial = self.partial << 1 | u32::from(bit);
        if self.partial > 0xff {
            self.bytes.push(self.partial as u8);
            self.partial = 1;
            self.next_byte();
        }
    }

    /// The contexts of the next byte, and what followed them before.
    fn next_byte(&mut self) {
        let end = self.bytes.len();
        let last = |back: usize| end.checked_sub(back).map_or(0, |at| u32::from(self.bytes[at]));
        let (one, two) = (last(1), last(1) | last(2) << 8);
        let (three, four) = (two | last(3) << 16, two | last(3) << 16 | last(4) << 24);
        let named = [0, one + 1, two, three, four, last(2) | last(3) << 8];
        for (context, (at, name)) in self.contexts.iter_mut().zip((0u32..).zip(named)) {
            *context = name.wrapping_mul(0x9e37_79b1).wrapping_add(at.wrapping_mul(0x85eb_ca6b)) ^ name >> 15;
        }
        let (place, length) = &mut self.matching;
        if *length > 0 && self.bytes.get(*place) == self.bytes.last() {
            (*place, *length) = (*place + 1, (*length + 1).min(MATCH_MAX));
        } else {
            let followed = self.followed[slot(four)] as usize;
            (*place, *length) = (followed, usize::from(followed > 0));
        }
        self.followed[slot(four)] = end as u32;
    }
}

fn slot(context: u32) -> usize {
    ((context ^ context >> 13).wrapping_mul(0x9e37_79b1) >> (32 - SLOT_BITS)) as usize
}

/// The share of ones in 1/4096 for a logit of -2047 to 2047: an S-shaped curve between 33 points.
fn share(logit: i32) -> i32 {
    const CURVE: [i32; 33] = [
        1, 2, 3, 6, 10, 16, 27, 45, 73, 120, 194, 310, 488, 747, 1101, 1546, 2047, 2549, 2994, 3348, 3607, 3785, 3901,
        3975, 4022, 4050, 4068, 4079, 4085, 4089, 4092, 4093, 4094,
    ];
    let (at, part) = (((logit >> 7) + 16) as usize, logit & 127);
    (CURVE[at] * (128 - part) + CURVE[at + 1] * part + 64) >> 7
}

/// The other way around.
fn logits() -> Vec<i16> {
    let (mut logits, mut next) = (vec![2047; 4096], 0);
    for logit in -2047..=2047 {
        while next <= share(logit) {
            logits[next as usize] = logit as i16;
            next += 1;
        }
    }
    logits
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Some of it repeats, some does not.
    fn sample(length: usize) -> Vec<u8> {
        let mut rng = fastrand::Rng::with_seed(4);
        (0..length).map(|at| if at % 100 < 80 { (at % 100) as u8 } else { rng.u8(..) }).collect()
    }

    #[test]
    fn what_was_packed_is_unpacked_and_cut_anywhere_its_beginning() {
        for length in [0, 1, 2, CHUNK, 2 * CHUNK + 77] {
            let bytes = sample(length);
            let packed = pack(&bytes);
            assert_eq!(unpack(&packed).expect("it is small"), bytes, "{length}");
            assert!(packed.len() <= length / 3 + 100, "{length} bytes are {}", packed.len());
        }
        let bytes = sample(3 * CHUNK);
        let packed = pack(&bytes);
        for cut in (MAGIC.len()..packed.len()).step_by(packed.len() / 10) {
            let unpacked = unpack(&packed[..cut]).expect("it is small");
            assert!(bytes.starts_with(&unpacked) && unpacked.len().is_multiple_of(CHUNK), "{cut}");
        }
        assert_eq!(unpack(&bytes).expect("it was not packed"), bytes);
    }

    #[test]
    fn bytes_that_nobody_packed_unpack_to_no_more_than_they_say() {
        let mut rng = fastrand::Rng::with_seed(9);
        for count in [1u32, 300, CHUNK as u32] {
            let mut part = count.to_le_bytes().to_vec();
            let coded: Vec<u8> = (0..rng.usize(0..500)).map(|_| rng.u8(..)).collect();
            part.extend((coded.len() as u32).to_le_bytes());
            part.extend(coded);
            part.extend(crc32fast::hash(&part).to_le_bytes());
            let hostile = [&MAGIC[..], &part].concat();
            assert_eq!(unpack(&hostile).expect("it is small").len(), count as usize);
        }
    }
}

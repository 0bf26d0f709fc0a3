//! Recordings in files, packed by brotli once a match is over. Browsers unpack what the server sends them; programs need this.

use std::borrow::Cow;
use std::io::{Read, Write};

use thiserror::Error;

use super::{RECORDING_MAX, block};

/// The slowest quality and the smallest result, for matches: nobody waits for the thread that packs.
const QUALITY: u32 = 11;
/// Longest recording that is packed with it: ten minutes of 12 players, in one to two seconds. Longer ones would take many seconds and 65 MB of
/// memory.
const QUALITY_MAX: u64 = 1 << 20;
/// For longer ones: 9 would take more than twice the time and 30 MB more, for 2 % fewer bytes.
const QUALITY_OF_LONGER: u32 = 6;
/// Largest window: 2^22 bytes. A window has the length of the recording if that is shorter, since the memory of the packer grows with it.
const WINDOW_BITS: u32 = 22;
const WINDOW_BITS_MIN: u32 = 16;
/// Bytes that are read or written at a time.
const PIECE: usize = 1 << 16;

/// A recording unpacks to more than [`RECORDING_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the recording unpacks to more than {RECORDING_MAX} bytes")]
pub struct TooLarge;

/// Packs a recording.
#[must_use]
pub fn pack(recording: &[u8]) -> Vec<u8> {
    let mut packer = Packer::new(recording.len() as u64);
    packer.push(recording);
    packer.finish()
}

/// Packs a recording piece by piece.
pub struct Packer(brotli::CompressorWriter<Vec<u8>>);

impl Packer {
    /// For a recording of this many bytes.
    #[must_use]
    pub fn new(length: u64) -> Packer {
        let quality = if length <= QUALITY_MAX { QUALITY } else { QUALITY_OF_LONGER };
        let bits = length.next_power_of_two().ilog2().clamp(WINDOW_BITS_MIN, WINDOW_BITS);
        Packer(brotli::CompressorWriter::new(Vec::new(), PIECE, quality, bits))
    }

    /// Takes the next bytes.
    ///
    /// # Panics
    /// Never: nothing that is written to memory fails.
    pub fn push(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).expect("memory takes all");
    }

    /// What has been packed since the last call.
    #[must_use]
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(self.0.get_mut())
    }

    /// The rest, when there is nothing more to take.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        self.0.into_inner()
    }
}

/// A recording that may be packed, as far as it can be unpacked: its blocks have checksums, which say where that stops to be true.
///
/// # Errors
/// See [`TooLarge`].
pub fn unpack(bytes: &[u8]) -> Result<Cow<'_, [u8]>, TooLarge> {
    if is_plain(bytes) {
        return Ok(Cow::Borrowed(bytes));
    }
    let mut unpacked = Vec::new();
    let limit = RECORDING_MAX as u64 + 1;
    // What was cut off or damaged ends in an error, and is good up to there.
    let _ = brotli::Decompressor::new(bytes, PIECE).take(limit).read_to_end(&mut unpacked);
    if unpacked.len() > RECORDING_MAX {
        return Err(TooLarge);
    }
    // Neither of the two: whoever reads it says so of the bytes that there are.
    Ok(if is_plain(&unpacked) { Cow::Owned(unpacked) } else { Cow::Borrowed(bytes) })
}

/// Whether these bytes begin as those of a recording, of whatever version.
#[must_use]
pub fn is_plain(bytes: &[u8]) -> bool {
    let name = &block::MAGIC[..block::MAGIC.len() - 1];
    bytes.starts_with(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recording(length: usize) -> Vec<u8> {
        let mut rng = fastrand::Rng::with_seed(4);
        let body = (0..length).map(|at| if at % 100 < 80 { (at % 100) as u8 } else { rng.u8(..) });
        block::MAGIC.into_iter().chain(body).collect()
    }

    #[test]
    fn what_was_packed_is_unpacked_and_cut_anywhere_its_beginning() {
        let plain = recording(300_000);
        let packed = pack(&plain);
        assert!(packed.len() < plain.len() / 2, "{}", packed.len());
        assert_eq!(unpack(&packed).expect("it is small"), plain);
        assert!(matches!(unpack(&plain), Ok(Cow::Borrowed(same)) if same == plain), "it was not packed");
        let mut longest = 0;
        for cut in (0..packed.len()).step_by(packed.len() / 10) {
            let unpacked = unpack(&packed[..cut]).expect("it is small");
            if is_plain(&unpacked) {
                assert!(plain.starts_with(&unpacked), "{cut}");
                longest = longest.max(unpacked.len());
            }
        }
        assert!(longest > plain.len() / 2, "{longest}");
    }

    #[test]
    fn what_is_packed_piece_by_piece_is_unpacked_whatever_its_length() {
        for length in [0, 1, 60_000, QUALITY_MAX as usize + 1] {
            let plain = recording(length);
            let mut packer = Packer::new(plain.len() as u64);
            let mut packed = Vec::new();
            for piece in plain.chunks(PIECE) {
                packer.push(piece);
                packed.extend(packer.take());
            }
            packed.extend(packer.finish());
            assert!(unpack(&packed).expect("it is small") == plain, "{length}");
        }
    }

    #[test]
    fn what_unpacks_to_too_much_is_refused_and_what_nobody_packed_is_left_as_it_is() {
        let bomb = [&block::MAGIC[..], &vec![0; RECORDING_MAX]].concat();
        // The quality is for files; what is tested here is the reader.
        let mut writer = brotli::CompressorWriter::new(Vec::new(), PIECE, 1, WINDOW_BITS);
        writer.write_all(&bomb).expect("memory takes all");
        assert!(matches!(unpack(&writer.into_inner()), Err(TooLarge)));
        let mut rng = fastrand::Rng::with_seed(9);
        for length in [0, 1, 300, 5000] {
            let hostile: Vec<u8> = std::iter::repeat_with(|| rng.u8(..)).take(length).collect();
            assert_eq!(unpack(&hostile).expect("it is small"), hostile);
        }
    }
}

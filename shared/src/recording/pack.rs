//! Recordings in files, packed by brotli once a match is over. Browsers unpack what the server sends them; programs need this.

use std::borrow::Cow;
use std::io::{Read, Write};

use thiserror::Error;

use super::{RECORDING_MAX, block};

/// The slowest quality and the smallest result: nobody waits for the thread that packs.
const QUALITY: u32 = 11;
/// Window of 2^22 bytes, longer than most matches.
const WINDOW_BITS: u32 = 22;
/// Bytes that are read or written at a time.
const PIECE: usize = 1 << 16;

/// A recording unpacks to more than [`RECORDING_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the recording unpacks to more than {RECORDING_MAX} bytes")]
pub struct TooLarge;

/// Packs a recording.
///
/// # Panics
/// Never: nothing that is written to memory fails.
#[must_use]
pub fn pack(recording: &[u8]) -> Vec<u8> {
    let mut writer = brotli::CompressorWriter::new(Vec::new(), PIECE, QUALITY, WINDOW_BITS);
    writer.write_all(recording).expect("memory takes all");
    writer.into_inner()
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

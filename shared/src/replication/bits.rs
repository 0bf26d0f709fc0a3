//! Reading and writing of bits: least significant bit first, padded to whole bytes.

use thiserror::Error;

/// Why bytes could not be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum WireError {
    /// The bytes end within a value.
    #[error("frame ends too early")]
    Short,
    /// Bytes are left over at the end of the frame.
    #[error("frame has {0} trailing bytes")]
    Long(usize),
    /// A number is outside the range of its field.
    #[error("{what} is {value}, limit {limit}")]
    Range {
        /// The field.
        what: &'static str,
        /// The decoded value.
        value: u64,
        /// The largest allowed value or length.
        limit: u64,
    },
    /// The first byte of a frame is not a frame kind.
    #[error("frame kind {0} is unknown")]
    Kind(u8),
    /// A delta refers to an earlier state that the reader does not have.
    #[error("delta against an unknown state")]
    Baseline,
    /// A padding bit before the next whole byte is not zero.
    #[error("padding is not zero")]
    Padding,
    /// A control message does not decode.
    #[error("control message does not decode")]
    Control,
}

/// Widest half of a Golomb code that is written and read at once: such a code has at most 31 bits before the low ones,
/// and nearly every number has one.
const NARROW: u32 = 16;

/// Appends bits to a byte buffer of the caller.
#[derive(Debug)]
pub struct BitWriter<'a> {
    out: &'a mut Vec<u8>,
    hold: u64,
    /// Number of bits in `hold`, 0..=63. They are flushed in whole words.
    held: u32,
}

impl<'a> BitWriter<'a> {
    /// A writer that appends to `out`. Call [`BitWriter::finish`] to flush the last bytes.
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        BitWriter { out, hold: 0, held: 0 }
    }

    /// Appends the low `bits` bits of `value`, 0..=32.
    pub fn bits(&mut self, value: u32, bits: u32) {
        debug_assert!(bits <= 32 && (bits == 32 || value >> bits == 0), "{value} does not fit {bits} bits");
        self.put(u64::from(value), bits);
    }

    /// Appends one bit.
    pub fn flag(&mut self, value: bool) {
        self.put(u64::from(value), 1);
    }

    /// Appends the low `count` bits of `flags`, 0..=64, the lowest first; the others must be 0.
    pub fn flags(&mut self, flags: u64, count: u32) {
        let low = count.min(32);
        self.put(flags & ((1 << low) - 1), low);
        self.put(flags >> 32, count - low);
    }

    /// Appends a float exactly, 32 bits.
    pub fn f32(&mut self, value: f32) {
        self.bits(value.to_bits(), 32);
    }

    /// Appends an unsigned number in an exponential Golomb code of order `k`: short for small numbers, at least `k`
    /// bits.
    pub fn golomb(&mut self, value: u32, k: u32) {
        let shifted = (u64::from(value) >> k) + 1;
        let width = u64::BITS - shifted.leading_zeros(); // 1..=33
        let low = u64::from(value) & ((1 << k) - 1);
        // Zeros, then the top 1 of `shifted`, then the bits below it.
        let (top, rest) = (1 << (width - 1), shifted ^ (1 << (width - 1)));
        if width <= NARROW && k <= NARROW {
            self.put(top | rest << width | low << (2 * width - 1), 2 * width - 1 + k);
        } else {
            self.put(top, width);
            self.put(rest, width - 1);
            self.put(low, k);
        }
    }

    /// Appends a signed number near zero: zigzag, then [`BitWriter::golomb`].
    pub fn signed(&mut self, value: i32, k: u32) {
        self.golomb(((value << 1) ^ (value >> 31)) as u32, k);
    }

    /// Pads to a whole byte and flushes.
    pub fn finish(self) {
        let bytes = self.held.div_ceil(8) as usize;
        self.out.extend_from_slice(&self.hold.to_le_bytes()[..bytes]);
    }

    /// Appends the low `bits` bits of `value`, 0..=63; the others must be 0.
    #[inline]
    fn put(&mut self, value: u64, bits: u32) {
        self.hold |= value << self.held;
        self.held += bits;
        if self.held >= u64::BITS {
            self.out.extend_from_slice(&self.hold.to_le_bytes());
            self.held -= u64::BITS;
            // The bits that did not fit: at least one bit was held before, so these are at most 63.
            self.hold = value >> (bits - self.held);
        }
    }
}

/// Reads bits from bytes; never past their end.
#[derive(Debug, Clone)]
pub struct BitReader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> BitReader<'a> {
    /// A reader from the first bit of `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        BitReader { bytes, at: 0 }
    }

    /// The next `bits` bits, 0..=32.
    ///
    /// # Errors
    /// [`WireError::Short`] at the end of the bytes.
    pub fn bits(&mut self, bits: u32) -> Result<u32, WireError> {
        let window = self.window();
        self.skip(bits)?;
        Ok((window & ((1u64 << bits) - 1)) as u32)
    }

    /// The next bit.
    ///
    /// # Errors
    /// [`WireError::Short`] at the end of the bytes.
    pub fn flag(&mut self) -> Result<bool, WireError> {
        let byte = self.bytes.get(self.at / 8).ok_or(WireError::Short)?;
        let bit = byte >> (self.at % 8) & 1;
        self.at += 1;
        Ok(bit == 1)
    }

    /// A float written by [`BitWriter::f32`]; refuses NaN and infinities, which no valid sender writes.
    ///
    /// # Errors
    /// [`WireError::Short`], or [`WireError::Range`] for a value that is not finite.
    pub fn f32(&mut self, what: &'static str) -> Result<f32, WireError> {
        let bits = self.bits(32)?;
        let value = f32::from_bits(bits);
        if value.is_finite() {
            Ok(value)
        } else {
            Err(WireError::Range { what, value: u64::from(bits), limit: u64::from(f32::MAX.to_bits()) })
        }
    }

    /// A number written by [`BitWriter::golomb`] with the same `k`.
    ///
    /// # Errors
    /// [`WireError::Short`], or [`WireError::Range`] for a code wider than 32 bits.
    pub fn golomb(&mut self, k: u32) -> Result<u32, WireError> {
        let window = self.window();
        let zeros = window.trailing_zeros();
        if zeros >= NARROW || k > NARROW {
            return self.wide_golomb(k);
        }
        let rest = (window >> (zeros + 1)) & ((1 << zeros) - 1);
        let low = (window >> (2 * zeros + 1)) & ((1 << k) - 1);
        self.skip(2 * zeros + 1 + k)?;
        Ok((((1 << zeros) + rest - 1) << k | low) as u32)
    }

    /// [`BitReader::golomb`] for codes of any width.
    #[cold]
    fn wide_golomb(&mut self, k: u32) -> Result<u32, WireError> {
        let mut zeros = 0;
        while !self.flag()? {
            zeros += 1;
            if zeros > 32 {
                return Err(WireError::Range { what: "code length", value: zeros, limit: 32 });
            }
        }
        let high = (1u64 << zeros) + u64::from(self.bits(zeros as u32)?) - 1;
        let value = (high << k) + u64::from(self.bits(k)?);
        u32::try_from(value).map_err(|_| WireError::Range { what: "coded number", value, limit: u64::from(u32::MAX) })
    }

    /// A number written by [`BitWriter::signed`] with the same `k`.
    ///
    /// # Errors
    /// As [`BitReader::golomb`].
    pub fn signed(&mut self, k: u32) -> Result<i32, WireError> {
        let coded = self.golomb(k)?;
        Ok((coded >> 1) as i32 ^ -((coded & 1) as i32))
    }

    /// A count of at most `limit`, written by [`BitWriter::golomb`] with the same `k`.
    ///
    /// # Errors
    /// As [`BitReader::golomb`], and [`WireError::Range`] above `limit`, before the caller allocates.
    pub fn count(&mut self, k: u32, limit: usize, what: &'static str) -> Result<usize, WireError> {
        let count = self.golomb(k)? as usize;
        if count > limit {
            return Err(WireError::Range { what, value: count as u64, limit: limit as u64 });
        }
        Ok(count)
    }

    /// At least the next 57 bits, the next one lowest; zeros past the end.
    fn window(&self) -> u64 {
        let rest = self.bytes.get(self.at / 8..).unwrap_or(&[]);
        let word = match rest.first_chunk() {
            Some(word) => u64::from_le_bytes(*word),
            None => rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
        };
        word >> (self.at % 8)
    }

    fn skip(&mut self, bits: u32) -> Result<(), WireError> {
        let end = self.at + bits as usize;
        if end > self.bytes.len() * 8 {
            return Err(WireError::Short);
        }
        self.at = end;
        Ok(())
    }

    /// Skips the padding to the next whole byte; gives the number of bytes read so far.
    ///
    /// # Errors
    /// [`WireError::Padding`] if it is not all zeros: equal contents must have equal bytes.
    pub fn align(&mut self) -> Result<usize, WireError> {
        let bytes = self.at.div_ceil(8);
        let last = self.bytes.get(self.at / 8).copied().unwrap_or(0);
        if !self.at.is_multiple_of(8) && last >> (self.at % 8) != 0 {
            return Err(WireError::Padding);
        }
        self.at = bytes * 8;
        Ok(bytes)
    }

    /// Ends a frame: only the padding of the last byte may be left.
    ///
    /// # Errors
    /// [`WireError::Long`] with the number of unread bytes; [`WireError::Padding`].
    pub fn finish(mut self) -> Result<(), WireError> {
        let read = self.align()?;
        if read == self.bytes.len() { Ok(()) } else { Err(WireError::Long(self.bytes.len() - read)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_decodes_to_what_was_encoded() {
        let numbers = [0u32, 1, 2, 3, 7, 8, 255, 256, 65_535, 1 << 20, u32::MAX - 1, u32::MAX];
        for k in 0..=8 {
            let mut bytes = Vec::new();
            let mut w = BitWriter::new(&mut bytes);
            for n in numbers {
                w.golomb(n, k);
                w.signed(n as i32, k);
                w.bits(n, 32);
            }
            w.finish();
            let mut r = BitReader::new(&bytes);
            for n in numbers {
                assert_eq!(r.golomb(k), Ok(n));
                assert_eq!(r.signed(k), Ok(n as i32));
                assert_eq!(r.bits(32), Ok(n));
            }
            assert_eq!(r.finish(), Ok(()));
        }
    }

    #[test]
    fn flags_written_at_once_equal_flags_written_singly() {
        for count in 0..=64 {
            let flags = 0x9e37_79b9_7f4a_7c15_u64 & (u64::MAX.checked_shr(64 - count).unwrap_or(0));
            let (mut at_once, mut singly) = (Vec::new(), Vec::new());
            let mut w = BitWriter::new(&mut at_once);
            w.flag(true);
            w.flags(flags, count);
            w.finish();
            let mut w = BitWriter::new(&mut singly);
            w.flag(true);
            (0..count).for_each(|at| w.flag(flags & (1 << at) != 0));
            w.finish();
            assert_eq!(at_once, singly, "{count}");
        }
    }

    #[test]
    fn padding_that_is_not_zero_is_refused() {
        for (byte, padding_is_zero) in [(0b0000_0111, true), (0b0000_1111, false), (0b1000_0000, false)] {
            let bytes = [byte, 1];
            let mut r = BitReader::new(&bytes);
            assert_eq!(r.bits(3), Ok(u32::from(byte & 7)));
            assert_eq!(r.clone().align(), if padding_is_zero { Ok(1) } else { Err(WireError::Padding) });
            let finished = if padding_is_zero { Err(WireError::Long(1)) } else { Err(WireError::Padding) };
            assert_eq!(r.finish(), finished);
        }
        let mut whole = BitReader::new(&[0xff, 0xff]);
        assert_eq!((whole.align(), whole.bits(8), whole.align()), (Ok(0), Ok(255), Ok(1)));
    }

    #[test]
    fn reading_past_the_end_is_an_error_and_not_a_panic() {
        let mut r = BitReader::new(&[0xff]);
        assert_eq!(r.bits(9), Err(WireError::Short));
        assert_eq!(r.bits(8), Ok(255));
        assert_eq!(r.flag(), Err(WireError::Short));
        assert_eq!(
            BitReader::new(&[0; 64]).golomb(0).unwrap_err(),
            WireError::Range { what: "code length", value: 33, limit: 32 }
        );
    }
}

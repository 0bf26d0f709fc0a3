//! The frames of both sides, built once, and counting of received frames.

/// First byte of a WebSocket frame: FIN and the binary opcode (RFC 6455, section 5.2).
const FINAL_BINARY: u8 = 0x82;
/// The mask bit in the length byte.
const MASKED: u8 = 0x80;

/// A frame of a server with a payload of `bytes`, at most 65535.
pub(crate) fn from_server(bytes: usize) -> Vec<u8> {
    let mut frame = header(bytes, 0);
    frame.resize(frame.len() + bytes, 0x5a);
    frame
}

/// A frame of a client with a payload of `bytes`, at most 65535, masked as the RFC requires.
pub(crate) fn from_client(bytes: usize) -> Vec<u8> {
    let mask = [0x12, 0x34, 0x56, 0x78];
    let mut frame = header(bytes, MASKED);
    frame.extend(mask);
    frame.extend((0..bytes).map(|at| 0x5a ^ mask[at % 4]));
    frame
}

fn header(bytes: usize, masked: u8) -> Vec<u8> {
    let length = u16::try_from(bytes).expect("the flags allow at most 60000 bytes");
    if bytes <= 125 {
        return vec![FINAL_BINARY, masked | length as u8];
    }
    let [high, low] = length.to_be_bytes();
    vec![FINAL_BINARY, masked | 126, high, low]
}

/// Counts complete frames in a stream of frames of equal length.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct FrameCounter {
    partial: usize,
}

impl FrameCounter {
    /// Counts `bytes` more; gives the number of frames of `length` that they complete.
    pub(crate) fn take(&mut self, bytes: usize, length: usize) -> usize {
        self.partial += bytes;
        let complete = self.partial / length;
        self.partial %= length;
        complete
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_have_the_headers_of_the_standard() {
        assert_eq!(from_server(3), [0x82, 3, 0x5a, 0x5a, 0x5a]);
        assert_eq!(from_server(180)[..4], [0x82, 126, 0, 180]);
        assert_eq!(from_server(180).len(), 184);
        assert_eq!(from_client(2), [0x82, 0x82, 0x12, 0x34, 0x56, 0x78, 0x5a ^ 0x12, 0x5a ^ 0x34]);
    }

    #[test]
    fn frames_are_counted_wherever_a_read_cuts_them() {
        let mut counter = FrameCounter::default();
        assert_eq!([10, 1, 9, 25].map(|bytes| counter.take(bytes, 10)), [1, 0, 1, 2]);
        assert_eq!(counter.take(5, 10), 1);
    }
}

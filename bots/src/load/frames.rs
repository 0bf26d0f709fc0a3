//! WebSocket frames in received bytes (RFC 6455, section 5.2). A frame that arrives whole is never copied.

use broadside_shared::protocol::limits::SERVER_FRAME_MAX;

use crate::socket::PlayError;

/// The opcodes in use, with their values on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Opcode {
    /// A message of the game's protocol.
    Binary = 2,
    /// The end of the connection, with a code and a reason.
    Close = 8,
    /// A keepalive request.
    Ping = 9,
    /// The reply to a ping.
    Pong = 10,
}

/// A frame from the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The opcode.
    pub opcode: Opcode,
    /// The payload.
    pub payload: &'a [u8],
    /// Length of the frame including its header, in bytes.
    pub bytes: usize,
}

/// The first frame of `bytes`; `None` while it is incomplete.
///
/// # Errors
/// [`PlayError::Lost`] for frames that no Broadside server sends: masked, fragmented, too long or text.
pub fn parse(bytes: &[u8]) -> Result<Option<Frame<'_>>, PlayError> {
    let &[first, second, ..] = bytes else { return Ok(None) };
    let opcode = match first {
        0x82 => Opcode::Binary,
        0x88 => Opcode::Close,
        0x89 => Opcode::Ping,
        0x8a => Opcode::Pong,
        _ => {
            return Err(PlayError::Lost(format!(
                "frame begins with {first:#04x}, must be an unfragmented binary or control frame"
            )));
        }
    };
    let (len, header) = match second {
        0..=125 => (usize::from(second), 2),
        126 => match bytes.get(2..4) {
            Some(&[high, low]) => (usize::from(u16::from_be_bytes([high, low])), 4),
            Some(_) | None => return Ok(None),
        },
        127 => match bytes.get(2..10).and_then(|len| <[u8; 8]>::try_from(len).ok()) {
            Some(len) => (usize::try_from(u64::from_be_bytes(len)).unwrap_or(usize::MAX), 10),
            None => return Ok(None),
        },
        128.. => return Err(PlayError::Lost("server masks its frames, which only clients do".to_owned())),
    };
    if len > SERVER_FRAME_MAX {
        return Err(PlayError::Lost(format!("frame of {len} bytes is longer than {SERVER_FRAME_MAX}")));
    }
    let end = header + len;
    Ok(bytes.get(header..end).map(|payload| Frame { opcode, payload, bytes: end }))
}

/// Gives every complete frame of `kept` followed by `bytes` to `each`, and keeps the rest in `kept`. If `kept` is empty, frames are
/// read from `bytes` without a copy.
///
/// # Errors
/// As [`parse`], and the errors of `each`.
pub(crate) fn feed(
    kept: &mut Vec<u8>,
    bytes: &[u8],
    mut each: impl FnMut(Frame<'_>) -> Result<(), PlayError>,
) -> Result<(), PlayError> {
    if kept.is_empty() {
        let used = frames(bytes, &mut each)?;
        kept.extend_from_slice(&bytes[used..]);
    } else {
        kept.extend_from_slice(bytes);
        let used = frames(kept, &mut each)?;
        kept.drain(..used);
    }
    Ok(())
}

/// Gives every complete frame to `each`; returns the number of bytes used.
fn frames(bytes: &[u8], each: &mut impl FnMut(Frame<'_>) -> Result<(), PlayError>) -> Result<usize, PlayError> {
    let mut used = 0;
    while let Some(frame) = parse(&bytes[used..])? {
        used += frame.bytes;
        each(frame)?;
    }
    Ok(used)
}

/// Appends a client's frame, masked as the RFC requires.
pub(crate) fn append_masked(opcode: Opcode, payload: &[u8], mask: [u8; 4], out: &mut Vec<u8>) {
    out.push(0x80 | opcode as u8);
    match payload.len() {
        len @ 0..=125 => out.push(0x80 | len as u8),
        len @ 126..=0xffff => {
            out.push(0x80 | 126);
            out.extend_from_slice(&(len as u16).to_be_bytes());
        }
        len => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&mask);
    out.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(opcode: Opcode, payload: &[u8]) -> Vec<u8> {
        let mut out = vec![0x80 | opcode as u8];
        match payload.len() {
            len @ 0..=125 => out.push(len as u8),
            len @ 126..=0xffff => {
                out.push(126);
                out.extend_from_slice(&(len as u16).to_be_bytes());
            }
            len => {
                out.push(127);
                out.extend_from_slice(&(len as u64).to_be_bytes());
            }
        }
        out.extend_from_slice(payload);
        out
    }

    #[test]
    fn frames_are_the_same_wherever_the_bytes_are_split() {
        let payloads: Vec<Vec<u8>> =
            [0, 1, 125, 126, 700, 70_000].iter().map(|len| (0..*len).map(|i: u32| i as u8).collect()).collect();
        let mut stream = Vec::new();
        for payload in &payloads {
            stream.extend(framed(Opcode::Binary, payload));
            stream.extend(framed(Opcode::Ping, b"there?"));
        }
        let mut rng = fastrand::Rng::with_seed(5);
        for longest in [1, 2, 3, 7, 100, 5_000, stream.len()] {
            let (mut kept, mut received, mut rest) = (Vec::new(), Vec::new(), stream.as_slice());
            while !rest.is_empty() {
                let take = rng.usize(1..=longest).min(rest.len());
                feed(&mut kept, &rest[..take], |frame| {
                    received.push((frame.opcode, frame.payload.to_vec()));
                    Ok(())
                })
                .expect("valid frames");
                rest = &rest[take..];
            }
            assert!(kept.is_empty(), "in pieces of {longest}");
            let expected: Vec<(Opcode, Vec<u8>)> = payloads
                .iter()
                .flat_map(|p| [(Opcode::Binary, p.clone()), (Opcode::Ping, b"there?".to_vec())])
                .collect();
            assert!(received == expected, "in pieces of {longest}");
        }
    }

    #[test]
    fn invalid_frames_are_refused_with_what_is_wrong() {
        for (bytes, says) in [
            (&[0x02, 0x00][..], "0x02"),
            (&[0x81, 0x01, b'a'], "0x81"),
            (&[0x82, 0x81, 1, 2, 3, 4, 5], "masks"),
            (&[0x82, 127, 0, 0, 1, 0, 0, 0, 0, 0], "longer than"),
        ] {
            let error = parse(bytes).expect_err("refused").to_string();
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn a_masked_frame_unmasks_to_its_payload() {
        for len in [0usize, 5, 126, 70_000] {
            let payload: Vec<u8> = (0..len).map(|i| i as u8).collect();
            let mut out = Vec::new();
            append_masked(Opcode::Binary, &payload, [1, 2, 3, 4], &mut out);
            let unmasked: Vec<u8> =
                out[out.len() - len..].iter().zip([1, 2, 3, 4].iter().cycle()).map(|(b, m)| b ^ m).collect();
            assert!(unmasked == payload, "{len} bytes");
        }
    }
}

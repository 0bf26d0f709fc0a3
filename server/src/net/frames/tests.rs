use super::*;

const FIN: u8 = 0x80;

/// A masked client frame: the first byte, the length in its shortest form, and the payload.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x37, 0xfa, 0x21, 0x3d];
    let mut bytes = vec![first];
    match payload.len() {
        len @ 0..=125 => bytes.push(0x80 | len as u8),
        len @ 126..=0xffff => bytes.extend([&[0x80 | 126], &(len as u16).to_be_bytes()[..]].concat()),
        len => bytes.extend([&[0x80 | 127], &(len as u64).to_be_bytes()[..]].concat()),
    }
    bytes.extend(mask);
    bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

/// A source that returns its bytes in pieces of random size.
struct Dribble<'a> {
    bytes: &'a [u8],
    rng: fastrand::Rng,
}

impl Read for Dribble<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        assert!(!buffer.is_empty(), "a read has a buffer");
        let most = self.bytes.len().min(buffer.len());
        let n = if most == 0 { 0 } else { self.rng.usize(1..=most) };
        buffer[..n].copy_from_slice(&self.bytes[..n]);
        self.bytes = &self.bytes[n..];
        Ok(n)
    }
}

/// Parses every frame of `bytes`, some of which arrive early. Returns the frames with their payloads, and the error if any.
fn read_all(bytes: &[u8], seed: u64) -> (Vec<(Frame, Vec<u8>)>, Option<CloseCode>) {
    let mut rng = fastrand::Rng::with_seed(seed);
    let (early, rest) = bytes.split_at(rng.usize(0..=bytes.len()));
    let mut reader = FrameReader::new(early);
    let mut source = Dribble { bytes: rest, rng };
    let mut frames = Vec::new();
    loop {
        match reader.take_frame() {
            Ok(Some(frame)) => frames.push((frame, reader.payload().to_vec())),
            Err(code) => return (frames, Some(code)),
            Ok(None) => {
                if reader.read_from(&mut source).expect("the source never fails") == 0 {
                    return (frames, None);
                }
                assert!(
                    reader.bytes.len() <= bytes.len().max(CLIENT_FRAME_MAX + 14),
                    "no larger buffer than a frame needs"
                );
            }
        }
    }
}

#[test]
fn the_frames_are_the_same_however_the_bytes_are_split() {
    let long: Vec<u8> = (0..CLIENT_FRAME_MAX).map(|at| at as u8).collect();
    let sent = [
        (frame(FIN | 2, b"whole"), Frame::Message, b"whole".to_vec()),
        (frame(FIN | 2, &long), Frame::Message, long.clone()),
        (frame(2, &long[..300]), Frame::Fragment, long[..300].to_vec()),
        (frame(FIN | 9, b"ping"), Frame::Ping, b"ping".to_vec()),
        (frame(0, b""), Frame::Fragment, Vec::new()),
        (frame(FIN | 10, &long[..125]), Frame::Pong, long[..125].to_vec()),
        (frame(FIN, &long[300..]), Frame::Message, long.clone()),
        (frame(FIN | 2, b""), Frame::Message, Vec::new()),
        (frame(2, b"a"), Frame::Fragment, b"a".to_vec()),
        (frame(FIN, b"b"), Frame::Message, b"ab".to_vec()),
        (frame(FIN | 8, b"\x03\xe8bye"), Frame::Close, b"\x03\xe8bye".to_vec()),
    ];
    let bytes: Vec<u8> = sent.iter().flat_map(|(bytes, ..)| bytes.clone()).collect();
    let expected: Vec<(Frame, Vec<u8>)> = sent.into_iter().map(|(_, frame, payload)| (frame, payload)).collect();
    for seed in 0..300 {
        assert_eq!(read_all(&bytes, seed), (expected.clone(), None), "seed {seed}");
    }
}

#[test]
fn any_bytes_give_frames_or_a_close_code() {
    let mut rng = fastrand::Rng::with_seed(8);
    let mut ends = std::collections::BTreeMap::new();
    for seed in 0..20_000 {
        let (mut bytes, mut is_open) = (Vec::new(), false);
        for _ in 0..rng.usize(1..20) {
            // Mostly valid next frames, so that more than one or two are parsed.
            let first = match (rng.u8(0..20), is_open) {
                (0, _) => rng.u8(..),
                (1..4, _) => FIN | if rng.bool() { 9 } else { 10 },
                (_, true) => {
                    if rng.u8(0..10) == 0 {
                        FIN
                    } else {
                        0
                    }
                }
                (_, false) => {
                    if rng.bool() {
                        FIN | 2
                    } else {
                        2
                    }
                }
            };
            is_open = if first & 8 == 0 { first & FIN == 0 } else { is_open };
            let payload: Vec<u8> =
                (0..rng.usize(0..if first & 8 == 0 { 300 } else { 126 })).map(|_| rng.u8(..)).collect();
            bytes.extend(frame(first, &payload));
        }
        if rng.u8(0..4) == 0 {
            let at = rng.usize(0..bytes.len());
            bytes[at] = rng.u8(..);
        }
        let (frames, end) = read_all(&bytes, seed);
        assert!(frames.iter().all(|(_, payload)| payload.len() <= CLIENT_FRAME_MAX));
        *ends.entry(end.map(CloseCode::code)).or_insert(0) += 1;
    }
    // Every possible end occurs, and often.
    assert_eq!(ends.len(), 5, "{ends:?}");
    assert!(ends.values().all(|count| *count > 20), "{ends:?}");
}

#[test]
fn an_invalid_frame_is_refused_at_its_header() {
    let big = |len: u64| [&[FIN | 2, 0x80 | 127][..], &len.to_be_bytes(), &[0; 4]].concat();
    for (bytes, code) in [
        (vec![FIN | 1, 0x80 | 5], CloseCode::Unsupported),
        (vec![1, 0x80], CloseCode::Unsupported),
        (vec![FIN | 2, 5], CloseCode::Broken),
        (vec![FIN | 0x40 | 2, 0x80], CloseCode::Broken),
        (vec![FIN | 3, 0x80], CloseCode::Broken),
        (vec![FIN | 11, 0x80], CloseCode::Broken),
        (vec![FIN, 0x80], CloseCode::Broken),
        (vec![9, 0x80], CloseCode::Broken),
        (vec![FIN | 9, 0x80 | 126], CloseCode::Broken),
        (big(65_535), CloseCode::Broken),
        (big(u64::MAX), CloseCode::Broken),
        (big(u64::MAX >> 1), CloseCode::TooBig),
        (vec![FIN | 2, 0x80 | 126, 4, 1, 0, 0, 0, 0], CloseCode::TooBig),
        (vec![FIN | 2, 0x80 | 126, 0, 125], CloseCode::Broken),
    ] {
        assert_eq!(read_all(&bytes, 1), (Vec::new(), Some(code)), "{bytes:x?}");
    }
}

#[test]
fn length_and_fragments_of_a_message_are_limited() {
    let parts = |count: u32, bytes: usize| -> Vec<u8> {
        let part = |at| frame(if at == 0 { 2 } else { 0 } | if at + 1 == count { FIN } else { 0 }, &vec![7; bytes]);
        (0..count).flat_map(part).collect()
    };
    let end = |bytes: &[u8]| read_all(bytes, 3).1;
    assert_eq!(end(&parts(FRAGMENTS_MAX, CLIENT_FRAME_MAX / FRAGMENTS_MAX as usize)), None);
    assert_eq!(end(&parts(FRAGMENTS_MAX + 1, 1)), Some(CloseCode::TooManyFrames));
    assert_eq!(end(&parts(16, 2)), Some(CloseCode::TooManyFrames));
    assert_eq!(end(&parts(2, CLIENT_FRAME_MAX / 2 + 1)), Some(CloseCode::TooBig));
    // Endless empty fragments are refused at the limit.
    let endless: Vec<u8> = std::iter::once(frame(2, b"")).chain((0..1000).map(|_| frame(0, b""))).flatten().collect();
    let (frames, end) = read_all(&endless, 4);
    assert_eq!((frames.len(), end), (FRAGMENTS_MAX as usize, Some(CloseCode::TooManyFrames)));
}

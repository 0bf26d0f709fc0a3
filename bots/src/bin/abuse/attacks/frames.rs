//! Attacks on the rules of WebSocket (RFC 6455): frames without end, frames that must not be.

use std::time::{Duration, Instant};

use broadside_shared::protocol::codec;
use broadside_shared::protocol::message::ClientMsg;
use broadside_shared::time::MonoTime;

use super::{Attack, Outcome, side_by_side};
use crate::line::PAUSE;
use crate::offender::{Met, Offender, binary, frame, head};
use crate::scene::{Kind, Scene};

/// First bytes of frames: the end of a message, and what it is.
const END: u8 = 0x80;
const TEXT: u8 = 0x01;
const BINARY: u8 = 0x02;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;

/// Bytes sent at once in a flood.
const CHUNK: usize = 64 * 1024;
/// Time in which one wrong frame must have ended a connection.
const AT_ONCE: Duration = Duration::from_secs(5);
/// Bytes behind a close that nobody wants.
const FLOOD_BYTES: usize = 100 * 1024 * 1024;

const TOO_MUCH: &[Met] = &[Met::Closed(4004)];
const BROKEN: &[Met] = &[Met::Closed(1002)];
const NO_TEXT: &[Met] = &[Met::Closed(1003)];

pub(super) fn attacks() -> Vec<Attack> {
    floods().into_iter().chain(odd_ones()).chain(ends()).collect()
}

/// Too much of what may be said.
fn floods() -> Vec<Attack> {
    vec![
        Attack::new("empty-fragments", "one message of endless empty fragments", TOO_MUCH, |s| {
            flood(s, 1, &frame(BINARY, &[1]), &frame(0, &[]))
        })
        .short(),
        Attack::new("empty-fragments-tls", "the same, twice, by TLS", TOO_MUCH, |s| {
            flood(s, 2, &frame(BINARY, &[1]), &frame(0, &[]))
        })
        .on(Kind::Tls),
        Attack::new("many-fragments", "valid messages in 16 fragments each, without a pause", TOO_MUCH, |s| {
            flood(s, 1, &[], &in_fragments(16))
        })
        .short(),
        Attack::new("ping-flood", "pings without a pause", TOO_MUCH, |s| flood(s, 1, &[], &frame(PING, b"there?")))
            .short(),
        Attack::new("pong-flood", "pongs that nobody asked for", TOO_MUCH, |s| flood(s, 1, &[], &frame(PONG, &[]))),
        Attack::new("ping-in-fragments", "pings without a pause inside a message", TOO_MUCH, |s| {
            flood(s, 1, &frame(BINARY, &[1]), &frame(PING, &[]))
        }),
    ]
}

/// A frame or two that must not be.
fn odd_ones() -> Vec<Attack> {
    vec![
        Attack::new("long-ping", "a ping of 200 bytes", BROKEN, |s| odd(s, &[frame(PING, &[0; 200])])),
        Attack::new("split-ping", "a ping in fragments", BROKEN, |s| odd(s, &[frame(0x09, b"a")])),
        Attack::new("text", "a text frame", NO_TEXT, |s| odd(s, &[frame(END | TEXT, b"hello")])).short(),
        Attack::new("text-in-fragments", "a text message in two fragments", NO_TEXT, |s| {
            odd(s, &[[frame(TEXT, b"hel"), frame(END, b"lo")].concat()])
        }),
        Attack::new("text-not-utf8", "a text frame that is no UTF-8, whole and in fragments", NO_TEXT, |s| {
            odd(s, &[frame(END | TEXT, &[0xff, 0xfe]), [frame(TEXT, &[0xff]), frame(END, &[0xfe])].concat()])
        }),
        Attack::new("unmasked", "a frame without a mask", BROKEN, |s| odd(s, &[vec![END | BINARY, 1, 1]])).short(),
        Attack::new("reserved-bits", "frames with each of the reserved bits", BROKEN, |s| {
            odd(s, &[0x40, 0x20, 0x10].map(|bit| frame(END | BINARY | bit, &[1])))
        }),
        Attack::new("reserved-opcode", "frames of kinds that are not there", BROKEN, |s| {
            odd(s, &[0x3, 0x7, 0xb, 0xf].map(|kind| frame(END | kind, &[])))
        }),
        Attack::new("lone-fragment", "the end of a message that did not begin", BROKEN, |s| {
            odd(s, &[frame(END, &[1])])
        }),
        Attack::new("message-in-message", "a message that begins inside another", BROKEN, |s| {
            odd(s, &[[frame(BINARY, &[1]), binary(&[1])].concat()])
        }),
        Attack::new(
            "bad-close",
            "closes of one byte, and with a code that is none",
            &[Met::Closed(1002), Met::Cut],
            |s| odd(s, &[frame(CLOSE, &[3]), frame(CLOSE, &[0, 1])]),
        ),
        Attack::new(
            "endless-frame",
            "frames of 2^63 and of 64 MiB, by their heads",
            &[Met::Closed(1009), Met::Closed(1002)],
            |s| odd(s, &[head(END | BINARY, 1 << 63), head(END | BINARY, 64 << 20)]),
        )
        .short(),
        Attack::new(
            "endless-message",
            "small fragments of a message of 64 MiB",
            &[Met::Closed(1009), Met::Closed(4004)],
            |s| flood(s, 1, &frame(BINARY, &[1; 500]), &frame(0, &[1; 500])),
        ),
    ]
}

/// Frames and connections that do not end, or do not end there.
fn ends() -> Vec<Attack> {
    vec![
        Attack::new(
            "slow-frame",
            "a byte a second of one frame",
            &[Met::Open, Met::Closed(4005), Met::Closed(4004), Met::Cut],
            slow_frame,
        ),
        Attack::new("flood-after-close", "100 MB behind a close", &[Met::Cut], flood_after_close).short(),
        Attack::new("frame-after-close", "a message right behind a close", &[Met::Closed(1000), Met::Cut], |s| {
            odd(s, &[[frame(CLOSE, &[3, 0xe8]), in_fragments(1)].concat()])
        }),
        Attack::new("half-close", "an end of what we say, and an open ear", &[Met::Cut, Met::Closed(4005)], half_close),
        Attack::new(
            "new-keys-tls",
            "new keys by TLS, again and again",
            &[Met::Open, Met::Closed(4004), Met::Cut],
            new_keys,
        )
        .on(Kind::Tls),
    ]
}

/// A valid message in so many fragments.
fn in_fragments(count: usize) -> Vec<u8> {
    let message = codec::encode_client(&ClientMsg::Ping { client_time: MonoTime(0x0123_4567_89ab) });
    let size = message.len().div_ceil(count);
    let mut parts: Vec<&[u8]> = message.chunks(size).collect();
    parts.resize(count, &[]);
    let first_byte = |at: usize| (if at == 0 { BINARY } else { 0 }) | (if at + 1 == count { END } else { 0 });
    parts.iter().enumerate().flat_map(|(at, part)| frame(first_byte(at), part)).collect()
}

/// Some players say `first` and then `again` without a pause.
fn flood(scene: &Scene, offenders: usize, first: &[u8], again: &[u8]) -> anyhow::Result<Outcome> {
    let chunk = again.repeat(CHUNK.div_ceil(again.len()));
    Ok(side_by_side(offenders, |_| {
        let mut offender = match Offender::play(scene, scene.rascal) {
            Ok(offender) => offender,
            Err(met) => return met,
        };
        let mut first = first.to_vec();
        offender.pump(scene.length, |out| {
            out.append(&mut first);
            out.extend_from_slice(&chunk);
        })
    }))
}

/// One player for each of these, who says it and listens.
fn odd(scene: &Scene, each: &[Vec<u8>]) -> anyhow::Result<Outcome> {
    let say = |bytes: &Vec<u8>| {
        let mut offender = Offender::play(scene, scene.rascal)?;
        let mut bytes = bytes.clone();
        Ok(offender.pump(AT_ONCE, |out| out.append(&mut bytes)))
    };
    Ok(Outcome::of(each.iter().map(|bytes| say(bytes).unwrap_or_else(|met| met))))
}

fn slow_frame(scene: &Scene) -> anyhow::Result<Outcome> {
    let mut offender = match Offender::play(scene, scene.rascal) {
        Ok(offender) => offender,
        Err(met) => return Ok(Outcome::of([met])),
    };
    let (mut bytes, mut at) = (head(END | BINARY, 1000), Instant::now());
    let met = offender.pump(scene.length * 3, |out| {
        out.append(&mut bytes);
        if at <= Instant::now() {
            at += Duration::from_secs(1);
            out.push(1);
        }
    });
    Ok(Outcome::of([met]))
}

fn flood_after_close(scene: &Scene) -> anyhow::Result<Outcome> {
    let mut offender = match Offender::play(scene, scene.rascal) {
        Ok(offender) => offender,
        Err(met) => return Ok(Outcome::of([met])),
    };
    let began = Instant::now();
    let close = frame(CLOSE, &[3, 0xe8]);
    let mut met = crate::offender::write_all(offender.line(), &close).err();
    let (mut taken, zeros) = (0, vec![0; CHUNK]);
    // Whatever the server says now is left lying.
    while met.is_none() && taken < FLOOD_BYTES && began.elapsed() < AT_ONCE * 2 {
        match offender.line().try_write(&zeros) {
            Ok(0) => std::thread::sleep(PAUSE),
            Ok(more) => taken += more,
            Err(_) => met = Some(Met::Cut),
        }
    }
    let met = met.unwrap_or(Met::Open);
    let (megabytes, seconds) = (taken as f64 / 1e6, began.elapsed().as_secs_f64());
    Ok(Outcome::of([met]).noting(format!("{megabytes:.1} MB taken in {seconds:.1} s")))
}

fn half_close(scene: &Scene) -> anyhow::Result<Outcome> {
    let mut offender = match Offender::play(scene, scene.rascal) {
        Ok(offender) => offender,
        Err(met) => return Ok(Outcome::of([met])),
    };
    offender.line().end_writing();
    Ok(Outcome::of([offender.listen(Duration::from_secs(13))]))
}

fn new_keys(scene: &Scene) -> anyhow::Result<Outcome> {
    let mut offender = match Offender::play(scene, scene.rascal) {
        Ok(offender) => offender,
        Err(met) => return Ok(Outcome::of([met])),
    };
    let (until, mut asked) = (Instant::now() + scene.length, 0);
    let met = loop {
        if Instant::now() > until {
            break Met::Open;
        }
        for _ in 0..100 {
            match offender.line().new_keys() {
                Ok(true) => asked += 1,
                Ok(false) => break,
                // What is said of it is heard below.
                Err(_) => break,
            }
        }
        match offender.listen(Duration::from_millis(1)) {
            Met::Open => {}
            met => break met,
        }
    };
    Ok(Outcome::of([met]).noting(format!("{asked} times")))
}

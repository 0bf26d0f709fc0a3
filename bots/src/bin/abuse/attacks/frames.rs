//! Attacks on WebSocket framing (RFC 6455): floods, invalid frames, frames and connections that do not end.

use std::time::{Duration, Instant};

use broadside_shared::protocol::codec;
use broadside_shared::protocol::message::ClientMsg;
use broadside_shared::time::MonoTime;

use crate::attack::{Attack, Outcome, in_parallel};
use crate::attacker::{Attacker, Reaction, binary, frame, frame_header};
use crate::raw_connection::PAUSE;
use crate::testbed::{Testbed, TestbedKind};

/// First byte of a frame: the FIN bit and the opcodes; the control opcodes include FIN.
const FIN: u8 = 0x80;
const TEXT: u8 = 0x01;
const BINARY: u8 = 0x02;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;

/// Bytes sent at once in a flood.
const CHUNK: usize = 64 * 1024;
/// Time within which one invalid frame must have ended a connection.
const AT_ONCE: Duration = Duration::from_secs(5);
/// Bytes sent after a close frame.
const FLOOD_BYTES: usize = 100 * 1024 * 1024;

const TOO_MUCH: &[Reaction] = &[Reaction::Closed(4004)];
const BROKEN: &[Reaction] = &[Reaction::Closed(1002)];
const NO_TEXT: &[Reaction] = &[Reaction::Closed(1003)];

pub(super) fn attacks() -> Vec<Attack> {
    floods().into_iter().chain(invalid_frames()).chain(ends()).collect()
}

/// Valid or nearly valid frames, too many of them.
fn floods() -> Vec<Attack> {
    vec![
        Attack::new("empty-fragments", "one message of an endless series of empty fragments", TOO_MUCH, |s| {
            flood(s, 1, &frame(BINARY, &[1]), &frame(0, &[]))
        })
        .short(),
        Attack::new("empty-fragments-tls", "the same over TLS, from two connections", TOO_MUCH, |s| {
            flood(s, 2, &frame(BINARY, &[1]), &frame(0, &[]))
        })
        .on(TestbedKind::Tls),
        Attack::new("many-fragments", "valid messages in 16 fragments each, without a pause", TOO_MUCH, |s| {
            flood(s, 1, &[], &in_fragments(16))
        })
        .short(),
        Attack::new("ping-flood", "pings without a pause", TOO_MUCH, |s| flood(s, 1, &[], &frame(PING, b"there?")))
            .short(),
        Attack::new("pong-flood", "unsolicited pongs without a pause", TOO_MUCH, |s| {
            flood(s, 1, &[], &frame(PONG, &[]))
        }),
        Attack::new("ping-in-fragments", "pings without a pause inside a message", TOO_MUCH, |s| {
            flood(s, 1, &frame(BINARY, &[1]), &frame(PING, &[]))
        }),
    ]
}

/// One or two invalid frames.
fn invalid_frames() -> Vec<Attack> {
    vec![
        Attack::new("long-ping", "a ping of 200 bytes", BROKEN, |s| send_each(s, &[frame(PING, &[0; 200])])),
        Attack::new("split-ping", "a ping in fragments", BROKEN, |s| send_each(s, &[frame(0x09, b"a")])),
        Attack::new("text", "a text frame", NO_TEXT, |s| send_each(s, &[frame(FIN | TEXT, b"hello")])).short(),
        Attack::new("text-in-fragments", "a text message in two fragments", NO_TEXT, |s| {
            send_each(s, &[[frame(TEXT, b"hel"), frame(FIN, b"lo")].concat()])
        }),
        Attack::new("text-not-utf8", "a text frame that is not UTF-8, whole and in fragments", NO_TEXT, |s| {
            send_each(s, &[frame(FIN | TEXT, &[0xff, 0xfe]), [frame(TEXT, &[0xff]), frame(FIN, &[0xfe])].concat()])
        }),
        Attack::new("unmasked", "a frame without a mask", BROKEN, |s| send_each(s, &[vec![FIN | BINARY, 1, 1]]))
            .short(),
        Attack::new("reserved-bits", "a frame for each reserved bit", BROKEN, |s| {
            send_each(s, &[0x40, 0x20, 0x10].map(|bit| frame(FIN | BINARY | bit, &[1])))
        }),
        Attack::new("reserved-opcode", "frames with reserved opcodes", BROKEN, |s| {
            send_each(s, &[0x3, 0x7, 0xb, 0xf].map(|kind| frame(FIN | kind, &[])))
        }),
        Attack::new("lone-fragment", "a continuation frame without a message", BROKEN, |s| {
            send_each(s, &[frame(FIN, &[1])])
        }),
        Attack::new("message-in-message", "a new message inside an unfinished one", BROKEN, |s| {
            send_each(s, &[[frame(BINARY, &[1]), binary(&[1])].concat()])
        }),
        Attack::new(
            "bad-close",
            "close frames of one byte, and with an invalid code",
            &[Reaction::Closed(1002), Reaction::Cut],
            |s| send_each(s, &[frame(CLOSE, &[3]), frame(CLOSE, &[0, 1])]),
        ),
        Attack::new(
            "endless-frame",
            "frame headers that declare 2^63 bytes and 64 MiB",
            &[Reaction::Closed(1009), Reaction::Closed(1002)],
            |s| send_each(s, &[frame_header(FIN | BINARY, 1 << 63), frame_header(FIN | BINARY, 64 << 20)]),
        )
        .short(),
        Attack::new(
            "endless-message",
            "small fragments of a message of 64 MiB",
            &[Reaction::Closed(1009), Reaction::Closed(4004)],
            |s| flood(s, 1, &frame(BINARY, &[1; 500]), &frame(0, &[1; 500])),
        ),
    ]
}

/// Frames and connections that do not end, or go on after their end.
fn ends() -> Vec<Attack> {
    vec![
        Attack::new(
            "slow-frame",
            "one frame at one byte per second",
            &[Reaction::Open, Reaction::Closed(4005), Reaction::Closed(4004), Reaction::Cut],
            slow_frame,
        ),
        Attack::new("flood-after-close", "100 MB after a close frame", &[Reaction::Cut], flood_after_close).short(),
        Attack::new(
            "frame-after-close",
            "a message directly after a close frame",
            &[Reaction::Closed(1000), Reaction::Cut],
            |s| send_each(s, &[[frame(CLOSE, &[3, 0xe8]), in_fragments(1)].concat()]),
        ),
        Attack::new(
            "half-close",
            "the sending direction shut down, the receiving one open",
            &[Reaction::Cut, Reaction::Closed(4005)],
            half_close,
        ),
        Attack::new(
            "new-keys-tls",
            "TLS key updates without a pause",
            &[Reaction::Open, Reaction::Closed(4004), Reaction::Cut],
            new_keys,
        )
        .on(TestbedKind::Tls),
    ]
}

/// A valid message in `count` fragments.
fn in_fragments(count: usize) -> Vec<u8> {
    let message = codec::encode_client(&ClientMsg::Ping { client_time: MonoTime(0x0123_4567_89ab) });
    let size = message.len().div_ceil(count);
    let mut parts: Vec<&[u8]> = message.chunks(size).collect();
    parts.resize(count, &[]);
    let first_byte = |at: usize| (if at == 0 { BINARY } else { 0 }) | (if at + 1 == count { FIN } else { 0 });
    parts.iter().enumerate().flat_map(|(at, part)| frame(first_byte(at), part)).collect()
}

/// Each attacker takes a seat, sends `first` and then `again` without a pause.
fn flood(testbed: &Testbed, attackers: usize, first: &[u8], again: &[u8]) -> anyhow::Result<Outcome> {
    let chunk = again.repeat(CHUNK.div_ceil(again.len()));
    Ok(in_parallel(attackers, |_| {
        let mut attacker = match Attacker::play(testbed, testbed.attacker_address) {
            Ok(attacker) => attacker,
            Err(reaction) => return reaction,
        };
        let mut first = first.to_vec();
        attacker.pump(testbed.length, |out| {
            out.append(&mut first);
            out.extend_from_slice(&chunk);
        })
    }))
}

/// One attacker for each entry, which takes a seat, sends the entry and waits for the reaction.
fn send_each(testbed: &Testbed, each: &[Vec<u8>]) -> anyhow::Result<Outcome> {
    let send = |bytes: &Vec<u8>| {
        let mut attacker = Attacker::play(testbed, testbed.attacker_address)?;
        let mut bytes = bytes.clone();
        Ok(attacker.pump(AT_ONCE, |out| out.append(&mut bytes)))
    };
    Ok(Outcome::of(each.iter().map(|bytes| send(bytes).unwrap_or_else(|reaction| reaction))))
}

fn slow_frame(testbed: &Testbed) -> anyhow::Result<Outcome> {
    let mut attacker = match Attacker::play(testbed, testbed.attacker_address) {
        Ok(attacker) => attacker,
        Err(reaction) => return Ok(Outcome::of([reaction])),
    };
    let (mut bytes, mut at) = (frame_header(FIN | BINARY, 1000), Instant::now());
    let reaction = attacker.pump(testbed.length * 3, |out| {
        out.append(&mut bytes);
        if at <= Instant::now() {
            at += Duration::from_secs(1);
            out.push(1);
        }
    });
    Ok(Outcome::of([reaction]))
}

fn flood_after_close(testbed: &Testbed) -> anyhow::Result<Outcome> {
    let mut attacker = match Attacker::play(testbed, testbed.attacker_address) {
        Ok(attacker) => attacker,
        Err(reaction) => return Ok(Outcome::of([reaction])),
    };
    let began = Instant::now();
    let close = frame(CLOSE, &[3, 0xe8]);
    let mut reaction = crate::attacker::write_all(attacker.connection(), &close).err();
    let (mut taken, zeros) = (0, vec![0; CHUNK]);
    // Nothing that the server sends from here on is read.
    while reaction.is_none() && taken < FLOOD_BYTES && began.elapsed() < AT_ONCE * 2 {
        match attacker.connection().try_write(&zeros) {
            Ok(0) => std::thread::sleep(PAUSE),
            Ok(more) => taken += more,
            Err(_) => reaction = Some(Reaction::Cut),
        }
    }
    let reaction = reaction.unwrap_or(Reaction::Open);
    let (megabytes, seconds) = (taken as f64 / 1e6, began.elapsed().as_secs_f64());
    Ok(Outcome::of([reaction]).noting(format!("{megabytes:.1} MB taken in {seconds:.1} s")))
}

fn half_close(testbed: &Testbed) -> anyhow::Result<Outcome> {
    let mut attacker = match Attacker::play(testbed, testbed.attacker_address) {
        Ok(attacker) => attacker,
        Err(reaction) => return Ok(Outcome::of([reaction])),
    };
    attacker.connection().shut_down_writing();
    Ok(Outcome::of([attacker.listen(Duration::from_secs(13))]))
}

fn new_keys(testbed: &Testbed) -> anyhow::Result<Outcome> {
    let mut attacker = match Attacker::play(testbed, testbed.attacker_address) {
        Ok(attacker) => attacker,
        Err(reaction) => return Ok(Outcome::of([reaction])),
    };
    let (until, mut requested) = (Instant::now() + testbed.length, 0);
    let reaction = loop {
        if Instant::now() > until {
            break Reaction::Open;
        }
        for _ in 0..100 {
            match attacker.connection().update_keys() {
                Ok(true) => requested += 1,
                Ok(false) => break,
                // The close that follows is read below.
                Err(_) => break,
            }
        }
        match attacker.listen(Duration::from_millis(1)) {
            Reaction::Open => {}
            reaction => break reaction,
        }
    };
    Ok(Outcome::of([reaction]).noting(format!("{requested} times")))
}

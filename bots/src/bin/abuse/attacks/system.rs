//! Attacks on the process: its files, its log, its time.

use std::time::{Duration, Instant};

use broadside_bots::load::wire::{Opcode, parse};
use broadside_shared::protocol::codec;
use broadside_shared::protocol::message::ClientMsg;
use broadside_shared::time::MonoTime;

use super::http::{ask, asked};
use super::{Attack, Outcome, side_by_side};
use crate::line::Line;
use crate::offender::{Met, Offender, binary, read_some, status_of};
use crate::scene::{Kind, Scene, one_of_many};

/// Connections to a server that may have 128 files.
const MANY: usize = 200;
/// Time in which each must have been answered.
const ANSWERED: Duration = Duration::from_secs(10);
/// Time for which the server is stopped: longer than anybody may be silent.
const STOPPED: Duration = Duration::from_secs(11);
/// Players who go on talking meanwhile.
const TALKERS: usize = 4;
/// Connections that are worth a line in the log each.
const LOGGED: usize = 300;

pub(super) fn attacks() -> Vec<Attack> {
    let stop =
        Attack::new("stopped", "the server stopped for 11 s, while players go on talking", &[Met::Open], stopped);
    vec![
        Attack { stands_still: true, ..stop },
        Attack::new(
            "no-more-files",
            "200 connections where 128 files may be open",
            &[Met::Open, Met::Closed(4008), Met::Closed(4012), Met::Status(503), Met::Status(429), Met::Cut],
            no_more_files,
        )
        .on(Kind::FewFiles),
        Attack::new("log-not-read", "a log that nobody reads, and much to be said", &[Met::Status(200)], much_to_log)
            .on(Kind::Logged),
        Attack::new("log-gone", "whoever read the log has gone, and much to be said", &[Met::Status(200)], |scene| {
            drop(scene.log.lock().ok().and_then(|mut log| log.take()));
            much_to_log(scene)
        })
        .on(Kind::Logged),
    ]
}

#[cfg(unix)]
fn signal(scene: &Scene, signal: nix::sys::signal::Signal) -> anyhow::Result<()> {
    Ok(nix::sys::signal::kill(nix::unistd::Pid::from_raw(scene.process()?), signal)?)
}

#[cfg(unix)]
fn stopped(scene: &Scene) -> anyhow::Result<Outcome> {
    use nix::sys::signal::Signal::{SIGCONT, SIGSTOP};

    let talkers: Result<Vec<Offender>, Met> = (0..TALKERS).map(|at| Offender::play(scene, one_of_many(at))).collect();
    let talkers = match talkers {
        Ok(talkers) => talkers.into_iter().map(|one| std::sync::Mutex::new(Some(one))).collect::<Vec<_>>(),
        Err(met) => return Ok(Outcome::of([met])),
    };
    let ping = binary(&codec::encode_client(&ClientMsg::Ping { client_time: MonoTime(1) }));
    signal(scene, SIGSTOP)?;
    std::thread::scope(|scope| {
        let talking = scope.spawn(|| {
            side_by_side(TALKERS, |at| {
                let Some(mut talker) = talkers[at].lock().ok().and_then(|mut one| one.take()) else {
                    return Met::Fooled;
                };
                let mut next = Instant::now();
                talker.pump(STOPPED + Duration::from_secs(3), |out| {
                    if next <= Instant::now() {
                        next += Duration::from_millis(200);
                        out.extend_from_slice(&ping);
                    }
                })
            })
        });
        std::thread::sleep(STOPPED);
        signal(scene, SIGCONT)?;
        Ok(talking.join().unwrap_or_default())
    })
}

#[cfg(not(unix))]
fn stopped(_scene: &Scene) -> anyhow::Result<Outcome> {
    anyhow::bail!("there is no signal to stop it with")
}

/// Everyone must be told something: let in, or not.
fn no_more_files(scene: &Scene) -> anyhow::Result<Outcome> {
    let mut met = Vec::new();
    let mut lines: Vec<(Line, Vec<u8>)> = Vec::new();
    for at in 0..MANY {
        match asked(scene, one_of_many(at)) {
            Ok(line) => lines.push((line, Vec::new())),
            Err(other) => met.push(other),
        }
    }
    let until = Instant::now() + ANSWERED;
    for (line, came) in &mut lines {
        let mut told = Met::Unanswered;
        while told == Met::Unanswered && Instant::now() < until {
            let open = matches!(read_some(line, came), Ok(true));
            told = match status_of(came) {
                Some(101) => first_close(came).unwrap_or(Met::Open),
                Some(status) => Met::Status(status),
                None if open => Met::Unanswered,
                None => Met::Cut,
            };
        }
        met.push(told);
    }
    Ok(Outcome::of(met))
}

/// The close that came right behind the answer to the handshake.
fn first_close(came: &[u8]) -> Option<Met> {
    let end = came.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let frame = parse(&came[end..]).ok()??;
    match (frame.opcode, frame.payload) {
        (Opcode::Close, [high, low, ..]) => Some(Met::Closed(u16::from_be_bytes([*high, *low]))),
        (Opcode::Close, _) => Some(Met::Cut),
        (Opcode::Binary | Opcode::Ping | Opcode::Pong, _) => None,
    }
}

/// Says much that is worth a line in a log, and asks how the server is.
fn much_to_log(scene: &Scene) -> anyhow::Result<Outcome> {
    for at in 0..LOGGED {
        if let Ok(mut one) = Offender::shake(scene, one_of_many(at), "") {
            let _ = one.send(&binary(b"nonsense"));
        }
    }
    let health = format!("GET /healthz HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", scene.address);
    Ok(Outcome::of([ask(scene, scene.rascal, &health)]))
}

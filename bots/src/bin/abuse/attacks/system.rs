//! Attacks on the process: open files, log, CPU time.

use std::time::{Duration, Instant};

use broadside_bots::load::frames::{Opcode, parse};
use broadside_shared::protocol::codec;
use broadside_shared::protocol::message::ClientMsg;
use broadside_shared::time::MonoTime;

use super::http::{begin_handshake, send_request};
use crate::attack::{Attack, Outcome, in_parallel};
use crate::attacker::{Attacker, Reaction, binary, read_some, status_of};
use crate::raw_connection::RawConnection;
use crate::testbed::{Testbed, TestbedKind, pool_address};

/// Connections to a server that may open 128 files.
const CONNECTIONS: usize = 200;
/// Time within which each must have got a reaction.
const ANSWERED: Duration = Duration::from_secs(10);
/// Time for which the server process is stopped: longer than a connection may be silent (10 s).
const STOPPED: Duration = Duration::from_secs(11);
/// Players that go on sending meanwhile.
const TALKERS: usize = 4;
/// Connections that cause one log line each.
const LOGGED: usize = 300;

pub(super) fn attacks() -> Vec<Attack> {
    let stop = Attack::new(
        "stopped",
        "the server process stopped for 11 s while players go on sending",
        &[Reaction::Open],
        stopped,
    );
    vec![
        Attack { suspends_server: true, ..stop },
        Attack::new(
            "no-more-files",
            "200 connections to a server that may open 128 files",
            &[
                Reaction::Open,
                Reaction::Closed(4008),
                Reaction::Closed(4012),
                Reaction::Status(503),
                Reaction::Status(429),
                Reaction::Cut,
            ],
            no_more_files,
        )
        .on(TestbedKind::FewFiles),
        Attack::new("log-not-read", "many log lines into a pipe that nobody reads", &[Reaction::Status(200)], fill_log)
            .on(TestbedKind::Logged),
        Attack::new(
            "log-gone",
            "many log lines into a pipe whose reader has gone",
            &[Reaction::Status(200)],
            |testbed| {
                drop(testbed.log.lock().ok().and_then(|mut log| log.take()));
                fill_log(testbed)
            },
        )
        .on(TestbedKind::Logged),
    ]
}

#[cfg(unix)]
fn signal(testbed: &Testbed, signal: nix::sys::signal::Signal) -> anyhow::Result<()> {
    Ok(nix::sys::signal::kill(nix::unistd::Pid::from_raw(testbed.process()?), signal)?)
}

#[cfg(unix)]
fn stopped(testbed: &Testbed) -> anyhow::Result<Outcome> {
    use nix::sys::signal::Signal::{SIGCONT, SIGSTOP};

    let talkers: Result<Vec<Attacker>, Reaction> =
        (0..TALKERS).map(|at| Attacker::play(testbed, pool_address(at))).collect();
    let talkers = match talkers {
        Ok(talkers) => talkers.into_iter().map(|one| std::sync::Mutex::new(Some(one))).collect::<Vec<_>>(),
        Err(reaction) => return Ok(Outcome::of([reaction])),
    };
    let ping = binary(&codec::encode_client(&ClientMsg::Ping { client_time: MonoTime(1) }));
    signal(testbed, SIGSTOP)?;
    std::thread::scope(|scope| {
        let talking = scope.spawn(|| {
            in_parallel(TALKERS, |at| {
                let Some(mut talker) = talkers[at].lock().ok().and_then(|mut one| one.take()) else {
                    return Reaction::Breached;
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
        signal(testbed, SIGCONT)?;
        Ok(talking.join().unwrap_or_default())
    })
}

#[cfg(not(unix))]
fn stopped(_scene: &Testbed) -> anyhow::Result<Outcome> {
    anyhow::bail!("this system has no signal that stops a process")
}

/// Every connection must get a reaction, accepted or not.
fn no_more_files(testbed: &Testbed) -> anyhow::Result<Outcome> {
    let mut reactions = Vec::new();
    let mut connections: Vec<(RawConnection, Vec<u8>)> = Vec::new();
    for at in 0..CONNECTIONS {
        match begin_handshake(testbed, pool_address(at)) {
            Ok(connection) => connections.push((connection, Vec::new())),
            Err(other) => reactions.push(other),
        }
    }
    let until = Instant::now() + ANSWERED;
    for (connection, received) in &mut connections {
        let mut reaction = Reaction::Unanswered;
        while reaction == Reaction::Unanswered && Instant::now() < until {
            let open = matches!(read_some(connection, received), Ok(true));
            reaction = match status_of(received) {
                Some(101) => first_close(received).unwrap_or(Reaction::Open),
                Some(status) => Reaction::Status(status),
                None if open => Reaction::Unanswered,
                None => Reaction::Cut,
            };
        }
        reactions.push(reaction);
    }
    Ok(Outcome::of(reactions))
}

/// The close frame directly after the response to the handshake, if there is one.
fn first_close(received: &[u8]) -> Option<Reaction> {
    let end = received.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let frame = parse(&received[end..]).ok()??;
    match (frame.opcode, frame.payload) {
        (Opcode::Close, [high, low, ..]) => Some(Reaction::Closed(u16::from_be_bytes([*high, *low]))),
        (Opcode::Close, _) => Some(Reaction::Cut),
        (Opcode::Binary | Opcode::Ping | Opcode::Pong, _) => None,
    }
}

/// Causes [`LOGGED`] log lines, and then reads the health check.
fn fill_log(testbed: &Testbed) -> anyhow::Result<Outcome> {
    for at in 0..LOGGED {
        if let Ok(mut one) = Attacker::complete_handshake(testbed, pool_address(at), "") {
            let _ = one.send(&binary(b"nonsense"));
        }
    }
    let health = format!("GET /healthz HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", testbed.address);
    Ok(Outcome::of([send_request(testbed, testbed.attacker_address, &health)]))
}

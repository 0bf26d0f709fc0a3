//! Attacks on bounded resources: connections, seats, spectator places, rooms.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use anyhow::ensure;
use broadside_shared::game::Game;
use broadside_shared::protocol::room::{Role, RoomChoice};

use super::http::send_request;
use crate::attack::{Attack, Outcome};
use crate::attacker::{Attacker, Reaction, write_all};
use crate::raw_connection::RawConnection;
use crate::testbed::{Testbed, TestbedKind};

/// Address of a well-behaved player.
const ANOTHER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 10);
/// Connections of one address: more than any honest address needs.
const CONNECTIONS: usize = 300;
/// Seats that one address takes and abandons.
const GHOSTS: usize = 150;
/// Spectators of one address: more than a room admits.
const SPECTATORS: usize = 250;
/// Rooms to open, or seats to reserve.
const ROOMS: usize = 100;
/// Time within which the server must have closed a silent connection.
const IDLE: Duration = Duration::from_secs(20);
/// Time to wait for an immediate close after a connection was accepted.
const CLOSE_WAIT: Duration = Duration::from_millis(30);

const TURNED_AWAY: &[Reaction] = &[Reaction::Closed(4012), Reaction::Status(429)];
const LET_IN_OR_NOT: &[Reaction] = &[
    Reaction::Open,
    Reaction::Closed(4012),
    Reaction::Closed(4008),
    Reaction::Closed(4006),
    Reaction::Closed(4004),
    Reaction::Status(429),
    Reaction::Status(503),
    Reaction::Cut,
];

pub(super) fn attacks<G: Game>() -> Vec<Attack> {
    vec![
        Attack::new("many-connections", "300 WebSockets of one address", LET_IN_OR_NOT, many_connections)
            .required(TURNED_AWAY),
        Attack::new(
            "idle-connections",
            "300 connections of one address that send nothing",
            &[Reaction::Cut, Reaction::Status(408), Reaction::Status(429)],
            |testbed| hold_open(testbed, b""),
        ),
        Attack::new(
            "half-open-tls",
            "300 connections of one address that stop in the middle of a TLS handshake",
            &[Reaction::Cut],
            |testbed| hold_open(testbed, &[0x16, 3, 1, 2, 0, 1]),
        )
        .on(TestbedKind::Tls),
        Attack::new("ghosts", "150 times join and cut the connection, from one address", LET_IN_OR_NOT, ghosts),
        Attack::new("spectators", "250 spectators of one address", LET_IN_OR_NOT, spectators).required(TURNED_AWAY),
        Attack::new(
            "rooms",
            "100 rooms opened by one address",
            &[Reaction::Status(200), Reaction::Status(201), Reaction::Status(429), Reaction::Status(503)],
            |testbed| posted(testbed, "/api/rooms", &format!("{{\"mode\":{:?},\"private\":true}}", last_mode::<G>())),
        )
        .required(&[Reaction::Status(429)]),
        Attack::new(
            "reservations",
            "100 seats reserved by one address",
            &[Reaction::Status(200), Reaction::Status(201), Reaction::Status(429), Reaction::Status(503)],
            |testbed| posted(testbed, "/api/quickplay", "{}"),
        )
        .required(&[Reaction::Status(429), Reaction::Status(503)]),
    ]
}

/// The mode that the game lists last.
fn last_mode<G: Game>() -> &'static str {
    G::MODES.last().map_or("", |mode| mode.name)
}

fn many_connections(testbed: &Testbed) -> anyhow::Result<Outcome> {
    let mut kept = Vec::new();
    let reactions: Vec<Reaction> = (0..CONNECTIONS)
        .map(|_| match Attacker::complete_handshake(testbed, testbed.attacker_address, "") {
            Ok(mut one) => {
                let reaction = one.listen(CLOSE_WAIT);
                kept.push(one);
                reaction
            }
            Err(reaction) => reaction,
        })
        .collect();
    let another = Attacker::play(testbed, ANOTHER);
    ensure!(another.is_ok(), "another address got {}", another.err().unwrap_or(Reaction::Open));
    Ok(Outcome::of(reactions))
}

/// Connections that send `begin` and then nothing.
fn hold_open(testbed: &Testbed, begin: &[u8]) -> anyhow::Result<Outcome> {
    let mut reactions = Vec::new();
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut connection = match RawConnection::bare(testbed.address, testbed.attacker_address) {
            Ok(connection) => connection,
            Err(_) => {
                reactions.push(Reaction::Cut);
                continue;
            }
        };
        match write_all(&mut connection, begin) {
            Ok(()) => connections.push(connection),
            Err(other) => reactions.push(other),
        }
    }
    let another = Attacker::play(testbed, ANOTHER);
    ensure!(another.is_ok(), "another address got {}", another.err().unwrap_or(Reaction::Open));
    drop(another);
    let began = Instant::now();
    while !connections.is_empty() && began.elapsed() < IDLE {
        connections.retain_mut(|connection| {
            let open = !matches!(connection.try_read(&mut [0; 1024]), Ok(Some(0)) | Err(_));
            if !open {
                reactions.push(Reaction::Cut);
            }
            open
        });
        std::thread::sleep(Duration::from_millis(50));
    }
    reactions.extend(connections.iter().map(|_| Reaction::Open));
    Ok(Outcome::of(reactions).noting(format!("{:.0} s", began.elapsed().as_secs_f64())))
}

fn ghosts(testbed: &Testbed) -> anyhow::Result<Outcome> {
    // A join that is queued instead of seated is not waited for.
    Ok(Outcome::of((0..GHOSTS).map(|_| {
        let (mut one, _) = match Attacker::greet(testbed, testbed.attacker_address, None) {
            Ok(greeted) => greeted,
            Err(reaction) => return reaction,
        };
        one.join(RoomChoice::Quick, Role::Play).map_or_else(|reaction| reaction, |()| one.listen(CLOSE_WAIT))
    })))
}

fn spectators(testbed: &Testbed) -> anyhow::Result<Outcome> {
    let mut kept = Vec::new();
    let reactions: Vec<Reaction> = (0..SPECTATORS)
        .map(|_| match Attacker::greet(testbed, testbed.attacker_address, None) {
            Ok((mut one, _)) => {
                let reaction = one
                    .join(RoomChoice::Quick, Role::Spectate)
                    .map_or_else(|reaction| reaction, |()| one.listen(CLOSE_WAIT));
                kept.push(one);
                reaction
            }
            Err(reaction) => reaction,
        })
        .collect();
    let another = Attacker::enter(testbed, ANOTHER, RoomChoice::Quick, Role::Spectate);
    ensure!(another.is_ok(), "another address got {} as a spectator", another.err().unwrap_or(Reaction::Open));
    Ok(Outcome::of(reactions))
}

/// The same request many times from one address, and then from another, which must not be affected.
fn posted(testbed: &Testbed, path: &str, body: &str) -> anyhow::Result<Outcome> {
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        testbed.address,
        body.len()
    );
    let outcome = Outcome::of((0..ROOMS).map(|_| send_request(testbed, testbed.attacker_address, &request)));
    let another = send_request(testbed, ANOTHER, &request);
    ensure!(matches!(another, Reaction::Status(200 | 201)), "another address got {another}");
    Ok(outcome)
}

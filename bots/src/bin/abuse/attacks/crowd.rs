//! Attacks on what there is only so much of: connections, seats, places to watch from, rooms.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use anyhow::ensure;
use broadside_shared::protocol::room::{Role, RoomChoice};

use super::http::ask;
use super::{Attack, Outcome};
use crate::line::Line;
use crate::offender::{Met, Offender, write_all};
use crate::scene::{Kind, Scene};

/// Somebody else.
const ANOTHER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 10);
/// Connections of one address, which are more than anybody needs.
const CONNECTIONS: usize = 300;
/// Seats that one address takes and leaves behind.
const GHOSTS: usize = 150;
/// Places to watch from: more than a room has.
const WATCHERS: usize = 250;
/// Rooms, and seats that are reserved.
const ROOMS: usize = 100;
/// Longest time for which somebody may live who says nothing.
const IDLE: Duration = Duration::from_secs(20);
/// Time that who was let in is listened to for a close that comes at once.
const GLANCE: Duration = Duration::from_millis(30);

const TURNED_AWAY: &[Met] = &[Met::Closed(4012), Met::Status(429)];
const LET_IN_OR_NOT: &[Met] = &[
    Met::Open,
    Met::Closed(4012),
    Met::Closed(4008),
    Met::Closed(4006),
    Met::Closed(4004),
    Met::Status(429),
    Met::Status(503),
    Met::Cut,
];

pub(super) fn attacks() -> Vec<Attack> {
    vec![
        Attack::new("many-connections", "300 WebSockets of one address", LET_IN_OR_NOT, many_connections)
            .must(TURNED_AWAY),
        Attack::new(
            "idle-connections",
            "300 connections of one address that say nothing",
            &[Met::Cut, Met::Status(408), Met::Status(429)],
            |scene| held(scene, b""),
        ),
        Attack::new(
            "half-open-tls",
            "300 connections of one address in the midst of a TLS handshake",
            &[Met::Cut],
            |scene| held(scene, &[0x16, 3, 1, 2, 0, 1]),
        )
        .on(Kind::Tls),
        Attack::new("ghosts", "join and cut, 150 times from one address", LET_IN_OR_NOT, ghosts),
        Attack::new("spectators", "250 spectators of one address", LET_IN_OR_NOT, spectators).must(TURNED_AWAY),
        Attack::new(
            "rooms",
            "100 rooms opened by one address",
            &[Met::Status(200), Met::Status(201), Met::Status(429), Met::Status(503)],
            |scene| posted(scene, "/api/rooms", "{\"mode\":\"duel\",\"private\":true}"),
        )
        .must(&[Met::Status(429)]),
        Attack::new(
            "reservations",
            "100 seats reserved by one address",
            &[Met::Status(200), Met::Status(201), Met::Status(429), Met::Status(503)],
            |scene| posted(scene, "/api/quickplay", "{\"mode\":\"arena\"}"),
        )
        .must(&[Met::Status(429), Met::Status(503)]),
    ]
}

fn many_connections(scene: &Scene) -> anyhow::Result<Outcome> {
    let mut kept = Vec::new();
    let met: Vec<Met> = (0..CONNECTIONS)
        .map(|_| match Offender::shake(scene, scene.rascal, "") {
            Ok(mut one) => {
                let met = one.listen(GLANCE);
                kept.push(one);
                met
            }
            Err(met) => met,
        })
        .collect();
    let another = Offender::play(scene, ANOTHER);
    ensure!(another.is_ok(), "another address met {}", another.err().unwrap_or(Met::Open));
    Ok(Outcome::of(met))
}

/// Connections that begin with this and say nothing more.
fn held(scene: &Scene, begin: &[u8]) -> anyhow::Result<Outcome> {
    let mut met = Vec::new();
    let mut lines = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut line = match Line::bare(scene.address, scene.rascal) {
            Ok(line) => line,
            Err(_) => {
                met.push(Met::Cut);
                continue;
            }
        };
        match write_all(&mut line, begin) {
            Ok(()) => lines.push(line),
            Err(other) => met.push(other),
        }
    }
    let another = Offender::play(scene, ANOTHER);
    ensure!(another.is_ok(), "another address met {}", another.err().unwrap_or(Met::Open));
    drop(another);
    let began = Instant::now();
    while !lines.is_empty() && began.elapsed() < IDLE {
        lines.retain_mut(|line| {
            let open = !matches!(line.try_read(&mut [0; 1024]), Ok(Some(0)) | Err(_));
            if !open {
                met.push(Met::Cut);
            }
            open
        });
        std::thread::sleep(Duration::from_millis(50));
    }
    met.extend(lines.iter().map(|_| Met::Open));
    Ok(Outcome::of(met).noting(format!("{:.0} s", began.elapsed().as_secs_f64())))
}

fn ghosts(scene: &Scene) -> anyhow::Result<Outcome> {
    // Who is not seated at once stands in line, and is not waited for.
    Ok(Outcome::of((0..GHOSTS).map(|_| {
        let (mut one, _) = match Offender::greet(scene, scene.rascal, None) {
            Ok(greeted) => greeted,
            Err(met) => return met,
        };
        one.join(RoomChoice::Quick, Role::Play).map_or_else(|met| met, |()| one.listen(GLANCE))
    })))
}

fn spectators(scene: &Scene) -> anyhow::Result<Outcome> {
    let mut kept = Vec::new();
    let met: Vec<Met> = (0..WATCHERS)
        .map(|_| match Offender::greet(scene, scene.rascal, None) {
            Ok((mut one, _)) => {
                let met = one.join(RoomChoice::Quick, Role::Spectate).map_or_else(|met| met, |()| one.listen(GLANCE));
                kept.push(one);
                met
            }
            Err(met) => met,
        })
        .collect();
    let another = Offender::enter(scene, ANOTHER, RoomChoice::Quick, Role::Spectate);
    ensure!(another.is_ok(), "another address met {} as it came to watch", another.err().unwrap_or(Met::Open));
    Ok(Outcome::of(met))
}

/// The same request many times from one address, and then from another, which must not feel it.
fn posted(scene: &Scene, path: &str, body: &str) -> anyhow::Result<Outcome> {
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        scene.address,
        body.len()
    );
    let outcome = Outcome::of((0..ROOMS).map(|_| ask(scene, scene.rascal, &request)));
    let another = ask(scene, ANOTHER, &request);
    ensure!(matches!(another, Met::Status(200 | 201)), "another address met {another}");
    Ok(outcome)
}

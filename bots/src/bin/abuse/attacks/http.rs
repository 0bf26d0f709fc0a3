//! Attacks on the handshake and the rest of HTTP.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use broadside_bots::load::handshake::Handshake;

use crate::attack::{Attack, Outcome};
use crate::attacker::{ANSWER, Attacker, Reaction, read_some, status_of, write_all};
use crate::raw_connection::RawConnection;
use crate::testbed::{Testbed, pool_address};

/// Time within which the server must have ended a slow request.
const SLOW: Duration = Duration::from_secs(40);
/// Connections of each slow attack.
const SLOW_CONNECTIONS: usize = 100;
/// Downloads that are never read.
const DOWNLOADS: usize = 400;
/// Nearly the alphabet of room codes.
const ALPHABET: &[u8] = b"ABCDEFGHJKMNPQRSTUVWXYZ23456789";
/// Room codes to guess.
const GUESSES: usize = 300;

const CUT_OFF: &[Reaction] = &[
    Reaction::Cut,
    Reaction::Status(408),
    Reaction::Status(400),
    Reaction::Status(413),
    Reaction::Status(429),
    Reaction::Status(503),
];
const BAD: &[Reaction] = &[Reaction::Status(400)];
const TOO_LONG: &[Reaction] = &[Reaction::Status(431), Reaction::Status(400), Reaction::Cut];
const NOT_TAKEN: &[Reaction] =
    &[Reaction::Status(400), Reaction::Status(411), Reaction::Status(413), Reaction::Status(501), Reaction::Cut];
const NOT_YOURS: &[Reaction] = &[Reaction::Status(401), Reaction::Status(403)];
const CHARGED: &[Reaction] = &[Reaction::Status(429), Reaction::Cut];

pub(super) fn attacks() -> Vec<Attack> {
    endless().into_iter().chain(refused()).collect()
}

/// Requests and responses that do not end.
fn endless() -> Vec<Attack> {
    vec![
        Attack::new("slow-head", "100 requests whose header arrives at one byte per second", CUT_OFF, |testbed| {
            trickle(testbed, "GET / HTTP/1.1\r\nx-slow: ")
        }),
        Attack::new("slow-body", "100 requests whose body arrives at one byte per second", CUT_OFF, |testbed| {
            let head = "content-type: application/json\r\ncontent-length: 100\r\n\r\n";
            trickle(testbed, &format!("POST /api/rooms HTTP/1.1\r\nhost: {}\r\n{head}", testbed.address))
        }),
        Attack::new(
            "slow-chunks",
            "100 requests whose chunked body arrives at one byte per second",
            CUT_OFF,
            |testbed| {
                let head = "content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n64\r\n";
                trickle(testbed, &format!("POST /api/rooms HTTP/1.1\r\nhost: {}\r\n{head}", testbed.address))
            },
        ),
        Attack::new("pipelined", "pipelined requests without a pause", CHARGED, pipelined),
        Attack::new(
            "unread-downloads",
            "400 downloads that are never read, from many addresses",
            &[Reaction::Status(200), Reaction::Status(503), Reaction::Status(429), Reaction::Cut],
            unread_downloads,
        ),
    ]
}

/// Requests that the server must refuse.
fn refused() -> Vec<Attack> {
    vec![
        Attack::new("long-header", "a header line of 64 KiB", TOO_LONG, |testbed| {
            each(testbed, &[get(testbed, "/", &format!("x-long: {}\r\n", "a".repeat(64 * 1024)))])
        }),
        Attack::new("many-headers", "500 header lines", TOO_LONG, |testbed| {
            each(testbed, &[get(testbed, "/", &(0..500).map(|at| format!("x-{at}: a\r\n")).collect::<String>())])
        }),
        Attack::new("smuggling", "bodies with two lengths, and with an ambiguous one", NOT_TAKEN, |testbed| {
            each(testbed, &SMUGGLED.map(|more| get(testbed, "/healthz", more)))
        }),
        Attack::new("several-hosts", "two hosts, an invalid host, and no host", BAD, |testbed| {
            let hosts = [
                format!("host: {0}\r\nhost: {0}\r\n", testbed.address),
                format!("host: {}\r\nhost: other.example\r\n", testbed.address),
                "host: a b\r\n".to_owned(),
                "host: /\r\n".to_owned(),
                String::new(),
            ];
            each(testbed, &hosts.map(|hosts| format!("GET /healthz HTTP/1.1\r\n{hosts}connection: close\r\n\r\n")))
        })
        .short(),
        Attack::new("foreign-host", "host names of others, as in DNS rebinding", &[Reaction::Status(421)], |testbed| {
            let paths = ["/", "/metrics", "/api/rooms", "/healthz", "/api/openapi.json"];
            each(
                testbed,
                &paths.map(|path| {
                    format!("GET {path} HTTP/1.1\r\nhost: rebound.example:80\r\nconnection: close\r\n\r\n")
                }),
            )
        })
        .short(),
        Attack::new(
            "foreign-origin",
            "WebSockets opened by pages of other origins",
            &[Reaction::Closed(4013)],
            |testbed| {
                let origins = ["http://evil.example", "null", "https://127.0.0.1.evil.example"];
                Ok(Outcome::of(origins.map(|origin| {
                    Attacker::complete_handshake(testbed, testbed.attacker_address, &format!("Origin: {origin}\r\n"))
                        .map_or_else(|reaction| reaction, |mut page| page.listen(ANSWER))
                })))
            },
        )
        .short(),
        Attack::new("operators-word", "the operator API without the token", NOT_YOURS, operator_without_token).short(),
        Attack::new(
            "guessed-codes",
            "300 guesses of a private room's code",
            &[Reaction::Status(404), Reaction::Status(429)],
            guessed_codes,
        )
        .required(&[Reaction::Status(429)])
        .short(),
    ]
}

/// Header lines with which a proxy and a server can disagree on where a request ends. A length next to `chunked` is not among them:
/// the server reads such a body by its chunks and closes the connection after the response, as RFC 9112, section 6.3 allows.
const SMUGGLED: [&str; 9] = [
    "content-length: 5\r\ncontent-length: 6\r\n",
    "content-length: 5, 6\r\n",
    "content-length: +5\r\n",
    "content-length: 0x5\r\n",
    "transfer-encoding: gzip, chunked\r\n",
    "transfer-encoding: xchunked\r\n",
    "transfer-encoding : chunked\r\n",
    "transfer-encoding:\u{b}chunked\r\n",
    "x-folded: a\r\n transfer-encoding: chunked\r\n",
];

fn get(testbed: &Testbed, path: &str, more: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n{more}\r\n", testbed.address)
}

/// Sends a request and gives the reaction.
pub(super) fn send_request(testbed: &Testbed, from: Ipv4Addr, request: &str) -> Reaction {
    let Ok(mut connection) = RawConnection::open(&testbed.target, testbed.address, from) else { return Reaction::Cut };
    // A server that does not read all of it may still answer.
    let written = write_all(&mut connection, request.as_bytes());
    read_reaction(&mut connection, ANSWER, written.err().unwrap_or(Reaction::Unanswered))
}

/// The reaction within `patience`, or `otherwise` if there is none.
fn read_reaction(connection: &mut RawConnection, patience: Duration, otherwise: Reaction) -> Reaction {
    let (mut received, until) = (Vec::new(), Instant::now() + patience);
    while Instant::now() < until {
        let open = read_some(connection, &mut received);
        if let Some(status) = status_of(&received) {
            return Reaction::Status(status);
        }
        if !matches!(open, Ok(true)) {
            return Reaction::Cut;
        }
    }
    otherwise
}

fn each(testbed: &Testbed, requests: &[String]) -> anyhow::Result<Outcome> {
    Ok(Outcome::of(requests.iter().map(|request| send_request(testbed, testbed.attacker_address, request))))
}

/// Connections that send `head` and then one byte per second.
fn trickle(testbed: &Testbed, head: &str) -> anyhow::Result<Outcome> {
    let mut connections: Vec<RawConnection> = Vec::new();
    let mut reactions = Vec::new();
    for at in 0..SLOW_CONNECTIONS {
        // From several addresses, so that the limit per address does not end them.
        let opened = RawConnection::open(&testbed.target, testbed.address, pool_address(at)).map_err(|_| Reaction::Cut);
        match opened.and_then(|mut connection| write_all(&mut connection, head.as_bytes()).map(|()| connection)) {
            Ok(connection) => connections.push(connection),
            Err(other) => reactions.push(other),
        }
    }
    let began = Instant::now();
    let mut next = began;
    while !connections.is_empty() && began.elapsed() < SLOW {
        let due = next <= Instant::now();
        if due {
            next += Duration::from_secs(1);
        }
        connections.retain_mut(|connection| {
            let goes_on = !due || connection.try_write(b"1").is_ok();
            let open = goes_on && !matches!(connection.try_read(&mut [0; 1024]), Ok(Some(0)) | Err(_));
            if !open {
                reactions.push(Reaction::Cut);
            }
            open
        });
        std::thread::sleep(Duration::from_millis(50));
    }
    let ended = reactions.len();
    reactions.extend(connections.iter().map(|_| Reaction::Open));
    Ok(Outcome::of(reactions).noting(format!("{ended} ended within {:.0} s", began.elapsed().as_secs_f64())))
}

fn pipelined(testbed: &Testbed) -> anyhow::Result<Outcome> {
    let Ok(mut connection) = RawConnection::open(&testbed.target, testbed.address, testbed.attacker_address) else {
        return Ok(Outcome::of([Reaction::Cut]));
    };
    let requests = format!("GET /api/rooms HTTP/1.1\r\nhost: {}\r\n\r\n", testbed.address).repeat(200).into_bytes();
    let (until, mut at, mut received, mut bytes) = (Instant::now() + testbed.length, 0, Vec::new(), 0);
    let mut reaction = Reaction::Open;
    while reaction == Reaction::Open && Instant::now() < until {
        match connection.try_write(&requests[at..]) {
            Ok(taken) => at = (at + taken) % requests.len(),
            Err(_) => reaction = Reaction::Cut,
        }
        if !matches!(read_some(&mut connection, &mut received), Ok(true)) {
            reaction = Reaction::Cut;
        }
        if received.windows(12).any(|part| part == b"HTTP/1.1 429") {
            reaction = Reaction::Status(429);
        }
        bytes += received.len();
        received.clear();
    }
    Ok(Outcome::of([reaction]).noting(format!("{:.1} MB of responses", bytes as f64 / 1e6)))
}

fn unread_downloads(testbed: &Testbed) -> anyhow::Result<Outcome> {
    let (mut connections, mut reactions) = (Vec::new(), Vec::new());
    for at in 0..DOWNLOADS {
        let opened = RawConnection::open(&testbed.target, testbed.address, pool_address(at)).map_err(|_| Reaction::Cut);
        let request = get(testbed, "/big.bin", "");
        match opened.and_then(|mut connection| write_all(&mut connection, request.as_bytes()).map(|()| connection)) {
            Ok(connection) => connections.push(connection),
            Err(other) => reactions.push(other),
        }
    }
    std::thread::sleep(testbed.length);
    reactions.extend(
        connections
            .iter_mut()
            .map(|connection| read_reaction(connection, Duration::from_millis(200), Reaction::Unanswered)),
    );
    Ok(Outcome::of(reactions))
}

fn operator_without_token(testbed: &Testbed) -> anyhow::Result<Outcome> {
    let body = "{\"text\":\"I am the operator\"}";
    let post = |more: &str| {
        format!(
            "POST /api/notices HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\nconnection: close\r\n{more}content-length: {}\r\n\r\n{body}",
            testbed.address,
            body.len()
        )
    };
    each(
        testbed,
        &[
            get(testbed, "/metrics", ""),
            get(testbed, "/metrics", "x-forwarded-for: 127.0.0.1\r\n"),
            get(testbed, "/metrics", "forwarded: for=127.0.0.1\r\n"),
            get(testbed, "/metrics", "authorization: Bearer\r\n"),
            get(testbed, "/metrics", "authorization: Bearer 00000000000000000000000000000000\r\n"),
            post(""),
            post("authorization: Basic YWRtaW46YWRtaW4=\r\n"),
            post("origin: http://127.0.0.1\r\n"),
        ],
    )
}

fn guessed_codes(testbed: &Testbed) -> anyhow::Result<Outcome> {
    let mut rng = fastrand::Rng::with_seed(11);
    Ok(Outcome::of((0..GUESSES).map(|_| {
        let code: String = (0..6).map(|_| char::from(ALPHABET[rng.usize(..ALPHABET.len())])).collect();
        send_request(testbed, testbed.attacker_address, &get(testbed, &format!("/api/rooms/{code}"), ""))
    })))
}

/// Sends the opening handshake and does not wait for the response.
pub(super) fn begin_handshake(testbed: &Testbed, from: Ipv4Addr) -> Result<RawConnection, Reaction> {
    let mut connection = RawConnection::open(&testbed.target, testbed.address, from).map_err(|_| Reaction::Cut)?;
    write_all(&mut connection, Handshake::new(&testbed.target).request.as_bytes())?;
    Ok(connection)
}

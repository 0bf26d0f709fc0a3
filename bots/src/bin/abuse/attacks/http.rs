//! Attacks on the handshake and everything else over HTTP.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use broadside_bots::load::handshake::Handshake;

use super::{Attack, Outcome};
use crate::line::Line;
use crate::offender::{ANSWER, Met, Offender, read_some, status_of, write_all};
use crate::scene::{Scene, one_of_many};

/// Longest time for which somebody slow may live.
const SLOW: Duration = Duration::from_secs(40);
/// Connections of each slow attack.
const SLOW_ONES: usize = 100;
/// Downloads that nobody reads.
const DOWNLOADS: usize = 400;
/// Letters of which codes are made, or nearly so.
const ALPHABET: &[u8] = b"ABCDEFGHJKMNPQRSTUVWXYZ23456789";
/// Codes that are guessed.
const GUESSES: usize = 300;

const CUT_OFF: &[Met] =
    &[Met::Cut, Met::Status(408), Met::Status(400), Met::Status(413), Met::Status(429), Met::Status(503)];
const BAD: &[Met] = &[Met::Status(400)];
const TOO_LONG: &[Met] = &[Met::Status(431), Met::Status(400), Met::Cut];
const NOT_TAKEN: &[Met] = &[Met::Status(400), Met::Status(411), Met::Status(413), Met::Status(501), Met::Cut];
const NOT_YOURS: &[Met] = &[Met::Status(401), Met::Status(403)];
const CHARGED: &[Met] = &[Met::Status(429), Met::Cut];

pub(super) fn attacks() -> Vec<Attack> {
    without_end().into_iter().chain(forms()).collect()
}

/// Requests and answers that do not end.
fn without_end() -> Vec<Attack> {
    vec![
        Attack::new("slow-head", "a byte a second of a request's head, 100 times", CUT_OFF, |scene| {
            trickle(scene, "GET / HTTP/1.1\r\nx-slow: ")
        }),
        Attack::new("slow-body", "a byte a second of a body, 100 times", CUT_OFF, |scene| {
            let head = "content-type: application/json\r\ncontent-length: 100\r\n\r\n";
            trickle(scene, &format!("POST /api/rooms HTTP/1.1\r\nhost: {}\r\n{head}", scene.address))
        }),
        Attack::new("slow-chunks", "a byte a second of a body without a length, 100 times", CUT_OFF, |scene| {
            let head = "content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n64\r\n";
            trickle(scene, &format!("POST /api/rooms HTTP/1.1\r\nhost: {}\r\n{head}", scene.address))
        }),
        Attack::new("pipelined", "requests behind each other without a pause", CHARGED, pipelined),
        Attack::new(
            "unread-downloads",
            "400 downloads that nobody reads, from many addresses",
            &[Met::Status(200), Met::Status(503), Met::Status(429), Met::Cut],
            unread_downloads,
        ),
    ]
}

/// Requests that must not be taken.
fn forms() -> Vec<Attack> {
    vec![
        Attack::new("long-header", "a header line of 64 KiB", TOO_LONG, |scene| {
            each(scene, &[get(scene, "/", &format!("x-long: {}\r\n", "a".repeat(64 * 1024)))])
        }),
        Attack::new("many-headers", "500 header lines", TOO_LONG, |scene| {
            each(scene, &[get(scene, "/", &(0..500).map(|at| format!("x-{at}: a\r\n")).collect::<String>())])
        }),
        Attack::new("smuggling", "bodies of two lengths, and of none that can be told", NOT_TAKEN, |scene| {
            each(scene, &SMUGGLED.map(|more| get(scene, "/healthz", more)))
        }),
        Attack::new("several-hosts", "two hosts, a host that is none, and no host", BAD, |scene| {
            let hosts = [
                format!("host: {0}\r\nhost: {0}\r\n", scene.address),
                format!("host: {}\r\nhost: other.example\r\n", scene.address),
                "host: a b\r\n".to_owned(),
                "host: /\r\n".to_owned(),
                String::new(),
            ];
            each(scene, &hosts.map(|hosts| format!("GET /healthz HTTP/1.1\r\n{hosts}connection: close\r\n\r\n")))
        })
        .short(),
        Attack::new(
            "foreign-host",
            "names that are not ours, as a page would by DNS rebinding",
            &[Met::Status(421)],
            |scene| {
                let paths = ["/", "/metrics", "/api/rooms", "/healthz", "/api/openapi.json"];
                each(
                    scene,
                    &paths.map(|path| {
                        format!("GET {path} HTTP/1.1\r\nhost: rebound.example:80\r\nconnection: close\r\n\r\n")
                    }),
                )
            },
        )
        .short(),
        Attack::new("foreign-origin", "WebSockets of other people's pages", &[Met::Closed(4013)], |scene| {
            let origins = ["http://evil.example", "null", "https://127.0.0.1.evil.example"];
            Ok(Outcome::of(origins.map(|origin| {
                Offender::shake(scene, scene.rascal, &format!("Origin: {origin}\r\n"))
                    .map_or_else(|met| met, |mut page| page.listen(ANSWER))
            })))
        })
        .short(),
        Attack::new("operators-word", "the operator's calls without the token", NOT_YOURS, operators_word).short(),
        Attack::new(
            "guessed-codes",
            "codes of private rooms, 300 of them",
            &[Met::Status(404), Met::Status(429)],
            guessed_codes,
        )
        .must(&[Met::Status(429)])
        .short(),
    ]
}

/// Header lines by which two servers may see two requests where one of them sees one. A length beside `chunked` is not among them: the
/// server reads such a body by its chunks and ends the connection behind the answer, as RFC 9112, section 6.3 allows.
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

fn get(scene: &Scene, path: &str, more: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n{more}\r\n", scene.address)
}

/// Asks, and gives how it was answered.
pub(super) fn ask(scene: &Scene, from: Ipv4Addr, request: &str) -> Met {
    let Ok(mut line) = Line::open(&scene.target, scene.address, from) else { return Met::Cut };
    // A server that does not take all of it may answer all the same.
    let written = write_all(&mut line, request.as_bytes());
    answer(&mut line, ANSWER, written.err().unwrap_or(Met::Unanswered))
}

/// What a line is answered within some time; `otherwise` if that is nothing.
pub(super) fn answer(line: &mut Line, patience: Duration, otherwise: Met) -> Met {
    let (mut came, until) = (Vec::new(), Instant::now() + patience);
    while Instant::now() < until {
        let open = read_some(line, &mut came);
        if let Some(status) = status_of(&came) {
            return Met::Status(status);
        }
        if !matches!(open, Ok(true)) {
            return Met::Cut;
        }
    }
    otherwise
}

fn each(scene: &Scene, requests: &[String]) -> anyhow::Result<Outcome> {
    Ok(Outcome::of(requests.iter().map(|request| ask(scene, scene.rascal, request))))
}

/// Many begin a request and go on a byte a second.
fn trickle(scene: &Scene, head: &str) -> anyhow::Result<Outcome> {
    let mut lines: Vec<Line> = Vec::new();
    let mut met = Vec::new();
    for at in 0..SLOW_ONES {
        // From several addresses, so that it is not their number that ends them.
        let opened = Line::open(&scene.target, scene.address, one_of_many(at)).map_err(|_| Met::Cut);
        match opened.and_then(|mut line| write_all(&mut line, head.as_bytes()).map(|()| line)) {
            Ok(line) => lines.push(line),
            Err(other) => met.push(other),
        }
    }
    let began = Instant::now();
    let mut next = began;
    while !lines.is_empty() && began.elapsed() < SLOW {
        let due = next <= Instant::now();
        if due {
            next += Duration::from_secs(1);
        }
        lines.retain_mut(|line| {
            let goes_on = !due || line.try_write(b"1").is_ok();
            let open = goes_on && !matches!(line.try_read(&mut [0; 1024]), Ok(Some(0)) | Err(_));
            if !open {
                met.push(Met::Cut);
            }
            open
        });
        std::thread::sleep(Duration::from_millis(50));
    }
    let ended = met.len();
    met.extend(lines.iter().map(|_| Met::Open));
    Ok(Outcome::of(met).noting(format!("{ended} ended within {:.0} s", began.elapsed().as_secs_f64())))
}

fn pipelined(scene: &Scene) -> anyhow::Result<Outcome> {
    let Ok(mut line) = Line::open(&scene.target, scene.address, scene.rascal) else {
        return Ok(Outcome::of([Met::Cut]));
    };
    let requests = format!("GET /api/rooms HTTP/1.1\r\nhost: {}\r\n\r\n", scene.address).repeat(200).into_bytes();
    let (until, mut at, mut came, mut bytes) = (Instant::now() + scene.length, 0, Vec::new(), 0);
    let mut met = Met::Open;
    while met == Met::Open && Instant::now() < until {
        match line.try_write(&requests[at..]) {
            Ok(taken) => at = (at + taken) % requests.len(),
            Err(_) => met = Met::Cut,
        }
        if !matches!(read_some(&mut line, &mut came), Ok(true)) {
            met = Met::Cut;
        }
        if came.windows(12).any(|part| part == b"HTTP/1.1 429") {
            met = Met::Status(429);
        }
        bytes += came.len();
        came.clear();
    }
    Ok(Outcome::of([met]).noting(format!("{:.1} MB of answers", bytes as f64 / 1e6)))
}

fn unread_downloads(scene: &Scene) -> anyhow::Result<Outcome> {
    let (mut lines, mut met) = (Vec::new(), Vec::new());
    for at in 0..DOWNLOADS {
        let opened = Line::open(&scene.target, scene.address, one_of_many(at)).map_err(|_| Met::Cut);
        let request = get(scene, "/big.bin", "");
        match opened.and_then(|mut line| write_all(&mut line, request.as_bytes()).map(|()| line)) {
            Ok(line) => lines.push(line),
            Err(other) => met.push(other),
        }
    }
    std::thread::sleep(scene.length);
    met.extend(lines.iter_mut().map(|line| answer(line, Duration::from_millis(200), Met::Unanswered)));
    Ok(Outcome::of(met))
}

fn operators_word(scene: &Scene) -> anyhow::Result<Outcome> {
    let body = "{\"text\":\"I am the operator\"}";
    let post = |more: &str| {
        format!(
            "POST /api/notices HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\nconnection: close\r\n{more}content-length: {}\r\n\r\n{body}",
            scene.address,
            body.len()
        )
    };
    each(
        scene,
        &[
            get(scene, "/metrics", ""),
            get(scene, "/metrics", "x-forwarded-for: 127.0.0.1\r\n"),
            get(scene, "/metrics", "forwarded: for=127.0.0.1\r\n"),
            get(scene, "/metrics", "authorization: Bearer\r\n"),
            get(scene, "/metrics", "authorization: Bearer 00000000000000000000000000000000\r\n"),
            post(""),
            post("authorization: Basic YWRtaW46YWRtaW4=\r\n"),
            post("origin: http://127.0.0.1\r\n"),
        ],
    )
}

fn guessed_codes(scene: &Scene) -> anyhow::Result<Outcome> {
    let mut rng = fastrand::Rng::with_seed(11);
    Ok(Outcome::of((0..GUESSES).map(|_| {
        let code: String = (0..6).map(|_| char::from(ALPHABET[rng.usize(..ALPHABET.len())])).collect();
        ask(scene, scene.rascal, &get(scene, &format!("/api/rooms/{code}"), ""))
    })))
}

/// Asks for a WebSocket and does not wait for the answer.
pub(super) fn asked(scene: &Scene, from: Ipv4Addr) -> Result<Line, Met> {
    let mut line = Line::open(&scene.target, scene.address, from).map_err(|_| Met::Cut)?;
    write_all(&mut line, Handshake::new(&scene.target).request.as_bytes())?;
    Ok(line)
}

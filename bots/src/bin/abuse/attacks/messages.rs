//! Attacks on the game's protocol, and on the session behind it.

use std::time::{Duration, Instant};

use broadside_shared::arena::input::ArenaInput;
use broadside_shared::protocol::codec;
use broadside_shared::protocol::input::InputPacket;
use broadside_shared::protocol::message::{ClientMsg, Request, Resume, ServerMsg};
use broadside_shared::protocol::name::Name;
use broadside_shared::protocol::room::{Role, RoomChoice};
use broadside_shared::protocol::token::Token;
use broadside_shared::time::Tick;

use super::{Attack, Outcome, side_by_side};
use crate::line::PAUSE;
use crate::offender::{Met, Offender, binary};
use crate::scene::{Scene, one_of_many};

/// Time in which a wrong message must have ended a connection.
const AT_ONCE: Duration = Duration::from_secs(2);
/// Time in which who is silent must have been closed: ten seconds, and some for a busy machine.
const SILENCE: Duration = Duration::from_secs(14);
/// Connections that say nonsense, and how many of them at once.
const NONSENSE: usize = 120;
const AT_A_TIME: usize = 40;
/// Tokens that are tried.
const GUESSES: usize = 60;

const TOO_MUCH: &[Met] = &[Met::Closed(4004)];
/// Nonsense may happen to be an early goodbye, another revision, or a message that may be said.
const NO_MESSAGE: &[Met] = &[
    Met::Closed(4002),
    Met::Closed(4001),
    Met::Closed(4004),
    Met::Closed(4010),
    Met::Closed(4012),
    Met::Closed(1000),
    Met::Closed(1002),
    Met::Closed(1003),
    Met::Closed(1009),
    Met::Status(429),
    Met::Cut,
    Met::Open,
];
const NOT_FOOLED: &[Met] = &[Met::Open, Met::Closed(4012), Met::Closed(4002), Met::Status(429), Met::Cut];
const SWALLOWED: &[Met] = &[Met::Open, Met::Closed(4005), Met::Closed(4009), Met::Closed(4004), Met::Cut];

pub(super) fn attacks() -> Vec<Attack> {
    vec![
        Attack::new("nonsense", "messages of random bytes, before and after the hello", NO_MESSAGE, nonsense)
            .must(&[Met::Closed(4002)])
            .short(),
        Attack::new("noise", "random bytes instead of frames", NO_MESSAGE, noise),
        Attack::new("join-flood", "joins without a pause", &[Met::Closed(4004), Met::Closed(4002)], join_flood),
        Attack::new("input-flood", "valid inputs without a pause", TOO_MUCH, input_flood).short(),
        Attack::new("request-flood", "requests without a pause", TOO_MUCH, request_flood),
        Attack::new("chat-flood", "a line of chat every 10 ms", &[Met::Open, Met::Closed(4004)], chat_flood),
        Attack::new("guessed-token", "hellos with made up tokens", NOT_FOOLED, guessed_token),
        Attack::new(
            "tampered-token",
            "tokens of which a bit is wrong, and then the right one",
            NOT_FOOLED,
            tampered_token,
        )
        .short(),
        Attack::new("never-reading", "a player who says much and takes nothing", SWALLOWED, never_reading),
        Attack::new("silent-player", "a seat, and then not a word", &[Met::Closed(4005)], |scene| {
            Ok(Outcome::of([
                Offender::play(scene, scene.rascal).map_or_else(|met| met, |mut player| player.listen(SILENCE))
            ]))
        }),
        Attack::new("no-hello", "a WebSocket, and then not a word", &[Met::Closed(4003)], |scene| {
            Ok(Outcome::of([
                Offender::shake(scene, scene.rascal, "").map_or_else(|met| met, |mut one| one.listen(SILENCE))
            ]))
        }),
    ]
}

/// In batches, since each waits a moment for what comes of it.
fn in_batches(count: usize, offender: impl Fn(usize) -> Met + Sync) -> Outcome {
    let mut outcome = Outcome::default();
    for batch in (0..count).step_by(AT_A_TIME) {
        let batch = side_by_side(AT_A_TIME.min(count - batch), |at| offender(batch + at));
        batch.met.into_iter().for_each(|(met, more)| *outcome.met.entry(met).or_default() += more);
    }
    outcome
}

fn nonsense(scene: &Scene) -> anyhow::Result<Outcome> {
    Ok(in_batches(NONSENSE, |seed| {
        let mut rng = fastrand::Rng::with_seed(seed as u64);
        let mut bytes: Vec<u8> = (0..rng.usize(1..200)).map(|_| rng.u8(..)).collect();
        // Half of them begin as a message does.
        bytes[0] = if rng.bool() { rng.u8(1..=2) } else { bytes[0] };
        let offender = match seed % 3 {
            0 => Offender::shake(scene, one_of_many(seed), ""),
            1 => Offender::greet(scene, one_of_many(seed), None).map(|(offender, _)| offender),
            _ => Offender::play(scene, one_of_many(seed)),
        };
        let mut offender = match offender {
            Ok(offender) => offender,
            Err(met) => return met,
        };
        let mut bytes = binary(&bytes);
        offender.pump(AT_ONCE, |out| out.append(&mut bytes))
    }))
}

fn noise(scene: &Scene) -> anyhow::Result<Outcome> {
    Ok(in_batches(NONSENSE / 4, |seed| {
        let mut rng = fastrand::Rng::with_seed(seed as u64);
        let mut bytes: Vec<u8> = (0..4096).map(|_| rng.u8(..)).collect();
        let mut offender = match Offender::shake(scene, one_of_many(seed), "") {
            Ok(offender) => offender,
            Err(met) => return met,
        };
        offender.pump(AT_ONCE, |out| out.append(&mut bytes))
    }))
}

/// One player says this without a pause.
fn flood(scene: &Scene, mut next: impl FnMut() -> Vec<u8>) -> anyhow::Result<Outcome> {
    let met = Offender::play(scene, scene.rascal).map_or_else(
        |met| met,
        |mut player| player.pump(scene.length, |out| (0..100).for_each(|_| out.extend_from_slice(&next()))),
    );
    Ok(Outcome::of([met]))
}

fn join_flood(scene: &Scene) -> anyhow::Result<Outcome> {
    let name = Name::new("Rascal").map_err(|_| anyhow::anyhow!("no name"))?;
    let join = ClientMsg::Join { name, room: RoomChoice::Quick, role: Role::Play };
    let join = binary(&codec::encode_client(&join));
    flood(scene, || join.clone())
}

/// An input for a tick.
fn input(tick: u32) -> Vec<u8> {
    let samples = std::iter::once(ArenaInput::default()).collect();
    binary(&InputPacket { acked: Tick(0), first: Tick(tick), lag: 0, samples }.encode())
}

fn input_flood(scene: &Scene) -> anyhow::Result<Outcome> {
    let mut tick = 0;
    flood(scene, || {
        tick += 1;
        input(tick)
    })
}

fn request(id: u32, request: Request) -> Vec<u8> {
    binary(&codec::encode_client(&ClientMsg::Request { id, request }))
}

fn request_flood(scene: &Scene) -> anyhow::Result<Outcome> {
    let mut id = 0;
    flood(scene, || {
        id += 1;
        request(id, Request::Subscribe { topic: format!("lobby/{id}") })
    })
}

fn chat_flood(scene: &Scene) -> anyhow::Result<Outcome> {
    let mut player = match Offender::play(scene, scene.rascal) {
        Ok(player) => player,
        Err(met) => return Ok(Outcome::of([met])),
    };
    let (mut id, mut at) = (0, Instant::now());
    let met = player.pump(scene.length, |out| {
        if at <= Instant::now() {
            at += Duration::from_millis(10);
            id += 1;
            let (topic, text) = ("lobby/chat".to_owned(), "buy my fish ".repeat(16));
            out.extend_from_slice(&request(id, Request::Say { topic, text }));
        }
    });
    Ok(Outcome::of([met]).noting(format!("{id} lines")))
}

/// Whether a token gives a seat back.
fn resumes(scene: &Scene, token: Token) -> Met {
    let resume = Resume { token, have: Tick(0), cells: Vec::new() };
    match Offender::greet(scene, scene.rascal, Some(resume)) {
        Ok((_, ServerMsg::Welcome { resumed: true, .. })) => Met::Fooled,
        Ok(_) => Met::Open,
        Err(met) => met,
    }
}

fn guessed_token(scene: &Scene) -> anyhow::Result<Outcome> {
    let mut rng = fastrand::Rng::with_seed(7);
    Ok(Outcome::of((0..GUESSES).map(|at| {
        let signature = std::array::from_fn(|_| rng.u8(..));
        // Sessions are perhaps counted.
        let session = if at % 2 == 0 { rng.u64(..) } else { at as u64 };
        resumes(scene, Token { session, signature })
    })))
}

fn tampered_token(scene: &Scene) -> anyhow::Result<Outcome> {
    let (mut player, welcome) = match Offender::greet(scene, scene.rascal, None) {
        Ok(greeted) => greeted,
        Err(met) => return Ok(Outcome::of([met])),
    };
    let ServerMsg::Welcome { token, .. } = welcome else { anyhow::bail!("a welcome is something else") };
    let joined = player
        .join(RoomChoice::Quick, Role::Play)
        .and_then(|()| player.wait_for(|msg| matches!(msg, ServerMsg::Joined { .. })));
    if let Err(met) = joined {
        return Ok(Outcome::of([met]));
    }
    drop(player);
    let mut tries: Vec<Token> =
        (0..8).map(|bit| Token { session: token.session ^ (1 << (bit * 7)), ..token }).collect();
    tries.extend((0..16).map(|at| {
        let mut signature = token.signature;
        signature[at] ^= 1 << (at % 8);
        Token { signature, ..token }
    }));
    let outcome = Outcome::of(tries.into_iter().map(|token| resumes(scene, token)));
    anyhow::ensure!(resumes(scene, token) == Met::Fooled, "the right token did not give the seat back");
    Ok(outcome)
}

/// Says inputs at the usual rate, and leaves everything lying that comes.
fn never_reading(scene: &Scene) -> anyhow::Result<Outcome> {
    let mut player = match Offender::play(scene, scene.rascal) {
        Ok(player) => player,
        Err(met) => return Ok(Outcome::of([met])),
    };
    let (until, mut at, mut tick) = (Instant::now() + scene.length * 3, Instant::now(), 0);
    while Instant::now() < until {
        if at <= Instant::now() {
            (at, tick) = (at + Duration::from_millis(50), tick + 3);
            if let Err(met) = crate::offender::write_all(player.line(), &input(tick)) {
                return Ok(Outcome::of([met]));
            }
        }
        std::thread::sleep(PAUSE * 10);
    }
    let met = player.listen(Duration::from_millis(100));
    Ok(Outcome::of([met]).noting(format!("{} snapshots lay there", player.snapshots)))
}

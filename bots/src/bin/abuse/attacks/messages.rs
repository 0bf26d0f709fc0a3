//! Attacks on the game's protocol and on the session behind it.

use std::time::{Duration, Instant};

use broadside_shared::game::Game;
use broadside_shared::protocol::codec;
use broadside_shared::protocol::input::InputPacket;
use broadside_shared::protocol::message::{ClientMsg, Request, Resume, ServerMsg};
use broadside_shared::protocol::name::Name;
use broadside_shared::protocol::room::{Role, RoomChoice};
use broadside_shared::protocol::token::Token;
use broadside_shared::time::Tick;

use crate::attack::{Attack, Outcome, in_parallel};
use crate::attacker::{Attacker, Reaction, binary};
use crate::raw_connection::PAUSE;
use crate::testbed::{Testbed, pool_address};

/// Time within which an invalid message must have ended a connection.
const AT_ONCE: Duration = Duration::from_secs(2);
/// Time within which a silent connection must have been closed: 10 s, and 4 s more for a busy machine.
const SILENCE: Duration = Duration::from_secs(14);
/// Connections that send random messages, and how many of them at once.
const NONSENSE: usize = 120;
const AT_A_TIME: usize = 40;
/// Resume tokens to guess.
const GUESSES: usize = 60;

const TOO_MUCH: &[Reaction] = &[Reaction::Closed(4004)];
/// Random bytes may happen to be a leave, a hello of another revision, or a valid message.
const NO_MESSAGE: &[Reaction] = &[
    Reaction::Closed(4002),
    Reaction::Closed(4001),
    Reaction::Closed(4004),
    Reaction::Closed(4010),
    Reaction::Closed(4012),
    Reaction::Closed(1000),
    Reaction::Closed(1002),
    Reaction::Closed(1003),
    Reaction::Closed(1009),
    Reaction::Status(429),
    Reaction::Cut,
    Reaction::Open,
];
const NOT_BREACHED: &[Reaction] =
    &[Reaction::Open, Reaction::Closed(4012), Reaction::Closed(4002), Reaction::Status(429), Reaction::Cut];
const SWALLOWED: &[Reaction] =
    &[Reaction::Open, Reaction::Closed(4005), Reaction::Closed(4009), Reaction::Closed(4004), Reaction::Cut];

pub(super) fn attacks<G: Game>() -> Vec<Attack> {
    vec![
        Attack::new("nonsense", "messages of random bytes, before and after the hello", NO_MESSAGE, nonsense)
            .required(&[Reaction::Closed(4002)])
            .short(),
        Attack::new("noise", "random bytes instead of frames", NO_MESSAGE, noise),
        Attack::new(
            "join-flood",
            "joins without a pause",
            &[Reaction::Closed(4004), Reaction::Closed(4002)],
            join_flood,
        ),
        Attack::new("input-flood", "valid inputs without a pause", TOO_MUCH, input_flood::<G>).short(),
        Attack::new("request-flood", "requests without a pause", TOO_MUCH, request_flood),
        Attack::new("chat-flood", "a chat message every 10 ms", &[Reaction::Open, Reaction::Closed(4004)], chat_flood),
        Attack::new("guessed-token", "hellos with guessed resume tokens", NOT_BREACHED, guessed_token),
        Attack::new(
            "tampered-token",
            "resume tokens with one wrong bit, and then the right one",
            NOT_BREACHED,
            tampered_token,
        )
        .short(),
        Attack::new("never-reading", "a player that sends inputs and reads nothing", SWALLOWED, never_reading::<G>),
        Attack::new("silent-player", "a seat, and then silence", &[Reaction::Closed(4005)], |testbed| {
            Ok(Outcome::of([Attacker::play(testbed, testbed.attacker_address)
                .map_or_else(|reaction| reaction, |mut player| player.listen(SILENCE))]))
        }),
        Attack::new("no-hello", "a WebSocket, and then silence", &[Reaction::Closed(4003)], |testbed| {
            Ok(Outcome::of([Attacker::complete_handshake(testbed, testbed.attacker_address, "")
                .map_or_else(|reaction| reaction, |mut one| one.listen(SILENCE))]))
        }),
    ]
}

/// Runs in batches of [`AT_A_TIME`], since each attacker waits for the reaction.
fn in_batches(count: usize, attacker: impl Fn(usize) -> Reaction + Sync) -> Outcome {
    let mut outcome = Outcome::default();
    for batch in (0..count).step_by(AT_A_TIME) {
        let batch = in_parallel(AT_A_TIME.min(count - batch), |at| attacker(batch + at));
        batch
            .reactions
            .into_iter()
            .for_each(|(reaction, more)| *outcome.reactions.entry(reaction).or_default() += more);
    }
    outcome
}

fn nonsense(testbed: &Testbed) -> anyhow::Result<Outcome> {
    Ok(in_batches(NONSENSE, |seed| {
        let mut rng = fastrand::Rng::with_seed(seed as u64);
        let mut bytes: Vec<u8> = (0..rng.usize(1..200)).map(|_| rng.u8(..)).collect();
        // Half of them begin with a valid frame kind.
        bytes[0] = if rng.bool() { rng.u8(1..=2) } else { bytes[0] };
        let attacker = match seed % 3 {
            0 => Attacker::complete_handshake(testbed, pool_address(seed), ""),
            1 => Attacker::greet(testbed, pool_address(seed), None).map(|(attacker, _)| attacker),
            _ => Attacker::play(testbed, pool_address(seed)),
        };
        let mut attacker = match attacker {
            Ok(attacker) => attacker,
            Err(reaction) => return reaction,
        };
        let mut bytes = binary(&bytes);
        attacker.pump(AT_ONCE, |out| out.append(&mut bytes))
    }))
}

fn noise(testbed: &Testbed) -> anyhow::Result<Outcome> {
    Ok(in_batches(NONSENSE / 4, |seed| {
        let mut rng = fastrand::Rng::with_seed(seed as u64);
        let mut bytes: Vec<u8> = (0..4096).map(|_| rng.u8(..)).collect();
        let mut attacker = match Attacker::complete_handshake(testbed, pool_address(seed), "") {
            Ok(attacker) => attacker,
            Err(reaction) => return reaction,
        };
        attacker.pump(AT_ONCE, |out| out.append(&mut bytes))
    }))
}

/// One player sends what `next` gives, without a pause.
fn flood(testbed: &Testbed, mut next: impl FnMut() -> Vec<u8>) -> anyhow::Result<Outcome> {
    let reaction = Attacker::play(testbed, testbed.attacker_address).map_or_else(
        |reaction| reaction,
        |mut player| player.pump(testbed.length, |out| (0..100).for_each(|_| out.extend_from_slice(&next()))),
    );
    Ok(Outcome::of([reaction]))
}

fn join_flood(testbed: &Testbed) -> anyhow::Result<Outcome> {
    let name = Name::new("Rascal").map_err(|_| anyhow::anyhow!("no name"))?;
    let join = ClientMsg::Join { name, room: RoomChoice::Quick, role: Role::Play };
    let join = binary(&codec::encode_client(&join));
    flood(testbed, || join.clone())
}

fn input<G: Game>(tick: u32) -> Vec<u8> {
    let samples = std::iter::once(G::Input::default()).collect();
    binary(&InputPacket { acked: Tick(0), first: Tick(tick), lag: 0, samples }.encode())
}

fn input_flood<G: Game>(testbed: &Testbed) -> anyhow::Result<Outcome> {
    let mut tick = 0;
    flood(testbed, || {
        tick += 1;
        input::<G>(tick)
    })
}

fn request(id: u32, request: Request) -> Vec<u8> {
    binary(&codec::encode_client(&ClientMsg::Request { id, request }))
}

fn request_flood(testbed: &Testbed) -> anyhow::Result<Outcome> {
    let mut id = 0;
    flood(testbed, || {
        id += 1;
        request(id, Request::Subscribe { topic: format!("lobby/{id}") })
    })
}

fn chat_flood(testbed: &Testbed) -> anyhow::Result<Outcome> {
    let mut player = match Attacker::play(testbed, testbed.attacker_address) {
        Ok(player) => player,
        Err(reaction) => return Ok(Outcome::of([reaction])),
    };
    let (mut id, mut at) = (0, Instant::now());
    let reaction = player.pump(testbed.length, |out| {
        if at <= Instant::now() {
            at += Duration::from_millis(10);
            id += 1;
            let (topic, text) = ("lobby/chat".to_owned(), "buy my fish ".repeat(16));
            out.extend_from_slice(&request(id, Request::Say { topic, text }));
        }
    });
    Ok(Outcome::of([reaction]).noting(format!("{id} messages")))
}

/// The reaction to a hello with this resume token: [`Reaction::Breached`] if it resumes a session.
fn resumes(testbed: &Testbed, token: Token) -> Reaction {
    let resume = Resume { token, have: Tick(0), cells: Vec::new() };
    match Attacker::greet(testbed, testbed.attacker_address, Some(resume)) {
        Ok((_, ServerMsg::Welcome { resumed: true, .. })) => Reaction::Breached,
        Ok(_) => Reaction::Open,
        Err(reaction) => reaction,
    }
}

fn guessed_token(testbed: &Testbed) -> anyhow::Result<Outcome> {
    let mut rng = fastrand::Rng::with_seed(7);
    Ok(Outcome::of((0..GUESSES).map(|at| {
        let signature = std::array::from_fn(|_| rng.u8(..));
        // Half of them guess a sequential session number.
        let session = if at % 2 == 0 { rng.u64(..) } else { at as u64 };
        resumes(testbed, Token { session, signature })
    })))
}

fn tampered_token(testbed: &Testbed) -> anyhow::Result<Outcome> {
    let (mut player, welcome) = match Attacker::greet(testbed, testbed.attacker_address, None) {
        Ok(greeted) => greeted,
        Err(reaction) => return Ok(Outcome::of([reaction])),
    };
    let ServerMsg::Welcome { token, .. } = welcome else { anyhow::bail!("the answer to the hello is no welcome") };
    let joined = player
        .join(RoomChoice::Quick, Role::Play)
        .and_then(|()| player.wait_for(|msg| matches!(msg, ServerMsg::Joined { .. })));
    if let Err(reaction) = joined {
        return Ok(Outcome::of([reaction]));
    }
    drop(player);
    let mut tries: Vec<Token> =
        (0..8).map(|bit| Token { session: token.session ^ (1 << (bit * 7)), ..token }).collect();
    tries.extend((0..16).map(|at| {
        let mut signature = token.signature;
        signature[at] ^= 1 << (at % 8);
        Token { signature, ..token }
    }));
    let outcome = Outcome::of(tries.into_iter().map(|token| resumes(testbed, token)));
    anyhow::ensure!(resumes(testbed, token) == Reaction::Breached, "the right token did not resume the session");
    Ok(outcome)
}

/// Sends inputs at the usual rate and reads nothing.
fn never_reading<G: Game>(testbed: &Testbed) -> anyhow::Result<Outcome> {
    let mut player = match Attacker::play(testbed, testbed.attacker_address) {
        Ok(player) => player,
        Err(reaction) => return Ok(Outcome::of([reaction])),
    };
    let (until, mut at, mut tick) = (Instant::now() + testbed.length * 3, Instant::now(), 0);
    while Instant::now() < until {
        if at <= Instant::now() {
            (at, tick) = (at + Duration::from_millis(50), tick + 3);
            if let Err(reaction) = crate::attacker::write_all(player.connection(), &input::<G>(tick)) {
                return Ok(Outcome::of([reaction]));
            }
        }
        std::thread::sleep(PAUSE * 10);
    }
    let reaction = player.listen(Duration::from_millis(100));
    Ok(Outcome::of([reaction]).noting(format!("{} snapshots were waiting", player.snapshots)))
}

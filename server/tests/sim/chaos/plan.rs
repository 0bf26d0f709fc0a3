//! What a chaos run does: a setup and a list of events, both drawn from a seed. Each event means something in any state of the run, so
//! that a failing plan can be shrunk by leaving events out.

use broadside_shared::link::LinkProfile;
use broadside_shared::protocol::room::ModeId;
use broadside_shared::protocol::room::Role;

/// Addresses that clients come from: fewer than clients, so that some of them share the limits of one.
pub(crate) const ADDRESSES_MAX: usize = 12;

/// Every how many seeds nothing happens that disturbs inputs.
const CALM_EVERY: u64 = 5;

/// A run.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) shards: usize,
    /// The link of each client.
    pub(crate) links: Vec<LinkProfile>,
    pub(crate) addresses: usize,
    pub(crate) capacity: u16,
    pub(crate) snapshot_every: u32,
    pub(crate) grace_s: u32,
    pub(crate) room_life_s: u32,
    /// Time from the start to the moment from which everything settles, in milliseconds.
    pub(crate) length_ms: u64,
    /// In order of time.
    pub(crate) events: Vec<Event>,
}

/// Something that happens.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Event {
    pub(crate) at_ms: u64,
    pub(crate) what: What,
}

/// What happens. Clients and shards go by number; rooms by a number that is taken modulo how many there are.
#[derive(Debug, Clone, Copy)]
pub(crate) enum What {
    /// A client without a connection opens one, with the token it has.
    Open(usize),
    /// A client opens another connection while the old one is open.
    TakeOver(usize),
    /// The page is loaded again: nothing is left but the token. The old socket is lost, or stays open for a while.
    Reload(usize, bool),
    Lose(usize),
    /// Nothing moves over the link for this many milliseconds.
    Cut(usize, u64),
    /// The program stands still for this many milliseconds.
    Freeze(usize, u64),
    /// The client's clock jumps ahead by this many milliseconds.
    ClockJump(usize, u64),
    Join(usize, Place, Role),
    Exit(usize),
    Leave(usize),
    Rename(usize),
    Say(usize, Chat),
    /// From a client to a client.
    Direct(usize, usize),
    Subscribe(usize, Chat),
    Unsubscribe(usize, Chat),
    Mute(usize, usize),
    Unmute(usize, usize),
    Follow(usize, u16),
    /// A request of the game, in a variant of this number.
    AskGame(usize, u16),
    /// Bytes that are no message: how many, all of this value.
    Garbage(usize, usize, u8),
    /// A client is told of a seat that is kept for it and joins with it, or does not come.
    Reserve(usize, usize, bool),
    OpenRoom(ModeId, bool),
    Retire(usize),
    Panic(usize),
    /// The mailbox of a room is filled with inputs to the brim.
    Flood(usize),
    /// A room is not run for this many milliseconds.
    LagRoom(usize, u64),
    LagShard(usize, u64),
    FailShard(usize),
    /// The whole server stands still for this many milliseconds.
    Pause(u64),
    /// Another server takes over, after this many milliseconds in which there is none.
    HandOver(u64),
    /// The state is left on disk; that of some rooms stays as it was the last time.
    Checkpoint,
    /// The server is gone, and another goes on from the checkpoint, after this many milliseconds.
    Crash(u64),
}

/// Which room a client asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Place {
    Quick,
    Mode(ModeId),
    Room(usize),
    Code(usize),
    Nowhere,
}

/// What is subscribed to, and said something in.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Chat {
    Lobby,
    /// The chat of the room that the client is in.
    Room,
    Feed,
    Match,
    Leaderboard,
}

impl What {
    /// The clients whose inputs this keeps from the server.
    pub(crate) fn disturbs(self, clients: usize) -> std::ops::Range<usize> {
        match self {
            What::TakeOver(index)
            | What::Reload(index, _)
            | What::Lose(index)
            | What::Cut(index, _)
            | What::Freeze(index, _)
            | What::ClockJump(index, _)
            | What::Garbage(index, ..) => index..index + 1,
            What::Flood(_)
            | What::LagRoom(..)
            | What::LagShard(..)
            | What::FailShard(_)
            | What::Panic(_)
            | What::Pause(_)
            | What::HandOver(_)
            | What::Crash(_) => 0..clients,
            What::Open(_)
            | What::Join(..)
            | What::Exit(_)
            | What::Leave(_)
            | What::Rename(_)
            | What::Say(..)
            | What::Direct(..)
            | What::Subscribe(..)
            | What::Unsubscribe(..)
            | What::Mute(..)
            | What::Unmute(..)
            | What::Follow(..)
            | What::AskGame(..)
            | What::Reserve(..)
            | What::OpenRoom(..)
            | What::Retire(_)
            | What::Checkpoint => 0..0,
        }
    }
}

impl Plan {
    /// The plan of a seed.
    pub(crate) fn draw(seed: u64) -> Plan {
        let mut rng = fastrand::Rng::with_seed(seed);
        let clients = rng.usize(6..=14);
        let length_ms = rng.u64(3_000..=7_000);
        let mut plan = Plan {
            seed,
            shards: rng.usize(2..=3),
            links: std::iter::repeat_with(|| link(&mut rng)).take(clients).collect(),
            addresses: rng.usize(3..=ADDRESSES_MAX),
            capacity: rng.u16(4..=8),
            snapshot_every: rng.u32(1..=3),
            grace_s: rng.u32(1..=3),
            room_life_s: rng.u32(3..=40),
            length_ms,
            events: Vec::new(),
        };
        for client in 0..clients {
            let at_ms = rng.u64(0..500);
            plan.events.push(Event { at_ms, what: What::Join(client, place(&mut rng), role(&mut rng)) });
            plan.events.push(Event { at_ms, what: What::Open(client) });
            if rng.f32() < 0.7 {
                plan.events.push(Event { at_ms: at_ms + 50, what: What::Subscribe(client, chat(&mut rng)) });
            }
        }
        // From a quiet run to one where something happens every few steps.
        let pause_ms = rng.u64(20..=150);
        let mut at_ms = 300;
        while at_ms < length_ms {
            plan.events.push(Event { at_ms, what: what(&mut rng, &plan) });
            at_ms += rng.u64(1..=2 * pause_ms);
        }
        if seed % CALM_EVERY == 3 {
            plan.events.retain(|event| event.what.disturbs(clients).is_empty());
        }
        plan.events.sort_by_key(|event| event.at_ms);
        plan
    }
}

fn link(rng: &mut fastrand::Rng) -> LinkProfile {
    LinkProfile::ALL[rng.usize(..LinkProfile::ALL.len())]
}

fn what(rng: &mut fastrand::Rng, plan: &Plan) -> What {
    let (client, other) = (rng.usize(..plan.links.len()), rng.usize(..plan.links.len()));
    let (room, shard) = (rng.usize(..8), rng.usize(..plan.shards));
    match rng.u32(..100) {
        0..6 => What::Open(client),
        6..9 => What::TakeOver(client),
        9..12 => What::Reload(client, rng.bool()),
        12..16 => What::Lose(client),
        16..18 => What::AskGame(client, rng.u16(..8)),
        18..21 => What::Cut(client, rng.u64(50..3_000)),
        21..23 => What::Freeze(client, rng.u64(50..3_000)),
        23 => What::ClockJump(client, rng.u64(1..30_000)),
        24..36 => What::Join(client, place(rng), role(rng)),
        36..40 => What::Exit(client),
        40..43 => What::Leave(client),
        43..46 => What::Rename(client),
        46..60 => What::Say(client, if rng.bool() { Chat::Lobby } else { Chat::Room }),
        60..68 => What::Direct(client, other),
        68..74 => What::Subscribe(client, chat(rng)),
        74..76 => What::Unsubscribe(client, chat(rng)),
        76 => What::Mute(client, other),
        77 => What::Unmute(client, other),
        78..80 => What::Follow(client, rng.u16(..10)),
        80 => What::Garbage(client, rng.usize(..40), rng.u8(..)),
        81..83 => What::Reserve(client, room, rng.bool()),
        83..85 => What::OpenRoom(ModeId(rng.u8(..2)), rng.bool()),
        85..87 => What::Retire(room),
        87..89 => What::Panic(room),
        89 => match rng.u32(..20) {
            0 => What::Flood(room),
            _ => What::Say(client, Chat::Lobby),
        },
        90..93 => What::LagRoom(room, rng.u64(20..1_500)),
        93..96 => What::LagShard(shard, rng.u64(20..1_500)),
        96 => What::Checkpoint,
        97 => What::FailShard(shard),
        98 if rng.u8(..3) == 0 => What::HandOver(rng.u64(1..400)),
        98 => What::Pause(rng.u64(100..12_000)),
        _ if rng.bool() => What::Crash(rng.u64(1..2_000)),
        _ => What::Checkpoint,
    }
}

fn place(rng: &mut fastrand::Rng) -> Place {
    match rng.u32(..20) {
        0..5 => Place::Quick,
        5..9 => Place::Mode(ModeId(rng.u8(..3))),
        9..16 => Place::Room(rng.usize(..8)),
        16..19 => Place::Code(rng.usize(..4)),
        _ => Place::Nowhere,
    }
}

fn role(rng: &mut fastrand::Rng) -> Role {
    if rng.u32(..4) == 0 { Role::Spectate } else { Role::Play }
}

fn chat(rng: &mut fastrand::Rng) -> Chat {
    match rng.u32(..10) {
        0..5 => Chat::Lobby,
        5..8 => Chat::Room,
        8 => Chat::Match,
        _ => [Chat::Feed, Chat::Leaderboard][rng.usize(..2)],
    }
}

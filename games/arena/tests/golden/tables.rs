//! The tables of `docs/PROTOCOL.md`, generated from the code they describe.

use broadside_arena::Arena;
use broadside_arena::fields::KINDS;
use broadside_arena::rules;
use broadside_shared::game::Game;
use broadside_shared::protocol::close::{CloseCode, Retry};
use broadside_shared::protocol::codec::encode_client;
use broadside_shared::protocol::message::ClientMsg;
use broadside_shared::protocol::{REVISION, SUBPROTOCOL, limits};
use broadside_shared::replication::bits::BitWriter;
use broadside_shared::replication::cells::{CellId, POSITION_STEP};
use broadside_shared::replication::delta::CELL_RECORDS_MAX;
use broadside_shared::replication::fields::{FieldRole, FieldSpec, KindSpec, Motion, VELOCITY_TICKS};
use broadside_shared::replication::viewer::SUBSCRIBED_MAX;
use broadside_shared::time::MonoTime;

use crate::files::hex;

/// Every table by its name in the document.
pub(crate) fn all() -> Vec<(&'static str, String)> {
    vec![
        ("constants", constants()),
        ("integers", integers()),
        ("codes", codes()),
        ("fields", fields()),
        ("ship", ship()),
        ("limits", limits_table()),
        ("close codes", close_codes()),
    ]
}

fn rows(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut out = format!("| {} |\n|{}\n", head.join(" | "), "---|".repeat(head.len()));
    for row in rows {
        out.push_str(&format!("| {} |\n", row.join(" | ")));
    }
    out
}

fn constants() -> String {
    let row = |what: &str, value: String| vec![what.to_owned(), value];
    let steps = (CellId::SIZE / POSITION_STEP) as i32;
    let margin = ((1 << CellId::LOCAL_BITS) - steps) / 2;
    rows(
        &["constant", "value"],
        &[
            row("subprotocol", format!("`{SUBPROTOCOL}`")),
            row("revision", REVISION.to_string()),
            row("ticks per second of the arena", Arena::TICK_HZ.to_string()),
            row("position step, in world units", POSITION_STEP.to_string()),
            row("width of a cell, in world units", CellId::SIZE.to_string()),
            row("the same in position steps (C)", steps.to_string()),
            row("bits of a local position", CellId::LOCAL_BITS.to_string()),
            row("how far outside its cell a local position may be, in position steps (M)", margin.to_string()),
            row("ticks in which a velocity of 1 moves an entity by one position step (V)", VELOCITY_TICKS.to_string()),
        ],
    )
}

/// Unsigned integers of control messages, shown by a ping, after the kind and the number of the variant.
fn integers() -> String {
    let row = |value: u64| {
        let frame = encode_client(&ClientMsg::Ping { client_time: MonoTime(value) });
        vec![value.to_string(), format!("`{}`", hex(&frame[2..]))]
    };
    let values = [0, 250, 251, 300, 65_535, 65_536, 5_000_000_000];
    rows(&["integer", "bytes"], &values.map(row))
}

/// The Golomb codes of some numbers, as bits in the order they are written.
fn codes() -> String {
    let written = |write: &dyn Fn(&mut BitWriter)| {
        let mut bytes = Vec::new();
        let mut bits = BitWriter::new(&mut bytes);
        write(&mut bits);
        // A one after the code marks its end.
        bits.flag(true);
        bits.finish();
        let bits: Vec<u8> = (0..bytes.len() * 8).map(|at| bytes[at / 8] >> (at % 8) & 1).collect();
        let end = bits.iter().rposition(|bit| *bit == 1).expect("the one after the code");
        format!("`{}`", bits[..end].iter().map(u8::to_string).collect::<String>())
    };
    let unsigned = [(0, 0), (0, 1), (0, 2), (0, 3), (1, 0), (1, 1), (1, 2), (3, 7), (3, 8), (8, 9), (8, 300)];
    let signed = [(0, 0), (0, -1), (0, 1), (0, -2), (3, -8), (6, 70)];
    let mut table: Vec<Vec<String>> = Vec::new();
    for (k, value) in unsigned {
        table.push(vec![format!("golomb {k}"), value.to_string(), written(&|bits| bits.golomb(value, k))]);
    }
    for (k, value) in signed {
        table.push(vec![format!("signed {k}"), value.to_string(), written(&|bits| bits.signed(value, k))]);
    }
    rows(&["code", "value", "bits"], &table)
}

/// The constants that a client needs to predict its own ship.
fn ship() -> String {
    let row = |name: &str, value: f32, unit: &str| vec![name.to_owned(), value.to_string(), unit.to_owned()];
    let ticks = |name: &str, value: u16| row(name, f32::from(value), "ticks");
    let armour = |name: &str, value: u16, unit: &str| row(name, f32::from(value), unit);
    rows(
        &["name", "value", "unit"],
        &[
            row("THRUST", rules::THRUST, "unit/s²"),
            row("REVERSE", rules::REVERSE, "unit/s²"),
            row("STRAFE", rules::STRAFE, "unit/s²"),
            row("DRAG", rules::DRAG, "of the velocity per second"),
            row("SPEED_MAX", rules::SPEED_MAX, "unit/s"),
            row("BOOST", rules::BOOST, "unit/s²"),
            row("SPEED_BOOST", rules::SPEED_BOOST, "unit/s"),
            row("SPEED_EASE", rules::SPEED_EASE, "of the velocity per tick"),
            armour("BOOST_MAX", rules::BOOST_MAX, "in all"),
            armour("BOOST_USE", rules::BOOST_USE, "per tick"),
            row("TURN", f32::from(rules::TURN), "1/65536 turn per tick"),
            row("SHIP_RADIUS", rules::SHIP_RADIUS, "unit"),
            row("ROCK_REACH", rules::ROCK_REACH, "unit"),
            row("BOUNCE", rules::BOUNCE, "of the speed into a rock"),
            row("IMPACT_FREE", rules::IMPACT_FREE, "unit/s"),
            row("IMPACT_DAMAGE", rules::IMPACT_DAMAGE, "1/60 point per unit/s"),
            row("PULL", rules::BORDER_PULL, "unit/s² per unit outside"),
            row("PULL_MAX", rules::BORDER_PULL_MAX, "unit/s²"),
            row("DEEP", rules::BORDER_DEEP, "unit outside"),
            armour("DEEP_DAMAGE", rules::BORDER_DAMAGE, "1/60 point per tick"),
            armour("HULL_MAX", rules::HULL_MAX, "1/60 point"),
            armour("REGEN", rules::REGEN, "1/60 point per tick"),
            ticks("CALM", rules::CALM),
            armour("SHIELD_DECAY", rules::SHIELD_DECAY, "1/60 point per tick"),
            ticks("COOLDOWN", u16::from(rules::COOLDOWN)),
            ticks("COOLDOWN_RAPID", u16::from(rules::COOLDOWN_RAPID)),
            ticks("RAIL_COOLDOWN", u16::from(rules::RAIL_COOLDOWN)),
            ticks("MINE_COOLDOWN", rules::MINE_COOLDOWN),
            row("MINE_BEHIND", rules::MINE_BEHIND, "unit behind the centre"),
            row("MUZZLE", rules::MUZZLE, "unit ahead of the centre"),
            row("SHOT_SPEED", rules::SHOT_SPEED, "unit/s over the ship's velocity"),
            row("SHOT_LIFE", rules::SHOT_LIFE as f32, "ticks"),
            row("RAIL_RANGE", rules::RAIL_RANGE, "unit"),
        ],
    )
}

fn limits_table() -> String {
    let row = |what: &str, value: u64, unit: &str, then: &str| {
        vec![what.to_owned(), format!("{value} {unit}").trim().to_owned(), then.to_owned()]
    };
    let seconds = |us: u64| us / 1_000_000;
    rows(
        &["what", "limit", "beyond it"],
        &[
            row("a frame from a client", limits::CLIENT_FRAME_MAX as u64, "bytes", "close 1009"),
            row("a frame from a server", limits::SERVER_FRAME_MAX as u64, "bytes", "the client closes"),
            row("a player's name", limits::NAME_CHARS_MAX as u64, "characters", "close 4002"),
            row("the width of a name", limits::NAME_CELLS_MAX as u64, "cells", "close 4002"),
            row("marks on one letter", limits::MARKS_MAX as u64, "", "further ones are dropped"),
            row("the agent in a hello", limits::AGENT_BYTES_MAX as u64, "bytes", "close 4002"),
            row("samples in an input packet", limits::SAMPLES_MAX as u64, "", "close 4002; send the newest"),
            row(
                "`lag` in an input packet",
                u64::from(limits::LAG_MAX),
                "sixteenths of a tick",
                "close 4002; send this value",
            ),
            row(
                "how far ahead an input may be",
                u64::from(limits::INPUT_AHEAD_MAX),
                "ticks",
                "the input is dropped and counted",
            ),
            row("frames at once", u64::from(limits::FRAMES_BURST), "frames", "close 4004"),
            row("frames on average", u64::from(limits::FRAMES_PER_S), "frames/s", "close 4004"),
            row("fragments of a message", u64::from(limits::FRAGMENTS_MAX), "fragments", "close 4004"),
            row("bytes at once", u64::from(limits::BYTES_BURST), "bytes", "close 4004"),
            row("bytes on average", u64::from(limits::BYTES_PER_S), "bytes/s", "close 4004"),
            row("joins and requests between a hello and its welcome", limits::DEFERRED_MAX as u64, "", "close 4004"),
            row("from the handshake to the hello", seconds(limits::GREETING_US), "s", "close 4003"),
            row("silence of a client", seconds(limits::SILENCE_US), "s", "close 4005"),
            row("silence until the server pings", seconds(limits::PING_EVERY_US), "s", "a WebSocket ping"),
            row("cells subscribed to", SUBSCRIBED_MAX as u64, "", "those with the highest numbers are left out"),
            row("records of a cell", CELL_RECORDS_MAX as u64, "", "those with the highest ids are left out"),
            row("events in a snapshot", limits::EVENTS_MAX as u64, "", "the oldest are left out"),
            row(
                "updates in a snapshot",
                limits::UPDATES_BYTES_MAX as u64,
                "bytes",
                "the rest follows in the next ones",
            ),
            row(
                "messages in a snapshot",
                limits::MESSAGES_BYTES_MAX as u64,
                "bytes",
                "the rest follows in the next ones",
            ),
            row("queued messages of a client", limits::MESSAGES_WAITING_MAX as u64, "", "the oldest is dropped"),
            row("a chat message", limits::TEXT_CHARS_MAX as u64, "characters", "refused: bad text"),
            row("chat messages at once", u64::from(limits::CHAT_BURST), "", "refused: too fast"),
            row("from a chat message to the next", u64::from(limits::CHAT_EVERY_MS), "ms", "refused: too fast"),
            row("other requests at once", u64::from(limits::REQUESTS_BURST), "", "refused: too fast"),
            row("from such a request to the next", u64::from(limits::REQUEST_EVERY_MS), "ms", "refused: too fast"),
            row("subscriptions", limits::SUBSCRIPTIONS_MAX as u64, "", "refused: too many"),
            row("muted players", limits::MUTED_MAX as u64, "", "refused: too many"),
            row("cells of a resuming client", limits::RESUMED_CELLS_MAX as u64, "", "close 4002"),
            row("the address of a node", limits::NODE_URL_MAX as u64, "bytes", "the client closes"),
            row("listed nodes", limits::NODES_TOLD_MAX as u64, "", "the client closes"),
            row("entries of the board", limits::BOARD_LINES_MAX as u64, "", "the others are not sent"),
        ],
    )
}

/// The meaning of a field: the unit of its step, and a phrase.
fn meaning(kind: &str, field: &FieldSpec) -> (&'static str, &'static str) {
    match (kind, field.name) {
        ("shot" | "beam", "x" | "y") => ("unit", "the muzzle at the tick it was fired"),
        ("beam", "heading") => ("rad", "its direction, from +x toward +y"),
        (_, "x" | "y") => ("unit", "the centre"),
        (_, "vx" | "vy") => ("unit/s", "the velocity"),
        (_, "heading") => ("rad", "the heading, from +x toward +y"),
        (_, "hull") => ("", "the hull left, in hundredths of a whole one"),
        (_, "flags") => ("", "1 engine burns, 2 shield, 4 rapid fire, 8 protected; 16 times the number of its craft"),
        (_, "owner") => ("", "the number of the owner"),
        ("mine", "start") => ("tick", "the tick it was left at"),
        (_, "start") => ("tick", "the tick it was fired at"),
        (_, "radius") => ("unit", "the radius"),
        (_, "length") => ("unit", "its length"),
        (_, "what") => ("", "0 repair, 1 rapid fire, 2 shield"),
        (kind, field) => panic!("docs/PROTOCOL.md must explain {field} of a {kind}: add it here"),
    }
}

fn fields() -> String {
    let row = |number: usize, kind: &KindSpec, field: &FieldSpec| {
        let place = matches!(field.role, FieldRole::X | FieldRole::Y);
        let full = match (field.role, kind.motion) {
            (FieldRole::X | FieldRole::Y, Motion::Moving) => format!("{} bits, local", CellId::LOCAL_BITS),
            (FieldRole::X | FieldRole::Y, Motion::Still) => "signed 10, from the middle".to_owned(),
            (FieldRole::Velocity | FieldRole::Signed, _) => format!("{} bits, offset", field.bits),
            (FieldRole::Angle | FieldRole::Plain, _) => format!("{} bits", field.bits),
            (FieldRole::Start, _) => format!("{} bits, age", field.bits),
        };
        let (unit, sentence) = meaning(kind.name, field);
        let (low, high) = field.range();
        let range = if field.role == FieldRole::Start { "a tick".to_owned() } else { format!("{low} to {high}") };
        let step = match field.role {
            FieldRole::Angle => format!("2π/{}", 1 << field.bits),
            _ if place => POSITION_STEP.to_string(),
            _ => field.step.to_string(),
        };
        let k = if kind.motion == Motion::Moving { field.k.to_string() } else { "-".to_owned() };
        vec![
            format!("{number} {}", kind.name),
            field.name.to_owned(),
            full,
            range,
            format!("{step} {unit}").trim().to_owned(),
            k,
            sentence.to_owned(),
        ]
    };
    let rows_of = |(number, kind): (usize, &'static KindSpec)| {
        // A kind with the same table as an earlier one takes one row.
        let twin = KINDS[..number].iter().position(|other| (other.motion, other.fields) == (kind.motion, kind.fields));
        let Some(twin) = twin else { return kind.fields.iter().map(|field| row(number, kind, field)).collect() };
        let cell = |text: &str| text.to_owned();
        let all = format!("all as {twin} {}", KINDS[twin].name);
        vec![vec![format!("{number} {}", kind.name), all, cell("-"), cell("-"), cell("-"), cell("-"), cell("-")]]
    };
    let all: Vec<Vec<String>> = KINDS.iter().enumerate().flat_map(rows_of).collect();
    rows(&["kind", "field", "in full", "range", "step", "k", "meaning"], &all)
}

fn close_codes() -> String {
    let row = |code: CloseCode| {
        let retry = match code.retry() {
            Retry::Automatic => "yes, after a pause",
            Retry::Manual => "no",
        };
        vec![code.code().to_string(), code.reason().to_owned(), retry.to_owned(), code.advice().to_owned()]
    };
    let all: Vec<Vec<String>> = CloseCode::ALL.into_iter().map(row).collect();
    rows(&["code", "reason on the wire", "reconnect automatically?", "what to tell a person"], &all)
}

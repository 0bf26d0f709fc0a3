//! Events of the arena, each sent once: hits, wrecks, pickups.

use glam::Vec2;
use serde::{Deserialize, Serialize};

use super::fields::OWNER_BITS;
use super::pickup::Boon;
use super::ship::Cause;
use broadside_shared::ids::{EntityId, PlayerId};
use broadside_shared::replication::bits::{BitReader, BitWriter, WireError};
use broadside_shared::replication::layout::Layout;
use broadside_shared::time::ViewTime;

/// An event. Points are in world units, rounded to half a unit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum ArenaEvent {
    /// A shot hit a ship. Sent to everyone near.
    Hit {
        /// Where it hit.
        at: Vec2,
        /// The shot, which has ended.
        shot: EntityId,
        /// The owner of the ship.
        target: PlayerId,
        /// The shooter.
        by: PlayerId,
        /// The part that was hit.
        on: Armour,
    },
    /// A shot ended at a rock. Sent to everyone near.
    Chipped {
        /// Where it hit.
        at: Vec2,
        /// The shot, which has ended.
        shot: EntityId,
    },
    /// The recipient's shot did damage, at any distance; for the hit marker.
    Dealt {
        /// The owner of the ship.
        target: PlayerId,
        /// Damage in points, rounded up.
        points: u8,
    },
    /// A beam hit a ship. Sent to everyone near.
    Pierced {
        /// Position of the ship now; the beam ends where its shooter saw it.
        at: Vec2,
        /// The owner of the ship.
        target: PlayerId,
        /// The shooter.
        by: PlayerId,
        /// The part that was hit.
        on: Armour,
    },
    /// The recipient's beam did damage, at any distance; for the hit marker.
    Railed {
        /// The owner of the ship.
        target: PlayerId,
        /// Damage in points, rounded up.
        points: u8,
        /// The centre of the ship at the judged moment, as the shooter saw it.
        at: Vec2,
        /// Time from the judged moment to the tick of the shot, in parts of a tick ([`broadside_shared::time::ViewTime`]).
        ago: u8,
    },
    /// The recipient was hit by a beam: shows the victim what was judged.
    Struck {
        /// The shooter.
        by: PlayerId,
        /// Position of the recipient's ship at the judged moment.
        at: Vec2,
        /// Its position at the tick of the shot.
        now: Vec2,
        /// Time from the judged moment to the tick of the shot, in parts of a tick ([`broadside_shared::time::ViewTime`]).
        ago: u8,
    },
    /// A ship went down to which the recipient had done much of the damage, and another player sank it or nobody did.
    Assisted {
        /// The owner of the ship.
        victim: PlayerId,
    },
    /// A ship blew up. Sent to everyone near.
    Sunk {
        /// Where it was.
        at: Vec2,
        /// The owner of the ship.
        victim: PlayerId,
    },
    /// The kill-feed entry of a sunk ship. Sent to everyone in the room.
    KillFeed {
        /// The owner of the ship.
        victim: PlayerId,
        /// The player who sank it; `None` if nobody did.
        by: Option<PlayerId>,
        /// The cause.
        cause: Cause,
        /// Whether it brought a bounty.
        bounty: bool,
    },
    /// A mine went off. Sent to everyone near.
    Blast {
        /// Where it lay.
        at: Vec2,
        /// Who left it.
        by: PlayerId,
    },
    /// A player got a new ship. Sent to everyone near.
    Launched {
        /// Where it is.
        at: Vec2,
        /// The owner of the ship.
        player: PlayerId,
    },
    /// A pickup was taken. Sent to everyone near.
    Picked {
        /// Where it was.
        at: Vec2,
        /// The player who took it.
        player: PlayerId,
        /// Its kind.
        what: Boon,
    },
}

/// The part of a ship that was hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Armour {
    /// The hull, at least in part.
    Hull,
    /// The shield took all of it.
    Shield,
    /// The invulnerability of a new ship: no damage.
    Protection,
}

const ARMOURS: [Armour; 3] = [Armour::Hull, Armour::Shield, Armour::Protection];
const CAUSES: [Cause; 5] = [Cause::Cannon, Cause::Rock, Cause::Border, Cause::Rail, Cause::Mine];
const CAUSE_BITS: u32 = 3;

const KIND_BITS: u32 = 3;
/// The kind that announces a second kind number: the rail's events and assists are rarer than the others.
const KIND_RAIL: u32 = 7;
const RAIL_KIND_BITS: u32 = 3;
const AGO_BITS: u32 = 8;
const PLAYER_BITS: u32 = OWNER_BITS as u32;
/// Bits of a coordinate in steps of half a unit: the world reaches 32,768 units each way.
const POINT_BITS: u32 = 17;

/// What [`write()`] appends.
pub(super) const LAYOUT: Layout = Layout::Choice {
    bits: KIND_BITS as u8,
    variants: &[
        ("hit", Layout::Fields(&[AT, SHOT, TARGET, BY, ON])),
        ("chipped", Layout::Fields(&[AT, SHOT])),
        ("dealt", Layout::Fields(&[TARGET, POINTS])),
        ("sunk", Layout::Fields(&[AT, ("victim", PLAYER)])),
        (
            "killFeed",
            Layout::Fields(&[
                ("victim", PLAYER),
                ("by", Layout::Option(&PLAYER)),
                ("cause", CAUSE),
                ("bounty", Layout::Flag),
            ]),
        ),
        ("launched", Layout::Fields(&[AT, ("player", PLAYER)])),
        ("picked", Layout::Fields(&[AT, ("player", PLAYER), ("what", BOON)])),
        ("rail", RAIL),
    ],
};
const RAIL: Layout = Layout::Choice {
    bits: RAIL_KIND_BITS as u8,
    variants: &[
        ("pierced", Layout::Fields(&[AT, TARGET, BY, ON])),
        ("railed", Layout::Fields(&[TARGET, POINTS, AT, AGO])),
        ("struck", Layout::Fields(&[BY, AT, ("now", POINT), AGO])),
        ("assisted", Layout::Fields(&[("victim", PLAYER)])),
        ("blast", Layout::Fields(&[AT, BY])),
    ],
};
const AT: (&str, Layout) = ("at", POINT);
const SHOT: (&str, Layout) = ("shot", Layout::Bits(16));
const TARGET: (&str, Layout) = ("target", PLAYER);
const BY: (&str, Layout) = ("by", PLAYER);
const POINTS: (&str, Layout) = ("points", Layout::Bits(8));
/// In ticks.
const AGO: (&str, Layout) =
    ("ago", Layout::Scaled { bits: AGO_BITS as u8, lowest: 0, step: 1.0 / ViewTime::PARTS as f32 });
const ON: (&str, Layout) =
    ("on", named(&[("hull", Layout::NOTHING), ("shield", Layout::NOTHING), ("protection", Layout::NOTHING)]));
const CAUSE: Layout = Layout::Choice {
    bits: CAUSE_BITS as u8,
    variants: &[
        ("cannon", Layout::NOTHING),
        ("rock", Layout::NOTHING),
        ("border", Layout::NOTHING),
        ("rail", Layout::NOTHING),
        ("mine", Layout::NOTHING),
    ],
};
const BOON: Layout = named(&[("repair", Layout::NOTHING), ("rapid", Layout::NOTHING), ("shield", Layout::NOTHING)]);
const PLAYER: Layout = Layout::Bits(PLAYER_BITS as u8);
const POINT: Layout = Layout::Fields(&[("x", COORDINATE), ("y", COORDINATE)]);
const COORDINATE: Layout = Layout::Scaled { bits: POINT_BITS as u8, lowest: -(1 << (POINT_BITS - 1)), step: 0.5 };

const fn named(variants: &'static [(&'static str, Layout)]) -> Layout {
    Layout::Choice { bits: 2, variants }
}

pub(super) fn write(event: &ArenaEvent, out: &mut BitWriter) {
    match *event {
        ArenaEvent::Hit { at, shot, target, by, on } => {
            out.bits(0, KIND_BITS);
            write_point(at, out);
            out.bits(u32::from(shot.0), 16);
            write_player(target, out);
            write_player(by, out);
            out.bits(on as u32, 2);
        }
        ArenaEvent::Chipped { at, shot } => {
            out.bits(1, KIND_BITS);
            write_point(at, out);
            out.bits(u32::from(shot.0), 16);
        }
        ArenaEvent::Dealt { target, points } => {
            out.bits(2, KIND_BITS);
            write_player(target, out);
            out.bits(u32::from(points), 8);
        }
        ArenaEvent::Sunk { at, victim } => {
            out.bits(3, KIND_BITS);
            write_point(at, out);
            write_player(victim, out);
        }
        ArenaEvent::KillFeed { victim, by, cause, bounty } => {
            out.bits(4, KIND_BITS);
            write_player(victim, out);
            out.flag(by.is_some());
            if let Some(by) = by {
                write_player(by, out);
            }
            out.bits(cause as u32, CAUSE_BITS);
            out.flag(bounty);
        }
        ArenaEvent::Launched { at, player } => {
            out.bits(5, KIND_BITS);
            write_point(at, out);
            write_player(player, out);
        }
        ArenaEvent::Picked { at, player, what } => {
            out.bits(6, KIND_BITS);
            write_point(at, out);
            write_player(player, out);
            out.bits(u32::from(what.number()), 2);
        }
        ArenaEvent::Pierced { .. }
        | ArenaEvent::Railed { .. }
        | ArenaEvent::Struck { .. }
        | ArenaEvent::Assisted { .. }
        | ArenaEvent::Blast { .. } => write_rarer(event, out),
    }
}

/// Those behind [`KIND_RAIL`].
fn write_rarer(event: &ArenaEvent, out: &mut BitWriter) {
    match *event {
        ArenaEvent::Pierced { at, target, by, on } => {
            write_rail_kind(0, out);
            write_point(at, out);
            write_player(target, out);
            write_player(by, out);
            out.bits(on as u32, 2);
        }
        ArenaEvent::Railed { target, points, at, ago } => {
            write_rail_kind(1, out);
            write_player(target, out);
            out.bits(u32::from(points), 8);
            write_point(at, out);
            out.bits(u32::from(ago), AGO_BITS);
        }
        ArenaEvent::Struck { by, at, now, ago } => {
            write_rail_kind(2, out);
            write_player(by, out);
            write_point(at, out);
            write_point(now, out);
            out.bits(u32::from(ago), AGO_BITS);
        }
        ArenaEvent::Assisted { victim } => {
            write_rail_kind(3, out);
            write_player(victim, out);
        }
        ArenaEvent::Blast { at, by } => {
            write_rail_kind(4, out);
            write_point(at, out);
            write_player(by, out);
        }
        _ => unreachable!("the others have a kind of their own"),
    }
}

fn write_rail_kind(kind: u32, out: &mut BitWriter) {
    out.bits(KIND_RAIL, KIND_BITS);
    out.bits(kind, RAIL_KIND_BITS);
}

pub(super) fn read(bits: &mut BitReader<'_>) -> Result<ArenaEvent, WireError> {
    Ok(match bits.bits(KIND_BITS)? {
        0 => ArenaEvent::Hit {
            at: read_point(bits)?,
            shot: EntityId(bits.bits(16)? as u16),
            target: read_player(bits)?,
            by: read_player(bits)?,
            on: choose(bits, &ARMOURS, "armour")?,
        },
        1 => ArenaEvent::Chipped { at: read_point(bits)?, shot: EntityId(bits.bits(16)? as u16) },
        2 => ArenaEvent::Dealt { target: read_player(bits)?, points: bits.bits(8)? as u8 },
        3 => ArenaEvent::Sunk { at: read_point(bits)?, victim: read_player(bits)? },
        4 => ArenaEvent::KillFeed {
            victim: read_player(bits)?,
            by: if bits.flag()? { Some(read_player(bits)?) } else { None },
            cause: choose_of(bits, CAUSE_BITS, &CAUSES, "cause")?,
            bounty: bits.flag()?,
        },
        5 => ArenaEvent::Launched { at: read_point(bits)?, player: read_player(bits)? },
        6 => ArenaEvent::Picked {
            at: read_point(bits)?,
            player: read_player(bits)?,
            what: choose(bits, &Boon::ALL, "pickup")?,
        },
        _ => read_rail(bits)?,
    })
}

fn read_rail(bits: &mut BitReader<'_>) -> Result<ArenaEvent, WireError> {
    Ok(match bits.bits(RAIL_KIND_BITS)? {
        0 => ArenaEvent::Pierced {
            at: read_point(bits)?,
            target: read_player(bits)?,
            by: read_player(bits)?,
            on: choose(bits, &ARMOURS, "armour")?,
        },
        1 => ArenaEvent::Railed {
            target: read_player(bits)?,
            points: bits.bits(8)? as u8,
            at: read_point(bits)?,
            ago: bits.bits(AGO_BITS)? as u8,
        },
        2 => ArenaEvent::Struck {
            by: read_player(bits)?,
            at: read_point(bits)?,
            now: read_point(bits)?,
            ago: bits.bits(AGO_BITS)? as u8,
        },
        3 => ArenaEvent::Assisted { victim: read_player(bits)? },
        4 => ArenaEvent::Blast { at: read_point(bits)?, by: read_player(bits)? },
        unknown => return Err(WireError::Range { what: "second kind of an event", value: unknown.into(), limit: 4 }),
    })
}

fn write_player(player: PlayerId, out: &mut BitWriter) {
    out.bits(u32::from(player.0), PLAYER_BITS);
}

fn read_player(bits: &mut BitReader<'_>) -> Result<PlayerId, WireError> {
    Ok(PlayerId(bits.bits(PLAYER_BITS)? as u16))
}

/// A point as it is on the wire: events hold points rounded from the start, so that decoding gives what was encoded.
pub(super) fn rounded(at: Vec2) -> Vec2 {
    Vec2::new(unpack(pack(at.x)), unpack(pack(at.y)))
}

fn write_point(at: Vec2, out: &mut BitWriter) {
    for coordinate in [at.x, at.y] {
        out.bits(pack(coordinate), POINT_BITS);
    }
}

fn read_point(bits: &mut BitReader<'_>) -> Result<Vec2, WireError> {
    let x = unpack(bits.bits(POINT_BITS)?);
    Ok(Vec2::new(x, unpack(bits.bits(POINT_BITS)?)))
}

fn pack(coordinate: f32) -> u32 {
    let half = 1i32 << (POINT_BITS - 1);
    ((libm::roundf(coordinate * 2.0) as i32).clamp(-half, half - 1) + half) as u32
}

fn unpack(packed: u32) -> f32 {
    (packed.cast_signed() - (1 << (POINT_BITS - 1))) as f32 * 0.5
}

fn choose<T: Copy>(bits: &mut BitReader<'_>, of: &[T], what: &'static str) -> Result<T, WireError> {
    choose_of(bits, 2, of, what)
}

fn choose_of<T: Copy>(bits: &mut BitReader<'_>, width: u32, of: &[T], what: &'static str) -> Result<T, WireError> {
    let number = bits.bits(width)?;
    let limit = of.len() as u64 - 1;
    of.get(number as usize).copied().ok_or(WireError::Range { what, value: number.into(), limit })
}

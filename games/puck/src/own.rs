//! A player's exact private state: the own disc, the puck, and the discs near either of them.

use arrayvec::ArrayVec;
use broadside_shared::game::CorrectionCause;
use broadside_shared::ids::{EntityId, PlayerId};
use broadside_shared::protocol::input::GameInput;
use broadside_shared::protocol::limits::SEATS_MAX;
use broadside_shared::replication::bits::{BitReader, BitWriter, WireError};
use broadside_shared::replication::layout::Layout;
use glam::Vec2;
use serde::{Deserialize, Serialize};

use crate::input::PuckInput;
use crate::play::{Disc, Play, PuckState};
use crate::rules::{DISC, PLAYERS_MAX, PUCK};

/// Distance from the own disc or from the puck within which other discs are part of the own state: further away they
/// change nothing within the time that a playable link is predicted for.
const REACH: f32 = 320.0;
/// Gap to the puck below which it is drawn as predicted, whoever else is there.
const TOUCHING_GAP: f32 = 20.0;
/// The same while nobody else is nearer.
const NEAR_GAP: f32 = 60.0;
/// The time in seconds within which the gap may become as small.
const NEAR_S: f32 = 0.45;
const PLAYER_BITS: u32 = 13;
const _: () = assert!(SEATS_MAX == 1 << PLAYER_BITS);

/// Another disc bumped into the own one.
pub(crate) const CONTACT: CorrectionCause = CorrectionCause::of_game(0);
/// Another disc touched the puck.
pub(crate) const TOUCH: CorrectionCause = CorrectionCause::of_game(1);
/// Another disc kicked the puck.
pub(crate) const KICK: CorrectionCause = CorrectionCause::of_game(2);
/// A goal, and the kick-off after it.
pub(crate) const KICK_OFF: CorrectionCause = CorrectionCause::of_game(3);
/// The names of these causes.
pub(crate) const CAUSES: &[&str] = &["contact", "touch", "kick", "kick-off"];

/// A player's exact private state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LocalPlayerState {
    /// Whose it is.
    pub player: PlayerId,
    /// The own disc, the puck, and the discs near either of them.
    pub play: Play,
}

impl LocalPlayerState {
    /// The own state of a player of `all`.
    pub(crate) fn of(player: PlayerId, all: &Play) -> LocalPlayerState {
        let play = Play { discs: ArrayVec::new(), puck: all.puck, held: all.held };
        let mut own = LocalPlayerState { player, play };
        own.renew(all);
        own
    }

    /// Takes the state of everything near from `all`.
    pub(crate) fn renew(&mut self, all: &Play) {
        (self.play.puck, self.play.held) = (all.puck, all.held);
        self.play.discs.clear();
        let Some(own) = all.disc(self.player) else { return };
        let near = |disc: &&Disc| {
            disc.player == self.player || disc.at.distance(own.at) < REACH || disc.at.distance(all.puck.at) < REACH
        };
        self.play.discs.extend(all.discs.iter().filter(near).cloned());
    }

    /// The own disc.
    ///
    /// # Panics
    /// Never: a state is made with its player's disc, and one read from the wire is checked for it.
    #[must_use]
    pub fn disc(&self) -> &Disc {
        self.play.disc(self.player).expect("an own state has its own disc")
    }

    /// Whether this player is about to touch the puck, sooner than anybody else.
    pub(crate) fn is_puck_near(&self) -> bool {
        let (me, puck) = (self.disc(), &self.play.puck);
        let gap = me.gap_to(puck.at);
        if gap < TOUCHING_GAP {
            return true;
        }
        if self.play.discs.iter().any(|other| other.player != self.player && other.gap_to(puck.at) < gap) {
            return false;
        }
        // What is nearest within the time, if both go on as they do.
        let (apart, closing) = (puck.at - me.at, puck.velocity - me.velocity);
        let soonest = -apart.dot(closing) / closing.length_squared().max(1.0);
        let nearest = apart + closing * soonest.clamp(0.0, NEAR_S);
        gap < NEAR_GAP || nearest.length() < DISC + PUCK + NEAR_GAP
    }

    /// Steps everything near by one tick.
    pub(crate) fn advance(&mut self, input: &PuckInput) {
        if let Some(disc) = self.play.disc_mut(self.player) {
            disc.input = *input;
        }
        self.play.step(|_| {});
    }
}

/// Why the server's state differs from the predicted one.
pub(crate) fn correction_cause(predicted: &LocalPlayerState, actual: &LocalPlayerState) -> CorrectionCause {
    let (was, is) = (predicted.disc(), actual.disc());
    if was.id != is.id || predicted.play.puck.id != actual.play.puck.id {
        return KICK_OFF;
    }
    let others = |state: &LocalPlayerState| {
        state
            .play
            .discs
            .iter()
            .filter(|disc| disc.player != state.player)
            .cloned()
            .collect::<ArrayVec<_, PLAYERS_MAX>>()
    };
    let (were, are) = (others(predicted), others(actual));
    let count = |discs: &[Disc], of: fn(&Disc) -> u8| discs.iter().fold(0u8, |sum, disc| sum.wrapping_add(of(disc)));
    if were == are {
        CorrectionCause::UNKNOWN
    } else if count(&were, |disc| disc.kicks) != count(&are, |disc| disc.kicks) {
        KICK
    } else if was.bumps != is.bumps || (was.at != is.at && predicted.play.puck == actual.play.puck) {
        CONTACT
    } else {
        TOUCH
    }
}

/// What [`write()`] appends.
pub(crate) const LAYOUT: Layout = Layout::Fields(&[
    ("player", Layout::Bits(PLAYER_BITS as u8)),
    ("held", Layout::Bits(8)),
    ("puck", Layout::Fields(&[("id", Layout::Bits(16)), X, Y, VX, VY])),
    ("discs", Layout::List { k: 1, of: &DISC_LAYOUT }),
]);
const DISC_LAYOUT: Layout = Layout::Fields(&[
    ("player", Layout::Bits(PLAYER_BITS as u8)),
    ("team", Layout::Bits(1)),
    ("id", Layout::Bits(16)),
    X,
    Y,
    VX,
    VY,
    ("input", PuckInput::LAYOUT),
    ("spent", Layout::Flag),
    ("touching", Layout::Flag),
    ("rest", Layout::Bits(8)),
    ("bumps", Layout::Bits(8)),
    ("kicks", Layout::Bits(8)),
    ("touches", Layout::Bits(8)),
]);
const X: (&str, Layout) = ("x", Layout::F32);
const Y: (&str, Layout) = ("y", Layout::F32);
const VX: (&str, Layout) = ("vx", Layout::F32);
const VY: (&str, Layout) = ("vy", Layout::F32);

/// Appends an exact private state.
pub(crate) fn write(own: &LocalPlayerState, out: &mut BitWriter) {
    out.bits(own.player.0.into(), PLAYER_BITS);
    let Play { discs, puck, held } = &own.play;
    out.bits((*held).into(), 8);
    out.bits(puck.id.0.into(), 16);
    write_motion(puck.at, puck.velocity, out);
    out.golomb(discs.len() as u32, 1);
    for disc in discs {
        out.bits(disc.player.0.into(), PLAYER_BITS);
        out.bits(disc.team.into(), 1);
        out.bits(disc.id.0.into(), 16);
        write_motion(disc.at, disc.velocity, out);
        disc.input.write(out);
        out.flag(disc.spent);
        out.flag(disc.touching);
        for number in [disc.rest, disc.bumps, disc.kicks, disc.touches] {
            out.bits(number.into(), 8);
        }
    }
}

/// Reads what [`write()`] wrote.
pub(crate) fn read(bits: &mut BitReader<'_>) -> Result<LocalPlayerState, WireError> {
    let player = PlayerId(bits.bits(PLAYER_BITS)? as u16);
    let held = bits.bits(8)? as u8;
    let id = EntityId(bits.bits(16)? as u16);
    let (at, velocity) = read_motion(bits)?;
    let mut play = Play { discs: ArrayVec::new(), puck: PuckState { id, at, velocity }, held };
    for _ in 0..bits.count(1, PLAYERS_MAX, "discs")? {
        let (player, team) = (PlayerId(bits.bits(PLAYER_BITS)? as u16), bits.bits(1)? as u8);
        let id = EntityId(bits.bits(16)? as u16);
        let (at, velocity) = read_motion(bits)?;
        let mut disc = Disc::new(player, team, id, at);
        (disc.velocity, disc.input) = (velocity, PuckInput::read(bits)?);
        (disc.spent, disc.touching) = (bits.flag()?, bits.flag()?);
        for number in [&mut disc.rest, &mut disc.bumps, &mut disc.kicks, &mut disc.touches] {
            *number = bits.bits(8)? as u8;
        }
        play.discs.push(disc);
    }
    if play.disc(player).is_none() {
        return Err(WireError::Range { what: "discs without the own one, player", value: player.0.into(), limit: 0 });
    }
    Ok(LocalPlayerState { player, play })
}

fn write_motion(at: Vec2, velocity: Vec2, out: &mut BitWriter) {
    for value in [at.x, at.y, velocity.x, velocity.y] {
        out.f32(value);
    }
}

fn read_motion(bits: &mut BitReader<'_>) -> Result<(Vec2, Vec2), WireError> {
    Ok((Vec2::new(bits.f32("x")?, bits.f32("y")?), Vec2::new(bits.f32("vx")?, bits.f32("vy")?)))
}

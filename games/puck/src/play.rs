//! The moving things and their tick: discs, the puck, and what happens when they touch.
//!
//! This is the predicted part of the rules. The server steps everything with it; a client steps the own disc, the puck
//! and the discs around them, which keep their last input.

use arrayvec::ArrayVec;
use broadside_shared::ids::{EntityId, PlayerId};
use glam::Vec2;
use serde::{Deserialize, Serialize};

use crate::input::PuckInput;
use crate::rink::{self, Obstacle};
use crate::rules::{
    DISC, DISC_BOUNCE, DISC_DRAG, KICK, KICK_GAP, KICK_REST, NET_DRAG, PLAYERS_MAX, PUCK, PUCK_DRAG, PUCK_SPEED,
    PUCK_WEIGHT, PUSH, PUSH_KICKING, TICK_S, TOUCH_BOUNCE,
};

/// A player's disc.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Disc {
    /// Whose it is.
    pub player: PlayerId,
    /// The team, 0 or 1.
    pub team: u8,
    /// Its entity: a new one at every kick-off.
    pub id: EntityId,
    /// Its centre.
    pub at: Vec2,
    /// In units/s.
    pub velocity: Vec2,
    /// The last input.
    #[serde(skip)]
    pub input: PuckInput,
    /// Whether this press of the kick has kicked already.
    pub(crate) spent: bool,
    /// Ticks until it may kick again.
    pub(crate) rest: u8,
    /// Number of contacts with other discs; wraps.
    pub(crate) bumps: u8,
    /// Number of kicks; wraps.
    pub kicks: u8,
    /// Number of contacts with the puck, each counted when it begins; wraps.
    pub touches: u8,
    /// Whether it is in contact with the puck.
    pub(crate) touching: bool,
}

/// The puck.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PuckState {
    /// Its entity: a new one at every kick-off.
    pub id: EntityId,
    /// Its centre.
    pub at: Vec2,
    /// In units/s.
    pub velocity: Vec2,
}

/// Discs and puck: all of them on the server, those near each other in a player's own state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Play {
    /// In order of player.
    pub discs: ArrayVec<Disc, PLAYERS_MAX>,
    /// The puck.
    pub puck: PuckState,
    /// Ticks until discs may move: above 0 before a kick-off.
    pub held: u8,
}

/// Something that happened in a tick.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Touch {
    pub(crate) at: Vec2,
    /// The speed of the impact, in units/s.
    pub(crate) speed: f32,
    pub(crate) what: TouchKind,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum TouchKind {
    /// The puck hit the boards or a post.
    Rink(Obstacle),
    /// This player's disc began to touch the puck.
    Disc(PlayerId),
    /// This player kicked the puck.
    Kick(PlayerId),
    /// Two discs met.
    Discs,
}

impl Disc {
    /// A disc at rest.
    pub(crate) fn new(player: PlayerId, team: u8, id: EntityId, at: Vec2) -> Disc {
        Disc {
            player,
            team,
            id,
            at,
            velocity: Vec2::ZERO,
            input: PuckInput::default(),
            spent: false,
            rest: 0,
            bumps: 0,
            kicks: 0,
            touches: 0,
            touching: false,
        }
    }

    /// Puts the disc somewhere else, at rest, as another entity.
    pub(crate) fn place(&mut self, id: EntityId, at: Vec2) {
        (self.id, self.at, self.velocity) = (id, at, Vec2::ZERO);
        (self.rest, self.touching) = (0, false);
    }

    fn advance(&mut self, is_held: bool) {
        self.rest = self.rest.saturating_sub(1);
        self.spent &= self.input.kick;
        let strength = if self.input.kick { PUSH * PUSH_KICKING } else { PUSH };
        let push = if is_held { Vec2::ZERO } else { self.input.push() * strength };
        self.velocity += (push - self.velocity * DISC_DRAG) * TICK_S;
        self.at += self.velocity * TICK_S;
        rink::keep_disc(&mut self.at, &mut self.velocity);
    }

    /// The gap between the disc and the puck; negative while they overlap.
    #[must_use]
    pub fn gap_to(&self, puck: Vec2) -> f32 {
        self.at.distance(puck) - DISC - PUCK
    }

    fn body(&self) -> Body {
        Body { at: self.at, velocity: self.velocity, weight: 1.0 }
    }

    fn follow(&mut self, body: Body) {
        (self.at, self.velocity) = (body.at, body.velocity);
    }

    fn can_kick(&self) -> bool {
        self.input.kick && !self.spent && self.rest == 0
    }
}

impl PuckState {
    /// Steps the puck alone.
    pub(crate) fn advance(&mut self) -> Option<(Obstacle, f32)> {
        let drag = if rink::in_goal_of(self.at).is_some() { NET_DRAG } else { PUCK_DRAG };
        self.velocity -= self.velocity * (drag * TICK_S);
        self.at += self.velocity * TICK_S;
        rink::keep_puck(&mut self.at, &mut self.velocity)
    }
}

impl Play {
    /// The disc of a player.
    #[must_use]
    pub fn disc(&self, player: PlayerId) -> Option<&Disc> {
        self.discs.iter().find(|disc| disc.player == player)
    }

    pub(crate) fn disc_mut(&mut self, player: PlayerId) -> Option<&mut Disc> {
        self.discs.iter_mut().find(|disc| disc.player == player)
    }

    /// Steps everything by one tick, each disc with its last input.
    pub(crate) fn step(&mut self, mut report: impl FnMut(Touch)) {
        let is_held = self.held > 0;
        self.held = self.held.saturating_sub(1);
        for disc in &mut self.discs {
            disc.advance(is_held);
        }
        for b in 1..self.discs.len() {
            let (before, rest) = self.discs.split_at_mut(b);
            for a in before {
                let other = &mut rest[0];
                let (mut one, mut two) = (a.body(), other.body());
                let Some((at, speed)) = collide(&mut one, &mut two, 2.0 * DISC, DISC_BOUNCE) else { continue };
                a.follow(one);
                other.follow(two);
                a.bumps = a.bumps.wrapping_add(1);
                other.bumps = other.bumps.wrapping_add(1);
                report(Touch { at, speed, what: TouchKind::Discs });
            }
        }
        if let Some((obstacle, speed)) = self.puck.advance() {
            report(Touch { at: self.puck.at, speed, what: TouchKind::Rink(obstacle) });
        }
        let puck = &mut self.puck;
        for disc in &mut self.discs {
            let (mut one, mut two) = (disc.body(), Body { at: puck.at, velocity: puck.velocity, weight: PUCK_WEIGHT });
            let hit = collide(&mut one, &mut two, DISC + PUCK, TOUCH_BOUNCE);
            disc.follow(one);
            (puck.at, puck.velocity) = (two.at, two.velocity);
            if let Some((at, speed)) = hit.filter(|_| !disc.touching) {
                disc.touches = disc.touches.wrapping_add(1);
                report(Touch { at, speed, what: TouchKind::Disc(disc.player) });
            }
            disc.touching = hit.is_some() || (disc.touching && disc.gap_to(puck.at) < 1.0);
            if !is_held && disc.can_kick() && disc.gap_to(puck.at) <= KICK_GAP {
                puck.velocity += (puck.at - disc.at).normalize_or(Vec2::X) * KICK;
                (disc.spent, disc.rest, disc.kicks) = (true, KICK_REST, disc.kicks.wrapping_add(1));
                report(Touch { at: puck.at, speed: KICK, what: TouchKind::Kick(disc.player) });
            }
        }
        puck.velocity = puck.velocity.clamp_length_max(PUCK_SPEED);
        // Pushed by a disc it may be in the boards; the bounce was counted or comes with the next tick.
        rink::keep_puck(&mut puck.at, &mut puck.velocity);
    }
}

/// Where something is and how it moves.
#[derive(Clone, Copy)]
struct Body {
    at: Vec2,
    velocity: Vec2,
    weight: f32,
}

/// Separates two bodies that are closer than `reach`; gives the place and the speed of the impact.
fn collide(one: &mut Body, two: &mut Body, reach: f32, bounce: f32) -> Option<(Vec2, f32)> {
    let apart = two.at - one.at;
    let distance = apart.length();
    if distance >= reach {
        return None;
    }
    let normal = if distance > 0.0 { apart / distance } else { Vec2::X };
    // The lighter one gives way.
    let share = one.weight / (one.weight + two.weight);
    let overlap = normal * (reach - distance);
    one.at -= overlap * (1.0 - share);
    two.at += overlap * share;
    let speed = (one.velocity - two.velocity).dot(normal).max(0.0);
    let impulse = normal * (speed * (1.0 + bounce));
    one.velocity -= impulse * (1.0 - share);
    two.velocity += impulse * share;
    Some(((one.at + two.at) / 2.0, speed))
}

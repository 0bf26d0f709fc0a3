//! The ground of a match: its size, the positions of its rocks, and the places where ships are launched.

use glam::Vec2;

use super::super::Arena;
use super::super::rules::{
    DUEL_BASE, DUEL_RADIUS, RADIUS_MIN, ROCK_CLEAR, SHIP_RADIUS, TEAMS_BASE, TEAMS_BASE_RADIUS, TEAMS_RADIUS,
    ZONE_RADIUS,
};
use super::Referee;
use crate::modes::Mode;
use broadside_shared::math;
use broadside_shared::protocol::match_status::MatchPhase;
use broadside_shared::time::Tick;

/// Share of the arena's radius within which ships and pickups appear.
pub(crate) const INNER: f32 = 0.88;

/// Directions tried for the places of a duel.
const AXIS_TRIES: usize = 24;

/// Radius of a mode's arena with few players, world units.
pub(crate) fn radius(mode: Mode) -> f32 {
    match mode {
        Mode::Open | Mode::Daily => RADIUS_MIN,
        Mode::Teams => TEAMS_RADIUS,
        Mode::Duel => DUEL_RADIUS,
    }
}

/// Whether a rock may be placed here: not in the zone, and not where ships are launched.
pub(crate) fn is_clear(mode: Mode, at: Vec2, rock: f32) -> bool {
    let apart = |from: Vec2, distance: f32| (at - from).length() > distance + rock + SHIP_RADIUS * 2.0;
    match mode {
        Mode::Open | Mode::Daily => true,
        Mode::Teams => {
            let base = Vec2::X * (TEAMS_RADIUS * TEAMS_BASE);
            let bases = apart(base, TEAMS_BASE_RADIUS) && apart(-base, TEAMS_BASE_RADIUS);
            bases && apart(Vec2::ZERO, f32::from(ZONE_RADIUS) + SHIP_RADIUS)
        }
        Mode::Duel => apart(Vec2::ZERO, ROCK_CLEAR * 0.25),
    }
}

impl Referee {
    /// Where ships of a team are launched: a circle, in a duel only its centre. `None` for anywhere.
    fn base_of(&self, team: u8, radius: f32) -> Option<(Vec2, f32)> {
        let toward = if team == 0 { -self.axis } else { self.axis };
        match self.mode {
            Mode::Open | Mode::Daily => None,
            Mode::Teams => Some((toward * (radius * TEAMS_BASE), TEAMS_BASE_RADIUS)),
            Mode::Duel if self.match_state.phase == MatchPhase::Waiting => None,
            Mode::Duel => Some((toward * (radius * DUEL_BASE), 0.0)),
        }
    }
}

impl Arena {
    /// Where the next ship of a team is launched at `tick`.
    pub(crate) fn place_for(&mut self, team: Option<u8>, tick: Tick) -> Vec2 {
        let radius = self.border.radius_at(tick);
        let base = team.and_then(|team| self.referee.as_ref()?.base_of(team, radius));
        match base {
            None => self.quiet_place(Vec2::ZERO, radius * INNER),
            Some((at, 0.0)) => at,
            Some((at, reach)) => self.quiet_place(at, reach),
        }
    }

    /// Teams keep their ends of the arena. A duel takes another axis in each round, with both ends free of rocks.
    pub(super) fn choose_axis(&mut self, referee: &Referee) -> Vec2 {
        if referee.mode != Mode::Duel {
            return Vec2::X;
        }
        let radius = self.border.radius_at(self.tick) * DUEL_BASE;
        let mut axis = Vec2::X;
        for _ in 0..AXIS_TRIES {
            axis = math::heading(self.rng.f32() * std::f32::consts::TAU);
            // The rocks are symmetric: what is at one end is at the other.
            if self.rocks.is_free(axis * radius, SHIP_RADIUS * 3.0) {
                break;
            }
        }
        axis
    }
}

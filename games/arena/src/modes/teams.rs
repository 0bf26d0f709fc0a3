//! Team membership.

use glam::Vec2;

use super::super::{Arena, LocalPlayerState, Seat};
use super::Referee;
use crate::modes::Mode;
use crate::modes::TEAM_COUNT;
use broadside_shared::game::{Team, TeamLabel};
use broadside_shared::ids::PlayerId;
use broadside_shared::protocol::match_status::MatchPhase;

impl Referee {
    /// The team of a joining player. In a team match it is the smaller one, then the one that is behind; in a duel it
    /// is the free one, `None` if there is none.
    pub(crate) fn team_for_newcomer(&self) -> Option<u8> {
        let teams = &self.match_state.teams;
        match self.mode {
            Mode::Open | Mode::Daily => None,
            Mode::Teams => {
                let standing = |team: usize| (teams[team].players, teams[team].rounds, teams[team].score);
                Some(if standing(1) < standing(0) { 1 } else { 0 })
            }
            Mode::Duel => (0..TEAM_COUNT).find(|team| teams[*team].players == 0).map(|team| team as u8),
        }
    }

    /// Whether a match can start.
    pub(super) fn can_begin(&self) -> bool {
        let players = self.match_state.teams.map(|team| team.players);
        match self.mode {
            Mode::Open | Mode::Daily => false,
            // The teams are balanced before it starts.
            Mode::Teams => players.iter().sum::<u16>() >= TEAM_COUNT as u16,
            Mode::Duel => players.iter().all(|players| *players > 0),
        }
    }

    /// A team without players, or whose duellist left. Another player may have joined since, and does not take over the
    /// match.
    pub(super) fn deserted(&self) -> Option<u8> {
        let left = |team: &Team| team.players == 0 || team.label == TeamLabel::Player(None);
        self.match_state.teams.iter().position(left).map(|team| team as u8)
    }

    /// Whether a player of this team gets a ship now: not without a team, and in a duel not before the next round.
    pub(crate) fn launches(&self, team: Option<u8>) -> bool {
        let over = matches!(self.match_state.phase, MatchPhase::Pause | MatchPhase::Results);
        team.is_some() && !(self.mode == Mode::Duel && over)
    }
}

/// The ships that a player's shots and beams pass: those of a team, or none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Friends(Option<u8>);

impl Friends {
    /// Whether a ship is one of them.
    pub(crate) fn has(self, own: &LocalPlayerState) -> bool {
        self.0.is_some() && own.team == self.0
    }
}

impl Arena {
    /// The ships that a player's shots and beams pass; `None` for all of them, between rounds.
    pub(crate) fn spared_by(&self, player: PlayerId) -> Option<Friends> {
        match &self.referee {
            None => Some(Friends(None)),
            Some(referee) if referee.is_live() => Some(Friends(self.team_of(player))),
            Some(_) => None,
        }
    }

    /// The team of a player's ship, or of their next one.
    pub(crate) fn team_of(&self, player: PlayerId) -> Option<u8> {
        self.seat(player)?.own.team
    }

    /// Counts a player who just took a seat; gives the player's team.
    pub(crate) fn enlist(&mut self) -> Option<u8> {
        let mut referee = self.referee.take()?;
        self.count_players(&mut referee);
        let team = referee.team_for_newcomer();
        self.referee = Some(referee);
        team
    }

    pub(super) fn count_players(&self, referee: &mut Referee) {
        // The name of a player who leaves during the results stays until they end.
        let settled = !matches!(referee.match_state.phase, MatchPhase::Waiting | MatchPhase::Open);
        for team in &mut referee.match_state.teams {
            team.players = 0;
            if let TeamLabel::Player(player) = &mut team.label
                && !settled
            {
                *player = None;
            }
        }
        for own in self.seats().map(|seat| &seat.own) {
            let Some(team) = own.team else { continue };
            let team = &mut referee.match_state.teams[usize::from(team)];
            team.players += 1;
            if let TeamLabel::Player(player) = &mut team.label
                && !settled
            {
                *player = Some(own.player);
            }
        }
    }

    /// Balances the teams of a team match before it starts: players with the highest numbers change to the smaller team.
    pub(super) fn balance(&mut self, referee: &Referee) {
        if referee.mode != Mode::Teams {
            return;
        }
        let players = referee.match_state.teams.map(|team| team.players);
        let larger = if players[0] > players[1] { 0 } else { 1 };
        let surplus = usize::from(players[0].abs_diff(players[1]) / 2);
        let of_larger = |seat: &&mut Seat| seat.own.team == Some(larger);
        for seat in self.seats.iter_mut().flatten().rev().filter(of_larger).take(surplus) {
            seat.own.team = Some(1 - larger);
        }
    }

    /// Removes every ship, shot and beam.
    pub(super) fn clear_water(&mut self) {
        for seat in self.seats.iter_mut().flatten() {
            if let Some(entity) = seat.own.recall() {
                self.ids.free(entity);
            }
            seat.own.respawn = 0;
        }
        let shots = self.shots.drain(..).map(|shot| shot.id);
        let beams = self.beams.drain(..).map(|beam| beam.id);
        for id in shots.chain(beams).chain(self.mines.drain(..).map(|mine| mine.id)) {
            self.ids.free(id);
        }
    }

    /// Which teams have a ship within a circle.
    pub(super) fn teams_within(&self, middle: Vec2, radius: f32) -> [bool; TEAM_COUNT] {
        let mut present = [false; TEAM_COUNT];
        for own in self.seats().map(|seat| &seat.own).filter(|own| own.afloat()) {
            if let Some(team) = own.team
                && (own.position - middle).length_squared() < radius * radius
            {
                present[usize::from(team)] = true;
            }
        }
        present
    }

    /// Hull and shield of a team's ships.
    pub(super) fn armour_of(&self, team: u8) -> u32 {
        let own = self.seats().map(|seat| &seat.own).filter(|own| own.team == Some(team));
        own.map(|own| u32::from(own.hull) + u32::from(own.shield)).sum()
    }
}

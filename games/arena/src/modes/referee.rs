//! The referee: the phase of a match, its score and its winner.

use glam::Vec2;
use serde::{Deserialize, Serialize};

use super::super::rules::{
    COUNTDOWN, DUEL_RESULTS, DUEL_ROUNDS, PAUSE, TEAMS, TEAMS_GOAL, TEAMS_GOAL_EACH, TEAMS_RESULTS, TEAMS_ROUNDS,
    TEAMS_SUNK, TICK_HZ, round_ticks,
};
use super::super::{Arena, ResultCounters};
use super::zone;
use super::zone::Zone;
use crate::modes::Mode;
use crate::modes::TEAM_COUNT;
use broadside_shared::game::{MatchState, Team, TeamLabel};
use broadside_shared::hash::WorldHash;
use broadside_shared::ids::PlayerId;
use broadside_shared::protocol::match_status::MatchPhase;
use broadside_shared::time::Tick;

/// The state of a match: what the engine publishes of every game's matches, and the zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Match {
    pub(super) phase: MatchPhase,
    /// From 1; 0 before the first.
    pub(super) round: u8,
    pub(super) rounds: u8,
    /// The tick at which the phase ends automatically.
    pub(super) ends: Option<Tick>,
    #[serde(with = "saved_teams")]
    pub(super) teams: [Team; TEAM_COUNT],
    /// The zone to hold; `None` in modes without one.
    pub(super) zone: Option<Zone>,
    /// The winning team: of the round during a pause, of the match during the results.
    pub(super) winner: Option<u8>,
}

impl Match {
    /// The part that every game has.
    pub(crate) fn state(&self) -> MatchState {
        let Match { phase, round, rounds, ends, teams, winner, zone: _ } = *self;
        MatchState { phase, round, rounds, ends, teams: teams.into_iter().collect(), winner }
    }

    pub(crate) fn zone(&self) -> Option<Zone> {
        self.zone
    }
}

/// Teams as they are saved: a name of the rules is not.
mod saved_teams {
    use super::{Deserialize, PlayerId, Serialize, TEAM_COUNT, TEAMS, Team, TeamLabel};
    use serde::{Deserializer, Serializer};

    #[derive(Serialize, Deserialize)]
    struct SavedTeam {
        /// `None` for a team with a name.
        only: Option<Option<PlayerId>>,
        score: u32,
        goal: u32,
        rounds: u8,
        players: u16,
    }

    pub(super) fn serialize<S: Serializer>(teams: &[Team; TEAM_COUNT], to: S) -> Result<S::Ok, S::Error> {
        let saved = teams.map(|Team { label, score, goal, rounds, players }| {
            let only = match label {
                TeamLabel::Team(_) => None,
                TeamLabel::Player(player) => Some(player),
            };
            SavedTeam { only, score, goal, rounds, players }
        });
        saved.serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<[Team; TEAM_COUNT], D::Error> {
        let saved = <[SavedTeam; TEAM_COUNT]>::deserialize(from)?;
        let mut names = TEAMS.into_iter();
        Ok(saved.map(|SavedTeam { only, score, goal, rounds, players }| {
            let name = names.next().expect("as many names as teams");
            let label = only.map_or(TeamLabel::Team(name), TeamLabel::Player);
            Team { label, score, goal, rounds, players }
        }))
    }
}

/// Runs a match of a mode with rounds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Referee {
    pub(super) mode: Mode,
    pub(super) match_state: Match,
    /// Teams that lost a ship in this round.
    lost: [bool; TEAM_COUNT],
    /// Unit vector from the centre toward the second team's base.
    pub(super) axis: Vec2,
}

impl Referee {
    /// A referee that waits for players; `None` in a mode without rounds.
    pub(crate) fn of(mode: Mode) -> Option<Referee> {
        let (rounds, who, zone) = match mode {
            Mode::Open | Mode::Daily => return None,
            Mode::Teams => (TEAMS_ROUNDS, TEAMS.map(TeamLabel::Team), Some(zone::neutral(Tick(0)))),
            Mode::Duel => (DUEL_ROUNDS, [TeamLabel::Player(None); TEAM_COUNT], None),
        };
        let team = |label| Team { label, score: 0, goal: 0, rounds: 0, players: 0 };
        let teams = who.map(team);
        let match_state = Match { phase: MatchPhase::Waiting, round: 0, rounds, ends: None, teams, zone, winner: None };
        Some(Referee { mode, match_state, lost: [false; TEAM_COUNT], axis: Vec2::X })
    }

    pub(crate) fn match_state(&self) -> &Match {
        &self.match_state
    }

    /// Whether players can damage each other now.
    pub(crate) fn is_live(&self) -> bool {
        self.match_state.phase == MatchPhase::Playing
    }

    /// Ticks from `tick` for which a ship launched then is held at its place.
    pub(crate) fn holds_for(&self, tick: Tick) -> u32 {
        match (self.match_state.phase, self.match_state.ends) {
            (MatchPhase::Countdown, Some(ends)) => ends.since(tick),
            _ => 0,
        }
    }

    /// A ship sank, by a player of team `by` if there was one.
    pub(crate) fn note_sunk(&mut self, team: Option<u8>, by: Option<u8>) {
        let Some(team) = team.map(usize::from).filter(|_| self.is_live()) else { return };
        self.lost[team] = true;
        match (self.mode, by.map(usize::from)) {
            (Mode::Teams, Some(by)) if by != team => self.match_state.teams[by].score += TEAMS_SUNK,
            (Mode::Duel, _) => self.match_state.teams[1 - team].score += 1,
            (Mode::Teams | Mode::Open | Mode::Daily, _) => {}
        }
    }

    /// A player left.
    pub(crate) fn note_left(&mut self, player: PlayerId) {
        for team in &mut self.match_state.teams {
            if team.label == TeamLabel::Player(Some(player)) {
                team.label = TeamLabel::Player(None);
            }
        }
    }

    fn results_ticks(&self) -> u32 {
        if self.mode == Mode::Duel { DUEL_RESULTS } else { TEAMS_RESULTS }
    }

    fn is_due(&self, tick: Tick) -> bool {
        self.match_state.ends.is_some_and(|ends| tick >= ends)
    }

    fn enter(&mut self, phase: MatchPhase, tick: Tick, ticks: u32) {
        self.match_state.phase = phase;
        self.match_state.ends = Some(tick.after(ticks));
    }

    fn wait(&mut self) {
        (self.match_state.phase, self.match_state.ends, self.match_state.round, self.match_state.winner) =
            (MatchPhase::Waiting, None, 0, None);
        for team in &mut self.match_state.teams {
            (team.score, team.rounds) = (0, 0);
        }
    }

    /// The team with the larger value; `None` if they are equal.
    fn ahead<T: Ord + Copy>(of: [T; TEAM_COUNT]) -> Option<u8> {
        match of[0].cmp(&of[1]) {
            std::cmp::Ordering::Less => Some(1),
            std::cmp::Ordering::Equal => None,
            std::cmp::Ordering::Greater => Some(0),
        }
    }

    /// Ends a round, and the match once it is decided.
    fn end_round(&mut self, winner: Option<u8>, tick: Tick) {
        if let Some(winner) = winner {
            self.match_state.teams[usize::from(winner)].rounds += 1;
        }
        let won = self.match_state.teams.map(|team| team.rounds);
        let left = self.match_state.rounds.saturating_sub(self.match_state.round);
        if won[0].abs_diff(won[1]) > left || left == 0 {
            self.match_state.winner = Self::ahead(won);
            self.enter(MatchPhase::Results, tick, self.results_ticks());
        } else {
            self.match_state.winner = winner;
            self.enter(MatchPhase::Pause, tick, PAUSE);
        }
        self.rest_zone(tick);
    }

    fn rest_zone(&mut self, tick: Tick) {
        if let Some(zone) = &mut self.match_state.zone {
            zone::freeze(zone, tick);
        }
    }

    pub(crate) fn hash(&self, hash: &mut WorldHash) {
        let match_state = &self.match_state;
        hash.u64(
            u64::from(match_state.phase as u8) << 16
                | u64::from(match_state.round) << 8
                | u64::from(match_state.winner.unwrap_or(9)),
        );
        hash.u64(match_state.ends.map_or(u64::MAX, |ends| u64::from(ends.0)));
        for team in &match_state.teams {
            hash.u64(u64::from(team.score) << 32 | u64::from(team.goal) << 8 | u64::from(team.rounds));
        }
        if let Some(zone) = &match_state.zone {
            zone::hash(zone, hash);
        }
        hash.vec2(self.axis);
        hash.u64(u64::from(self.lost[0]) << 1 | u64::from(self.lost[1]));
    }
}

impl Arena {
    /// Advances the match, before ships move; does nothing in modes without rounds.
    pub(crate) fn referee(&mut self, tick: Tick) {
        let Some(mut referee) = self.referee.take() else { return };
        self.count_players(&mut referee);
        self.judge(&mut referee, tick);
        self.referee = Some(referee);
    }

    fn judge(&mut self, referee: &mut Referee, tick: Tick) {
        let ready = referee.can_begin();
        match referee.match_state.phase {
            MatchPhase::Open | MatchPhase::Waiting if ready => self.start_match(referee, tick),
            MatchPhase::Open | MatchPhase::Waiting => {}
            MatchPhase::Results if referee.is_due(tick) && ready => self.start_match(referee, tick),
            MatchPhase::Results if referee.is_due(tick) => {
                self.forget_votes();
                referee.wait();
            }
            MatchPhase::Results if ready => self.hear_votes(referee, tick),
            MatchPhase::Results => {}
            MatchPhase::Countdown | MatchPhase::Playing | MatchPhase::Pause if referee.deserted().is_some() => {
                // The team that is left has won, whatever the score.
                referee.match_state.winner = referee.deserted().map(|team| 1 - team);
                referee.enter(MatchPhase::Results, tick, referee.results_ticks());
                referee.rest_zone(tick);
            }
            MatchPhase::Countdown if referee.is_due(tick) => {
                referee.enter(MatchPhase::Playing, tick, round_ticks(referee.mode));
                referee.match_state.zone = referee.match_state.zone.map(|_| zone::neutral(tick));
            }
            MatchPhase::Playing => self.score(referee, tick),
            MatchPhase::Pause if referee.is_due(tick) => self.start_round(referee, tick),
            MatchPhase::Countdown | MatchPhase::Pause => {}
        }
    }

    fn start_match(&mut self, referee: &mut Referee, tick: Tick) {
        referee.wait();
        self.balance(referee);
        self.count_players(referee);
        self.forget_votes();
        for seat in self.seats.iter_mut().flatten() {
            (seat.own.score, seat.own.kills, seat.own.deaths) = (0, 0, 0);
            seat.counters = ResultCounters::default();
        }
        self.start_round(referee, tick);
    }

    /// Every player gets a new ship at their place, and shots and beams are removed.
    fn start_round(&mut self, referee: &mut Referee, tick: Tick) {
        self.clear_water();
        referee.axis = self.choose_axis(referee);
        let players: u32 = referee.match_state.teams.iter().map(|team| u32::from(team.players)).sum();
        let goal = if referee.mode == Mode::Duel { 1 } else { TEAMS_GOAL + TEAMS_GOAL_EACH * players };
        for team in &mut referee.match_state.teams {
            (team.score, team.goal) = (0, goal);
        }
        referee.lost = [false; TEAM_COUNT];
        referee.match_state.round += 1;
        referee.match_state.winner = None;
        referee.match_state.zone = referee.match_state.zone.map(|_| zone::neutral(tick));
        referee.enter(MatchPhase::Countdown, tick, COUNTDOWN);
    }

    fn score(&mut self, referee: &mut Referee, tick: Tick) {
        let over = referee.is_due(tick);
        let teams = referee.match_state.teams;
        if referee.mode == Mode::Duel {
            let winner = match referee.lost {
                [false, false] if over => Referee::ahead([0, 1].map(|team| self.armour_of(team))),
                [false, false] => return,
                // Both in the same tick is a draw.
                lost => Referee::ahead(lost.map(|lost| !lost)),
            };
            referee.end_round(winner, tick);
            return;
        }
        if over || teams.iter().any(|team| team.score >= team.goal) {
            referee.end_round(Referee::ahead(teams.map(|team| team.score)), tick);
            return;
        }
        let Some(zone) = &mut referee.match_state.zone else { return };
        let present = self.teams_within(zone::middle(zone), f32::from(zone.radius));
        zone::follow(zone, present, tick);
        let full_second = referee.match_state.ends.is_some_and(|ends| ends.since(tick).is_multiple_of(TICK_HZ));
        if let Some(holder) = zone.holder.filter(|_| full_second && !zone.contested) {
            referee.match_state.teams[usize::from(holder)].score += 1;
        }
    }
}

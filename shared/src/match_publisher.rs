//! The match status that a room publishes: the game's numbers with the players' names, on every change and once a second.

use crate::game::{MatchState, Team, TeamLabel};
use crate::ids::PlayerId;
use crate::protocol::match_status::{MatchPhase, MatchStatus, TeamStatus};
use crate::protocol::name::Name;
use crate::protocol::room::ModeId;
use crate::time::Tick;

/// See the module.
#[derive(Debug, Default)]
pub struct MatchPublisher {
    published: Option<MatchState>,
    newest: Option<MatchStatus>,
}

impl MatchPublisher {
    /// The status to publish at a tick; `None` while the state is unchanged and no full second has passed. A player who left keeps the
    /// name until the match is over.
    pub fn write<'a>(
        &mut self,
        mode: ModeId,
        match_state: MatchState,
        (tick, tick_hz): (Tick, u32),
        name_of: impl Fn(PlayerId) -> Option<&'a Name>,
    ) -> Option<&MatchStatus> {
        if self.published.as_ref() == Some(&match_state) && !tick.0.is_multiple_of(tick_hz) {
            return None;
        }
        let former = self.newest.as_ref().filter(|_| match_state.phase != MatchPhase::Waiting);
        let name = |at: usize, team: &Team| match team.label {
            TeamLabel::Team(name) => name.to_owned(),
            TeamLabel::Player(Some(player)) => name_of(player).map(Name::to_string).unwrap_or_default(),
            TeamLabel::Player(None) => {
                former.and_then(|former| former.teams.get(at)).map(|s| s.name.clone()).unwrap_or_default()
            }
        };
        let team = |(at, team): (usize, &Team)| {
            let Team { score, goal, rounds, players, .. } = *team;
            TeamStatus { name: name(at, team), score, goal, rounds, players }
        };
        let match_status = MatchStatus {
            mode,
            phase: match_state.phase,
            round: match_state.round,
            rounds: match_state.rounds,
            tick,
            ends: match_state.ends,
            teams: match_state.teams.iter().enumerate().map(team).collect(),
            winner: match_state.winner,
        };
        self.newest = Some(match_status);
        self.published = Some(match_state);
        self.newest.as_ref()
    }

    /// The state of the newest tick; `None` in modes without rounds.
    #[must_use]
    pub fn state(&self) -> Option<&MatchState> {
        self.published.as_ref()
    }

    /// The status published last; `None` in modes without rounds.
    #[must_use]
    pub fn newest(&self) -> Option<&MatchStatus> {
        self.newest.as_ref()
    }
}

//! The line below the score of a match: about the round, and about the zone.

use broadside_arena::modes::{Mode, Zone};
use broadside_client::words::{say, say_or, say_with};
use broadside_shared::protocol::match_status::{MatchPhase, MatchStatus, TeamStatus};

/// The note below the score.
#[must_use]
pub(crate) fn note(match_status: &MatchStatus, zone: Option<&Zone>, own: Option<u8>) -> String {
    let named = |team: &TeamStatus| say_or(&["team.teams.", &team.name].concat(), &team.name).to_owned();
    let name = |team: u8| match_status.teams.get(usize::from(team)).map_or_else(String::new, named);
    match match_status.phase {
        MatchPhase::Waiting => say("match.waiting").to_owned(),
        MatchPhase::Countdown if Mode::of(match_status.mode) == Mode::Teams => match own {
            Some(own) => say_with("note.fight-for", &[("team", &name(own))]),
            None => String::new(),
        },
        MatchPhase::Countdown => say_with("note.best-of", &[("rounds", &match_status.rounds.to_string())]),
        MatchPhase::Playing => match zone {
            Some(zone) if zone.contested => say("ring.contested").to_owned(),
            Some(zone) => match zone.holder {
                Some(holder) if Some(holder) == own => say("ring.yours").to_owned(),
                Some(holder) => say_with("ring.held", &[("team", &name(holder))]),
                None => say("ring.nobody").to_owned(),
            },
            None => String::new(),
        },
        MatchPhase::Open | MatchPhase::Pause | MatchPhase::Results => String::new(),
    }
}

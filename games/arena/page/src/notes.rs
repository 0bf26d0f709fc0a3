//! The line below the score of a match: about the round, and about the zone.

use broadside_arena::modes::{Mode, Zone};
use broadside_shared::protocol::match_status::{MatchPhase, MatchStatus, TeamStatus};

/// The note below the score.
#[must_use]
pub(crate) fn note(match_status: &MatchStatus, zone: Option<&Zone>, own: Option<u8>) -> String {
    let name = |team: u8| match_status.teams.get(usize::from(team)).map_or("", |team: &TeamStatus| team.name.as_str());
    match match_status.phase {
        MatchPhase::Waiting => "waiting for an opponent".to_owned(),
        MatchPhase::Countdown if Mode::of(match_status.mode) == Mode::Teams => match own {
            Some(own) => format!("you fight for {}: hold the ring, sink the others", name(own)),
            None => String::new(),
        },
        MatchPhase::Countdown => format!("best of {}: the first to sink loses the round", match_status.rounds),
        MatchPhase::Playing => match zone {
            Some(zone) if zone.contested => "the ring is contested".to_owned(),
            Some(zone) => match zone.holder {
                Some(holder) if Some(holder) == own => "your ring".to_owned(),
                Some(holder) => format!("{} holds the ring", name(holder)),
                None => "nobody holds the ring".to_owned(),
            },
            None => String::new(),
        },
        MatchPhase::Open | MatchPhase::Pause | MatchPhase::Results => String::new(),
    }
}

//! Playing again with the same people: after the results a room starts its next match in any case; with enough votes it does not wait.

use super::super::Arena;
use super::super::rules::{REMATCH_ALL, REMATCH_MOST};
use super::Referee;
use broadside_shared::ids::PlayerId;
use broadside_shared::protocol::match_status::MatchPhase;
use broadside_shared::time::Tick;

impl Arena {
    /// A player wants to play again. It counts while the results are shown.
    pub(crate) fn vote_again(&mut self, player: PlayerId) {
        let results = self.referee.as_ref().is_some_and(|r| r.match_state().phase == MatchPhase::Results);
        if let Some(seat) = self.seat_mut(player).filter(|_| results) {
            seat.again = true;
        }
    }

    /// How many of the players want to play again.
    pub(crate) fn votes_again(&self) -> u16 {
        self.seats().filter(|seat| seat.again).count() as u16
    }

    /// Lets the results end sooner if all want to play again, or most.
    pub(super) fn hear_votes(&self, referee: &mut Referee, tick: Tick) {
        let (votes, players) = (usize::from(self.votes_again()), self.population);
        let wait = match votes {
            votes if votes >= players => REMATCH_ALL,
            votes if votes * 2 > players => REMATCH_MOST,
            _ => return,
        };
        let soon = tick.after(wait);
        referee.match_state.ends = referee.match_state.ends.map(|ends| ends.min(soon));
    }

    pub(super) fn forget_votes(&mut self) {
        self.seats.iter_mut().flatten().for_each(|seat| seat.again = false);
    }
}

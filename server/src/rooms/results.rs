//! Results on their way from the rooms to the store. No room waits for it.

use std::fmt;
use std::sync::{Arc, Mutex};

use broadside_core::results::{MatchOutcome, PlayerResult, ResultKind, RoomResult};
use broadside_core::room::mode_name;
use broadside_shared::game::Game;
use broadside_shared::time::tick_us;
use broadside_store::outbox::Outbox;
use broadside_store::results;
use broadside_store::results::{MatchRecord, Outcome, PlayerRecord};

use crate::result_ids::ResultIds;
use crate::store::now_us;

/// Where rooms leave results. Clones share it.
#[derive(Clone)]
pub struct ResultSink(Arc<Keep>);

type Keep = dyn Fn(RoomResult) + Send + Sync;

impl fmt::Debug for ResultSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResultSink")
    }
}

impl ResultSink {
    /// The way to the database: the outbox, which is bounded and never waits.
    #[must_use]
    pub fn outbox<G: Game>(outbox: Outbox, ids: ResultIds) -> ResultSink {
        ResultSink(Arc::new(move |result| outbox.put(record::<G>(ids.of::<G>(result.key), now_us(), result))))
    }

    /// A list, for a server in virtual time.
    #[must_use]
    pub fn list() -> (ResultSink, Arc<Mutex<Vec<RoomResult>>>) {
        let list = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&list);
        // A panic elsewhere leaves no result half-written.
        let push = move |result| into.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(result);
        (ResultSink(Arc::new(push)), list)
    }

    /// Leaves a result.
    pub fn keep(&self, result: RoomResult) {
        (self.0)(result);
    }
}

/// A result as it is stored. `id` is unique among all servers that share a database, so whoever stores it twice can tell.
fn record<G: Game>(id: [u8; 16], ended_us: i64, result: RoomResult) -> MatchRecord {
    let RoomResult { mode, kind, players, key: _ } = result;
    let players: Vec<PlayerRecord> = players.into_iter().map(player::<G>).collect();
    let spec = G::MODES.get(usize::from(mode.0));
    let is_rated = kind == ResultKind::Match && players.len() == 2 && spec.is_some_and(|spec| spec.rated);
    MatchRecord {
        id,
        game: G::NAME.to_owned(),
        mode: mode_name::<G>(mode).to_owned(),
        kind: match kind {
            ResultKind::Match => results::ResultKind::Match,
            ResultKind::Stay => results::ResultKind::Stay,
        },
        is_rated,
        ended_us,
        players,
    }
}

fn player<G: Game>(player: PlayerResult) -> PlayerRecord {
    let PlayerResult { account, name, team: _, totals, outcome, played_ticks } = player;
    PlayerRecord {
        account: account.map(|account| account.0),
        name: name.to_string(),
        outcome: match outcome {
            None => Outcome::None,
            Some(MatchOutcome::Won) => Outcome::Won,
            Some(MatchOutcome::Lost) => Outcome::Lost,
            Some(MatchOutcome::Drawn) => Outcome::Drawn,
        },
        score: totals.score.into(),
        kills: totals.kills,
        deaths: totals.deaths,
        shots: totals.shots,
        hits: totals.hits,
        streak: totals.streak,
        played_ms: u32::try_from(tick_us(G::TICK_HZ, played_ticks) / 1000).unwrap_or(u32::MAX),
    }
}

#[cfg(test)]
mod tests {
    use broadside_core::results::ResultKey;
    use broadside_shared::game::PlayerTotals;
    use broadside_shared::ids::{AccountId, RoomId};
    use broadside_shared::protocol::name::Name;
    use broadside_shared::protocol::room::ModeId;
    use broadside_shared::time::MonoTime;
    use broadside_shared::toy::Toy;

    use super::*;

    #[test]
    fn a_match_of_two_in_a_rated_mode_is_rated_and_no_other() {
        let player = |account, outcome| PlayerResult {
            account,
            name: Name::new("Ann").expect("a fine name"),
            team: None,
            totals: PlayerTotals { score: -3, kills: 4, deaths: 1, assists: 2, shots: 20, hits: 9, streak: 4 },
            outcome: Some(outcome),
            played_ticks: 2 * Toy::TICK_HZ,
        };
        let players = vec![player(Some(AccountId([7; 16])), MatchOutcome::Won), player(None, MatchOutcome::Lost)];
        let duel = Toy::MODES.iter().position(|mode| mode.rated).expect("the toy has a duel");
        let key = ResultKey { room: RoomId(1), tick_zero: MonoTime(0), since: 0, player: None };
        let result = |mode: usize, kind, players| RoomResult { key, mode: ModeId(mode as u8), kind, players };
        let of = |result| record::<Toy>([1; 16], 5, result);
        let kept = of(result(duel, ResultKind::Match, players.clone()));
        let first = &kept.players[0];
        assert_eq!((&*kept.game, &*kept.mode, kept.is_rated, kept.ended_us), (Toy::NAME, "duel", true, 5));
        assert_eq!(
            (first.account, first.outcome, first.score, first.played_ms),
            (Some([7; 16]), Outcome::Won, -3, 2000)
        );
        for other in [
            result(0, ResultKind::Match, players.clone()),
            result(duel, ResultKind::Match, players[..1].to_vec()),
            result(duel, ResultKind::Stay, players),
        ] {
            assert!(!of(other).is_rated);
        }
    }
}

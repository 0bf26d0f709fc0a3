//! How the match stands, as everyone is told it: the game's numbers with the players' names, when it changed and once a second.

use broadside_shared::game::{Bout, BoutSide, PlayerId, Who};
use broadside_shared::protocol::contest::{Contest, Side, Stage};
use broadside_shared::protocol::name::Name;
use broadside_shared::protocol::room::Mode;
use broadside_shared::time::Tick;

/// What was told of the match.
#[derive(Debug, Default)]
pub struct Scribe {
    of: Option<Bout>,
    newest: Option<Contest>,
}

impl Scribe {
    /// What is to be told at a tick: nothing if it is what was told, and no full second. A player who is gone keeps the name until
    /// the match is over.
    pub fn write<'a>(
        &mut self,
        mode: Mode,
        bout: &Bout,
        (tick, tick_hz): (Tick, u32),
        name_of: impl Fn(PlayerId) -> Option<&'a Name>,
    ) -> Option<&Contest> {
        if self.of == Some(*bout) && !tick.0.is_multiple_of(tick_hz) {
            return None;
        }
        self.of = Some(*bout);
        let former = self.newest.as_ref().filter(|_| bout.stage != Stage::Waiting);
        let name = |at: usize, side: &BoutSide| match side.who {
            Who::Team(name) => name.to_owned(),
            Who::Player(Some(player)) => name_of(player).map(Name::to_string).unwrap_or_default(),
            Who::Player(None) => {
                former.and_then(|former| former.sides.get(at)).map(|s| s.name.clone()).unwrap_or_default()
            }
        };
        let side = |(at, side): (usize, &BoutSide)| {
            let BoutSide { score, goal, rounds, players, .. } = *side;
            Side { name: name(at, side), score, goal, rounds, players }
        };
        let contest = Contest {
            mode,
            stage: bout.stage,
            round: bout.round,
            rounds: bout.rounds,
            tick,
            ends: bout.ends,
            sides: bout.sides.iter().enumerate().map(side).collect(),
            zone: bout.zone,
            winner: bout.winner,
        };
        self.newest = Some(contest);
        self.newest.as_ref()
    }

    /// What was told last; nothing where there are no rounds.
    #[must_use]
    pub fn newest(&self) -> Option<&Contest> {
        self.newest.as_ref()
    }
}

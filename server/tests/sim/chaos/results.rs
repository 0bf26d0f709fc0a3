//! Every stay and every match leaves exactly one result, checked from outside after every step: each room has done at most one turn since
//! the last look, or has lost its last players.

use std::collections::{BTreeMap, BTreeSet};

use broadside_core::commands::SeatAssignment;
use broadside_core::results::{ResultKind, RoomResult};
use broadside_core::room_loop::RoomLoop;
use broadside_server::checkpoints::segment::Segment;
use broadside_shared::game::Game;
use broadside_shared::ids::RoomId;
use broadside_shared::protocol::match_status::MatchPhase;
use broadside_shared::time::MonoTime;

use broadside_sim::server::SimServer;

/// What the last look saw, and what counted since.
#[derive(Default)]
pub(crate) struct ResultChecks {
    rooms: BTreeMap<RoomId, SeenRoom>,
    /// Rooms that have gone over to another server and have not been seen since.
    unseen: BTreeSet<RoomId>,
}

/// A room as of the last look.
#[derive(Debug, PartialEq)]
struct SeenRoom {
    /// Another one after a failure.
    seed: u64,
    has_matches: bool,
    is_playing: bool,
    /// The people who play in it, and whether each leaves a result for sure.
    people: Vec<((MonoTime, SeatAssignment), bool)>,
}

impl ResultChecks {
    /// The server is about to be gone, and the rooms go on elsewhere as they were saved.
    pub(crate) fn skip<G: Game>(&mut self, server: &SimServer<G>, saved: &Segment) {
        server.take_results();
        self.rooms.clear();
        self.unseen = server.lobby.directory.all().iter().map(|room| room.id()).collect();
        self.unseen.extend(saved.rooms.keys());
    }

    pub(crate) fn look<G: Game>(&mut self, server: &SimServer<G>) {
        let mut results: BTreeMap<RoomId, Vec<RoomResult>> = BTreeMap::new();
        for result in server.take_results() {
            assert!(!result.players.is_empty(), "a result of nobody");
            results.entry(result.key.room).or_default().push(result);
        }
        let rooms: BTreeMap<RoomId, SeenRoom> =
            server.awake().map(|room| (room.info().id, SeenRoom::of(room))).collect();
        for (id, before) in &self.rooms {
            let left = results.remove(id).unwrap_or_default();
            // What its last commands changed before it went over shows with its first tick here.
            if !self.unseen.contains(id) {
                before.check(*id, rooms.get(id), &left);
            }
        }
        results.retain(|id, _| !self.unseen.contains(id));
        self.unseen.retain(|id| !self.rooms.contains_key(id));
        assert!(results.is_empty(), "results of rooms in which nobody was: {results:?}");
        self.rooms = rooms;
    }
}

impl SeenRoom {
    fn of<G: Game>(room: &RoomLoop<G>) -> SeenRoom {
        let (state, game) = (room.room().match_state(), room.room().game());
        let is_certain = |seat: SeatAssignment| {
            let totals = game.totals(seat.player);
            totals.score > 0 || totals.kills > 0 || totals.deaths > 0
        };
        let people = room.seats().filter(|seat| seat.is_person_at_play()).map(|seat| seat.assignment);
        SeenRoom {
            seed: room.info().config.seed,
            has_matches: game.match_state().is_some(),
            is_playing: state.is_some_and(|state| {
                matches!(state.phase, MatchPhase::Countdown | MatchPhase::Playing | MatchPhase::Pause)
            }),
            people: people.map(|seat| ((seat.tick_zero, seat), is_certain(seat))).collect(),
        }
    }

    /// What became of the room since, and the results that it left.
    fn check(&self, id: RoomId, now: Option<&SeenRoom>, left: &[RoomResult]) {
        let has_failed = now.is_some_and(|now| now.seed != self.seed);
        let count = left.len();
        if self.has_matches {
            let ended = self.is_playing && !now.is_some_and(|now| now.is_playing);
            let is_owed = ended && !has_failed && self.people.iter().any(|(_, is_certain)| *is_certain);
            let most = usize::from(self.is_playing);
            assert!(
                (usize::from(is_owed)..=most).contains(&count),
                "room {id}: {count} results of a match: {self:?} {now:?}"
            );
        } else {
            let is_here = |seat: &(MonoTime, SeatAssignment)| {
                now.is_some_and(|now| now.people.iter().any(|(other, _)| other == seat))
            };
            let gone = self.people.iter().filter(|(seat, _)| !is_here(seat));
            let (most, certain) = (gone.clone().count(), gone.filter(|(_, is_certain)| *is_certain).count());
            let least = if has_failed { 0 } else { certain };
            assert!((least..=most).contains(&count), "room {id}: {count} results of {most} stays: {self:?} {now:?}");
        }
        let kind = if self.has_matches { ResultKind::Match } else { ResultKind::Stay };
        for result in left {
            assert_eq!(result.kind, kind, "room {id}");
            let accounts: BTreeSet<_> = result.players.iter().filter_map(|player| player.account).collect();
            let with_account = result.players.iter().filter(|player| player.account.is_some()).count();
            assert_eq!(accounts.len(), with_account, "room {id}: an account twice in {result:?}");
        }
    }
}

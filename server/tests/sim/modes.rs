//! Teams and duels through the whole system: AIs that fight matches over lines that are no good.

use broadside_shared::arena::Arena;
use broadside_shared::game::CorrectionCause;
use broadside_shared::link::LinkProfile;
use broadside_shared::protocol::match_status::{MatchPhase, MatchStatus};
use broadside_shared::protocol::room::Mode;

use crate::feel::Pilots;
use crate::harness::Sim;

/// A match of a mode between so many AIs over a line.
struct Match {
    sim: Sim<Arena>,
    pilots: Pilots,
    /// Every phase in turn, with its round and what it said first.
    stages: Vec<MatchStatus>,
}

impl Match {
    fn new(mode: Mode, players: usize, line: &str, seed: u64) -> Match {
        let mut sim = Sim::<Arena>::of_mode(mode, seed, 2);
        let line = LinkProfile::named(line).expect("a known line");
        (0..players).for_each(|_| {
            sim.connect(&line);
        });
        Match { sim, pilots: Pilots::new(seed, players), stages: Vec::new() }
    }

    fn run(&mut self, seconds: f64) {
        let (pilots, stages) = (&mut self.pilots, &mut self.stages);
        self.sim.run_watching(seconds, &mut |index, client| pilots.decide(index, client), &mut |sim| {
            // As the first client is told.
            let Some(match_status) = sim.clients[0].client.match_status() else { return };
            let last = stages.last().map(|last: &MatchStatus| (last.phase, last.round));
            if last != Some((match_status.phase, match_status.round)) {
                stages.push(match_status.clone());
            }
        });
    }

    /// Corrections of all clients for a cause.
    fn corrections(&self, cause: CorrectionCause) -> u64 {
        self.sim.clients.iter().map(|c| c.client.stats().corrections[cause as usize]).sum()
    }

    fn results(&self) -> impl Iterator<Item = &MatchStatus> {
        self.stages.iter().filter(|match_status| match_status.phase == MatchPhase::Results)
    }
}

#[test]
fn duels_between_brains_are_decided_again_and_again_and_every_correction_has_a_cause() {
    let mut decided = 0;
    for (line, seed) in [("cable", 3), ("4g", 4), ("jittery", 5)] {
        let mut duel = Match::new(Mode::Duel, 2, line, seed);
        duel.run(240.0);
        let told: Vec<_> = duel.stages.iter().map(|c| (c.phase, c.round, c.winner)).collect();
        assert!(duel.results().count() >= 1, "{line}: {told:?}");
        let first = duel.results().next().expect("just counted");
        let mut names: Vec<&str> = first.teams.iter().map(|team| team.name.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, ["sim 0", "sim 1"], "{line}");
        for result in duel.results() {
            let rounds = |team: u8| result.teams[usize::from(team)].rounds;
            match result.winner {
                Some(winner) => assert!(rounds(winner) > rounds(1 - winner), "{line}: {result:?}"),
                None => assert_eq!(rounds(0), rounds(1), "{line}: {result:?}"),
            }
            decided += u32::from(result.winner.is_some());
        }
        assert_eq!(duel.corrections(CorrectionCause::Unknown), 0, "{line}: {told:?}");
        for c in &duel.sim.clients {
            let match_status = c.client.match_status().expect("everyone is told");
            assert!(c.client.local_player().is_some_and(|own| own.team.is_some()));
            let newest = duel.sim.room().match_status().expect("a duel has rounds");
            assert!(newest.tick.since(match_status.tick) <= 90, "{line}: told in time");
        }
    }
    assert!(decided >= 3, "{decided} matches had a winner");
}

#[test]
fn teams_of_brains_hold_the_zone_and_score_and_every_correction_has_a_cause() {
    for (line, seed) in [("cable", 7), ("4g", 8)] {
        let mut teams = Match::new(Mode::Teams, 8, line, seed);
        teams.run(420.0);
        let told: Vec<_> = teams.stages.iter().map(|c| (c.phase, c.round, c.winner)).collect();
        let newest = teams.sim.room().match_status().expect("teams have rounds");
        assert_eq!(newest.teams.iter().map(|team| team.players).collect::<Vec<_>>(), [4, 4]);
        let scored: u32 = newest.teams.iter().map(|team| team.score).sum();
        let rounds: u8 = newest.teams.iter().map(|team| team.rounds).sum();
        assert!(scored > 20 || rounds > 0, "{line}: {newest:?}");
        assert!(told.len() >= 3, "{line}: {told:?}");
        assert_eq!(teams.corrections(CorrectionCause::Unknown), 0, "{line}: {told:?}");
    }
}

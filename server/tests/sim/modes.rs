//! Teams and duels through the whole system: AI players that fight matches over poor links.

use broadside_arena::Arena;
use broadside_arena::modes::Mode;
use broadside_shared::game::CorrectionCause;
use broadside_shared::link::LinkProfile;
use broadside_shared::protocol::match_status::{MatchPhase, MatchStatus};

use crate::feel::AiPlayers;
use broadside_sim::Sim;

/// A match of AI players over one kind of link.
struct Match {
    sim: Sim<Arena>,
    ais: AiPlayers,
    /// The first status of every phase of every round, in order.
    phases: Vec<MatchStatus>,
}

impl Match {
    fn new(mode: Mode, players: usize, link: &str, seed: u64) -> Match {
        let mut sim = Sim::<Arena>::of_mode(mode.id(), seed, 2);
        let profile = LinkProfile::named(link).expect("a known link profile");
        (0..players).for_each(|_| {
            sim.connect(&profile);
        });
        Match { sim, ais: AiPlayers::new(seed, players), phases: Vec::new() }
    }

    fn run(&mut self, seconds: f64) {
        let (ais, phases) = (&mut self.ais, &mut self.phases);
        self.sim.run_observed(seconds, &mut |index, client| ais.decide(index, client), &mut |sim| {
            // As received by the first client.
            let Some(match_status) = sim.clients[0].client.match_status() else { return };
            let last = phases.last().map(|last: &MatchStatus| (last.phase, last.round));
            if last != Some((match_status.phase, match_status.round)) {
                phases.push(match_status.clone());
            }
        });
    }

    /// Corrections of all clients for a cause.
    fn corrections(&self, cause: CorrectionCause) -> u64 {
        self.sim.clients.iter().map(|c| c.client.stats().corrections[cause.index()]).sum()
    }

    fn results(&self) -> impl Iterator<Item = &MatchStatus> {
        self.phases.iter().filter(|match_status| match_status.phase == MatchPhase::Results)
    }
}

#[test]
fn duels_of_ai_players_are_decided_and_every_correction_has_a_cause() {
    let mut decided = 0;
    for (link, seed) in [("cable", 3), ("4g", 4), ("jittery", 5)] {
        let mut duel = Match::new(Mode::Duel, 2, link, seed);
        duel.run(240.0);
        let phases: Vec<_> = duel.phases.iter().map(|c| (c.phase, c.round, c.winner)).collect();
        assert!(duel.results().count() >= 1, "{link}: {phases:?}");
        let first = duel.results().next().expect("just counted");
        let mut names: Vec<&str> = first.teams.iter().map(|team| team.name.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, ["sim 0", "sim 1"], "{link}");
        for result in duel.results() {
            let rounds = |team: u8| result.teams[usize::from(team)].rounds;
            match result.winner {
                Some(winner) => assert!(rounds(winner) > rounds(1 - winner), "{link}: {result:?}"),
                None => assert_eq!(rounds(0), rounds(1), "{link}: {result:?}"),
            }
            decided += u32::from(result.winner.is_some());
        }
        assert_eq!(duel.corrections(CorrectionCause::UNKNOWN), 0, "{link}: {phases:?}");
        for c in &duel.sim.clients {
            let match_status = c.client.match_status().expect("every client has the match status");
            assert!(c.client.local_player().is_some_and(|own| own.team.is_some()));
            let newest = duel.sim.room().match_status().expect("a duel has rounds");
            assert!(newest.tick.since(match_status.tick) <= 90, "{link}: received in time");
        }
    }
    assert!(decided >= 3, "{decided} matches had a winner");
}

#[test]
fn teams_of_ai_players_hold_the_zone_and_score_and_every_correction_has_a_cause() {
    for (link, seed) in [("cable", 7), ("4g", 8)] {
        let mut teams = Match::new(Mode::Teams, 8, link, seed);
        teams.run(420.0);
        let phases: Vec<_> = teams.phases.iter().map(|c| (c.phase, c.round, c.winner)).collect();
        let newest = teams.sim.room().match_status().expect("teams have rounds");
        assert_eq!(newest.teams.iter().map(|team| team.players).collect::<Vec<_>>(), [4, 4]);
        let scored: u32 = newest.teams.iter().map(|team| team.score).sum();
        let rounds: u8 = newest.teams.iter().map(|team| team.rounds).sum();
        assert!(scored > 20 || rounds > 0, "{link}: {newest:?}");
        assert!(phases.len() >= 3, "{link}: {phases:?}");
        assert_eq!(teams.corrections(CorrectionCause::UNKNOWN), 0, "{link}: {phases:?}");
    }
}

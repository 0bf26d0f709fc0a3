//! Scenes of what a room leaves behind: of stays, and of matches. In the toy game each tick after the first is a point, so that a stay of
//! two ticks leaves a result, and whoever gets further to the right wins a match.

use broadside_shared::protocol::match_status::MatchPhase;
use broadside_shared::toy::{MATCH, RESULTS};

use super::*;
use crate::results::{MatchOutcome, PlayerResult, ResultKind, RoomResult};

use MatchOutcome::{Drawn, Lost, Won};

impl Scene {
    fn duel() -> Scene {
        Scene::with(|info, _| (info.config.mode, info.config.capacity) = (DUEL, 2))
    }

    fn results(&mut self) -> Vec<RoomResult> {
        self.room.take_effects().results
    }

    /// The players of the only result since the last call: name, outcome, ticks.
    fn result(&mut self, kind: ResultKind) -> Vec<(String, Option<MatchOutcome>, u32)> {
        let results = self.results();
        assert_eq!(results.iter().map(|result| result.kind).collect::<Vec<_>>(), [kind], "{results:?}");
        let of = |player: &PlayerResult| (player.name.to_string(), player.outcome, player.played_ticks);
        results[0].players.iter().map(of).collect()
    }

    /// The player pushes to the right from now on.
    fn push(&mut self, seat: SeatAssignment) {
        let samples = [Push(1, 0)].into_iter().collect();
        let packet = InputPacket { acked: Tick(0), first: self.room.tick(), lag: 0, samples };
        self.command(RoomCommand::Input(seat, packet, self.now));
    }

    fn phase(&self) -> MatchPhase {
        self.room.match_status().expect("a mode with matches").phase
    }
}

fn one(name: &str, outcome: Option<MatchOutcome>, ticks: u32) -> (String, Option<MatchOutcome>, u32) {
    (name.to_owned(), outcome, ticks)
}

#[test]
fn a_stay_leaves_one_result_however_it_ends() {
    type End = fn(&mut Scene, SeatAssignment);
    let ends: [(&str, End, u32); 5] = [
        ("leave", |scene, seat| scene.command(RoomCommand::Leave(seat)), 100),
        // The seat is kept for a second.
        ("expiry", |scene, seat| scene.command(RoomCommand::Park(seat)), 160),
        ("shard lost", |scene, _| scene.command(RoomCommand::ShardLost(0)), 100),
        ("room end", |scene, _| scene.now = MonoTime(1_000_000_000), 100),
        (
            "takeover, then leave",
            |scene, seat| {
                let other = ConnectionId { shard: 0, key: 90, serial: 90 };
                scene.command(RoomCommand::Resume(seat, other, Some(AccountId([9; 16]))));
                scene.turn();
                scene.command(RoomCommand::Leave(seat));
            },
            101,
        ),
    ];
    for (what, end, ticks) in ends {
        let mut scene = Scene::with(|_, policy| policy.ends_at = Some(MonoTime(900_000_000)));
        let seat = scene.seated(0, Role::Play);
        // Another one keeps the room awake, and bots and spectators leave nothing.
        scene.seated(1, Role::Play);
        scene.join_from(1, Role::Play, None, JoinMethod::Public);
        scene.seated(0, Role::Spectate);
        scene.turns(90);
        scene.command(RoomCommand::Rename(seat, name("Zoe")));
        scene.turns(7);
        assert_eq!(scene.results(), [], "{what}: not before it ends");
        end(&mut scene, seat);
        let mut results = scene.results();
        let mut stepped = Stepped::Ticked;
        while results.is_empty() {
            stepped = scene.turn();
            results.extend(scene.results());
        }
        if stepped != Stepped::Ended {
            scene.command(RoomCommand::Leave(seat));
            scene.turn();
            results.extend(scene.results());
        }
        let of_seat = |result: &&RoomResult| result.players[0].name.as_str() == "Zoe";
        let stays: Vec<&RoomResult> = results.iter().filter(of_seat).collect();
        assert_eq!(stays.len(), 1, "{what}: {results:?}");
        let PlayerResult { account, totals, played_ticks, outcome, .. } = &stays[0].players[0];
        let expected = if ticks == 101 { [9; 16] } else { [1; 16] };
        assert_eq!((*account, *outcome), (Some(AccountId(expected)), None), "{what}");
        assert_eq!((*played_ticks, totals.score), (ticks, ticks as i32 - 1), "{what}");
        assert_eq!(results.len(), if what == "room end" { 2 } else { 1 }, "{what}: {results:?}");
    }
}

#[test]
fn who_only_looked_in_leaves_no_result() {
    let mut scene = Scene::new();
    let seat = scene.seated(0, Role::Play);
    scene.command(RoomCommand::Leave(seat));
    scene.turn();
    assert_eq!(scene.results(), []);
}

#[test]
fn a_match_leaves_one_result_with_the_winner_and_the_next_one_another() {
    let mut scene = Scene::duel();
    scene.seated(0, Role::Play);
    scene.turns(50);
    let second = scene.seated(1, Role::Play);
    assert_eq!(scene.phase(), MatchPhase::Playing);
    scene.turns(MATCH - 1);
    assert_eq!(scene.results(), []);
    scene.turn();
    // Nobody moved. What was before the match does not count.
    let ticks = MATCH + 1;
    let drawn = [one("Player 1", Some(Drawn), ticks), one("Player 2", Some(Drawn), ticks)];
    assert_eq!(scene.result(ResultKind::Match), drawn);
    scene.turns(RESULTS);
    scene.push(second);
    scene.turns(MATCH);
    assert_eq!(scene.results(), []);
    scene.turn();
    let won = [one("Player 1", Some(Lost), ticks), one("Player 2", Some(Won), ticks)];
    assert_eq!(scene.result(ResultKind::Match), won, "the rematch");
    // Between matches, leaving costs nothing.
    for seat in scene.room.seats().map(|seat| seat.assignment).collect::<Vec<_>>() {
        scene.command(RoomCommand::Leave(seat));
    }
    scene.turn();
    assert_eq!(scene.results(), []);
}

#[test]
fn who_leaves_a_match_has_lost_it_and_who_takes_the_seat_has_no_part_in_it() {
    let mut scene = Scene::duel();
    let (gone, _) = (scene.seated(0, Role::Play), scene.seated(1, Role::Play));
    scene.turns(9);
    scene.command(RoomCommand::Leave(gone));
    assert_eq!(scene.results(), [], "the match decides first");
    scene.join(0, Role::Play);
    scene.turn();
    assert_eq!(scene.phase(), MatchPhase::Results);
    assert_eq!(scene.result(ResultKind::Match), [one("Player 1", Some(Lost), 10), one("Player 2", Some(Won), 11)]);
}

#[test]
fn of_those_who_leave_between_two_ticks_the_first_has_lost() {
    let mut scene = Scene::duel();
    let seats = [scene.seated(0, Role::Play), scene.seated(1, Role::Play)];
    scene.turns(9);
    seats.into_iter().rev().for_each(|seat| scene.command(RoomCommand::Leave(seat)));
    assert_eq!(scene.turn(), Stepped::Asleep);
    assert_eq!(scene.result(ResultKind::Match), [one("Player 2", Some(Lost), 10), one("Player 1", Some(Won), 10)]);
}

#[test]
fn a_match_against_a_bot_leaves_the_result_of_the_person() {
    let mut scene = Scene::duel();
    scene.seated(0, Role::Play);
    scene.join_from(1, Role::Play, None, JoinMethod::Public);
    scene.turns(MATCH + 2);
    assert_eq!(scene.result(ResultKind::Match), [one("Player 1", Some(Drawn), MATCH + 1)]);
}

#[test]
fn nobody_wins_a_match_that_the_server_ends() {
    let mut scene = Scene::duel();
    scene.seated(0, Role::Play);
    scene.seated(1, Role::Play);
    scene.turns(9);
    assert_eq!(scene.room.results_pending(), 2);
    let results = scene.room.end().results;
    assert_eq!(results.len(), 1, "{results:?}");
    let outcomes = results[0].players.iter().map(|player| (player.team, player.outcome));
    assert_eq!(outcomes.collect::<Vec<_>>(), [(Some(0), None), (Some(1), None)]);
}

#[test]
fn an_account_has_one_part_in_a_match_also_if_it_comes_back_or_plays_against_itself() {
    let mut scene = Scene::duel();
    let (first, second) = (scene.seated(0, Role::Play), scene.seated(1, Role::Play));
    let same = Some(AccountId([7; 16]));
    for seat in [first, second] {
        let connection = ConnectionId { shard: usize::from(seat.player.0), key: 70, serial: 70 };
        scene.command(RoomCommand::Resume(seat, connection, same));
    }
    scene.push(second);
    scene.turns(MATCH);
    let results = scene.results();
    assert_eq!(results.len(), 1, "{results:?}");
    let parts: Vec<_> = results[0].players.iter().map(|player| (player.account, player.outcome)).collect();
    assert_eq!(parts, [(same, None)]);
    assert_eq!(results[0].players[0].played_ticks, 2 * (MATCH + 1));
    assert_eq!(results[0].players[0].totals.score, 2 * MATCH as i32);
}

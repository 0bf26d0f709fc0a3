//! Results: what is kept of every match, and of every stay in a room without matches.
//!
//! A match has one result, with everyone who played in it: those who leave before its end are remembered until then. A stay has one of its
//! own, when the seat is freed or the room ends. What has not ended when a room fails is lost with it.

use broadside_shared::game::Game;
use broadside_shared::protocol::match_status::MatchPhase;
use serde::{Deserialize, Serialize};

use super::RoomLoop;
use super::seats::Seat;
use crate::commands::SeatAssignment;
use crate::results::{MatchOutcome, PlayerResult, ResultKey, ResultKind, RoomResult};

/// A shorter stay without score, kills and deaths leaves no result, in seconds: somebody looked in.
const STAY_S_MIN: u32 = 10;

/// The match that is being played.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct RunningMatch {
    /// The count of stepped ticks before its first one.
    started: u32,
    /// The results of those who left it.
    left: Vec<PlayerResult>,
}

/// How a match ends.
#[derive(Debug, Clone, Copy)]
enum MatchEnd {
    /// With results; `None` is a draw.
    Decided(Option<u8>),
    /// Without results, as when a side left: those who did not leave have won against those who did.
    Abandoned,
    /// With the room: nobody has won.
    CutShort,
}

impl<G: Game> RoomLoop<G> {
    /// How many people play for a result that is still to come: lost if the room fails.
    #[must_use]
    pub fn results_pending(&self) -> usize {
        let is_kept = self.running.is_some() || self.room.match_state().is_none();
        let seated = self.seats.iter().filter(|seat| is_kept && seat.is_person_at_play()).count();
        seated + self.running.as_ref().map_or(0, |running| running.left.len())
    }

    /// Notices that a match starts or ends, after every tick.
    pub(super) fn follow_match(&mut self) {
        let Some(state) = self.room.match_state() else { return self.record_part() };
        let (phase, winner) = (state.phase, state.winner);
        match (phase, &self.running) {
            (MatchPhase::Countdown | MatchPhase::Playing | MatchPhase::Pause, None) => {
                self.running = Some(RunningMatch { started: self.room.stepped() - 1, left: Vec::new() });
                self.room.begin_recording();
            }
            (MatchPhase::Results, Some(_)) => self.end_match(MatchEnd::Decided(winner)),
            (MatchPhase::Open | MatchPhase::Waiting, Some(_)) => self.end_match(MatchEnd::Abandoned),
            (MatchPhase::Countdown | MatchPhase::Playing | MatchPhase::Pause, Some(_))
            | (MatchPhase::Open | MatchPhase::Waiting | MatchPhase::Results, None) => {}
        }
    }

    /// Keeps the result of a player whose seat was just freed. The game still knows the player.
    pub(super) fn keep_leaver(&mut self, seat: &Seat) {
        if !seat.is_person_at_play() {
            return;
        }
        let Some(RunningMatch { started, .. }) = self.running else {
            if let Some(stay) = self.result_of_stay(seat) {
                self.keep(ResultKind::Stay, self.key_of_stay(seat), vec![stay]);
            }
            return;
        };
        let Some(mut result) = self.result_in_match(seat, started) else { return };
        let team_of = |other: &Seat| self.room.game().team(other.assignment.player);
        let is_opponent = |other: &Seat| other.is_at_play() && (result.team.is_none() || team_of(other) != result.team);
        let is_opposed = self.seats.iter().any(is_opponent);
        let Some(running) = &mut self.running else { return };
        // Who leaves last does not lose to those who left before.
        result.outcome = if is_opposed { Some(MatchOutcome::Lost) } else { running.outcome_of_abandoned(&result) };
        add(&mut running.left, result);
    }

    /// After a player left: without players no match goes on. It is not noticed with the next tick, since there is none.
    pub(super) fn end_match_if_empty(&mut self) {
        if self.room.players() == 0 {
            self.end_match(MatchEnd::Abandoned);
        }
    }

    /// Keeps the results of everyone who is still there when the room ends.
    pub(super) fn keep_all(&mut self) {
        self.end_match(MatchEnd::CutShort);
        let at_play = self.seats.iter().filter(|seat| seat.is_person_at_play());
        let of_stay = |seat| Some((self.key_of_stay(seat), self.result_of_stay(seat)?));
        let stays: Vec<(ResultKey, PlayerResult)> = at_play.filter_map(of_stay).collect();
        stays.into_iter().for_each(|(key, stay)| self.keep(ResultKind::Stay, key, vec![stay]));
    }

    /// What the result of the match that is being played will be known by.
    #[must_use]
    pub fn match_key(&self) -> Option<ResultKey> {
        self.running.as_ref().map(|running| self.key_of_match(running))
    }

    fn key_of_match(&self, running: &RunningMatch) -> ResultKey {
        ResultKey { room: self.info.id, tick_zero: self.tick_zero, since: running.started, player: None }
    }

    fn key_of_stay(&self, seat: &Seat) -> ResultKey {
        let SeatAssignment { player, since, .. } = seat.assignment;
        ResultKey { room: self.info.id, tick_zero: self.tick_zero, since: since.0, player: Some(player) }
    }

    /// A player's stay so far; `None` where matches count, and for one who only looked in.
    fn result_of_stay(&self, seat: &Seat) -> Option<PlayerResult> {
        let result = self.room.match_state().is_none().then(|| self.result_of(seat, 0))?;
        (!is_trivial::<G>(&result)).then_some(result)
    }

    fn end_match(&mut self, end: MatchEnd) {
        let Some(mut running) = self.running.take() else { return };
        self.room.end_recording();
        let mut stayed = Vec::new();
        for seat in self.seats.iter().filter(|seat| seat.is_person_at_play()) {
            let Some(mut result) = self.result_in_match(seat, running.started) else { continue };
            result.outcome = match (end, result.team) {
                (MatchEnd::Decided(None), Some(_)) => Some(MatchOutcome::Drawn),
                (MatchEnd::Decided(Some(winner)), Some(team)) if team == winner => Some(MatchOutcome::Won),
                (MatchEnd::Decided(Some(_)), Some(_)) => Some(MatchOutcome::Lost),
                (MatchEnd::Abandoned, _) => running.outcome_of_abandoned(&result),
                (MatchEnd::Decided(_), None) | (MatchEnd::CutShort, _) => None,
            };
            stayed.push(result);
        }
        stayed.into_iter().for_each(|result| add(&mut running.left, result));
        self.keep(ResultKind::Match, self.key_of_match(&running), running.left);
    }

    fn keep(&mut self, kind: ResultKind, key: ResultKey, players: Vec<PlayerResult>) {
        if !players.is_empty() {
            self.effects.results.push(RoomResult { key, mode: self.info.config.mode, kind, players });
        }
    }

    /// A player's part of a match so far; `None` for one who came later and had no part in it.
    fn result_in_match(&self, seat: &Seat, started: u32) -> Option<PlayerResult> {
        let result = self.result_of(seat, started);
        (seat.joined_at <= started || !is_trivial::<G>(&result)).then_some(result)
    }

    /// What the player has done since the count of stepped ticks was `since`, or since joining.
    fn result_of(&self, seat: &Seat, since: u32) -> PlayerResult {
        let (player, game) = (seat.assignment.player, self.room.game());
        PlayerResult {
            account: seat.account,
            name: self.room.name_of(player).expect("a seat of the room loop is one of the room").clone(),
            team: game.team(player),
            totals: game.totals(player),
            outcome: None,
            played_ticks: self.room.stepped() - seat.joined_at.max(since),
        }
    }
}

impl RunningMatch {
    /// The outcome for a player who is left when a match ends without results.
    fn outcome_of_abandoned(&self, result: &PlayerResult) -> Option<MatchOutcome> {
        let is_opponent = |other: &PlayerResult| result.team.is_some() && other.team != result.team;
        self.left.iter().any(is_opponent).then_some(MatchOutcome::Won)
    }
}

/// Adds a player to a match. An account has one part in it: also of one who left and came back, and of two who share it. Who was on both
/// sides has neither won nor lost.
fn add(players: &mut Vec<PlayerResult>, result: PlayerResult) {
    let is_same = |other: &&mut PlayerResult| other.account.is_some() && other.account == result.account;
    let Some(earlier) = players.iter_mut().find(is_same) else { return players.push(result) };
    let outcome = result.outcome.filter(|_| earlier.team == result.team);
    let (totals, played_ticks) = (earlier.totals.and(result.totals), earlier.played_ticks + result.played_ticks);
    *earlier = PlayerResult { totals, played_ticks, outcome, ..result };
}

fn is_trivial<G: Game>(result: &PlayerResult) -> bool {
    let totals = &result.totals;
    result.played_ticks < STAY_S_MIN * G::TICK_HZ && totals.score == 0 && totals.kills == 0 && totals.deaths == 0
}

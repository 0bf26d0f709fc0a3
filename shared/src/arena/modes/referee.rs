//! The referee: what stage a match is at, what counts, and who wins.

use glam::Vec2;

use super::super::Arena;
use super::super::rules::{
    COUNTDOWN, DUEL_RESULTS, DUEL_ROUNDS, PAUSE, TEAMS, TEAMS_GOAL, TEAMS_GOAL_EACH, TEAMS_RESULTS, TEAMS_ROUNDS,
    TEAMS_SUNK, TICK_HZ, round_ticks,
};
use super::zone;
use crate::game::{Bout, BoutSide, PlayerId, Who};
use crate::hash::WorldHash;
use crate::protocol::contest::{SIDES_MAX, Stage};
use crate::protocol::room::Mode;
use crate::time::Tick;

/// Judges a match of a mode that has rounds.
#[derive(Debug, Clone)]
pub(in crate::arena) struct Referee {
    pub(super) mode: Mode,
    pub(super) bout: Bout,
    /// Sides that lost a ship in this round.
    lost: [bool; SIDES_MAX],
    /// From the middle toward where the second side begins, of length 1.
    pub(super) axis: Vec2,
}

impl Referee {
    /// One that waits for players; `None` in a mode without rounds.
    pub(in crate::arena) fn of(mode: Mode) -> Option<Referee> {
        let (rounds, who, zone) = match mode {
            Mode::Open => return None,
            Mode::Teams => (TEAMS_ROUNDS, TEAMS.map(Who::Team), Some(zone::neutral(Tick(0)))),
            Mode::Duel => (DUEL_ROUNDS, [Who::Player(None); SIDES_MAX], None),
        };
        let side = |who| BoutSide { who, score: 0, goal: 0, rounds: 0, players: 0 };
        let sides = who.map(side);
        let bout = Bout { stage: Stage::Waiting, round: 0, rounds, ends: None, sides, zone, winner: None };
        Some(Referee { mode, bout, lost: [false; SIDES_MAX], axis: Vec2::X })
    }

    pub(in crate::arena) fn bout(&self) -> &Bout {
        &self.bout
    }

    /// Whether players can hurt each other now.
    pub(in crate::arena) fn is_live(&self) -> bool {
        self.bout.stage == Stage::Playing
    }

    /// Ticks from `tick` for which a ship launched then is held at its place.
    pub(in crate::arena) fn holds_for(&self, tick: Tick) -> u32 {
        match (self.bout.stage, self.bout.ends) {
            (Stage::Countdown, Some(ends)) => ends.since(tick),
            _ => 0,
        }
    }

    /// A ship sank: by a player of side `by`, if by any.
    pub(in crate::arena) fn note_sunk(&mut self, side: Option<u8>, by: Option<u8>) {
        let Some(side) = side.map(usize::from).filter(|_| self.is_live()) else { return };
        self.lost[side] = true;
        match (self.mode, by.map(usize::from)) {
            (Mode::Teams, Some(by)) if by != side => self.bout.sides[by].score += TEAMS_SUNK,
            (Mode::Duel, _) => self.bout.sides[1 - side].score += 1,
            (Mode::Teams | Mode::Open, _) => {}
        }
    }

    /// A player left.
    pub(in crate::arena) fn note_left(&mut self, player: PlayerId) {
        for side in &mut self.bout.sides {
            if side.who == Who::Player(Some(player)) {
                side.who = Who::Player(None);
            }
        }
    }

    fn results_ticks(&self) -> u32 {
        if self.mode == Mode::Duel { DUEL_RESULTS } else { TEAMS_RESULTS }
    }

    fn is_due(&self, tick: Tick) -> bool {
        self.bout.ends.is_some_and(|ends| tick >= ends)
    }

    fn enter(&mut self, stage: Stage, tick: Tick, ticks: u32) {
        self.bout.stage = stage;
        self.bout.ends = Some(tick.after(ticks));
    }

    fn wait(&mut self) {
        (self.bout.stage, self.bout.ends, self.bout.round, self.bout.winner) = (Stage::Waiting, None, 0, None);
        for side in &mut self.bout.sides {
            (side.score, side.rounds) = (0, 0);
        }
    }

    /// The side with more of something, if one has.
    fn ahead<T: Ord + Copy>(of: [T; SIDES_MAX]) -> Option<u8> {
        match of[0].cmp(&of[1]) {
            std::cmp::Ordering::Less => Some(1),
            std::cmp::Ordering::Equal => None,
            std::cmp::Ordering::Greater => Some(0),
        }
    }

    /// Ends a round, and the match once it is decided.
    fn end_round(&mut self, winner: Option<u8>, tick: Tick) {
        if let Some(winner) = winner {
            self.bout.sides[usize::from(winner)].rounds += 1;
        }
        let won = self.bout.sides.map(|side| side.rounds);
        let left = self.bout.rounds.saturating_sub(self.bout.round);
        if won[0].abs_diff(won[1]) > left || left == 0 {
            self.bout.winner = Self::ahead(won);
            self.enter(Stage::Results, tick, self.results_ticks());
        } else {
            self.bout.winner = winner;
            self.enter(Stage::Pause, tick, PAUSE);
        }
        self.rest_zone(tick);
    }

    fn rest_zone(&mut self, tick: Tick) {
        if let Some(zone) = &mut self.bout.zone {
            zone::freeze(zone, tick);
        }
    }

    pub(in crate::arena) fn hash(&self, hash: &mut WorldHash) {
        let bout = &self.bout;
        hash.u64(u64::from(bout.stage as u8) << 16 | u64::from(bout.round) << 8 | u64::from(bout.winner.unwrap_or(9)));
        hash.u64(bout.ends.map_or(u64::MAX, |ends| u64::from(ends.0)));
        for side in &bout.sides {
            hash.u64(u64::from(side.score) << 32 | u64::from(side.goal) << 8 | u64::from(side.rounds));
        }
        if let Some(zone) = &bout.zone {
            zone::hash(zone, hash);
        }
        hash.vec2(self.axis);
        hash.u64(u64::from(self.lost[0]) << 1 | u64::from(self.lost[1]));
    }
}

impl Arena {
    /// Moves the match on, before anyone sails; nothing where there are no rounds.
    pub(in crate::arena) fn referee(&mut self, tick: Tick) {
        let Some(mut referee) = self.referee.take() else { return };
        self.count_players(&mut referee);
        self.judge(&mut referee, tick);
        self.referee = Some(referee);
    }

    fn judge(&mut self, referee: &mut Referee, tick: Tick) {
        let ready = referee.can_begin();
        match referee.bout.stage {
            Stage::Open | Stage::Waiting if ready => self.start_match(referee, tick),
            Stage::Open | Stage::Waiting => {}
            Stage::Results if referee.is_due(tick) && ready => self.start_match(referee, tick),
            Stage::Results if referee.is_due(tick) => referee.wait(),
            Stage::Results => {}
            Stage::Countdown | Stage::Playing | Stage::Pause if referee.deserted().is_some() => {
                // Who is left has won, whatever the score.
                referee.bout.winner = referee.deserted().map(|side| 1 - side);
                referee.enter(Stage::Results, tick, referee.results_ticks());
                referee.rest_zone(tick);
            }
            Stage::Countdown if referee.is_due(tick) => {
                referee.enter(Stage::Playing, tick, round_ticks(referee.mode));
                referee.bout.zone = referee.bout.zone.map(|_| zone::neutral(tick));
            }
            Stage::Playing => self.score(referee, tick),
            Stage::Pause if referee.is_due(tick) => self.start_round(referee, tick),
            Stage::Countdown | Stage::Pause => {}
        }
    }

    fn start_match(&mut self, referee: &mut Referee, tick: Tick) {
        referee.wait();
        self.balance(referee);
        self.count_players(referee);
        for own in self.seats.iter_mut().flatten().map(|seat| &mut seat.own) {
            (own.score, own.kills, own.deaths) = (0, 0, 0);
        }
        self.start_round(referee, tick);
    }

    /// Everyone gets a new ship at their place, and the water is clear.
    fn start_round(&mut self, referee: &mut Referee, tick: Tick) {
        self.clear_water();
        referee.axis = self.choose_axis(referee);
        let players: u32 = referee.bout.sides.iter().map(|side| u32::from(side.players)).sum();
        let goal = if referee.mode == Mode::Duel { 1 } else { TEAMS_GOAL + TEAMS_GOAL_EACH * players };
        for side in &mut referee.bout.sides {
            (side.score, side.goal) = (0, goal);
        }
        referee.lost = [false; SIDES_MAX];
        referee.bout.round += 1;
        referee.bout.winner = None;
        referee.bout.zone = referee.bout.zone.map(|_| zone::neutral(tick));
        referee.enter(Stage::Countdown, tick, COUNTDOWN);
    }

    fn score(&mut self, referee: &mut Referee, tick: Tick) {
        let over = referee.is_due(tick);
        let sides = referee.bout.sides;
        if referee.mode == Mode::Duel {
            let winner = match referee.lost {
                [false, false] if over => Referee::ahead([0, 1].map(|side| self.armour_of(side))),
                [false, false] => return,
                // Both at once is a draw.
                lost => Referee::ahead(lost.map(|lost| !lost)),
            };
            referee.end_round(winner, tick);
            return;
        }
        if over || sides.iter().any(|side| side.score >= side.goal) {
            referee.end_round(Referee::ahead(sides.map(|side| side.score)), tick);
            return;
        }
        let Some(zone) = &mut referee.bout.zone else { return };
        let present = self.sides_within(zone::middle(zone), f32::from(zone.radius));
        zone::follow(zone, present, tick);
        let full_second = referee.bout.ends.is_some_and(|ends| ends.since(tick).is_multiple_of(TICK_HZ));
        if let Some(holder) = zone.holder.filter(|_| full_second && !zone.contested) {
            referee.bout.sides[usize::from(holder)].score += 1;
        }
    }
}

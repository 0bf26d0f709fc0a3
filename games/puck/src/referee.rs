//! The referee: phases, clock and score of a match.
//!
//! ```text
//! Waiting -> Countdown -> Playing -> Pause -> Countdown -> ...     a goal stops the clock
//!                         Playing -> Results -> Countdown          the rematch starts by itself
//!                         Playing -> Waiting -> Countdown          somebody took over: the former match has no results
//! ```
//! When the time is up and nobody leads, overtime follows: the next goal wins. Without one, the match is a draw.

use arrayvec::ArrayVec;
use broadside_shared::game::{MatchState, Team, TeamLabel};
use broadside_shared::hash::WorldHash;
use broadside_shared::ids::PlayerId;
use broadside_shared::protocol::match_status::MatchPhase;
use broadside_shared::time::Tick;
use serde::{Deserialize, Serialize};

use crate::play::Disc;
use crate::rules::{COUNTDOWN, COUNTDOWN_SHORT, DESERTED, PAUSE, RESULTS, TICK_HZ};
use crate::{PuckConfig, RoomState};

/// The names of the teams.
pub const TEAMS: [&str; 2] = ["orange", "blue"];

/// Runs the matches of a room.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Referee {
    config: PuckConfig,
    /// Whether teams are single players, called by their names.
    is_duel: bool,
    pub(crate) phase: MatchPhase,
    pub(crate) ends: Option<Tick>,
    /// Ticks left on the clock, while it stands.
    left: u32,
    pub(crate) overtime: bool,
    pub(crate) goals: [u32; 2],
    /// Of the last goal during a pause, of the match during the results.
    pub(crate) winner: Option<u8>,
    /// Since when a team has had no players in this match.
    deserted: Option<Tick>,
}

/// What the world has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// Another match: the goals of all players are forgotten, and teams are balanced.
    NewMatch,
    /// Everyone takes their place; the puck lies in the half of this team, or in the middle.
    KickOff {
        to: Option<u8>,
        /// Ticks for which everyone is held there.
        held: u32,
    },
}

impl Referee {
    pub(crate) fn new(config: PuckConfig, is_duel: bool) -> Referee {
        Referee {
            left: config.match_s * TICK_HZ,
            config,
            is_duel,
            phase: MatchPhase::Waiting,
            ends: None,
            overtime: false,
            goals: [0, 0],
            winner: None,
            deserted: None,
        }
    }

    /// Advances the match at the start of a tick, with this many players in each team.
    pub(crate) fn judge(&mut self, tick: Tick, players: [usize; 2]) -> ArrayVec<Order, 2> {
        let is_due = self.ends.is_some_and(|ends| tick >= ends);
        let both = players.iter().all(|players| *players > 0);
        let is_forfeit = self.deserted.is_some_and(|since| tick.since(since) >= DESERTED);
        match self.phase {
            MatchPhase::Open | MatchPhase::Waiting if both => return self.start(tick),
            MatchPhase::Results if is_due && both => return self.start(tick),
            MatchPhase::Results if is_due => *self = Referee::new(self.config.clone(), self.is_duel),
            MatchPhase::Countdown | MatchPhase::Playing | MatchPhase::Pause if !both && is_forfeit => {
                self.finish(players.iter().position(|players| *players > 0).map(|team| team as u8), tick);
            }
            MatchPhase::Countdown | MatchPhase::Playing | MatchPhase::Pause if !both => {}
            // Somebody else took over: the former score is not theirs. The next match starts with the next tick.
            MatchPhase::Countdown | MatchPhase::Playing | MatchPhase::Pause if self.deserted.is_some() => {
                *self = Referee::new(self.config.clone(), self.is_duel);
            }
            MatchPhase::Countdown if is_due => self.enter(MatchPhase::Playing, tick, self.left),
            MatchPhase::Playing if is_due => return self.time_up(tick),
            MatchPhase::Pause if is_due => {
                return self.kick_off(tick, self.winner.map(|team| 1 - team), COUNTDOWN_SHORT);
            }
            _ => {}
        }
        ArrayVec::new()
    }

    /// A player left before `tick`, and these are left of each team.
    pub(crate) fn note_left(&mut self, players: [usize; 2], tick: Tick) {
        if players.contains(&0) && matches!(self.phase, MatchPhase::Countdown | MatchPhase::Playing | MatchPhase::Pause)
        {
            self.deserted.get_or_insert(tick);
        }
    }

    /// Counts a goal of `team`; gives whether it counts.
    pub(crate) fn score(&mut self, team: u8, tick: Tick) -> bool {
        if self.phase != MatchPhase::Playing {
            return false;
        }
        self.goals[usize::from(team)] += 1;
        self.left = self.ends.map_or(0, |ends| ends.since(tick));
        if self.overtime || self.goals[usize::from(team)] >= self.config.goals {
            self.finish(Some(team), tick);
        } else {
            self.winner = Some(team);
            self.enter(MatchPhase::Pause, tick, PAUSE);
        }
        true
    }

    /// What everyone knows beyond the score.
    pub(crate) fn room_state(&self) -> RoomState {
        RoomState { overtime: self.overtime, left_s: self.left.div_ceil(TICK_HZ) as u16 }
    }

    /// The match as the room publishes it. `discs` are all players.
    pub(crate) fn state(&self, discs: &[Disc]) -> MatchState {
        let team = |team: u8| {
            let mut players = discs.iter().filter(|disc| disc.team == team).map(|disc| disc.player);
            let first: Option<PlayerId> = players.next();
            let label = if self.is_duel { TeamLabel::Player(first) } else { TeamLabel::Team(TEAMS[usize::from(team)]) };
            let others = players.count();
            Team {
                label,
                score: self.goals[usize::from(team)],
                goal: if self.overtime {
                    self.goals.iter().max().map_or(1, |most| most + 1)
                } else {
                    self.config.goals
                },
                rounds: 0,
                players: first.map_or(0, |_| 1 + others as u16),
            }
        };
        MatchState {
            phase: self.phase,
            round: u8::from(self.phase != MatchPhase::Waiting),
            rounds: 1,
            ends: self.ends,
            teams: [0, 1].map(team).into_iter().collect(),
            winner: self.winner,
        }
    }

    pub(crate) fn hash(&self, hash: &mut WorldHash) {
        hash.u64(self.phase as u64 | u64::from(self.overtime) << 8 | self.winner.map_or(9, u64::from) << 16);
        for number in self.goals.into_iter().chain([self.left]) {
            hash.u64(number.into());
        }
        for tick in [self.ends, self.deserted] {
            hash.u64(tick.map_or(u64::MAX, |tick| tick.0.into()));
        }
    }

    fn enter(&mut self, phase: MatchPhase, tick: Tick, ticks: u32) {
        (self.phase, self.ends) = (phase, Some(tick.after(ticks)));
    }

    fn finish(&mut self, winner: Option<u8>, tick: Tick) {
        self.winner = winner;
        self.enter(MatchPhase::Results, tick, RESULTS);
    }

    fn start(&mut self, tick: Tick) -> ArrayVec<Order, 2> {
        *self = Referee::new(self.config.clone(), self.is_duel);
        let mut orders = self.kick_off(tick, None, COUNTDOWN);
        orders.insert(0, Order::NewMatch);
        orders
    }

    fn kick_off(&mut self, tick: Tick, to: Option<u8>, held: u32) -> ArrayVec<Order, 2> {
        self.winner = None;
        self.enter(MatchPhase::Countdown, tick, held);
        std::iter::once(Order::KickOff { to, held }).collect()
    }

    fn time_up(&mut self, tick: Tick) -> ArrayVec<Order, 2> {
        let [left, right] = self.goals;
        if left == right && !self.overtime && self.config.overtime_s > 0 {
            self.overtime = true;
            self.left = self.config.overtime_s * TICK_HZ;
            return self.kick_off(tick, None, COUNTDOWN);
        }
        self.finish((left != right).then_some(u8::from(right > left)), tick);
        ArrayVec::new()
    }
}

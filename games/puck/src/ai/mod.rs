//! The AI player: from what a client sees to an input.
//!
//! The one of a team who is first at the puck attacks: it goes behind the puck, drives it at the opposing goal and
//! kicks when the kick flies there. In teams, the last of the others keeps the goal, and the rest wait for a rebound.

pub mod player;

use arrayvec::ArrayVec;
use broadside_shared::ids::PlayerId;
use broadside_shared::time::Tick;
use fastrand::Rng;
use glam::Vec2;

use crate::fields::DiscView;
use crate::input::PuckInput;
use crate::own::LocalPlayerState;
use crate::play::{Disc, PuckState};
use crate::rink::{between_boards, goal_of, in_goal_of};
use crate::rules::{DISC, DISC_DRAG, GOAL_HALF, HALF_LENGTH, KICK, KICK_GAP, PLAYERS_MAX, PUCK, PUSH, TICK_HZ, TICK_S};

/// Furthest look ahead along the puck's path, in ticks.
const LOOK_AHEAD: usize = 72;
/// Speed that an AI counts on for itself and others, in units/s.
const RUN: f32 = 380.0;
/// Ticks from one thought to the next of the slowest AI.
const SLOWEST: f32 = 14.0;
/// Worst aim, in units at the goal line.
const WORST_AIM: f32 = 170.0;

/// Gap between a rival and the puck below which the puck is contested: pushing is of no use, a kick is.
const CONTESTED_GAP: f32 = 24.0;

/// What an AI sees.
#[derive(Debug)]
pub struct Seen<'a> {
    /// The tick of the next input.
    pub tick: Tick,
    /// The own state, at `tick`.
    pub own: &'a LocalPlayerState,
    /// Every disc, as last seen.
    pub discs: &'a [DiscView],
}

/// An AI of one player.
#[derive(Debug)]
pub struct Ai {
    rng: Rng,
    /// 0 to 1.
    skill: f32,
    /// How far beside its mark it aims, in units at the goal line; another one for each thought.
    aim_error: f32,
    plan: Plan,
    thought_at: Tick,
}

#[derive(Debug, Clone, Copy, Default)]
struct Plan {
    /// Where to go.
    target: Vec2,
    /// Whether to arrive at full speed.
    through: bool,
}

/// What the plan is made of: the situation from the point of view of one team.
struct Scene<'a> {
    me: &'a Disc,
    others: ArrayVec<DiscView, PLAYERS_MAX>,
    /// The puck's path, one point per tick from now.
    path: ArrayVec<Vec2, LOOK_AHEAD>,
    /// The middle of the own goal, and of the other.
    home: Vec2,
    away: Vec2,
}

impl Ai {
    /// An AI of a skill from 0 to 1; equal seeds make equal AIs.
    #[must_use]
    pub fn new(seed: u64, skill: f32) -> Ai {
        let skill = skill.clamp(0.0, 1.0);
        Ai { rng: Rng::with_seed(seed), skill, aim_error: 0.0, plan: Plan::default(), thought_at: Tick(0) }
    }

    /// The input for the next tick.
    pub fn think(&mut self, seen: &Seen<'_>) -> PuckInput {
        let me = seen.own.disc();
        let puck = seen.own.play.puck;
        let rest = ((1.0 - self.skill) * SLOWEST) as u32;
        if self.thought_at == Tick(0) || seen.tick.since(self.thought_at) > rest || seen.tick < self.thought_at {
            self.thought_at = seen.tick;
            self.aim_error = (self.rng.f32() - 0.5) * 2.0 * WORST_AIM * (1.0 - self.skill);
            let scene = Scene::of(seen, me, puck);
            self.plan = self.choose(&scene);
        }
        let push = steer(me, self.plan) * (0.65 + 0.35 * self.skill);
        let rivals = seen.discs.iter().filter(|disc| disc.team != me.team);
        let contested = rivals.map(|disc| disc.at.distance(puck.at) - DISC - PUCK).any(|gap| gap < CONTESTED_GAP);
        PuckInput::new(push, !me.spent && self.kicks_well(me, &puck, contested))
    }

    fn choose(&self, scene: &Scene<'_>) -> Plan {
        let attacks = scene.am_first();
        let mates = scene.others.iter().filter(|disc| disc.team == scene.me.team).count();
        if attacks || (mates > 0 && scene.am_last() && scene.can_clear()) {
            return self.attack(scene);
        }
        if mates == 0 || scene.am_last() { scene.keep_goal() } else { scene.support() }
    }

    /// Goes behind the puck, then through it toward the goal.
    fn attack(&self, scene: &Scene<'_>) -> Plan {
        let at = scene.meet();
        let me = scene.me.at;
        let aim = scene.mark() + Vec2::Y * self.aim_error;
        let direction = (aim - at).normalize_or(Vec2::X);
        let side = direction.perp();
        let (along, beside) = ((me - at).dot(direction), (me - at).dot(side));
        let clearance = DISC + PUCK;
        if along > -clearance * 0.5 && (me - at).length() < clearance * 4.0 {
            // On the wrong side: around it, not through it.
            let round = side * (clearance + 14.0).copysign(beside) - direction * clearance;
            return Plan { target: between_boards(at + round, DISC), through: true };
        }
        let behind = between_boards(at - direction * (clearance + 12.0), DISC);
        if along < 0.0 && beside.abs() < 14.0 || me.distance(behind) < 16.0 {
            return Plan { target: at + direction * 60.0, through: true };
        }
        Plan { target: behind, through: me.distance(behind) > 120.0 }
    }

    /// Whether a kick now flies at the goal, or at least out of danger or of the reach of a rival.
    fn kicks_well(&self, me: &Disc, puck: &PuckState, contested: bool) -> bool {
        if me.gap_to(puck.at) > KICK_GAP {
            return false;
        }
        let (home, away) = (goal_of(me.team), goal_of(1 - me.team));
        let flight = puck.velocity + (puck.at - me.at).normalize_or(Vec2::X) * KICK;
        let open = GOAL_HALF - PUCK + self.aim_error.abs() * 0.5;
        if crossing(puck.at, flight, away.x).is_some_and(|y| y.abs() < open) {
            return true;
        }
        let is_near_home = puck.at.distance(home) < HALF_LENGTH * 0.7;
        let is_safe = crossing(puck.at, flight, home.x).is_none_or(|y| y.abs() > GOAL_HALF + 2.0 * PUCK);
        (is_near_home || contested) && is_safe && flight.x * away.x.signum() > -KICK / 3.0
    }
}

impl<'a> Scene<'a> {
    fn of(seen: &Seen<'_>, me: &'a Disc, puck: PuckState) -> Scene<'a> {
        let others = seen.discs.iter().filter(|disc| disc.player != me.player).copied().take(PLAYERS_MAX).collect();
        let mut ahead = puck;
        let path = std::iter::once(puck.at).chain(std::iter::repeat_with(|| {
            ahead.advance();
            ahead.at
        }));
        let path = path.take(LOOK_AHEAD).collect();
        Scene { me, others, path, home: goal_of(me.team), away: goal_of(1 - me.team) }
    }

    /// Ticks until something at `at` can be at the puck, and where that is. Ahead of the puck, the way around it counts.
    fn reach(&self, at: Vec2, team: u8) -> (usize, Vec2) {
        let toward = goal_of(1 - team).x.signum();
        let late = |tick: usize, puck: Vec2| {
            let detour = if (at.x - puck.x) * toward > 0.0 { 90.0 } else { 0.0 };
            let way = (at.distance(puck) - DISC - PUCK).max(0.0) + detour;
            way > tick as f32 * TICK_S * RUN
        };
        let met = self.path.iter().enumerate().find(|(tick, puck)| !late(*tick, **puck));
        let last = (LOOK_AHEAD + self.me.at.distance(self.path[LOOK_AHEAD - 1]) as usize, self.path[LOOK_AHEAD - 1]);
        met.map_or(last, |(tick, puck)| (tick, *puck))
    }

    /// Where this AI meets the puck.
    fn meet(&self) -> Vec2 {
        self.reach(self.me.at, self.me.team).1
    }

    fn ticks_of(&self, at: Vec2, team: u8) -> usize {
        let (ticks, puck) = self.reach(at, team);
        // Those who cannot reach it in time are compared by distance.
        if ticks >= LOOK_AHEAD { LOOK_AHEAD + at.distance(puck) as usize } else { ticks }
    }

    /// Whether nobody of the own team is sooner at the puck.
    fn am_first(&self) -> bool {
        let mine = (self.ticks_of(self.me.at, self.me.team), self.me.player);
        let mates = self.others.iter().filter(|disc| disc.team == self.me.team);
        mates.map(|mate| (self.ticks_of(mate.at, mate.team), mate.player)).all(|theirs| mine < theirs)
    }

    /// Whether nobody of those who do not attack is nearer to the own goal.
    fn am_last(&self) -> bool {
        let mates = || self.others.iter().filter(|disc| disc.team == self.me.team);
        let first: Option<PlayerId> =
            mates().min_by_key(|mate| (self.ticks_of(mate.at, mate.team), mate.player)).map(|mate| mate.player);
        let mine = self.me.at.distance(self.home);
        mates().filter(|mate| Some(mate.player) != first).all(|mate| mine <= mate.at.distance(self.home))
    }

    /// Whether the keeper is sooner at the puck than every opponent, near the goal.
    fn can_clear(&self) -> bool {
        let mine = self.ticks_of(self.me.at, self.me.team);
        let theirs = self.others.iter().filter(|disc| disc.team != self.me.team);
        self.meet().distance(self.home) < 330.0
            && theirs.map(|disc| self.ticks_of(disc.at, disc.team)).all(|t| mine < t)
    }

    /// The part of the opposing goal that is least guarded.
    fn mark(&self) -> Vec2 {
        let from = self.path[0];
        let guarded = |mark: Vec2| {
            let line = (mark - from).normalize_or(Vec2::X);
            let off = |disc: &DiscView| {
                let to = disc.at - from;
                if to.dot(line) < 0.0 { f32::INFINITY } else { to.perp_dot(line).abs() }
            };
            let rivals = self.others.iter().filter(|disc| disc.team != self.me.team);
            rivals.map(off).fold(200.0, f32::min)
        };
        let marks = [0.0, -0.6, 0.6].map(|share| self.away + Vec2::Y * (share * GOAL_HALF));
        // The middle, unless a corner is clearly better.
        let best = |a: Vec2, b: Vec2| if guarded(b) > guarded(a) + 12.0 { b } else { a };
        marks.into_iter().reduce(best).unwrap_or(self.away)
    }

    /// Between the puck and the own goal, or where a shot will cross the line.
    fn keep_goal(&self) -> Plan {
        let toward = -self.home.x.signum();
        let shot = self.path.iter().find(|puck| in_goal_of(**puck).is_some() && puck.x * self.home.x > 0.0);
        if let Some(crossing) = shot {
            let target = Vec2::new(self.home.x + toward * (DISC + 16.0), crossing.y);
            return Plan { target, through: self.me.at.distance(target) > 60.0 };
        }
        let puck = self.path[(TICK_HZ / 6) as usize];
        let out = (puck.distance(self.home) * 0.28).clamp(70.0, 190.0);
        let mut target = self.home + (puck - self.home).normalize_or(Vec2::X * toward) * out;
        target.y = target.y.clamp(-GOAL_HALF, GOAL_HALF);
        Plan { target: between_boards(target, DISC), through: false }
    }

    /// Open on the other side of the puck, ready for a rebound.
    fn support(&self) -> Plan {
        let puck = self.path[(TICK_HZ / 3) as usize];
        let ahead = self.away.x.signum();
        let side = if puck.y > 0.0 { -1.0 } else { 1.0 };
        let target = Vec2::new(puck.x - ahead * 60.0, puck.y * 0.3 + side * 170.0);
        Plan { target: between_boards(target, DISC), through: false }
    }
}

/// The push that takes a disc to its target.
fn steer(me: &Disc, plan: Plan) -> Vec2 {
    let way = plan.target - me.at;
    let speed = if plan.through { PUSH / DISC_DRAG } else { way.length() * 5.0 };
    let wanted = way.normalize_or_zero() * speed.min(PUSH / DISC_DRAG);
    (wanted * DISC_DRAG + (wanted - me.velocity) * 10.0) / PUSH
}

/// Where a straight flight crosses the line at `x`; `None` if it flies away from it.
fn crossing(from: Vec2, flight: Vec2, x: f32) -> Option<f32> {
    let share = (x - from.x) / flight.x;
    (share.is_finite() && share > 0.0).then_some(from.y + flight.y * share)
}

//! Sparring: AIs against AIs without a network, for tuning the rules and the AI, and for comparing skills in tests.

use glam::Vec2;
use std::collections::VecDeque;

use super::ai::{Ai, Seen};
use super::record_view::{RecordView, Scene};
use super::rules::VIEW;
use super::{Arena, ArenaConfig, ArenaEvent, ArenaInput, ArenaRequest, Cause, Craft};
use broadside_shared::game::{AddressedEvent, Game, PlayerInput};
use broadside_shared::history::History;
use broadside_shared::ids::PlayerId;
use broadside_shared::replication::fields::Record;
use broadside_shared::time::{Tick, ViewTime};

/// Delay with which an AI sees other ships, in ticks: interpolation and a short link together.
const LATE: usize = 9;

/// Statistics of one AI.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AiStats {
    /// Shots fired.
    pub shots: u32,
    /// Shots that hit a ship.
    pub hits: u32,
    /// Beams fired.
    pub beams: u32,
    /// Beams that hit a ship.
    pub beam_hits: u32,
    /// Ships sunk by beams.
    pub beam_kills: u32,
    /// Ships sunk by any means.
    pub kills: u32,
    /// Ships lost.
    pub deaths: u32,
    /// Of those, lost to rocks or the border.
    pub wrecked: u32,
    /// Pickups taken.
    pub pickups: u32,
    /// Ticks with a ship.
    pub afloat: u32,
    /// Ticks with a ship and without a hit given or taken in the last eight seconds.
    pub idle: u32,
    /// Lives in which a hit was given or taken.
    pub meetings: u32,
    /// Ticks from launch to the first hit given or taken, over those lives.
    pub waits: u32,
    /// Ticks from the first hit taken on a whole hull to sinking, over the deaths by others.
    pub fights: u32,
}

/// An AI in the match.
#[derive(Debug)]
struct Fighter {
    ai: Ai,
    stats: AiStats,
    launched: Tick,
    /// The last hit given or taken.
    touched: Option<Tick>,
    /// The first hit taken in the current fight.
    wounded: Option<Tick>,
}

/// A match between AIs that see what clients see: their view, rounded, and other ships slightly late.
#[derive(Debug)]
pub struct Sparring {
    arena: Arena,
    tick: Tick,
    fighters: Vec<Fighter>,
    inputs: Vec<PlayerInput<ArenaInput>>,
    records: Vec<(Vec2, Record)>,
    past: VecDeque<Vec<(Vec2, Record)>>,
    scene: Scene,
    events: Vec<AddressedEvent<ArenaEvent>>,
    history: History,
}

/// Lets as many AIs of each craft fight each other, of several skills, and gives the ships that each craft sank and lost.
#[must_use]
pub fn tournament(seed: u64, ticks: u32, crafts: &[Craft]) -> Vec<(u32, u32)> {
    const SKILLS: [f32; 4] = [0.35, 0.5, 0.65, 0.8];
    let pilots: Vec<(f32, Craft)> =
        SKILLS.iter().flat_map(|skill| crafts.iter().map(|craft| (*skill, *craft))).collect();
    let mut sparring = Sparring::with_crafts(seed, &pilots);
    sparring.run(ticks);
    let mut sums = vec![(0, 0); crafts.len()];
    for (at, stats) in sparring.stats().enumerate() {
        let sum = &mut sums[at % crafts.len()];
        *sum = (sum.0 + stats.kills, sum.1 + stats.deaths);
    }
    sums
}

impl Sparring {
    /// A match of one AI per skill, in that order, all in the usual craft.
    #[must_use]
    pub fn new(seed: u64, skills: &[f32]) -> Sparring {
        let usual: Vec<(f32, Craft)> = skills.iter().map(|skill| (*skill, Craft::default())).collect();
        Sparring::with_crafts(seed, &usual)
    }

    /// A match of one AI per skill and craft, in that order.
    #[must_use]
    pub fn with_crafts(seed: u64, pilots: &[(f32, Craft)]) -> Sparring {
        let mut arena = Arena::new(&ArenaConfig::default(), Default::default(), seed);
        let mut events = Vec::new();
        let mut fighters = Vec::new();
        for (index, (skill, craft)) in pilots.iter().enumerate() {
            let player = PlayerId(index as u16);
            arena.join(player, Tick(0), &mut events);
            let chosen = arena.handle_request(player, &ArenaRequest::Fly(*craft), Tick(0), &mut events);
            chosen.expect("any craft may be chosen");
            fighters.push(Fighter {
                ai: Ai::new(seed.wrapping_add(index as u64 * 7919), *skill),
                stats: AiStats::default(),
                launched: Tick(0),
                touched: None,
                wounded: None,
            });
        }
        Sparring {
            arena,
            tick: Tick(0),
            fighters,
            inputs: Vec::new(),
            records: Vec::new(),
            past: VecDeque::new(),
            scene: Scene::default(),
            events,
            history: History::default(),
        }
    }

    /// Runs the match for `ticks` ticks.
    pub fn run(&mut self, ticks: u32) {
        for _ in 0..ticks {
            self.think();
            self.tick = self.tick.after(1);
            self.events.clear();
            self.arena.step(self.tick, &self.inputs, &self.history, &mut self.events);
            self.history.record(self.tick, |poses| self.arena.poses(poses));
            self.keep_score();
        }
    }

    /// The statistics of each AI, in order of seat.
    pub fn stats(&self) -> impl Iterator<Item = AiStats> {
        self.fighters.iter().map(|fighter| fighter.stats)
    }

    /// The arena of the match.
    #[must_use]
    pub fn arena(&self) -> &Arena {
        &self.arena
    }

    /// The events of the last tick.
    #[must_use]
    pub fn events(&self) -> &[AddressedEvent<ArenaEvent>] {
        &self.events
    }

    fn think(&mut self) {
        self.records.clear();
        self.arena.replicate(self.tick, &mut self.records);
        let mut past = if self.past.len() > LATE { self.past.pop_front().unwrap_or_default() } else { Vec::new() };
        past.clear();
        past.extend(self.records.iter().filter(|(_, record)| super::fields::is_ship(record.kind)));
        self.past.push_back(past);
        self.inputs.clear();
        for (index, fighter) in self.fighters.iter_mut().enumerate() {
            let player = PlayerId(index as u16);
            let Some(own) = self.arena.player_state(player) else { continue };
            let in_view = |at: Vec2| {
                let offset = (at - own.position).abs();
                offset.x < VIEW.x * 0.5 && offset.y < VIEW.y * 0.5
            };
            self.scene.clear();
            let others = self.records.iter().filter(|(_, record)| !super::fields::is_ship(record.kind));
            let late = self.past.front().into_iter().flatten();
            for view in others.chain(late).filter(|(at, _)| in_view(*at)).filter_map(|(_, r)| RecordView::of(r)) {
                self.scene.add(view);
            }
            let ships_at = f64::from(self.tick.before(self.past.len() as u32 - 1).0);
            let seen = Seen { tick: self.tick, own, scene: &self.scene, ships_at };
            self.inputs.push(PlayerInput {
                player,
                input: fighter.ai.think(&seen),
                view: ViewTime::from_ticks(ships_at),
            });
        }
    }

    fn keep_score(&mut self) {
        let tick = self.tick;
        for shot in self.arena.shots.iter().filter(|shot| shot.start == tick) {
            self.fighters[usize::from(shot.owner.0)].stats.shots += 1;
        }
        for beam in self.arena.beams.iter().filter(|beam| beam.start == tick) {
            self.fighters[usize::from(beam.owner.0)].stats.beams += 1;
        }
        for event in &self.events {
            match event.event {
                ArenaEvent::Pierced { target, by, .. } => {
                    self.fighters[usize::from(by.0)].stats.beam_hits += 1;
                    self.fighters[usize::from(by.0)].touch(tick);
                    self.fighters[usize::from(target.0)].wounded_at(tick);
                }
                ArenaEvent::Hit { target, by, .. } => {
                    self.fighters[usize::from(by.0)].stats.hits += 1;
                    self.fighters[usize::from(by.0)].touch(tick);
                    self.fighters[usize::from(target.0)].wounded_at(tick);
                }
                ArenaEvent::KillFeed { victim, by, cause, .. } => {
                    if let Some(by) = by {
                        self.fighters[usize::from(by.0)].stats.kills += 1;
                        self.fighters[usize::from(by.0)].stats.beam_kills += u32::from(cause == Cause::Rail);
                    }
                    self.fighters[usize::from(victim.0)].sink(tick, cause);
                }
                ArenaEvent::Launched { player, .. } => {
                    let fighter = &mut self.fighters[usize::from(player.0)];
                    (fighter.launched, fighter.touched, fighter.wounded) = (tick, None, None);
                }
                ArenaEvent::Picked { player, .. } => self.fighters[usize::from(player.0)].stats.pickups += 1,
                ArenaEvent::Chipped { .. }
                | ArenaEvent::Dealt { .. }
                | ArenaEvent::Railed { .. }
                | ArenaEvent::Struck { .. }
                | ArenaEvent::Assisted { .. }
                | ArenaEvent::Blast { .. }
                | ArenaEvent::Sunk { .. } => {}
            }
        }
        for (fighter, seat) in self.fighters.iter_mut().zip(self.arena.seats()) {
            if !seat.own.afloat() {
                continue;
            }
            fighter.stats.afloat += 1;
            let last = fighter.touched.unwrap_or(fighter.launched);
            fighter.stats.idle += u32::from(tick.since(last) > 480);
            if seat.own.hull == seat.own.spec().hull {
                fighter.wounded = None;
            }
        }
    }
}

impl Fighter {
    fn touch(&mut self, tick: Tick) {
        if self.touched.is_none() {
            self.stats.meetings += 1;
            self.stats.waits += tick.since(self.launched);
        }
        self.touched = Some(tick);
    }

    fn wounded_at(&mut self, tick: Tick) {
        self.touch(tick);
        self.wounded.get_or_insert(tick);
    }

    fn sink(&mut self, tick: Tick, cause: Cause) {
        self.stats.deaths += 1;
        match cause {
            Cause::Cannon | Cause::Rail | Cause::Mine => self.stats.fights += tick.since(self.wounded.unwrap_or(tick)),
            Cause::Rock | Cause::Border => self.stats.wrecked += 1,
        }
    }
}

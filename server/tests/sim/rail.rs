//! The rail gun over simulated links: a shot's outcome on the shooter's screen against the server's judgement.

use broadside_arena::ship::causes;
use std::cell::RefCell;

use broadside_arena::ai::{Ai, Seen};
use broadside_arena::fields::{BEAM, ROCK, SHIP};
use broadside_arena::input::{radians_of, turn_of};
use broadside_arena::record_view::{Scene, ShipView};
use broadside_arena::rules::{DT, RAIL_RANGE, SHIP_RADIUS, TURN};
use broadside_arena::shot::first_touch;
use broadside_arena::{Arena, ArenaEvent, ArenaInput, Beam};
use broadside_shared::client::{Client, ClientEvent, View};
use broadside_shared::game::{CorrectionCause, Game};
use broadside_shared::history::REWIND_MS_MAX;
use broadside_shared::ids::PlayerId;
use broadside_shared::link::LinkProfile;
use broadside_shared::math;
use broadside_shared::replication::fields::Record;
use broadside_shared::time::{Tick, ViewTime};
use glam::Vec2;

use broadside_sim::Sim;

/// Players in the arena, each both shooter and target.
const GUNNERS: usize = 12;
/// A beam that passes the edge of a drawn ship by no more than this, in world units, is a graze: positions are quantized on their way to
/// the client, so that either judgement is right.
const GRAZE: f32 = 1.0;

/// A shot as its shooter saw it, and the server's judgement.
#[derive(Debug, Clone, Copy)]
struct Fired {
    tick: Tick,
    /// The player that the beam hit on the shooter's screen.
    saw: Option<PlayerId>,
    graze: bool,
    /// Whether the server fired it too. An input that arrives too late fires nothing, and the client withdraws the beam.
    real: bool,
    /// Whether the ship it hit had already sunk at the time of the shot, which no view of the past can show.
    sunk_since: bool,
    /// The player that the server's event names as hit.
    judged: Option<PlayerId>,
}

/// Counts over all shots of a run.
#[derive(Debug, Clone, Copy, Default)]
struct Totals {
    judged: u32,
    /// Not fired by the server.
    withdrawn: u32,
    /// Screen and server agree on the target, or on a miss.
    agreed: u32,
    /// Disagreements over a graze.
    grazes: u32,
    /// Disagreements over a ship that had already sunk.
    sunk_since: u32,
    /// Hits on the shooter's screen, and hits by the server's judgement.
    saw: u32,
    hits: u32,
}

impl Totals {
    fn agreement(&self) -> f64 {
        100.0 * f64::from(self.agreed + self.grazes) / f64::from(self.judged.max(1))
    }

    /// The same without the shots whose target had sunk in the meantime.
    fn agreement_on_the_living(&self) -> f64 {
        100.0 * f64::from(self.agreed + self.grazes) / f64::from((self.judged - self.sunk_since).max(1))
    }

    fn add(&mut self, fired: &Fired) {
        if !fired.real {
            self.withdrawn += 1;
            return;
        }
        let agreed = fired.saw == fired.judged;
        self.judged += 1;
        self.agreed += u32::from(agreed);
        self.grazes += u32::from(!agreed && fired.graze);
        self.sunk_since += u32::from(!agreed && !fired.graze && fired.sunk_since);
        self.saw += u32::from(fired.saw.is_some());
        self.hits += u32::from(fired.judged.is_some());
    }
}

/// A simulated player with a screen: aims where it sees a ship, with a random error, and fires once it points there.
struct Gunner {
    ai: Ai,
    rng: fastrand::Rng,
    scene: Scene,
    /// The frame drawn last.
    drawn: Scene,
    /// Aiming error at the target, in world units from its centre.
    miss: f32,
    holds_fire: bool,
    framed: bool,
    fired: Vec<Fired>,
}

impl Gunner {
    fn new(seed: u64) -> Gunner {
        Gunner {
            ai: Ai::new(seed, 0.6),
            rng: fastrand::Rng::with_seed(seed),
            scene: Scene::default(),
            drawn: Scene::default(),
            miss: 0.0,
            holds_fire: false,
            framed: false,
            fired: Vec::new(),
        }
    }

    fn decide(&mut self, client: &Client<Arena>) -> ArenaInput {
        self.framed = true;
        let Some(own) = client.local_player() else { return ArenaInput::default() };
        self.scene.fill(client.replica().records());
        let ships_at = client.snapshot_tick().map_or(0.0, |tick| f64::from(tick.0));
        let seen = Seen { tick: client.tick(), own, scene: &self.scene, ships_at };
        let mut input = self.ai.think(&seen);
        input.buttons &= !(ArenaInput::FIRE | ArenaInput::RAIL);
        let from = own.position + own.velocity * DT;
        let clear = |at: Vec2| {
            self.drawn.rocks.iter().all(|rock| first_touch(from - rock.at, at - rock.at, rock.radius).is_none())
        };
        let reach = |ship: &&ShipView| {
            let distance = (ship.position - from).length();
            (60.0..RAIL_RANGE - 50.0).contains(&distance) && !ship.protected() && clear(ship.position)
        };
        let near = |a: &&ShipView, b: &&ShipView| {
            (a.position - from).length_squared().total_cmp(&(b.position - from).length_squared())
        };
        if own.rail > 20 || self.holds_fire || !own.afloat() {
            return input;
        }
        let Some(target) = self.drawn.ships.iter().filter(reach).min_by(near) else { return input };
        let offset = target.position - from;
        let aim = math::angle_of(offset) + self.miss / offset.length();
        input.aim = turn_of(aim);
        if own.rail == 0 && math::turn_between(own.heading_radians(), aim).abs() < radians_of(TURN) {
            input.buttons |= ArenaInput::RAIL;
            self.miss = (self.rng.f32() - 0.5) * 2.6 * SHIP_RADIUS;
        }
        input
    }

    /// Takes a drawn frame, in which a beam of the player's own may be new.
    fn look(&mut self, view: &View<Arena>) {
        self.framed = false;
        let beams =
            view.predicted_spawns.iter().filter(|spawn| spawn.kind == BEAM).map(|spawn| beam_of(view, spawn.values));
        for beam in beams {
            if self.fired.last().is_none_or(|fired| fired.tick < beam.start) {
                self.fired.push(self.judge(&beam));
            }
        }
        self.drawn.clear();
        for entity in &view.entities {
            match entity.kind {
                SHIP => self.drawn.ships.push(ShipView::read(entity.id, entity.kind, &entity.values)),
                ROCK => {
                    let [x, y, radius, ..] = entity.values;
                    self.drawn.rocks.push(broadside_arena::Rock { id: entity.id, at: Vec2::new(x, y), radius });
                }
                _ => {}
            }
        }
    }

    /// The outcome of a beam on the screen at the moment of firing.
    fn judge(&self, beam: &Beam) -> Fired {
        let ships = self.drawn.ships.iter().filter(|ship| !ship.protected() && ship.player != beam.owner);
        let hit = |radius: f32| {
            let touched = ships.clone().filter_map(|ship| Some((beam.touches(ship.position, radius)?, ship.player)));
            touched.min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, player)| player)
        };
        let saw = hit(SHIP_RADIUS);
        let graze = [SHIP_RADIUS - GRAZE, SHIP_RADIUS + GRAZE].iter().any(|radius| hit(*radius) != saw);
        Fired { tick: beam.start, saw, graze, real: false, sunk_since: false, judged: None }
    }
}

fn beam_of(view: &View<Arena>, values: [f32; broadside_shared::replication::fields::FIELDS_MAX]) -> Beam {
    let [x, y, heading, length, start, ..] = values;
    let owner = view.own.as_ref().map_or(PlayerId(0), |own| own.current.player);
    let id = broadside_shared::ids::EntityId::default();
    Beam { id, owner, origin: Vec2::new(x, y), heading: turn_of(heading), length, start: Tick(start as u32) }
}

/// Lets the gunners fight over a link for `seconds`, and compares their screens with the server's judgement.
fn duel(link: &str, seconds: f64, lag_compensation: bool) -> Totals {
    let profile = LinkProfile::named(link).expect("a known link profile");
    let mut sim = Sim::<Arena>::new(17, 2);
    let gunners: Vec<RefCell<Gunner>> = (0..GUNNERS).map(|index| RefCell::new(Gunner::new(index as u64))).collect();
    for _ in &gunners {
        let index = sim.connect(&profile);
        sim.clients[index].client.set_lag_compensation(lag_compensation);
    }
    let mut drive = |index: usize, client: &Client<Arena>| gunners[index].borrow_mut().decide(client);
    let mut records: Vec<(Vec2, Record)> = Vec::new();
    let mut observe = |sim: &mut Sim<Arena>| {
        records.clear();
        sim.room().game().replicate(Tick(0), &mut records);
        let beams: Vec<Beam> =
            records.iter().filter(|(_, record)| record.kind == BEAM).map(|(_, record)| Beam::read(record)).collect();
        let is_afloat = |player| sim.room().game().player_state(player).is_some_and(|state| state.afloat());
        let afloat: Vec<bool> = (0..sim.clients.len()).map(|player| is_afloat(PlayerId(player as u16))).collect();
        for (c, gunner) in sim.clients.iter_mut().zip(&gunners) {
            let mut gunner = gunner.borrow_mut();
            for fired in gunner.fired.iter_mut().rev().take(2) {
                let own = |beam: &Beam| Some(beam.owner) == c.client.player() && beam.start == fired.tick;
                if !fired.real && beams.iter().any(own) {
                    fired.real = true;
                    fired.sunk_since = fired.saw.is_some_and(|player| !afloat[usize::from(player.0)]);
                }
            }
            for event in c.events.drain(..) {
                if let ClientEvent::Game(ArenaEvent::Railed { target, ago, .. }) = event {
                    let judged_ms = u32::from(ago) * 1000 / (ViewTime::PARTS * Arena::TICK_HZ);
                    assert!(judged_ms <= REWIND_MS_MAX, "{link}: judged {judged_ms} ms ago");
                    if let Some(fired) = gunner.fired.last_mut() {
                        fired.judged = Some(target);
                    }
                }
            }
            if gunner.framed {
                gunner.look(c.client.view(sim.now));
            }
        }
    };
    for gunner in &gunners {
        gunner.borrow_mut().holds_fire = true;
    }
    sim.run_observed(4.0, &mut drive, &mut observe);
    for gunner in &gunners {
        gunner.borrow_mut().holds_fire = false;
    }
    sim.run_observed(seconds, &mut drive, &mut observe);
    for gunner in &gunners {
        gunner.borrow_mut().holds_fire = true;
    }
    sim.run_observed(2.0, &mut drive, &mut observe);

    let mut totals = Totals::default();
    for gunner in &gunners {
        gunner.borrow().fired.iter().for_each(|fired| totals.add(fired));
    }
    let suffix = if lag_compensation { "" } else { ", not compensated" };
    let (all, living) = (totals.agreement(), totals.agreement_on_the_living());
    println!("{link}{suffix}: {all:.2} % agreed, {living:.2} % on those still afloat; {totals:?}");
    totals
}

#[test]
fn the_server_judges_what_the_shooter_saw_over_every_playable_link() {
    for link in ["clean", "4g", "lte", "far"] {
        let totals = duel(link, 100.0, true);
        let without = duel(link, 40.0, false);
        assert!(totals.judged >= 300, "{link}: {totals:?}");
        assert!(totals.saw * 2 > totals.judged, "{link}: the gunners can shoot: {totals:?}");
        assert!(totals.agreement_on_the_living() > 98.0, "{link}: {totals:?}");
        assert!(without.agreement() < totals.agreement() - 10.0, "{link}: {without:?}");
    }
}

#[test]
fn every_correction_of_a_battle_has_a_cause() {
    let mut sim = Sim::<Arena>::new(23, 2);
    let mut ais: Vec<(Ai, Scene)> = Vec::new();
    for index in 0..GUNNERS {
        sim.connect(&LinkProfile::named("4g").expect("a known link profile"));
        ais.push((Ai::new(index as u64, 0.5 + 0.04 * index as f32), Scene::default()));
    }
    let mut drive = |index: usize, client: &Client<Arena>| {
        let Some(own) = client.local_player() else { return ArenaInput::default() };
        let (ai, scene) = &mut ais[index];
        scene.fill(client.replica().records());
        let ships_at = client.snapshot_tick().map_or(0.0, |tick| f64::from(tick.0));
        ai.think(&Seen { tick: client.tick(), own, scene, ships_at })
    };
    sim.run(60.0, &mut drive);
    let mut sums = [0u64; CorrectionCause::COUNT_MAX];
    for c in &sim.clients {
        for (sum, count) in sums.iter_mut().zip(c.client.stats().corrections) {
            *sum += count;
        }
    }
    for (cause, sum) in CorrectionCause::all::<Arena>().zip(sums) {
        println!("{}: {sum}", cause.name::<Arena>());
    }
    assert!(sums[causes::COLLISION.index()] > 0, "a battle without contact proves little");
    assert!(sums[CorrectionCause::RESPAWN.index()] > 0);
    assert_eq!(sums[CorrectionCause::UNKNOWN.index()], 0);
}

//! The rail over simulated lines: what a shooter's own picture said of a shot, against what the server judged.

use std::cell::RefCell;

use broadside_shared::arena::ai::{Ai, Seen};
use broadside_shared::arena::fields::{BEAM, ROCK, SHIP};
use broadside_shared::arena::input::{radians_of, turn_of};
use broadside_shared::arena::record_view::{Scene, ShipView};
use broadside_shared::arena::rules::{DT, RAIL_RANGE, SHIP_RADIUS, TURN};
use broadside_shared::arena::shot::first_touch;
use broadside_shared::arena::{Arena, ArenaEvent, ArenaInput, Beam};
use broadside_shared::client::{Client, ClientEvent, View};
use broadside_shared::game::{CorrectionCause, Game};
use broadside_shared::history::REWIND_MS_MAX;
use broadside_shared::ids::PlayerId;
use broadside_shared::link::LinkProfile;
use broadside_shared::math;
use broadside_shared::replication::fields::Record;
use broadside_shared::time::{Tick, ViewTime};
use glam::Vec2;

use crate::harness::Sim;

/// Pilots in the arena, each shooter and target.
const PILOTS: usize = 12;
/// A beam that passes the edge of a drawn ship by no more than this, in world units, is a graze: positions are rounded on their
/// way to the client, and either word on it is right.
const GRAZE: f32 = 1.0;

/// A shot as its shooter saw it, and the server's word on it.
#[derive(Debug, Clone, Copy)]
struct Fired {
    tick: Tick,
    /// Whom the beam met on the shooter's screen.
    saw: Option<PlayerId>,
    graze: bool,
    /// Whether the server fired it too: an input that came too late fires nothing, and the client withdraws the beam.
    real: bool,
    /// Whether the ship it met had sunk by the time of the shot, which no picture of the past can tell.
    sunk_since: bool,
    told: Option<PlayerId>,
}

/// What all shots of a run came to.
#[derive(Debug, Clone, Copy, Default)]
struct Figures {
    judged: u32,
    /// Not fired by the server.
    withdrawn: u32,
    /// Whom the shooter saw hit, and nobody else, is whom the server says is hit.
    agreed: u32,
    /// Not agreed, but a graze.
    grazes: u32,
    /// Not agreed, for the ship had sunk since.
    sunk_since: u32,
    saw: u32,
    told: u32,
}

impl Figures {
    fn agreement(&self) -> f64 {
        100.0 * f64::from(self.agreed + self.grazes) / f64::from(self.judged.max(1))
    }

    /// The same of the shots whose target had not been sunk by somebody in the meantime.
    fn agreement_on_the_living(&self) -> f64 {
        100.0 * f64::from(self.agreed + self.grazes) / f64::from((self.judged - self.sunk_since).max(1))
    }

    fn take(&mut self, fired: &Fired) {
        if !fired.real {
            self.withdrawn += 1;
            return;
        }
        let agreed = fired.saw == fired.told;
        self.judged += 1;
        self.agreed += u32::from(agreed);
        self.grazes += u32::from(!agreed && fired.graze);
        self.sunk_since += u32::from(!agreed && !fired.graze && fired.sunk_since);
        self.saw += u32::from(fired.saw.is_some());
        self.told += u32::from(fired.told.is_some());
    }
}

/// A pilot with a screen: points where it sees a ship, with an unsteady hand, and pulls the trigger once it points there.
struct Pilot {
    ai: Ai,
    rng: fastrand::Rng,
    scene: Scene,
    /// The picture drawn last.
    drawn: Scene,
    /// By how far it points past the middle of its target, world units.
    miss: f32,
    holds_fire: bool,
    framed: bool,
    fired: Vec<Fired>,
}

impl Pilot {
    fn new(seed: u64) -> Pilot {
        Pilot {
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

    /// Takes the picture of a frame, in which a beam of one's own may be new.
    fn look(&mut self, view: &View<Arena>) {
        self.framed = false;
        let beams =
            view.predicted_spawns.iter().filter(|sight| sight.kind == BEAM).map(|sight| beam_of(view, sight.values));
        for beam in beams {
            if self.fired.last().is_none_or(|fired| fired.tick < beam.start) {
                self.fired.push(self.judge(&beam));
            }
        }
        self.drawn.clear();
        for thing in &view.entities {
            match thing.kind {
                SHIP => self.drawn.ships.push(ShipView::read(thing.id, thing.kind, &thing.values)),
                ROCK => {
                    let [x, y, radius, ..] = thing.values;
                    self.drawn.rocks.push(broadside_shared::arena::Rock { id: thing.id, at: Vec2::new(x, y), radius });
                }
                _ => {}
            }
        }
    }

    /// What the picture at the moment of firing says of a beam.
    fn judge(&self, beam: &Beam) -> Fired {
        let ships = self.drawn.ships.iter().filter(|ship| !ship.protected() && ship.player != beam.owner);
        let met = |radius: f32| {
            let touched = ships.clone().filter_map(|ship| Some((beam.touches(ship.position, radius)?, ship.player)));
            touched.min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, player)| player)
        };
        let saw = met(SHIP_RADIUS);
        let graze = [SHIP_RADIUS - GRAZE, SHIP_RADIUS + GRAZE].iter().any(|radius| met(*radius) != saw);
        Fired { tick: beam.start, saw, graze, real: false, sunk_since: false, told: None }
    }
}

fn beam_of(view: &View<Arena>, values: [f32; broadside_shared::replication::fields::FIELDS_MAX]) -> Beam {
    let [x, y, heading, length, start, ..] = values;
    let owner = view.own.as_ref().map_or(PlayerId(0), |own| own.current.player);
    let id = broadside_shared::ids::EntityId::default();
    Beam { id, owner, origin: Vec2::new(x, y), heading: turn_of(heading), length, start: Tick(start as u32) }
}

/// Lets twelve pilots fight over a line for some seconds, and compares their pictures with the server's word.
fn duel(line: &str, seconds: f64, lag_compensation: bool) -> Figures {
    let profile = LinkProfile::named(line).expect("a known line");
    let mut sim = Sim::<Arena>::new(17, 2);
    let pilots: Vec<RefCell<Pilot>> = (0..PILOTS).map(|index| RefCell::new(Pilot::new(index as u64))).collect();
    for _ in &pilots {
        let index = sim.connect(&profile);
        sim.clients[index].client.set_lag_compensation(lag_compensation);
    }
    let mut drive = |index: usize, client: &Client<Arena>| pilots[index].borrow_mut().decide(client);
    let mut records: Vec<(Vec2, Record)> = Vec::new();
    let mut watch = |sim: &mut Sim<Arena>| {
        records.clear();
        sim.room().game().replicate(Tick(0), &mut records);
        let beams: Vec<Beam> =
            records.iter().filter(|(_, record)| record.kind == BEAM).map(|(_, record)| Beam::read(record)).collect();
        let is_afloat = |player| sim.room().game().player_state(player).is_some_and(|state| state.afloat());
        let afloat: Vec<bool> = (0..sim.clients.len()).map(|player| is_afloat(PlayerId(player as u16))).collect();
        for (c, pilot) in sim.clients.iter_mut().zip(&pilots) {
            let mut pilot = pilot.borrow_mut();
            for fired in pilot.fired.iter_mut().rev().take(2) {
                let own = |beam: &Beam| Some(beam.owner) == c.client.player() && beam.start == fired.tick;
                if !fired.real && beams.iter().any(own) {
                    fired.real = true;
                    fired.sunk_since = fired.saw.is_some_and(|player| !afloat[usize::from(player.0)]);
                }
            }
            for event in c.events.drain(..) {
                if let ClientEvent::Game(ArenaEvent::Railed { target, ago, .. }) = event {
                    let judged_ms = u32::from(ago) * 1000 / (ViewTime::PARTS * Arena::TICK_HZ);
                    assert!(judged_ms <= REWIND_MS_MAX, "{line}: judged {judged_ms} ms ago");
                    if let Some(fired) = pilot.fired.last_mut() {
                        fired.told = Some(target);
                    }
                }
            }
            if pilot.framed {
                pilot.look(c.client.view(sim.now));
            }
        }
    };
    for pilot in &pilots {
        pilot.borrow_mut().holds_fire = true;
    }
    sim.run_watching(4.0, &mut drive, &mut watch);
    for pilot in &pilots {
        pilot.borrow_mut().holds_fire = false;
    }
    sim.run_watching(seconds, &mut drive, &mut watch);
    for pilot in &pilots {
        pilot.borrow_mut().holds_fire = true;
    }
    sim.run_watching(2.0, &mut drive, &mut watch);

    let mut figures = Figures::default();
    for pilot in &pilots {
        pilot.borrow().fired.iter().for_each(|fired| figures.take(fired));
    }
    let word = if lag_compensation { "" } else { ", not compensated" };
    let (all, living) = (figures.agreement(), figures.agreement_on_the_living());
    println!("{line}{word}: {all:.2} % agreed, {living:.2} % on those still afloat; {figures:?}");
    figures
}

#[test]
fn the_server_judges_what_the_shooter_saw_on_every_playable_line() {
    for line in ["clean", "4g", "lte", "far"] {
        let figures = duel(line, 100.0, true);
        let without = duel(line, 40.0, false);
        assert!(figures.judged >= 300, "{line}: {figures:?}");
        assert!(figures.saw * 2 > figures.judged, "{line}: the pilots can shoot: {figures:?}");
        assert!(figures.agreement_on_the_living() > 98.0, "{line}: {figures:?}");
        assert!(without.agreement() < figures.agreement() - 10.0, "{line}: {without:?}");
    }
}

#[test]
fn every_correction_of_a_battle_has_a_cause() {
    let mut sim = Sim::<Arena>::new(23, 2);
    let mut ais: Vec<(Ai, Scene)> = Vec::new();
    for index in 0..PILOTS {
        sim.connect(&LinkProfile::named("4g").expect("a known line"));
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
    let mut sums = [0u64; CorrectionCause::ALL.len()];
    for c in &sim.clients {
        for (sum, count) in sums.iter_mut().zip(c.client.stats().corrections) {
            *sum += count;
        }
    }
    for (cause, sum) in CorrectionCause::ALL.iter().zip(sums) {
        println!("{}: {sum}", cause.name());
    }
    assert!(sums[CorrectionCause::Collision as usize] > 0, "a battle without contact proves little");
    assert!(sums[CorrectionCause::Respawn as usize] > 0);
    assert_eq!(sums[CorrectionCause::Unknown as usize], 0);
}

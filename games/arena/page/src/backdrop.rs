//! The battle behind the title: a real arena with AIs, simulated in the page.

use broadside_arena::ai::{Ai, Seen};
use broadside_arena::modes::Mode;
use broadside_arena::record_view::{RecordView, Scene};
use broadside_arena::rules::{DT, VIEW};
use broadside_arena::{Arena, ArenaConfig, ArenaEvent, ArenaRequest, Craft};
use broadside_shared::game::{AddressedEvent, Game, PlayerInput, Standing};
use broadside_shared::history::History;
use broadside_shared::ids::PlayerId;
use broadside_shared::replication::fields::Record;
use broadside_shared::time::{Tick, ViewTime};
use glam::Vec2;

use crate::live;
use crate::stage::{MineLook, PickupLook, RockLook, Stage};

/// Most ticks in one image; a slow machine shows the battle more slowly.
const TICKS_PER_IMAGE: u32 = 4;
/// How fast the camera glides to the followed ship, 1/s.
const GLIDE: f32 = 1.1;
/// Seconds for which the camera follows one ship.
const FOLLOW_SECONDS: f32 = 12.0;
const CAPTAINS: u16 = 13;

pub(crate) struct Backdrop {
    arena: Arena,
    ais: Vec<Ai>,
    tick: Tick,
    owed: f32,
    records: Vec<(Vec2, Record)>,
    scene: Scene,
    inputs: Vec<PlayerInput<<Arena as Game>::Input>>,
    history: History,
    events: Vec<AddressedEvent<ArenaEvent>>,
    standings: Vec<Standing>,
    followed: Option<PlayerId>,
    followed_for: f32,
    /// Where the camera should look, in world units.
    pub(crate) focus: Vec2,
}

impl Backdrop {
    /// A battle from a seed, already under way.
    #[must_use]
    pub(crate) fn new(seed: u64) -> Self {
        let mut arena = Arena::new(&ArenaConfig::default(), Mode::Open.id(), seed);
        let mut events = Vec::new();
        for player in 0..CAPTAINS {
            arena.join(PlayerId(player), Tick(0), &mut events);
            let craft = Craft::of((player % 3) as u8);
            let _ = arena.handle_request(PlayerId(player), &ArenaRequest::Fly(craft), Tick(0), &mut events);
        }
        let ai = |n: u16| Ai::new(seed.wrapping_add(u64::from(n) * 77), 0.35 + 0.04 * f32::from(n));
        let mut backdrop = Backdrop {
            arena,
            ais: (0..CAPTAINS).map(ai).collect(),
            tick: Tick(0),
            owed: 0.0,
            records: Vec::new(),
            scene: Scene::default(),
            inputs: Vec::new(),
            history: History::default(),
            events,
            standings: Vec::new(),
            followed: None,
            followed_for: 0.0,
            focus: Vec2::ZERO,
        };
        // Skip the arrivals.
        for _ in 0..240 {
            backdrop.step();
        }
        backdrop.events.clear();
        backdrop
    }

    /// Advances by `dt` seconds and fills the stage.
    pub(crate) fn show(&mut self, dt: f32, stage: &mut Stage) {
        self.events.clear();
        self.owed = (self.owed + dt).min(DT * TICKS_PER_IMAGE as f32);
        while self.owed >= DT {
            self.owed -= DT;
            self.step();
        }
        stage.clear();
        stage.own = None;
        stage.edge = self.arena.border().radius_at(self.tick);
        // Between two ticks, ships are moved along their velocity: smooth at any image rate.
        for (_, record) in &self.records {
            match RecordView::of(record) {
                Some(RecordView::Ship(ship)) => {
                    let mut look = live::ship_look(&ship);
                    look.at += look.velocity * self.owed;
                    stage.ships.push(look);
                }
                Some(RecordView::Shot(shot)) => {
                    let age = self.tick.since(shot.start) as f32 * DT + self.owed;
                    stage.shots.push(live::shot_look(shot.owner.0, shot.start.0, shot.origin, shot.velocity, age));
                }
                Some(RecordView::Beam(beam)) => {
                    let age = self.tick.since(beam.start) as f32 * DT + self.owed;
                    let way = beam.direction() * beam.length;
                    stage.beams.push(live::beam_look(beam.owner.0, beam.start.0, beam.origin, way, age));
                }
                Some(RecordView::Rock(rock)) => {
                    stage.rocks.push(RockLook { id: rock.id.0, at: rock.at, radius: rock.radius });
                }
                Some(RecordView::Pickup(pickup)) => {
                    stage.pickups.push(PickupLook { id: pickup.id.0, at: pickup.at, what: pickup.what });
                }
                Some(RecordView::Mine(mine)) => {
                    let armed = mine.armed_at(self.tick);
                    stage.mines.push(MineLook { player: mine.owner.0, at: mine.at, armed, friendly: false });
                }
                None => {}
            }
        }
        for event in &self.events {
            live::add_effect(&event.event, stage);
        }
        stage.add_shot_effects();
        self.follow(dt);
    }

    fn step(&mut self) {
        self.records.clear();
        self.arena.replicate(self.tick, &mut self.records);
        self.inputs.clear();
        for (n, ai) in self.ais.iter_mut().enumerate() {
            let player = PlayerId(n as u16);
            let Some(own) = self.arena.player_state(player) else { continue };
            // Only what a client in its place would receive.
            let near = |at: &Vec2| ((*at - own.position).abs() * 2.0).cmplt(VIEW).all();
            self.scene.fill(self.records.iter().filter(|(at, _)| near(at)).map(|(_, record)| record));
            let seen = Seen { tick: self.tick, own, scene: &self.scene, ships_at: f64::from(self.tick.0) };
            let view = ViewTime::of(self.tick);
            self.inputs.push(PlayerInput { player, input: ai.think(&seen), view });
        }
        let arena = &self.arena;
        self.history.record(self.tick, |poses| arena.poses(poses));
        self.tick = self.tick.after(1);
        self.arena.step(self.tick, &self.inputs, &self.history, &mut self.events);
        self.records.clear();
        self.arena.replicate(self.tick, &mut self.records);
    }

    /// Follows one ship for a while, then another: the best one that is afloat.
    fn follow(&mut self, dt: f32) {
        self.followed_for += dt;
        let afloat = |player: PlayerId| live::afloat(self.arena.player_state(player));
        if self.followed.is_none_or(|player| !afloat(player)) || self.followed_for > FOLLOW_SECONDS {
            self.standings.clear();
            self.arena.standings(&mut self.standings);
            let others = self.standings.iter().map(|line| line.player).filter(|p| Some(*p) != self.followed);
            self.followed = others.into_iter().find(|player| afloat(*player));
            self.followed_for = 0.0;
        }
        if let Some(own) = self.followed.and_then(|player| self.arena.player_state(player)) {
            let share = 1.0 - (-GLIDE * dt).exp();
            self.focus += (own.position - self.focus) * share;
        }
    }
}

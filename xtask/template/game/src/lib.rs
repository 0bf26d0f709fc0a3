//! The rules: dots steer and collect stars.
//!
//! This crate is pure: no clock, no thread, no socket, no chance but the world's own. The server steps it, the page predicts with the
//! same functions, and a run can be repeated from its seed.

mod bot;
mod steer;

pub use bot::Collector;
pub use steer::Steer;

use std::collections::BTreeMap;

use broadside_shared::game::{AddressedEvent, Game, NoRequest, PlayerInput, PredictedSpawn, Recipients, Standing};
use broadside_shared::hash::WorldHash;
use broadside_shared::history::History;
use broadside_shared::ids::{EntityId, EntityIds, PlayerId};
use broadside_shared::protocol::room::ModeId;
use broadside_shared::replication::fields::{FieldSpec, KindSpec, Motion, Record, plain, velocity};
use broadside_shared::time::Tick;
use glam::Vec2;
use serde::{Deserialize, Serialize};

/// Distance from the middle to each wall, in world units.
pub const EDGE: f32 = 1000.0;
/// Distance at which a dot collects a star.
pub const REACH: f32 = 28.0;
/// Speed of a dot at full push, in units per second.
const SPEED: f32 = 420.0;
/// Share of the difference to the wanted velocity that a tick makes up.
const GRIP: f32 = 0.08;
/// Stars in the world.
const STARS: usize = 24;

/// The kinds of replicated entities, by their place in [`World::KINDS`].
pub const DOT: u8 = 0;
pub const STAR: u8 = 1;
const KINDS: &[KindSpec] = &[
    KindSpec {
        name: "dot",
        motion: Motion::Moving,
        fields: &[
            FieldSpec::X,
            FieldSpec::Y,
            velocity("vx", 8, World::TICK_HZ),
            velocity("vy", 8, World::TICK_HZ),
            plain("player", 13, 1.0),
        ],
    },
    KindSpec { name: "star", motion: Motion::Still, fields: &[FieldSpec::X, FieldSpec::Y] },
];

/// The world.
#[derive(Serialize, Deserialize)]
pub struct World {
    #[serde(with = "broadside_shared::saved::rng")]
    rng: fastrand::Rng,
    ids: EntityIds,
    dots: BTreeMap<PlayerId, Dot>,
    stars: Vec<(EntityId, Vec2)>,
}

/// A player's dot. Its player gets all of it, unrounded; that is what prediction starts from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dot {
    pub id: EntityId,
    pub at: Vec2,
    pub velocity: Vec2,
    pub stars: u16,
}

/// A star was collected here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Collected {
    pub by: PlayerId,
    pub at: Vec2,
}

impl World {
    fn somewhere(&mut self) -> Vec2 {
        (Vec2::new(self.rng.f32(), self.rng.f32()) * 2.0 - 1.0) * (EDGE - REACH)
    }

    /// Puts stars at random places until there are enough.
    fn scatter(&mut self) {
        while self.stars.len() < STARS {
            let Some(id) = self.ids.take() else { return };
            let at = self.somewhere();
            self.stars.push((id, at));
        }
    }
}

impl Game for World {
    const NAME: &'static str = "my-game";
    const KINDS: &'static [KindSpec] = KINDS;
    const VIEW: Vec2 = Vec2::new(1280.0, 800.0);
    const PREDICTS: bool = true;
    type Config = ();
    type Input = Steer;
    type LocalPlayerState = Dot;
    type Event = Collected;
    type PredictionContext = ();
    type Request = NoRequest;
    type RoomState = ();
    type Bot = Collector;

    fn new((): &(), _mode: ModeId, seed: u64) -> Self {
        let rng = fastrand::Rng::with_seed(seed);
        let mut world = World { rng, ids: EntityIds::default(), dots: BTreeMap::new(), stars: Vec::new() };
        world.scatter();
        world
    }

    fn join(&mut self, player: PlayerId, _tick: Tick, _events: &mut Vec<AddressedEvent<Collected>>) {
        let id = self.ids.take().expect("a room has far fewer players and stars than there are numbers");
        let dot = Dot { id, at: self.somewhere(), velocity: Vec2::ZERO, stars: 0 };
        self.dots.insert(player, dot);
    }

    fn leave(&mut self, player: PlayerId, _tick: Tick, _events: &mut Vec<AddressedEvent<Collected>>) {
        if let Some(dot) = self.dots.remove(&player) {
            self.ids.free(dot.id);
        }
    }

    fn step(
        &mut self,
        tick: Tick,
        inputs: &[PlayerInput<Steer>],
        _history: &History,
        events: &mut Vec<AddressedEvent<Collected>>,
    ) {
        for PlayerInput { player, input, .. } in inputs {
            let Some(dot) = self.dots.get_mut(player) else { continue };
            Self::predict(dot, input, tick, &(), &mut Vec::new());
            let Some(index) = self.stars.iter().position(|(_, star)| star.distance(dot.at) < REACH) else { continue };
            let (id, at) = self.stars.swap_remove(index);
            self.ids.free(id);
            dot.stars = dot.stars.saturating_add(1);
            events.push(AddressedEvent { recipients: Recipients::Near(at), event: Collected { by: *player, at } });
        }
        self.scatter();
    }

    /// What the page does ahead of the server, which does the same: equal inputs on an equal dot give equal bits.
    fn predict(dot: &mut Dot, input: &Steer, _tick: Tick, (): &(), _spawned: &mut Vec<PredictedSpawn>) {
        dot.velocity += (input.direction() * SPEED - dot.velocity) * GRIP;
        dot.at += dot.velocity / Self::TICK_HZ as f32;
        dot.at = dot.at.clamp(Vec2::splat(-EDGE), Vec2::splat(EDGE));
    }

    fn player_state(&self, player: PlayerId) -> Option<&Dot> {
        self.dots.get(&player)
    }

    fn player_entity(dot: &Dot) -> Option<EntityId> {
        Some(dot.id)
    }

    fn focus(dot: &Dot) -> Vec2 {
        dot.at
    }

    fn replicate(&self, _tick: Tick, out: &mut Vec<(Vec2, Record)>) {
        for (player, dot) in &self.dots {
            let values = [dot.at.x, dot.at.y, dot.velocity.x, dot.velocity.y, f32::from(player.0)];
            out.push((dot.at, Record::pack(dot.id, DOT, &KINDS[usize::from(DOT)], &values)));
        }
        let star = &KINDS[usize::from(STAR)];
        out.extend(self.stars.iter().map(|(id, at)| (*at, Record::pack(*id, STAR, star, &[at.x, at.y]))));
    }

    fn standings(&self, out: &mut Vec<Standing>) {
        out.extend(self.dots.iter().map(|(&player, dot)| Standing { player, score: dot.stars.into() }));
        out.sort_by_key(|standing| (-standing.score, standing.player));
    }

    fn extent(&self) -> u16 {
        EDGE as u16
    }

    fn hash(&self) -> u64 {
        let mut hash = WorldHash::default();
        for (player, dot) in &self.dots {
            hash.u64(u64::from(player.0) << 16 | u64::from(dot.stars));
            hash.vec2(dot.at);
            hash.vec2(dot.velocity);
        }
        self.stars.iter().for_each(|(_, at)| hash.vec2(*at));
        hash.finish()
    }
}

#[cfg(test)]
mod tests;

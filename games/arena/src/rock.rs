//! Rocks: round obstacles that never move. They stop shots and bounce ships back.

use fastrand::Rng;
use glam::Vec2;
use serde::{Deserialize, Serialize};

use super::fields::{self, ROCK, on_grid};
use super::grid::Grid;
use super::rules::{ROCK_GAP, ROCK_REACH, SHIP_RADIUS};
use broadside_shared::hash::WorldHash;
use broadside_shared::ids::{EntityId, EntityIds};
use broadside_shared::math;
use broadside_shared::replication::fields::Record;

/// A rock, placed on the wire's grid so that clients know it exactly.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Rock {
    /// The rock's number in the room.
    pub id: EntityId,
    /// Its centre in world units.
    pub at: Vec2,
    /// Its radius in whole world units.
    pub radius: f32,
}

impl Rock {
    /// The rock as it is replicated.
    #[must_use]
    #[inline]
    pub fn record(&self) -> Record {
        Record::pack(self.id, ROCK, fields::spec(ROCK), &[self.at.x, self.at.y, self.radius])
    }

    /// The rock of a record of kind [`fields::ROCK`].
    #[must_use]
    pub fn read(record: &Record) -> Rock {
        let [x, y, radius, ..] = fields::unpack(record);
        Rock { id: record.id, at: Vec2::new(x, y), radius }
    }

    /// Whether a ship at `ship` could touch it within one step. Server and client ask this for the same ship and so
    /// consider the same rocks, however many others each of them knows.
    #[must_use]
    pub fn in_reach(&self, ship: Vec2) -> bool {
        let reach = self.radius + SHIP_RADIUS + ROCK_REACH;
        (ship - self.at).length_squared() < reach * reach
    }

    fn leaves_free(&self, at: Vec2, radius: f32) -> bool {
        let apart = self.radius + radius;
        (self.at - at).length_squared() > apart * apart
    }
}

/// The world as prediction needs it: the rocks, in order of number.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PredictionContext {
    /// The rocks, in order of number.
    pub rocks: Vec<Rock>,
}

/// All rocks of an arena, found by position.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct RockField {
    rocks: Vec<Rock>,
    grid: Grid,
    /// Smallest and largest radius of a new rock, whole units.
    radii: (u16, u16),
    /// Number of rocks still to be placed.
    owed: usize,
}

/// Width of the squares in which rocks are looked up, in world units. With 3,000 ships a tick took 6 % less than with
/// 256, since a shot then examines fewer rocks; the table is rebuilt only when rocks are added or removed.
const CELL: f32 = 128.0;

impl RockField {
    /// No rocks yet, of radii between two whole numbers.
    pub(super) fn new(radii: (u16, u16)) -> Self {
        RockField { rocks: Vec::new(), grid: Grid::new(CELL), radii, owed: 0 }
    }

    pub(super) fn all(&self) -> &[Rock] {
        &self.rocks
    }

    /// The rocks that a ship or a shot at `point` could touch within one step, and perhaps a few more, in order of
    /// number.
    pub(super) fn near(&self, point: Vec2) -> impl Iterator<Item = &Rock> {
        self.grid.at(point).iter().map(|index| &self.rocks[usize::from(*index)])
    }

    /// Whether a circle no larger than a ship's reach is free of rocks.
    pub(super) fn is_free(&self, at: Vec2, radius: f32) -> bool {
        debug_assert!(radius <= SHIP_RADIUS + ROCK_REACH, "{radius} is more than the grid covers");
        self.near(at).all(|rock| rock.leaves_free(at, radius))
    }

    /// Sets the number of rocks to place in all.
    pub(super) fn want(&mut self, wanted: usize) {
        self.owed = wanted.saturating_sub(self.rocks.len());
    }

    /// Tries to place missing rocks, in at most `tries` attempts, between two distances from the origin and where
    /// `is_clear` allows a circle.
    pub(super) fn place(
        &mut self,
        tries: u32,
        ring: (f32, f32),
        rng: &mut Rng,
        ids: &mut EntityIds,
        is_clear: impl Fn(Vec2, f32) -> bool,
    ) {
        let before = self.rocks.len();
        for _ in 0..tries {
            if self.owed == 0 {
                break;
            }
            let radius = f32::from(rng.u16(self.radii.0..=self.radii.1));
            let at = point_in_ring(rng, ring);
            let at = Vec2::new(on_grid(at.x), on_grid(at.y));
            if !self.has_room(at, radius + ROCK_GAP, before) || !is_clear(at, radius) {
                continue;
            }
            let Some(id) = ids.take() else { break };
            self.rocks.push(Rock { id, at, radius });
            self.owed -= 1;
        }
        if self.rocks.len() != before {
            self.rocks.sort_by_key(|rock| rock.id);
            self.index();
        }
    }

    /// Tries to place missing rocks in pairs, each opposite its twin about the origin, in at most `tries` attempts,
    /// within a distance and where `is_clear` allows a circle. Both teams then face the same rocks.
    pub(super) fn place_mirrored(
        &mut self,
        tries: u32,
        reach: f32,
        rng: &mut Rng,
        ids: &mut EntityIds,
        is_clear: impl Fn(Vec2, f32) -> bool,
    ) {
        let before = self.rocks.len();
        for _ in 0..tries {
            if self.owed < 2 {
                break;
            }
            let radius = f32::from(rng.u16(self.radii.0..=self.radii.1));
            let at = point_in_ring(rng, (radius + ROCK_GAP * 0.5, reach));
            let at = Vec2::new(on_grid(at.x), on_grid(at.y));
            if !self.has_room(at, radius + ROCK_GAP, before) || !is_clear(at, radius) {
                continue;
            }
            let (Some(id), Some(twin)) = (ids.take(), ids.take()) else { break };
            self.rocks.extend([Rock { id, at, radius }, Rock { id: twin, at: -at, radius }]);
            self.owed -= 2;
        }
        self.owed = 0;
        self.rocks.sort_by_key(|rock| rock.id);
        self.index();
    }

    /// Whether a circle is free of rocks; those after the first `indexed` are not in the squares yet.
    fn has_room(&self, at: Vec2, radius: f32, indexed: usize) -> bool {
        let around = self.grid.within(at - Vec2::splat(radius), at + Vec2::splat(radius));
        let around = around.map(|index| &self.rocks[usize::from(index)]);
        around.chain(&self.rocks[indexed..]).all(|rock| rock.leaves_free(at, radius))
    }

    /// Removes the rocks further than `distance` from the origin.
    pub(super) fn drop_beyond(&mut self, distance: f32, ids: &mut EntityIds) {
        let before = self.rocks.len();
        self.rocks.retain(|rock| {
            let keep = rock.at.length() <= distance;
            if !keep {
                ids.free(rock.id);
            }
            keep
        });
        if self.rocks.len() != before {
            self.index();
        }
    }

    pub(super) fn hash(&self, hash: &mut WorldHash) {
        hash.u64(self.owed as u64);
        for rock in &self.rocks {
            hash.u64(u64::from(rock.id.0));
            hash.vec2(rock.at);
            hash.f32(rock.radius);
        }
    }

    fn index(&mut self) {
        self.grid.clear();
        for (index, rock) in self.rocks.iter().enumerate() {
            self.grid.add(index as u16, rock.at, rock.radius + SHIP_RADIUS + ROCK_REACH);
        }
        self.grid.build();
    }

    #[cfg(test)]
    pub(super) fn put(&mut self, rocks: &[Rock]) {
        self.rocks = rocks.to_vec();
        self.index();
    }
}

/// A point whose distance from the origin is between two bounds, uniform over the area.
pub(super) fn point_in_ring(rng: &mut Rng, ring: (f32, f32)) -> Vec2 {
    let (low, high) = (ring.0 * ring.0, ring.1 * ring.1);
    let distance = (low + (high - low) * rng.f32()).sqrt();
    math::heading(rng.f32() * std::f32::consts::TAU) * distance
}

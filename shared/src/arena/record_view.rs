//! What a client sees of others, typed: for drawing and for the bot ai.

use glam::Vec2;

use super::beam::Beam;
use super::fields::{self, FLAG_PROTECTED, FLAG_RAPID, FLAG_SHIELD, FLAG_THRUST};
use super::pickup::Pickup;
use super::rock::Rock;
use super::shot::Shot;
use crate::ids::{EntityId, PlayerId};
use crate::protocol::match_status::Zone;
use crate::replication::fields::{FIELDS_MAX, Record};

/// A replicated thing, read by its kind.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RecordView {
    /// A ship, another player's or one's own.
    Ship(ShipView),
    /// A shot in flight.
    Shot(Shot),
    /// A beam that still glows.
    Beam(Beam),
    /// A rock.
    Rock(Rock),
    /// A pickup.
    Pickup(Pickup),
}

/// A ship as others see it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ShipView {
    /// Its number in the room; a player's next ship has another.
    pub id: EntityId,
    /// Whose ship it is.
    pub player: PlayerId,
    /// The team it fights for; `None` for itself.
    pub team: Option<u8>,
    /// World units.
    pub position: Vec2,
    /// Units per second.
    pub velocity: Vec2,
    /// Where the nose points, radians.
    pub heading: f32,
    /// Hull in points, 0..=100, in steps of about 3.
    pub hull: f32,
    /// The bits `FLAG_..` of [`fields`].
    pub flags: u8,
}

impl RecordView {
    /// Reads a record; `None` if it is of no kind of the arena.
    #[must_use]
    pub fn of(record: &Record) -> Option<RecordView> {
        Some(match record.kind {
            kind if fields::is_ship(kind) => RecordView::Ship(ShipView::read(record.id, kind, &fields::unpack(record))),
            fields::SHOT => RecordView::Shot(Shot::read(record)),
            fields::BEAM => RecordView::Beam(Beam::read(record)),
            fields::ROCK => RecordView::Rock(Rock::read(record)),
            fields::PICKUP => RecordView::Pickup(Pickup::read(record)),
            _ => return None,
        })
    }
}

impl ShipView {
    /// Reads the fields of a ship of some kind in game units, as interpolation gives them.
    #[must_use]
    pub fn read(id: EntityId, kind: u8, values: &[f32; FIELDS_MAX]) -> ShipView {
        let [x, y, vx, vy, heading, hull, flags, owner, ..] = *values;
        ShipView {
            id,
            player: PlayerId(owner as u16),
            team: fields::team_of(kind),
            position: Vec2::new(x, y),
            velocity: Vec2::new(vx, vy),
            heading,
            hull: hull.min(100.0),
            flags: flags as u8,
        }
    }

    /// Whether the main engine burns.
    #[must_use]
    pub fn thrusts(&self) -> bool {
        self.flags & FLAG_THRUST != 0
    }

    /// Whether it has a shield.
    #[must_use]
    pub fn shielded(&self) -> bool {
        self.flags & FLAG_SHIELD != 0
    }

    /// Whether it fires rapidly.
    #[must_use]
    pub fn rapid(&self) -> bool {
        self.flags & FLAG_RAPID != 0
    }

    /// Whether it is new and cannot be hurt.
    #[must_use]
    pub fn protected(&self) -> bool {
        self.flags & FLAG_PROTECTED != 0
    }
}

/// Everything of the arena that a client's replica holds, sorted by kind. Kept and refilled, so that a steady client
/// allocates nothing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scene {
    /// Ships, one's own among them if the replica has it.
    pub ships: Vec<ShipView>,
    /// Shots in flight, whose position follows from the tick.
    pub shots: Vec<Shot>,
    /// Beams that still glow.
    pub beams: Vec<Beam>,
    /// Rocks.
    pub rocks: Vec<Rock>,
    /// Pickups.
    pub pickups: Vec<Pickup>,
    /// The place to hold, where the match has one: what [`Client::match_status`](crate::client::Client::match_status) says of it.
    pub zone: Option<Zone>,
}

impl Scene {
    /// Empties the scene.
    pub fn clear(&mut self) {
        self.ships.clear();
        self.shots.clear();
        self.beams.clear();
        self.rocks.clear();
        self.pickups.clear();
        self.zone = None;
    }

    /// Adds a thing.
    pub fn add(&mut self, sight: RecordView) {
        match sight {
            RecordView::Ship(ship) => self.ships.push(ship),
            RecordView::Shot(shot) => self.shots.push(shot),
            RecordView::Beam(beam) => self.beams.push(beam),
            RecordView::Rock(rock) => self.rocks.push(rock),
            RecordView::Pickup(pickup) => self.pickups.push(pickup),
        }
    }

    /// Replaces the scene by what the records tell.
    pub fn fill<'a>(&mut self, records: impl Iterator<Item = &'a Record>) {
        self.clear();
        for sight in records.filter_map(RecordView::of) {
            self.add(sight);
        }
    }
}

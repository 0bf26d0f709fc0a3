//! What a client sees of other entities, typed: for drawing and for the AI.

use glam::Vec2;

use super::beam::Beam;
use super::craft::Craft;
use super::fields::{self, FLAG_PROTECTED, FLAG_RAPID, FLAG_SHIELD, FLAG_THRUST};
use super::mine::Mine;
use super::pickup::Pickup;
use super::rock::Rock;
use super::shot::Shot;
use crate::modes::Zone;
use broadside_shared::ids::{EntityId, PlayerId};
use broadside_shared::replication::fields::{FIELDS_MAX, Record};

/// A replicated entity, read by its kind.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RecordView {
    /// A ship, the own one included.
    Ship(ShipView),
    /// A shot in flight.
    Shot(Shot),
    /// A beam that still glows.
    Beam(Beam),
    /// A rock.
    Rock(Rock),
    /// A pickup.
    Pickup(Pickup),
    /// A mine.
    Mine(Mine),
}

/// A ship as other players see it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ShipView {
    /// The ship's number in the room; a player's next ship has another.
    pub id: EntityId,
    /// The owner.
    pub player: PlayerId,
    /// The team; `None` without one.
    pub team: Option<u8>,
    /// Position in world units.
    pub position: Vec2,
    /// Velocity in units per second.
    pub velocity: Vec2,
    /// Heading in radians.
    pub heading: f32,
    /// Hundredths of the hull that are left, 0..=100, in steps of about 3.
    pub hull: f32,
    /// Its craft.
    pub craft: Craft,
    /// The `FLAG_..` bits of [`fields`].
    pub flags: u8,
}

impl RecordView {
    /// Reads a record; `None` if its kind is not one of the arena's.
    #[must_use]
    pub fn of(record: &Record) -> Option<RecordView> {
        Some(match record.kind {
            kind if fields::is_ship(kind) => RecordView::Ship(ShipView::read(record.id, kind, &fields::unpack(record))),
            fields::SHOT => RecordView::Shot(Shot::read(record)),
            fields::BEAM => RecordView::Beam(Beam::read(record)),
            fields::ROCK => RecordView::Rock(Rock::read(record)),
            fields::PICKUP => RecordView::Pickup(Pickup::read(record)),
            fields::MINE => RecordView::Mine(Mine::read(record)),
            _ => return None,
        })
    }
}

impl ShipView {
    /// Reads the fields of a ship kind in game units, as interpolation gives them.
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
            craft: Craft::of(flags as u8 >> fields::CRAFT_SHIFT),
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

    /// Whether it has rapid fire.
    #[must_use]
    pub fn rapid(&self) -> bool {
        self.flags & FLAG_RAPID != 0
    }

    /// Whether its boost burns, as its speed tells: it costs no bit.
    #[must_use]
    pub fn boosts(&self) -> bool {
        // A step of the velocity's grid above the top speed.
        self.velocity.length() > self.craft.spec().speed + 10.0
    }

    /// Whether it is new and invulnerable.
    #[must_use]
    pub fn protected(&self) -> bool {
        self.flags & FLAG_PROTECTED != 0
    }
}

/// All entities of a client's replica, sorted by kind. The lists are reused, so that a steady client allocates nothing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scene {
    /// Ships, the own one included if the replica has it.
    pub ships: Vec<ShipView>,
    /// Shots in flight, whose position follows from the tick.
    pub shots: Vec<Shot>,
    /// Beams that still glow.
    pub beams: Vec<Beam>,
    /// Rocks.
    pub rocks: Vec<Rock>,
    /// Pickups.
    pub pickups: Vec<Pickup>,
    /// Mines.
    pub mines: Vec<Mine>,
    /// The zone of the match, the room's state; `None` in modes
    /// without one.
    pub zone: Option<Zone>,
}

impl Scene {
    /// Removes all entities.
    pub fn clear(&mut self) {
        self.ships.clear();
        self.shots.clear();
        self.beams.clear();
        self.rocks.clear();
        self.pickups.clear();
        self.mines.clear();
        self.zone = None;
    }

    /// Adds an entity.
    pub fn add(&mut self, view: RecordView) {
        match view {
            RecordView::Ship(ship) => self.ships.push(ship),
            RecordView::Shot(shot) => self.shots.push(shot),
            RecordView::Beam(beam) => self.beams.push(beam),
            RecordView::Rock(rock) => self.rocks.push(rock),
            RecordView::Pickup(pickup) => self.pickups.push(pickup),
            RecordView::Mine(mine) => self.mines.push(mine),
        }
    }

    /// Replaces the scene by the entities of the records.
    pub fn fill<'a>(&mut self, records: impl Iterator<Item = &'a Record>) {
        self.clear();
        for view in records.filter_map(RecordView::of) {
            self.add(view);
        }
    }
}

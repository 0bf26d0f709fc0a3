//! The kinds of entities and the bits of their fields. What a client sees is at most 1/8 unit off on each axis.

use broadside_shared::ids::{EntityId, PlayerId};
use broadside_shared::protocol::limits::SEATS_MAX;
use broadside_shared::replication::fields::{FIELDS_MAX, FieldSpec, KindSpec, Motion, Record, plain, velocity};
use glam::Vec2;

use crate::play::{Disc, PuckState};
use crate::rules::TICK_HZ;

/// Kind number of the puck.
pub const PUCK: u8 = 0;
/// Kind numbers of each team's discs.
pub const DISCS: [u8; 2] = [1, 2];
const OWNER_BITS: u8 = 13;
const _: () = assert!(SEATS_MAX == 1 << OWNER_BITS);

/// Every kind, in order of number.
pub const KINDS: &[KindSpec] = &[
    KindSpec {
        name: "puck",
        motion: Motion::Moving,
        fields: &[FieldSpec::X, FieldSpec::Y, velocity("vx", 9, TICK_HZ), velocity("vy", 9, TICK_HZ)],
    },
    KindSpec { name: "disc of the first team", motion: Motion::Moving, fields: DISC_FIELDS },
    KindSpec { name: "disc of the second team", motion: Motion::Moving, fields: DISC_FIELDS },
];

const DISC_FIELDS: &[FieldSpec] = &[
    FieldSpec::X,
    FieldSpec::Y,
    velocity("vx", 9, TICK_HZ),
    velocity("vy", 9, TICK_HZ),
    plain("owner", OWNER_BITS, 1.0),
    // The kick is held.
    plain("kick", 1, 1.0),
];

/// A disc as a client sees it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DiscView {
    /// Its entity.
    pub id: EntityId,
    /// Whose it is.
    pub player: PlayerId,
    /// The team, 0 or 1.
    pub team: u8,
    /// Its centre.
    pub at: Vec2,
    /// In units/s.
    pub velocity: Vec2,
    /// Whether the kick is held.
    pub kick: bool,
}

impl DiscView {
    /// Reads an entity's fields in game units; `None` if it is no disc.
    #[must_use]
    pub fn read(id: EntityId, kind: u8, values: &[f32; FIELDS_MAX]) -> Option<DiscView> {
        let team = DISCS.iter().position(|of| *of == kind)? as u8;
        let [x, y, vx, vy, owner, kick, ..] = *values;
        let (at, velocity) = (Vec2::new(x, y), Vec2::new(vx, vy));
        Some(DiscView { id, player: PlayerId(owner as u16), team, at, velocity, kick: kick > 0.0 })
    }
}

impl From<&Disc> for DiscView {
    fn from(disc: &Disc) -> DiscView {
        let Disc { id, player, team, at, velocity, ref input, .. } = *disc;
        DiscView { id, player, team, at, velocity, kick: input.kick }
    }
}

/// A record's fields in game units, in the order of its kind's table; the rest is 0.
///
/// # Panics
/// If the record's kind is not one of these.
#[must_use]
pub fn unpack(record: &Record) -> [f32; FIELDS_MAX] {
    let mut values = [0.0; FIELDS_MAX];
    let fields = KINDS[usize::from(record.kind)].fields;
    for ((value, field), packed) in values.iter_mut().zip(fields).zip(&record.values) {
        *value = field.unpack(*packed);
    }
    values
}

impl Disc {
    pub(crate) fn record(&self) -> Record {
        let kind = DISCS[usize::from(self.team)];
        let (at, velocity, kick) = (self.at, self.velocity, f32::from(u8::from(self.input.kick)));
        let values = [at.x, at.y, velocity.x, velocity.y, f32::from(self.player.0), kick];
        Record::pack(self.id, kind, &KINDS[usize::from(kind)], &values)
    }
}

impl PuckState {
    pub(crate) fn record(&self) -> Record {
        let values = [self.at.x, self.at.y, self.velocity.x, self.velocity.y];
        Record::pack(self.id, PUCK, &KINDS[usize::from(PUCK)], &values)
    }
}

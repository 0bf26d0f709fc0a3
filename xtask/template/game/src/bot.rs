//! The AI of the server's own bots, and of the programs `bot` and `load`.

use broadside_shared::game::{Bot, BotView};
use broadside_shared::replication::fields::{FieldSpec, Record};
use glam::Vec2;

use crate::{STAR, Steer, World};

/// Heads for the nearest star that it sees, or for the middle of the world.
pub struct Collector {
    push: f32,
}

impl Bot<World> for Collector {
    fn new(_seed: u64, skill: f32) -> Self {
        Collector { push: 0.4 + 0.6 * skill }
    }

    fn decide(&mut self, view: &BotView<'_, World>) -> Steer {
        let own = view.own.at;
        let stars = view.replica.records().filter(|record| record.kind == STAR).map(position);
        let nearest = stars.min_by(|a, b| a.distance(own).total_cmp(&b.distance(own)));
        let way = nearest.unwrap_or_default() - own;
        Steer::towards(way.normalize_or_zero() * self.push)
    }
}

fn position(record: &Record) -> Vec2 {
    Vec2::new(FieldSpec::X.unpack(record.values[0]), FieldSpec::Y.unpack(record.values[1]))
}

//! An AI that plays through a client.

use super::{Ai, Seen};
use crate::Arena;
use crate::input::ArenaInput;
use crate::record_view::Scene;
use broadside_shared::game::{Bot, BotView};
use broadside_shared::time::Tick;

/// An AI and its view of a client's replica.
#[derive(Debug)]
pub struct AiPlayer {
    ai: Ai,
    scene: Scene,
    seen: Option<Tick>,
}

impl Bot<Arena> for AiPlayer {
    fn new(seed: u64, skill: f32) -> Self {
        AiPlayer { ai: Ai::new(seed, skill), scene: Scene::default(), seen: None }
    }

    fn decide(&mut self, view: &BotView<'_, Arena>) -> ArenaInput {
        if self.seen != Some(view.snapshot_tick) {
            self.seen = Some(view.snapshot_tick);
            self.scene.fill(view.replica.records());
            self.scene.zone = *view.room_state;
        }
        let ships_at = f64::from(view.snapshot_tick.0);
        self.ai.think(&Seen { tick: view.tick, own: view.own, scene: &self.scene, ships_at })
    }
}

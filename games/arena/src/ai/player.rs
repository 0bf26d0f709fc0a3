//! An AI that plays through a client.

use super::{Ai, Seen};
use crate::Arena;
use crate::input::ArenaInput;
use crate::record_view::Scene;
use broadside_shared::client::Client;
use broadside_shared::time::Tick;

/// An AI and its view of a client's replica.
#[derive(Debug)]
pub struct AiPlayer {
    ai: Ai,
    scene: Scene,
    seen: Option<Tick>,
}

impl AiPlayer {
    /// An AI of a skill from 0 to 1; equal seeds make equal AIs.
    #[must_use]
    pub fn new(seed: u64, skill: f32) -> Self {
        AiPlayer { ai: Ai::new(seed, skill), scene: Scene::default(), seen: None }
    }

    /// The input for the client's next ticks.
    pub fn decide(&mut self, client: &Client<Arena>) -> ArenaInput {
        let (Some(own), Some(snapshot)) = (client.local_player(), client.snapshot_tick()) else {
            return ArenaInput::default();
        };
        if self.seen != Some(snapshot) {
            self.seen = Some(snapshot);
            self.scene.fill(client.replica().records());
            self.scene.zone = client.match_status().and_then(|match_status| match_status.zone);
        }
        let ships_at = f64::from(snapshot.0);
        self.ai.think(&Seen { tick: client.tick(), own, scene: &self.scene, ships_at })
    }
}

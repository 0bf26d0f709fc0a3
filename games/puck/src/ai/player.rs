//! An AI that plays through a client.

use arrayvec::ArrayVec;
use broadside_shared::game::{Bot, BotView};
use broadside_shared::protocol::match_status::MatchPhase;

use super::{Ai, Seen};
use crate::Puck;
use crate::fields::{DiscView, unpack};
use crate::input::PuckInput;
use crate::rules::{PLAYERS_MAX, TICK_S};

/// An AI and what it makes of a client's replica.
#[derive(Debug)]
pub struct AiPlayer {
    ai: Ai,
}

impl Bot<Puck> for AiPlayer {
    fn new(seed: u64, skill: f32) -> Self {
        AiPlayer { ai: Ai::new(seed, skill) }
    }

    fn decide(&mut self, view: &BotView<'_, Puck>) -> PuckInput {
        if view.match_status.is_some_and(|status| status.phase == MatchPhase::Results) {
            return PuckInput::default();
        }
        let past = view.tick.since(view.snapshot_tick) as f32 * TICK_S;
        let seen = |disc: DiscView| DiscView { at: disc.at + disc.velocity * past, ..disc };
        let records = view.replica.records();
        let discs = records.filter_map(|record| DiscView::read(record.id, record.kind, &unpack(record)));
        let discs: ArrayVec<DiscView, PLAYERS_MAX> = discs.map(seen).take(PLAYERS_MAX).collect();
        self.ai.think(&Seen { tick: view.tick, own: view.own, discs: &discs })
    }
}

//! The arena's bot: an AI that plays through a client, or a cheap pattern.

use super::{Ai, Seen};
use crate::craft::Craft;
use crate::input::ArenaInput;
use crate::record_view::Scene;
use crate::{Arena, ArenaRequest};
use broadside_shared::game::{Bot, BotView};
use broadside_shared::time::Tick;

/// What flies a ship through a client.
#[derive(Debug)]
pub enum AiPlayer {
    /// Sees the client's replica and plays to win.
    Ai(Box<Pilot>),
    /// Ignores the world.
    Pattern(Pattern),
}

/// An AI and its view of a client's replica.
#[derive(Debug)]
pub struct Pilot {
    ai: Ai,
    /// The craft that it flies, until it has asked for it.
    wanted: Option<Craft>,
    /// Whether it has agreed to play again.
    agreed: bool,
    scene: Scene,
    seen: Option<Tick>,
}

/// A random flight pattern: curves and bursts of fire, with changes at random times.
#[derive(Debug)]
pub struct Pattern {
    rng: fastrand::Rng,
    until: Tick,
    turn_per_tick: i32,
    input: ArenaInput,
    at: Tick,
}

impl Bot<Arena> for AiPlayer {
    fn new(seed: u64, skill: f32) -> Self {
        // Not drawn from the AI's own numbers: equal seeds fight alike in every craft.
        let wanted = Craft::ALL[(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 61) as usize % Craft::ALL.len()];
        AiPlayer::Ai(Box::new(Pilot {
            ai: Ai::new(seed, skill),
            wanted: Some(wanted),
            agreed: false,
            scene: Scene::default(),
            seen: None,
        }))
    }

    fn cheap(seed: u64) -> Self {
        AiPlayer::Pattern(Pattern {
            rng: fastrand::Rng::with_seed(seed),
            until: Tick(0),
            turn_per_tick: 0,
            input: ArenaInput::default(),
            at: Tick(0),
        })
    }

    fn request(&mut self, view: &BotView<'_, Arena>) -> Option<ArenaRequest> {
        let AiPlayer::Ai(pilot) = self else { return None };
        // A bot never asks first: people decide how long they look at the results.
        let again = view.room_state.again > 0;
        if std::mem::replace(&mut pilot.agreed, again) != again && again {
            return Some(ArenaRequest::Rematch);
        }
        let wanted = pilot.wanted.take()?;
        (wanted != view.own.craft).then_some(ArenaRequest::Fly(wanted))
    }

    fn decide(&mut self, view: &BotView<'_, Arena>) -> ArenaInput {
        match self {
            AiPlayer::Ai(pilot) => pilot.decide(view),
            AiPlayer::Pattern(pattern) => pattern.decide(view.tick),
        }
    }
}

impl Pilot {
    fn decide(&mut self, view: &BotView<'_, Arena>) -> ArenaInput {
        if self.seen != Some(view.snapshot_tick) {
            self.seen = Some(view.snapshot_tick);
            self.scene.fill(view.replica.records());
            self.scene.zone = view.room_state.zone;
        }
        let ships_at = f64::from(view.snapshot_tick.0);
        self.ai.think(&Seen { tick: view.tick, own: view.own, scene: &self.scene, ships_at })
    }
}

impl Pattern {
    fn decide(&mut self, tick: Tick) -> ArenaInput {
        if tick >= self.until {
            self.until = tick.after(self.rng.u32(20..100));
            self.turn_per_tick = self.rng.i32(-500..=500);
            let drive = [ArenaInput::THRUST, ArenaInput::THRUST, ArenaInput::THRUST | ArenaInput::LEFT, 0];
            let fire = if self.rng.u8(..) < 90 { ArenaInput::FIRE } else { 0 };
            self.input.buttons = drive[self.rng.usize(0..drive.len())] | fire;
        }
        let turned = self.turn_per_tick.wrapping_mul(tick.since(self.at) as i32);
        self.input.aim = self.input.aim.wrapping_add(turned as u16);
        self.at = tick;
        self.input
    }
}

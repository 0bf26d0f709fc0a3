//! Controllers: they decide the inputs of a headless player.

use broadside_arena::Arena;
use broadside_arena::ai::player::AiPlayer;
use broadside_arena::input::ArenaInput;
use broadside_shared::client::Client;
use broadside_shared::game::Bot;
use broadside_shared::time::Tick;

/// Decides a player's inputs.
pub enum Controller {
    /// The arena's AI: sees the client's replica and plays to win.
    Ai(Box<AiPlayer>),
    /// A random pattern that ignores the world; costs almost no CPU time.
    Pattern(Pattern),
}

/// A random flight pattern: curves and bursts of fire, with changes at random times.
#[derive(Debug, Clone)]
pub struct Pattern {
    rng: fastrand::Rng,
    until: Tick,
    turn_per_tick: i32,
    input: ArenaInput,
    at: Tick,
}

impl Controller {
    /// An AI with a skill from 0 to 1.
    #[must_use]
    pub fn ai(seed: u64, skill: f32) -> Controller {
        Controller::Ai(Box::new(AiPlayer::new(seed, skill)))
    }

    /// A random pattern.
    #[must_use]
    pub fn pattern(seed: u64) -> Controller {
        let rng = fastrand::Rng::with_seed(seed);
        Controller::Pattern(Pattern {
            rng,
            until: Tick(0),
            turn_per_tick: 0,
            input: ArenaInput::default(),
            at: Tick(0),
        })
    }

    /// The input for the client's next ticks.
    pub fn decide(&mut self, client: &Client<Arena>) -> ArenaInput {
        match self {
            Controller::Ai(player) => client.bot_view().map(|view| player.decide(&view)).unwrap_or_default(),
            Controller::Pattern(pattern) => pattern.decide(client.tick()),
        }
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

//! The match behind the title: the real rules and AIs, simulated in the page.

use broadside_puck::ai::{Ai, Seen};
use broadside_puck::rules::TICK_HZ;
use broadside_puck::{DiscView, Puck, PuckConfig, PuckEvent, TEAMS_MODE};
use broadside_shared::game::{AddressedEvent, Game, PlayerInput};
use broadside_shared::history::History;
use broadside_shared::ids::PlayerId;
use broadside_shared::time::{Tick, ViewTime};

/// Most ticks in one image; a slow machine shows the match more slowly.
const TICKS_PER_IMAGE: f32 = 4.0;
const PLAYERS: u16 = 6;
/// Ticks before the first image: the countdown.
const SKIPPED: u32 = 4 * TICK_HZ;

pub(crate) struct Title {
    puck: Puck,
    ais: Vec<Ai>,
    tick: Tick,
    /// Ticks that are due, with a fraction.
    owed: f32,
    events: Vec<AddressedEvent<PuckEvent>>,
}

impl Title {
    pub(crate) fn new(seed: u64) -> Title {
        let mut puck = Puck::new(&PuckConfig::default(), TEAMS_MODE, seed);
        let mut events = Vec::new();
        (0..PLAYERS).for_each(|player| puck.join(PlayerId(player), Tick(1), &mut events));
        let ai = |player: u16| Ai::new(seed.wrapping_add(u64::from(player) * 77), 0.6 + 0.05 * f32::from(player));
        let mut title = Title { puck, ais: (0..PLAYERS).map(ai).collect(), tick: Tick(0), owed: 0.0, events };
        (0..SKIPPED).for_each(|_| title.step());
        title.events.clear();
        title
    }

    pub(crate) fn puck(&self) -> &Puck {
        &self.puck
    }

    /// Lets `dt` seconds pass; gives what happened.
    pub(crate) fn advance(&mut self, dt: f32) -> impl Iterator<Item = PuckEvent> + '_ {
        self.owed = (self.owed + dt * TICK_HZ as f32).min(TICKS_PER_IMAGE);
        while self.owed >= 1.0 {
            self.owed -= 1.0;
            self.step();
        }
        self.events.drain(..).map(|addressed| addressed.event)
    }

    fn step(&mut self) {
        self.tick = self.tick.after(1);
        let discs: Vec<DiscView> = self.puck.play().discs.iter().map(DiscView::from).collect();
        let mut inputs = Vec::new();
        for (player, ai) in (0..).map(PlayerId).zip(&mut self.ais) {
            let Some(own) = self.puck.player_state(player) else { continue };
            let input = ai.think(&Seen { tick: self.tick, own, discs: &discs });
            inputs.push(PlayerInput { player, input, view: ViewTime::default() });
        }
        self.puck.step(self.tick, &inputs, &History::default(), &mut self.events);
    }
}

//! The measurements.

use std::collections::BTreeMap;

use broadside_puck::ai::player::AiPlayer;
use broadside_puck::{Puck, PuckInput, fields};
use broadside_shared::client::Client;
use broadside_shared::game::{Bot, CorrectionCause, Game};
use broadside_shared::ids::EntityId;
use broadside_shared::link::LinkProfile;
use broadside_shared::protocol::room::ModeId;
use broadside_sim::Sim;
use glam::Vec2;

/// Three on three.
const MODE: ModeId = ModeId(2);
const PLAYERS: usize = 6;
/// Seconds until the match is on, with clock estimates and input leads settled.
const SETTLE_S: f64 = 6.0;

/// The measurements of a match over one kind of link. Distances in world units.
pub(crate) struct Feel {
    others: Errors,
    puck: Errors,
    /// The puck while its client draws it as predicted, and how far it would be off if it did not.
    near: Errors,
    near_unpredicted: Errors,
    own: Vec<f32>,
    corrections: [u64; CorrectionCause::COUNT_MAX],
    minutes: f64,
}

/// Distances between drawn and true positions.
#[derive(Default)]
struct Errors(Vec<f32>);

/// Something drawn at one moment, and which of the errors its distance from the truth belongs to.
struct Drawn {
    of: fn(&mut Feel) -> &mut Errors,
    id: EntityId,
    at: Vec2,
    tick: f64,
}

impl Feel {
    /// Lets AI players play for `seconds` over a link and measures at every client.
    pub(crate) fn measure(profile: &LinkProfile, seconds: f64, seed: u64) -> Feel {
        let mut sim = Sim::<Puck>::of_mode(MODE, seed, Puck::SNAPSHOT_EVERY);
        let mut ais: Vec<AiPlayer> = Vec::new();
        for player in 0..PLAYERS {
            sim.connect(profile);
            ais.push(Bot::<Puck>::new(seed + player as u64, 0.4 + 0.1 * player as f32));
        }
        let mut decide = |index: usize, client: &Client<Puck>| -> PuckInput {
            client.bot_view().map(|view| ais[index].decide(&view)).unwrap_or_default()
        };
        let (mut truth, mut drawn, mut unpredicted) = (Truth::default(), Vec::new(), Vec::new());
        sim.run_observed(SETTLE_S, &mut decide, &mut |sim| truth.record(sim));
        let before: Vec<_> = sim.clients.iter().map(|c| *c.client.stats()).collect();
        sim.clients.iter_mut().for_each(|c| c.arrivals.clear());
        sim.run_observed(seconds, &mut decide, &mut |sim| {
            truth.record(sim);
            observe(sim, &mut drawn, &mut unpredicted);
        });
        // What is drawn ahead of the server is judged once the server is there.
        sim.run_observed(1.0, &mut decide, &mut |sim| truth.record(sim));
        let mut feel = Feel {
            others: Errors::default(),
            puck: Errors::default(),
            near: Errors::default(),
            near_unpredicted: Errors::default(),
            own: sim.clients.iter().flat_map(|c| c.arrivals.iter().map(|arrival| arrival.corrected_units)).collect(),
            corrections: [0; CorrectionCause::COUNT_MAX],
            minutes: seconds * PLAYERS as f64 / 60.0,
        };
        for (c, before) in sim.clients.iter().zip(before) {
            let now = c.client.stats().corrections;
            for (sum, (now, before)) in feel.corrections.iter_mut().zip(now.iter().zip(before.corrections)) {
                *sum += now - before;
            }
        }
        for drawn in drawn {
            if let Some(at) = truth.at(drawn.id, drawn.tick) {
                (drawn.of)(&mut feel).0.push(at.distance(drawn.at));
            }
        }
        for (id, past, now) in unpredicted {
            if let Some((past, now)) = truth.at(id, past).zip(truth.at(id, now)) {
                feel.near_unpredicted.0.push(past.distance(now));
            }
        }
        for errors in [&mut feel.others, &mut feel.puck, &mut feel.near, &mut feel.near_unpredicted] {
            errors.0.sort_by(f32::total_cmp);
        }
        feel.own.sort_by(f32::total_cmp);
        feel
    }

    pub(crate) fn others_rms(&self) -> f32 {
        self.others.rms()
    }

    pub(crate) fn puck_rms(&self) -> f32 {
        self.puck.rms()
    }

    pub(crate) fn near_rms(&self) -> f32 {
        self.near.rms()
    }

    pub(crate) fn near_unpredicted_rms(&self) -> f32 {
        self.near_unpredicted.rms()
    }

    /// Corrections per player and minute for a cause.
    pub(crate) fn per_minute(&self, cause: CorrectionCause) -> f64 {
        self.corrections[cause.index()] as f64 / self.minutes
    }
}

impl Errors {
    fn rms(&self) -> f32 {
        let square: f32 = self.0.iter().map(|error| error * error).sum();
        (square / self.0.len().max(1) as f32).sqrt()
    }
}

fn quantile(sorted: &[f32], quantile: f64) -> f32 {
    let index = (quantile * sorted.len().saturating_sub(1) as f64) as usize;
    sorted.get(index).copied().unwrap_or(0.0)
}

/// Notes what every client draws now, and the two moments at which it could draw the puck that it is about to touch.
fn observe(sim: &mut Sim<Puck>, drawn: &mut Vec<Drawn>, unpredicted: &mut Vec<(EntityId, f64, f64)>) {
    for c in &mut sim.clients {
        // A frozen client draws nothing.
        if !c.drew || c.frozen_until > sim.now {
            continue;
        }
        let view = c.client.view(sim.now);
        for entity in &view.entities {
            let (id, tick, at) = (entity.id, entity.tick, Vec2::new(entity.values[0], entity.values[1]));
            if entity.kind != fields::PUCK {
                drawn.push(Drawn { of: |feel| &mut feel.others, id, at, tick });
                continue;
            }
            drawn.push(Drawn { of: |feel| &mut feel.puck, id, at, tick });
            // The moment that the own disc is drawn at.
            let own_tick = view.own_tick - 1.0;
            if own_tick - tick < 0.01 {
                drawn.push(Drawn { of: |feel| &mut feel.near, id, at, tick });
                unpredicted.push((id, view.tick, tick));
            }
        }
    }
}

/// The headings of the columns that [`Feel`] displays.
pub(crate) const COLUMNS: &str = "others RMS | puck RMS / p99 | about to touch | RMS / p99 | unpredicted RMS | \
                                  error p50 / p99 | corrections per minute";

impl std::fmt::Display for Feel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let counted = CorrectionCause::all::<Puck>().filter(|cause| self.per_minute(*cause) >= 0.05);
        let causes: Vec<String> =
            counted.map(|cause| format!("{} {:.1}", cause.name::<Puck>(), self.per_minute(cause))).collect();
        write!(
            f,
            "{:.2} | {:.2} / {:.1} | {:.0} % | {:.2} / {:.1} | {:.0} | {:.2} / {:.1} | {}",
            self.others.rms(),
            self.puck.rms(),
            quantile(&self.puck.0, 0.99),
            100.0 * self.near.0.len() as f64 / self.puck.0.len().max(1) as f64,
            self.near.rms(),
            quantile(&self.near.0, 0.99),
            self.near_unpredicted.rms(),
            quantile(&self.own, 0.5),
            quantile(&self.own, 0.99),
            if causes.is_empty() { "none".to_owned() } else { causes.join(", ") },
        )
    }
}

/// The true positions of everything, by tick.
#[derive(Default)]
struct Truth {
    ticks: BTreeMap<u32, Vec<(EntityId, Vec2)>>,
}

impl Truth {
    fn record(&mut self, sim: &Sim<Puck>) {
        let tick = sim.room_loop().tick().0 - 1;
        self.ticks.entry(tick).or_insert_with(|| {
            let play = sim.room().game().play();
            let discs = play.discs.iter().map(|disc| (disc.id, disc.at));
            discs.chain([(play.puck.id, play.puck.at)]).collect()
        });
    }

    fn at(&self, id: EntityId, tick: f64) -> Option<Vec2> {
        let place = |tick: u32| Some(self.ticks.get(&tick)?.iter().find(|(of, _)| *of == id)?.1);
        let (from, to) = (place(tick as u32)?, place(tick as u32 + 1)?);
        Some(from.lerp(to, tick.fract() as f32))
    }
}

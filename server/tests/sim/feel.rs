//! How play feels over a link: a battle of AI players in virtual time, measured at every client.

use std::collections::BTreeMap;

use broadside_arena::ai::player::AiPlayer;
use broadside_arena::fields::SHIP;
use broadside_arena::record_view::ShipView;
use broadside_arena::{Arena, ArenaInput};
use broadside_shared::client::Client;
use broadside_shared::game::{Bot, CorrectionCause, Game};
use broadside_shared::history::Pose;
use broadside_shared::ids::PlayerId;
use broadside_shared::link::LinkProfile;
use glam::Vec2;

use broadside_sim::Sim;

/// Ticks of true positions kept for comparison with drawn ones: four seconds.
const TRUTH_TICKS: usize = 240;
/// Seconds for clock estimates and input leads to settle before anything is measured.
const SETTLE_S: f64 = 5.0;

/// The measurements of a battle over one kind of link. Times in milliseconds, distances in world units.
pub(crate) struct Feel {
    ages: Vec<f64>,
    gaps: Vec<f64>,
    errors: Vec<f64>,
    delays: Vec<f64>,
    frames: u64,
    starved: u64,
    remote_square: f64,
    remote_count: u64,
    corrections: [u64; CorrectionCause::COUNT_MAX],
    skipped: u64,
    minutes: f64,
}

impl Feel {
    /// Lets `players` AI players fight over a link for `seconds` and measures at every client.
    pub(crate) fn measure(profile: &LinkProfile, players: usize, seconds: f64, seed: u64) -> Feel {
        let mut sim = Sim::<Arena>::new(seed, 3);
        for _ in 0..players {
            sim.connect(profile);
        }
        let mut ais = AiPlayers::new(seed, players);
        let mut truth = Truth::default();
        sim.run_observed(SETTLE_S, &mut |i, c| ais.decide(i, c), &mut |sim| truth.record(sim));
        let mut feel = Feel {
            ages: Vec::new(),
            gaps: Vec::new(),
            errors: Vec::new(),
            delays: Vec::new(),
            frames: 0,
            starved: 0,
            remote_square: 0.0,
            remote_count: 0,
            corrections: [0; CorrectionCause::COUNT_MAX],
            skipped: 0,
            minutes: seconds * players as f64 / 60.0,
        };
        let before: Vec<_> = sim.clients.iter().map(|c| *c.client.stats()).collect();
        let skipped = sim.skipped();
        sim.clients.iter_mut().for_each(|c| c.arrivals.clear());
        sim.run_observed(seconds, &mut |i, c| ais.decide(i, c), &mut |sim| {
            truth.record(sim);
            feel.sample(sim, &truth);
        });
        feel.skipped = sim.skipped() - skipped;
        for (c, stats) in sim.clients.iter().zip(before) {
            let now = c.client.stats();
            feel.starved += now.starved_frames - stats.starved_frames;
            for (sum, (now, before)) in feel.corrections.iter_mut().zip(now.corrections.iter().zip(stats.corrections)) {
                *sum += now - before;
            }
            feel.gaps.extend(c.arrivals.iter().filter_map(|a| a.gap_us).map(|us| us as f64 / 1000.0));
            feel.errors.extend(c.arrivals.iter().map(|a| f64::from(a.corrected_units)));
        }
        for samples in [&mut feel.ages, &mut feel.gaps, &mut feel.errors, &mut feel.delays] {
            samples.sort_by(f64::total_cmp);
        }
        feel
    }

    fn sample(&mut self, sim: &mut Sim<Arena>, truth: &Truth) {
        for c in &mut sim.clients {
            // A frozen client draws nothing.
            if !c.drew || c.frozen_until > sim.now {
                continue;
            }
            self.frames += 1;
            let stats = c.client.stats();
            self.ages.push(stats.snapshot_age_ms);
            self.delays.push(stats.interpolation_ms);
            let view = c.client.view(sim.now);
            for entity in view.entities.iter().filter(|entity| entity.kind == SHIP) {
                let ship = ShipView::read(entity.id, entity.kind, &entity.values);
                if let Some(at) = truth.at(ship.player, view.tick) {
                    self.remote_square += f64::from(ship.position.distance_squared(at));
                    self.remote_count += 1;
                }
            }
        }
    }

    pub(crate) fn age_ms(&self, quantile: f64) -> f64 {
        at(&self.ages, quantile)
    }

    pub(crate) fn error_units(&self, quantile: f64) -> f64 {
        at(&self.errors, quantile)
    }

    /// Share of drawn frames for which the newest snapshot was too old.
    fn starved_share(&self) -> f64 {
        self.starved as f64 / self.frames.max(1) as f64
    }

    /// Root mean square of the distance between other ships as drawn and their true positions at the drawn time.
    pub(crate) fn remote_rms(&self) -> f64 {
        (self.remote_square / self.remote_count.max(1) as f64).sqrt()
    }

    /// Corrections per player and minute for a cause.
    pub(crate) fn per_minute(&self, cause: CorrectionCause) -> f64 {
        self.corrections[cause.index()] as f64 / self.minutes
    }
}

/// The headings of the columns that [`Feel`] displays.
pub(crate) const COLUMNS: &str = "age p50 / p99 ms | gap p99 ms | delay ms | starved | error p50 / p99 units | corrections per minute | \
                           others RMS units | skipped";

impl std::fmt::Display for Feel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let counted = CorrectionCause::all::<Arena>().filter(|cause| self.per_minute(*cause) >= 0.05);
        let causes: Vec<String> =
            counted.map(|cause| format!("{} {:.1}", cause.name::<Arena>(), self.per_minute(cause))).collect();
        write!(
            f,
            "{:.0} / {:.0} | {:.0} | {:.0} | {:.2} % | {:.2} / {:.1} | {} | {:.2} | {}",
            self.age_ms(0.5),
            self.age_ms(0.99),
            at(&self.gaps, 0.99),
            at(&self.delays, 0.5),
            self.starved_share() * 100.0,
            self.error_units(0.5),
            self.error_units(0.99),
            if causes.is_empty() { "none".to_owned() } else { causes.join(", ") },
            self.remote_rms(),
            self.skipped,
        )
    }
}

fn at(sorted: &[f64], quantile: f64) -> f64 {
    let index = (quantile * sorted.len().saturating_sub(1) as f64) as usize;
    sorted.get(index).copied().unwrap_or(0.0)
}

/// An AI player per client, which sees that client's replica.
pub(crate) struct AiPlayers {
    players: Vec<AiPlayer>,
}

impl AiPlayers {
    pub(crate) fn new(seed: u64, players: usize) -> AiPlayers {
        let skill = |p: usize| 0.3 + 0.06 * (p % 10) as f32;
        let players = (0..players).map(|p| <AiPlayer as Bot<Arena>>::new(seed.wrapping_add(p as u64 * 31), skill(p)));
        AiPlayers { players: players.collect() }
    }

    pub(crate) fn decide(&mut self, index: usize, client: &Client<Arena>) -> ArenaInput {
        client.bot_view().map(|view| self.players[index].decide(&view)).unwrap_or_default()
    }
}

/// The true poses of all ships, by tick.
#[derive(Default)]
struct Truth {
    ticks: BTreeMap<u32, Vec<Pose>>,
}

impl Truth {
    fn record(&mut self, sim: &Sim<Arena>) {
        let tick = sim.room_loop().tick().0 - 1;
        self.ticks.entry(tick).or_insert_with(|| {
            let mut poses = Vec::new();
            sim.room().game().poses(&mut poses);
            poses
        });
        while self.ticks.len() > TRUTH_TICKS {
            self.ticks.pop_first();
        }
    }

    fn at(&self, player: PlayerId, tick: f64) -> Option<Vec2> {
        let pose = |tick: u32| self.ticks.get(&tick)?.iter().find(|pose| pose.player == player);
        let (from, to) = (pose(tick as u32)?, pose(tick as u32 + 1)?);
        (from.life == to.life).then(|| from.at + (to.at - from.at) * tick.fract() as f32)
    }
}

#[test]
fn playable_links_feel_as_promised() {
    for (name, age_p99) in [("cable", 120.0), ("4g", 200.0), ("lte", 200.0), ("far", 250.0)] {
        for seed in [5, 6, 7] {
            let profile = LinkProfile::named(name).expect("a known link profile");
            let feel = Feel::measure(&profile, 32, 12.0, seed);
            let what = format!("{name}, seed {seed}: {COLUMNS}: {feel}");
            assert!(feel.age_ms(0.99) < age_p99, "{what}");
            // A quarter of a ship, whose radius is 16 units.
            assert!(feel.remote_rms() < 4.0, "{what}");
            assert!(feel.error_units(0.5) == 0.0, "most snapshots correct nothing: {what}");
            assert!(feel.per_minute(CorrectionCause::UNKNOWN) == 0.0, "every correction has a cause: {what}");
        }
    }
}

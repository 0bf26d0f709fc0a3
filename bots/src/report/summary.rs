//! Computes a report from the counters of a steady phase.

use hdrhistogram::Histogram;

use super::model::{
    BothWays, BytesByClass, BytesDown, KbitPerS, LoadHealth, MeanOnly, PredictionError, RateHz, Report, RttMs,
    ShareReceived, Times, WorstPlayer,
};
use crate::load::health;
use crate::load::plan::LoadPlan;
use crate::load::run::MeasuredPhase;
use crate::load::statistics::{PlayerCounters, Window, quantile_ms, round};

/// Lateness of its own loop, 99th percentile in milliseconds, above which the load tester is overloaded.
const LATENESS_MAX_MS: f64 = 10.0;
/// Share of its cores above which the load tester is overloaded.
const CORE_SHARE_MAX: f64 = 0.9;

impl Report {
    /// The results of a steady phase.
    #[must_use]
    pub fn new(plan: &LoadPlan, measured: &MeasuredPhase) -> Report {
        let MeasuredPhase { window, per_player, .. } = measured;
        let full_s: f64 = per_player.iter().filter(|t| t.full).map(|t| t.played_us as f64 / 1e6).sum();
        let per_full_min = |count: u64| (full_s > 0.0).then(|| round(count as f64 * 60.0 / full_s));
        let effects = percentiles(&window.effects);
        let ratio = |of: f64, to: u64| (to > 0).then(|| round(of / to as f64));
        let cells: u64 = per_player.iter().map(|t| t.down.cells_near + t.down.cells_far).sum();
        let rates = sorted(per_player, |t| per_s(t, t.snapshots));
        let mut shares: Vec<f64> = per_player.iter().filter_map(PlayerCounters::share).collect();
        shares.sort_by(f64::total_cmp);
        let down = sorted(per_player, |t| per_s(t, t.down.payload() + t.down.headers));
        let class = |of: fn(&PlayerCounters) -> u64| mean(per_player, |t| per_s(t, of(t)));
        let expected: f64 = per_player.iter().map(|t| t.expected).sum();
        let kbit = |bytes_per_s: Option<f64>| bytes_per_s.map(|bytes| round(bytes * 8.0 / 1000.0));
        let all = (expected >= 1.0).then(|| round((window.snapshots as f64 / expected).min(1.0)));
        let up = class(|t| t.bytes_up);
        let by_cause = measured.corrections.iter().map(|(cause, count)| (*cause, per_full_min(*count)));
        let corrections_by_cause = by_cause.collect();
        let server = measured.server.clone();
        Report {
            players: measured.players,
            joined: measured.joined,
            refused: measured.refused,
            queued: measured.queued,
            dropped: measured.dropped,
            rejoined: window.rejoined,
            playing: measured.playing,
            snapshots: window.snapshots,
            seconds: round(measured.seconds),
            seconds_asked: round(measured.seconds_asked),
            interrupted: measured.interrupted,
            ais: per_player.iter().filter(|t| t.full).count(),
            full_every: plan.full_every,
            decode_every: plan.decode_every,
            rooms: plan.rooms,
            link: plan.link.to_string(),
            snapshot_rate_hz: RateHz { p50: middle(&rates), min: first(&rates) },
            share_received: ShareReceived { p50: middle(&shares), min: first(&shares), all },
            snapshot_age_ms: percentiles(&window.ages),
            snapshot_gap_ms: percentiles(&window.gaps),
            input_to_ack_ms: effects,
            input_to_effect_ms: effects,
            prediction_error: PredictionError::of(&window.errors),
            corrections_per_min: per_full_min(measured.corrections.values().sum()),
            corrections_by_cause,
            join_ms: percentiles(&measured.joins),
            bits_per_record: MeanOnly { mean: ratio(cells as f64 * 8.0, window.records.0) },
            in_view: MeanOnly { mean: ratio(window.in_view.0 as f64, window.in_view.1) },
            subscribed: MeanOnly { mean: ratio(window.records.0 as f64, window.records.1) },
            bytes_down_per_s: BytesDown { mean: class(|t| t.down.payload() + t.down.headers), max: last(&down) },
            bytes_up_per_s: MeanOnly { mean: up },
            socket_bytes_per_s: BothWays::of(window, per_player),
            bytes_by_class: BytesByClass::of(per_player),
            kbit_per_s: KbitPerS {
                payload_down: kbit(class(|t| t.down.payload())),
                down: kbit(class(|t| t.down.payload() + t.down.headers)),
                down_max: kbit(last(&down)),
                up: kbit(up),
            },
            rtt_ms: RttMs { p50: middle(&sorted(per_player, |t| t.rtt_ms)) },
            worst: worst(plan, per_player),
            server_unavailable: server.unavailable.clone(),
            server,
            load: LoadHealth::new(plan, measured),
            first_error: measured.first_error.clone().or_else(|| still_queued(measured.queued)),
            assertions: Vec::new(),
            knee: None,
        }
    }
}

impl PredictionError {
    /// From corrections in thousandths of a world unit.
    fn of(errors: &Histogram<u32>) -> PredictionError {
        // Thousandths to units is the same factor as microseconds to milliseconds.
        let at = |quantile| quantile_ms(errors, quantile);
        PredictionError { p50: at(0.5), p99: at(0.99), max: at(1.0) }
    }
}

impl BothWays {
    fn of(window: &Window, per_player: &[PlayerCounters]) -> BothWays {
        let played_s = per_player.iter().map(|t| t.played_us as f64 / 1e6).sum::<f64>().max(1.0);
        let per_s = |bytes: u64| (!per_player.is_empty()).then(|| round(bytes as f64 / played_s));
        BothWays { down: per_s(window.socket_down), up: per_s(window.socket_up) }
    }
}

impl BytesByClass {
    fn of(per_player: &[PlayerCounters]) -> BytesByClass {
        let class = |of: fn(&PlayerCounters) -> u64| mean(per_player, |t| per_s(t, of(t)));
        BytesByClass {
            local_player: class(|t| t.down.local_player),
            cells_near: class(|t| t.down.cells_near),
            cells_far: class(|t| t.down.cells_far),
            events: class(|t| t.down.events),
            updates: class(|t| t.down.updates),
            control: class(|t| t.down.control),
            undecoded: class(|t| t.down.undecoded),
            headers: class(|t| t.down.headers),
        }
    }
}

impl LoadHealth {
    fn new(plan: &LoadPlan, measured: &MeasuredPhase) -> LoadHealth {
        let lateness_ms = percentiles(&measured.window.lateness);
        let most = plan.threads.min(health::cores()) as f64;
        let busy = measured.load_cores.is_some_and(|cores| cores > CORE_SHARE_MAX * most);
        let snapshots = measured.window.snapshots;
        let per_snapshot = |cores: f64| cores * measured.seconds * 1e6 / snapshots as f64;
        LoadHealth {
            cpu_cores: measured.load_cores.map(round),
            cpu_us_per_client_snapshot: measured.load_cores.filter(|_| snapshots > 0).map(per_snapshot).map(round),
            lateness_ms,
            threads: plan.threads,
            socket_errors: measured.window.socket_errors,
            overloaded: busy || lateness_ms.p99.is_some_and(|late_ms| late_ms > LATENESS_MAX_MS),
        }
    }
}

fn still_queued(players: usize) -> Option<String> {
    (players > 0).then(|| format!("{players} still in the join queue: the rooms are full"))
}

fn worst(plan: &LoadPlan, per_player: &[PlayerCounters]) -> Option<WorstPlayer> {
    let age = |counters: &PlayerCounters| counters.ages.quantile_ms(0.99);
    let share = |counters: &PlayerCounters| counters.share().unwrap_or(1.0);
    let order = |a: &&PlayerCounters, b: &&PlayerCounters| {
        age(a).unwrap_or(0.0).total_cmp(&age(b).unwrap_or(0.0)).then(share(b).total_cmp(&share(a)))
    };
    let counters = per_player.iter().max_by(order)?;
    Some(WorstPlayer {
        player: format!("load {}", counters.index),
        link: plan.link.pick(counters.index).name,
        age_ms_p99: age(counters).map(|age_ms| round(age_ms.min(counters.age_max_us as f64 / 1000.0))),
        gap_ms_max: (counters.gap_max_us > 0).then(|| round(counters.gap_max_us as f64 / 1000.0)),
        share: counters.share().map(round),
    })
}

fn percentiles(times: &Histogram<u32>) -> Times {
    let at = |quantile| quantile_ms(times, quantile);
    Times { p50: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1.0) }
}

fn per_s(counters: &PlayerCounters, count: u64) -> f64 {
    count as f64 / (counters.played_us as f64 / 1e6).max(1e-3)
}

fn sorted(per_player: &[PlayerCounters], of: impl Fn(&PlayerCounters) -> f64) -> Vec<f64> {
    let mut values: Vec<f64> = per_player.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values
}

fn mean(per_player: &[PlayerCounters], of: impl Fn(&PlayerCounters) -> f64) -> Option<f64> {
    (!per_player.is_empty()).then(|| round(per_player.iter().map(of).sum::<f64>() / per_player.len() as f64))
}

fn first(sorted: &[f64]) -> Option<f64> {
    sorted.first().copied().map(round)
}

fn middle(sorted: &[f64]) -> Option<f64> {
    sorted.get(sorted.len() / 2).copied().map(round)
}

fn last(sorted: &[f64]) -> Option<f64> {
    sorted.last().copied().map(round)
}

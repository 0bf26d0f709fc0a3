//! What the players of a load run felt, and what it cost: as text, as JSON and as a page.
//!
//! The JSON keys are stable: new ones may come, none changes its meaning. What was not measured is null. Percentiles are over all samples of all players
//! together; bytes are those of WebSocket frames, header included unless it says payload, without TCP and IP.

mod html;
mod text;
mod verdict;

pub use html::{Pictures, page};

use broadside_shared::game::CorrectionCause;
use hdrhistogram::Histogram;
use serde::Serialize;

use crate::load::LoadPlan;
use crate::load::assertion::Judgement;
use crate::load::figures::{Tally, Window};
use crate::load::health;
use crate::load::knee::Knee;
use crate::load::metrics::ServerFigures;
use crate::load::run::{Measured, quantile_ms, round};

/// Lateness of its own loop, 99th percentile in milliseconds, from which on the load tester's figures are its own.
const LATE_MS: f64 = 10.0;
/// Share of the cores it has from which on the load tester is the bottleneck.
const BUSY: f64 = 0.9;

/// A load run's figures.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Players asked for.
    pub players: usize,
    /// Players that got a seat.
    pub joined: usize,
    /// Players that could not join.
    pub refused: usize,
    /// Players that were still in line for a seat at the end.
    pub in_line: usize,
    /// Players that lost their connection after they had joined; leaving on purpose is not that.
    pub dropped: usize,
    /// Times that a player left on purpose and came back.
    pub rejoined: u64,
    /// Players that played at the end of the measured phase.
    pub playing: usize,
    /// Snapshots received in it by all.
    pub snapshots: u64,
    /// Its length in seconds.
    pub seconds: f64,
    /// The length it was to have.
    pub seconds_asked: f64,
    /// Whether somebody ended the run before all was measured.
    pub interrupted: bool,
    /// Players that run the full client and the ai; the others decode everything and fly a pattern.
    pub ais: usize,
    /// Every how many players one is full.
    pub full_every: usize,
    /// Rooms the players are spread over.
    pub rooms: usize,
    /// The lines the players are on.
    pub link: String,
    /// Snapshots per second of each player: the median player and the worst.
    pub snapshot_rate_hz: RateHz,
    /// Snapshots received of those due at the room's nominal rate, 0 to 1.
    pub share_received: Share,
    /// Estimated server time minus the tick of the newest snapshot, at every client tick, in milliseconds.
    pub snapshot_age_ms: Times,
    /// Time from one snapshot to the next, in milliseconds.
    pub snapshot_gap_ms: Times,
    /// Time from the sampling of an input to the snapshot that acknowledges it, in milliseconds.
    pub input_to_ack_ms: Times,
    /// Time from the sampling of an input to the arrival of the snapshot in which it has had its effect, in milliseconds. What
    /// acknowledges an input shows its effect too, so these are the same times.
    pub input_to_effect_ms: Times,
    /// Distance by which full clients had to correct their own position, over all their snapshots but those that brought a new
    /// ship, in world units.
    pub prediction_error: Error,
    /// Corrections per full client and minute.
    pub corrections_per_min: Option<f64>,
    /// Those by cause.
    pub corrections_by_cause: Causes,
    /// Time from the begin of a connection to its first snapshot, in milliseconds.
    pub join_ms: Times,
    /// Bits of cells per record known and snapshot, heads of cells included.
    pub bits_per_record: Mean,
    /// Records within a player's view.
    pub in_view: Mean,
    /// Records a player knows.
    pub subscribed: Mean,
    /// Bytes received per second and player.
    pub bytes_down_per_s: BytesDown,
    /// Bytes sent per second and player.
    pub bytes_up_per_s: Mean,
    /// Bytes that sockets moved per second and player: with TLS those of its records, too. Without TCP and IP.
    pub socket_bytes_per_s: BothWays,
    /// Bytes received per second and player, by what they are for.
    pub bytes_by_class: ByClass,
    /// Thousands of bits per second and player.
    pub kbit_per_s: Kbit,
    /// Median of the players' smoothed round trip times in milliseconds.
    pub rtt_ms: RttMs,
    /// The player with the oldest snapshots, or null if nobody played.
    pub worst: Option<Worst>,
    /// What the server says of itself.
    pub server: ServerFigures,
    /// Why there is nothing from the server, or null.
    pub server_unavailable: Option<String>,
    /// The load tester itself.
    pub load: LoadHealth,
    /// Why the first player that failed did, or null.
    pub first_error: Option<String>,
    /// What had to hold, and whether it did.
    pub assertions: Vec<Judgement>,
    /// What the search for the knee found, or null.
    pub knee: Option<Knee>,
}

/// See [`Report::snapshot_rate_hz`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RateHz {
    /// The median player.
    pub p50: Option<f64>,
    /// The worst player.
    pub min: Option<f64>,
}

/// See [`Report::share_received`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Share {
    /// The median player.
    pub p50: Option<f64>,
    /// The worst player.
    pub min: Option<f64>,
    /// All players together.
    pub all: Option<f64>,
}

/// Percentiles of times in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Times {
    /// Median.
    pub p50: Option<f64>,
    /// 95th percentile.
    pub p95: Option<f64>,
    /// 99th percentile.
    pub p99: Option<f64>,
    /// Longest.
    pub max: Option<f64>,
}

/// See [`Report::prediction_error`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Error {
    /// Median.
    pub p50: Option<f64>,
    /// 99th percentile.
    pub p99: Option<f64>,
    /// Largest.
    pub max: Option<f64>,
}

/// Corrections per full client and minute, by cause.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Causes {
    /// An input came too late or not at all.
    pub input: Option<f64>,
    /// Contact with another player.
    pub collision: Option<f64>,
    /// A hit.
    pub hit: Option<f64>,
    /// Something picked up.
    pub pickup: Option<f64>,
    /// The end of a life, or the begin of one.
    pub respawn: Option<f64>,
    /// None of these: a bug.
    pub unknown: Option<f64>,
}

/// A mean.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Mean {
    /// The mean.
    pub mean: Option<f64>,
}

/// See [`Report::bytes_down_per_s`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct BytesDown {
    /// Mean over the players.
    pub mean: Option<f64>,
    /// The player with the most.
    pub max: Option<f64>,
}

/// See [`Report::socket_bytes_per_s`]. Means over the players.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct BothWays {
    /// From the server.
    pub down: Option<f64>,
    /// To it.
    pub up: Option<f64>,
}

/// See [`Report::bytes_by_class`]. Means over the players.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ByClass {
    /// Snapshot heads and own states.
    pub own: Option<f64>,
    /// Cells near the middle of the view.
    pub cells_near: Option<f64>,
    /// The other cells.
    pub cells_far: Option<f64>,
    /// Events.
    pub events: Option<f64>,
    /// Names and standings.
    pub notes: Option<f64>,
    /// Control messages.
    pub control: Option<f64>,
    /// WebSocket headers.
    pub headers: Option<f64>,
}

/// See [`Report::kbit_per_s`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Kbit {
    /// Received, WebSocket headers left out; mean.
    pub payload_down: Option<f64>,
    /// Received, WebSocket headers included; mean.
    pub down: Option<f64>,
    /// The same of the player with the most.
    pub down_max: Option<f64>,
    /// Sent, WebSocket headers included; mean.
    pub up: Option<f64>,
}

/// See [`Report::rtt_ms`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RttMs {
    /// Median.
    pub p50: Option<f64>,
}

/// See [`Report::worst`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Worst {
    /// Its name in the game.
    pub player: String,
    /// Its line.
    pub link: &'static str,
    /// 99th percentile of the age of its newest snapshot in milliseconds, to a tenth of its value.
    pub age_ms_p99: Option<f64>,
    /// Longest gap between two of its snapshots in milliseconds.
    pub gap_ms_max: Option<f64>,
    /// Share of its snapshots it received.
    pub share: Option<f64>,
}

/// See [`Report::load`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct LoadHealth {
    /// CPU cores it used; null where the system does not say.
    pub cpu_cores: Option<f64>,
    /// Its CPU time per snapshot received, inputs sent included, in microseconds.
    pub cpu_us_per_client_snapshot: Option<f64>,
    /// How late players acted because it was busy, in milliseconds.
    pub lateness_ms: Times,
    /// Threads that ran the players.
    pub threads: usize,
    /// Connections that failed or broke other than by the server closing them.
    pub socket_errors: u64,
    /// Whether it was too slow itself: the figures are then its own and not the server's.
    pub overloaded: bool,
}

impl Report {
    /// Sums up a measured phase.
    #[must_use]
    pub fn new(plan: &LoadPlan, measured: &Measured) -> Report {
        let Measured { window, tallies, .. } = measured;
        let full_s: f64 = tallies.iter().filter(|t| t.full).map(|t| t.played_us as f64 / 1e6).sum();
        let per_full_min = |count: u64| (full_s > 0.0).then(|| round(count as f64 * 60.0 / full_s));
        let effects = percentiles(&window.effects);
        let ratio = |of: f64, to: u64| (to > 0).then(|| round(of / to as f64));
        let cells: u64 = tallies.iter().map(|t| t.down.cells_near + t.down.cells_far).sum();
        let rates = sorted(tallies, |t| per_s(t, t.snapshots));
        let mut shares: Vec<f64> = tallies.iter().filter_map(Tally::share).collect();
        shares.sort_by(f64::total_cmp);
        let down = sorted(tallies, |t| per_s(t, t.down.payload() + t.down.headers));
        let class = |of: fn(&Tally) -> u64| mean(tallies, |t| per_s(t, of(t)));
        let expected: f64 = tallies.iter().map(|t| t.expected).sum();
        let kbit = |bytes_per_s: Option<f64>| bytes_per_s.map(|bytes| round(bytes * 8.0 / 1000.0));
        let all = (expected >= 1.0).then(|| round((window.snapshots as f64 / expected).min(1.0)));
        let up = class(|t| t.bytes_up);
        let server = measured.server.clone();
        Report {
            players: measured.players,
            joined: measured.joined,
            refused: measured.refused,
            in_line: measured.in_line,
            dropped: measured.dropped,
            rejoined: window.rejoined,
            playing: measured.playing,
            snapshots: window.snapshots,
            seconds: round(measured.seconds),
            seconds_asked: round(measured.seconds_asked),
            interrupted: measured.interrupted,
            ais: tallies.iter().filter(|t| t.full).count(),
            full_every: plan.full_every,
            rooms: plan.rooms,
            link: plan.link.to_string(),
            snapshot_rate_hz: RateHz { p50: middle(&rates), min: first(&rates) },
            share_received: Share { p50: middle(&shares), min: first(&shares), all },
            snapshot_age_ms: percentiles(&window.ages),
            snapshot_gap_ms: percentiles(&window.gaps),
            input_to_ack_ms: effects,
            input_to_effect_ms: effects,
            prediction_error: Error::of(&window.errors),
            corrections_per_min: per_full_min(window.corrections.iter().sum()),
            corrections_by_cause: Causes::of(|cause| per_full_min(window.corrections[cause as usize])),
            join_ms: percentiles(&measured.joins),
            bits_per_record: Mean { mean: ratio(cells as f64 * 8.0, window.records) },
            in_view: Mean { mean: ratio(window.in_view.0 as f64, window.in_view.1) },
            subscribed: Mean { mean: ratio(window.records as f64, window.snapshots) },
            bytes_down_per_s: BytesDown { mean: class(|t| t.down.payload() + t.down.headers), max: last(&down) },
            bytes_up_per_s: Mean { mean: up },
            socket_bytes_per_s: BothWays::of(window, tallies),
            bytes_by_class: ByClass::of(tallies),
            kbit_per_s: Kbit {
                payload_down: kbit(class(|t| t.down.payload())),
                down: kbit(class(|t| t.down.payload() + t.down.headers)),
                down_max: kbit(last(&down)),
                up: kbit(up),
            },
            rtt_ms: RttMs { p50: middle(&sorted(tallies, |t| t.rtt_ms)) },
            worst: worst(plan, tallies),
            server_unavailable: server.unavailable.clone(),
            server,
            load: LoadHealth::new(plan, measured),
            first_error: measured.first_error.clone().or_else(|| still_in_line(measured.in_line)),
            assertions: Vec::new(),
            knee: None,
        }
    }
}

impl Causes {
    fn of(cause: impl Fn(CorrectionCause) -> Option<f64>) -> Causes {
        Causes {
            input: cause(CorrectionCause::Input),
            collision: cause(CorrectionCause::Collision),
            hit: cause(CorrectionCause::Hit),
            pickup: cause(CorrectionCause::Pickup),
            respawn: cause(CorrectionCause::Respawn),
            unknown: cause(CorrectionCause::Unknown),
        }
    }
}

impl Error {
    /// Of distances in thousandths of a unit.
    fn of(errors: &Histogram<u32>) -> Error {
        // As from microseconds to milliseconds.
        let at = |quantile| quantile_ms(errors, quantile);
        Error { p50: at(0.5), p99: at(0.99), max: at(1.0) }
    }
}

impl BothWays {
    fn of(window: &Window, tallies: &[Tally]) -> BothWays {
        let played_s = tallies.iter().map(|t| t.played_us as f64 / 1e6).sum::<f64>().max(1.0);
        let per_s = |bytes: u64| (!tallies.is_empty()).then(|| round(bytes as f64 / played_s));
        BothWays { down: per_s(window.socket_down), up: per_s(window.socket_up) }
    }
}

impl ByClass {
    fn of(tallies: &[Tally]) -> ByClass {
        let class = |of: fn(&Tally) -> u64| mean(tallies, |t| per_s(t, of(t)));
        ByClass {
            own: class(|t| t.down.own),
            cells_near: class(|t| t.down.cells_near),
            cells_far: class(|t| t.down.cells_far),
            events: class(|t| t.down.events),
            notes: class(|t| t.down.notes),
            control: class(|t| t.down.control),
            headers: class(|t| t.down.headers),
        }
    }
}

impl LoadHealth {
    fn new(plan: &LoadPlan, measured: &Measured) -> LoadHealth {
        let lateness_ms = percentiles(&measured.window.lateness);
        let most = plan.threads.min(health::cores()) as f64;
        let busy = measured.load_cores.is_some_and(|cores| cores > BUSY * most);
        let snapshots = measured.window.snapshots;
        let per_snapshot = |cores: f64| cores * measured.seconds * 1e6 / snapshots as f64;
        LoadHealth {
            cpu_cores: measured.load_cores.map(round),
            cpu_us_per_client_snapshot: measured.load_cores.filter(|_| snapshots > 0).map(per_snapshot).map(round),
            lateness_ms,
            threads: plan.threads,
            socket_errors: measured.window.socket_errors,
            overloaded: busy || lateness_ms.p99.is_some_and(|late_ms| late_ms > LATE_MS),
        }
    }
}

fn still_in_line(players: usize) -> Option<String> {
    (players > 0).then(|| format!("{players} still in line for a seat: the rooms are full"))
}

fn worst(plan: &LoadPlan, tallies: &[Tally]) -> Option<Worst> {
    let age = |tally: &Tally| tally.ages.quantile_ms(0.99);
    let share = |tally: &Tally| tally.share().unwrap_or(1.0);
    let order = |a: &&Tally, b: &&Tally| {
        age(a).unwrap_or(0.0).total_cmp(&age(b).unwrap_or(0.0)).then(share(b).total_cmp(&share(a)))
    };
    let tally = tallies.iter().max_by(order)?;
    Some(Worst {
        player: format!("load {}", tally.index),
        link: plan.link.pick(tally.index).name,
        age_ms_p99: age(tally).map(|age_ms| round(age_ms.min(tally.age_max_us as f64 / 1000.0))),
        gap_ms_max: (tally.gap_max_us > 0).then(|| round(tally.gap_max_us as f64 / 1000.0)),
        share: tally.share().map(round),
    })
}

fn percentiles(times: &Histogram<u32>) -> Times {
    let at = |quantile| quantile_ms(times, quantile);
    Times { p50: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1.0) }
}

fn per_s(tally: &Tally, count: u64) -> f64 {
    count as f64 / (tally.played_us as f64 / 1e6).max(1e-3)
}

fn sorted(tallies: &[Tally], of: impl Fn(&Tally) -> f64) -> Vec<f64> {
    let mut values: Vec<f64> = tallies.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values
}

fn mean(tallies: &[Tally], of: impl Fn(&Tally) -> f64) -> Option<f64> {
    (!tallies.is_empty()).then(|| round(tallies.iter().map(of).sum::<f64>() / tallies.len() as f64))
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

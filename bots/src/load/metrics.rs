//! The server's own metrics: `/metrics` in the Prometheus text format, read before and after a phase.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use broadside_shared::operator::token_files;
use rustls::StreamOwned;
use serde::Serialize;

use crate::socket::Target;

/// Timeout of each socket operation.
const PATIENCE: Duration = Duration::from_millis(1500);
/// Longest response that is read, in bytes.
const ANSWER_MAX: u64 = 4 * 1024 * 1024;

/// The samples of one read of the metrics, by name and labels as written.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Scrape(BTreeMap<String, f64>);

/// The server's metrics over a phase. A value is `None` if the server does not export its metric.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct ServerStatistics {
    /// CPU cores used by the server process.
    pub(crate) cpu_cores: Option<f64>,
    /// CPU time of the server per snapshot received by a client, input handling included, in microseconds.
    pub(crate) cpu_us_per_client_snapshot: Option<f64>,
    /// Resident memory at the end, in MiB.
    pub(crate) rss_mb: Option<f64>,
    /// Growth of its memory since before the first player connected, in KiB per player.
    pub(crate) kb_per_player: Option<f64>,
    /// Duration of ticks, in milliseconds.
    pub(crate) tick_ms: TickMs,
    /// How late ticks started, in milliseconds.
    pub(crate) lateness_ms: LatenessMs,
    /// Missed ticks.
    pub(crate) missed_ticks: Option<f64>,
    /// Missed ticks as a share of all due ticks, 0 to 1.
    pub(crate) missed_share: Option<f64>,
    /// Ticks that exceeded the tick budget.
    pub(crate) overruns: Option<f64>,
    /// Snapshots skipped because a connection accepted no more bytes.
    pub(crate) skips: Option<f64>,
    /// Changes of clients' budgets.
    pub(crate) budget_steps: Option<f64>,
    /// Level of the server's governor at the end; 0 is full quality.
    pub(crate) governor_level: Option<f64>,
    /// Steps of the governor, down and up.
    pub(crate) governor_steps: Option<f64>,
    /// Input packets read by the server.
    pub(crate) inputs_read: Option<f64>,
    /// Why the metrics could not be read.
    pub(crate) unavailable: Option<String>,
}

/// See [`ServerStatistics::tick_ms`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(crate) struct TickMs {
    /// Median.
    pub(crate) p50: Option<f64>,
    /// 99th percentile.
    pub(crate) p99: Option<f64>,
}

/// See [`ServerStatistics::lateness_ms`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(crate) struct LatenessMs {
    /// 99th percentile.
    pub(crate) p99: Option<f64>,
}

impl Scrape {
    /// Reads the metrics of the server of `target` at `address`, with the operator's token if there is one.
    ///
    /// # Errors
    /// Why the metrics cannot be read.
    pub(crate) fn fetch(target: &Target, address: SocketAddr, token: Option<&str>) -> Result<Scrape, String> {
        let cannot = |error: std::io::Error| format!("cannot read /metrics of {address}: {error}");
        let stream = TcpStream::connect_timeout(&address, PATIENCE).map_err(cannot)?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(cannot)?;
        stream.set_write_timeout(Some(PATIENCE)).map_err(cannot)?;
        let answer = match target.tls_connection().map_err(|error| error.to_string())? {
            None => request(stream, target, token),
            Some(session) => request(StreamOwned::new(session, stream), target, token),
        };
        let answer = answer.map_err(cannot)?;
        let answer = String::from_utf8_lossy(&answer);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let status = head.lines().next().unwrap_or("");
        match status.split(' ').nth(1) {
            Some("200") => {}
            Some("401") => {
                return Err(format!(
                    "/metrics of {address} needs the operator's token: pass the file that its log calls \"operator token\" as \
                     --operator-token FILE"
                ));
            }
            Some(_) | None => return Err(format!("/metrics of {address} answers {status:?}")),
        }
        let scrape = Scrape::parse(body);
        if scrape.0.is_empty() {
            return Err(format!("/metrics of {address} contains no metrics"));
        }
        Ok(scrape)
    }

    /// Parses the text format: name, labels and number per line. Other lines are skipped.
    #[must_use]
    pub(crate) fn parse(text: &str) -> Scrape {
        let sample = |line: &str| {
            if line.starts_with('#') {
                return None;
            }
            // A label's value may contain spaces; the value and an optional timestamp follow the labels.
            let split = line.rfind('}').map_or_else(|| line.find(' '), |brace| Some(brace + 1))?;
            let (name, rest) = line.split_at(split);
            let value = rest.split_whitespace().next()?.parse().ok()?;
            Some((name.trim().to_owned(), value))
        };
        Scrape(text.lines().filter_map(sample).collect())
    }

    /// The sum of a metric over its labels; `None` if it is absent.
    #[must_use]
    pub(crate) fn sum(&self, name: &str) -> Option<f64> {
        let labelled = format!("{name}{{");
        let mut found = self.0.iter().filter(|(key, _)| *key == name || key.starts_with(&labelled)).peekable();
        found.peek()?;
        Some(found.map(|(_, value)| value).sum())
    }

    /// The buckets of a histogram, summed over its other labels: upper bounds in ascending order with their cumulative counts.
    #[must_use]
    pub(crate) fn buckets(&self, name: &str) -> Vec<(f64, f64)> {
        let prefix = format!("{name}_bucket{{");
        let mut buckets: Vec<(f64, f64)> = Vec::new();
        for (key, value) in self.0.iter().filter(|(key, _)| key.starts_with(&prefix)) {
            let bound = key.split_once("le=\"").and_then(|(_, rest)| rest.split_once('"'));
            let Some(bound) = bound.and_then(|(bound, _)| bound.parse::<f64>().ok()) else { continue };
            match buckets.iter_mut().find(|(known, _)| known.total_cmp(&bound).is_eq()) {
                Some((_, count)) => *count += value,
                None => buckets.push((bound, *value)),
            }
        }
        buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        buckets
    }
}

/// The operator's token of the server at `address`: the one in `file`, or the one that a server of this user on this machine has
/// written.
///
/// # Errors
/// The file cannot be read or contains no token.
pub fn operator_token(file: Option<&Path>, address: SocketAddr) -> anyhow::Result<Option<String>> {
    let read = |path: &Path| std::fs::read_to_string(path).map(|text| text.trim().to_owned());
    if let Some(path) = file {
        let token = read(path).with_context(|| format!("cannot read --operator-token {}", path.display()))?;
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            bail!("--operator-token {}: contains no token, which is one line of letters and digits", path.display());
        }
        return Ok(Some(token));
    }
    if !address.ip().is_loopback() {
        return Ok(None);
    }
    let files = token_files(|name| std::env::var_os(name), &std::env::temp_dir(), uid(), address.port());
    // A server that was killed leaves its file behind: the newest file wins.
    let left = files.iter().filter_map(|path| Some((std::fs::metadata(path).ok()?.modified().ok()?, read(path).ok()?)));
    Ok(left.max_by_key(|(modified, _)| *modified).map(|(_, token)| token))
}

#[cfg(unix)]
fn uid() -> Option<u32> {
    Some(nix::unistd::geteuid().as_raw())
}

#[cfg(not(unix))]
fn uid() -> Option<u32> {
    None
}

/// Sends the request and gives the whole response.
fn request(mut stream: impl Read + Write, target: &Target, token: Option<&str>) -> std::io::Result<Vec<u8>> {
    let authorization = token.map_or_else(String::new, |token| format!("Authorization: Bearer {token}\r\n"));
    let host = target.authority();
    // HTTP/1.0, so that the response is not chunked and ends with the connection.
    write!(stream, "GET /metrics HTTP/1.0\r\nHost: {host}\r\n{authorization}Connection: close\r\n\r\n")?;
    stream.flush()?;
    let mut answer = Vec::new();
    stream.take(ANSWER_MAX).read_to_end(&mut answer)?;
    Ok(answer)
}

/// A quantile of what a histogram counted from `before` to `after`, interpolated linearly within its buckets; `None` if it counted
/// nothing. Values above the last finite bound count as that bound.
#[must_use]
pub(crate) fn quantile(before: &[(f64, f64)], after: &[(f64, f64)], quantile: f64) -> Option<f64> {
    let counted = |at: usize| {
        let (bound, count) = after[at];
        let earlier = before.iter().find(|(known, _)| known.total_cmp(&bound).is_eq());
        count - earlier.map_or(0.0, |(_, count)| *count)
    };
    let total = after.len().checked_sub(1).map(counted).filter(|total| *total > 0.0)?;
    let wanted = total * quantile;
    let at = (0..after.len()).find(|at| counted(*at) >= wanted)?;
    let (low, below) = if at == 0 { (0.0, 0.0) } else { (after[at - 1].0, counted(at - 1)) };
    let high = after[at].0;
    if high.is_infinite() {
        return Some(low);
    }
    let within = counted(at) - below;
    Some(low + (high - low) * if within > 0.0 { (wanted - below) / within } else { 1.0 })
}

impl ServerStatistics {
    /// No metrics, and why.
    #[must_use]
    pub(crate) fn unavailable(why: String) -> ServerStatistics {
        ServerStatistics { unavailable: Some(why), ..ServerStatistics::default() }
    }

    /// The metrics from `before` to `after`, which are `seconds` apart and in which clients received `snapshots`. `idle` was read
    /// before the `players` connected.
    #[must_use]
    pub(crate) fn between(
        idle: Option<&Scrape>,
        before: &Scrape,
        after: &Scrape,
        seconds: f64,
        snapshots: u64,
        players: usize,
    ) -> ServerStatistics {
        let since = |name: &str| Some(after.sum(name)? - before.sum(name).unwrap_or(0.0));
        let percentile = |name: &str, share| {
            quantile(&before.buckets(name), &after.buckets(name), share).map(|seconds| seconds * 1000.0)
        };
        let missed = since("broadside_ticks_missed_total");
        let run = since("broadside_tick_seconds_count");
        let cpu = since("process_cpu_seconds_total");
        let rss = |scrape: &Scrape| scrape.sum("process_resident_memory_bytes");
        let grown = rss(after).zip(idle.and_then(rss)).map(|(after, idle)| after - idle);
        ServerStatistics {
            cpu_cores: cpu.map(|cpu| cpu / seconds.max(1e-9)),
            cpu_us_per_client_snapshot: cpu.filter(|_| snapshots > 0).map(|cpu| cpu * 1e6 / snapshots as f64),
            rss_mb: rss(after).map(|bytes| bytes / 1048576.0),
            kb_per_player: grown.filter(|_| players > 0).map(|bytes| bytes / 1024.0 / players as f64),
            tick_ms: TickMs {
                p50: percentile("broadside_tick_seconds", 0.5),
                p99: percentile("broadside_tick_seconds", 0.99),
            },
            lateness_ms: LatenessMs { p99: percentile("broadside_tick_lateness_seconds", 0.99) },
            missed_ticks: missed,
            missed_share: missed.zip(run).map(|(missed, run)| missed / (missed + run).max(1.0)),
            overruns: since("broadside_tick_overruns_total"),
            skips: since("broadside_snapshots_skipped_total"),
            budget_steps: since("broadside_budget_steps_total"),
            governor_level: after.sum("broadside_governor_level"),
            governor_steps: since("broadside_governor_steps_total"),
            inputs_read: since("broadside_inputs_read_total"),
            unavailable: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# HELP broadside_tick_seconds Length of ticks.\n\
        # TYPE broadside_tick_seconds histogram\n\
        broadside_tick_seconds_sum 1.5\n\
        broadside_tick_seconds_bucket{le=\"0.001\",room=\"1\"} 10\n\
        broadside_tick_seconds_bucket{le=\"0.002\",room=\"1\"} 90\n\
        broadside_tick_seconds_bucket{le=\"0.004\",room=\"1\"} 100\n\
        broadside_tick_seconds_bucket{le=\"+Inf\",room=\"1\"} 100\n\
        broadside_budget_steps_total{direction=\"down\"} 3\n\
        broadside_budget_steps_total{direction=\"up\"} 2 1700000000\n\
        process_cpu_seconds_total 12.5\n\
        odd{text=\"a b } c\"} 7\n\
        # EOF\n";

    #[test]
    fn percentiles_are_interpolated_within_the_buckets() {
        let scrape = Scrape::parse(TEXT);
        let (none, buckets) = (Vec::new(), scrape.buckets("broadside_tick_seconds"));
        let near = |share: f64, expected: f64| {
            let got = quantile(&none, &buckets, share).expect("samples were counted");
            assert!((got - expected).abs() < 1e-9, "{share}: {got}");
        };
        near(0.5, 0.0015);
        near(0.05, 0.0005);
        near(0.95, 0.003);
        near(1.0, 0.004);
        // Only what was counted between two reads matters.
        let later = [(0.001, 10.0), (0.002, 90.0), (0.004, 100.0), (f64::INFINITY, 150.0)];
        assert_eq!(quantile(&buckets, &later, 0.5), Some(0.004), "above the last bound");
        assert_eq!(quantile(&buckets, &buckets, 0.5), None, "nothing was counted");
        assert_eq!(quantile(&none, &none, 0.5), None);
    }

    #[test]
    fn an_absent_metric_leaves_the_others_alone() {
        let mut before = Scrape::parse(TEXT);
        before.0.insert("process_cpu_seconds_total".to_owned(), 10.0);
        let statistics = ServerStatistics::between(None, &before, &Scrape::parse(TEXT), 5.0, 100_000, 10);
        assert_eq!((statistics.cpu_cores, statistics.cpu_us_per_client_snapshot), (Some(0.5), Some(25.0)));
        assert_eq!((statistics.budget_steps, statistics.missed_ticks, statistics.rss_mb), (Some(0.0), None, None));
        assert_eq!(Scrape::parse(TEXT).sum("odd"), Some(7.0));
    }
}

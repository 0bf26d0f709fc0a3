//! Bots that play while something breaks, and what they feel.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::thread::JoinHandle;

use anyhow::{Context, Result, bail};

use crate::process::{self, Service};
use crate::workspace::program;

/// What the columns of [`Felt::row`] are called.
pub(crate) const COLUMNS: [&str; 6] =
    ["fault", "gap p99 ms", "longest gap ms", "connections lost", "longest stall ms", "in a seat at the end"];

/// Bots of one process.
pub(crate) struct Bots {
    service: Service,
    last_line: JoinHandle<String>,
}

impl Bots {
    /// Starts so many, with addresses and further flags in `args`.
    pub(crate) fn start(count: u32, args: &[&str]) -> Result<Bots> {
        let mut command = Command::new(program("release", "bot"));
        command.args(args).args(["--count", &count.to_string(), "--mode", "arena"]);
        let mut service = Service::start("bots", &command, Stdio::piped(), Stdio::inherit())?;
        let stdout = service.take_stdout().context("its output was piped")?;
        let last_line =
            std::thread::spawn(move || BufReader::new(stdout).lines().map_while(Result::ok).last().unwrap_or_default());
        Ok(Bots { service, last_line })
    }

    /// Ends all of them. Gives what they felt together, and whether all of them ended well: also bots that gave up have felt something.
    pub(crate) fn end_all(all: Vec<Bots>) -> (Result<Felt>, Result<()>) {
        let (services, lines): (Vec<Service>, Vec<JoinHandle<String>>) =
            all.into_iter().map(|bots| (bots.service, bots.last_line)).unzip();
        let ended = process::end_all(services);
        let felt = lines.into_iter().try_fold(Felt::default(), |all, line| {
            let line = line.join().ok().context("the bots said nothing")?;
            Ok(all.and(&Felt::read(&line)?))
        });
        (felt, ended)
    }
}

/// What bots felt.
#[derive(Default)]
pub(crate) struct Felt {
    gap_p99_ms: f64,
    longest_ms: f64,
    lost: u64,
    stall_ms: f64,
}

impl Felt {
    /// From the last line of the bots.
    fn read(line: &str) -> Result<Felt> {
        if !line.starts_with("played ") {
            bail!("the bots said {line:?}");
        }
        let after = |words: &str| {
            let (_, rest) = line.split_once(words)?;
            rest.split(' ').next()?.parse::<f64>().ok()
        };
        let lost = line.split(", ").find_map(|part| part.strip_suffix(" connections lost and resumed")?.parse().ok());
        Ok(Felt {
            gap_p99_ms: after(" ms p99 ").context("no p99 in the bots' last line")?,
            longest_ms: after(" ms max ").context("no longest gap in the bots' last line")?,
            lost: lost.unwrap_or(0),
            stall_ms: after("longest stall ").unwrap_or(0.0),
        })
    }

    /// With that of further bots: the worst of both, and the sum of lost connections.
    fn and(&self, other: &Felt) -> Felt {
        Felt {
            gap_p99_ms: self.gap_p99_ms.max(other.gap_p99_ms),
            longest_ms: self.longest_ms.max(other.longest_ms),
            lost: self.lost + other.lost,
            stall_ms: self.stall_ms.max(other.stall_ms),
        }
    }

    /// A row of the table: `back` of `players` bots are in a seat at the end.
    pub(crate) fn row(&self, fault: &str, back: u32, players: u32) -> [String; COLUMNS.len()] {
        let Felt { gap_p99_ms, longest_ms, lost, stall_ms } = self;
        let stall = if *lost == 0 { "-".to_owned() } else { format!("{stall_ms:.0}") };
        [
            fault.to_owned(),
            format!("{gap_p99_ms:.0}"),
            format!("{longest_ms:.0}"),
            lost.to_string(),
            stall,
            format!("{back} of {players}"),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bots_last_lines_are_read_and_the_worst_counts() {
        let line = "played 20 s with 30 bots: 18000 snapshots, gap p50 33.3 ms p99 41.2 ms max 812.0 ms, rtt 0.9 ms, best score 4, \
                    30 connections lost and resumed, longest stall 790 ms";
        let felt = Felt::read(line).expect("it is such a line");
        assert_eq!(felt.row("a", 30, 30).join("|"), "a|41|812|30|790|30 of 30");
        let calm = "played 20 s with 3 bots: 9 snapshots, gap p50 1.0 ms p99 2.0 ms max 3.0 ms, rtt 0.9 ms";
        let calm = Felt::read(calm).expect("it is such a line");
        assert_eq!(calm.row("b", 2, 3).join("|"), "b|2|3|0|-|2 of 3");
        assert_eq!(calm.and(&felt).row("c", 33, 33).join("|"), "c|41|812|30|790|33 of 33");
        assert!(Felt::read("error: no seat").is_err());
    }
}

//! The floor: the cost of the smallest possible server for this traffic on this machine.
//!
//! `floor --players 1000 --hz 20 --seconds 10 --bytes 180 --input-bytes 16 --json -`
//!
//! A bare epoll loop in one thread sends one frame of a fixed size to every WebSocket at the given rate and reads what they send, and
//! does nothing else: no game, no encoding, no parsing. The clients run in a second process of the same program, so that the CPU time
//! of both sides is measured separately. A real server under the same traffic is judged by its ratio to the floor.
//!
//! | module | what it holds |
//! |---|---|
//! | `plan` | the parameters of a run |
//! | `frames` | the frames of both sides |
//! | `server` | the measured side |
//! | `clients` | the client process |
//! | `orders` | the messages between the two processes |
//! | `machine` | file limit and CPU time of a process |
//! | `report` | the results |

#[cfg(unix)]
mod clients;
#[cfg(unix)]
mod frames;
#[cfg(unix)]
mod machine;
#[cfg(unix)]
mod orders;
mod plan;
#[cfg(unix)]
mod report;
#[cfg(unix)]
mod server;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use broadside_bots::in_range;
use broadside_bots::output::print_error;
use clap::Parser;
use plan::{Plan, TICK_HZ};

/// Measures the floor of a server on this machine: frames out and inputs in at a fixed rate, and nothing else.
///
/// Exits with 0 if the measurement succeeded, with 1 if it failed, with 2 if the flags are wrong.
#[derive(Debug, Clone, Parser)]
#[command(name = "floor", version, about, max_term_width = 100)]
struct Args {
    /// WebSockets, 1 to 20000
    #[arg(long, default_value_t = 1000, value_name = "PLAYERS", value_parser = |text: &str| in_range::<usize>(text, 1..=20_000, " players"))]
    players: usize,

    /// Frames per second to each, and inputs per second from each: 60, 30, 20, 15, 12, 10, 6 or 5
    #[arg(long, default_value_t = 20, value_name = "HZ", value_parser = hz)]
    hz: u32,

    /// Seconds to measure, 1 to 3600
    #[arg(long, default_value_t = 10, value_name = "SECONDS", value_parser = |text: &str| in_range::<u64>(text, 1..=3600, " seconds"))]
    seconds: u64,

    /// Payload of a frame to a client in bytes, 1 to 60000
    #[arg(long, default_value_t = 180, value_name = "BYTES", value_parser = |text: &str| in_range::<usize>(text, 1..=60_000, " bytes"))]
    bytes: usize,

    /// Payload of a frame from a client in bytes, 1 to 1000
    #[arg(long, default_value_t = 16, value_name = "BYTES", value_parser = |text: &str| in_range::<usize>(text, 1..=1000, " bytes"))]
    input_bytes: usize,

    /// Write the results to this file as JSON; `-` writes them to standard output
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Run the clients of the floor on this local port
    #[arg(long, hide = true, value_name = "PORT")]
    clients_of: Option<u16>,
}

impl From<&Args> for Plan {
    fn from(args: &Args) -> Plan {
        Plan {
            players: args.players,
            every: TICK_HZ / args.hz,
            measured: Duration::from_secs(args.seconds),
            bytes: args.bytes,
            input_bytes: args.input_bytes,
        }
    }
}

fn hz(text: &str) -> Result<u32, String> {
    match text.parse::<u32>() {
        Ok(hz @ 5..=TICK_HZ) if TICK_HZ.is_multiple_of(hz) => Ok(hz),
        Ok(_) | Err(_) => Err(format!("must be 60, 30, 20, 15, 12, 10, 6 or 5, which divide {TICK_HZ} ticks a second")),
    }
}

fn main() -> ExitCode {
    let (args, _) = broadside_cli::parse::<Args>();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print_error("floor", format_args!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

#[cfg(unix)]
fn run(args: &Args) -> anyhow::Result<()> {
    use anyhow::Context;
    use broadside_bots::output::{ReportFile, print_line};

    let plan = Plan::from(args);
    // One socket per player, and a few other files.
    machine::raise_files(plan.players as u64 + 64)?;
    if let Some(port) = args.clients_of {
        return clients::run(&plan, port);
    }
    let json = args.json.as_deref().map(|path| ReportFile::open("--json", path)).transpose()?;
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).context("cannot listen on 127.0.0.1")?;
    let port = listener.local_addr().context("cannot read the bound address")?.port();
    let mut clients = orders::ClientProcess::start(port)?;
    let sockets = server::accept_all(&listener, &plan, &mut clients)?;
    let (server_run, client_counts) = server::serve(sockets, &plan, &mut clients)?;
    let report = report::Report::new(&plan, &server_run, &client_counts);
    if !json.as_ref().is_some_and(ReportFile::is_stdout) {
        print_line(&report)?;
    }
    match json {
        Some(json) => json.write(&serde_json::to_string_pretty(&report)?),
        None => Ok(()),
    }
}

#[cfg(not(unix))]
fn run(_: &Args) -> anyhow::Result<()> {
    anyhow::bail!("CPU time can be measured on Unix only; run it on Linux")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_must_divide_the_ticks() {
        Args::try_parse_from(["x"]).expect("every flag has a default");
        for wrong in ["0", "7", "120", "fast"] {
            let refusal = Args::try_parse_from(["x", "--hz", wrong]).expect_err(wrong).to_string();
            assert!(refusal.contains("--hz") && refusal.contains("which divide 60"), "{refusal}");
        }
    }
}

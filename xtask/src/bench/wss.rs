//! The same players in the clear and by TLS, in turns, so that what else the machine does meets both.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::level::{ask_program, number, shown};
use crate::table::Table;
use crate::workspace::{program, root};

/// Players and their rate: enough for the server's values to stand still, few enough for the load tester to keep up by TLS.
const PLAYERS: &str = "400";
const HZ: &str = "20";
/// Turns of each.
const TURNS: usize = 2;
/// Connections that say nothing, for the memory of each.
const IDLE: &str = "2000";

/// The rows of the table: name, path in the report, and digits after the decimal point.
const ROWS: [(&str, &str, usize); 7] = [
    ("server CPU us per client and snapshot", "/server/cpu_us_per_client_snapshot", 1),
    ("the load tester's, players decoding all", "/load/cpu_us_per_client_snapshot", 1),
    ("bytes down per player and second, at the socket", "/socket_bytes_per_s/down", 0),
    ("bytes up per player and second, at the socket", "/socket_bytes_per_s/up", 0),
    ("age of the picture p99, ms", "/snapshot_age_ms/p99", 0),
    ("from connecting to the first snapshot p50, ms", "/join_ms/p50", 0),
    ("server KiB per player", "/server/kb_per_player", 1),
];

/// Plays, and gives the values side by side as a table.
pub(super) fn measure(folder: &Path) -> Result<String> {
    let (mut plain, mut sealed) = (Vec::new(), Vec::new());
    for turn in 0..TURNS {
        plain.push(play(folder, turn, false)?);
        sealed.push(play(folder, turn, true)?);
    }
    let idle = (idle(false)?, idle(true)?);
    Ok(table(&plain, &sealed, idle))
}

fn play(folder: &Path, turn: usize, tls: bool) -> Result<Value> {
    let report = folder.join(format!("{}-{turn}.json", if tls { "wss" } else { "ws" }));
    ask_program("load", &report, |load| {
        load.args(["--spawn", "--hz", HZ, "--players", PLAYERS, "--rate", "200", "--settle", "3", "--seconds", "5"]);
        load.args(["--full-every", "32"]).args(tls.then_some("--tls"));
    })
}

/// KiB of the server's memory per connection that says nothing.
fn idle(tls: bool) -> Result<f64> {
    let mut command = Command::new(program("release", "examples/idle"));
    command.arg(IDLE).args(tls.then_some("--tls")).current_dir(root());
    let output = command.output().context("cannot start the example `idle`")?;
    let words = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "the example `idle` failed ({}): {}", output.status, words.trim());
    let said = String::from_utf8_lossy(&output.stdout);
    let cell = said.trim().rsplit('|').map(str::trim).find_map(|cell| cell.strip_suffix(" KiB"));
    let cell = cell.and_then(|cell| cell.parse().ok());
    cell.with_context(|| format!("the example `idle` printed no KiB per connection but {:?}", said.trim()))
}

fn table(plain: &[Value], sealed: &[Value], idle: (f64, f64)) -> String {
    let mut table = Table::new(&["", "ws", "wss", "wss over ws"]);
    let mut row = |name: &str, plain: Option<f64>, sealed: Option<f64>, digits| {
        let ratio = plain.zip(sealed).filter(|(plain, _)| *plain > 0.0).map(|(plain, sealed)| sealed / plain);
        table.row([name.to_owned(), shown(plain, digits), shown(sealed, digits), shown(ratio, 2)]);
    };
    for (name, path, digits) in ROWS {
        row(name, mean(plain, path), mean(sealed, path), digits);
    }
    row("server KiB per connection that says nothing", Some(idle.0), Some(idle.1), 1);
    table.to_string()
}

/// The mean of a value over the turns; `None` if one lacks it.
fn mean(reports: &[Value], path: &str) -> Option<f64> {
    let values: Option<Vec<f64>> = reports.iter().map(|report| number(report, path)).collect();
    values.filter(|values| !values.is_empty()).map(|values| values.iter().sum::<f64>() / values.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn figures_stand_side_by_side_with_their_ratio() {
        let report = |cpu: f64| json!({ "server": { "cpu_us_per_client_snapshot": cpu } });
        let table = table(&[report(10.0), report(12.0)], &[report(15.0), report(18.0)], (2.0, 7.0));
        assert!(table.contains("| server CPU us per client and snapshot | 11.0 | 16.5 | 1.50 |"), "{table}");
        assert!(table.contains("| server KiB per player | - | - | - |"), "{table}");
        assert!(table.contains("says nothing | 2.0 | 7.0 | 3.50 |"), "{table}");
    }
}

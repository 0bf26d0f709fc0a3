//! The parts without sockets, timed: the server's examples.

use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::workspace::{program, root};

/// The parts of a snapshot's bytes over `seconds` of play of 200 AIs at 20 Hz, as a block of text.
pub(super) fn ledger(seconds: u32) -> Result<String> {
    Ok(format!("```text\n{}\n```", example("ledger", &[200, seconds, 3])?))
}

/// The table of the room's parts, over `ticks` ticks per size.
pub(super) fn cost(ticks: u32) -> Result<String> {
    let tables: Vec<String> = [100, 500, 1000, 2000, 3000]
        .into_iter()
        .map(|players| example("cost", &[players, ticks]))
        .collect::<Result<_>>()?;
    // One head for all.
    let rows = tables.iter().flat_map(|table| table.lines().skip(2));
    let head = tables.iter().flat_map(|table| table.lines()).take(2);
    Ok(head.chain(rows).collect::<Vec<_>>().join("\n"))
}

fn example(name: &str, numbers: &[u32]) -> Result<String> {
    let path = program("release", &format!("examples/{name}"));
    let output = Command::new(&path).args(numbers.iter().map(u32::to_string)).current_dir(root()).output();
    let output = output.with_context(|| format!("cannot start the example `{name}`"))?;
    let words = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "the example `{name}` failed ({}): {}", output.status, words.trim());
    Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
}

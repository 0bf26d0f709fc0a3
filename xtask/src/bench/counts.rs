//! The server's parts in instructions, counted by callgrind: the same on every run, whatever else the machine does.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::table::Table;
use crate::workspace::{program, root, target_dir};

/// Players and ticks that are counted: enough for every part, and seconds under callgrind.
const PLAYERS: u32 = 200;
const TICKS: u32 = 60;

/// One part: instructions per unit.
pub(super) struct Count {
    /// A name for the list of ceilings.
    pub(super) name: &'static str,
    /// What it is per.
    pub(super) unit: &'static str,
    /// Instructions.
    pub(super) instructions: f64,
}

/// Counts; `None` where valgrind is not installed. The example `cost` must have been built.
pub(super) fn measure() -> Result<Option<Vec<Count>>> {
    if !is_there() {
        return Ok(None);
    }
    let folder = target_dir().join("bench");
    std::fs::create_dir_all(&folder).context("cannot make target/bench")?;
    let profile = folder.join("callgrind.out");
    let mut counted = Command::new("valgrind");
    counted.arg("--tool=callgrind").arg(format!("--callgrind-out-file={}", profile.display()));
    counted.arg(program("release", "examples/cost")).args([PLAYERS.to_string(), TICKS.to_string()]);
    let units = table_row(&output(&mut counted)?)?;
    let inclusive = annotated(&profile)?;
    let of = |function: &str| {
        let found = inclusive.get(function).copied();
        found.with_context(|| format!("callgrind saw no function `cost::{function}`: it was inlined, or renamed"))
    };
    let unit = |name: &str| units.get(name).copied().with_context(|| format!("the example `cost` prints no {name}"));
    let player_ticks = unit("players")? * unit("ticks")?;
    let (records, frames) = (unit("records")?, unit("frames")?);
    let (cold, warm) = (of("view_cold")?, of("view_warm")?);
    let count = |name, unit, instructions| Count { name, unit, instructions };
    Ok(Some(vec![
        count("take_input", "player and tick", of("take_inputs")? / player_ticks),
        count("step_room", "player and tick", of("step_room")? / player_ticks),
        count("capture_record", "record and tick", of("capture_world")? / records),
        count("encode_record", "record and tick", (cold - warm) / records),
        count("assemble_frame", "frame, everything encoded", warm / frames),
        count("write_frame", "frame, encoding included", of("write_frames")? / frames),
    ]))
}

/// As a table, or one line that says why there is none.
pub(super) fn table(counts: Option<&Vec<Count>>) -> String {
    let Some(counts) = counts else { return "No instruction counts: valgrind is not installed.".to_owned() };
    let mut table = Table::new(&["part", "instructions", "per"]);
    for count in counts {
        table.row([count.name.to_owned(), format!("{:.0}", count.instructions), count.unit.to_owned()]);
    }
    table.to_string()
}

/// Whether valgrind can be started.
pub(super) fn is_there() -> bool {
    let mut command = Command::new("valgrind");
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn output(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.current_dir(root()).output().with_context(|| format!("cannot start `{name}`"))?;
    let words = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "`{name}` failed ({}): {}", output.status, words.trim());
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The columns of a table of one row, by name.
fn table_row(text: &str) -> Result<BTreeMap<String, f64>> {
    let cells =
        |line: &str| -> Vec<String> { line.trim_matches('|').split('|').map(|c| c.trim().to_owned()).collect() };
    let mut lines = text.lines();
    let (head, row) = (lines.next().unwrap_or(""), lines.nth(1).unwrap_or(""));
    let row: BTreeMap<String, f64> =
        cells(head).into_iter().zip(cells(row)).filter_map(|(name, value)| Some((name, value.parse().ok()?))).collect();
    ensure!(!row.is_empty(), "the example `cost` printed no table but {text:?}");
    Ok(row)
}

/// Instructions of each function of the example, those it called included.
fn annotated(profile: &Path) -> Result<BTreeMap<String, f64>> {
    let mut command = Command::new("callgrind_annotate");
    command.args(["--inclusive=yes", "--threshold=100"]).arg(profile);
    Ok(inclusive(&output(&mut command)?))
}

/// Reads lines such as `57,345,921 ( 3.26%)  ???:cost::step_room [/some/where/cost]`.
fn inclusive(text: &str) -> BTreeMap<String, f64> {
    let function = |line: &str| -> Option<(String, f64)> {
        let (count, rest) = line.trim_start().split_once(' ')?;
        let name = rest.split_once(":cost::")?.1.split(' ').next()?;
        Some((name.to_owned(), count.replace(',', "").parse().ok()?))
    };
    text.lines().filter_map(function).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_annotation_of_callgrind_is_understood() {
        let text = "Ir\n   57,345,921 ( 3.26%)  ???:cost::step_room [/x/cost]\n1,188 ( 0.1%)  ???:core::drop [/x]\n";
        assert_eq!(inclusive(text), BTreeMap::from([("step_room".to_owned(), 57_345_921.0)]));
    }

    #[test]
    fn a_row_is_read_by_the_names_of_its_columns() {
        let row = table_row("| players | ticks |\n|---|---|\n| 200 | 60 |\n").expect("a table");
        assert_eq!((row["players"], row["ticks"]), (200.0, 60.0));
        table_row("no table").expect_err("no table");
    }
}

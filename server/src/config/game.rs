//! The game's configuration: a file, and values on the command line.

use std::path::Path;

use broadside_shared::game::Game;
use serde::Deserialize;
use toml::{Table, Value};

/// Longest configuration file, in bytes.
const FILE_MAX: u64 = 1 << 20;

/// Reads and checks the game's configuration: the game's defaults, then the file, then `set`.
///
/// # Errors
/// One line: the file or the value, what is wrong with it, and what is accepted.
pub fn read<G: Game>(file: Option<&Path>, set: &[String]) -> Result<G::Config, String> {
    let mut table = match file {
        Some(file) => read_file(file)?,
        None => Table::new(),
    };
    for assignment in set {
        let (name, value) = parse(assignment)?;
        table.insert(name, value);
    }
    if table.is_empty() {
        return Ok(G::Config::default());
    }
    let config = G::Config::deserialize(Value::Table(table))
        .map_err(|wrong| format!("{}: {}", source(file), one_line(&wrong)))?;
    G::check_config(&config).map_err(|wrong| format!("{}: {wrong}", source(file)))?;
    Ok(config)
}

fn source(file: Option<&Path>) -> String {
    file.map_or_else(|| "--set".to_owned(), |file| format!("--game-config {}", file.display()))
}

fn read_file(file: &Path) -> Result<Table, String> {
    let refused = |why: &dyn std::fmt::Display| format!("--game-config {}: {why}", file.display());
    let length = std::fs::metadata(file).map_err(|error| refused(&error))?.len();
    if length > FILE_MAX {
        return Err(refused(&format!("{length} bytes; at most {FILE_MAX}")));
    }
    let text = std::fs::read_to_string(file).map_err(|error| refused(&error))?;
    text.parse().map_err(|wrong: toml::de::Error| refused(&one_line(&wrong)))
}

/// A value as TOML; text without quotes is a string.
fn parse(assignment: &str) -> Result<(String, Value), String> {
    let (name, value) = assignment
        .split_once('=')
        .filter(|(name, _)| !name.is_empty())
        .ok_or_else(|| format!("--set {assignment}: must be NAME=VALUE, such as goals=5"))?;
    let value = value.parse::<Value>().unwrap_or_else(|_| Value::String(value.to_owned()));
    Ok((name.to_owned(), value))
}

/// The message of a TOML error without its excerpt of several lines.
fn one_line(wrong: &toml::de::Error) -> String {
    wrong.message().lines().next().unwrap_or("invalid").to_owned()
}

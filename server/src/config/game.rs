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

#[cfg(test)]
mod tests {
    use broadside_shared::game::{AddressedEvent, NoBot, NoRequest, PlayerInput};
    use broadside_shared::history::History;
    use broadside_shared::ids::PlayerId;
    use broadside_shared::protocol::room::ModeId;
    use broadside_shared::replication::fields::{KindSpec, Record};
    use broadside_shared::time::Tick;
    use glam::Vec2;
    use serde::Serialize;

    use super::*;

    #[derive(Debug, Clone, PartialEq, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Rules {
        goals: u32,
        title: String,
    }

    impl Default for Rules {
        fn default() -> Self {
            Rules { goals: 5, title: "cup".to_owned() }
        }
    }

    /// A game with a configuration and nothing else.
    #[derive(Serialize, Deserialize)]
    struct Configured;

    impl Game for Configured {
        const NAME: &'static str = "configured";
        const KINDS: &'static [KindSpec] = &[];
        const VIEW: Vec2 = Vec2::new(1000.0, 1000.0);
        type Config = Rules;
        type Input = ();
        type LocalPlayerState = ();
        type Event = ();
        type PredictionContext = ();
        type Request = NoRequest;
        type RoomState = ();
        type Bot = NoBot;

        fn check_config(config: &Rules) -> Result<(), String> {
            if config.goals == 0 { Err("goals = 0: must be 1 to 99".to_owned()) } else { Ok(()) }
        }

        fn new(_: &Rules, _: ModeId, _: u64) -> Self {
            Configured
        }

        fn join(&mut self, _: PlayerId, _: Tick, _: &mut Vec<AddressedEvent<()>>) {}

        fn leave(&mut self, _: PlayerId, _: Tick, _: &mut Vec<AddressedEvent<()>>) {}

        fn step(&mut self, _: Tick, _: &[PlayerInput<()>], _: &History, _: &mut Vec<AddressedEvent<()>>) {}

        fn player_state(&self, _: PlayerId) -> Option<&()> {
            None
        }

        fn focus((): &()) -> Vec2 {
            Vec2::ZERO
        }

        fn replicate(&self, _: Tick, _: &mut Vec<(Vec2, Record)>) {}

        fn hash(&self) -> u64 {
            0
        }
    }

    fn read(file: Option<&Path>, set: &[&str]) -> Result<Rules, String> {
        super::read::<Configured>(file, &set.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn the_command_line_is_stronger_than_the_file_and_the_file_than_the_defaults() {
        let folder = std::env::temp_dir().join(format!("broadside-game-config-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder for this test");
        let file = folder.join("game.toml");
        std::fs::write(&file, "goals = 3\ntitle = \"league\"\n").expect("a file for this test");
        assert_eq!(read(None, &[]), Ok(Rules::default()));
        assert_eq!(read(Some(&file), &[]), Ok(Rules { goals: 3, title: "league".to_owned() }));
        let set = read(Some(&file), &["goals=7", "title=a b"]);
        assert_eq!(set, Ok(Rules { goals: 7, title: "a b".to_owned() }));
        std::fs::write(&file, "goals = [").expect("a file for this test");
        let broken = read(Some(&file), &[]).expect_err("no TOML");
        assert!(broken.contains("game.toml") && broken.lines().count() == 1, "{broken}");
        std::fs::remove_dir_all(&folder).expect("the folder of this test");
        assert!(read(Some(&file), &[]).expect_err("no file").contains("--game-config"));
    }

    #[test]
    fn a_wrong_value_is_refused_in_one_line_that_names_it() {
        for (set, says) in [
            ("goals", "must be NAME=VALUE"),
            ("=3", "must be NAME=VALUE"),
            ("goals=0", "must be 1 to 99"),
            ("goals=many", "invalid type"),
            ("gaols=3", "unknown field `gaols`"),
        ] {
            let refusal = read(None, &[set]).expect_err(set);
            assert!(refusal.contains("--set") && refusal.contains(says) && refusal.lines().count() == 1, "{refusal}");
        }
    }
}

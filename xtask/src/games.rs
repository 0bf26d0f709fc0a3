//! The games of a workspace: which packages are compiled for one, and where its page goes.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::workspace::root;

/// The game that the commands are about unless they name another.
pub(crate) const DEFAULT: &str = "arena";
/// Folder of the games in this workspace.
const GAMES: &str = "games";

/// A game, as far as building and starting it goes.
pub(crate) struct Game {
    /// Package of the page's program, compiled to wasm.
    pub(crate) page: String,
    /// Package of the server's program, and the program's name.
    pub(crate) server: String,
    /// Folder with files of the page that are the game's own; it need not exist.
    pub(crate) assets: PathBuf,
    /// The folder that a browser loads from.
    pub(crate) web: PathBuf,
}

impl Game {
    /// The arena. Its folder for a browser is where the server looks for one, and where `embed` takes it from.
    pub(crate) fn arena() -> Game {
        Game {
            page: "broadside-arena-page".into(),
            server: "broadside-server".into(),
            assets: root().join("games/arena/page/assets"),
            web: root().join("target/web"),
        }
    }

    /// The game in `games/NAME` of Broadside's workspace.
    ///
    /// # Errors
    /// There is no game of this name with a page and a server.
    pub(crate) fn named(name: &str) -> Result<Game> {
        if name == DEFAULT {
            return Ok(Game::arena());
        }
        let others = playable()?;
        if !others.iter().any(|other| other == name) {
            bail!("--game {name}: must be {}", [&[DEFAULT.to_string()], others.as_slice()].concat().join(" or "));
        }
        Ok(Game {
            page: format!("broadside-{name}-page"),
            server: format!("broadside-{name}-server"),
            assets: root().join(GAMES).join(name).join("page/assets"),
            web: root().join(format!("target/web-{name}")),
        })
    }

    /// The game of a workspace that has one, as `cargo xtask new` lays it out.
    pub(crate) fn of_workspace(name: &str) -> Game {
        Game {
            page: format!("{name}-page"),
            server: format!("{name}-server"),
            assets: root().join("page/assets"),
            web: root().join("target/web"),
        }
    }
}

/// The games in this workspace with a page and a server of their own, by name.
fn playable() -> Result<Vec<String>> {
    let folder = root().join(GAMES);
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("cannot read the folder {}", folder.display()))? {
        let game = entry?.path();
        let has = |part: &str| game.join(part).join("Cargo.toml").is_file();
        if has("page") && has("server") {
            names.extend(game.file_name().map(|name| name.to_string_lossy().into_owned()));
        }
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_game_that_is_not_there_is_refused_with_those_that_are() {
        let refusal = Game::named("chess").err().expect("no such game").to_string();
        assert!(refusal.starts_with("--game chess: must be arena"), "{refusal}");
        assert_eq!(Game::named("arena").expect("the default").server, "broadside-server");
    }
}

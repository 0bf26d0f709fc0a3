//! The engine without a game: no game is among what it is built and tested from, and it passes its tests.

use anyhow::{Context, Result, bail, ensure};

use crate::process::run;
use crate::workspace::{cargo, root};

/// The crates that work for any game. The features of two of them add the arena's programs and tests.
const CRATES: &str = "--package broadside-shared --package broadside-core --package broadside-server \
                      --package broadside-sim --package broadside-bots --no-default-features";

/// Looks for games in the dependencies of the engine, those of its tests included, and runs its tests.
pub(crate) fn check() -> Result<()> {
    let tree = cargo(&format!("tree {CRATES} --edges normal,build,dev --target all --prefix none")).output();
    let tree = tree.context("cannot start `cargo tree`")?;
    ensure!(tree.status.success(), "`cargo tree` failed: {}", String::from_utf8_lossy(&tree.stderr).trim());
    if let Some(game) = game_in(&String::from_utf8_lossy(&tree.stdout), &root().join("games").to_string_lossy()) {
        bail!(
            "the engine depends on {game}: put that behind the feature of a program, and test with `shared/src/toy.rs`"
        );
    }
    run(&mut cargo(&format!("test {CRATES}")))
}

/// The first package of a dependency tree that is below the folder of the games.
fn game_in<'a>(tree: &'a str, games: &str) -> Option<&'a str> {
    tree.lines().find(|line| line.split_once('(').is_some_and(|(_, path)| path.starts_with(games)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_game_in_the_dependency_tree_is_found() {
        let tree = "broadside-core v0.1.0 (/w/server/core)\nglam v0.34.2\nbroadside-puck v0.1.0 (/w/games/puck) (*)";
        assert_eq!(game_in(tree, "/w/games"), Some("broadside-puck v0.1.0 (/w/games/puck) (*)"));
        assert_eq!(game_in("broadside-core v0.1.0 (/w/server/core)\nserde v1.0.229", "/w/games"), None);
    }
}

//! Where things are, and how cargo is called.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The target that the browser client is compiled for.
pub(crate) const WASM_TARGET: &str = "wasm32-unknown-unknown";

/// The folder that holds the workspace's `Cargo.toml`.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is a folder inside the workspace")
}

/// Where cargo puts what it builds.
pub(crate) fn target_dir() -> PathBuf {
    // A relative CARGO_TARGET_DIR is relative to where cargo was called, and `root` is where we call it.
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// The folder that a browser loads from, in the place where the server looks for it.
pub(crate) fn web_dir() -> PathBuf {
    root().join("target/web")
}

/// The program `name` as built with `profile` ("debug" or "release").
pub(crate) fn program(profile: &str, name: &str) -> PathBuf {
    target_dir().join(profile).join(name).with_extension(std::env::consts::EXE_EXTENSION)
}

/// `cargo ARGS` in the workspace's root, with the cargo that runs us; `args` are separated by blanks.
pub(crate) fn cargo(args: &str) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args.split_whitespace()).current_dir(root());
    command
}

/// `path` as a person would name it: relative to the root where that is possible, with forward slashes.
pub(crate) fn short(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).to_string_lossy().replace('\\', "/")
}

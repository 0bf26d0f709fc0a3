//! Where things are, and how cargo is called.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The target that the browser client is compiled for.
pub(crate) const WASM_TARGET: &str = "wasm32-unknown-unknown";
/// Of a binary that needs nothing of the system but its kernel.
pub(crate) const STATIC_TARGET: &str = "x86_64-unknown-linux-musl";

static ROOT: OnceLock<PathBuf> = OnceLock::new();

/// Names the folder that holds the workspace's `Cargo.toml`, once and before anything else; without that it is [`broadside`].
pub(crate) fn set_root(folder: PathBuf) {
    ROOT.set(folder).expect("the root is set once, before its first use");
}

/// The folder that holds the workspace's `Cargo.toml`.
pub(crate) fn root() -> &'static Path {
    ROOT.get_or_init(|| broadside().to_path_buf())
}

/// The folder of Broadside's own workspace, from which this library was compiled.
pub(crate) fn broadside() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is a folder inside the workspace")
}

/// Where cargo puts what it builds.
pub(crate) fn target_dir() -> PathBuf {
    // A relative CARGO_TARGET_DIR is relative to where cargo was called, and `root` is where we call it.
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// The program `name` as built with `profile` ("debug" or "release").
pub(crate) fn program(profile: &str, name: &str) -> PathBuf {
    target_dir().join(profile).join(name).with_extension(std::env::consts::EXE_EXTENSION)
}

/// `cargo ARGS` in the workspace's root, with the cargo that runs us; `args` are separated by blanks.
///
/// Continuous integration, which sets `CI`, builds a fresh clone once: what the compiler keeps for the next build is of no use there, and
/// has filled a disk.
pub(crate) fn cargo(args: &str) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args.split_whitespace()).current_dir(root());
    if std::env::var_os("CI").is_some() {
        command.env("CARGO_INCREMENTAL", "0");
    }
    command
}

/// `path` as a person would name it: relative to the root where that is possible, with forward slashes.
pub(crate) fn short(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).to_string_lossy().replace('\\', "/")
}

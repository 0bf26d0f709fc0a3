//! `cargo xtask dist`: the whole game in one file, and a trial of that file.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::games::Game;
use crate::process::{self, Service, run};
use crate::workspace::{STATIC_TARGET, cargo, program, short, target_dir};
use crate::{http, site, toolchain};

/// The page that is there once somebody moderates.
const FOR_MODERATORS: &str = "admin.html";

/// Builds `target/dist/broadside-server`, tries it, and prints its path and size. The binary is static where that can be had.
pub(crate) fn dist() -> Result<()> {
    process::catch_stop_signals()?;
    toolchain::ensure_wasm_target()?;
    let game = Game::arena();
    site::build(&game)?;
    let built = match toolchain::ensure_static_target() {
        Ok(()) => {
            run(&mut cargo(&format!(
                "build --release --package broadside-server --bins --features broadside-server/embed --target {STATIC_TARGET}"
            )))?;
            target_dir().join(STATIC_TARGET).join("release").join("broadside-server")
        }
        Err(why) => {
            eprintln!("not a static binary, but one for systems like this one: {why:#}");
            // With the bots, as when a load is measured: the same selection of packages keeps the dependencies from being built again.
            run(&mut cargo(
                "build --release --package broadside-server --package broadside-bots --bins --features broadside-server/embed",
            ))?;
            program("release", "broadside-server")
        }
    };
    let folder = target_dir().join("dist");
    fs::create_dir_all(&folder)?;
    let binary = folder.join(built.file_name().context("a program has a name")?);
    fs::copy(&built, &binary).with_context(|| format!("cannot write {}", short(&binary)))?;
    try_in_an_empty_folder(&binary, &game)?;
    let libraries = shared_libraries(&binary);
    println!("{} ({:.1} MB, {libraries})", short(&binary), fs::metadata(&binary)?.len() as f64 / 1e6);
    Ok(())
}

/// How many shared libraries the binary loads, in words.
fn shared_libraries(binary: &Path) -> String {
    let Ok(ldd) = Command::new("ldd").arg(binary).output() else {
        return "shared libraries unknown without `ldd`".to_owned();
    };
    match String::from_utf8_lossy(&ldd.stdout).matches(" (0x").count() {
        0 => "no shared library".to_owned(),
        count => format!("{count} shared libraries"),
    }
}

/// Starts the binary where there is nothing else, loads the page and all it may ask for, and ends it.
fn try_in_an_empty_folder(binary: &Path, game: &Game) -> Result<()> {
    let folder = EmptyFolder::new()?;
    let mut command = Command::new(binary);
    command
        .args(["--host", "127.0.0.1", "--port", "0", "--data", "memory"])
        .current_dir(&folder.0)
        .env("RUST_LOG", "warn");
    let mut server = Service::start("server", &command, Stdio::piped(), Stdio::inherit())?;
    let address = server.listening()?;
    for file in site::pages(&game.web)? {
        let path = format!("/{}", file.trim_end_matches("index.html"));
        let answer = http::get(address, &path)?;
        let expected = if file == FOR_MODERATORS { 404 } else { 200 };
        ensure!(answer.status == expected, "GET {path} answered {} and not {expected}", answer.status);
        let is_built = without_preview(&answer.body) == without_preview(&fs::read(game.web.join(&file))?);
        ensure!(is_built || expected == 404, "GET {path} did not return {file} as it was built");
    }
    server.end()
}

/// A file without the lines that the server writes for those who show a preview of the link: they name its own address.
fn without_preview(file: &[u8]) -> Vec<&[u8]> {
    let is_preview = |line: &[u8]| {
        [&b"<meta property=\"og:"[..], b"<meta name=\"twitter:"].iter().any(|start| line.starts_with(start))
    };
    file.split(|byte| *byte == b'\n').filter(|line| !is_preview(line)).collect()
}

/// A folder with nothing in it, which goes with this value.
struct EmptyFolder(PathBuf);

impl EmptyFolder {
    fn new() -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("broadside-dist-{}", std::process::id()));
        fs::create_dir(&folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
        Ok(Self(folder))
    }
}

impl Drop for EmptyFolder {
    fn drop(&mut self) {
        // The system clears its folder of temporary files itself, should this fail.
        _ = fs::remove_dir_all(&self.0);
    }
}

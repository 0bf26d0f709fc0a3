//! What must be installed before anything can be built or tested: found, installed where possible, or named
//! with the one command to type.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::process::run;
use crate::workspace::{STATIC_TARGET, WASM_TARGET, cargo, root};

/// A browser and the program that drives it.
pub(crate) struct Browser {
    /// Chromium or Chrome.
    pub(crate) browser: PathBuf,
    /// Chromedriver of the same version.
    pub(crate) driver: PathBuf,
}

/// Adds the standard library for wasm when it is absent: a toolchain file names it, but rustup may be configured to install nothing
/// automatically.
pub(crate) fn ensure_wasm_target() -> Result<()> {
    ensure_target(WASM_TARGET)
}

fn ensure_target(target: &str) -> Result<()> {
    let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc.current_dir(root()).args(["--print", "target-libdir", "--target", target]);
    let output = rustc.output().context("cannot start `rustc`")?;
    let libdir = String::from_utf8(output.stdout)?;
    if output.status.success() && Path::new(libdir.trim()).is_dir() {
        return Ok(());
    }
    rustup(&["target", "add", target])
}

/// What a static binary needs: musl as a target, and a C compiler for it, for SQLite and the cryptography.
pub(crate) fn ensure_static_target() -> Result<()> {
    ensure!(cfg!(all(target_os = "linux", target_arch = "x86_64")), "it is built on Linux on x86-64 only");
    ensure_target(STATIC_TARGET)?;
    if find_program("musl-gcc").is_none() {
        install("musl-tools", "it needs musl-gcc", "install musl's tools")?;
    }
    Ok(())
}

/// Adds rustfmt and clippy when they are absent.
pub(crate) fn ensure_components() -> Result<()> {
    for (component, probe) in [("rustfmt", "fmt --version"), ("clippy", "clippy --version")] {
        if !silent(&mut cargo(probe)) {
            rustup(&["component", "add", component])?;
        }
    }
    Ok(())
}

fn rustup(args: &[&str]) -> Result<()> {
    let typed = format!("rustup {}", args.join(" "));
    ensure!(
        silent(Command::new("rustup").arg("--version")),
        "`{typed}` is needed, and rustup was not found: get it from https://rustup.rs, or install the same thing with \
         your system's packages"
    );
    eprintln!("running `{typed}`");
    run(Command::new("rustup").args(args).current_dir(root()))
        .with_context(|| format!("a build tool is missing: type `{typed}`"))
}

fn silent(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|s| s.success())
}

/// Finds Chromium and chromedriver, or installs the Debian packages when running as root.
///
/// The variables `CHROMIUM` and `CHROMEDRIVER` name others.
pub(crate) fn ensure_browser() -> Result<Browser> {
    if let Some(found) = find_browser() {
        return Ok(found);
    }
    install(
        "chromium chromium-driver",
        "the browser tests need Chromium and chromedriver",
        "install them, or name them in CHROMIUM and CHROMEDRIVER",
    )?;
    find_browser().context("chromium and chromium-driver were installed, but are not in PATH")
}

/// Finds Node and npm, or installs the Debian packages when running as root. Gives npm.
pub(crate) fn ensure_node() -> Result<PathBuf> {
    let find = || find_program("node").and_then(|_| find_program("npm"));
    if let Some(found) = find() {
        return Ok(found);
    }
    install("nodejs npm", "the tests of the JavaScript client need Node 18 or newer, and npm", "install them")?;
    find().context("nodejs and npm were installed, but are not in PATH")
}

/// Finds the programs of a PostgreSQL server, which the tests start themselves, or installs them when running as root.
pub(crate) fn ensure_postgres() -> Result<()> {
    let debian = || {
        let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        versions.map(|version| version.path().join("bin/initdb")).any(|program| program.exists())
    };
    let is_there = || debian() || find_program("initdb").is_some();
    if !is_there() {
        install("postgresql", "the tests of the store need a PostgreSQL server", "install it")?;
        ensure!(is_there(), "postgresql was installed, but its `initdb` is not in /usr/lib/postgresql or in PATH");
    }
    Ok(())
}

/// Installs Debian packages when running as root; otherwise fails with the command to type.
fn install(packages: &str, need: &str, otherwise: &str) -> Result<()> {
    let typed = format!("apt-get install --yes --no-install-recommends {packages}");
    if find_program("apt-get").is_none() {
        bail!("{need}: {otherwise}");
    }
    ensure!(may_install(), "{need}: type `sudo {typed}`");
    eprintln!("running `{typed}`");
    run(Command::new("apt-get").arg("update"))?;
    run(Command::new("apt-get").args(typed.split(' ').skip(1)).env("DEBIAN_FRONTEND", "noninteractive"))
}

fn find_browser() -> Option<Browser> {
    let named_or_found = |variable: &str, names: &[&str]| {
        let named = std::env::var_os(variable).map(PathBuf::from);
        named.or_else(|| names.iter().find_map(|name| find_program(name)))
    };
    Some(Browser {
        browser: named_or_found("CHROMIUM", &["chromium", "chromium-browser", "google-chrome"])?,
        driver: named_or_found("CHROMEDRIVER", &["chromedriver"])?,
    })
}

/// A program in PATH.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let file = Path::new(name).with_extension(std::env::consts::EXE_EXTENSION);
    std::env::split_paths(&path).map(|dir| dir.join(&file)).find(|candidate| candidate.is_file())
}

#[cfg(unix)]
fn may_install() -> bool {
    nix::unistd::geteuid().is_root()
}

#[cfg(not(unix))]
fn may_install() -> bool {
    false
}

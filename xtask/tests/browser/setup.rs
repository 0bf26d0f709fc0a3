//! Where the built programs and the browser are. `cargo xtask test` names them in variables; without it, the places
//! where they usually are do.

use std::path::PathBuf;

/// The folder of the programs under test.
pub(crate) fn program(name: &str) -> PathBuf {
    named("BROADSIDE_PROGRAMS", "target/debug").join(name).with_extension(std::env::consts::EXE_EXTENSION)
}

/// The folder that the server serves.
pub(crate) fn site() -> PathBuf {
    named("BROADSIDE_SITE", "target/web")
}

/// The folder that the server of puck serves.
pub(crate) fn puck_site() -> PathBuf {
    named("BROADSIDE_PUCK_SITE", "target/web-puck")
}

/// The folder for what people may want to look at afterwards; it exists.
pub(crate) fn artifacts() -> PathBuf {
    let folder = named("BROADSIDE_ARTIFACTS", "target/artifacts");
    std::fs::create_dir_all(&folder).expect("the folder of artifacts can be made");
    folder
}

/// The script that finds faults which keep people out; `xtask/tests/browser/npm` fetches it.
pub(crate) fn axe() -> String {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/browser/npm/node_modules/axe-core/axe.min.js");
    std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{file}: {error}; `npm ci` in its folder fetches it"))
}

/// Chromium.
pub(crate) fn chromium() -> PathBuf {
    std::env::var_os("CHROMIUM").unwrap_or_else(|| "/usr/bin/chromium".into()).into()
}

/// Chromedriver, of the same version.
pub(crate) fn chromedriver() -> PathBuf {
    std::env::var_os("CHROMEDRIVER").unwrap_or_else(|| "chromedriver".into()).into()
}

/// Whether the tests are played by Firefox in place of Chromium.
pub(crate) fn is_firefox() -> bool {
    std::env::var_os("GECKODRIVER").is_some()
}

/// Firefox.
pub(crate) fn firefox() -> PathBuf {
    std::env::var_os("FIREFOX").unwrap_or_else(|| "/usr/bin/firefox-esr".into()).into()
}

/// Geckodriver.
pub(crate) fn geckodriver() -> PathBuf {
    std::env::var_os("GECKODRIVER").unwrap_or_else(|| "geckodriver".into()).into()
}

fn named(variable: &str, usually: &str) -> PathBuf {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    std::env::var_os(variable).map_or_else(|| PathBuf::from(root).join(usually), PathBuf::from)
}

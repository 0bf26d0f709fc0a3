//! Firefox for the browser tests: the browser, its driver, and a screen that nobody sees, which it needs to draw with WebGL 2.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::process::{Service, run};
use crate::toolchain::{find_program, install};
use crate::workspace::{cargo, target_dir};

/// Firefox on a screen of its own; the screen ends with this value.
pub(crate) struct Firefox {
    browser: PathBuf,
    driver: PathBuf,
    screen: String,
    _xvfb: Service,
}

impl Firefox {
    /// Finds or installs what is needed, and starts the screen. The variables `FIREFOX` and `GECKODRIVER` name other programs.
    ///
    /// # Errors
    /// Something is missing that cannot be installed.
    pub(crate) fn ensure() -> Result<Firefox> {
        let named = |variable: &str| std::env::var_os(variable).map(PathBuf::from);
        let browser = || named("FIREFOX").or_else(|| find_program("firefox-esr")).or_else(|| find_program("firefox"));
        if browser().is_none() || find_program("Xvfb").is_none() {
            install(
                "firefox-esr xvfb libgl1-mesa-dri libegl1",
                "the tests in Firefox need it and Xvfb",
                "install them, or name Firefox in FIREFOX",
            )?;
        }
        let browser = browser().context("firefox-esr was installed, but is not in PATH")?;
        let driver = named("GECKODRIVER").or_else(|| find_program("geckodriver")).map_or_else(build_driver, Ok)?;
        let mut command = Command::new("Xvfb");
        // It chooses a free number for its screen and says which.
        command.args(["-displayfd", "1", "-screen", "0", "1600x1200x24", "-nolisten", "tcp"]);
        let mut xvfb = Service::start("Xvfb", &command, Stdio::piped(), Stdio::null())?;
        let mut line = String::new();
        let said = xvfb.take_stdout().context("its output is piped")?;
        BufReader::new(said).read_line(&mut line)?;
        let number: u32 = line.trim().parse().context("Xvfb did not say which screen it has")?;
        Ok(Firefox { browser, driver, screen: format!(":{number}"), _xvfb: xvfb })
    }

    /// The variables by which the tests find it.
    pub(crate) fn variables(&self) -> [(&'static str, PathBuf); 3] {
        [
            ("FIREFOX", self.browser.clone()),
            ("GECKODRIVER", self.driver.clone()),
            ("DISPLAY", PathBuf::from(&self.screen)),
        ]
    }
}

/// Builds geckodriver, which Debian does not have, into target/tools.
fn build_driver() -> Result<PathBuf> {
    let folder = target_dir().join("tools/geckodriver");
    let program = folder.join("bin/geckodriver").with_extension(std::env::consts::EXE_EXTENSION);
    if !program.is_file() {
        eprintln!("building geckodriver, which takes a few minutes once");
        run(cargo("install geckodriver --locked --root").arg(&folder))?;
        ensure!(program.is_file(), "geckodriver was built, but is not at {}", program.display());
    }
    Ok(program)
}

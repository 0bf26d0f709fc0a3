//! Chromedriver or geckodriver, and the browsers that it runs for us.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};

use fantoccini::ClientBuilder;
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::page::Page;
use crate::{DEADLINE, setup};

/// What headless Chromium needs to draw with WebGL 2 in software, alone and without asking the network for anything; servers that
/// speak TLS make their own certificate here. One flag per line.
const FLAGS: &str = include_str!("../../browser-flags.txt");

/// A running chromedriver; it ends with this value, and every browser that it started as well.
pub(crate) struct Browser {
    driver: Child,
    url: String,
    profiles: PathBuf,
    pages: AtomicU32,
}

impl Browser {
    /// Starts chromedriver on a free port.
    pub(crate) async fn start() -> Self {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let program = if setup::is_firefox() { setup::geckodriver() } else { setup::chromedriver() };
        let mut command = Command::new(&program);
        command.arg("--port=0").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        #[cfg(unix)]
        command.process_group(0);
        let mut driver = command.spawn().unwrap_or_else(|error| panic!("cannot start {}: {error}", program.display()));
        let mut lines = BufReader::new(driver.stdout.take().expect("its output is piped")).lines();
        let port = tokio::time::timeout(DEADLINE, port_named_in(&mut lines)).await.expect("the driver starts");
        // Geckodriver goes on to write, and ends when nobody reads it.
        tokio::spawn(async move { while lines.next_line().await.is_ok_and(|line| line.is_some()) {} });
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let profiles = format!("{}/chromium-{}-{number}", env!("CARGO_TARGET_TMPDIR"), std::process::id());
        Self { driver, url: format!("http://127.0.0.1:{port}"), profiles: profiles.into(), pages: AtomicU32::new(0) }
    }

    /// Opens `url` in a browser of its own, with a window of `size` pixels: pages in the background are not drawn.
    pub(crate) async fn open(&self, size: (u32, u32), url: &str) -> Page {
        let wanted = if setup::is_firefox() { firefox(size) } else { self.chromium(size) };
        let wanted = wanted.as_object().expect("it is one").clone();
        let mut builder = ClientBuilder::new(HttpConnector::new());
        let client = builder.capabilities(wanted).connect(&self.url).await.expect("the browser starts");
        client.goto(url).await.expect("the page is there");
        Page::new(client)
    }

    /// What Chromium is started with.
    fn chromium(&self, size: (u32, u32)) -> Value {
        let profile = self.profiles.join(self.pages.fetch_add(1, Ordering::Relaxed).to_string());
        let mut flags: Vec<String> = FLAGS.lines().map(ToString::to_string).collect();
        flags.push(format!("--window-size={},{}", size.0, size.1));
        flags.push(format!("--user-data-dir={}", profile.display()));
        json!({
            "browserName": "chrome",
            "goog:chromeOptions": { "binary": setup::chromium(), "args": flags },
            "goog:loggingPrefs": { "browser": "ALL" },
            "timeouts": timeouts(),
        })
    }
}

/// What Firefox is started with. It needs a screen to draw with WebGL 2; that may be one of Xvfb.
fn firefox((width, height): (u32, u32)) -> Value {
    json!({
        "browserName": "firefox",
        "acceptInsecureCerts": true,
        "moz:firefoxOptions": {
            "binary": setup::firefox(),
            "args": ["--width", width.to_string(), "--height", height.to_string()],
            "prefs": { "webgl.force-enabled": true },
        },
        "timeouts": timeouts(),
    })
}

fn timeouts() -> Value {
    json!({ "script": u64::try_from(DEADLINE.as_millis()).expect("a minute fits") })
}

async fn port_named_in(lines: &mut tokio::io::Lines<BufReader<tokio::process::ChildStdout>>) -> u16 {
    while let Some(line) = lines.next_line().await.expect("its output can be read") {
        let chromedriver = line.split_once("started successfully on port ").map(|(_, port)| port.trim_end_matches('.'));
        let port = chromedriver.or(line.split_once("Listening on 127.0.0.1:").map(|(_, port)| port.trim()));
        if let Some(port) = port.and_then(|port| port.parse().ok()) {
            return port;
        }
    }
    panic!("the driver ended without naming its port");
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Its browsers are in its process group, and would outlive it when a test fails.
        #[cfg(unix)]
        if let Some(group) = self.driver.id() {
            let group = nix::unistd::Pid::from_raw(group.cast_signed());
            _ = nix::sys::signal::killpg(group, nix::sys::signal::Signal::SIGKILL);
        }
        _ = self.driver.start_kill();
        _ = std::fs::remove_dir_all(&self.profiles);
    }
}

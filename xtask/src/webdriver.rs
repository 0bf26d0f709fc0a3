//! As much of WebDriver as it takes to look at one page: chromedriver, one browser, one script at a time.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::http;
use crate::process::{GLANCE, Service};
use crate::toolchain::Browser;
use crate::workspace::target_dir;

/// The flags of the browser tests.
const FLAGS: &str = include_str!("../browser-flags.txt");
/// How long the browser may take for anything.
const PATIENCE: Duration = Duration::from_secs(60);

/// A line that a browser pretends to have. Its WebSockets are not slowed down.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line {
    /// Both ways.
    pub(crate) mbit_per_s: f64,
    /// Added to each request.
    pub(crate) latency_ms: u32,
}

/// A browser with one page; both end with this value.
pub(crate) struct Page {
    driver: SocketAddr,
    session: String,
    profile: PathBuf,
    _service: Service,
}

impl Page {
    /// Opens `url` in a window whose inside has `size` pixels.
    ///
    /// # Errors
    /// What chromedriver says.
    pub(crate) fn open(tools: &Browser, size: (u32, u32), url: &str) -> Result<Page> {
        let mut command = Command::new(&tools.driver);
        command.arg("--port=0");
        let mut service = Service::start("chromedriver", &command, Stdio::piped(), Stdio::null())?;
        let lines = BufReader::new(service.take_stdout().context("its output is piped")?).lines();
        let named = |line: String| {
            let (_, port) = line.split_once("started successfully on port ")?;
            port.trim_end_matches('.').parse().ok()
        };
        let port: u16 =
            lines.map_while(Result::ok).find_map(named).context("chromedriver ended without naming its port")?;
        let driver = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let profile = target_dir().join(format!("webdriver/chromium-{}", std::process::id()));
        let mut flags: Vec<String> = FLAGS.lines().map(str::to_owned).collect();
        flags.push(format!("--window-size={},{}", size.0, size.1));
        flags.push(format!("--user-data-dir={}", profile.display()));
        let options = json!({ "binary": tools.browser, "args": flags });
        let wanted = json!({ "capabilities": { "alwaysMatch": { "goog:chromeOptions": options } } });
        let opened = ask(driver, "POST", "/session", &wanted)?;
        let session = opened["sessionId"].as_str().context("chromedriver opened no session")?.to_owned();
        let page = Page { driver, session, profile, _service: service };
        page.visit(url)?;
        // The window has a frame even where nobody sees it.
        let frame = page.run("return outerHeight - innerHeight")?.as_u64().unwrap_or(0);
        page.ask("POST", "/window/rect", &json!({ "width": size.0, "height": u64::from(size.1) + frame }))?;
        Ok(page)
    }

    /// Goes to another address.
    ///
    /// # Errors
    /// What chromedriver says.
    pub(crate) fn visit(&self, url: &str) -> Result<()> {
        self.ask("POST", "/url", &json!({ "url": url })).map(drop)
    }

    /// Slows down what the page loads from now on.
    ///
    /// # Errors
    /// What chromedriver says.
    pub(crate) fn slow_down(&self, line: Line) -> Result<()> {
        let bytes_per_s = line.mbit_per_s * 1e6 / 8.0;
        let conditions = json!({
            "offline": false,
            "latency": line.latency_ms,
            "download_throughput": bytes_per_s,
            "upload_throughput": bytes_per_s,
        });
        self.ask("POST", "/chromium/network_conditions", &json!({ "network_conditions": conditions })).map(drop)
    }

    /// Runs a script in the page and gives what it returns.
    ///
    /// # Errors
    /// What it throws.
    pub(crate) fn run(&self, script: &str) -> Result<Value> {
        self.ask("POST", "/execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// Waits until a script returns `true`.
    ///
    /// # Errors
    /// It did not, or it throws.
    pub(crate) fn wait_for(&self, what: &str, script: &str) -> Result<()> {
        let began = Instant::now();
        while self.run(script)? != Value::Bool(true) {
            ensure!(began.elapsed() < PATIENCE, "the page did not come to {what} within {PATIENCE:?}");
            std::thread::sleep(GLANCE);
        }
        Ok(())
    }

    /// Presses a key and holds it.
    ///
    /// # Errors
    /// What chromedriver says.
    pub(crate) fn hold(&self, key: char) -> Result<()> {
        let press = json!({ "type": "keyDown", "value": key });
        let keyboard = json!({ "type": "key", "id": "keyboard", "actions": [press] });
        self.ask("POST", "/actions", &json!({ "actions": [keyboard] })).map(drop)
    }

    /// Releases every key.
    ///
    /// # Errors
    /// What chromedriver says.
    pub(crate) fn release(&self) -> Result<()> {
        self.ask("DELETE", "/actions", &json!({})).map(drop)
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> Result<Value> {
        ask(self.driver, method, &format!("/session/{}{path}", self.session), body)
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        // Chromedriver closes its browser with the session; killed before, it would leave it behind.
        _ = self.ask("DELETE", "", &json!({}));
        _ = std::fs::remove_dir_all(&self.profile);
    }
}

fn ask(driver: SocketAddr, method: &str, path: &str, body: &Value) -> Result<Value> {
    let answer = http::ask(driver, method, path, &body.to_string(), PATIENCE)?;
    let mut said: Value = serde_json::from_slice(&answer.body).context("chromedriver did not answer in JSON")?;
    ensure!(answer.status == 200, "the browser refused {path}: {}", said["value"]["message"]);
    Ok(said["value"].take())
}

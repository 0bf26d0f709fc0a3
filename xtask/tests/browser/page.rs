//! One page with the game in it, as a person sees and uses it.

use std::ops::Index;
use std::time::{Duration, Instant};

use fantoccini::actions::{InputSource, KeyAction, KeyActions, MouseActions, PointerAction};
use fantoccini::elements::Element;
use fantoccini::wd::{WebDriverCompatibleCommand, WindowHandle};
use fantoccini::{Client, Locator};
use serde_json::{Value, json};

use crate::{DEADLINE, GLANCE};

/// What a page believes: `phase`, `name`, `ship`, `others`, `tick`, `snapshots`. Null before its script runs.
#[derive(Clone, Debug)]
pub(crate) struct State(Value);

impl State {
    /// Whether the page is in the game and has a ship.
    pub(crate) fn is_playing(&self) -> bool {
        self["phase"] == "playing" && self["ship"].is_object()
    }

    /// Where the other player called `name` is, in units of the arena.
    pub(crate) fn other(&self, name: &str) -> Option<(f64, f64)> {
        place(self["others"].as_array()?.iter().find(|other| other["name"] == name)?)
    }

    /// Where our own ship is, in units of the arena.
    pub(crate) fn own_ship(&self) -> Option<(f64, f64)> {
        place(&self["ship"])
    }

    /// How many other players are within `range` of our ship, in units of the arena.
    pub(crate) fn others_within(&self, range: f64) -> usize {
        let others = self["others"].as_array().map_or(&[][..], Vec::as_slice);
        others.iter().filter(|other| way(self.own_ship(), place(other)).is_some_and(|way| way < range)).count()
    }
}

/// How far it is from one place to the other, when both are known.
pub(crate) fn way(from: Option<(f64, f64)>, to: Option<(f64, f64)>) -> Option<f64> {
    let (from, to) = (from?, to?);
    Some((to.0 - from.0).hypot(to.1 - from.1))
}

impl Index<&str> for State {
    type Output = Value;

    fn index(&self, key: &str) -> &Value {
        &self.0[key]
    }
}

fn place(ship: &Value) -> Option<(f64, f64)> {
    Some((ship["x"].as_f64()?, ship["y"].as_f64()?))
}

/// The number in `value`; 0 when there is none.
pub(crate) fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_default()
}

/// A page in a browser of its own.
pub(crate) struct Page {
    client: Client,
}

impl Page {
    /// The page that `client` shows.
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    /// What the page believes now.
    pub(crate) async fn state(&self) -> State {
        State(self.run("return window.broadside ? window.broadside.state() : null").await)
    }

    /// Waits until the page believes what `wanted` asks for, and gives that.
    ///
    /// # Panics
    /// At the deadline, with what the page believes then and the errors that it saw.
    pub(crate) async fn wait_for(&self, what: &str, mut wanted: impl FnMut(&State) -> bool) -> State {
        let started_at = Instant::now();
        loop {
            let state = self.state().await;
            if wanted(&state) {
                return state;
            }
            if started_at.elapsed() > DEADLINE {
                let (errors, console) = (self.errors().await, self.console().await);
                panic!("waited {DEADLINE:?} for {what}; {state:?}, errors {errors:?}, console {console:?}");
            }
            tokio::time::sleep(GLANCE).await;
        }
    }

    /// Waits until the page believes what `wanted` asks for, or for `patience`.
    pub(crate) async fn hope_for(&self, patience: Duration, wanted: impl Fn(&State) -> bool) {
        let started_at = Instant::now();
        while started_at.elapsed() < patience && !wanted(&self.state().await) {
            tokio::time::sleep(GLANCE).await;
        }
    }

    /// Does what a person does on the first screen.
    pub(crate) async fn enter_name_and_play(&self, name: &str) {
        let field = self.client.find(Locator::Css("#name")).await.expect("there is a field for the name");
        field.clear().await.expect("it can be cleared");
        field.send_keys(name).await.expect("it takes keys");
        let button = self.client.find(Locator::Css("#play")).await.expect("there is a button to play");
        button.click().await.expect("it can be clicked");
    }

    /// Clicks an element as a person does: once it can be seen, and scrolled out from under what lies over the edge of the page.
    pub(crate) async fn click(&self, css: &str) {
        let element = self.wait_for_element(css).await;
        const SCROLL: &str = "document.querySelector(arguments[0]).scrollIntoView({ block: 'center' })";
        self.script(SCROLL, vec![json!(css)]).await;
        element.click().await.unwrap_or_else(|error| panic!("{css} cannot be clicked: {error}"));
    }

    /// Presses an element that may be covered or out of sight.
    pub(crate) async fn press(&self, css: &str) {
        let pressed = self.client.execute("document.querySelector(arguments[0]).click()", vec![json!(css)]).await;
        pressed.unwrap_or_else(|error| panic!("{css} cannot be pressed: {error}"));
    }

    /// Waits until an element can be seen.
    pub(crate) async fn wait_for_element(&self, css: &str) -> Element {
        let started_at = Instant::now();
        loop {
            if let Ok(element) = self.client.find(Locator::Css(css)).await
                && element.is_displayed().await.unwrap_or(false)
            {
                return element;
            }
            assert!(started_at.elapsed() < DEADLINE, "waited {DEADLINE:?} for {css}; {:?}", self.state().await);
            tokio::time::sleep(GLANCE).await;
        }
    }

    /// The text of an element.
    pub(crate) async fn text(&self, css: &str) -> String {
        self.ask("return document.querySelector(arguments[0]).textContent", css).await
    }

    /// What stands in a field.
    pub(crate) async fn value(&self, css: &str) -> String {
        self.ask("return document.querySelector(arguments[0]).value", css).await
    }

    /// How many elements there are.
    pub(crate) async fn count(&self, css: &str) -> usize {
        self.ask("return String(document.querySelectorAll(arguments[0]).length)", css).await.parse().expect("a number")
    }

    /// Chooses from a list.
    pub(crate) async fn choose(&self, css: &str, value: &str) {
        let element = self.wait_for_element(css).await;
        element.select_by_value(value).await.expect("it is in the list");
    }

    /// Says something in the chat, or gives it a command.
    pub(crate) async fn say(&self, line: &str) {
        self.press("#chat-open").await;
        let field = self.wait_for_element("#chat-text").await;
        field.send_keys(line).await.expect("it takes keys");
        self.press("#chat-send").await;
    }

    /// Types into whatever has the keyboard.
    pub(crate) async fn keys(&self, keys: &str) {
        let focused = self.client.active_element().await.expect("something has the keyboard");
        focused.send_keys(keys).await.unwrap_or_else(|error| panic!("{keys:?} cannot be typed: {error}"));
    }

    /// Goes on with the keyboard until this element has it.
    pub(crate) async fn tab_to(&self, css: &str) {
        const SCRIPT: &str = "return document.activeElement === document.querySelector(arguments[0])";
        for _ in 0..200 {
            if self.script(SCRIPT, vec![json!(css)]).await == json!(true) {
                return;
            }
            self.keys("\u{E004}").await;
        }
        panic!("the keyboard never comes to {css}");
    }

    /// Gives the window another size, as a phone has it.
    pub(crate) async fn resize(&self, (width, height): (u32, u32)) {
        self.client.set_window_size(width, height).await.expect("the window can be resized");
    }

    /// Gives the browser a device that makes passkeys and consents to everything.
    pub(crate) async fn add_authenticator(&self) {
        self.client.issue_cmd(VirtualAuthenticator).await.expect("chromedriver has a virtual authenticator");
    }

    /// Lets the system's colors replace those of the page, as in a contrast theme.
    pub(crate) async fn force_colors(&self) {
        let features = json!({ "features": [{ "name": "forced-colors", "value": "active" }] });
        self.client.issue_cmd(DevTools("Emulation.setEmulatedMedia", features)).await.expect("it can emulate media");
    }

    /// Goes to another address in the same tab.
    pub(crate) async fn visit(&self, url: &str) {
        self.client.goto(url).await.expect("the page is there");
    }

    /// Goes on inside the frame with this number.
    pub(crate) async fn enter_frame(&self, number: u16) {
        self.client.enter_frame(number).await.expect("there is such a frame");
    }

    /// Reloads the page.
    pub(crate) async fn reload(&self) {
        self.client.refresh().await.expect("the page is there");
    }

    /// The address that the browser shows.
    pub(crate) async fn address(&self) -> String {
        self.client.current_url().await.expect("a page is open").to_string()
    }

    /// Runs a script with arguments in the page, and gives what it returns.
    pub(crate) async fn script(&self, script: &str, arguments: Vec<Value>) -> Value {
        self.client.execute(script, arguments).await.unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    /// Waits until an element's text contains this.
    pub(crate) async fn wait_for_text(&self, css: &str, part: &str) {
        const SCRIPT: &str =
            "const found = document.querySelector(arguments[0]); return found ? found.textContent : ''";
        let started_at = Instant::now();
        loop {
            let text = self.script(SCRIPT, vec![json!(css)]).await;
            if text.as_str().is_some_and(|text| text.contains(part)) {
                return;
            }
            if started_at.elapsed() >= DEADLINE {
                let errors = self.script("return window.broadside && window.broadside.errors", Vec::new()).await;
                panic!("waited {DEADLINE:?} for {part:?} in {css}, which says {text}; errors of the page: {errors}");
            }
            tokio::time::sleep(GLANCE).await;
        }
    }

    /// Waits until a script returns `true`.
    pub(crate) async fn wait_for_script(&self, what: &str, script: &str) {
        let started_at = Instant::now();
        while self.script(script, Vec::new()).await != json!(true) {
            assert!(started_at.elapsed() < DEADLINE, "waited {DEADLINE:?} for {what}");
            tokio::time::sleep(GLANCE).await;
        }
    }

    /// How many WebSockets the page has opened.
    pub(crate) async fn sockets(&self) -> u64 {
        self.run("return window.broadside.state().sockets").await.as_u64().expect("the page counts them")
    }

    /// What the tab remembers until it is closed.
    pub(crate) async fn tab_storage(&self) -> String {
        self.run("return JSON.stringify(sessionStorage)").await.as_str().expect("it is text").to_owned()
    }

    /// Opens another tab that remembers what this one does, as a duplicated tab would, and goes on in it. `plain` is an address of the
    /// same server without a script. Gives the tab that was left.
    pub(crate) async fn open_tab(&self, plain: &str, kept: &str, url: &str) -> WindowHandle {
        let here = self.client.window().await.expect("there is a tab");
        let tab = self.client.new_window(true).await.expect("there can be another");
        self.client.switch_to_window(tab.handle).await.expect("it is there");
        self.client.goto(plain).await.expect("the server is there");
        let script = "Object.entries(JSON.parse(arguments[0])).forEach(([k, v]) => sessionStorage.setItem(k, v))";
        self.client.execute(script, vec![json!(kept)]).await.expect("the tab remembers");
        self.client.goto(url).await.expect("the page is there");
        here
    }

    /// Goes on in another tab. Gives the one that was left.
    pub(crate) async fn switch_to(&self, tab: &WindowHandle) -> WindowHandle {
        let here = self.client.window().await.expect("there is a tab");
        self.client.switch_to_window(tab.clone()).await.expect("it is there");
        here
    }

    async fn ask(&self, script: &str, css: &str) -> String {
        let answer = self.client.execute(script, vec![json!(css)]).await;
        let answer = answer.unwrap_or_else(|error| panic!("no {css}: {error}"));
        answer.as_str().expect("it is text").to_owned()
    }

    /// Presses `key` and keeps it down.
    pub(crate) async fn hold_key(&self, key: char) {
        let press = KeyActions::new("keyboard".into()).then(KeyAction::Down { value: key });
        self.client.perform_actions(press).await.expect("there is a keyboard");
    }

    /// Moves the pointer to a place near the middle of the picture, in the direction of (`x`, `y`) from there, y down.
    pub(crate) async fn point(&self, (x, y): (f64, f64)) {
        let element = self.client.find(Locator::Css("#view")).await.expect("there is a picture");
        let scale = 60.0 / x.hypot(y).max(1.0);
        let to = PointerAction::MoveToElement { element, duration: None, x: x * scale, y: y * scale };
        let moved = self.client.perform_actions(MouseActions::new("mouse".into()).then(to)).await;
        moved.expect("there is a mouse");
    }

    /// Lets go of every key.
    pub(crate) async fn release_keys(&self) {
        self.client.release_actions().await.expect("there is a keyboard");
    }

    /// The errors that the page's own script saw.
    pub(crate) async fn errors(&self) -> Vec<String> {
        let errors = self.run("return window.broadside ? window.broadside.errors.map(String) : ['no script']").await;
        serde_json::from_value(errors).expect("they are strings")
    }

    /// The errors in the browser's console, those of loading included. Each is reported once.
    /// Firefox keeps none for us.
    pub(crate) async fn console(&self) -> Vec<String> {
        if crate::setup::is_firefox() {
            return Vec::new();
        }
        let log = self.client.issue_cmd(BrowserLog).await.expect("chromedriver keeps a log");
        let entries = log.as_array().expect("it is a list").iter();
        entries.filter(|entry| entry["level"] == "SEVERE").map(|entry| entry["message"].to_string()).collect()
    }

    /// The hashes of the world, every `every` ticks and in hex, of a scripted game in the wasm of this page, which shows recorded matches.
    pub(crate) async fn world_hashes(&self, seed: u64, ticks: u32, every: u32) -> Vec<Value> {
        const SCRIPT: &str = "const [seed, ticks, every, done] = arguments;
            import(`${window.broadside.folder}replay.js`)
                .then(wasm => wasm.world_hashes(BigInt(seed), ticks, every))
                .then(hashes => done(Array.from(hashes, hash => BigInt.asUintN(64, hash).toString(16).padStart(16, '0'))))
                .catch(error => done([String(error)]));";
        let arguments = vec![json!(seed.to_string()), json!(ticks), json!(every)];
        let hashes = self.client.execute_async(SCRIPT, arguments).await.expect("the script ends in time");
        hashes.as_array().expect("it is a list").clone()
    }

    /// A PNG of what is on the screen.
    pub(crate) async fn picture(&self) -> Vec<u8> {
        self.client.screenshot().await.expect("the browser can draw")
    }

    async fn run(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.expect("the page runs scripts")
    }
}

/// A command of the browser's own protocol for its developer tools.
#[derive(Debug)]
struct DevTools(&'static str, Value);

impl WebDriverCompatibleCommand for DevTools {
    fn endpoint(&self, base: &url::Url, session: Option<&str>) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/goog/cdp/execute", session.expect("the page is open")))
    }

    fn method_and_body(&self, _url: &url::Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(json!({ "cmd": self.0, "params": self.1 }).to_string()))
    }
}

/// The command that adds a virtual authenticator (WebAuthn, section 11.3).
#[derive(Debug)]
struct VirtualAuthenticator;

impl WebDriverCompatibleCommand for VirtualAuthenticator {
    fn endpoint(&self, base: &url::Url, session: Option<&str>) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/webauthn/authenticator", session.expect("the page is open")))
    }

    fn method_and_body(&self, _url: &url::Url) -> (http::Method, Option<String>) {
        let device = json!({
            "protocol": "ctap2", "transport": "internal", "hasResidentKey": true, "hasUserVerification": true,
            "isUserConsenting": true, "isUserVerified": true
        });
        (http::Method::POST, Some(device.to_string()))
    }
}

/// Chromedriver's own command for what is new in the console.
#[derive(Debug)]
struct BrowserLog;

impl WebDriverCompatibleCommand for BrowserLog {
    fn endpoint(&self, base: &url::Url, session: Option<&str>) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/se/log", session.expect("the page is open")))
    }

    fn method_and_body(&self, _url: &url::Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(json!({ "type": "browser" }).to_string()))
    }
}

//! The pages beside the game: leaderboards, a player, friends and the account, by keyboard alone.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use broadside_store::accounts::{Account, SignIn};
use broadside_store::period::Season;
use broadside_store::results::{MatchRecord, Outcome, PlayerRecord, ResultKind};
use broadside_store::{Location, Store, new_id};
use serde_json::{Value, json};

use crate::driver::Browser;
use crate::page::{Page, State, number};
use crate::server::Server;
use crate::{DESKTOP, SMALL, setup};

/// A window of 390 pixels; the narrowest that Chromium opens has 500, which the pictures do not show.
const PHONE: (u32, u32) = (390, 844);
pub(crate) const TAB: &str = "\u{E004}";
pub(crate) const ENTER: &str = "\u{E007}";
const ESCAPE: &str = "\u{E00C}";
const RIGHT: &str = "\u{E014}";
const SPACE: &str = " ";
const DAY_US: i64 = 86_400_000_000;

/// A folder for a database.
pub(crate) struct Data(PathBuf);

impl Data {
    /// A folder that a server makes.
    pub(crate) fn empty() -> Data {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Data(PathBuf::from(format!("{}/data-{}-{number}", env!("CARGO_TARGET_TMPDIR"), std::process::id())))
    }

    /// The database of a server that people have played on: six captains in the open arena, two of them in duels.
    pub(crate) async fn filled() -> Data {
        let data = Data::empty();
        let store = Store::open(&Location::Folder(data.0.clone())).await.expect("the folder can be made");
        let now_us = now_us();
        let mut accounts = Vec::new();
        for (number, name) in (1..).zip(["Ann", "Ben", "Eve", "Ada", "Cy", "Dee"]) {
            accounts.push(keeper(&store, number, name, now_us).await);
        }
        let mut matches = Vec::new();
        for (day, account) in (0..30).zip(accounts.iter().cycle()) {
            let players = vec![player(account, i64::from(40 - day) * 3, Outcome::None)];
            matches.push(record("arena", ResultKind::Stay, now_us - i64::from(day) * DAY_US, players));
        }
        for hours in 0..12 {
            let outcomes = if hours % 3 == 0 { [Outcome::Lost, Outcome::Won] } else { [Outcome::Won, Outcome::Lost] };
            let players = [player(&accounts[0], 30, outcomes[0]), player(&accounts[1], 20, outcomes[1])];
            matches.push(record("duel", ResultKind::Match, now_us - hours * DAY_US / 24, players.to_vec()));
        }
        store.record(&matches, Season::Quarter).await.expect("recorded");
        store.close().await;
        data
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) async fn server(&self) -> Server {
        Server::start_with_flags(&["--data", self.0.to_str().expect("a plain path")]).await
    }
}

impl Drop for Data {
    fn drop(&mut self) {
        _ = std::fs::remove_dir_all(&self.0);
    }
}

fn now_us() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_micros().try_into().expect("before 294000")
}

/// An account that keeps a name, which must look like nothing but its own small letters.
async fn keeper(store: &Store, number: u8, name: &str, now_us: i64) -> Account {
    let sign_in = SignIn { secret_hash: [number; 32], expires_us: now_us + DAY_US };
    let account = store.create_guest(sign_in, now_us - 90 * DAY_US).await.expect("a guest");
    store.keep_name(account.id, name, &[name.to_lowercase()]).await.expect("a free name");
    Account { name: name.to_owned(), ..account }
}

fn player(account: &Account, score: i64, outcome: Outcome) -> PlayerRecord {
    let kills = u32::try_from(score / 10).expect("it is small");
    PlayerRecord {
        account: Some(account.id.0),
        name: account.name.clone(),
        outcome,
        score,
        kills,
        deaths: 3,
        shots: 80,
        hits: 31,
        streak: 4,
        played_ms: 312_000,
    }
}

fn record(mode: &str, kind: ResultKind, ended_us: i64, players: Vec<PlayerRecord>) -> MatchRecord {
    let is_rated = mode == "duel";
    MatchRecord {
        id: new_id(ended_us),
        game: "arena".to_owned(),
        mode: mode.to_owned(),
        kind,
        is_rated,
        ended_us,
        players,
    }
}

pub(crate) async fn keep_picture(page: &Page, name: &str) {
    std::fs::write(setup::artifacts().join(name), page.picture().await)
        .expect("the folder of artifacts can be written");
}

/// Checks that nothing went wrong, and that nothing is wider than the window.
pub(crate) async fn assert_fine(page: &Page) {
    let wider = "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
    assert_eq!(page.script(wider, Vec::new()).await, json!(0), "it does not fit into the window");
    // The browser itself notes that a visitor has no account.
    let console: Vec<_> = page.console().await.into_iter().filter(|line| !line.contains("/api/account - ")).collect();
    assert_eq!((page.errors().await, console), (vec![], vec![]));
}

pub(crate) fn is_ready(state: &State) -> bool {
    state["phase"] == "ready"
}

#[tokio::test]
async fn a_leaderboard_leads_to_a_player_without_a_mouse() {
    let data = Data::filled().await;
    let server = data.server().await;
    let browser = Browser::start().await;
    let page = browser.open(DESKTOP, &server.url("/leaderboards?period=all")).await;
    page.wait_for("six players", |state| is_ready(state) && state["entries"] == 6).await;
    keep_picture(&page, "leaderboards.png").await;
    page.keys(TAB).await;
    assert_eq!(page.text(":focus").await, "Skip to the content");
    page.keys(ENTER).await;

    // Through the choices to duels by rating.
    page.tab_to("input[name=mode]:checked").await;
    page.keys(RIGHT).await;
    page.keys(RIGHT).await;
    page.wait_for("two duelists", |state| is_ready(state) && state["entries"] == 2).await;
    page.tab_to("input[name=by]:checked").await;
    for _ in 0..3 {
        page.keys(RIGHT).await;
    }
    page.wait_for_text("#said", "Duel, Rating, All time, everyone: 2 players").await;
    assert!(page.address().await.ends_with("?period=all&mode=duel&by=rating&scope=all"), "{}", page.address().await);
    page.reload().await;
    page.wait_for_text("#caption", "Duel: Rating").await;
    assert_eq!(page.text("#entries tr:first-child .name a").await, "Ann");

    page.tab_to("#entries a").await;
    page.keys(ENTER).await;
    page.wait_for("her page", |state| is_ready(state) && state["results"] == 10).await;
    assert!(page.address().await.ends_with("/u/Ann"), "{}", page.address().await);
    assert_eq!((page.text("h1").await.as_str(), page.count("#tiles dt").await), ("Ann", 8));
    let plot = page.script("return document.querySelector('.plot').getAttribute('aria-label')", Vec::new()).await;
    assert!(plot.as_str().is_some_and(|text| text.starts_with("Score 780 on ")), "{plot}");
    keep_picture(&page, "player.png").await;
    page.tab_to("#results button").await;
    page.keys(ENTER).await;
    page.wait_for_element("#results li:nth-child(2)").await;
    page.keys(SPACE).await;
    assert_eq!(page.count("#results li").await, 0, "folded again");
    page.tab_to("#more").await;
    page.keys(ENTER).await;
    page.wait_for("the rest", |state| number(&state["results"]) > 10.0 && state["next"] == false).await;
    assert_eq!(page.count("body :focus").await, 1, "the keyboard is where it was");
    assert_fine(&page).await;

    page.resize(PHONE).await;
    for (path, name) in [("/u/Ann", "player-phone.png"), ("/leaderboards?period=all", "leaderboards-phone.png")] {
        page.visit(&server.url(path)).await;
        page.wait_for("the page", is_ready).await;
        keep_picture(&page, name).await;
        assert_fine(&page).await;
    }
    page.visit(&server.url("/u/Nobody")).await;
    page.wait_for_text("[role=alert]", "No player keeps the name `Nobody`").await;
}

#[tokio::test]
async fn a_name_is_kept_by_password_and_played_under() {
    let server = Server::start().await;
    let browser = Browser::start().await;
    let page = browser.open(DESKTOP, &server.url("/account")).await;
    page.wait_for("the page", is_ready).await;
    keep_picture(&page, "account-guest.png").await;
    page.tab_to("#keep-name").await;
    page.keys("Ann").await;
    page.keys(&format!("{TAB}correct horse battery{ENTER}")).await;
    page.wait_for("a kept name", |state| state["keeps"] == true && state["name"] == "Ann").await;
    keep_picture(&page, "account.png").await;
    page.tab_to("#make-codes").await;
    page.keys(ENTER).await;
    page.tab_to("#confirm-yes").await;
    page.keys(ENTER).await;
    page.wait_for_element("#codes li:nth-child(10)").await;
    page.tab_to("#sign-out").await;
    page.keys(ENTER).await;
    page.wait_for("nobody", |state| is_ready(state) && state["keeps"] == false).await;

    page.tab_to("#sign-in-name").await;
    page.keys(&format!("Ann{TAB}wrong horse battery{ENTER}")).await;
    page.wait_for_text("#sign-in-note[role=alert]", "rong").await;
    page.tab_to("#sign-in-password").await;
    page.script("document.activeElement.value = ''", Vec::new()).await;
    page.keys(&format!("correct horse battery{ENTER}")).await;
    page.wait_for("her again", |state| state["keeps"] == true).await;
    assert_eq!(page.errors().await, Vec::<String>::new());

    // The game knows her: by the link, by the name in its field, and on the server.
    page.visit(&server.url("/?effects=low")).await;
    page.wait_for("the menu", |state| state["phase"] == "menu").await;
    page.wait_for_text("#account-link", "Ann").await;
    assert_eq!(page.value("#name").await, "Ann");
    page.press("#play").await;
    page.wait_for("a ship to steer", State::is_playing).await;
    let friend = browser.open(SMALL, &server.url("/u/Ann")).await;
    friend.wait_for_text("#presence .online", "in room 1").await;
    friend.click("#presence a[href*=watch]").await;
    friend.wait_for("the title", |state| state["phase"] == "menu").await;
    friend.enter_name_and_play("Ben").await;
    friend.wait_for("to watch", |state| state["phase"] == "playing" && state["ship"].is_null()).await;
}

#[tokio::test]
async fn settings_of_a_kept_name_are_there_in_the_next_browser() {
    const TEXT: &str = "return window.broadside.settings.values.text ?? 0";
    let server = Server::start().await;
    let browser = Browser::start().await;
    let ann = named(&browser, &server, "Ann").await;
    let phone = browser.open(SMALL, &server.url("/account")).await;
    phone.wait_for("the page", is_ready).await;
    phone.tab_to("#sign-in-name").await;
    phone.keys(&format!("Ann{TAB}correct horse battery{ENTER}")).await;
    phone.wait_for("the same name", |state| state["keeps"] == true).await;

    ann.visit(&server.url("/?effects=low")).await;
    ann.wait_for("the menu", |state| state["phase"] == "menu").await;
    ann.script("window.broadside.settings.set({ text: 130, effects: 'low', keys: { KeyR: 'KeyW' } })", Vec::new())
        .await;
    ann.wait_for_script("the account to have it", "return localStorage['broadside.sent'].includes('130')").await;
    phone.visit(&server.url("/?effects=low")).await;
    phone.wait_for_script("her size of text", "return window.broadside.settings?.values.text === 130").await;
    let taken = phone.script("return window.broadside.settings.values", Vec::new()).await;
    assert_eq!(
        (&taken["keys"], &taken["effects"]),
        (&json!({ "KeyR": "KeyW" }), &Value::Null),
        "effects are the machine's"
    );

    // The reset of one is that of the other, and a guest has the browser's again.
    phone.script("window.broadside.settings.reset()", Vec::new()).await;
    phone.wait_for_script("the account to know", "return !localStorage['broadside.sent'].includes('130')").await;
    ann.reload().await;
    ann.wait_for_script("the reset", "return window.broadside.settings && !window.broadside.settings.values.text")
        .await;
    assert_eq!(ann.script(TEXT, Vec::new()).await, json!(0));
    ann.visit(&server.url("/account")).await;
    ann.wait_for("the page", is_ready).await;
    ann.press("#sign-out").await;
    ann.wait_for("nobody", |state| is_ready(state) && state["keeps"] == false).await;
    assert_eq!(ann.script("return localStorage['broadside.kept'] ?? ''", Vec::new()).await, json!(""));
}

#[tokio::test]
async fn a_name_is_kept_by_passkey_and_signs_in_without_being_typed() {
    let server = Server::start().await;
    let browser = Browser::start().await;
    let page = browser.open(DESKTOP, &server.named_url("/account")).await;
    page.add_authenticator().await;
    page.wait_for("the page", is_ready).await;
    page.tab_to("#keep-name").await;
    page.keys("Ann").await;
    page.tab_to("#keep-passkey").await;
    page.keys(ENTER).await;
    page.wait_for("a passkey", |state| state["keeps"] == true && state["passkeys"] == 1).await;
    page.press("#sign-out").await;
    page.wait_for("nobody", |state| is_ready(state) && state["keeps"] == false).await;
    page.tab_to("#sign-in-passkey").await;
    page.keys(ENTER).await;
    page.wait_for("her again", |state| state["keeps"] == true && state["name"] == "Ann").await;
    assert_fine(&page).await;
}

#[tokio::test]
async fn two_become_friends_by_a_link_and_see_each_other() {
    let server = Server::start().await;
    let browser = Browser::start().await;
    let (ann, ben) = (named(&browser, &server, "Ann").await, named(&browser, &server, "Ben").await);
    ann.visit(&server.url("/friends")).await;
    ann.wait_for("the page", is_ready).await;
    ann.tab_to("#make-link").await;
    ann.keys(ENTER).await;
    ann.wait_for_element("#link").await;
    let link = ann.value("#link").await;
    ben.visit(&link).await;
    ben.wait_for_text("#invitation-title", "Ann invites you to be friends").await;
    ben.tab_to("#accept").await;
    ben.keys(ENTER).await;
    ben.wait_for("a friend", |state| state["friends"] == json!([["Ann", "friends"]])).await;
    ben.visit(&server.url("/?name=Ben&autojoin=1&effects=low")).await;
    ben.wait_for("a ship to steer", State::is_playing).await;
    ann.reload().await;
    ann.wait_for_text("#friends-list .online", "in room 1").await;
    keep_picture(&ann, "friends.png").await;
    assert_fine(&ann).await;
    ann.resize(PHONE).await;
    keep_picture(&ann, "friends-phone.png").await;
    assert_fine(&ann).await;
    ann.tab_to("#friends-list a.primary").await;
    ann.keys(ENTER).await;
    ann.wait_for("the same room", State::is_playing).await;

    // A friend is removed only by two presses, of which the second may be Escape.
    ann.visit(&server.url("/friends")).await;
    ann.wait_for("the list", is_ready).await;
    ann.tab_to("#friends-list button").await;
    ann.keys(ENTER).await;
    ann.wait_for_text("#remove[open] h2", "Remove Ben?").await;
    keep_picture(&ann, "friends-remove.png").await;
    ann.keys(ESCAPE).await;
    assert_eq!((ann.count("#remove[open]").await, ann.count("#friends-list li").await), (0, 1));
    ann.tab_to("#friends-list button").await;
    ann.keys(ENTER).await;
    ann.tab_to("#remove-yes").await;
    ann.keys(ENTER).await;
    ann.wait_for("no friend", |state| state["friends"] == json!([])).await;
}

/// A browser of somebody who keeps this name.
pub(crate) async fn named(browser: &Browser, server: &Server, name: &str) -> Page {
    let page = browser.open(DESKTOP, &server.url("/account")).await;
    page.wait_for("the page", is_ready).await;
    page.tab_to("#keep-name").await;
    page.keys(&format!("{name}{TAB}correct horse battery{ENTER}")).await;
    page.wait_for("a kept name", |state| state["keeps"] == true).await;
    page
}

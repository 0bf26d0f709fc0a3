//! People together: a private room and its link, talk, and a seat that outlives link, page and tab.

use serde_json::{Value, json};

use crate::SMALL;
use crate::driver::Browser;
use crate::gate::Gate;
use crate::page::{Page, State, number};
use crate::server::Server;

/// Snapshots after which we believe that nothing more is about to happen.
const A_WHILE: f64 = 60.0;

/// Whether the chat of a page holds this line.
fn has_line(state: &State, kind: &str, from: &str, text: &str) -> bool {
    let lines = state["chat"].as_array().map_or(&[][..], Vec::as_slice);
    lines.iter().any(|line| *line == json!({ "kind": kind, "from": from, "text": text }))
}

/// Whether the chat of a page holds a notice that contains this.
fn has_notice(state: &State, part: &str) -> bool {
    let lines = state["chat"].as_array().map_or(&[][..], Vec::as_slice);
    lines.iter().any(|line| line["kind"] == "notice" && line["text"].as_str().is_some_and(|text| text.contains(part)))
}

async fn waits_for_snapshots(page: &Page, what: &str) -> State {
    let seen = number(&page.state().await["snapshots"]);
    page.wait_for(what, |state| state.is_playing() && number(&state["snapshots"]) > seen + A_WHILE).await
}

/// Hides the page, or shows it again, as another tab over it does.
async fn hide(page: &Page, hidden: bool) {
    const SCRIPT: &str = "const [hidden] = arguments;
        Object.defineProperty(document, 'hidden', { get: () => hidden, configurable: true });
        document.dispatchEvent(new Event('visibilitychange'))";
    page.script(SCRIPT, vec![json!(hidden)]).await;
}

#[tokio::test]
async fn a_hidden_tab_says_in_its_title_what_to_come_back_for() {
    let server = Server::start().await;
    let browser = Browser::start().await;
    let ann = browser.open(SMALL, &server.url("/?name=Ann&autojoin=1&effects=low")).await;
    let ben = browser.open(SMALL, &server.url("/?name=Ben&autojoin=1&effects=low")).await;
    ann.wait_for("a ship to steer", State::is_playing).await;
    ben.wait_for("a ship to steer", State::is_playing).await;
    assert_eq!(ann.text("title").await, "Broadside");
    hide(&ann, true).await;
    ben.say("where are you?").await;
    ann.wait_for_text("title", "1 message - Broadside").await;
    ben.say("hello?").await;
    ann.wait_for_text("title", "2 messages - Broadside").await;
    hide(&ann, false).await;
    assert_eq!(ann.text("title").await, "Broadside");
    hide(&ann, true).await;
    server.kill().await;
    ann.wait_for_text("title", "connection lost - Broadside").await;
    assert_eq!(ann.errors().await, Vec::<String>::new());
}

#[tokio::test]
async fn two_friends_meet_by_a_link_and_talk() {
    let server = Server::start().await;
    let browser = Browser::start().await;
    let ann = browser.open(SMALL, &server.url("/?name=Ann&effects=low")).await;
    ann.wait_for("the lobby", |state| state["connected"] == true).await;
    ann.click("[data-act='create:arena']").await;
    ann.wait_for_element("#invite").await;
    let link = ann.value("#invite-link").await;
    assert!(link.ends_with(&ann.text("#invite-code").await), "{link}");
    ann.click("[data-act='in']").await;
    let here = ann.wait_for("a ship to steer", State::is_playing).await;

    let ben = browser.open(SMALL, &format!("{link}?name=Ben&effects=low")).await;
    let there = ben.wait_for("a ship to steer", State::is_playing).await;
    assert_eq!(there["room"], here["room"]);
    ann.wait_for("word of the friend", |state| has_notice(state, "Ben joined through your link")).await;

    ann.say("<b>hello</b> Ben").await;
    ben.wait_for("Ann's words", |state| has_line(state, "room", "Ann", "<b>hello</b> Ben")).await;
    assert_eq!(ben.count("#chat-log b").await, 0, "words are never markup");
    ben.say("hello Ann").await;
    ann.wait_for("Ben's words", |state| has_line(state, "room", "Ben", "hello Ann")).await;
    ben.say("/w Ann only you").await;
    ann.wait_for("words for Ann alone", |state| has_line(state, "direct", "Ben", "only you")).await;
    ben.wait_for("his message to Ann in his own chat", |state| has_line(state, "direct", "Ann", "only you")).await;

    ann.say("/mute Ben").await;
    ann.wait_for("the mute", |state| has_notice(state, "You have muted Ben")).await;
    ben.say("into the void").await;
    ben.wait_for("his own words", |state| has_line(state, "room", "Ben", "into the void")).await;
    ann.say("/unmute Ben").await;
    ann.wait_for("the end of it", |state| has_notice(state, "You have unmuted Ben")).await;
    ben.say("heard again").await;
    let state = ann.wait_for("Ben again", |state| has_line(state, "room", "Ben", "heard again")).await;
    assert!(!has_line(&state, "room", "Ben", "into the void"));

    ben.say("/w Nobody hello").await;
    ben.wait_for("why not", |state| has_notice(state, "No player is called Nobody.")).await;
    assert_eq!((ann.errors().await, ben.errors().await), (vec![], vec![]));
}

#[tokio::test]
async fn a_captain_leaves_to_the_lobby_and_goes_elsewhere_over_the_same_socket() {
    let server = Server::start().await;
    let browser = Browser::start().await;
    let page = browser.open(SMALL, &server.url("/?name=Ann&effects=low")).await;
    page.wait_for("the lobby", |state| state["connected"] == true).await;
    page.click("[data-act='mode:arena']").await;
    page.wait_for("the arena", |state| state.is_playing() && state["mode"] == "arena").await;
    page.press("#leave").await;
    page.wait_for("the lobby", |state| state["phase"] == "menu" && state["room"].is_null()).await;
    page.press("[data-act='mode:teams']").await;
    page.wait_for("the teams", |state| state.is_playing() && state["mode"] == "teams").await;
    page.press("#leave").await;
    page.wait_for("the lobby again", |state| state["phase"] == "menu").await;
    page.wait_for_element("#rooms [data-act^='watch:']").await;
    page.press("#rooms [data-act^='watch:']").await;
    page.wait_for("a battle to watch", |state| state["phase"] == "playing" && state["spectating"] == true).await;
    assert_eq!(page.sockets().await, 1);
    assert_eq!(page.errors().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_seat_outlives_a_cut_link_and_a_reload() {
    let server = Server::start().await;
    let gate = Gate::before(&server).await;
    let browser = Browser::start().await;
    let ann = browser.open(SMALL, &gate.url("/?name=Ann&autojoin=1&effects=low")).await;
    let ben = browser.open(SMALL, &server.url("/?name=Ben&autojoin=1&effects=low")).await;
    ben.wait_for("a ship to steer", State::is_playing).await;
    let before = ann.wait_for("a ship to steer", State::is_playing).await;

    gate.cut();
    ann.wait_for("the loss of the link", |state| state["phase"] == "lost" || state["phase"] == "retrying").await;
    ben.wait_for("that Ann is away", |state| state["away"] == json!(["Ann"])).await;
    gate.restore();
    let back = ann.wait_for("the same seat", |state| state.is_playing() && state["player"] == before["player"]).await;
    assert_eq!(back["server_name"], "Ann");
    ben.wait_for("that Ann is back", |state| state["away"] == json!([])).await;

    ann.reload().await;
    ann.wait_for("the same seat after a reload", |state| {
        state.is_playing() && state["player"] == before["player"] && state["server_name"] == "Ann"
    })
    .await;
}

#[tokio::test]
async fn a_link_leads_into_its_room_from_a_tab_with_a_seat_elsewhere() {
    let server = Server::start().await;
    let browser = Browser::start().await;
    let page = browser.open(SMALL, &server.url("/?name=Ann&effects=low")).await;
    page.wait_for("the lobby", |state| state["connected"] == true).await;
    page.click("[data-act='create:arena']").await;
    page.wait_for_element("#invite").await;
    let link = page.value("#invite-link").await;
    page.click("[data-act='not-in']").await;
    page.press("[data-act='mode:arena']").await;
    let before = page.wait_for("a seat in the open arena", State::is_playing).await;

    page.visit(&format!("{link}?effects=low")).await;
    let elsewhere = |state: &State| state.is_playing() && state["room"] != before["room"];
    let private = page.wait_for("a seat in the private room", elsewhere).await;
    page.reload().await;
    page.wait_for("it after a reload", |state| state.is_playing() && state["room"] == private["room"]).await;

    page.visit(&server.url(&format!("/?room={}&effects=low", before["room"]))).await;
    page.wait_for("a seat in the arena again", |state| state.is_playing() && state["room"] == before["room"]).await;
    page.press("[data-act='mode:teams']").await;
    page.wait_for("the teams", |state| state.is_playing() && state["mode"] == "teams").await;
    page.reload().await;
    page.wait_for("the teams after a reload", |state| state.is_playing() && state["mode"] == "teams").await;
    assert_eq!(page.errors().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_second_tab_takes_the_seat_and_the_first_does_not_fight_for_it() {
    let server = Server::start().await;
    let browser = Browser::start().await;
    let page = browser.open(SMALL, &server.url("/?name=Ann&autojoin=1&effects=low")).await;
    let before = page.wait_for("a ship to steer", State::is_playing).await;
    let kept = page.tab_storage().await;

    let first = page.open_tab(&server.url("/healthz"), &kept, &server.url("/?name=Ann&effects=low")).await;
    page.wait_for("the seat in the second tab", |state| state.is_playing() && state["player"] == before["player"])
        .await;
    let second = page.switch_to(&first).await;
    let over = page.wait_for("the end of the first", |state| state["phase"] == "refused").await;
    assert!(page.text("#notice-text").await.contains("another tab"), "{over:?}");
    assert_eq!(page.text("#notice-now").await, "Play here");
    page.switch_to(&second).await;
    waits_for_snapshots(&page, "the second tab to play on").await;
    page.switch_to(&first).await;
    assert_eq!(page.state().await["phase"], Value::from("refused"), "the first tab does not reconnect automatically");

    page.press("#notice-now").await;
    page.wait_for("the seat back", |state| state.is_playing() && state["player"] == before["player"]).await;
    page.switch_to(&second).await;
    page.wait_for("the end of the second", |state| state["phase"] == "refused").await;
}

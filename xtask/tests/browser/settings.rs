//! The panel of settings: keys of one's own, volumes, what is kept, and the keyboard while it is open.

use serde_json::json;

use crate::driver::Browser;
use crate::page::{Page, State};
use crate::server::Server;
use crate::{DESKTOP, setup};

/// Bits of `Controls`.
const UP: u32 = 1;
const SECONDARY: u32 = 32;
const TURN_LEFT: u32 = 1 << 30;

async fn open_settings(page: &Page) {
    page.press("#pages [data-act=settings]").await;
    page.wait_for_element("#settings[open]").await;
}

/// Asks for another key in the panel, and answers.
async fn rebind(page: &Page, slot: &str, key: char) {
    page.press(&format!("[data-slot='{slot}']")).await;
    page.wait_for_element("#settings .asked").await;
    page.hold_key(key).await;
    page.release_keys().await;
}

async fn stored(page: &Page) -> serde_json::Value {
    page.script("return JSON.parse(localStorage.getItem('broadside.settings'))", vec![]).await
}

#[tokio::test]
async fn a_key_that_has_a_meaning_gets_another_and_the_conflict_is_shown_and_kept() {
    let server = Server::start().await;
    let browser = Browser::start().await;
    let page = browser.open(DESKTOP, &server.url("/?effects=low&name=Ann")).await;
    page.wait_for("the lobby", |state| state["connected"] == true).await;
    open_settings(&page).await;
    rebind(&page, "KeyW ArrowUp", 'r').await;
    page.wait_for_text("#key-status", "R is now the key for thrust").await;

    rebind(&page, "KeyE KeyE", 'w').await;

    page.wait_for_text("#key-status", "W was the key for thrust. It is now the one for rail.").await;
    assert_eq!(page.text(".key-row.conflict span").await, "thrust");
    let keys = json!({ "ArrowUp": "", "KeyR": "KeyW", "KeyE": "", "KeyW": "KeyE" });
    assert_eq!(stored(&page).await["keys"], keys);
    // A key of the page stays what it is, and Escape only ends the question.
    page.press("[data-slot='Space Space']").await;
    page.wait_for_element("#settings .asked").await;
    page.keys("\u{E00C}").await;
    assert_eq!((page.count("#settings[open]").await, page.count("#settings .asked").await), (1, 0));
    page.keys("\u{E00C}").await;
    assert_eq!(page.count("#settings[open]").await, 0);

    page.reload().await;
    page.wait_for("the lobby", |state| state["connected"] == true).await;
    page.press("#play").await;
    page.wait_for("a ship to steer", State::is_playing).await;
    for (key, wanted) in [('w', SECONDARY), ('r', UP)] {
        page.hold_key(key).await;
        page.wait_for("the key's new meaning", |state| state["held"] == wanted).await;
        page.release_keys().await;
    }
    // The help shows them as well.
    page.wait_for_text("#keys dt:first-child", "R").await;
    const RAIL: &str =
        "const texts = Array.from(document.querySelectorAll('#keys .with-mouse > *'), row => row.textContent);
        return texts[texts.indexOf('rail') - 1]";
    assert_eq!(page.script(RAIL, Vec::new()).await, "right buttonW");
    assert_eq!(page.errors().await, Vec::<String>::new());
}

#[tokio::test]
async fn who_has_no_pointer_turns_by_keys_and_the_open_panel_holds_nothing() {
    let server = Server::start().await;
    let browser = Browser::start().await;
    let page = browser.open(DESKTOP, &server.url("/?effects=low&name=Ann")).await;
    page.wait_for("the lobby", |state| state["connected"] == true).await;
    open_settings(&page).await;
    page.press("#settings [data-value=keys]").await;
    assert_eq!(stored(&page).await["keys"]["ArrowLeft"], "TurnLeft");
    page.keys("\u{E00C}").await;
    page.press("#play").await;
    let begun = page.wait_for("a ship to steer", State::is_playing).await;

    page.hold_key('a').await;

    let heading = |state: &State| state["ship"]["heading"].as_f64().unwrap_or_default();
    page.wait_for("the ship to turn", |state| state.is_playing() && (heading(state) - heading(&begun)).abs() > 0.5)
        .await;
    assert_eq!(page.state().await["held"], TURN_LEFT);
    page.press("#pages [data-act=settings]").await;
    page.wait_for_element("#settings[open]").await;
    page.press("#settings [data-value=usual]").await;
    page.wait_for("nothing to be held", |state| state["held"] == 0).await;
    page.release_keys().await;
    // In the panel, keys are for the panel.
    page.hold_key('w').await;
    page.release_keys().await;
    assert_eq!(page.state().await["held"], 0);
    assert_eq!(page.errors().await, Vec::<String>::new());
}

#[tokio::test]
async fn settings_are_kept_and_one_button_resets_them() {
    let server = Server::start().await;
    let browser = Browser::start().await;
    let page = browser.open(DESKTOP, &server.url("/?name=Ann&lang=de")).await;
    page.wait_for("the lobby", |state| state["connected"] == true).await;
    open_settings(&page).await;
    page.press("#settings [data-value=simple]").await;
    page.wait_for("the simple renderer", |state| state["renderer"] == "simple").await;
    page.press("#settings [data-value=high]").await;
    page.press("#settings [data-value='130']").await;
    page.script(
        "const slider = document.querySelector('#settings input'); slider.value = 20; slider.dispatchEvent(new Event('input'))",
        vec![],
    )
    .await;
    std::fs::write(setup::artifacts().join("settings.png"), page.picture().await).expect("it can be written");
    page.reload().await;
    page.wait_for("the lobby", |state| state["connected"] == true).await;
    let kept = json!({ "version": 1, "effects": "simple", "contrast": "high", "text": 130, "volume": 20 });
    assert_eq!(stored(&page).await, kept);
    assert_eq!(page.count("html[data-contrast=high]").await, 1);
    assert_eq!(page.value("#volume").await, "20");

    open_settings(&page).await;
    page.press("#settings footer button").await;

    assert_eq!(stored(&page).await, json!({ "version": 1 }));
    assert_eq!((page.count("html[data-contrast=high]").await, page.value("#volume").await), (0, "70".to_owned()));
    assert_eq!(page.errors().await, Vec::<String>::new());
}

//! The page for people who use a keyboard, a screen reader, a large text or colors of their own.

use serde_json::{Value, json};

use crate::driver::Browser;
use crate::page::{Page, State};
use crate::server::Server;
use crate::{DESKTOP, SMALL, setup};

/// Asserts that axe finds no fault on the screen that is shown.
async fn assert_accessible(page: &Page, screen: &str) {
    const RUN: &str = "return axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => violations
        .flatMap(({ id, nodes }) => nodes.map(node => `${id}: ${node.target.join(' ')}: ${node.failureSummary}`)))";
    page.script(&setup::axe(), vec![]).await;
    let faults = page.script(RUN, vec![]).await;
    assert_eq!(faults, json!([]), "{screen}");
}

#[tokio::test]
async fn axe_finds_no_fault_on_any_screen() {
    let server = Server::start().await;
    let browser = Browser::start().await;
    let page = browser.open(DESKTOP, &server.url("/?effects=low&name=Ann")).await;
    page.wait_for("the lobby", |state| state["connected"] == true).await;
    page.wait_for_element("#rooms button").await;
    assert_accessible(&page, "title and lobby").await;
    page.press("#pages [data-act=settings]").await;
    page.wait_for_element("#settings[open]").await;
    assert_accessible(&page, "settings").await;
    page.keys("\u{E00C}").await;
    page.press("[data-act^='create:']").await;
    page.wait_for_element("#invite").await;
    assert_accessible(&page, "invitation").await;
    page.press("[data-act=in]").await;
    page.wait_for("a ship to steer", State::is_playing).await;
    assert_accessible(&page, "game").await;
    page.press("#chat-open").await;
    page.wait_for_element("#chat-text").await;
    assert_accessible(&page, "chat").await;
    page.keys("\u{E00C}").await;
    page.press("#menu-touch").await;
    page.wait_for_element("#pause").await;
    assert_accessible(&page, "menu").await;
    // As at the end of a match.
    page.script(
        "document.querySelectorAll('#pause, #match-over').forEach(part => part.hidden = part.id === 'pause');
        document.getElementById('match-over-title').textContent = 'victory'",
        vec![],
    )
    .await;
    assert_accessible(&page, "results").await;
    for path in ["/account", "/friends", "/leaderboards"] {
        page.visit(&server.url(path)).await;
        page.wait_for_element("main").await;
        assert_accessible(&page, path).await;
    }
    let _port = server.kill().await;
}

#[tokio::test]
async fn a_menu_over_the_game_has_the_keyboard_and_gives_it_back() {
    let server = Server::start().await;
    let browser = Browser::start().await;
    let page = browser.open(SMALL, &server.url("/?effects=low&name=Ann&autojoin=1")).await;
    page.wait_for("a ship to steer", State::is_playing).await;
    let focused = async || page.script("return document.activeElement.id", vec![]).await;
    page.keys("\u{E00C}").await;
    page.wait_for_element("#pause").await;
    assert_eq!(focused().await, "resume");
    const IS_WITHIN: &str = "return document.querySelector('#pause').contains(document.activeElement)";
    for _ in 0..30 {
        page.keys("\u{E004}").await;
        assert_eq!(page.script(IS_WITHIN, vec![]).await, json!(true), "after {}", focused().await);
    }
    page.keys("\u{E00C}").await;
    page.wait_for("the menu to close", |state| state.is_playing()).await;
    page.wait_for_text("#pause[hidden] h2", "Menu").await;
    assert_eq!(focused().await, "view");
    assert_eq!(page.errors().await, Vec::<String>::new());
}

#[tokio::test]
async fn large_text_and_colors_of_the_system_leave_everything_to_be_seen_and_pressed() {
    let server = Server::start().await;
    let browser = Browser::start().await;
    // A window of 1280 by 720 at 200 percent.
    let page = browser.open((640, 360), &server.url("/?effects=low&name=Ann")).await;
    page.wait_for("the lobby", |state| state["connected"] == true).await;
    const REACHED: &str =
        "return Array.from(document.querySelectorAll('#menu :is(button, input, a)')).filter(element => {
            if (!element.checkVisibility()) return false;
            element.scrollIntoView({ block: 'center' });
            const { left, top, width, height } = element.getBoundingClientRect();
            const found = document.elementFromPoint(left + width / 2, top + height / 2);
            return !found || !(element.contains(found) || found.contains(element));
        }).map(element => element.outerHTML.slice(0, 90))";
    assert_eq!(page.script(REACHED, vec![]).await, json!([]), "at 200 percent");

    page.force_colors().await;
    let forced = page.script("return matchMedia('(forced-colors: active)').matches", vec![]).await;
    assert_eq!(forced, json!(true));
    page.press("#pages [data-act=settings]").await;
    page.wait_for_element("#settings[open]").await;
    // What is chosen differs from the rest in more than a background, which such systems take away.
    const CHOSEN: &str = "const style = name => getComputedStyle(document.querySelector(`#settings [aria-pressed=${name}]`), '::before').content;
        return [style(true), style(false)]";
    let chosen: Value = page.script(CHOSEN, vec![]).await;
    assert_eq!(chosen, json!(["\"✓ \"", "none"]));
    std::fs::write(setup::artifacts().join("forced-colors.png"), page.picture().await).expect("it can be written");
    assert_eq!(page.errors().await, Vec::<String>::new());
}

//! The scoreboard: everyone in the room while Tab is held, and until it is closed.

use serde_json::json;

use crate::DESKTOP;
use crate::driver::Browser;
use crate::page::{Page, State};
use crate::server::{Bots, Server};

/// Presses or releases Tab over the game.
async fn tab(page: &Page, kind: &str) {
    const SCRIPT: &str = "const [kind] = arguments;
        const event = new KeyboardEvent(kind, { code: 'Tab', key: 'Tab', bubbles: true, cancelable: true });
        document.body.dispatchEvent(event)";
    page.script(SCRIPT, vec![json!(kind)]).await;
}

/// Waits until the scoreboard is gone: nothing in it can be seen then, so it is looked for by its text.
async fn closed(page: &Page) {
    page.wait_for_text("#scores[hidden] h2", "×").await;
}

#[tokio::test]
async fn the_scores_of_all_are_there_while_tab_is_held() {
    let server = Server::start_with_flags(&["--bots", "4"]).await;
    let browser = Browser::start().await;
    let page = browser.open(DESKTOP, &server.url("/?name=Ann&autojoin=1&effects=low")).await;
    page.wait_for("a ship to steer", State::is_playing).await;
    assert_eq!(page.count("#scores:not([hidden])").await, 0);
    tab(&page, "keydown").await;
    page.wait_for_element("#scores:not([hidden]) tbody tr:nth-child(4)").await;
    page.wait_for_text("#scores-rows", "Ann").await;
    page.wait_for_text("#scores-rows", "bot").await;
    page.wait_for_text("#scores-rows .own", "you").await;
    tab(&page, "keyup").await;
    closed(&page).await;

    // A window that lost the focus gets no release.
    tab(&page, "keydown").await;
    page.wait_for_element("#scores:not([hidden])").await;
    page.script("window.dispatchEvent(new Event('blur'))", Vec::new()).await;
    closed(&page).await;
    assert_eq!(page.errors().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_spectator_watches_whom_the_scoreboard_names() {
    let server = Server::start().await;
    let _bots = Bots::start(&server, 3);
    let browser = Browser::start().await;
    let page = browser.open(DESKTOP, &server.url("/?name=Sam&room=1&watch=1&autojoin=1&effects=low")).await;
    page.wait_for("a room to watch", |state| state["spectating"] == json!(true)).await;
    page.script("document.getElementById('open-scores').click()", Vec::new()).await;
    page.wait_for_element("#scores:not([hidden]) tbody tr:nth-child(3) button").await;
    let watched = "#scores-rows [aria-pressed=true]";
    page.wait_for_element(watched).await;
    // In one go: the rows change places while ships are sunk.
    const CHOOSE: &str = "const other = document.querySelector('#scores-rows button[aria-pressed=false]');
        other.focus();
        other.click();
        return other.innerText";
    let other = page.script(CHOOSE, Vec::new()).await;
    let other = other.as_str().expect("a name");
    page.wait_for_text("#watch-name", other).await;
    page.wait_for_text(watched, other).await;
    assert_eq!(page.text(":focus").await, other, "the keyboard stays in its row");
    page.press("#scores h2 button").await;
    closed(&page).await;
    assert_eq!(page.errors().await, Vec::<String>::new());
}

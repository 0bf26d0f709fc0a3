//! The page in other languages: every text, also those for what the server does, and a layout from right to left.

use serde_json::json;

use crate::driver::Browser;
use crate::page::{Page, State};
use crate::server::Server;
use crate::{DESKTOP, SMALL};

/// Texts that can be seen, have letters, and are in no brackets: those of no table. Names and keys are none.
const FOREIGN: &str = "const [within] = arguments, found = [];
    const walker = document.createTreeWalker(document.querySelector(within), NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        const { parentElement: parent, data } = node;
        const own = 'kbd, output, svg, #rooms b, #leaders, #board, #chat-log button, #account-link, [data-bracketless]';
        if (!parent.checkVisibility({ visibilityProperty: true }) || parent.closest(own) || !/[a-z]{2}/i.test(data)) continue;
        if (!/^\\s*\\[.*\\]\\s*$/s.test(data)) found.push(data.trim());
    }
    return found";

/// What can be pressed and is not wholly in the window.
const OUTSIDE: &str =
    "return Array.from(document.querySelectorAll(arguments[0] + ' :is(button, input, a)')).filter(element => {
        const { left, right, width } = element.getBoundingClientRect();
        return width > 0 && element.checkVisibility() && (left < 0 || right > innerWidth);
    }).map(element => element.outerHTML.slice(0, 80))";

async fn attribute(page: &Page, name: &str) -> serde_json::Value {
    page.script("return document.documentElement.getAttribute(arguments[0])", vec![json!(name)]).await
}

#[tokio::test]
async fn a_german_page_words_what_the_server_does_in_german() {
    let server = Server::start().await;
    let browser = Browser::start().await;
    let page = browser.open(SMALL, &server.url("/?effects=low&lang=de")).await;
    page.wait_for("the lobby", |state| state["connected"] == true).await;
    assert_eq!(attribute(&page, "lang").await, "de");
    page.wait_for_text("#connection-note", "verbunden").await;
    page.wait_for_text(".mode.duel b", "Duell").await;
    let placeholder = page.script("return document.getElementById('name').placeholder", vec![]).await;
    assert_eq!((page.text("#play").await.as_str(), placeholder), ("Spielen", json!("dein Name")));
    assert_eq!(page.script("return window.broadside.number(1234.5, 1)", vec![]).await, "1234,5");

    page.enter_name_and_play("Ann").await;
    page.wait_for("a ship to steer", State::is_playing).await;
    page.wait_for_text("#toast", "gute Jagd, Ann").await;
    page.wait_for_text("#score-rank", "Rang 1 von 1").await;
    page.say("/w Ghost hi").await;
    page.wait_for_text("#chat-log .notice", "Kein Spieler heißt Ghost.").await;

    let _port = server.kill().await;
    page.wait_for_text("#notice-title", "Verbindung verloren").await;
    assert_eq!(page.errors().await, Vec::<String>::new());
}

#[tokio::test]
async fn the_language_is_that_of_the_settings_or_else_of_the_browser_and_english_comes_from_the_same_table() {
    let server = Server::start().await;
    let browser = Browser::start().await;
    let page = browser.open(SMALL, &server.url("/?effects=low")).await;
    page.wait_for("the menu", |state| state["phase"] == "menu").await;
    assert_eq!((attribute(&page, "lang").await, page.text("#play").await.as_str()), (json!("en"), "Play"));
    // Whatever is stored there does no harm.
    for (stored, lang, play) in [
        ("{\"version\":1,\"language\":\"es\"}", "es", "Jugar"),
        ("{\"version\":1,\"language\":[7],\"keys\":\"x\",\"text\":{}}", "en", "Play"),
        ("\u{0} no JSON", "en", "Play"),
    ] {
        page.script("localStorage.setItem('broadside.settings', arguments[0])", vec![json!(stored)]).await;
        page.reload().await;
        page.wait_for("the menu", |state| state["phase"] == "menu").await;
        assert_eq!((attribute(&page, "lang").await, page.text("#play").await.as_str()), (json!(lang), play));
    }
    assert_eq!(page.errors().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_page_from_right_to_left_has_every_text_from_a_table_and_every_button_in_the_window() {
    let server = Server::start().await;
    let browser = Browser::start().await;
    for size in [DESKTOP, (400, 780)] {
        let page = browser.open(size, &server.url("/?effects=low&lang=xr&name=Ann")).await;
        page.wait_for("the lobby", |state| state["connected"] == true).await;
        assert_eq!(attribute(&page, "dir").await, "rtl");
        page.wait_for_element("#rooms button").await;
        let check = async |within: &str| {
            assert_eq!(page.script(FOREIGN, vec![json!(within)]).await, json!([]), "{within} at {size:?}");
            assert_eq!(page.script(OUTSIDE, vec![json!(within)]).await, json!([]), "{within} at {size:?}");
        };
        check("#menu").await;
        page.press("#play").await;
        page.wait_for("a ship to steer", State::is_playing).await;
        page.press("#menu-touch").await;
        page.wait_for_element("#pause").await;
        check("#pause").await;
        check("#keys").await;
        assert_eq!(page.errors().await, Vec::<String>::new());
    }
}

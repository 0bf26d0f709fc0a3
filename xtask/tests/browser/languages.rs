//! The page in other languages: every text, also those for what the server does, and a layout from right to left.

use serde_json::json;

use crate::driver::Browser;
use crate::page::{Page, State};
use crate::people::{Data, is_ready, keep_picture, named};
use crate::server::Server;
use crate::{DESKTOP, SMALL};

/// Texts that can be seen, have letters, and are in no brackets: those of no table. Names, keys, dates and units are none.
const FOREIGN: &str = "const [within] = arguments, found = [];
    const walker = document.createTreeWalker(document.querySelector(within), NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        const { parentElement: parent, data } = node;
        const own = 'kbd, output, svg, time, [dir=auto], #rooms b, #leaders, #board, #chat-log button, ' +
            '#account-link, #who, #headline, [data-bracketless]';
        if (!parent.checkVisibility({ visibilityProperty: true }) || parent.closest(own)) continue;
        if (!/[a-z]{2}/i.test(data.replace(/\\d+ min/, ''))) continue;
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

/// The pages beside the game, with what they need to be shown in full.
const BESIDE: [&str; 5] = ["/account", "/friends", "/leaderboards?period=all", "/u/Ann", "/u/Nobody"];

#[tokio::test]
async fn the_pages_beside_the_game_have_every_text_from_a_table_and_fit_from_right_to_left() {
    let data = Data::filled().await;
    let server = data.server().await;
    let browser = Browser::start().await;
    let page = named(&browser, &server, "Zoe").await;
    for path in BESIDE {
        let mark = if path.contains('?') { '&' } else { '?' };
        page.visit(&server.url(&format!("{path}{mark}lang=xr"))).await;
        page.wait_for("the page", |state| state["phase"] != "loading").await;
        assert_eq!(attribute(&page, "dir").await, "rtl");
        assert_eq!(page.script(FOREIGN, vec![json!("body")]).await, json!([]), "{path}");
        assert_eq!(page.script(OUTSIDE, vec![json!("main")]).await, json!([]), "{path}");
    }
}

#[tokio::test]
async fn the_pages_beside_the_game_are_german_with_german_numbers_and_dates() {
    let data = Data::filled().await;
    let server = data.server().await;
    let browser = Browser::start().await;
    let page = named(&browser, &server, "Zoe").await;
    // As the settings of the game keep it.
    page.script("window.broadside.settings.set({ language: 'de', contrast: 'high' })", vec![]).await;
    page.visit(&server.url("/account")).await;
    page.wait_for("the account", is_ready).await;
    assert_eq!((attribute(&page, "lang").await, attribute(&page, "data-contrast").await), (json!("de"), json!("high")));
    assert_eq!(page.script("return document.title", vec![]).await, "Konto");
    page.wait_for_text("#lead", "Deiner seit dem ").await;
    page.press("#make-codes").await;
    page.wait_for_text("#confirm[open] h2", "Zehn Wiederherstellungscodes erzeugen").await;
    page.press("#confirm-yes").await;
    page.wait_for_text("#codes-left", "10 deiner Codes sind übrig.").await;

    page.visit(&server.url("/friends")).await;
    page.wait_for("the friends", is_ready).await;
    page.tab_to("#ask-name").await;
    page.keys("Nobody\u{E007}").await;
    page.wait_for_text("#ask-note[role=alert]", "Kein Spieler hat diesen Namen behalten.").await;

    page.visit(&server.url("/leaderboards?period=all")).await;
    page.wait_for_text("#said", "Offene Arena, Punkte, Gesamt, alle: 6 Spieler.").await;
    page.wait_for_text("#season", " endet am ").await;

    page.visit(&server.url("/u/Ann")).await;
    page.wait_for("her page", is_ready).await;
    page.wait_for_text("#since", "hier seit dem ").await;
    page.wait_for_text("#tiles", "38,8\u{a0}%").await;
    page.wait_for_text("#results", "gewonnen").await;
    // `3. Jan.` and not `Jan 3`.
    let day = page.text("#results time span").await;
    assert!(day.split_once(". ").is_some_and(|(day, _)| day.parse::<u8>().is_ok()), "{day}");
    let plot = page.script("return document.querySelector('.plot').getAttribute('aria-label')", vec![]).await;
    assert!(plot.as_str().is_some_and(|text| text.contains("Punkte an ")), "{plot}");
    keep_picture(&page, "player-german.png").await;
    assert_eq!(page.errors().await, Vec::<String>::new());
}

//! The panel of settings: keys of one's own, volumes, what is kept, and the keyboard while it is open.

use serde_json::json;

use crate::driver::Browser;
use crate::page::{Page, State};
use crate::server::Server;
use crate::{DESKTOP, SMALL, setup};

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
    // The help shows them as well, and so do the hints below the title.
    page.wait_for_text("#keys dt:first-child", "R").await;
    const HINTS: &str =
        "return Array.from(document.querySelectorAll('footer.with-mouse kbd'), key => key.textContent).join(' ')";
    assert_eq!(page.script(HINTS, Vec::new()).await, "R A S D mouse left button right button");
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

#[tokio::test]
async fn nothing_lies_over_the_sticks_of_a_phone_and_they_go_where_they_are_dragged() {
    // A browser on a desk has no fingers.
    const TOUCH: &str = "const [css, kind, x, y] = arguments;
        document.querySelector(css).dispatchEvent(new PointerEvent(kind, { pointerId: 7, pointerType: 'touch', isPrimary: true,
            clientX: x * innerWidth, clientY: y * innerHeight, bubbles: true, cancelable: true }))";
    // What is drawn over a stick, or off the edge of the window.
    const OVER: &str = "const box = (element) => element.getBoundingClientRect();
        const sticks = [...document.querySelectorAll('.stick')];
        const shown = [...document.querySelectorAll('#sticks button, #keys, #vitals, #chat, #corner')].filter((e) => e.checkVisibility());
        const meets = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
        const off = (a) => a.left < 0 || a.right > innerWidth || a.top < 0 || a.bottom > innerHeight;
        return sticks.concat(shown).filter((e) => off(box(e)) || sticks.some((s) => s !== e && meets(box(s), box(e)))).map((e) => e.id)";
    let server = Server::start().await;
    let browser = Browser::start().await;
    let page = browser.open(SMALL, &server.url("/?name=Ann&autojoin=1&effects=low")).await;
    page.wait_for("a ship to steer", State::is_playing).await;
    let touch = async |css: &str, kind: &str, (x, y): (f64, f64)| {
        page.script(TOUCH, vec![json!(css), json!(kind), json!(x), json!(y)]).await;
    };
    touch("#view", "pointerdown", (0.2, 0.7)).await;
    touch("#view", "pointerup", (0.2, 0.7)).await;
    page.wait_for_element("body.touch .stick:not(.on)").await;
    // The window has a frame even where nobody sees it.
    for size in [(SMALL.0, SMALL.1 + 140), (390, 844)] {
        page.resize(size).await;
        page.wait_for_script("room for the sticks", "return innerWidth > 0").await;
        assert_eq!(page.script(OVER, vec![]).await, json!([]), "{size:?}");
    }

    page.press("#menu-touch").await;
    page.press("#pause [data-act=settings]").await;
    page.wait_for_element("#settings[open]").await;
    const MOVE: &str = "[...document.querySelectorAll('#settings .set button')].find((button) => button.textContent === 'Move them').click()";
    page.script(MOVE, vec![]).await;
    page.wait_for_element("#places").await;
    touch("#stick-left", "pointerdown", (0.2, 0.7)).await;
    touch("#stick-left", "pointermove", (0.3, 0.6)).await;
    touch("#stick-left", "pointerup", (0.3, 0.6)).await;
    page.press("#places .primary").await;
    assert_eq!(stored(&page).await["places"], json!({ "stick-left": [0.3, 0.6] }));
    const PLACE: &str = "const { left, right } = document.getElementById('stick-left').getBoundingClientRect();
        return Math.round((left + right) / 2 / innerWidth * 10)";
    assert_eq!(page.script(PLACE, vec![]).await, json!(3));
    // What was dragged did not steer.
    assert_eq!(page.state().await["held"], 0);
    assert_eq!(page.errors().await, Vec::<String>::new());
}

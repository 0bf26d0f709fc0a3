//! Hands on the keyboard: keys whose release is never reported, and keys that belong to an input method. Hands on a gamepad.

use serde_json::json;

use crate::driver::Browser;
use crate::page::{Page, State, way};
use crate::server::{Bots, Server};
use crate::{A_GOOD_WAY, SMALL};

/// The engine's button, as an input names it.
const THRUST: u8 = broadside_arena::ArenaInput::THRUST;

/// What the trigger of a gamepad holds: the bit of `Controls`.
const PRIMARY: u32 = 16;

/// Lets an element of the page have a key event.
async fn key(page: &Page, css: &str, kind: &str, code: &str, more: serde_json::Value) -> bool {
    const SCRIPT: &str = "const [css, kind, code, more] = arguments;
        const key = code.startsWith('Key') ? code.slice(3).toLowerCase() : code.replace(/(Left|Right)$/, '');
        const event = new KeyboardEvent(kind, { code, key, bubbles: true, cancelable: true, ...more });
        return !document.querySelector(css).dispatchEvent(event)";
    let arguments = vec![json!(css), json!(kind), json!(code), more];
    page.script(SCRIPT, arguments).await == json!(true)
}

#[tokio::test]
async fn no_engine_burns_on_whose_key_nobody_holds() {
    let server = Server::start().await;
    let browser = Browser::start().await;
    let page = browser.open(SMALL, &server.url("/?name=Ann&autojoin=1&effects=low")).await;
    page.wait_for("a ship to steer", State::is_playing).await;
    let held = async |wanted: u8, why: &str| {
        page.wait_for(why, |state| state["held"] == json!(wanted)).await;
    };

    // Two keys for one engine.
    for code in ["KeyW", "ArrowUp"] {
        key(&page, "body", "keydown", code, json!({})).await;
    }
    key(&page, "body", "keyup", "KeyW", json!({})).await;
    held(THRUST, "the arrow to go on").await;
    key(&page, "body", "keyup", "ArrowUp", json!({})).await;
    held(0, "both to be up").await;

    // Whatever takes the releases away.
    let takers = [
        (
            "Cmd",
            "document.body.dispatchEvent(new KeyboardEvent('keydown', { code: 'MetaLeft', key: 'Meta', metaKey: true, bubbles: true }))",
        ),
        (
            "Cmd that came up",
            "document.body.dispatchEvent(new KeyboardEvent('keyup', { code: 'MetaLeft', key: 'Meta', bubbles: true }))",
        ),
        ("another window", "window.dispatchEvent(new Event('blur'))"),
        ("another tab", "document.dispatchEvent(new Event('visibilitychange'))"),
        ("the browser's menu", "document.body.dispatchEvent(new Event('contextmenu', { bubbles: true }))"),
        ("the chat", "document.getElementById('chat-open').click()"),
        ("the network lab", "document.getElementById('open-lab').click()"),
        ("the menu", "document.getElementById('menu-touch').click()"),
    ];
    for (taker, script) in takers {
        key(&page, "body", "keydown", "KeyW", json!({})).await;
        held(THRUST, "the key to be down").await;
        page.script(script, Vec::new()).await;
        held(0, taker).await;
    }
    assert_eq!(page.errors().await, Vec::<String>::new());
}

#[tokio::test]
async fn keys_of_an_input_method_are_its_own() {
    let server = Server::start().await;
    let browser = Browser::start().await;
    let page = browser.open(SMALL, &server.url("/?name=Ann&autojoin=1&effects=low")).await;
    page.wait_for("a ship to steer", State::is_playing).await;
    page.press("#chat-open").await;
    page.wait_for_text("#chat-channel", "room").await;
    // Safari marks the last key of a composition by its legacy key code only.
    for composing in [json!({ "isComposing": true }), json!({ "keyCode": 229 })] {
        for code in ["Tab", "Escape", "Enter"] {
            let prevented = key(&page, "#chat-text", "keydown", code, composing.clone()).await;
            // Enter would also send the form.
            assert_eq!(prevented, code == "Enter", "{code} {composing}");
            assert_eq!(page.text("#chat-channel").await, "room", "{code} {composing}");
            assert_eq!(page.count("#chat.open").await, 1, "{code} {composing}");
        }
        for code in ["Enter", "Escape", "KeyW", "KeyM", "F4"] {
            assert!(!key(&page, "body", "keydown", code, composing.clone()).await || code == "Enter", "{code}");
        }
        assert_eq!((page.count("#chat.open").await, page.count("#pause:not([hidden])").await), (1, 0), "{composing}");
        assert_eq!(page.state().await["held"], 0, "{composing}");
    }
    assert!(key(&page, "#chat-text", "keydown", "Tab", json!({})).await);
    assert_eq!(page.text("#chat-channel").await, "lobby");
    key(&page, "#chat-text", "keydown", "Escape", json!({})).await;
    assert_eq!(page.count("#chat.open").await, 0);
    assert_eq!(page.errors().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_name_is_composed_with_keys_that_neither_play_nor_send_it() {
    // As an input method does it: each key goes to the composition, and the Enter that ends it is its own.
    const COMPOSE: &str = "const [text, data] = [document.getElementById('name'), ['m', 'み', 'みr', 'みら', 'みらい']];
        text.focus();
        const tell = (kind, data) => text.dispatchEvent(new CompositionEvent(kind, { data, bubbles: true }));
        tell('compositionstart', '');
        for (const part of data) {
            tell('compositionupdate', part);
            text.value = part;
            text.dispatchEvent(new InputEvent('input', { data: part, inputType: 'insertCompositionText', isComposing: true, bubbles: true }));
        }";
    let server = Server::start().await;
    let browser = Browser::start().await;
    let page = browser.open(SMALL, &server.url("/?effects=low")).await;
    page.wait_for("the lobby", |state| state["connected"] == true).await;
    page.script(COMPOSE, Vec::new()).await;
    for composing in [json!({ "isComposing": true }), json!({ "keyCode": 229 })] {
        for code in ["KeyM", "KeyN", "KeyW", "Space", "F4", "Escape", "Enter"] {
            let prevented = key(&page, "#name", "keydown", code, composing.clone()).await;
            // Enter would also send the form.
            assert_eq!(prevented, code == "Enter", "{code} {composing}");
        }
        let state = page.state().await;
        assert_eq!((&state["phase"], &state["held"]), (&json!("menu"), &json!(0)), "{composing}");
    }
    const END: &str = "document.getElementById('name').dispatchEvent(new CompositionEvent('compositionend', { data: 'みらい', bubbles: true }))";
    page.script(END, Vec::new()).await;
    assert_eq!(page.value("#name").await, "みらい");
    page.press("#play").await;
    page.wait_for("play", |state| state.is_playing() && state["name"] == "みらい").await;
    // The keys that are still down were the input method's.
    assert_eq!(page.state().await["held"], 0);
    assert_eq!(page.errors().await, Vec::<String>::new());
}

/// Plugs in a gamepad that only the page sees, at rest.
async fn plug_in(page: &Page) {
    const SCRIPT: &str = "window.pad = { connected: true, mapping: 'standard', axes: [0, 0, 0, 0],
            buttons: Array.from({ length: 17 }, () => ({ pressed: false })),
            vibrationActuator: { playEffect(kind, effect) {
                document.body.dataset.felt = `${kind} ${effect.duration > 0 && effect.strongMagnitude <= 1}`;
                return Promise.reject(new Error('not today'));
            } } };
        navigator.getGamepads = () => [null, window.pad]";
    page.script(SCRIPT, Vec::new()).await;
}

/// Moves the left stick.
async fn push(page: &Page, x: f64, y: f64) {
    page.script("[pad.axes[0], pad.axes[1]] = arguments", vec![json!(x), json!(y)]).await;
}

/// Presses a button of the gamepad for as long as the page needs to see it.
async fn tap(page: &Page, button: u8) {
    for pressed in [true, false] {
        page.script("pad.buttons[arguments[0]].pressed = arguments[1]", vec![json!(button), json!(pressed)]).await;
        let seen = page.state().await["images"].as_u64().unwrap_or_default();
        page.wait_for("two images", |state| state["images"].as_u64().is_some_and(|images| images > seen + 1)).await;
    }
}

#[tokio::test]
async fn a_gamepad_flies_goes_through_the_menu_and_holds_nothing_once_unplugged() {
    // Numbers of the standard mapping.
    let (a, trigger, start, down) = (0, 7, 9, 13);
    let server = Server::start().await;
    let browser = Browser::start().await;
    let page = browser.open(SMALL, &server.url("/?name=Ann&effects=low")).await;
    page.wait_for("the lobby", |state| state["connected"] == true).await;
    plug_in(&page).await;
    // The name has the focus; the first button of the title is the one to play.
    tap(&page, down).await;
    tap(&page, a).await;
    let begun = page.wait_for("a ship to steer", State::is_playing).await;

    push(&page, 1.0, 0.0).await;
    page.wait_for("the ship to fly to the right", |state| {
        let flown = way(begun.own_ship(), state.own_ship()).is_some_and(|way| way > A_GOOD_WAY);
        flown && state["ship"]["heading"].as_f64().is_some_and(|heading| heading.abs() < 0.1)
    })
    .await;
    push(&page, 0.0, 0.0).await;

    tap(&page, start).await;
    page.wait_for_element("#pause").await;
    tap(&page, a).await;
    assert_eq!(page.count("#pause[hidden]").await, 1, "the button to go on has the focus");
    assert_eq!(page.state().await["held"], 0, "the press was the menu's");

    page.script("pad.buttons[arguments[0]].pressed = true", vec![json!(trigger)]).await;
    let fire = json!(PRIMARY);
    page.wait_for("the trigger to be down", |state| state["held"] == fire).await;
    page.script("navigator.getGamepads = () => [null]", Vec::new()).await;
    page.wait_for("nothing to be held", |state| state["held"] == 0).await;
    assert_eq!(page.errors().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_gamepad_rumbles_when_the_ship_is_hit_and_a_refusal_is_no_error() {
    let server = Server::start().await;
    let _bots = Bots::start(&server, 12);
    let browser = Browser::start().await;
    let page = browser.open(SMALL, &server.url("/?name=Ann&autojoin=1&effects=low")).await;
    page.wait_for("a ship to steer", State::is_playing).await;
    plug_in(&page).await;
    push(&page, 1.0, 0.0).await;
    page.wait_for_element("[data-felt='dual-rumble true']").await;
    assert_eq!(page.errors().await, Vec::<String>::new());
}

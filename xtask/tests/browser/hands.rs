//! Hands on the keyboard: keys whose release is never reported, and keys that belong to an input method.

use serde_json::json;

use crate::SMALL;
use crate::driver::Browser;
use crate::page::{Page, State};
use crate::server::Server;

/// The engine's button, as an input names it.
const THRUST: u8 = broadside_arena::ArenaInput::THRUST;

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

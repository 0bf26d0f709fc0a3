//! A first visit: what is loaded before the first shot, and what only after it.

use serde_json::{Value, json};

use crate::SMALL;
use crate::driver::Browser;
use crate::server::Server;

/// Remembers which parts of the program are asked for from now on: 0 is the rest in good time, others are needed at once. Gives whether
/// the rest is there.
const WATCH: &str = "const { broadside } = window;
    const { rest } = broadside;
    window.asked = [];
    broadside.rest = (part) => { window.asked.push(part); rest(part); };
    return performance.getEntriesByType('resource').filter((entry) => entry.name.includes('_rest')).length";

#[tokio::test]
async fn the_rest_of_the_program_is_loaded_only_once_a_player_plays() {
    let server = Server::start_with_flags(&["--bots", "4"]).await;
    let browser = Browser::start().await;
    for effects in ["full", "simple"] {
        let page = browser.open(SMALL, &server.url(&format!("/?effects={effects}"))).await;
        page.wait_for_element("#play:enabled").await;
        assert_eq!(page.script(WATCH, Vec::new()).await, json!(0), "{effects}");
        page.enter_name_and_play("Ann").await;
        // Not by its state: what says it is of the rest.
        page.wait_for_element("body.play").await;
        page.hold_key(' ').await;
        // A function of the rest that ran before would have asked at once. Then xtask/src/late.txt names it wrongly.
        page.wait_for_script("a call for the rest", "return window.asked.length > 0").await;
        assert_eq!(page.script("return window.asked", Vec::new()).await, json!([0]), "{effects}");
        page.release_keys().await;
        page.wait_for("what the rest says", |state| state["renderer"] == Value::from(effects)).await;
        assert_eq!((page.errors().await, page.console().await), (vec![], vec![]));
    }
}

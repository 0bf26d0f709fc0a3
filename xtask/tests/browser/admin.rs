//! The page for moderators, by keyboard alone, while somebody plays.

use serde_json::json;

use crate::driver::Browser;
use crate::page::{Page, State};
use crate::people::{Data, ENTER, TAB, assert_fine, is_ready, keep_picture, named};
use crate::server::{Bots, Server};
use crate::{DESKTOP, SMALL, setup};

/// The HTTP status of a path, as this page gets it.
async fn status(page: &Page, path: &str) -> serde_json::Value {
    page.script("return fetch(arguments[0]).then((answer) => answer.status)", vec![json!(path)]).await
}

/// Appoints an admin, as an operator does while the server runs.
async fn grant(data: &Data, name: &str) {
    let mut command = tokio::process::Command::new(setup::program("broadside-server"));
    command.args(["admin", "grant", name]).env("BROADSIDE_DATA", data.path());
    let done = command.output().await.expect("the program runs");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// A browser in which nobody is signed in finds its way to the page, with the password of [`named`].
async fn signed_in(browser: &Browser, server: &Server, name: &str) -> Page {
    let page = browser.open(DESKTOP, &server.url("/admin")).await;
    page.wait_for("a refusal", |state| state["phase"] == "failed").await;
    keep_picture(&page, "admin-signed-out.png").await;
    // The browser itself notes each refusal.
    page.console().await;
    page.tab_to("#content a[href$=account]").await;
    page.keys(ENTER).await;
    page.wait_for("the account", is_ready).await;
    page.tab_to("#sign-in-name").await;
    page.keys(&format!("{name}{TAB}correct horse battery{ENTER}")).await;
    page.wait_for("the account", |state| state["keeps"] == true).await;
    page.tab_to("a[href$=admin]").await;
    page.keys(ENTER).await;
    page.wait_for("moderation", |state| is_ready(state) && state["rooms"].is_array()).await;
    page
}

/// Checks that there is nothing for moderators, nor a link to it.
async fn assert_absent(visitor: &Page) {
    for path in ["/admin", "/api/admin"] {
        assert_eq!(status(visitor, path).await, json!(404), "{path}");
    }
    assert_eq!(visitor.count("a[href$=admin]").await, 0);
}

#[tokio::test]
async fn an_admin_sees_a_report_and_removes_a_player_without_a_mouse() {
    let data = Data::empty();
    let server = data.server().await;
    let browser = Browser::start().await;
    let visitor = named(&browser, &server, "Ada").await;
    assert_absent(&visitor).await;
    grant(&data, "Ada").await;
    let admin = signed_in(&browser, &server, "Ada").await;

    let _bot = Bots::start(&server, 1);
    let ben = visitor;
    ben.resize(SMALL).await;
    ben.press("#sign-out").await;
    ben.wait_for("nobody", |state| is_ready(state) && state["keeps"] == false).await;
    ben.visit(&server.url("/?name=Ben&autojoin=1&effects=low")).await;
    ben.wait_for("a ship to steer", State::is_playing).await;
    let two =
        admin.wait_for("two players", |state| state["players"].as_array().is_some_and(|all| all.len() == 2)).await;
    let players = two["players"].as_array().expect("they are listed");
    let bot = players.iter().filter_map(|name| name.as_str()).find(|name| *name != "Ben").expect("the bot").to_owned();
    admin.wait_for_text("#lead", "2 players in 1 room. You are an admin.").await;
    assert_figures(&admin).await;

    ben.say("well met, all of you").await;
    ben.wait_for_text("#chat", "well met").await;
    ben.say(&format!("/report \"{bot}\" rams everybody")).await;
    ben.wait_for_text("#chat", "You have reported").await;
    admin.wait_for("the report", |state| state["reports"] == 1).await;
    admin.wait_for_text("#reports", &bot).await;
    admin.wait_for_text("#reports", "rams everybody").await;
    admin.tab_to("#reports summary").await;
    admin.keys(ENTER).await;
    admin.wait_for_element("#reports details li").await;
    admin.wait_for_text("#reports details", "Ben: well met, all of you").await;
    look(&admin, "admin").await;

    admin.tab_to("#text").await;
    admin.keys(&format!("Restart at noon{ENTER}")).await;
    ben.wait_for_text("#announcement-text", "Restart at noon").await;

    admin.tab_to("#filter").await;
    admin.keys("ben").await;
    admin.tab_to("#players button").await;
    admin.keys(ENTER).await;
    admin.wait_for_text("#sentence-title", "Remove Ben").await;
    keep_picture(&admin, "admin-remove.png").await;
    admin.keys(&format!("rude{ENTER}")).await;
    ben.wait_for_text("body", "A moderator removed you from the game.").await;
    keep_picture(&ben, "admin-removed-player.png").await;
    admin.wait_for("one player", |state| state["players"] == json!([bot])).await;
    assert_eq!(admin.count("body :focus").await, 1, "the keyboard is still in the page");
    admin.tab_to("#reports .primary").await;
    admin.keys(ENTER).await;
    admin.wait_for("no report", |state| state["reports"] == 0).await;
    // The newest first; the command line appointed her.
    let audit = "return [...document.querySelectorAll('#audit tbody tr')].map((row) => [...row.cells].slice(1, 4).map((cell) => cell.textContent).join(' '))";
    let done = [
        format!("Ada handle report {bot}"),
        "Ada kick Ben".into(),
        "Ada announce everyone".into(),
        "command line role Ada".into(),
    ];
    assert_eq!(admin.script(audit, Vec::new()).await, json!(done));
    admin.wait_for_text("#audit", "rude").await;
    look(&admin, "admin-done").await;
}

/// Checks that the room shows its players, percentiles of ticks and of ages, its governor level and missed ticks.
async fn assert_figures(page: &Page) {
    let figures = "const shown = [...document.querySelector('#rooms tbody tr').cells].slice(1, 6).map((cell) => cell.textContent);
        return [/^2 of \\d+/, /^\\d+\\.\\d; \\d+\\.\\d$/, /^\\d+\\.\\d; \\d+\\.\\d$/, /^\\d+$/, /^[\\d,]+$/].every((form, at) => form.test(shown[at])) || shown";
    assert_eq!(page.script(figures, Vec::new()).await, json!(true));
}

/// Keeps pictures of most of the page, wide and as narrow as Chromium's windows can be.
async fn look(page: &Page, name: &str) {
    for (size, suffix) in [((DESKTOP.0, 1500), ""), ((500, 2000), "-narrow")] {
        page.resize(size).await;
        keep_picture(page, &format!("{name}{suffix}.png")).await;
        assert_fine(page).await;
    }
}

//! Play goes on through the end of the server: killed, and handed over.

use std::path::Path;

use crate::driver::Browser;
use crate::page::{Page, State, number};
use crate::people::Data;
use crate::server::Server;
use crate::{DEADLINE, SMALL};

/// Snapshots of three seconds: by then the newest checkpoint knows what was before.
const CHECKPOINTED: f64 = 90.0;

async fn server(port: u16, data: &Path, flags: &[&str]) -> Server {
    let data = data.to_str().expect("a plain path");
    Server::start_on_with_flags(port, &[&["--data", data], flags].concat()).await
}

/// Waits until the page plays on over another socket than before, and gives its state.
async fn plays_on(page: &Page, before: &State) -> State {
    let sockets = number(&before["sockets"]);
    let back = page
        .wait_for("play over another socket", |state| state.is_playing() && number(&state["sockets"]) > sockets)
        .await;
    snapshots_go_on(page, &back).await
}

async fn snapshots_go_on(page: &Page, before: &State) -> State {
    let seen = number(&before["snapshots"]);
    page.wait_for("snapshots that go on", |state| {
        state.is_playing() && number(&state["snapshots"]) > seen + CHECKPOINTED
    })
    .await
}

fn lines_with(state: &State, text: &str) -> usize {
    let lines = state["chat"].as_array().map_or(&[][..], Vec::as_slice);
    lines.iter().filter(|line| line["text"] == text).count()
}

#[tokio::test]
async fn a_page_plays_on_in_the_same_ship_after_a_kill_and_through_a_hand_over() {
    let data = Data::empty();
    let first = server(0, data.path(), &[]).await;
    let browser = Browser::start().await;
    let [ann, ben] = [
        browser.open(SMALL, &first.url("/?name=Ann&autojoin=1&effects=low")).await,
        browser.open(SMALL, &first.url("/?name=Ben&autojoin=1&effects=low")).await,
    ];
    ben.wait_for("a ship to steer", State::is_playing).await;
    let joined = ann.wait_for("a ship to steer", State::is_playing).await;
    let seen = number(&joined["snapshots"]);
    ben.say("before").await;
    ann.wait_for("what Ben says", |state| lines_with(state, "before") == 1).await;
    let before = ann.wait_for("a checkpoint", |state| number(&state["snapshots"]) > seen + CHECKPOINTED).await;

    let port = first.kill().await;
    let second = server(port, data.path(), &[]).await;
    let after_kill = plays_on(&ann, &before).await;
    assert_eq!((&after_kill["player"], &after_kill["room"]), (&before["player"], &before["room"]), "the same seat");
    assert_eq!(lines_with(&after_kill, "before"), 1, "nothing is said twice: {:?}", after_kill["chat"]);
    ben.say("between").await;
    ann.wait_for("what Ben says", |state| lines_with(state, "between") == 1).await;

    let third = server(port, data.path(), &["--take-over"]).await;
    second.has_ended(DEADLINE).await;
    let after = snapshots_go_on(&ann, &ann.state().await).await;
    assert_eq!((&after["player"], &after["room"]), (&before["player"], &before["room"]), "the same seat");
    assert_eq!(after["sockets"], after_kill["sockets"], "the same socket");
    ben.say("after").await;
    let heard = ann.wait_for("what Ben says", |state| lines_with(state, "after") == 1).await;
    assert_eq!(["before", "between"].map(|text| lines_with(&heard, text)), [1, 1], "{:?}", heard["chat"]);
    assert_eq!(ann.errors().await, Vec::<String>::new());
    drop(third);
}

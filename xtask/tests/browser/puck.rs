//! Puck: two friends meet by a link, and one of them scores.

use crate::SMALL;
use crate::driver::Browser;
use crate::page::{Page, State, number};
use crate::server::Server;

/// How far out of the way of a shot is far enough, in units of the rink.
const ASIDE: f64 = 150.0;

async fn wait_for_the_ice(page: &Page) -> State {
    page.wait_for("a disc to steer", |state| state["phase"] == "playing" && state["x"].is_number()).await
}

fn goals(state: &State) -> (f64, f64) {
    let goals = |team: usize| number(&state["match"]["teams"][team]["score"]);
    (goals(0), goals(1))
}

#[tokio::test]
async fn two_friends_meet_by_a_link_and_both_see_the_goal_of_one() {
    let server = Server::start_puck().await;
    let browser = Browser::start().await;
    let ann = browser.open(SMALL, &server.url("/?name=Ann&effects=low")).await;
    ann.wait_for("the lobby", |state| state["connected"] == true).await;
    ann.click("[data-act='create:duel']").await;
    ann.wait_for_element("#invite").await;
    let link = ann.value("#invite-link").await;
    ann.click("[data-act='in']").await;
    let here = wait_for_the_ice(&ann).await;
    assert_eq!((&here["match"]["phase"], &here["team"]), (&"waiting".into(), &0.into()));

    let ben = browser.open(SMALL, &format!("{link}?name=Ben&effects=low")).await;
    let there = wait_for_the_ice(&ben).await;
    assert_eq!((&there["room"], &there["team"]), (&here["room"], &1.into()));

    // Ben makes room, Ann drives the puck straight into his goal.
    ben.hold_key('s').await;
    ben.wait_for("Ben out of the way", |state| number(&state["y"]) > ASIDE).await;
    ben.release_keys().await;
    ann.hold_key('d').await;
    for (page, name) in [(&ann, "Ann"), (&ben, "Ben")] {
        let state = page.wait_for(&format!("the goal, at {name}'s"), |state| goals(state) == (1.0, 0.0)).await;
        assert_eq!(state["match"]["teams"][0]["name"], "Ann");
    }
    ann.release_keys().await;
    ben.wait_for_text("#toast", "goal by Ann").await;
    ann.wait_for("the next kick-off", |state| state["match"]["phase"] == "playing").await;
    assert_eq!((ann.errors().await, ben.errors().await), (vec![], vec![]));
    assert_eq!((ann.console().await, ben.console().await), (Vec::<String>::new(), Vec::<String>::new()));
}

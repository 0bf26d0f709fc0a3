//! Friends over HTTP.

use broadside_shared::client::ClientEvent;
use broadside_shared::protocol::room::{Role, RoomChoice};
use broadside_shared::protocol::token::AccountToken;
use broadside_store::accounts::{Account, AccountId};
use broadside_store::results::Outcome;
use serde_json::{Value, json};

use crate::accounts::browser::Browser;
use crate::http::get;
use crate::players::{assert_refused, now_us, reached, record};
use crate::scene::{Puppet, Server, look_until};

/// A browser that is signed in to an account that keeps a name, which must look like nothing but its own small letters.
pub(crate) async fn keeper<'a>(server: &'a Server, name: &str) -> (Browser<'a>, Account) {
    let browser = Browser::new(server);
    let id = browser.account().await["id"].as_str().and_then(|id| u128::from_str_radix(id, 16).ok()).expect("an id");
    let id = AccountId(id.to_be_bytes());
    server.store().keep_name(id, name, &[name.to_lowercase()]).await.expect("the name is free");
    (browser, server.store().account(id).await.expect("the store answers").expect("it was just made"))
}

async fn friends(browser: &Browser<'_>) -> Value {
    let reply = browser.get("/api/friends").await;
    assert_eq!((reply.status, reply.header("cache-control")), (200, "private, no-cache"), "{}", reply.text());
    reply.json()["friends"].clone()
}

fn alone(name: &str, friendship: &str) -> Value {
    json!([{ "name": name, "friendship": friendship, "since_s": null, "online": false, "room": null }])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_asks_the_other_agrees_and_either_ends_it() {
    let server = Server::start().await;
    let ((ann, _), (ben, _)) = (keeper(&server, "Ann").await, keeper(&server, "Ben").await);
    let asked = ann.ask("PUT", "/api/friends/BEN", "{}").await;
    assert_eq!((asked.status, asked.json()), (200, json!({ "name": "Ben", "friendship": "requested" })));
    assert_eq!((friends(&ann).await, friends(&ben).await), (alone("Ben", "requested"), alone("Ann", "asked")));
    let agreed = ben.ask("PUT", "/api/friends/Ann", "{}").await;
    assert_eq!(agreed.json(), json!({ "name": "Ann", "friendship": "friends" }));
    let list = friends(&ann).await;
    assert_eq!((&list[0]["friendship"], list[0]["since_s"].is_i64()), (&json!("friends"), true));
    for _ in 0..2 {
        assert_eq!(ann.ask("DELETE", "/api/friends/Ben", "{}").await.status, 204);
    }
    assert_eq!((friends(&ann).await, friends(&ben).await), (json!([]), json!([])));

    let guest = Browser::new(&server);
    guest.account().await;
    assert_eq!(friends(&guest).await, json!([]));
    let stranger = Browser::new(&server);
    for (browser, method, path, status, part) in [
        (&ann, "PUT", "/api/friends/Ann", 409, "nobody is their own friend"),
        (&ann, "PUT", "/api/friends/Eve", 404, "keeps the name"),
        (&ann, "DELETE", "/api/friends/Eve", 404, "keeps the name"),
        (&guest, "PUT", "/api/friends/Ann", 403, "keep your name at /account first"),
        (&guest, "POST", "/api/friend-link", 403, "keep your name"),
        (&stranger, "GET", "/api/friends", 401, "not signed in"),
        (&stranger, "PUT", "/api/friends/Ann", 401, "not signed in"),
        (&stranger, "GET", "/api/leaderboards?scope=friends", 401, "not signed in"),
        (&ann.elsewhere(&[("sec-fetch-site", "cross-site")]), "PUT", "/api/friends/Ben", 403, "this server"),
        (&ann.elsewhere(&[("content-type", "text/plain")]), "DELETE", "/api/friends/Ben", 415, "application/json"),
    ] {
        assert_refused(&browser.ask(method, path, if method == "GET" { "" } else { "{}" }).await, status, part);
    }
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_makes_friends_of_who_opens_it_until_a_new_one_is_made() {
    let server = Server::start_with(|config| config.base_path = "/game".parse().expect("a path")).await;
    let ((ann, _), (ben, _)) = (keeper(&server, "Ann").await, keeper(&server, "Ben").await);
    let code = async || {
        let made = ann.post("/api/friend-link", &json!({})).await.json();
        assert_eq!(ann.get("/api/friends").await.json()["link"], made);
        let week = made["expires_s"].as_i64().expect("a time") - now_us() / 1_000_000;
        assert!((7 * 86_400 - 60..=7 * 86_400).contains(&week), "{week} s");
        made["link"].as_str().and_then(|link| link.strip_prefix("/game/friend/")).expect("a path").to_owned()
    };
    let (old, new) = (code().await, code().await);
    let open = |code: &str| format!("/api/friend-link/{code}");
    let shown = get(server.address(), &open(&new), &[]).await;
    assert_eq!((shown.status, &shown.json()["name"]), (200, &json!("Ann")), "whoever opens it sees whose it is");
    for wrong in [old.as_str(), "x", "%00%00%00%00%00%00%00%00", &new.to_lowercase()] {
        assert_refused(&get(server.address(), &open(wrong), &[]).await, 404, "not valid");
        assert_refused(&ben.post(&open(wrong), &json!({})).await, 404, "not valid");
    }
    let accepted = ben.post(&open(&new), &json!({})).await;
    assert_eq!(accepted.json(), json!({ "name": "Ann", "friendship": "friends" }));
    assert_eq!(friends(&ann).await[0]["name"], "Ben");
    assert_refused(&ann.post(&open(&new), &json!({})).await, 409, "their own friend");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_leaderboard_of_friends_marks_who_asks() {
    let server = Server::start().await;
    let ((ann, her), (ben, his)) = (keeper(&server, "Ann").await, keeper(&server, "Ben").await);
    let (_, eve) = keeper(&server, "Eve").await;
    for (account, score) in [(&her, 5), (&his, 9), (&eve, 7)] {
        record(&server, "open", now_us(), vec![reached(account, score, Outcome::None)]).await;
    }
    ann.ask("PUT", "/api/friends/Ben", "{}").await;
    ben.ask("PUT", "/api/friends/Ann", "{}").await;
    let board = async |browser: &Browser<'_>, query: &str| {
        let reply = browser.get(&format!("/api/leaderboards?{query}")).await;
        assert_eq!((reply.status, reply.header("cache-control")), (200, "private, no-cache"), "{}", reply.text());
        let board = reply.json();
        let entries = board["entries"].as_array().expect("entries").iter();
        let entry = |entry: &Value| (entry["rank"].as_u64(), entry["name"].to_string(), entry["you"] == true);
        entries.map(entry).collect::<Vec<_>>()
    };
    let entry = |rank, name: &str, you| (Some(rank), format!("{name:?}"), you);
    let all = [entry(1, "Ben", false), entry(2, "Eve", false), entry(3, "Ann", true)];
    assert_eq!(board(&ann, "scope=all").await, all);
    assert_eq!(board(&ann, "scope=friends&period=week").await, [entry(1, "Ben", false), entry(2, "Ann", true)]);
    assert_eq!(board(&ben, "scope=friends").await, [entry(1, "Ben", true), entry(2, "Ann", false)]);
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_makes_thirty_friends_at_once_and_then_waits() {
    let server = Server::start().await;
    let ((ann, _), (ben, _)) = (keeper(&server, "Ann").await, keeper(&server, "Ben").await);
    for _ in 0..30 {
        assert_eq!(ann.ask("PUT", "/api/friends/Ben", "{}").await.status, 200);
    }
    let refused = ann.ask("PUT", "/api/friends/Ben", "{}").await;
    assert_refused(&refused, 429, "make more friends in");
    assert!(!refused.header("retry-after").is_empty());
    assert_eq!(ann.ask("DELETE", "/api/friends/Ben", "{}").await.status, 204, "ending one needs no patience");
    assert_eq!(ben.ask("PUT", "/api/friends/Ann", "{}").await.status, 200, "another account");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn friends_and_only_they_see_where_one_plays() {
    let server = Server::start().await;
    let ((ann, _), (ben, his)) = (keeper(&server, "Ann").await, keeper(&server, "Ben").await);
    let (eve, _) = keeper(&server, "Eve").await;
    ann.ask("PUT", "/api/friends/Ben", "{}").await;
    ben.ask("PUT", "/api/friends/Ann", "{}").await;
    eve.ask("PUT", "/api/friends/Ben", "{}").await;

    let token = ben.post("/api/account/token", &Value::Null).await.json();
    let token = token["token"].as_str().and_then(AccountToken::from_text).expect("a token");
    let mut play = Puppet::connect_as(&server, "Ben", token).await;
    play.until("a seat", |event| matches!(event, ClientEvent::Joined { .. })).await;
    let room = json!({ "id": 1, "mode": "open", "joinable": true, "join": "/?room=1", "watch": "/?room=1&watch=1" });
    let seen = friends(&ann).await;
    assert_eq!((&seen[0]["online"], &seen[0]["room"]), (&json!(true), &room));
    let public = get(server.address(), "/api/players/Ben", &[]).await.json();
    assert_eq!((&public["online"], &public["room"]), (&json!(true), &room));
    assert_eq!(friends(&eve).await, alone("Ben", "requested"), "who only asked sees nothing");

    let code = ann.post("/api/rooms", &json!({ "mode": "duel", "private": true })).await.json();
    let code = RoomChoice::Code(code["code"].as_str().and_then(|code| code.parse().ok()));
    let now = play.now();
    play.client.switch(now, code, Role::Play);
    play.until("the private room", |event| matches!(event, ClientEvent::Joined { .. })).await;
    let seen = friends(&ann).await;
    assert_eq!(
        (&seen[0]["online"], &seen[0]["room"]),
        (&json!(true), &Value::Null),
        "a private room is nobody's business"
    );
    drop(play);
    look_until("the connection to be gone", || {
        server
            .lobby()
            .sessions
            .of_account(his.id)
            .iter()
            .all(|session| server.lobby().sessions.connection_of(*session).is_none())
    })
    .await;
    assert_eq!(friends(&ann).await[0]["online"], false);
    server.end().await;
}

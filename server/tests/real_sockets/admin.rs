//! Moderation over HTTP.

use std::sync::atomic::Ordering;

use broadside_shared::client::ClientEvent;
use broadside_shared::ids::RoomId;
use broadside_shared::protocol::REVISION;
use broadside_shared::protocol::close::CloseCode;
use broadside_shared::protocol::message::{ClientMsg, ServerNotice};
use broadside_shared::protocol::room::{Role as SeatRole, RoomChoice};
use broadside_shared::protocol::token::AccountToken;
use broadside_store::accounts::Role;
use broadside_store::moderation::Report;
use broadside_store::new_id;
use serde_json::{Value, json};

use crate::accounts::browser::Browser;
use crate::friends::keeper;
use crate::http::Reply;
use crate::players::{assert_refused, now_us};
use crate::scene::{Puppet, Server, bare, close_of, look_until, say};

async fn act(browser: &Browser<'_>, action: Value) -> Reply {
    browser.post("/api/admin/actions", &action).await
}

async fn done(browser: &Browser<'_>, action: Value) {
    let reply = act(browser, action.clone()).await;
    assert_eq!(reply.status, 204, "{action}: {}", reply.text());
}

async fn token_of(browser: &Browser<'_>) -> AccountToken {
    let token = browser.post("/api/account/token", &Value::Null).await.json();
    token["token"].as_str().and_then(AccountToken::from_text).expect("a token")
}

async fn play(server: &Server, browser: &Browser<'_>, name: &str) -> Puppet {
    Puppet::connect_as(server, name, token_of(browser).await).await
}

/// The names of what is in a list of the API.
async fn listed(browser: &Browser<'_>, path: &str, list: &str, field: &str) -> Vec<String> {
    let reply = browser.get(path).await.json();
    let rows = reply[list].as_array().unwrap_or_else(|| panic!("{path} lists {list}: {reply}")).iter();
    rows.map(|row| row[field].as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn there_is_no_moderation_until_somebody_has_a_role_and_then_for_them_alone() {
    let server = Server::start().await;
    let ((mo, account), (eve, _)) = (keeper(&server, "Mo").await, keeper(&server, "Eve").await);
    assert_refused(&mo.get("/api/admin").await, 404, "there is no /api/admin");
    assert_refused(&mo.get("/admin").await, 404, "there is no");
    server.store().set_role(account.id, Role::Moderator).await.expect("the store answers");
    assert_eq!(mo.get("/api/admin").await.json()["role"], "moderator");
    for path in ["", "/reports", "/restrictions", "/audit"] {
        assert_refused(&eve.get(&format!("/api/admin{path}")).await, 403, "for moderators");
        assert_refused(&Browser::new(&server).get(&format!("/api/admin{path}")).await, 401, "not signed in");
    }
    assert_refused(&act(&eve, json!({ "action": "announce", "text": "hi" })).await, 403, "for moderators");
    let elsewhere = mo.elsewhere(&[("sec-fetch-site", "cross-site")]);
    assert_refused(&act(&elsewhere, json!({ "action": "announce", "text": "hi" })).await, 403, "this server");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_moderator_removes_bans_and_mutes_and_each_action_is_logged() {
    let server = Server::start().await;
    let ((mo, account), (ada, admin)) = (keeper(&server, "Mo").await, keeper(&server, "Ada").await);
    let (eve, _) = keeper(&server, "Eve").await;
    server.store().set_role(account.id, Role::Moderator).await.expect("the store answers");
    server.store().set_role(admin.id, Role::Admin).await.expect("the store answers");

    let mut puppet = play(&server, &eve, "Eve").await;
    puppet.until("a seat", |event| matches!(event, ClientEvent::Joined { .. })).await;
    look_until("the room to show its player", || {
        server.lobby().directory.all().iter().all(|room| room.status.players.load(Ordering::Relaxed) == 1)
    })
    .await;
    let seen = mo.get("/api/admin").await.json();
    assert_eq!(seen["players"], json!([{ "name": "Eve", "account": true, "room": 1 }]));
    let room = &seen["rooms"][0];
    assert_eq!((&room["id"], &room["players"], &room["on_demand"]), (&json!(1), &json!(1), &json!(false)));
    assert!(
        room["tick_us"]["p50"].as_u64() > Some(0) && room["age_us"]["p99"].as_u64() >= room["tick_us"]["p99"].as_u64()
    );

    done(&mo, json!({ "action": "kick", "player": "Eve", "reason": "spam" })).await;
    assert_eq!(close_of(puppet.socket()).await.0, CloseCode::Kicked.code());
    let mut puppet = play(&server, &eve, "Eve").await;
    puppet.until("a seat", |event| matches!(event, ClientEvent::Joined { .. })).await;
    done(&mo, json!({ "action": "ban", "player": "Eve", "minutes": 60, "reason": "more  spam" })).await;
    assert_eq!(close_of(puppet.socket()).await.0, CloseCode::Banned.code());
    let (mut socket, account) = (bare(&server).await, Some(token_of(&eve).await));
    say(&mut socket, &ClientMsg::Hello { revision: REVISION, agent: "test".to_owned(), resume: None, account }).await;
    assert_eq!(close_of(&mut socket).await.0, CloseCode::Banned.code(), "at the next hello");
    let ban = mo.get("/api/admin/restrictions").await.json()["restrictions"][0].clone();
    assert_eq!((&ban["name"], &ban["kind"], &ban["reason"]), (&json!("Eve"), &json!("ban"), &json!("more spam")));
    done(&mo, json!({ "action": "unban", "player": "Eve" })).await;
    let mut puppet = play(&server, &eve, "Eve").await;
    puppet.until("a seat again", |event| matches!(event, ClientEvent::Joined { .. })).await;
    done(&mo, json!({ "action": "mute", "player": "Eve", "minutes": null })).await;
    done(&mo, json!({ "action": "unmute", "player": "Eve" })).await;

    done(&ada, json!({ "action": "set_role", "player": "Eve", "role": "moderator" })).await;
    for (browser, action, status, part) in [
        (&mo, json!({ "action": "set_role", "player": "Eve", "role": "player" }), 403, "only an admin"),
        (&ada, json!({ "action": "set_role", "player": "Ada", "role": "player" }), 409, "their own role"),
        (&ada, json!({ "action": "set_role", "player": "Eve", "role": "king" }), 400, "player, moderator or admin"),
        (&mo, json!({ "action": "ban", "player": "Ada", "minutes": 5 }), 409, "is admin as well"),
        (&mo, json!({ "action": "ban", "player": "Eve", "minutes": 5 }), 409, "is moderator as well"),
        (&ada, json!({ "action": "ban", "player": "Eve", "minutes": 0 }), 400, "minutes: must be 1 to"),
        (
            &ada,
            json!({ "action": "ban", "player": "Eve", "minutes": 5, "reason": "x".repeat(201) }),
            400,
            "at most 200",
        ),
        (&ada, json!({ "action": "ban", "player": "Nobody", "minutes": 5 }), 409, "no account is called"),
        (&ada, json!({ "action": "unban", "player": "Eve" }), 409, "there is no ban"),
        (&ada, json!({ "action": "kick", "player": "Nobody" }), 409, "is not connected"),
        (&ada, json!({ "action": "close_room", "room": 1 }), 409, "as long as the server runs"),
        (&ada, json!({ "action": "close_room", "room": 77 }), 409, "there is no room 77"),
        (&ada, json!({ "action": "announce", "text": "" }), 400, "text:"),
        (&ada, json!({ "action": "handle_report", "report": "7" }), 409, "no open report"),
        (&ada, json!({ "action": "dance" }), 422, "unknown variant"),
    ] {
        assert_refused(&act(browser, action).await, status, part);
    }
    let log = listed(&mo, "/api/admin/audit", "entries", "action").await;
    assert_eq!(log, ["role", "unmute", "mute", "unban", "ban", "kick"], "what was refused is not in it");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reports_are_handled_once_and_a_room_is_closed_over_its_players() {
    let server = Server::start().await;
    let ((mo, account), (eve, _)) = (keeper(&server, "Mo").await, keeper(&server, "Eve").await);
    server.store().set_role(account.id, Role::Moderator).await.expect("the store answers");
    for number in 0..52 {
        let report = Report {
            id: new_id(now_us() + number * 1000),
            reporter: None,
            reporter_name: "Ben".to_owned(),
            subject: None,
            subject_name: format!("Eve {number}"),
            body: "rude".to_owned(),
            chat: "1 lobby/chat Eve: rude\n2 lobby/chat Ben: stop".to_owned(),
            room: "open".to_owned(),
            reported_us: now_us(),
            handled: None,
        };
        server.store().report(&report).await.expect("the store answers");
    }
    let page = mo.get("/api/admin/reports").await.json();
    assert_eq!(
        (&page["reports"][0]["subject"], &page["reports"][0]["chat"][1]),
        (&json!("Eve 51"), &json!("2 lobby/chat Ben: stop"))
    );
    let next = page["next"].as_str().expect("52 are more than a page");
    let last = listed(&mo, &format!("/api/admin/reports?before={next}"), "reports", "subject").await;
    assert_eq!(last, ["Eve 1", "Eve 0"]);
    assert_refused(&mo.get("/api/admin/reports?before=x").await, 400, "before: must be");
    let newest = page["reports"][0]["id"].clone();
    done(&mo, json!({ "action": "handle_report", "report": newest })).await;
    assert_refused(&act(&mo, json!({ "action": "handle_report", "report": newest })).await, 409, "no open report");
    assert_eq!(listed(&mo, "/api/admin/reports", "reports", "subject").await[0], "Eve 50");
    assert_eq!(listed(&mo, "/api/admin/reports?all=true", "reports", "handled_by").await[0], "Mo");

    let made = eve.post("/api/rooms", &json!({ "mode": "duel" })).await.json();
    let mut puppet = play(&server, &eve, "Eve").await;
    let room = made["id"].as_u64().expect("a room");
    let choice = RoomChoice::Room(RoomId(room as u32));
    let now = puppet.now();
    puppet.until("a seat", |event| matches!(event, ClientEvent::Joined { .. })).await;
    puppet.client.switch(now, choice, SeatRole::Play);
    puppet.until("a seat in the room", |event| matches!(event, ClientEvent::Joined { .. })).await;
    done(&mo, json!({ "action": "close_room", "room": room })).await;
    puppet
        .until("the end of the room", |event| {
            matches!(event, ClientEvent::ServerNotice(ServerNotice::RoomEnds { seconds: 0 }))
        })
        .await;
    let mut ann = Puppet::connect(&server, "Ann").await;
    ann.until("a seat", |event| matches!(event, ClientEvent::Joined { .. })).await;
    done(&mo, json!({ "action": "announce", "text": "Tea at five." })).await;
    server.end().await;
}

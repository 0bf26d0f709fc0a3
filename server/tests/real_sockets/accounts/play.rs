//! An account in the game: its token in the hello, its name, and the end of its games.

use broadside_bots::socket::Socket;
use broadside_shared::protocol::REVISION;
use broadside_shared::protocol::close::CloseCode;
use broadside_shared::protocol::message::{ClientMsg, Outcome, ServerMsg};
use broadside_shared::protocol::token::AccountToken;
use serde_json::{Value, json};

use super::browser::Browser;
use crate::closing::meant;
use crate::names::call;
use crate::scene::{Server, bare, close_of, hear, say};

/// Says hello with the token that the page gets. Returns the socket, and the account that the server welcomes.
async fn hello(server: &Server, browser: &Browser<'_>) -> (Socket, Value) {
    let token = browser.post("/api/account/token", &Value::Null).await.json()["token"].clone();
    let account = AccountToken::from_text(token.as_str().expect("a token"));
    assert!(account.is_some(), "{token}");
    let mut socket = bare(server).await;
    say(&mut socket, &ClientMsg::Hello { revision: REVISION, agent: "test".to_owned(), resume: None, account }).await;
    match hear(&mut socket).await {
        ServerMsg::Welcome { account, .. } => (socket, account.map(|account| account.to_string()).into()),
        other => panic!("a welcome was due, not {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kept_name_is_its_owners_in_the_game_until_the_account_is_deleted() {
    let server = Server::start().await;
    let (ann, eve) = (Browser::new(&server), Browser::new(&server));
    let account = ann.account().await["id"].clone();
    let keep = json!({ "name": "Ann", "password": "four words and a ship" });
    assert_eq!(ann.post("/api/account/keep-name", &keep).await.status, 200);
    let (mut owner, welcomed) = hello(&server, &ann).await;
    assert_eq!(welcomed, account);
    let (mut other, welcomed) = hello(&server, &eve).await;
    assert_eq!(welcomed, eve.account().await["id"]);
    let numbered = |name: &str| (Outcome::Done, Some(name.to_owned()));
    assert_eq!(call(&mut other, "ANN").await, numbered("ANN 2"), "also while its owner is elsewhere");
    assert_eq!(call(&mut owner, "Ann").await, (Outcome::Done, None));

    let rename = r#"{"name":"Anna"}"#;
    assert_eq!(ann.ask("PUT", "/api/account/name", rename).await.status, 200);
    assert_eq!(call(&mut other, "Anna").await, numbered("Anna 2"));
    assert_eq!(ann.ask("DELETE", "/api/account", "{}").await.status, 204, "right after signing in");
    assert_eq!(close_of(&mut owner).await, meant(CloseCode::Normal));
    assert_eq!(call(&mut other, "Anna").await, (Outcome::Done, None), "free again");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signing_out_everywhere_ends_the_games_of_the_account_and_of_no_other() {
    let server = Server::start().await;
    let (ann, eve) = (Browser::new(&server), Browser::new(&server));
    let (mut first, _) = hello(&server, &ann).await;
    let (mut second, _) = hello(&server, &ann).await;
    let (mut other, _) = hello(&server, &eve).await;
    assert_eq!(ann.post("/api/account/sign-out-everywhere", &Value::Null).await.status, 204);
    assert_eq!(close_of(&mut first).await, meant(CloseCode::Normal));
    assert_eq!(close_of(&mut second).await, meant(CloseCode::Normal));
    assert_eq!(call(&mut other, "Eve").await, (Outcome::Done, None));
    server.end().await;
}

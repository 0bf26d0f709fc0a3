//! Guests.

use serde_json::{Value, json};

use super::browser::Browser;
use crate::scene::Server;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_keeps_its_account_until_it_signs_out() {
    let server = Server::start().await;
    let (ann, ben) = (Browser::new(&server), Browser::new(&server));
    assert_eq!(ann.get("/api/account").await.status, 401, "nobody yet");
    let first = ann.post("/api/account/token", &json!({})).await;
    assert_eq!((first.status, first.header("cache-control")), (200, "no-store"), "{}", first.text());
    let first = first.json();
    assert_eq!((&first["expires_in_s"], &first["account"]["keeps_name"]), (&json!(300), &json!(false)));
    assert!(first["token"].as_str().is_some_and(|token| !token.is_empty()), "{first}");
    assert_eq!(ann.account().await, first["account"], "the same account again");
    assert_eq!(ann.get("/api/account").await.json()["id"], first["account"]["id"]);
    assert_ne!(ben.account().await["id"], first["account"]["id"]);

    let stolen = ann.elsewhere(&[]);
    assert_eq!(ann.post("/api/account/sign-out", &Value::Null).await.status, 204);
    assert_eq!(ann.cookies().len(), 0);
    assert_eq!(stolen.get("/api/account").await.status, 401, "the secret is worth nothing any longer");
    assert_eq!(ben.get("/api/account").await.status, 200);
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_cookie_is_for_https_alone_where_the_page_is() {
    let cookie_of = async |server: &Server, headers: &[(&'static str, &str)]| {
        let reply = Browser::with(server, headers).post("/api/account/token", &Value::Null).await;
        reply.header("set-cookie").to_owned()
    };
    let secure = Server::start_secure().await;
    let cookie = cookie_of(&secure, &[]).await;
    assert!(cookie.starts_with("__Host-broadside_account=") && cookie.ends_with("; Secure"), "{cookie}");
    let ann = Browser::new(&secure);
    assert_eq!(ann.account().await, ann.account().await, "the prefixed cookie is read back");
    secure.end().await;

    let proxied = Server::start_with(|config| {
        config.trust_proxy = vec!["127.0.0.1".parse().expect("an address")];
        config.base_path = "/game".parse().expect("a path");
    })
    .await;
    let origin = format!("https://{}", proxied.address());
    let cookie = cookie_of(&proxied, &[("x-forwarded-proto", "https"), ("origin", &origin)]).await;
    assert!(cookie.starts_with("__Secure-broadside_account=") && cookie.contains("; Path=/game;"), "{cookie}");
    let cookie = cookie_of(&proxied, &[]).await;
    assert!(cookie.starts_with("broadside_account=") && !cookie.contains("Secure"), "{cookie}");
    proxied.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_address_makes_twenty_guests_and_then_plays_on_without_accounts() {
    let server = Server::start_with(|config| config.limit_exempt = Vec::new()).await;
    let ann = Browser::new(&server);
    for _ in 0..20 {
        ann.elsewhere(&[]).account().await;
    }
    let refused = ann.post("/api/account/token", &Value::Null).await;
    assert_eq!((refused.status, refused.header("content-type")), (429, "application/problem+json"));
    assert!(refused.header("retry-after").parse::<u32>().is_ok_and(|wait_s| wait_s <= 180));
    assert_eq!(ann.cookies().len(), 0);
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_database_there_are_no_accounts_and_the_answer_says_for_how_long() {
    let server = Server::start().await;
    let ann = Browser::new(&server);
    ann.account().await;
    server.store().close().await;
    for (method, path) in [("GET", "/api/account"), ("POST", "/api/account/token"), ("POST", "/api/account/sign-out")] {
        for browser in [&ann, &Browser::new(&server)] {
            let reply = browser.ask(method, path, "").await;
            let needs_database = !browser.cookies().is_empty() || path == "/api/account/token";
            assert_eq!(reply.status == 503, needs_database, "{method} {path}: {}", reply.text());
            assert_eq!(!reply.header("retry-after").is_empty(), needs_database, "{method} {path}");
        }
    }
    assert_eq!(ann.cookies().len(), 1, "and nobody was signed out");
    server.end().await;
}

//! Names with passwords, recovery codes, and who guesses at them.

use broadside_server::metrics::labels::SignInResult;
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::browser::Browser;
use crate::scene::Server;

const PASSWORD: &str = "four words and a ship";
const OTHER: &str = "another four of them";

/// A browser whose guest has kept a name.
async fn owner<'a>(server: &'a Server, name: &str) -> Browser<'a> {
    let browser = Browser::new(server);
    browser.account().await;
    let kept = browser.post("/api/account/keep-name", &json!({ "name": name, "password": PASSWORD })).await;
    assert_eq!(kept.status, 200, "{}", kept.text());
    browser
}

async fn sign_in(browser: &Browser<'_>, name: &str, password: &str) -> (u16, String) {
    let reply = browser.post("/api/account/sign-in", &json!({ "name": name, "password": password })).await;
    (reply.status, reply.text())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_keeps_its_name_and_signs_in_from_elsewhere() {
    let server = Server::start().await;
    let ann = Browser::new(&server);
    let guest = ann.account().await;
    let before = ann.elsewhere(&[]);
    let keep = json!({ "name": "Ann", "password": PASSWORD });
    let kept = ann.post("/api/account/keep-name", &keep).await;
    assert_eq!(kept.status, 200, "{}", kept.text());
    let account = kept.json();
    assert_eq!((&account["id"], &account["name"], &account["keeps_name"]), (&guest["id"], &json!("Ann"), &json!(true)));
    assert_eq!(before.get("/api/account").await.status, 401, "whoever knew the guest's cookie knows nothing now");
    assert_eq!(ann.post("/api/account/keep-name", &keep).await.status, 409, "only once");

    let phone = Browser::new(&server);
    let guest_there = phone.account().await;
    let (stale, wrong) = (phone.elsewhere(&[]), sign_in(&phone, "Ann", OTHER).await);
    assert_eq!(wrong.0, 401);
    assert_eq!(sign_in(&phone, "Nobody", OTHER).await, wrong, "nothing tells whether there is such an account");
    assert_eq!(sign_in(&phone, "Ann", "short").await, wrong);
    assert_eq!(sign_in(&phone, "", &"x".repeat(9000)).await, wrong);
    assert_eq!(phone.account().await, guest_there, "still a guest");
    assert_eq!(sign_in(&phone, "  aNN", PASSWORD).await.0, 200, "a name is known by its looks");
    let whole = phone.get("/api/account").await.json();
    assert_eq!(
        (&whole["id"], &whole["password"], &whole["recovery_codes_left"]),
        (&guest["id"], &json!(true), &json!(0))
    );
    assert_eq!(stale.get("/api/account").await.status, 401);

    assert_eq!(ann.post("/api/account/sign-out-everywhere", &Value::Null).await.status, 204);
    assert_eq!(phone.get("/api/account").await.status, 401);
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_and_passwords_that_nobody_may_have_are_refused_and_nothing_is_kept() {
    let server = Server::start().await;
    let (ann, eve) = (owner(&server, "Henry").await, Browser::new(&server));
    eve.account().await;
    for (name, password, status, says) in [
        ("HENRY", PASSWORD, 409, "looks like one"),
        ("Неnrу", PASSWORD, 409, "looks like one"),
        ("Hen\u{200b}ry", PASSWORD, 409, "looks like one"),
        ("Server", PASSWORD, 400, "name: "),
        ("\u{202e}", PASSWORD, 400, "visible"),
        ("Eve", "short", 400, "5 characters"),
        ("Eve", "Password1!", 400, "tried first"),
        ("Evelyn Grace", "evelyn grace", 400, "the name itself"),
    ] {
        let reply = eve.post("/api/account/keep-name", &json!({ "name": name, "password": password })).await;
        assert_eq!(reply.status, status, "{name} {password}: {}", reply.text());
        assert!(reply.text().contains(says), "{name} {password}: {}", reply.text());
    }
    assert_eq!(ann.ask("PUT", "/api/account/name", r#"{"name":"Admin"}"#).await.status, 400);
    assert_eq!(eve.get("/api/account").await.json()["keeps_name"], false);
    for (method, path) in
        [("PUT", "/api/account/password"), ("PUT", "/api/account/name"), ("POST", "/api/account/recovery-codes")]
    {
        let body = match path {
            "/api/account/password" => json!({ "new": PASSWORD }),
            "/api/account/name" => json!({ "name": "Eve" }),
            _ => json!({}),
        };
        let reply = eve.ask(method, path, &body.to_string()).await;
        assert_eq!(reply.status, 409, "a guest has none: {path}: {}", reply.text());
    }
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_is_let_go_is_free() {
    let server = Server::start().await;
    let (ann, ben) = (owner(&server, "Ann").await, owner(&server, "Ben").await);
    let rename = async |browser: &Browser<'_>, name: &str| {
        browser.ask("PUT", "/api/account/name", &json!({ "name": name }).to_string()).await.status
    };
    assert_eq!(rename(&ben, "ann").await, 409);
    assert_eq!(rename(&ann, "Anna").await, 200);
    assert_eq!(rename(&ben, "ann").await, 200);
    assert_eq!(sign_in(&Browser::new(&server), "ANN", PASSWORD).await.0, 200, "Ben, by his new name");
    let mut statuses = Vec::new();
    for number in 0..6 {
        statuses.push(rename(&ann, &format!("Anna {number}")).await);
    }
    assert_eq!(statuses, [200, 200, 200, 200, 429, 429], "names do not change hands by the second");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guessing_storm_on_a_name_is_slowed_and_its_owner_stays_signed_in() {
    let server = Server::start_with(|config| config.trust_proxy = vec!["127.0.0.1".parse().expect("an address")]).await;
    let ann = owner(&server, "Ann").await;
    for name in ["Ann", "Nobody"] {
        let mut statuses = Vec::new();
        for host in 0..12 {
            // From everywhere at once: no address guesses twice.
            let address = format!("203.0.113.{host}");
            let guesser = Browser::with(&server, &[("x-forwarded-for", &address)]);
            statuses.push(sign_in(&guesser, name, &format!("guess number {host}")).await.0);
        }
        assert_eq!(statuses[..10], [401; 10], "{name}");
        assert_eq!(statuses[10..], [429; 2], "{name}: the same whether there is such an account");
    }
    assert_eq!(sign_in(&Browser::new(&server), "Ann", PASSWORD).await.0, 429, "also the right one");
    let count = |result| server.metrics().sign_ins.of(result).get();
    assert_eq!((count(SignInResult::Wrong), count(SignInResult::TooFast)), (20, 5));
    assert_eq!(ann.get("/api/account").await.status, 200);
    let change = json!({ "current": PASSWORD, "new": OTHER }).to_string();
    assert_eq!(ann.ask("PUT", "/api/account/password", &change).await.status, 200, "its owner goes on");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_address_has_so_many_attempts_at_all_names_together() {
    let server = Server::start_with(|config| config.limit_exempt = Vec::new()).await;
    let guesser = Browser::new(&server);
    let mut statuses = Vec::new();
    for number in 0..65 {
        let body = json!({ "code": format!("no code {number}"), "password": PASSWORD });
        statuses.push(guesser.post("/api/account/recover", &body).await.status);
    }
    let refused = statuses.iter().filter(|status| **status == 429).count();
    assert!((1..=5).contains(&refused), "60 at once, then one every 5 s: {statuses:?}");
    assert_eq!(sign_in(&guesser, "Ann", PASSWORD).await.0, 429);
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_password_takes_the_current_one_and_signs_other_browsers_out() {
    let server = Server::start().await;
    let (ann, thief) = (owner(&server, "Ann").await, Browser::new(&server));
    assert_eq!(sign_in(&thief, "Ann", PASSWORD).await.0, 200);
    let change = async |browser: &Browser<'_>, body: Value| {
        browser.ask("PUT", "/api/account/password", &body.to_string()).await.status
    };
    assert_eq!(change(&thief, json!({ "new": OTHER })).await, 403);
    assert_eq!(change(&thief, json!({ "current": OTHER, "new": OTHER })).await, 403);
    assert_eq!(change(&ann, json!({ "current": PASSWORD, "new": "ann 12345" })).await, 400);
    let before = ann.elsewhere(&[]);
    assert_eq!(change(&ann, json!({ "current": PASSWORD, "new": OTHER })).await, 200);
    assert_eq!(thief.get("/api/account").await.status, 401);
    assert_eq!(before.get("/api/account").await.status, 401, "the secret is new here too");
    assert_eq!(ann.get("/api/account").await.status, 200);
    assert_eq!(sign_in(&thief, "Ann", PASSWORD).await.0, 401);
    assert_eq!(sign_in(&thief, "Ann", OTHER).await.0, 200);
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recovery_code_sets_a_password_once() {
    let server = Server::start().await;
    let ann = owner(&server, "Ann").await;
    let wrong = ann.post("/api/account/recovery-codes", &json!({ "password": OTHER })).await;
    assert_eq!(wrong.status, 403, "{}", wrong.text());
    let made = ann.post("/api/account/recovery-codes", &json!({})).await;
    assert_eq!((made.status, made.header("cache-control")), (200, "no-store"), "right after signing in");
    let codes: Vec<String> = serde_json::from_value(made.json()["codes"].clone()).expect("codes");
    assert_eq!((codes.len(), codes[0].len()), (10, 23));
    let recover = async |browser: &Browser<'_>, code: &str, password: &str| {
        browser.post("/api/account/recover", &json!({ "code": code, "password": password })).await.status
    };
    let found = Browser::new(&server);
    assert_eq!(recover(&found, "ABCDE-FGHJK-MNPRS-TWXYZ", OTHER).await, 401);
    assert_eq!(recover(&found, &codes[3], "short").await, 400, "which does not use it up");
    assert_eq!(recover(&found, &codes[3].to_lowercase(), OTHER).await, 200);
    assert_eq!(recover(&found, &codes[3], OTHER).await, 401, "once");
    assert_eq!(found.get("/api/account").await.json()["recovery_codes_left"], 9);
    assert_eq!(ann.get("/api/account").await.status, 401, "whoever made it necessary is out");
    assert_eq!(sign_in(&ann, "Ann", OTHER).await.0, 200);
    ann.post("/api/account/recovery-codes", &json!({ "password": OTHER })).await;
    assert_eq!(recover(&found, &codes[4], PASSWORD).await, 401, "new codes replace all of them");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_takes_everything_along_and_leaves() {
    let server = Server::start().await;
    let ann = owner(&server, "Ann").await;
    let export = ann.get("/api/account/export").await;
    assert_eq!(export.header("content-disposition"), "attachment; filename=\"broadside-account.json\"");
    let (text, export) = (export.text(), export.json());
    assert_eq!((&export["name"], &export["more_results_before"]), (&json!("Ann"), &Value::Null));
    assert_eq!(export["browsers"].as_array().map(Vec::len), Some(1));
    assert!(!text.contains("argon2"), "no hash leaves: {text}");
    assert_eq!(ann.get("/api/account/export?before=yesterday").await.status, 400);
    assert_eq!(Browser::new(&server).get("/api/account/export").await.status, 401);

    let delete =
        async |browser: &Browser<'_>, body: Value| browser.ask("DELETE", "/api/account", &body.to_string()).await;
    assert_eq!(delete(&ann, json!({ "password": OTHER })).await.status, 403);
    let elsewhere = ann.elsewhere(&[]);
    assert_eq!(delete(&ann, json!({ "password": PASSWORD })).await.status, 204);
    assert_eq!((ann.cookies().len(), elsewhere.get("/api/account").await.status), (0, 401));
    assert_eq!(sign_in(&ann, "Ann", PASSWORD).await.0, 401);
    owner(&server, "ann").await;
    let guest = Browser::new(&server);
    guest.account().await;
    assert_eq!(delete(&guest, json!({})).await.status, 204, "a guest has nothing to prove");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_sign_ins_is_bounded_and_the_rest_is_told_when_to_come_back() {
    let server = Server::start().await;
    let storm = join_all((0..60).map(|number| {
        let server = &server;
        async move {
            let body = json!({ "name": format!("Guest {number}"), "password": PASSWORD });
            let reply = Browser::new(server).post("/api/account/sign-in", &body).await;
            (reply.status, reply.header("retry-after").to_owned())
        }
    }));
    let answers = storm.await;
    let count = |wanted: u16| answers.iter().filter(|(status, _)| *status == wanted).count();
    assert_eq!(count(401) + count(503), 60, "{answers:?}");
    assert!(count(401) >= 33 && count(503) >= 1, "a queue of 32 and what runs: {answers:?}");
    assert!(answers.iter().all(|(status, wait)| (*status == 503) == (wait == "3")), "{answers:?}");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_want_a_name_or_use_a_code_at_once_one_succeeds() {
    let server = Server::start().await;
    let browsers: Vec<Browser<'_>> = (0..6).map(|_| Browser::new(&server)).collect();
    for browser in &browsers {
        browser.account().await;
    }
    let counted = |statuses: Vec<u16>, wanted: u16| statuses.iter().filter(|status| **status == wanted).count();
    let keep = json!({ "name": "Ann", "password": PASSWORD });
    let statuses =
        join_all(browsers.iter().map(async |ann| ann.post("/api/account/keep-name", &keep).await.status)).await;
    assert_eq!((counted(statuses.clone(), 200), counted(statuses, 409)), (1, 5));
    let mut codes = Vec::new();
    for browser in &browsers {
        let made = browser.post("/api/account/recovery-codes", &json!({})).await;
        if made.status == 200 {
            codes.push(made.json()["codes"][0].clone());
        }
    }
    assert_eq!(codes.len(), 1, "the one who got the name");
    let recover = json!({ "code": codes[0], "password": OTHER });
    let statuses =
        join_all(browsers.iter().map(async |ann| ann.post("/api/account/recover", &recover).await.status)).await;
    assert_eq!((counted(statuses.clone(), 200), counted(statuses, 401)), (1, 5));
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_owner_sets_is_there_in_the_next_browser() {
    let server = Server::start().await;
    let ann = owner(&server, "Ann").await;
    let set = async |browser: &Browser<'_>, body: &str| browser.ask("PUT", "/api/account/settings", body).await.status;
    assert_eq!(ann.get("/api/account/settings").await.json(), json!({ "settings": null }));
    assert_eq!(set(&ann, r#"{"version":1,"text":130}"#).await, 204);
    let phone = Browser::new(&server);
    assert_eq!(phone.get("/api/account/settings").await.status, 401);
    phone.account().await;
    assert_eq!(set(&phone, "{}").await, 409, "a guest's are those of the browser");
    assert_eq!(sign_in(&phone, "Ann", PASSWORD).await.0, 200);
    let kept = json!({ "version": 1, "text": 130 });
    assert_eq!(phone.get("/api/account/settings").await.json(), json!({ "settings": kept }));
    assert_eq!(ann.get("/api/account/export").await.json()["settings"], kept);

    let long = json!({ "keys": "x".repeat(4096) }).to_string();
    for (body, status) in [("[1]", 422), ("{", 400), (long.as_str(), 413)] {
        assert_eq!(set(&ann, body).await, status, "{body}");
    }
    assert_eq!(ann.get("/api/account/settings").await.json()["settings"], kept, "what is refused changes nothing");
    server.end().await;
}

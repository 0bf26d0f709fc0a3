//! Passkeys: making them, signing in without a name, and what is refused.

use serde_json::{Value, json};

use super::authenticator::{Asked, Authenticator};
use super::browser::Browser;
use crate::scene::Server;

/// A browser that reaches the server by a name, and its page's origin.
fn at<'a>(server: &'a Server, name: &str) -> (Browser<'a>, String) {
    let host = format!("{name}:{}", server.address().port());
    let origin = format!("http://{host}");
    (Browser::with(server, &[("host", &host), ("origin", &origin)]), origin)
}

async fn begin(browser: &Browser<'_>, path: &str, body: &Value) -> Value {
    let begun = browser.post(path, body).await;
    assert_eq!(begun.status, 200, "{}", begun.text());
    begun.json()
}

/// Makes a passkey. Returns it with the status and the text of the answer.
async fn make(browser: &Browser<'_>, origin: &str, body: &Value, number: u8) -> (Authenticator, u16, Value) {
    let begun = begin(browser, "/api/account/passkeys/begin", body).await;
    let (passkey, credential) = Authenticator::make(&Asked { origin, options: &begun["options"]["publicKey"] }, number);
    let made = json!({ "ceremony": begun["ceremony"], "credential": credential, "label": "phone" });
    let reply = browser.post("/api/account/passkeys/finish", &made).await;
    (passkey, reply.status, reply.json())
}

/// Signs in with a passkey, from a page of this origin.
async fn sign_in(browser: &Browser<'_>, origin: &str, passkey: &mut Authenticator) -> (u16, Value) {
    let begun = begin(browser, "/api/account/sign-in/passkey/begin", &Value::Null).await;
    let credential = passkey.sign_in(&Asked { origin, options: &begun["options"]["publicKey"] });
    let answer = json!({ "ceremony": begun["ceremony"], "credential": credential });
    let reply = browser.post("/api/account/sign-in/passkey/finish", &answer).await;
    (reply.status, reply.json())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_keeps_its_name_by_a_passkey_and_signs_in_without_a_name() {
    let server = Server::start().await;
    let (ann, origin) = at(&server, "localhost");
    assert_eq!(ann.get("/api/account/sign-in").await.json()["passkeys"], true);
    let guest = ann.account().await;
    let before = ann.elsewhere(&[]);
    let begun = begin(&ann, "/api/account/passkeys/begin", &json!({ "name": "Ann" })).await;
    let selection = &begun["options"]["publicKey"]["authenticatorSelection"];
    assert_eq!((&selection["residentKey"], &selection["userVerification"]), (&json!("required"), &json!("required")));
    let (mut passkey, status, account) = make(&ann, &origin, &json!({ "name": "Ann" }), 1).await;
    assert_eq!(status, 200, "{account}");
    assert_eq!((&account["id"], &account["name"], &account["keeps_name"]), (&guest["id"], &json!("Ann"), &json!(true)));
    assert_eq!(before.get("/api/account").await.status, 401, "the guest's secret is worth nothing");

    let (phone, _) = at(&server, "localhost");
    let guest_there = phone.account().await;
    let (status, found) = sign_in(&phone, &origin, &mut passkey).await;
    assert_eq!((status, &found["id"]), (200, &guest["id"]), "{found}");
    assert_ne!(found["id"], guest_there["id"]);
    let (second, status, _) = make(&phone, &origin, &json!({}), 2).await;
    assert_eq!((status, second.count), (200, 0), "right after signing in nothing more is asked");
    let known = phone.get("/api/account").await.json();
    assert_eq!(
        (known["passkeys"].as_array().map(Vec::len), &known["passkeys"][0]["label"]),
        (Some(2), &json!("phone"))
    );

    let remove = async |id: &Value| {
        let path = format!("/api/account/passkeys/{}", id.as_str().expect("an id"));
        phone.ask("DELETE", &path, "{}").await.status
    };
    assert_eq!(remove(&json!("ff")).await, 404);
    assert_eq!(remove(&known["passkeys"][0]["id"]).await, 204);
    assert_eq!(remove(&known["passkeys"][1]["id"]).await, 409, "the last way in");
    assert_eq!(sign_in(&phone, &origin, &mut passkey).await.0, 401, "removed");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_passkey_is_bound_to_the_name_of_the_server() {
    let server = Server::start_with(|config| config.public_host = vec!["game.example".parse().expect("a name")]).await;
    let (at_address, _) = at(&server, "127.0.0.1");
    at_address.account().await;
    assert_eq!(at_address.get("/api/account/sign-in").await.json()["passkeys"], false);
    let refused = at_address.post("/api/account/passkeys/begin", &json!({ "name": "Ann" })).await;
    assert_eq!((refused.status, &refused.json()["code"]), (409, &json!("no_passkeys")));

    let (ann, origin) = at(&server, "game.example");
    ann.account().await;
    let begun = begin(&ann, "/api/account/passkeys/begin", &json!({ "name": "Ann" })).await;
    assert_eq!(begun["options"]["publicKey"]["rp"]["id"], "game.example");
    let (mut passkey, status, _) = make(&ann, &origin, &json!({ "name": "Ann" }), 1).await;
    assert_eq!(status, 200);
    let phished = sign_in(&ann, "https://game.example.evil.example", &mut passkey).await;
    assert_eq!(phished.0, 401, "{}", phished.1);
    let (elsewhere, localhost) = at(&server, "localhost");
    assert_eq!(sign_in(&elsewhere, &localhost, &mut passkey).await.0, 401, "for another name");
    assert_eq!(sign_in(&ann, &origin, &mut passkey).await.0, 200);
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_counts_once_and_only_for_the_account_that_was_asked() {
    let server = Server::start().await;
    let ((ann, origin), (eve, _)) = (at(&server, "localhost"), at(&server, "localhost"));
    ann.account().await;
    eve.account().await;
    // Eve finishes what Ann began.
    let begun = begin(&ann, "/api/account/passkeys/begin", &json!({ "name": "Ann" })).await;
    let (_, credential) = Authenticator::make(&Asked { origin: &origin, options: &begun["options"]["publicKey"] }, 1);
    let made = json!({ "ceremony": begun["ceremony"], "credential": credential });
    assert_eq!(eve.post("/api/account/passkeys/finish", &made).await.status, 404);
    assert_eq!(ann.post("/api/account/passkeys/finish", &made).await.status, 404, "used up by the attempt");

    let (mut passkey, _, account) = make(&ann, &origin, &json!({ "name": "Ann" }), 1).await;
    // An answer that was recorded.
    let begun = begin(&ann, "/api/account/sign-in/passkey/begin", &Value::Null).await;
    let credential = passkey.sign_in(&Asked { origin: &origin, options: &begun["options"]["publicKey"] });
    let answer = json!({ "ceremony": begun["ceremony"], "credential": credential });
    let signed_in = ann.post("/api/account/sign-in/passkey/finish", &answer).await;
    assert_eq!((signed_in.status, &signed_in.json()["id"]), (200, &account["id"]), "{}", signed_in.text());
    assert_eq!(eve.post("/api/account/sign-in/passkey/finish", &answer).await.status, 404, "once");
    let again = begin(&eve, "/api/account/sign-in/passkey/begin", &Value::Null).await;
    let replayed = json!({ "ceremony": again["ceremony"], "credential": answer["credential"] });
    assert_eq!(eve.post("/api/account/sign-in/passkey/finish", &replayed).await.status, 401, "another challenge");
    // A copy of the authenticator: its counter falls behind.
    passkey.count = 0;
    assert_eq!(sign_in(&eve, &origin, &mut passkey).await.0, 401);
    passkey.count = 5;
    assert_eq!(sign_in(&eve, &origin, &mut passkey).await.0, 200);

    // The same credential for somebody else, and a name that is taken.
    let (other, _) = at(&server, "localhost");
    other.account().await;
    let taken = other.post("/api/account/passkeys/begin", &json!({ "name": "ANN" })).await;
    assert_eq!((taken.status, &taken.json()["code"]), (409, &json!("name_taken")));
    let (_, status, refused) = make(&other, &origin, &json!({ "name": "Ben" }), 1).await;
    assert_eq!(status, 409, "{refused}");
    assert_eq!(other.get("/api/account").await.json()["keeps_name"], false);
    server.end().await;
}

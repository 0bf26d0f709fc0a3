//! Signing in with an identity at a provider, a small one that runs beside the server, and the attacks that the protocol knows.

use broadside_server::config::Config;
use serde_json::{Value, json};

use super::browser::Browser;
use super::test_provider::{Answers, Provider, SECRET};
use crate::scene::{Folder, Server};

async fn start(provider: &Provider, folder: &Folder) -> Server {
    folder.put("secret", SECRET.as_bytes());
    let file = folder.0.join("secret");
    let change = |config: &mut Config| {
        config.oidc_issuer = Some(provider.issuer());
        config.oidc_client_id = Some("game".to_owned());
        config.oidc_client_secret_file = Some(file);
        config.oidc_label = "Harbor ID".to_owned();
    };
    Server::start_with(change).await
}

/// Goes to the provider as `subject` and comes back. Returns where the callback leads.
async fn visit(browser: &Browser<'_>, provider: &Provider, subject: &str) -> String {
    let begun = browser.post("/api/account/oidc/begin", &Value::Null).await;
    assert_eq!(begun.status, 200, "{}", begun.text());
    let url = begun.json()["url"].as_str().expect("a URL").to_owned();
    come_back(browser, &provider.authorize(&url, subject)).await
}

/// The provider sends the browser back: a navigation from another site, without the account's cookie, which is `Strict`.
async fn come_back(browser: &Browser<'_>, query: &str) -> String {
    let navigation = browser.elsewhere(&[("sec-fetch-site", "cross-site")]);
    navigation.forget("broadside_account");
    let reply = navigation.get(&format!("/api/account/oidc/callback?{query}")).await;
    assert_eq!(reply.status, 303, "{}", reply.text());
    reply.header("location").to_owned()
}

async fn finish(browser: &Browser<'_>, body: &Value) -> (u16, Value) {
    let reply = browser.post("/api/account/oidc/finish", body).await;
    (reply.status, reply.json())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_identity_keeps_a_name_signs_in_and_is_unlinked() {
    let (provider, folder) = (Provider::start().await, Folder::new());
    let server = start(&provider, &folder).await;
    let ann = Browser::new(&server);
    assert_eq!(ann.get("/api/account/sign-in").await.json()["provider"], "Harbor ID");
    let guest = ann.account().await;
    let sign_in = json!({ "intent": "sign_in" });
    assert_eq!(visit(&ann, &provider, "ann").await, "/account#account=provider");
    let (status, unknown) = finish(&ann, &sign_in).await;
    assert_eq!((status, &unknown["code"]), (404, &json!("unknown_identity")), "{unknown}");
    assert_eq!(finish(&ann, &json!({ "intent": "link" })).await.0, 400, "a guest needs a name");
    let (status, account) = finish(&ann, &json!({ "intent": "link", "name": "Ann" })).await;
    assert_eq!((status, &account["id"], &account["name"]), (200, &guest["id"], &json!("Ann")), "{account}");
    assert_eq!(finish(&ann, &sign_in).await.0, 404, "a flow ends");

    let phone = Browser::new(&server);
    phone.account().await;
    visit(&phone, &provider, "ann").await;
    let (status, found) = finish(&phone, &sign_in).await;
    assert_eq!((status, &found["id"]), (200, &guest["id"]), "{found}");
    let identity = phone.get("/api/account").await.json()["identities"][0].clone();
    assert_eq!(identity, json!({ "issuer": provider.issuer(), "subject": "ann" }));
    assert_eq!(phone.ask("DELETE", "/api/account/oidc", &identity.to_string()).await.status, 409, "the last way in");
    let password = json!({ "new": "four words and a ship" }).to_string();
    assert_eq!(phone.ask("PUT", "/api/account/password", &password).await.status, 200);
    assert_eq!(phone.ask("DELETE", "/api/account/oidc", &identity.to_string()).await.status, 204);
    assert_eq!(phone.ask("DELETE", "/api/account/oidc", &identity.to_string()).await.status, 404);
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_identity_of_another_account_lets_the_player_choose() {
    let (provider, folder) = (Provider::start().await, Folder::new());
    let server = start(&provider, &folder).await;
    let (ann, ben) = (Browser::new(&server), Browser::new(&server));
    for (browser, name) in [(&ann, "Ann"), (&ben, "Ben")] {
        browser.account().await;
        visit(browser, &provider, name).await;
        assert_eq!(finish(browser, &json!({ "intent": "link", "name": name })).await.0, 200);
    }
    let (own, other) = (ben.account().await["id"].clone(), ann.account().await["id"].clone());
    visit(&ben, &provider, "Ann").await;
    let (status, taken) = finish(&ben, &json!({ "intent": "link" })).await;
    assert_eq!((status, &taken["code"]), (409, &json!("identity_taken")));
    assert_eq!(ben.account().await["id"], own, "this one is kept unless the player chooses");
    assert_eq!(finish(&ben, &json!({ "intent": "sign_in" })).await.1["id"], other);
    assert_eq!(ben.account().await["id"], other);
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flow_belongs_to_one_browser_and_its_code_counts_once() {
    let (provider, folder) = (Provider::start().await, Folder::new());
    let server = start(&provider, &folder).await;
    let (ann, eve) = (Browser::new(&server), Browser::new(&server));
    ann.account().await;
    eve.account().await;
    let begin = async |browser: &Browser<'_>| {
        let begun = browser.post("/api/account/oidc/begin", &Value::Null).await.json();
        begun["url"].as_str().expect("a URL").to_owned()
    };
    // Eve has Ann open a link that would sign Ann in as Eve, with a flow of her own and without one.
    let link = provider.authorize(&begin(&eve).await, "eve");
    assert_eq!(come_back(&ann, &link).await, "/account#account=provider-refused");
    let link = provider.authorize(&begin(&eve).await, "eve");
    begin(&ann).await;
    assert_eq!(come_back(&ann, &link).await, "/account#account=provider-refused");
    let no_flow = Browser::new(&server);
    no_flow.account().await;
    assert_eq!(finish(&no_flow, &json!({ "intent": "sign_in" })).await.0, 404);
    // A page of another site cannot finish what the owner began.
    assert_eq!(visit(&ann, &provider, "ann").await, "/account#account=provider");
    let evil = ann.elsewhere(&[("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")]);
    assert_eq!(evil.post("/api/account/oidc/finish", &json!({ "intent": "link", "name": "Ann" })).await.status, 403);
    // The provider's refusal, another provider's answer, and nonsense.
    let state =
        |url: &str| url.split("state=").nth(1).and_then(|rest| rest.split('&').next()).expect("a state").to_owned();
    for answer in ["error=access_denied", "code=x&iss=https%3A%2F%2Fother.example", "", "code=x&state=y", "%ff=%00"] {
        let url = begin(&ann).await;
        let query =
            if answer.contains("state=") { answer.to_owned() } else { format!("{answer}&state={}", state(&url)) };
        assert_eq!(come_back(&ann, &query).await, "/account#account=provider-refused", "{answer}");
    }
    // A code that was used, in a flow of its own.
    let url = begin(&ann).await;
    let used = provider.authorize(&url, "ann");
    assert_eq!(come_back(&ann, &used).await, "/account#account=provider");
    assert_eq!(finish(&ann, &json!({ "intent": "link", "name": "Ann" })).await.0, 200);
    let code = used.split('&').next().expect("a code").to_owned();
    let again = format!("{code}&state={}", state(&begin(&eve).await));
    assert_eq!(come_back(&eve, &again).await, "/account#account=provider");
    let (status, refused) = finish(&eve, &json!({ "intent": "sign_in" })).await;
    assert_eq!((status, &refused["code"]), (502, &json!("provider_refused")), "{refused}");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_cannot_be_trusted_signs_nobody_in() {
    let (provider, folder) = (Provider::start().await, Folder::new());
    let server = start(&provider, &folder).await;
    let ann = Browser::new(&server);
    ann.account().await;
    visit(&ann, &provider, "ann").await;
    assert_eq!(finish(&ann, &json!({ "intent": "link", "name": "Ann" })).await.0, 200);
    for (answers, status) in [
        (Answers::OtherNonce, 502),
        (Answers::OtherAudience, 502),
        (Answers::OtherIssuer, 502),
        (Answers::Expired, 502),
        (Answers::OtherKey, 502),
        (Answers::Unsigned, 502),
        (Answers::SignedWithTheSecret, 502),
        (Answers::NoToken, 502),
        (Answers::Redirect, 502),
        (Answers::Endless, 503),
        (Answers::Honestly, 200),
    ] {
        let browser = Browser::new(&server);
        provider.answer(answers);
        visit(&browser, &provider, "ann").await;
        let (got, answer) = finish(&browser, &json!({ "intent": "sign_in" })).await;
        assert_eq!(got, status, "{answers:?}: {answer}");
        assert_eq!(browser.get("/api/account").await.status == 200, status == 200, "{answers:?}");
    }
    assert_eq!(provider.visits_to_elsewhere(), 0, "no redirect was followed");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_that_cannot_be_reached_keeps_nobody_from_playing() {
    let (provider, folder) = (Provider::start().await, Folder::new());
    let issuer = provider.issuer();
    provider.end().await;
    let change = |config: &mut Config| {
        config.oidc_issuer = Some(issuer);
        config.oidc_client_id = Some("game".to_owned());
    };
    let server = Server::start_with(change).await;
    let ann = Browser::new(&server);
    ann.account().await;
    let refused = ann.post("/api/account/oidc/begin", &Value::Null).await;
    assert_eq!((refused.status, &refused.json()["code"]), (503, &json!("provider_unavailable")), "{}", refused.text());
    assert!(!refused.header("retry-after").is_empty());
    server.end().await;
    drop(folder);

    let without = Server::start().await;
    let nobody = Browser::new(&without).post("/api/account/oidc/begin", &Value::Null).await;
    assert_eq!((nobody.status, &nobody.json()["code"]), (404, &json!("no_provider")));
    without.end().await;
}

//! Pages of other sites.

use serde_json::Value;

use super::browser::Browser;
use crate::scene::Server;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_of_another_site_changes_nothing() {
    let server =
        Server::start_with(|config| config.allow_origin = vec!["https://portal.example".parse().expect("one")]).await;
    let ann = Browser::new(&server);
    let account = ann.account().await;
    let own = format!("http://{}", server.address());
    let neighbor = format!("http://127.0.0.1:{}", server.address().port().wrapping_add(1).max(1));
    let form = "application/x-www-form-urlencoded";
    for (name, headers, status) in [
        (
            "a form",
            &[("origin", "https://evil.example"), ("sec-fetch-site", "cross-site"), ("content-type", form)][..],
            403,
        ),
        ("a script", &[("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")], 403),
        ("an embedding portal", &[("origin", "https://portal.example"), ("sec-fetch-site", "cross-site")], 403),
        ("a portal of an old browser", &[("origin", "https://portal.example"), ("sec-fetch-site", "")], 403),
        ("another port", &[("origin", &neighbor), ("sec-fetch-site", "same-site")], 403),
        ("a sandboxed frame", &[("origin", "null"), ("sec-fetch-site", "cross-site")], 403),
        ("no origin at all", &[("origin", ""), ("sec-fetch-site", "cross-site")], 403),
        ("the address bar", &[("origin", ""), ("sec-fetch-site", "none")], 403),
        ("neither header", &[("origin", ""), ("sec-fetch-site", "")], 403),
        ("a stolen origin", &[("origin", &own), ("sec-fetch-site", "cross-site")], 403),
        ("two words", &[("origin", &own), ("sec-fetch-site", "same-origin, cross-site")], 403),
        ("a form of our own", &[("origin", &own), ("content-type", form)], 415),
        ("a form that claims to be text", &[("origin", &own), ("content-type", "text/plain")], 415),
        ("no type", &[("origin", &own), ("content-type", "")], 415),
    ] {
        let reply = ann.elsewhere(headers).post("/api/account/sign-out", &Value::Null).await;
        assert_eq!(reply.status, status, "{name}: {}", reply.text());
        assert_eq!(reply.header("set-cookie"), "", "{name}");
    }
    assert_eq!(ann.account().await, account, "still signed in");

    // Nobody is made a guest, or signed in to an attacker's account, from elsewhere.
    let stranger = [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")];
    assert_eq!(Browser::with(&server, &stranger).post("/api/account/token", &Value::Null).await.status, 403);
    // A program has neither header and no cookie yet; then it says where it comes from.
    let program = Browser::with(&server, &[("origin", ""), ("sec-fetch-site", "")]);
    assert_eq!(program.post("/api/account/token", &Value::Null).await.status, 200);
    assert_eq!(program.post("/api/account/token", &Value::Null).await.status, 403);
    assert_eq!(program.elsewhere(&[("sec-fetch-site", "")]).post("/api/account/token", &Value::Null).await.status, 200);
    server.end().await;
}

//! Trusted proxies, and the origins that may connect.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use broadside_server::net::bounds::HEAD_MAX;
use broadside_shared::protocol::codec::encode_client;
use broadside_shared::protocol::message::ClientMsg;
use broadside_shared::protocol::name::Name;
use broadside_shared::protocol::room::{Role, RoomChoice};
use broadside_shared::protocol::{REVISION, SUBPROTOCOL};
use futures_util::SinkExt;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tracing_subscriber::fmt::MakeWriter;

use crate::handshake::shake;
use crate::scene::{Server, within};

/// The log of this test program.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Log;

    fn make_writer(&'a self) -> Log {
        self.clone()
    }
}

impl Log {
    /// Number of lines with this text.
    fn count(&self, text: &str) -> usize {
        let log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&log).lines().filter(|line| line.contains(text)).count()
    }

    /// Waits for the first line with this text.
    async fn line_with(&self, text: &str) -> String {
        within("a line in the log", async {
            loop {
                let log = String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned();
                if let Some(line) = log.lines().find(|line| line.contains(text)) {
                    return line.to_owned();
                }
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        })
        .await
    }
}

/// Joins through a proxy that sends `forwarded`; `agent` identifies the client in the log.
async fn join_through(server: &Server, agent: &str, forwarded: &str) {
    let mut request = format!("ws://{}/ws", server.address()).into_client_request().expect("a fine address");
    for (name, value) in [("sec-websocket-protocol", SUBPROTOCOL), ("x-forwarded-for", forwarded)] {
        request.headers_mut().insert(name, ::http::HeaderValue::from_str(value).expect("visible"));
    }
    let stream = server.stream().await;
    let (mut socket, _) = tokio_tungstenite::client_async(request, stream).await.expect("the server lets us in");
    let name = Name::new("Visitor").expect("a fine name");
    let hello = ClientMsg::Hello { revision: REVISION, agent: agent.to_owned(), resume: None, account: None };
    for msg in [hello, ClientMsg::Join { name, room: RoomChoice::Quick, role: Role::Play }] {
        socket.send(Message::Binary(encode_client(&msg).into())).await.expect("the server stays");
    }
    server.until("players", |players| players >= 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trusted_proxy_is_believed_and_the_log_shows_what_a_misconfigured_one_breaks() {
    let log = Log::default();
    let logs = tracing_subscriber::fmt().with_writer(log.clone()).with_ansi(false).finish();
    tracing::subscriber::set_global_default(logs).expect("no other scene looks at the log");
    let wary = Server::start().await;
    join_through(&wary, "wary", "203.0.113.9").await;
    let line = log.line_with("wary").await;
    assert!(line.contains("address=127.0.0.1:"), "{line}");
    wary.end().await;
    let trusting =
        Server::start_with(|config| config.trust_proxy = vec!["127.0.0.0/8".parse().expect("a network")]).await;
    join_through(&trusting, "trusting", "192.0.2.1, 203.0.113.9, 127.0.0.5").await;
    let line = log.line_with("trusting").await;
    assert!(line.contains("address=203.0.113.9:0"), "{line}");
    // A proxy that changes `Host`; its page retries.
    for _ in 0..3 {
        let rewritten = [("host", "localhost:8080"), ("origin", "https://game.example")];
        assert_eq!(shake(&trusting, &rewritten).await.status, 101);
    }
    let line = log.line_with("https://game.example").await;
    for part in ["WARN", "--allow-origin", "--public-host", "host=\"localhost:8080\""] {
        assert!(line.contains(part), "{part} in {line}");
    }
    assert_eq!(log.count("https://game.example"), 1, "each origin once");
    trusting.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_allowed_origins_may_connect() {
    let server =
        Server::start_with(|config| config.allow_origin = vec!["https://portal.example".parse().expect("one")]);
    let server = server.await;
    assert_eq!(shake(&server, &[("origin", "https://portal.example")]).await.status, 101);
    assert_eq!(shake(&server, &[("origin", &format!("http://{}", server.address()))]).await.status, 101);
    assert_eq!(shake(&server, &[]).await.status, 101);
    assert_eq!(server.metrics().origin_refusals.get(), 0);
    assert_eq!(shake(&server, &[("origin", "http://portal.example")]).await.status, 101);
    // The origin must match as a whole.
    let long = format!("https://portal.example{}", ".example".repeat(HEAD_MAX / 16));
    assert_eq!(shake(&server, &[("origin", &long)]).await.status, 101);
    assert_eq!(server.metrics().origin_refusals.get(), 2, "both are closed with a code");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_scheme_of_a_page_must_match_where_it_is_known() {
    let by = |host: &'static str, origin: &'static str, proto: &'static str| {
        [("host", host), ("origin", origin), ("x-forwarded-proto", proto)]
    };
    let public_host = || vec!["game.example".parse().expect("a name")];
    let server = Server::start_with(|config| {
        config.trust_proxy = vec!["127.0.0.1".parse().expect("an address")];
        config.public_host = public_host();
    })
    .await;
    let mut refused = 0;
    for (origin, proto, is_refused) in [
        ("https://game.example", "https", false),
        ("http://game.example", "https", true),
        ("https://game.example", "http", true),
        ("http://game.example", "", false),
    ] {
        let reply = shake(&server, &by("game.example", origin, proto)).await;
        refused += u64::from(is_refused);
        let counted = (reply.status, server.metrics().origin_refusals.get());
        assert_eq!(counted, (101, refused), "{origin} by {proto:?}: {}", reply.text());
    }
    server.end().await;
    let server = Server::start_secure_with(|config| config.public_host = public_host()).await;
    for (origin, refused) in [("https://game.example", 0), ("http://game.example", 1)] {
        // An untrusted peer cannot vouch for a page.
        assert_eq!(shake(&server, &by("game.example", origin, "http")).await.status, 101, "{origin}");
        assert_eq!(server.metrics().origin_refusals.get(), refused, "{origin}");
    }
    server.end().await;
}

//! The WebSocket handshake: accepted, refused, and recorded.

use ::http::HeaderValue;
use broadside_bots::socket::{PlayError, Socket, connect};
use broadside_server::net::bounds::SPARE_CONNECTIONS;
use broadside_shared::protocol::SUBPROTOCOL;
use broadside_shared::protocol::close::CloseCode;
use broadside_shared::protocol::handshake::Handshake;
use broadside_shared::protocol::message::{ClientMsg, Outcome, Refusal, Request, ServerMsg};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::closing::meant;
use crate::http::{Reply, ask, ask_over, get, request};
use crate::scene::{Server, bare, close_of, greet, hear, is_let_in, say, within};

/// Sends a handshake as a browser does, with these headers in place of those of the same name; "" omits a header.
pub(crate) async fn shake(server: &Server, changes: &[(&str, &str)]) -> Reply {
    let good = [
        ("connection", "Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("sec-websocket-protocol", SUBPROTOCOL),
    ];
    let changed = |name: &str| changes.iter().find(|(n, _)| *n == name).map(|(_, value)| *value);
    let kept = good.iter().filter(|(name, _)| changed(name).is_none());
    let headers: Vec<(&str, &str)> =
        kept.chain(changes).filter(|(name, value)| !value.is_empty() && *name != "host").copied().collect();
    let host = changed("host").map_or_else(|| server.address().to_string(), str::to_owned);
    ask_over(server.stream().await, &request(&host, "GET", "/ws", &headers)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_valid_handshake_is_answered_with_the_subprotocol() {
    let server = Server::start().await;
    let reply = shake(&server, &[("sec-websocket-protocol", "chat, broadside.v1")]).await;
    assert_eq!(reply.status, 101, "{}", reply.text());
    assert_eq!(reply.header("sec-websocket-protocol"), SUBPROTOCOL);
    // The example of RFC 6455, section 1.3.
    assert_eq!(reply.header("sec-websocket-accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    let same_origin = format!("http://{}", server.address());
    assert_eq!(shake(&server, &[("origin", &same_origin)]).await.status, 101);
    server.end().await;
}

/// Requests the record of the handshake.
async fn shown(socket: &mut Socket) -> Result<Handshake, Refusal> {
    greet(socket).await;
    say(socket, &ClientMsg::Request { id: 7, request: Request::Handshake }).await;
    loop {
        match hear(socket).await {
            ServerMsg::Handshake(handshake) => return Ok(handshake),
            ServerMsg::Reply { id: 7, outcome: Outcome::Refused(why) } => return Err(why),
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handshake_is_recorded_on_request_and_without_secrets() {
    let server = Server::start().await;
    assert_eq!(shown(&mut bare(&server).await).await, Err(Refusal::NotAllowed));
    let mut request = format!("{}?wire=1", server.target()).into_client_request().expect("a fine address");
    request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static(SUBPROTOCOL));
    request.headers_mut().insert("cookie", HeaderValue::from_static("key=secret"));
    let (mut socket, _) =
        tokio_tungstenite::client_async(request, server.stream().await).await.expect("the server lets us in");
    let handshake = shown(&mut socket).await.expect("it was kept");
    assert_eq!(handshake.request, "GET /ws?wire=1 HTTP/1.1");
    assert_eq!(handshake.response, "HTTP/1.1 101 Switching Protocols");
    let protocol = ("sec-websocket-protocol".to_owned(), SUBPROTOCOL.to_owned());
    assert!(handshake.asked.contains(&protocol) && handshake.answered.contains(&protocol), "{handshake:?}");
    assert!(!format!("{handshake:?}").contains("secret"));
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn list_headers_may_span_several_lines() {
    let server = Server::start().await;
    for changes in [
        &[("connection", "keep-alive"), ("connection", "Upgrade")][..],
        &[("connection", "TE,\tUpgrade")],
        &[("upgrade", "h2c, websocket")],
        &[("upgrade", "h2c"), ("upgrade", "websocket")],
        &[("sec-websocket-protocol", "chat"), ("sec-websocket-protocol", SUBPROTOCOL)],
    ] {
        let reply = shake(&server, changes).await;
        assert_eq!(reply.status, 101, "{changes:?}: {}", reply.text());
        assert_eq!(reply.header("sec-websocket-accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "{changes:?}");
    }
    for name in ["sec-websocket-key", "sec-websocket-version"] {
        let twice = [(name, "13"), (name, "13")];
        let reply = shake(&server, &twice).await;
        assert_eq!(reply.status, 400, "{name}: {}", reply.text());
    }
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invalid_handshake_is_refused_with_a_status_and_a_reason() {
    let server = Server::start().await;
    for (changes, status, says) in [
        (&[("upgrade", ""), ("connection", "")][..], 426, "connect with ws://"),
        (&[("upgrade", "h2c")], 426, "connect with ws://"),
        (&[("sec-websocket-version", "8")], 426, "Sec-WebSocket-Version must be 13"),
        (&[("sec-websocket-version", "")], 426, "Sec-WebSocket-Version must be 13"),
        (&[("sec-websocket-protocol", "")], 400, "must offer broadside.v1"),
        (&[("sec-websocket-protocol", "broadside.v2")], 400, "must offer broadside.v1"),
        (&[("sec-websocket-key", "")], 400, "must be 16 bytes in base64"),
        (&[("sec-websocket-key", "short")], 400, "must be 16 bytes in base64"),
        // A request of another origin that is not a WebSocket gets the refusal as a response.
        (&[("origin", "http://evil.example"), ("upgrade", "")], 403, "open the game from this server"),
        (&[("origin", "http://127.0.0.1"), ("connection", "")], 403, "--allow-origin http://127.0.0.1"),
    ] {
        let reply = shake(&server, changes).await;
        assert_eq!(reply.status, status, "{changes:?}: {}", reply.text());
        assert!(reply.text().contains(says), "{changes:?}: {}", reply.text());
        assert_eq!(reply.header("content-type"), "application/problem+json", "{changes:?}");
    }
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_of_another_origin_is_upgraded_and_closed_with_a_code() {
    let server = Server::start().await;
    for (count, origin) in (1..).zip(["http://evil.example", "null", "http://127.0.0.1", "https://game.example"]) {
        let mut request = server.target().to_string().into_client_request().expect("a fine address");
        request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static(SUBPROTOCOL));
        request.headers_mut().insert("origin", HeaderValue::from_static(origin));
        let (mut socket, _) =
            tokio_tungstenite::client_async(request, server.stream().await).await.expect("the handshake is taken");
        assert_eq!(close_of(&mut socket).await, meant(CloseCode::WrongOrigin), "{origin}");
        assert_eq!(server.metrics().origin_refusals.get(), count, "{origin}");
    }
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plain_get_of_the_websocket_gets_426() {
    let server = Server::start().await;
    let reply = get(server.address(), "/ws", &[]).await;
    assert_eq!(reply.status, 426);
    assert_eq!(reply.header("upgrade"), "websocket");
    let posted = ask(server.address(), "POST", "/ws", &[]).await;
    assert_eq!((posted.status, posted.header("allow")), (405, "GET"));
    let old =
        request(&server.address().to_string(), "GET", "/ws", &[("connection", "upgrade"), ("upgrade", "websocket")]);
    let old = ask_over(server.stream().await, &old.replace("HTTP/1.1", "HTTP/1.0")).await;
    assert_eq!((old.status, old.header("upgrade"), old.header("sec-websocket-version")), (426, "websocket", "13"));
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_beyond_the_maximum_gets_a_close_code_and_a_freed_place_is_reused() {
    let server = Server::start_with(|config| config.max_connections = 1).await;
    let mut first = bare(&server).await;
    greet(&mut first).await;
    let mut second = bare(&server).await;
    assert_eq!(close_of(&mut second).await, (4008, "server is full".to_owned()));
    drop(second);
    // Beyond the spare connections nothing is upgraded.
    let mut idle = Vec::new();
    for _ in 0..SPARE_CONNECTIONS {
        idle.push(TcpStream::connect(server.address()).await.expect("it listens"));
    }
    let full = async { while get(server.address(), "/healthz", &[]).await.status != 503 {} };
    within("the last places to be taken", full).await;
    let reply = get(server.address(), "/healthz", &[]).await;
    assert_eq!((reply.status, reply.header("retry-after")), (503, "10"), "{}", reply.text());
    let refused = connect(&server.target()).await.expect_err("every place is taken");
    let PlayError::Handshake { cause, .. } = refused else { panic!("{refused}") };
    assert!(cause.contains("503") && cause.contains("server is full"), "{cause}");
    drop(idle);
    drop(first);
    let free = async {
        loop {
            if let Ok(mut socket) = connect(&server.target()).await
                && is_let_in(&mut socket).await
            {
                return;
            }
        }
    };
    within("the place to be free again", free).await;
    server.end().await;
}

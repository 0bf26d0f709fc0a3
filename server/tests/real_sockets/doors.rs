//! Checks of every request, and headers of every response.

use tokio::net::TcpStream;

use crate::http::{Reply, ask, ask_over, get, request};
use crate::scene::Server;

/// Sends these bytes and reads one response.
async fn raw(server: &Server, bytes: &str) -> Reply {
    ask_over(server.stream().await, bytes).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_host_is_refused_on_every_path() {
    let named = |config: &mut broadside_server::config::Config| {
        config.public_host = vec!["game.example".parse().expect("a name")];
        config.metrics_allow = vec!["127.0.0.1".parse().expect("an address")];
    };
    let server = Server::start_with(named).await;
    for path in ["/", "/r/K7QF2M", "/ws", "/healthz", "/readyz", "/metrics", "/api/rooms", "/api/openapi.json", "/no"] {
        let foreign = raw(&server, &request("evil.example:8080", "GET", path, &[])).await;
        assert_eq!((foreign.status, foreign.header("content-type")), (421, "application/problem+json"), "{path}");
        assert!(foreign.text().contains("--public-host evil.example"), "{path}: {}", foreign.text());
        for name in ["game.example", "GAME.example:8080", "localhost", "[::1]:8080", "192.0.2.1"] {
            let ours = raw(&server, &request(name, "GET", path, &[])).await;
            assert_ne!(ours.status, 421, "{path} at {name}: {}", ours.text());
        }
    }
    for path in ["/api/rooms", "/api/quickplay", "/api/notices"] {
        let headers = [("content-type", "application/json"), ("content-length", "16")];
        let posted = raw(&server, &(request("evil.example", "POST", path, &headers) + r#"{"mode": "duel"}"#)).await;
        assert_eq!(posted.status, 421, "{path}: {}", posted.text());
    }
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_of_another_origin_cannot_change_state() {
    let server = Server::start().await;
    let post = async |origin: &str| {
        let (json, length) = (("content-type", "application/json"), ("content-length", "16"));
        let host = server.address().to_string();
        let head = request(&host, "POST", "/api/rooms", &[json, length, ("origin", origin)]);
        raw(&server, &(head + r#"{"mode": "duel"}"#)).await
    };
    for origin in ["http://evil.example", "null", "http://localhost"] {
        let refused = post(origin).await;
        assert_eq!(refused.status, 403, "{origin}: {}", refused.text());
    }
    assert_eq!(post(&format!("http://{}", server.address())).await.status, 201);
    assert_eq!(post("").await.status, 201, "programs name no page");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ambiguous_request_is_refused() {
    let server = Server::start().await;
    for (head, status) in [
        ("GET / HTTP/1.1\r\nhost: localhost\r\n", 200),
        ("GET / HTTP/1.0\r\n", 200),
        ("GET http://localhost/ HTTP/1.1\r\nhost: localhost\r\n", 200),
        ("GET / HTTP/1.1\r\n", 400),
        ("GET / HTTP/1.1\r\nhost:\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: localhost\r\nhost: localhost\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: localhost, localhost\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: localhost\r\nhost: evil.example\r\n", 400),
        ("GET / HTTP/1.0\r\nhost: localhost\r\nhost: localhost\r\n", 400),
        ("GET http://evil.example/ HTTP/1.1\r\nhost: localhost\r\n", 400),
        ("GET http://localhost/ HTTP/1.1\r\nhost: evil.example\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: localhost\r\norigin: http://localhost\r\norigin: http://localhost\r\n", 400),
        ("POST /api/rooms HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: gzip, chunked\r\n", 501),
        (
            "POST /api/rooms HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: gzip\r\ntransfer-encoding: chunked\r\n",
            501,
        ),
        ("POST /api/rooms HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked, chunked\r\n", 501),
        ("POST /api/rooms HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: identity, chunked\r\n", 501),
        ("POST /api/rooms HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked, gzip\r\n", 400),
        ("POST /api/rooms HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\ncontent-length: 2\r\n", 400),
        ("POST /api/rooms HTTP/1.1\r\nhost: localhost\r\ncontent-length: +1\r\n", 400),
        ("POST /api/rooms HTTP/1.0\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n", 400),
        ("GET / HTTP/1.1\r\nhost : localhost\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: localhost\r\nx: y\r\n z\r\n", 400),
        ("nonsense\r\n", 400),
    ] {
        let reply = raw(&server, &format!("{head}\r\n")).await;
        assert_eq!(reply.status, status, "{head:?}: {}", reply.text());
        if status >= 400 {
            assert_eq!(reply.header("content-type"), "application/problem+json", "{head:?}");
            assert_eq!(reply.header("connection"), "close", "{head:?}");
        }
    }
    let chunked = "POST /api/rooms HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
                   transfer-encoding: Chunked\r\n\r\n10\r\n{\"mode\": \"duel\"}\r\n0\r\n\r\n";
    assert_eq!(raw(&server, chunked).await.status, 201, "chunks alone are fine");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_response_has_the_security_headers() {
    let server = Server::start().await;
    let long = "x".repeat(20 * 1024);
    let length = [("content-length", "99999")];
    let host = server.address().to_string();
    for (status, asked) in [
        (200, request(&host, "GET", "/", &[])),
        (200, request(&host, "HEAD", "/", &[])),
        (304, request(&host, "GET", "/", &[("if-none-match", "*")])),
        (412, request(&host, "GET", "/", &[("if-match", "\"x\"")])),
        (406, request(&host, "GET", "/", &[("accept-encoding", "identity;q=0")])),
        (200, request(&host, "GET", "/api/rooms", &[])),
        (200, request(&host, "GET", "/api/openapi.json", &[])),
        (200, request(&host, "GET", "/healthz", &[])),
        (401, request(&host, "GET", "/metrics", &[])),
        (404, request(&host, "GET", "/no", &[])),
        (404, request(&host, "GET", "/api/no", &[])),
        (404, request(&host, "GET", "/api/rooms/99", &[])),
        (405, request(&host, "POST", "/healthz", &[])),
        (405, request(&host, "DELETE", "/", &[])),
        (405, request(&host, "OPTIONS", "*", &[])),
        (415, request(&host, "POST", "/api/rooms", &[])),
        (413, request(&host, "POST", "/api/rooms", &[("content-type", "application/json"), length[0]])),
        (426, request(&host, "GET", "/ws", &[])),
        (421, request("evil.example", "GET", "/", &[])),
        (400, request("", "GET", "/", &[])),
        (400, "nonsense\r\n\r\n".to_owned()),
        (431, request(&host, "GET", "/", &[("x-long", &long)])),
    ] {
        let what: String = asked.chars().take(60).collect();
        let reply = raw(&server, &asked).await;
        assert_eq!(reply.status, status, "{what:?}: {}", reply.text());
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "same-origin"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("x-frame-options", "DENY"),
        ] {
            assert_eq!(reply.header(name), value, "{name} of {what:?}");
        }
        assert!(reply.header("permissions-policy").contains("camera=()"), "{what:?}");
        let policy = reply.header("content-security-policy");
        for directive in ["default-src", "object-src 'none'", "frame-ancestors 'none'", "form-action", "base-uri"] {
            assert!(policy.contains(directive), "{directive} of {what:?}: {policy}");
        }
        assert!(!policy.split([' ', ';']).any(|source| ["ws:", "wss:", "*"].contains(&source)), "{policy}");
        if status >= 400 {
            assert_eq!(reply.header("content-type"), "application/problem+json", "{what:?}");
            assert!(reply.text().contains(&format!("\"status\":{status}")), "{what:?}: {}", reply.text());
        }
        if status == 405 {
            assert!(!reply.header("allow").is_empty(), "{what:?}");
        }
    }
    let page = get(server.address(), "/", &[]).await;
    let connects = format!("connect-src 'self' ws://{host} wss://{host};");
    assert!(page.header("content-security-policy").contains(&connects), "{}", page.header("content-security-policy"));
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_plain_http_port_does_not_redirect_to_foreign_hosts() {
    let server = Server::start_secure_with(|config| {
        config.redirect_http = Some(0);
        config.public_host = vec!["game.example".parse().expect("a name")];
    })
    .await;
    for (host, status) in [("game.example", 308), ("127.0.0.1", 308), ("evil.example", 421), ("a b", 400)] {
        let stream = TcpStream::connect(server.redirect()).await.expect("it listens");
        let reply = ask_over(stream, &request(host, "GET", "/x", &[])).await;
        assert_eq!(reply.status, status, "{host}: {}", reply.text());
        assert_eq!(reply.header("x-content-type-options"), "nosniff", "{host}");
        assert_eq!(reply.header("location").is_empty(), status != 308, "{host}");
    }
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_with_a_file_in_any_coding_does_not_get_it_again() {
    let server = Server::start().await;
    for (name, bytes) in [("a.js", "plain"), ("a.js.br", "as brotli"), ("a.js.gz", "as gzip")] {
        server.folder.put(name, bytes.as_bytes());
    }
    let packed = [("accept-encoding", "gzip, br")];
    let (plain, brotli) = (get(server.address(), "/a.js", &[]).await, get(server.address(), "/a.js", &packed).await);
    let (plain, brotli) = (plain.header("etag").to_owned(), brotli.header("etag").to_owned());
    assert_ne!(plain, brotli, "other bytes, another strong tag");
    // Tags as rewritten by compressing proxies: weak, as by nginx, or with the coding appended, as by Apache.
    let marked = format!("{}-gzip\"", plain.trim_end_matches('"'));
    let both = format!("\"x\",\t{plain}");
    for (known, ours) in [
        (brotli.clone(), &brotli),
        (format!("W/{brotli}"), &brotli),
        (format!("W/{plain}"), &plain),
        (marked, &plain),
        (both, &plain),
        ("*".to_owned(), &brotli),
    ] {
        for method in ["GET", "HEAD"] {
            let headers = [packed[0], ("if-none-match", known.as_str())];
            let reply = ask(server.address(), method, "/a.js", &headers).await;
            assert_eq!((reply.status, reply.body.len(), reply.header("etag")), (304, 0, ours.as_str()), "{known}");
            assert_eq!((reply.header("vary"), reply.header("content-encoding")), ("accept-encoding", ""), "{known}");
        }
    }
    let head = ask(server.address(), "HEAD", "/a.js", &packed).await;
    assert_eq!((head.status, head.header("content-length"), head.header("content-encoding")), (200, "9", "br"));
    let other = get(server.address(), "/a.js", &[("if-none-match", "\"x\", W/\"y\"")]).await;
    assert_eq!((other.status, other.text().as_str()), (200, "plain"));
    for path in ["/api/openapi.json", "/"] {
        let first = get(server.address(), path, &[]).await;
        let known = format!("\"x\", W/{}", first.header("etag"));
        let again = get(server.address(), path, &[("if-none-match", &known)]).await;
        assert_eq!((first.status, again.status, again.body.len()), (200, 304, 0), "{path}");
    }
    server.end().await;
}

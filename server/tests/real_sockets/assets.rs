//! Files, health and rooms over HTTP.

use crate::http::{ask, ask_over, get, request};
use crate::scene::{Server, bare, sit};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_has_its_media_type_and_is_not_sent_twice() {
    let server = Server::start().await;
    let first = get(server.address(), "/", &[]).await;
    assert_eq!((first.status, first.header("content-type")), (200, "text/html; charset=utf-8"));
    assert!(first.text().contains("<title>test</title>"));
    let tag = first.header("etag");
    assert!(!tag.is_empty());
    let again = get(server.address(), "/", &[("if-none-match", tag)]).await;
    assert_eq!((again.status, again.body.len()), (304, 0));

    // A new build shows at once.
    server.folder.put("index.html", b"<!doctype html><title>newer</title>");
    let newer = get(server.address(), "/index.html", &[("if-none-match", tag)]).await;
    assert_eq!(newer.status, 200);
    assert!(newer.text().contains("newer"));
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_precompressed_file_is_sent_to_clients_that_accept_it() {
    let server = Server::start().await;
    for (name, bytes) in [("a.js", "plain"), ("a.js.br", "as brotli"), ("a.js.gz", "as gzip"), ("b.wasm", "\0asm")] {
        server.folder.put(name, bytes.as_bytes());
    }
    for (accepted, coding, body) in [
        ("gzip, deflate, br, zstd", "br", "as brotli"),
        ("gzip;q=1.0", "gzip", "as gzip"),
        ("gzip, br;q=0", "gzip", "as gzip"),
        ("gzip;q=0.2, br;q=0.1", "gzip", "as gzip"),
        ("br;q=0, gzip;q=0", "", "plain"),
        ("identity", "", "plain"),
        ("", "", "plain"),
    ] {
        let reply = get(server.address(), "/a.js", &[("accept-encoding", accepted)]).await;
        assert_eq!((reply.header("content-encoding"), reply.text().as_str()), (coding, body), "{accepted:?}");
        assert_eq!(reply.header("content-type"), "text/javascript; charset=utf-8", "{accepted:?}");
        assert_eq!(reply.header("vary"), "accept-encoding", "{accepted:?}");
    }
    let wasm = get(server.address(), "/b.wasm", &[("accept-encoding", "br")]).await;
    assert_eq!((wasm.header("content-type"), wasm.header("content-encoding")), ("application/wasm", ""));
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_file_outside_the_folder_and_no_hidden_file_is_served() {
    let server = Server::start().await;
    server.folder.put(".secret", b"no");
    for path in
        ["/../Cargo.toml", "/.git/config", "/.secret", "/%2e%2e/Cargo.toml", "//etc/passwd", "/a/../../x", "/no"]
    {
        let reply = get(server.address(), path, &[]).await;
        assert_eq!(reply.status, 404, "{path}: {}", reply.text());
        assert_eq!(reply.header("content-type"), "application/problem+json", "{path}");
    }
    assert_eq!(ask(server.address(), "DELETE", "/index.html", &[]).await.status, 405);
    assert_eq!(get(server.address(), "/api/no", &[]).await.status, 404);
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_also_served_below_the_base_path() {
    let server = Server::start_with(|config| config.base_path = "/game".parse().expect("a path")).await;
    let bare = get(server.address(), "/game?name=Ann", &[]).await;
    assert_eq!((bare.status, bare.header("location")), (308, "/game/?name=Ann"));
    for path in ["/", "/game/", "/game/r/K7QF2M", "/r/K7QF2M"] {
        assert!(get(server.address(), path, &[]).await.text().contains("<title>test</title>"), "{path}");
    }
    for path in ["/healthz", "/game/healthz", "/game/api/rooms"] {
        let reply = get(server.address(), path, &[]).await;
        assert_eq!((reply.status, reply.header("content-type")), (200, "application/json"), "{path}");
    }
    assert_eq!(get(server.address(), "/games/healthz", &[]).await.status, 404);
    let room = r#"{"mode":"duel","private":true}"#;
    let headers = [("content-type", "application/json"), ("content-length", &room.len().to_string())];
    let post = request(&server.address().to_string(), "POST", "/game/api/rooms", &headers) + room;
    let stream = tokio::net::TcpStream::connect(server.address()).await.expect("the server listens");
    let opened = ask_over(stream, &post).await;
    let room: serde_json::Value = serde_json::from_slice(&opened.body).expect("a room is JSON");
    let code = room["code"].as_str().expect("it has a code");
    assert_eq!(opened.header("location"), format!("/game/api/rooms/{code}"));
    assert_eq!(room["link"], format!("/game/r/{code}"));
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_and_rooms_show_player_counts() {
    let server = Server::start_with(|config| config.snapshot_every = Some(3)).await;
    let mut seated = bare(&server).await;
    sit(&mut seated, "Ann").await;
    server.until("players", |players| players == 1).await;
    let room = server.room().await;
    for (key, value) in [("id", 1), ("capacity", 2000), ("tick_hz", 60), ("snapshot_every", 3)] {
        assert_eq!(room[key], value, "{key} in {room}");
    }
    let reply = get(server.address(), "/healthz", &[]).await;
    assert_eq!(reply.status, 200);
    let health: serde_json::Value = serde_json::from_slice(&reply.body).expect("health is JSON");
    assert_eq!((&health["status"], &health["players"]), (&"ok".into(), &1.into()), "{health}");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_head_that_is_too_long_is_refused() {
    let server = Server::start().await;
    let long = "x".repeat(20 * 1024);
    let reply = get(server.address(), "/", &[("x-long", &long)]).await;
    assert_eq!((reply.status, reply.header("content-type")), (431, "application/problem+json"));
    assert!(reply.text().contains("16384 bytes"), "{}", reply.text());
    server.end().await;
}

//! Limits per address: the address is refused beyond them, and others keep their share. The addresses are from 127.0.0.0/8.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;

use ::http::HeaderValue;
use broadside_bots::socket::{Socket, Stream};
use broadside_server::config::Config;
use broadside_server::metrics::labels::AddressLimit;
use broadside_shared::ids::RoomId;
use broadside_shared::protocol::REVISION;
use broadside_shared::protocol::SUBPROTOCOL;
use broadside_shared::protocol::close::CloseCode;
use broadside_shared::protocol::message::{ClientMsg, Request, Resume, ServerMsg, ServerNotice};
use broadside_shared::protocol::name::Name;
use broadside_shared::protocol::room::{Role, RoomChoice, RoomCode};
use broadside_shared::protocol::token::Token;
use broadside_shared::time::Tick;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Duration, Instant};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::closing::meant;
use crate::http::{Reply, ask_over, request};
use crate::scene::{Server, ask, close_of, greet, hear, is_let_in, look_until, say, seat_of, within};

/// A server without exempt addresses.
async fn limited(change: impl FnOnce(&mut Config)) -> Server {
    Server::start_with(|config| {
        config.limit_exempt.clear();
        change(config);
    })
    .await
}

/// A silent connection from 127.0.0.`from`.
async fn stream(server: &Server, from: u8) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("the system has sockets");
    socket.bind(SocketAddr::from(([127, 0, 0, from], 0))).expect("all of 127.0.0.0/8 is this machine");
    socket.connect(server.address()).await.expect("the server listens")
}

/// A WebSocket from 127.0.0.`from`, forwarded for `client` if that is not empty.
async fn websocket(server: &Server, from: u8, client: &str) -> Socket {
    let stream = stream(server, from).await;
    let stream: Stream = if server.tls.is_some() { Box::new(server.secure(stream).await) } else { Box::new(stream) };
    let mut request = server.target().to_string().into_client_request().expect("a fine address");
    request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static(SUBPROTOCOL));
    if !client.is_empty() {
        request.headers_mut().insert("x-forwarded-for", client.parse().expect("visible"));
    }
    tokio_tungstenite::client_async(request, stream).await.expect("the server lets us in").0
}

/// Sends a request over a new connection from 127.0.0.`from`.
async fn http(server: &Server, from: u8, method: &str, path: &str, body: &str) -> Reply {
    let length = body.len().to_string();
    let headers = [("content-type", "application/json"), ("content-length", length.as_str()), ("connection", "close")];
    let request = request(&server.address().to_string(), method, path, &headers) + body;
    ask_over(stream(server, from).await, &request).await
}

async fn join(socket: &mut Socket, name: &str, room: RoomChoice, role: Role) -> Token {
    let token = greet(socket).await;
    say(socket, &ClientMsg::Join { name: Name::new(name).expect("a fine name"), room, role }).await;
    token
}

/// Waits for a seat, and ignores notices about the name.
async fn is_seated(socket: &mut Socket) -> bool {
    loop {
        match seat_of(socket).await {
            ServerMsg::ServerNotice(ServerNotice::Renamed { .. }) => {}
            other => return matches!(other, ServerMsg::Joined { .. }),
        }
    }
}

const TOO_MANY: CloseCode = CloseCode::TooManyFromAddress;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_with_too_many_connections_is_refused_and_another_is_not() {
    one_address_has_too_many(limited(|config| config.limit_per_address = 3).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_holds_over_tls() {
    let change = |config: &mut Config| {
        config.limit_exempt.clear();
        config.limit_per_address = 3;
    };
    one_address_has_too_many(Server::start_secure_with(change).await).await;
}

async fn one_address_has_too_many(server: Server) {
    let mut open = Vec::new();
    for _ in 0..3 {
        let mut socket = websocket(&server, 2, "").await;
        assert!(is_let_in(&mut socket).await);
        open.push(socket);
    }
    assert_eq!(close_of(&mut websocket(&server, 2, "").await).await, meant(TOO_MANY));
    if server.tls.is_none() {
        let refused = http(&server, 2, "GET", "/api/rooms", "").await;
        assert_eq!((refused.status, refused.header("retry-after")), (429, "10"), "{}", refused.text());
        assert!(refused.text().contains("too many connections"), "{}", refused.text());
        assert!(!refused.text().contains("--"), "flags are for operators: {}", refused.text());
    }
    assert!(is_let_in(&mut websocket(&server, 3, "").await).await, "another address");
    drop(open.pop());
    within("a place that was given up", async { while !is_let_in(&mut websocket(&server, 2, "").await).await {} })
        .await;
    drop(open);
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_a_proxy_each_client_has_its_own_limit_and_the_proxy_none() {
    let server = limited(|config| {
        config.limit_per_address = 2;
        config.trust_proxy = vec!["127.0.0.1".parse().expect("an address")];
    })
    .await;
    let mut open = Vec::new();
    for client in ["203.0.113.1", "203.0.113.1", "2001:db8::1", "2001:db8::2", "203.0.113.3"] {
        let mut socket = websocket(&server, 1, client).await;
        assert!(is_let_in(&mut socket).await, "{client}");
        open.push(socket);
    }
    for client in ["203.0.113.1", "::ffff:203.0.113.1", "2001:db8::3"] {
        assert_eq!(close_of(&mut websocket(&server, 1, client).await).await, meant(TOO_MANY), "{client}");
    }
    // The proxy forwards many clients over one connection: only the client beyond its limit is refused.
    let line = |client: &str| request("127.0.0.1", "GET", "/healthz", &[("x-forwarded-for", client)]);
    let mut kept = stream(&server, 1).await;
    for (client, status) in [("203.0.113.9", "200"), ("203.0.113.10", "200"), ("203.0.113.1", "429")] {
        kept.write_all(line(client).as_bytes()).await.expect("the connection is kept");
        let mut head = [0; 12];
        within("an answer", kept.read_exact(&mut head)).await.expect("an answer");
        assert_eq!(&head[9..], status.as_bytes(), "{client}");
        let mut rest = [0; 4096];
        within("the rest of it", kept.read(&mut rest)).await.expect("the rest of it");
    }
    // The request rate per connection does not apply to proxies, which carry many clients.
    let mut kept = stream(&server, 1).await;
    for client in 0..150 {
        let client = format!("198.51.100.{client}");
        kept.write_all(line(client.as_str()).as_bytes()).await.expect("the connection is kept");
        let mut head = [0; 12];
        within("an answer", kept.read_exact(&mut head)).await.expect("an answer");
        assert_eq!(&head[9..], b"200", "{client}");
        let mut rest = [0; 4096];
        within("the rest of it", kept.read(&mut rest)).await.expect("the rest of it");
    }
    drop(open);
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn repeated_joins_and_cuts_do_not_accumulate_parked_seats() {
    // A quarter of 32 seats, and of 8 connections: 8 seats, 2 of which may be parked.
    let server = limited(|config| (config.capacity, config.limit_per_address) = (32, 8)).await;
    let mut tokens = Vec::new();
    for _ in 0..12 {
        let mut socket = websocket(&server, 2, "").await;
        tokens.push(join(&mut socket, "Ghost", RoomChoice::Quick, Role::Play).await);
        assert!(is_seated(&mut socket).await);
        drop(socket);
        let kept = |players| players <= 2;
        server.until("players", kept).await;
    }
    let resumed = async |token| {
        let mut socket = websocket(&server, 2, "").await;
        let resume = Some(Resume { token, have: Tick(0), cells: Vec::new() });
        say(&mut socket, &ClientMsg::Hello { revision: REVISION, agent: "test".to_owned(), resume, account: None })
            .await;
        (matches!(hear(&mut socket).await, ServerMsg::Welcome { resumed: true, .. }), socket)
    };
    assert!(!resumed(tokens[0]).await.0, "the oldest is given up");
    let (newest, _stays) = resumed(tokens[11]).await;
    assert!(newest, "the newest is there to come back to");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_address_gets_a_quarter_of_a_room_and_its_queue_entries_block_no_other() {
    let server = limited(|config| config.capacity = 4).await;
    let mut first = websocket(&server, 2, "").await;
    join(&mut first, "First", RoomChoice::Quick, Role::Play).await;
    assert!(is_seated(&mut first).await);
    let mut second = websocket(&server, 2, "").await;
    join(&mut second, "Second", RoomChoice::Quick, Role::Play).await;
    assert_eq!(close_of(&mut second).await, meant(TOO_MANY));
    let reserved = http(&server, 2, "POST", "/api/quickplay", "{}").await;
    assert_eq!(reserved.status, 429, "a reservation is a seat: {}", reserved.text());
    let mut other = websocket(&server, 3, "").await;
    join(&mut other, "Other", RoomChoice::Quick, Role::Play).await;
    assert!(is_seated(&mut other).await);
    // A lost connection of the same address gives up its seat once noticed; the other one stays.
    drop(first);
    look_until("the end of the first", || server.metrics().connections.get() == 1).await;
    let mut again = websocket(&server, 2, "").await;
    join(&mut again, "Again", RoomChoice::Quick, Role::Play).await;
    assert!(is_seated(&mut again).await);
    server.until("players", |players| players == 2).await;
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reserved_seat_can_be_redeemed_at_the_seat_limit() {
    let server = limited(|config| config.capacity = 4).await;
    let reserved = http(&server, 2, "POST", "/api/quickplay", "{}").await;
    assert_eq!(reserved.status, 200, "{}", reserved.text());
    let reserved: serde_json::Value = serde_json::from_slice(&reserved.body).expect("JSON");
    let reservation = reserved["reservation"].as_str().and_then(|text| text.parse().ok()).expect("a number");
    let mut promised = websocket(&server, 2, "").await;
    join(&mut promised, "Promised", RoomChoice::Reserved { room: RoomId(1), reservation }, Role::Play).await;
    assert!(is_seated(&mut promised).await);
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spectators_and_rooms_are_limited_per_address() {
    // Of 4 connections: 2 may spectate, and 1 room may be created.
    let server = limited(|config| config.limit_per_address = 4).await;
    let mut spectators = Vec::new();
    for (from, let_in) in [(2, true), (2, true), (2, false), (3, true)] {
        let mut socket = websocket(&server, from, "").await;
        join(&mut socket, "Watcher", RoomChoice::Quick, Role::Spectate).await;
        if let_in {
            assert!(is_seated(&mut socket).await);
            spectators.push(socket);
        } else {
            assert_eq!(close_of(&mut socket).await, meant(TOO_MANY));
        }
    }
    let open = r#"{"mode":"duel"}"#;
    assert_eq!(http(&server, 4, "POST", "/api/rooms", open).await.status, 201);
    let refused = http(&server, 4, "POST", "/api/rooms", open).await;
    assert_eq!(refused.status, 429, "{}", refused.text());
    assert_eq!(http(&server, 5, "POST", "/api/rooms", open).await.status, 201);
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spectators_do_not_keep_an_on_demand_room_open() {
    let server = limited(|config| config.bots = 4).await;
    let opened = http(&server, 2, "POST", "/api/rooms", r#"{"mode":"duel"}"#).await;
    let opened: serde_json::Value = serde_json::from_slice(&opened.body).expect("JSON");
    let id = RoomId(opened["id"].as_u64().expect("a number") as u32);
    let room = server.room_handle(id);
    let unplayed = || room.status.unplayed_since.load(Ordering::Relaxed) != 0;
    let mut spectator = websocket(&server, 2, "").await;
    join(&mut spectator, "Watcher", RoomChoice::Room(id), Role::Spectate).await;
    assert!(is_seated(&mut spectator).await);
    let mut player = websocket(&server, 3, "").await;
    join(&mut player, "Player", RoomChoice::Room(id), Role::Play).await;
    assert!(is_seated(&mut player).await);
    look_until("somebody who plays", || !unplayed()).await;
    let tick = || room.status.tick.load(Ordering::Relaxed);
    room.retire();
    let asked = tick();
    look_until("the room to have looked at that", || tick() > asked + 2).await;
    say(&mut player, &ClientMsg::Request { id: 1, request: Request::Exit }).await;
    look_until("nobody who plays, but the server's bots", || {
        unplayed() && room.status.players.load(Ordering::Relaxed) > 0
    })
    .await;
    assert!(!room.is_over(), "somebody played when it was asked");
    room.retire();
    within("the end of the room", async {
        loop {
            if let ServerMsg::ServerNotice(ServerNotice::RoomEnds { seconds: 0 }) = hear(&mut spectator).await {
                return;
            }
        }
    })
    .await;
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guessing_codes_of_private_rooms_is_rate_limited() {
    let server = limited(|_| {}).await;
    let opened = http(&server, 2, "POST", "/api/rooms", r#"{"mode":"duel","private":true}"#).await;
    let opened: serde_json::Value = serde_json::from_slice(&opened.body).expect("JSON");
    let code: RoomCode = opened["code"].as_str().and_then(|code| code.parse().ok()).expect("a code");
    let right = format!("/api/rooms/{code}");
    for _ in 0..30 {
        assert_eq!(http(&server, 2, "GET", &right, "").await.status, 200, "a right code is cheap");
    }
    let mut wrong = Vec::new();
    while wrong.last() != Some(&429) && wrong.len() < 100 {
        wrong.push(http(&server, 2, "GET", "/api/rooms/222222", "").await.status);
    }
    assert_eq!(wrong.pop(), Some(429), "{wrong:?}");
    assert!(wrong.len() < 30 && wrong.iter().all(|status| *status == 404), "{wrong:?}");
    // From now on valid codes are refused as well, over HTTP and WebSocket.
    let refused = http(&server, 2, "GET", &right, "").await;
    assert_eq!(refused.status, 429);
    assert!(!refused.header("retry-after").is_empty());
    let mut socket = websocket(&server, 2, "").await;
    ask(&mut socket, "Guess", RoomChoice::Code(Some(code))).await;
    assert_eq!(close_of(&mut socket).await, meant(TOO_MANY));
    let mut friend = websocket(&server, 3, "").await;
    ask(&mut friend, "Friend", RoomChoice::Code(Some(code))).await;
    assert!(is_seated(&mut friend).await, "another address");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_with_endless_requests_is_answered_up_to_its_rate_and_then_closed() {
    let server = limited(|_| {}).await;
    let mut greedy = stream(&server, 2).await;
    let many = request("127.0.0.1", "GET", "/healthz", &[]).repeat(5000);
    let (mut reads, mut writes) = greedy.split();
    let flood = async {
        // It ends when the server closes.
        let _ = writes.write_all(many.as_bytes()).await;
    };
    let answers = async {
        let mut all = Vec::new();
        // A reset is an end as well: the server did not read all of the flood.
        let _ = within("the end of the connection", reads.read_to_end(&mut all)).await;
        String::from_utf8_lossy(&all).into_owned()
    };
    let ((), answers) = tokio::join!(flood, answers);
    // The reset may have overtaken some of the responses.
    let count = |status: &str| answers.matches(&format!("HTTP/1.1 {status}")).count();
    assert!((1..1000).contains(&count("200")), "{} answers", count("200"));
    assert!(count("429") <= 1, "{} refusals", count("429"));
    assert_eq!(server.metrics().address_refusals.of(AddressLimit::Requests).get(), 1);
    server.end().await;
}

/// HTTP runs in the test's own runtime: with its clock paused, minutes pass as soon as it is idle.
#[tokio::test]
async fn endless_heads_and_bodies_time_out() {
    let server = limited(|_| {}).await;
    // Not before: the threads of the database take real time.
    tokio::time::pause();
    let began = Instant::now();
    let head =
        request("127.0.0.1", "POST", "/api/rooms", &[("content-type", "application/json"), ("content-length", "900")]);
    let chunked = head.replace("content-length: 900", "transfer-encoding: chunked");
    for (start, drip, says) in [
        (head.as_str(), " ", "408"),
        (chunked.as_str(), "1\r\n \r\n", "408"),
        ("GET /healthz HTTP/1.1\r\nx: ", "x", ""),
        ("", "", ""),
    ] {
        let mut slow = stream(&server, 2).await;
        slow.write_all(start.as_bytes()).await.expect("a connection");
        let (mut reads, mut writes) = slow.split();
        let mut answer = Vec::new();
        tokio::select! {
            _ = reads.read_to_end(&mut answer) => {}
            () = async {
                while began.elapsed() < Duration::from_secs(600) {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    let _ = writes.write_all(drip.as_bytes()).await;
                }
            } => panic!("still open"),
        }
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert!(answer.contains(says), "{start}: {answer}");
    }
    assert!(began.elapsed() < Duration::from_secs(100), "{:?}", began.elapsed());
    // A paused clock runs away while the threads of the database end.
    tokio::time::resume();
    server.end().await;
}

#[tokio::test]
async fn an_unread_response_times_out() {
    let server = limited(|_| {}).await;
    // Not before: the threads of the database take real time.
    tokio::time::pause();
    server.folder.put("large.txt", &vec![b'x'; 8 << 20]);
    let mut silent_reader = stream(&server, 2).await;
    silent_reader.write_all(request("127.0.0.1", "GET", "/large.txt", &[]).as_bytes()).await.expect("a connection");
    let began = Instant::now();
    let mut first = [0; 15];
    silent_reader.read_exact(&mut first).await.expect("the answer begins");
    assert_eq!(&first, b"HTTP/1.1 200 OK");
    while server.metrics().connections.get() > 0 {
        assert!(began.elapsed() < Duration::from_secs(120), "still open");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    // A paused clock runs away while the threads of the database end.
    tokio::time::resume();
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_clients_do_not_delay_shutdown() {
    let server = limited(|config| config.limit_per_address = 64).await;
    server.folder.put("large.txt", &vec![b'x'; 8 << 20]);
    let body =
        request("127.0.0.1", "POST", "/api/rooms", &[("content-type", "application/json"), ("content-length", "900")]);
    let mut open = Vec::new();
    for start in [body.as_str(), "GET /healthz HT", ""].repeat(8) {
        let mut slow = stream(&server, 2).await;
        slow.write_all(start.as_bytes()).await.expect("a connection");
        open.push(slow);
    }
    let mut silent_reader = stream(&server, 2).await;
    silent_reader.write_all(request("127.0.0.1", "GET", "/large.txt", &[]).as_bytes()).await.expect("a connection");
    let mut first = [0; 15];
    within("the answer", silent_reader.read_exact(&mut first)).await.expect("the answer begins");
    let connections = server.metrics().connections.clone();
    let began = std::time::Instant::now();
    server.end().await;
    assert_eq!(connections.get(), 0, "after {:?} some were still waited for", began.elapsed());
}

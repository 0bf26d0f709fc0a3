//! Rooms over HTTP, from creation to end, and joins that refer to them.

use broadside_bots::socket::Socket;
#[cfg(feature = "arena")]
use broadside_server::config::Config;
#[cfg(feature = "oidc")]
use broadside_server::http::api::description::openapi;
#[cfg(feature = "arena")]
use broadside_server::start;
use broadside_shared::client::{ClientEvent, Phase};
use broadside_shared::ids::{PlayerId, RoomId};
use broadside_shared::protocol::close::CloseCode;
use broadside_shared::protocol::message::{ClientMsg, Outcome, Publication, Request, ServerMsg, ServerNotice};
use broadside_shared::protocol::name::Name;
use broadside_shared::protocol::room::{ModeId, Role, RoomChoice};
use broadside_shared::toy::{DUEL, Push};
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::closing::meant;
use crate::http::{Reply, ask_over, get, request};
use crate::scene::{Puppet, Server, ask, bare, close_of, greet, hear, say, seat_of, within};

pub(crate) async fn post(server: &Server, path: &str, body: &str) -> Reply {
    post_with(server, path, &[], body).await
}

async fn post_with(server: &Server, path: &str, more: &[(&str, &str)], body: &str) -> Reply {
    let stream = TcpStream::connect(server.address()).await.expect("the server listens");
    let length = body.len().to_string();
    let headers = [&[("content-type", "application/json"), ("content-length", length.as_str())], more].concat();
    ask_over(stream, &(request(&server.address().to_string(), "POST", path, &headers) + body)).await
}

fn json_of(reply: &Reply) -> Value {
    serde_json::from_slice(&reply.body).unwrap_or_else(|error| panic!("{error}: {}", reply.text()))
}

async fn room(server: &Server, id: &str) -> Value {
    json_of(&get(server.address(), &format!("/api/rooms/{id}"), &[]).await)
}

async fn joined(socket: &mut Socket) -> (RoomId, ModeId, Role) {
    match seat_of(socket).await {
        ServerMsg::Joined { room, mode, role, .. } => (room, mode, role),
        other => panic!("a seat was due, not {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_private_room_is_joined_only_by_its_code() {
    let server = Server::start().await;
    let opened = post(&server, "/api/rooms", r#"{"mode":"duel","private":true,"name":"Den"}"#).await;
    assert_eq!(opened.status, 201, "{}", opened.text());
    let opened = (opened.header("location").to_owned(), json_of(&opened));
    let code = opened.1["code"].as_str().expect("a private room has a code").to_owned();
    assert_eq!((opened.0, &opened.1["link"]), (format!("/api/rooms/{code}"), &json!(format!("/r/{code}"))));
    let id = RoomId(opened.1["id"].as_u64().expect("a number") as u32);
    let listed = json_of(&get(server.address(), "/api/rooms", &[]).await);
    assert_eq!(listed.as_array().map(Vec::len), Some(1), "only the open room is listed: {listed}");
    assert_eq!(room(&server, &code.to_lowercase()).await["name"], "Den");
    assert_eq!(get(server.address(), &format!("/api/rooms/{id}"), &[]).await.status, 404);

    for room in [RoomChoice::Room(id), RoomChoice::Reserved { room: id, reservation: 0 }] {
        let mut stranger = bare(&server).await;
        greet(&mut stranger).await;
        for (at, part) in (1..).zip(["chat", "feed", "match"]) {
            let request = Request::Subscribe { topic: format!("room/{id}/{part}") };
            say(&mut stranger, &ClientMsg::Request { id: at, request }).await;
            let reply = hear(&mut stranger).await;
            assert!(matches!(reply, ServerMsg::Reply { outcome: Outcome::Refused(_), .. }), "{part}: {reply:?}");
        }
        let name = Name::new("Stranger").expect("a fine name");
        say(&mut stranger, &ClientMsg::Join { name, room, role: Role::Spectate }).await;
        assert_eq!(close_of(&mut stranger).await, meant(CloseCode::NoSuchRoom));
    }
    let by_code = RoomChoice::Code(Some(code.parse().expect("a fine code")));
    let mut ann = Puppet::join(&server, "Ann", by_code, Role::Play).await;
    ann.until("a seat", |event| matches!(event, ClientEvent::Joined { .. })).await;
    assert_eq!(ann.client.room(), Some((id, DUEL, Role::Play)));
    let mut bob = bare(&server).await;
    ask(&mut bob, "Bob", by_code).await;
    assert_eq!(joined(&mut bob).await, (id, DUEL, Role::Play));
    let bob_came = ServerNotice::FriendJoined { name: Name::new("Bob").expect("a fine name") };
    ann.until("word of a friend", |event| matches!(event, ClientEvent::ServerNotice(notice) if *notice == bob_came))
        .await;
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reserved_seat_is_assigned_before_the_join_queue() {
    let server = Server::start_with(|config| config.capacity = 1).await;
    let kept = json_of(&post(&server, "/api/quickplay", "{}").await);
    let reservation = kept["reservation"].as_str().and_then(|text| text.parse().ok()).expect("a number");
    let (mut early, mut promised) = (bare(&server).await, bare(&server).await);
    ask(&mut early, "Early", RoomChoice::Quick).await;
    assert!(matches!(hear(&mut early).await, ServerMsg::Queued { position: 1 }));
    ask(&mut promised, "Promised", RoomChoice::Reserved { room: RoomId(1), reservation }).await;
    assert_eq!(joined(&mut promised).await, (RoomId(1), ModeId(0), Role::Play));
    say(&mut promised, &ClientMsg::Request { id: 1, request: Request::Exit }).await;
    assert_eq!(joined(&mut early).await, (RoomId(1), ModeId(0), Role::Play));
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn duels_open_on_demand_can_be_spectated_and_switched_and_end() {
    let server = Server::start_with(|config| config.room_life = 2).await;
    let mut players = Vec::new();
    for name in ["Ann", "Bob", "Cid"] {
        let mut socket = bare(&server).await;
        ask(&mut socket, name, RoomChoice::Mode(DUEL)).await;
        players.push((joined(&mut socket).await, socket));
    }
    let rooms: Vec<u32> = players.iter().map(|((room, ..), _)| room.0).collect();
    assert_eq!(rooms, [2, 2, 3], "two make a duel, the third opens another");
    let mut in_queue = Puppet::join(&server, "Eve", RoomChoice::Room(RoomId(2)), Role::Play).await;
    within("a place in the join queue", async {
        while in_queue.client.queue_position().is_none() {
            in_queue.step(|_| Push::default()).await;
        }
    })
    .await;
    let mut spectator = Puppet::join(&server, "Dot", RoomChoice::Room(RoomId(2)), Role::Spectate).await;
    let mut followed = None;
    spectator
        .until("somebody to look at", |event| match *event {
            ClientEvent::ServerNotice(ServerNotice::Following { player }) => followed.replace(player).is_none(),
            _ => false,
        })
        .await;
    assert_eq!(spectator.client.room(), Some((RoomId(2), DUEL, Role::Spectate)));
    let other = PlayerId(1 - followed.expect("somebody").0);
    let now = spectator.now();
    spectator.client.request(now, Request::Follow { player: other });
    let follows = ServerNotice::Following { player: other };
    spectator
        .until("the other one", |event| matches!(event, ClientEvent::ServerNotice(notice) if *notice == follows))
        .await;
    // A room lives for two seconds here; then its players are notified and return to the lobby.
    spectator
        .until("the end", |event| matches!(event, ClientEvent::ServerNotice(ServerNotice::RoomEnds { seconds: 0 })))
        .await;
    assert_eq!(spectator.client.phase(), Phase::Lobby);
    in_queue
        .until("the end", |event| matches!(event, ClientEvent::ServerNotice(ServerNotice::RoomEnds { seconds: 0 })))
        .await;
    assert_eq!(in_queue.client.phase(), Phase::Lobby, "over the same connection");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_leaderboard_is_the_same_over_http_and_as_a_topic() {
    let server = Server::start().await;
    let (mut ann, mut reader) = (bare(&server).await, bare(&server).await);
    ask(&mut ann, "Ann", RoomChoice::Quick).await;
    joined(&mut ann).await;
    greet(&mut reader).await;
    let topic = Request::Subscribe { topic: "leaderboard".to_owned() };
    say(&mut reader, &ClientMsg::Request { id: 1, request: topic }).await;
    let (at, leaders) = loop {
        if let ServerMsg::Published { at, publication: Publication::Leaders(leaders), .. } = hear(&mut reader).await
            && !leaders.is_empty()
        {
            break (at, leaders);
        }
    };
    assert_eq!((leaders[0].name.as_str(), leaders[0].room), ("Ann", RoomId(1)));
    let read = json_of(&get(server.address(), "/api/leaderboard", &[]).await);
    assert_eq!((&read["at_us"], &read["leaders"][0]["name"]), (&json!(at.0), &json!("Ann")));
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_announcement_reaches_current_and_later_subscribers() {
    let server = Server::start().await;
    let subscribe = ClientMsg::Request { id: 1, request: Request::Subscribe { topic: "notices".to_owned() } };
    let (mut there, mut later) = (bare(&server).await, bare(&server).await);
    greet(&mut there).await;
    say(&mut there, &subscribe).await;
    assert_eq!(hear(&mut there).await, ServerMsg::Reply { id: 1, outcome: Outcome::Done });
    let stranger = post(&server, "/api/notices", r#"{"text":"I am the operator"}"#).await;
    assert_eq!((stranger.status, stranger.header("www-authenticate")), (401, "Bearer realm=\"operator\""));
    let token = server.operator();
    let operator = [("authorization", token.as_str())];
    assert_eq!(post_with(&server, "/api/notices", &operator, r#"{"text":"back at noon"}"#).await.status, 204);
    assert_eq!(post_with(&server, "/api/notices", &operator, r#"{"text":""}"#).await.status, 400);
    greet(&mut later).await;
    say(&mut later, &subscribe).await;
    assert_eq!(hear(&mut later).await, ServerMsg::Reply { id: 1, outcome: Outcome::Done });
    for socket in [&mut there, &mut later] {
        match hear(socket).await {
            ServerMsg::Published { publication: Publication::Announcement(text), .. } => {
                assert_eq!(text.as_str(), "back at noon");
            }
            other => panic!("the announcement was due, not {other:?}"),
        }
    }
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn invalid_and_excessive_requests_are_refused_with_the_reason() {
    let server = Server::start_with(|config| config.max_rooms = 3).await;
    for (path, body, status, says) in [
        ("/api/rooms", "{}", 422, "missing field `mode`"),
        ("/api/rooms", "{", 400, "EOF"),
        ("/api/rooms", r#"{"mode":"brawl"}"#, 400, "there is open, duel"),
        ("/api/rooms", r#"{"mode":"duel","name":"far too long a name"}"#, 400, "name"),
        ("/api/rooms", r#"{"mode":"duel","name":"\u3164\u200d"}"#, 400, "visible"),
        ("/api/rooms", r#"{"mode":"duel","name":"Ѕerver 1"}"#, 400, "reserved"),
        ("/api/rooms", r#"{"mode":"duel","size":3}"#, 422, "unknown field `size`"),
        ("/api/quickplay", r#"{"region":"mars"}"#, 404, "this server is in the region `local`"),
        ("/api/quickplay", r#"{"mode":7}"#, 422, "expected a string"),
        ("/api/leaderboard", "", 405, "openapi"),
    ] {
        let reply = post(&server, path, body).await;
        assert_eq!(reply.status, status, "{path} {body}: {}", reply.text());
        assert_eq!(reply.header("content-type"), "application/problem+json", "{path} {body}");
        assert!(reply.text().contains(says), "{path} {body}: {}", reply.text());
    }
    let open = r#"{"mode":"duel"}"#;
    assert_eq!(post(&server, "/api/rooms", open).await.status, 201);
    assert_eq!(post(&server, "/api/rooms", open).await.status, 201);
    let full = post(&server, "/api/rooms", open).await;
    assert_eq!(full.status, 503, "{}", full.text());
    let mut refused = None;
    for _ in 0..40 {
        let reply = post(&server, "/api/rooms", open).await;
        if reply.status == 429 {
            refused = Some(reply);
            break;
        }
    }
    let refused = refused.expect("the rate of one address is limited");
    assert!(!refused.header("retry-after").is_empty() && refused.text().contains("127.0.0.1"), "{}", refused.text());
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_limit_of_room_creations_also_applies_to_joins() {
    let server = Server::start().await;
    let mut statuses = Vec::new();
    while statuses.last() != Some(&429) && statuses.len() < 40 {
        // Private, so that a join cannot go to one of them.
        statuses.push(post(&server, "/api/rooms", r#"{"mode":"duel","private":true}"#).await.status);
    }
    assert_eq!(statuses.last(), Some(&429), "{statuses:?}");
    let mut socket = bare(&server).await;
    ask(&mut socket, "Ann", RoomChoice::Mode(DUEL)).await;
    assert_eq!(close_of(&mut socket).await, meant(CloseCode::TooManyFromAddress));
    server.end().await;
}

/// Of the arena, which describes everything.
#[cfg(feature = "arena")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_schema_describes_the_game_and_is_sent_once() {
    let folder = crate::scene::Folder::new();
    folder.put("index.html", b"<!doctype html>");
    let assets = Some(folder.0.clone());
    let config = Config { port: 0, assets, snapshot_every: Some(3), bots: 0, ..Config::default() };
    let server = start::<broadside_arena::Arena>(config, Default::default()).await.expect("a free port");
    let first = get(server.address, "/api/schema", &[]).await;
    assert_eq!((first.status, first.header("content-type")), (200, "application/json"));
    let again = get(server.address, "/api/schema", &[("if-none-match", first.header("etag"))]).await;
    assert_eq!((again.status, again.body.len()), (304, 0));
    let schema = json_of(&first);
    for (at, value) in [
        ("/game", json!("arena")),
        ("/snapshot_every", json!(3)),
        ("/modes/2/name", json!("duel")),
        ("/modes/2/seats", json!(2)),
        (
            "/kinds/0/fields/2",
            json!({ "name": "vx", "role": "velocity", "bits": 8, "lowest": -128, "highest": 127, "step": 7.5, "k": 1 }),
        ),
        ("/input/layout/struct/0", json!({ "name": "aim", "layout": { "bits": 16 } })),
        ("/event/encoding", json!("bits")),
        ("/request/layout/enum/0/name", json!("fly")),
        ("/request/layout/enum/0/layout/enum/1/name", json!("skiff")),
        (
            "/room_state/layout/struct/0/layout/option/struct/3",
            json!({ "name": "holder", "layout": { "option": "u8" } }),
        ),
        ("/correction_causes/5", json!("pickup")),
        ("/messages/client/layout/enum/3", json!({ "name": "leave", "layout": "unit" })),
        ("/messages/update/layout/enum/6/layout/enum/7/layout/enum/0/name", json!("muted")),
    ] {
        assert_eq!(schema.pointer(at), Some(&value), "{at}");
    }
    let undescribed = first.text().contains(":null");
    assert!(!undescribed, "everything is described: {}", first.text());
    server.end().await;
}

/// With every feature, as the program is built.
#[cfg(feature = "oidc")]
#[test]
fn the_description_in_the_docs_matches_the_code() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi.json");
    let current = openapi() + "\n";
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(path, &current).expect("docs can be written");
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        written == current,
        "docs/openapi.json is old: BLESS=1 cargo test -p broadside-server --test real_sockets docs"
    );
}

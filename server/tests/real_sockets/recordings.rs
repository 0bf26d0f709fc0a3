//! Recorded matches over HTTP.

use broadside_server::config::{DataFolder, Record};
use broadside_server::recordings::{RecordingId, check};
use broadside_shared::playback::Playback;
use broadside_shared::protocol::message::{ClientMsg, Request, ServerMsg};
use broadside_shared::protocol::room::RoomChoice;
use broadside_shared::recording::pack;
use broadside_shared::toy::{DUEL, MATCH, Toy};
use broadside_shared::trial::rules_hash;
use broadside_store::moderation::Reports;
use bytes::Bytes;
use serde_json::{Value, json};

use crate::api::post;
use crate::http::get;
use crate::players::{assert_refused, keeper, reached, shown};
use crate::scene::{Folder, Server, ask as join, bare, look_until_async, say, seat_of};

const NONE: &str = "00000000000000000000000000000000";

/// The room of the toy's duels; null while there is none.
async fn duel(server: &Server) -> Value {
    let rooms = shown(server, "/api/rooms").await;
    let rooms = rooms.as_array().expect("a list");
    rooms.iter().find(|room| room["mode"] == "duel").cloned().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_match_that_was_played_is_served_and_replays() {
    let data = Folder::new();
    let server = Server::start_with(|config| config.data = DataFolder::Folder(data.0.clone())).await;
    let (mut ann, mut ben) = (bare(&server).await, bare(&server).await);
    join(&mut ann, "Ann", RoomChoice::Mode(DUEL)).await;
    join(&mut ben, "Ben", RoomChoice::Mode(DUEL)).await;
    look_until_async("the end of the match", async || duel(&server).await["last_recording"].is_string()).await;
    let room = duel(&server).await;
    let id = room["last_recording"].as_str().expect("an id");
    let one = shown(&server, &format!("/api/rooms/{}", room["id"])).await;
    assert_eq!(one["last_recording"].as_str(), Some(id));

    let path = format!("/api/recordings/{id}");
    look_until_async("the file", async || get(server.address(), &path, &[]).await.status == 200).await;
    let reply = get(server.address(), &path, &[]).await;
    assert_eq!(reply.header("content-type"), "application/octet-stream");
    assert!(reply.header("cache-control").contains("immutable"), "{}", reply.header("cache-control"));
    let playback = Playback::<Toy>::new(reply.body.clone().into(), rules_hash::<Toy>()).expect("a recording");
    assert!(playback.length_s() >= f64::from(MATCH) / 60.0, "{}", playback.length_s());
    let packed = get(server.address(), &path, &[("accept-encoding", "gzip, br")]).await;
    assert_eq!((packed.header("content-encoding"), packed.header("vary")), ("br", "accept-encoding"));
    assert_eq!(*pack::unpack(&packed.body).expect("it is small"), reply.body[..], "as whoever has no brotli gets it");
    let tag = reply.header("etag").to_owned();
    assert_eq!(get(server.address(), &path, &[("if-none-match", &tag)]).await.status, 304);

    // The results of the match say that it was recorded.
    look_until_async("the results", async || {
        get(server.address(), &format!("/api/matches/{id}"), &[]).await.status == 200
    })
    .await;
    assert_eq!(shown(&server, &format!("/api/matches/{id}")).await["recorded"], json!(true));
    for absent in [NONE, "0", "../../secret", &id[1..], &id.to_uppercase()] {
        let path = format!("/api/recordings/{}", absent.replace('/', "%2F"));
        assert_refused(&get(server.address(), &path, &[]).await, 404, "there is no recording of a match");
    }
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_minute_of_a_room_is_lent_and_that_before_a_report_is_kept() {
    let data = Folder::new();
    let server = Server::start_with(|config| config.data = DataFolder::Folder(data.0.clone())).await;
    let (mut ann, mut ben) = (bare(&server).await, bare(&server).await);
    for (socket, name) in [(&mut ann, "Ann"), (&mut ben, "Ben")] {
        join(socket, name, RoomChoice::Quick).await;
        assert!(matches!(seat_of(socket).await, ServerMsg::Joined { .. }));
    }
    server.until("players", |players| players == 2).await;
    let room = server.room().await["id"].clone();
    let path = format!("/api/rooms/{room}/last-minute");
    let reply = post(&server, &path, "").await;
    assert_eq!(reply.status, 201, "{}", reply.text());
    let lent: Value = serde_json::from_slice(&reply.body).expect("it is JSON");
    let path = format!("/api/recordings/{}", lent["recording"].as_str().expect("an id"));
    let reply = get(server.address(), &path, &[]).await;
    let playback = Playback::<Toy>::new(reply.body.clone().into(), rules_hash::<Toy>()).expect("a recording");
    assert!(playback.length_s() > 0.0 && playback.length_s() < 61.0, "{}", playback.length_s());
    assert_refused(&post(&server, "/api/rooms/999/last-minute", "").await, 404, "there is no room");

    say(
        &mut ann,
        &ClientMsg::Request { id: 1, request: Request::Report { name: "Ben".to_owned(), text: "rams".to_owned() } },
    )
    .await;
    look_until_async("the report, with its minute", async || {
        let reports = server.store().reports(Reports::Open, [0xff; 16], 10).await.expect("the store answers");
        reports.first().is_some_and(|report| server.shelf().has(RecordingId(report.id)))
    })
    .await;
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_records_nothing_has_no_recordings_and_says_so_of_results() {
    let data = Folder::new();
    let server = Server::start_with(|config| {
        config.data = DataFolder::Folder(data.0.clone());
        config.record = Record::Off;
    })
    .await;
    std::fs::create_dir_all(data.0.join("recordings")).expect("a folder");
    data.put(&format!("recordings/{NONE}.bsr"), b"of another time");
    assert_refused(&get(server.address(), &format!("/api/recordings/{NONE}"), &[]).await, 404, "there is no recording");
    let ann = keeper(&server, "Ann").await;
    let now_us = crate::players::now_us();
    crate::players::record(&server, "duel", now_us, vec![reached(&ann, 3, broadside_store::results::Outcome::Won)])
        .await;
    assert_eq!(shown(&server, "/api/players/Ann/results").await["results"][0]["recorded"], json!(false));
    let room = server.room().await;
    assert_eq!(room["last_recording"], Value::Null);
    let minute = format!("/api/rooms/{}/last-minute", room["id"]);
    assert_refused(&post(&server, &minute, "").await, 404, "is not recorded");

    // One that is lent, as `replay FILE --serve` does.
    server.shelf().lend(RecordingId([0; 16]), Bytes::from_static(b"lent"));
    let reply = get(server.address(), &format!("/api/recordings/{NONE}"), &[]).await;
    assert_eq!((reply.status, &*reply.body), (200, &b"lent"[..]));
    let refused = check::replay::<Toy>(&data.0.join(format!("recordings/{NONE}.bsr"))).expect_err("no recording");
    assert!(refused.contains("this is no recording"), "{refused}");
    server.end().await;
}

//! A server that is about to end: matches in progress end first.

use std::fs::DirEntry;

use broadside_server::config::DataFolder;
use broadside_server::recordings::check;
use broadside_shared::protocol::close::CloseCode;
use broadside_shared::protocol::room::RoomChoice;
use broadside_shared::toy::{DUEL, Toy};

use crate::http::get;
use crate::scene::{Folder, Server, ask as join, bare, close_of, look_until, look_until_async, within};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_drains_lets_nobody_in_and_waits_for_the_match_in_progress() {
    let data = Folder::new();
    let server = Server::start_with(|config| {
        config.drain_wait = 3600;
        config.data = DataFolder::Folder(data.0.clone());
    })
    .await;
    let (mut ann, mut ben) = (bare(&server).await, bare(&server).await);
    join(&mut ann, "Ann", RoomChoice::Mode(DUEL)).await;
    join(&mut ben, "Ben", RoomChoice::Mode(DUEL)).await;
    let is_in_match = || server.lobby().directory.all().iter().any(|room| room.status.is_in_match());
    look_until("a match", is_in_match).await;
    assert_eq!(get(server.address(), "/readyz", &[]).await.status, 204);

    let drained = within("the end of the match", server.drain());
    let watched = async {
        look_until("the drain", || server.is_draining()).await;
        let ready = get(server.address(), "/readyz", &[]).await;
        assert_eq!((ready.status, ready.header("retry-after")), (503, "10"));
        let health = get(server.address(), "/healthz", &[]).await;
        assert_eq!((health.status, health.json()["status"].as_str()), (200, Some("draining")));
        let mut late = bare(&server).await;
        join(&mut late, "Late", RoomChoice::Mode(DUEL)).await;
        assert_eq!(close_of(&mut late).await.0, CloseCode::GoingAway.code());
        assert!(is_in_match(), "nobody in it notices");
    };
    tokio::join!(drained, watched);
    assert!(!is_in_match());

    // The match was recorded under its own id.
    let recordings = data.0.join("recordings");
    let recorded =
        || std::fs::read_dir(&recordings).expect("the folder is there").flatten().find_map(|file| id_of(&file));
    look_until("the recording", || recorded().is_some()).await;
    let id = recorded().expect("it is there");
    look_until_async("its results", async || {
        server.store().results_of_match(id).await.is_ok_and(|results| results.len() == 2)
    })
    .await;
    server.end().await;
    let file = std::fs::read_dir(&recordings).expect("the folder is there").flatten().next().expect("a file").path();
    let said = check::replay::<Toy>(&file).expect("it replays");
    assert!(said.contains("every hash agrees") && !said.contains("cut off"), "{said}");
}

/// The match of a recording that is whole.
fn id_of(file: &DirEntry) -> Option<[u8; 16]> {
    let name = file.file_name().into_string().ok()?;
    let id = u128::from_str_radix(name.strip_suffix(".bsr")?, 16).ok()?;
    Some(id.to_be_bytes())
}

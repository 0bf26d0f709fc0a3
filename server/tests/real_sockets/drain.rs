//! A server that is about to end: matches in progress end first.

use broadside_shared::protocol::close::CloseCode;
use broadside_shared::protocol::room::RoomChoice;
use broadside_shared::toy::DUEL;

use crate::http::get;
use crate::scene::{Server, ask as join, bare, close_of, look_until, within};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_drains_lets_nobody_in_and_waits_for_the_match_in_progress() {
    let server = Server::start_with(|config| config.drain_wait = 3600).await;
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
    server.end().await;
}

//! Server bots: they join rooms with players, and leave to free seats.

use broadside_shared::client::ClientEvent;
use broadside_shared::protocol::room::{Role, RoomChoice};
use broadside_shared::toy::Push;

use crate::scene::{Puppet, Server, within};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bots_join_with_the_first_player_make_way_and_leave_with_the_last() {
    let server = Server::start_with(|config| (config.bots, config.capacity, config.grace) = (3, 3, 0)).await;
    let mut people = Vec::new();
    // From the second player on the room is full of bots; new players get a seat all the same.
    for (name, bots) in [("Ann", 2), ("Bob", 1), ("Cid", 0)] {
        let mut puppet = Puppet::join(&server, name, RoomChoice::Quick, Role::Play).await;
        puppet.until("a seat", |event| matches!(event, ClientEvent::Joined { .. })).await;
        server.until("bots", |there| there == bots).await;
        server.until("players", |players| players == 3).await;
        people.push(puppet);
    }
    people.truncate(1);
    server.until("bots", |bots| bots == 2).await;
    drop(people);
    server.until("players", |players| players == 0).await;
    server.until("bots", |bots| bots == 0).await;
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bots_decode_every_snapshot_from_the_first_on() {
    // Snapshots come every second tick: half of the bots are seated on a tick with a snapshot.
    let server = Server::start_with(|config| config.bots = 24).await;
    let mut ann = Puppet::join(&server, "Ann", RoomChoice::Quick, Role::Play).await;
    ann.until("a seat", |event| matches!(event, ClientEvent::Joined { .. })).await;
    server.until("bots", |bots| bots == 23).await;
    let met = ann.client.stats().snapshots;
    within("some snapshots among them", async {
        while ann.client.stats().snapshots < met + 10 {
            ann.step(|_| Push::default()).await;
        }
    })
    .await;
    assert_eq!(server.metrics().bot_failures.get(), 0);
    server.end().await;
}

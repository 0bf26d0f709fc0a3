//! A thread that panics takes its own connections with it and nobody else's, and then serves again.

use std::collections::BTreeMap;
use std::sync::Arc;

use broadside_core::commands::ShardCommand;
use broadside_core::room::{DueSnapshot, RoomOutput};
use broadside_shared::client::ClientEvent;
use broadside_shared::ids::{PlayerId, RoomId};
use broadside_shared::protocol::message::ServerMsg;
use broadside_shared::protocol::room::{Role, RoomChoice};
use broadside_shared::protocol::snapshot::SnapshotHead;
use broadside_shared::replication::cells::LayerSet;
use broadside_shared::time::Tick;
use broadside_shared::toy::Push;
use futures_util::StreamExt;
use glam::Vec2;

use crate::scene::{Puppet, Server, ask, bare, look_until, seat_of, within};

const ROOM: RoomId = RoomId(1);

/// A tick that no room could send: the own states of its recipients lie outside its bytes. Sending it panics.
fn malformed_tick() -> ShardCommand {
    let due = |player: u16| DueSnapshot {
        player: PlayerId(player),
        head: SnapshotHead::default(),
        focus: Vec2::ZERO,
        layers: LayerSet::EVERYONE,
        player_state: 100..200,
    };
    let output = RoomOutput { tick: Tick(u32::MAX), due: (0..8).map(due).collect(), ..RoomOutput::default() };
    ShardCommand::Tick(ROOM, Arc::new(output))
}

/// Lets a player play until as many more snapshots have come.
async fn play_on(puppet: &mut Puppet, snapshots: u64) {
    let met = puppet.client.stats().snapshots + snapshots;
    within("snapshots", async {
        while puppet.client.stats().snapshots < met {
            puppet.step(|_| Push::default()).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shard_that_panics_loses_its_connections_and_no_others_and_serves_again() {
    let server = Server::start_with(|config| config.shards = Some(2)).await;
    let context = &server.lobby().context;
    // One player on each shard; connections are dealt out in turn.
    let mut of_shard = BTreeMap::new();
    while of_shard.len() < 2 {
        let mut puppet = Puppet::join(&server, "Ann", RoomChoice::Room(ROOM), Role::Play).await;
        let mut token = None;
        puppet
            .until("a seat", |event| {
                if let ClientEvent::Welcomed(shown) = event {
                    token = Some(*shown);
                }
                matches!(event, ClientEvent::Joined { .. })
            })
            .await;
        let token = token.expect("welcomed before seated");
        let connection = server.lobby().sessions.connection_of(token.session).expect("connected");
        of_shard.insert(connection.shard, (puppet, token));
    }
    let (mut kept, _) = of_shard.remove(&1).expect("one on each");
    let (mut lost, lost_token) = of_shard.remove(&0).expect("one on each");
    let seat = kept.client.player();
    server.until("players", |players| players == 2).await;
    context.shards[0].send([malformed_tick()]);
    within("the end of the connection", async { while let Some(Ok(_)) = lost.socket().next().await {} }).await;
    look_until("the restart", || server.metrics().shard_failures.get() == 1).await;
    play_on(&mut kept, 5).await;
    assert_eq!(kept.client.player(), seat);
    server.until("players", |players| players == 1).await;
    assert!(server.lobby().sessions.connection_of(lost_token.session).is_none(), "its session ended with its seat");
    // New connections are dealt out to both shards: each of a few is seated.
    let mut seated_on = Vec::new();
    while !seated_on.contains(&0) {
        let mut next = bare(&server).await;
        let token = ask(&mut next, "Next", RoomChoice::Room(ROOM)).await;
        let answer = loop {
            match seat_of(&mut next).await {
                ServerMsg::ServerNotice(_) => {}
                other => break other,
            }
        };
        assert!(matches!(answer, ServerMsg::Joined { .. }), "{answer:?}");
        seated_on.push(server.lobby().sessions.connection_of(token.session).expect("connected").shard);
    }
    play_on(&mut kept, 5).await;
    assert_eq!((server.metrics().shard_failures.get(), server.metrics().room_failures.get()), (1, 0));
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bots_whose_thread_panics_come_again_and_people_notice_nothing() {
    let server = Server::start_with(|config| (config.bots, config.shards) = (3, Some(1))).await;
    let mut ann = Puppet::join(&server, "Ann", RoomChoice::Room(ROOM), Role::Play).await;
    ann.until("a seat", |event| matches!(event, ClientEvent::Joined { .. })).await;
    let seat = ann.client.player();
    server.until("bots", |bots| bots == 2).await;
    // The bots are the last of the shards.
    server.lobby().context.shards[1].send([malformed_tick()]);
    look_until("the restart", || server.metrics().shard_failures.get() == 1).await;
    look_until("their seats to be free", || server.metrics().leaves.get() == 2).await;
    server.until("players", |players| players == 3).await;
    server.until("bots", |bots| bots == 2).await;
    play_on(&mut ann, 5).await;
    assert_eq!(ann.client.player(), seat);
    assert_eq!((server.metrics().shard_failures.get(), server.metrics().bot_failures.get()), (1, 0));
    server.end().await;
}

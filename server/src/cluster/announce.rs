//! A node's announcements: itself every two seconds, a room at most once a second when something changed, and everything every 30 s.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use async_nats::jetstream::kv::Store;
use broadside_shared::ids::RoomId;
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::time::MissedTickBehavior;

use super::lease::Lease;
use super::{Node, Stay};
use crate::http::api::rooms;
use crate::peers::records::RoomRecord;
use crate::rooms::entry::RoomEntry;

/// Time between two looks at the rooms.
const LOOKS_EVERY: Duration = Duration::from_secs(1);
/// Of so many looks, one renews the lease.
const RENEWS_EVERY: u64 = 2;
/// Of so many looks, one announces everything.
const ALL_EVERY: u64 = 30;
/// Announcements that wait for the engine's answer at once.
const AT_ONCE: usize = 32;

pub(super) async fn announce(node: &Node, nodes: &Store, store: &Store) -> Stay {
    let mut lease = Lease::default();
    let mut told: BTreeMap<RoomId, RoomRecord> = BTreeMap::new();
    let mut is_ours = false;
    let mut every = tokio::time::interval(LOOKS_EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for look in 0.. {
        every.tick().await;
        if look % RENEWS_EVERY == 0 || !is_ours {
            is_ours = lease.renew(node, nodes).await?;
        }
        if !is_ours {
            told.clear();
            continue;
        }
        if look % ALL_EVERY == 0 {
            told.clear();
        }
        announce_rooms(node, store, &mut told).await?;
    }
    unreachable!("u64 does not run out")
}

/// Announces the rooms of which something changed, and takes back those that have ended.
async fn announce_rooms(node: &Node, store: &Store, told: &mut BTreeMap<RoomId, RoomRecord>) -> anyhow::Result<()> {
    let rooms = node.app.rooms.all();
    let open: Vec<Arc<RoomEntry>> = rooms.into_iter().filter(|room| !room.is_over()).collect();
    let mut writes = Vec::new();
    for room in &open {
        let record = record(node, room);
        if told.get(&room.id()) != Some(&record) {
            let view = rooms::view_json(&node.app, room);
            writes.push((room.id(), Some(RoomRecord { view, ..record.clone() })));
            told.insert(room.id(), record);
        }
    }
    let ended: Vec<RoomId> =
        told.keys().filter(|told| open.binary_search_by_key(*told, |room| room.id()).is_err()).copied().collect();
    for room in ended {
        told.remove(&room);
        writes.push((room, None));
    }
    let write = |(room, record): (RoomId, Option<RoomRecord>)| async move {
        let key = room.0.to_string();
        match record {
            Some(record) => store.put(&key, serde_json::to_vec(&record)?.into()).await.map(drop).context("a room"),
            None => store.delete(&key).await.context("the end of a room"),
        }
    };
    let written = stream::iter(writes).map(write).buffer_unordered(AT_ONCE).try_collect::<Vec<()>>().await;
    written.map(drop).context("cannot announce")
}

/// What others look at; without the view, of which something changes with every tick.
fn record(node: &Node, room: &RoomEntry) -> RoomRecord {
    let fill = node.app.rooms.fill(room);
    RoomRecord {
        epoch: node.epoch,
        mode: room.info.config.mode.0,
        taken: fill.taken,
        capacity: fill.capacity,
        waiting: fill.waiting,
        code: room.code.map(|code| node.peers.hash_of(code)),
        view: String::new(),
    }
}

//! A node's announcement of itself: a key with its number, renewed every two seconds by whoever wrote it last, so that the engine decides
//! between two nodes with one number.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::Context;
use async_nats::jetstream::kv::{CreateErrorKind, Store, UpdateErrorKind};
use broadside_shared::protocol::limits::BOARD_LINES_MAX;

use super::Node;
use crate::lobby::board;
use crate::peers::records::NodeRecord;

/// The engine must have answered by then: the lease would be over soon.
const WITHIN: Duration = Duration::from_secs(2);

const _: () = assert!(BOARD_LINES_MAX < 100, "the best players fit into a record");

/// This node's lease.
#[derive(Default)]
pub(super) struct Lease {
    /// The revision that this node wrote last; `None` if it has none.
    revision: Option<u64>,
    /// The revision that another run with this number wrote last.
    foreign: Option<u64>,
}

impl Lease {
    /// Renews it, or takes it. False if another run has the number: a former one of this node, whose lease is over soon, or another node.
    pub(super) async fn renew(&mut self, node: &Node, nodes: &Store) -> anyhow::Result<bool> {
        let began = Instant::now();
        let renewed = tokio::time::timeout(WITHIN, self.write(node, nodes)).await;
        let is_ours = renewed.context("the lease was not renewed in time")??;
        let took_us = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        node.peers.counts.renewal_us.store(took_us, Ordering::Relaxed);
        if node.peers.standing.is_duplicate.load(Ordering::Relaxed) && is_ours {
            node.peers.standing.is_duplicate.store(false, Ordering::Relaxed);
            tracing::info!("no other node has this node's number any more");
        }
        Ok(is_ours)
    }

    async fn write(&mut self, node: &Node, nodes: &Store) -> anyhow::Result<bool> {
        let (key, value) = (node.peers.node.to_string(), serde_json::to_vec(&record(node))?);
        let written = match self.revision {
            Some(revision) => match nodes.update(&key, value.into(), revision).await {
                Ok(revision) => Some(revision),
                Err(error) if error.kind() == UpdateErrorKind::WrongLastRevision => None,
                Err(error) => return Err(error).context("cannot renew the lease"),
            },
            None => match nodes.create(&key, value.into()).await {
                Ok(revision) => Some(revision),
                Err(error) if error.kind() == CreateErrorKind::AlreadyExists => None,
                Err(error) => return Err(error).context("cannot take the lease"),
            },
        };
        self.revision = written;
        if written.is_some() {
            self.foreign = None;
            return Ok(true);
        }
        self.look(node, nodes, &key).await?;
        Ok(false)
    }

    /// Looks who has the key.
    async fn look(&mut self, node: &Node, nodes: &Store, key: &str) -> anyhow::Result<()> {
        let Some(entry) = nodes.entry(key).await.context("cannot read the lease")? else { return Ok(()) };
        let Ok(found) = serde_json::from_slice::<NodeRecord>(&entry.value) else { return Ok(()) };
        if found.epoch == node.epoch {
            // Ours, written by a request whose answer was lost.
            self.revision = Some(entry.revision);
            return Ok(());
        }
        // A run that is gone does not renew its lease.
        let is_alive = self.foreign.replace(entry.revision).is_some_and(|before| before != entry.revision);
        if is_alive && !node.peers.standing.is_duplicate.swap(true, Ordering::Relaxed) {
            tracing::error!(
                node = node.peers.node,
                other = found.url,
                "another node has this node's number, so this one announces nothing; give one of them another --node-id"
            );
        }
        Ok(())
    }
}

/// Takes back this node's lease, if it is this run's.
pub(super) async fn give_back(node: &Node, nodes: &Store) -> anyhow::Result<()> {
    let key = node.peers.node.to_string();
    let Some(entry) = nodes.entry(&key).await? else { return Ok(()) };
    if serde_json::from_slice::<NodeRecord>(&entry.value).is_ok_and(|found| found.epoch == node.epoch) {
        nodes.delete_expect_revision(&key, Some(entry.revision)).await?;
    }
    Ok(())
}

fn record(node: &Node) -> NodeRecord {
    let (app, rooms) = (&node.app, node.app.rooms.all());
    let leaders = board::best_of(&rooms).into_iter();
    NodeRecord {
        epoch: node.epoch,
        rooms: u32::try_from(rooms.len()).unwrap_or(u32::MAX),
        players: rooms.iter().map(|room| app.rooms.fill(room).taken).sum(),
        rules: node.rules,
        draining: app.rooms.is_draining(),
        leaders: leaders.map(|leader| (leader.name.as_str().to_owned(), leader.room.0, leader.score)).collect(),
        ..NodeRecord::of(node.peers.node, &node.peers.url, &app.config.region)
    }
}

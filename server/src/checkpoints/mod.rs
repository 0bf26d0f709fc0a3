//! Checkpoints: the state of the server as of about a second ago, on disk, from which the next one goes on after a crash.
//!
//! | module | what it holds |
//! |---|---|
//! | [`moment`] | how much time has passed since the server that is gone |
//! | [`segment`] | the files: blocks with checksums, appended |
//! | `writer` | the thread that writes them |
//!
//! Every room hands over its bytes once a second, and [`recovery`](crate::recovery) those of sessions and topics. Nobody waits for the disk:
//! what the writer cannot take in time is left out, and the newest that is there counts. A server that ends in order leaves no checkpoints.

pub mod moment;
pub mod segment;
mod writer;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Sender;

use broadside_core::commands::RoomInfo;
use broadside_core::room::RoomConfig;
use broadside_shared::ids::RoomId;
use broadside_shared::protocol::room::RoomCode;
use broadside_shared::saved;
use serde::{Deserialize, Serialize};

use crate::metrics::Metrics;
use crate::result_ids::ResultIds;
pub(crate) use writer::{Checkpoints, remove, start};

/// Time between two checkpoints of a room, in microseconds.
pub const EVERY_US: u64 = 1_000_000;
/// Most bytes that wait for the disk.
const WAITING_MAX: usize = 64 * 1024 * 1024;

/// What must stay the same when one server goes on from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lasting {
    /// The keys that sign the tokens of sessions and accounts.
    pub session_key: [u8; 32],
    pub account_key: [u8; 32],
    pub result_ids: ResultIds,
}

/// How a room was opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedEntry {
    pub id: RoomId,
    pub name: String,
    pub config: RoomConfig,
    pub code: Option<RoomCode>,
    pub is_ephemeral: bool,
}

impl SavedEntry {
    #[must_use]
    pub fn info(&self) -> RoomInfo {
        RoomInfo { id: self.id, config: self.config, is_private: self.code.is_some() }
    }
}

/// A room: how it was opened, and its own bytes.
#[must_use]
pub fn room_payload(entry: &SavedEntry, room: &[u8]) -> Vec<u8> {
    let entry = saved::save(entry);
    let mut payload = Vec::with_capacity(4 + entry.len() + room.len());
    payload.extend((entry.len() as u32).to_le_bytes());
    payload.extend(&entry);
    payload.extend(room);
    payload
}

/// Reads what [`room_payload`] wrote; `None` if this build cannot.
#[must_use]
pub fn read_room(payload: &[u8]) -> Option<(SavedEntry, &[u8])> {
    let (length, rest) = payload.split_first_chunk()?;
    let (entry, room) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    Some((saved::load(entry).ok()?, room))
}

/// What the writer is told.
enum Message {
    Room(RoomId, Arc<[u8]>),
    /// The room has ended.
    Gone(RoomId),
    /// Sessions and topics.
    Lobby(Arc<[u8]>),
    /// The server ends in order: nothing is left to go on from.
    Stop,
    /// Another server goes on, and removes what is there once it has written its own.
    Leave,
}

/// Where rooms leave checkpoints. Clones share it.
#[derive(Clone, Default)]
pub struct CheckpointSink(Option<Open>);

#[derive(Clone)]
struct Open {
    to: Sender<Message>,
    /// Bytes that wait for the disk.
    waiting: Arc<AtomicUsize>,
    metrics: Arc<Metrics>,
}

impl fmt::Debug for CheckpointSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CheckpointSink")
    }
}

impl CheckpointSink {
    /// Whether anybody keeps checkpoints.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.0.is_some()
    }

    /// Leaves the newest state of a room.
    pub fn room(&self, id: RoomId, payload: Vec<u8>) {
        self.send(payload.len(), || Message::Room(id, payload.into()));
    }

    /// Leaves the newest state of sessions and topics.
    pub fn lobby(&self, payload: Vec<u8>) {
        self.send(payload.len(), || Message::Lobby(payload.into()));
    }

    /// A room has ended.
    pub fn gone(&self, id: RoomId) {
        if let Some(open) = &self.0 {
            // A writer that has ended has closed its files.
            let _ = open.to.send(Message::Gone(id));
        }
    }

    fn send(&self, bytes: usize, message: impl FnOnce() -> Message) {
        let Some(open) = &self.0 else { return };
        if open.waiting.load(Ordering::Relaxed) + bytes > WAITING_MAX {
            open.metrics.checkpoints_failed.inc();
            return;
        }
        open.waiting.fetch_add(bytes, Ordering::Relaxed);
        let _ = open.to.send(message());
    }
}

/// Makes a folder for the user of the server alone: keys are in there, or pass through it.
pub(crate) fn make_private(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

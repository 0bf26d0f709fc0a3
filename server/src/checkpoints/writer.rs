//! The thread that writes checkpoints.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use broadside_shared::ids::RoomId;
use broadside_shared::recording::block;

use super::segment::{self, Head, Kind, room_block};
use super::{CheckpointSink, Message, Open, make_private};
use crate::config::{Checkpoint, Config};
use crate::metrics::Metrics;

/// How long a segment is appended to. Every segment holds everything, so the one before is removed when the next is complete.
const SEGMENT: Duration = Duration::from_secs(10);
/// Length of a segment in bytes beyond which the next one begins.
const SEGMENT_BYTES: usize = 256 * 1024 * 1024;
/// Time between two writes: what comes in between goes together.
const WRITES_EVERY: Duration = Duration::from_millis(50);
/// Time until the disk is tried again after it failed.
const TRIED_AGAIN: Duration = Duration::from_secs(10);

/// The writer; it ends with [`Checkpoints::end`].
pub(crate) struct Checkpoints {
    sink: CheckpointSink,
    thread: Option<JoinHandle<()>>,
}

impl Checkpoints {
    pub(crate) fn sink(&self) -> CheckpointSink {
        self.sink.clone()
    }

    /// Removes the checkpoints, and ends the thread: the server ends in order.
    pub(crate) fn end(self) {
        self.stop(Message::Stop);
    }

    /// Ends the thread, and leaves the checkpoints to the server that goes on.
    pub(crate) fn leave(self) {
        self.stop(Message::Leave);
    }

    fn stop(self, how: Message) {
        if let CheckpointSink(Some(open)) = &self.sink {
            let _ = open.to.send(how);
        }
        if let Some(thread) = self.thread {
            let _ = thread.join();
        }
    }
}

/// Removes the checkpoints of a server that has ended: another one goes on with its rooms.
pub(crate) fn remove(config: &Config) {
    if let Some(folder) = config.checkpoints() {
        remove_all(&folder);
    }
}

/// Starts the writer; without a folder nothing is kept.
///
/// # Errors
/// The folder cannot be made, or the operating system gives no thread.
pub(crate) fn start(config: &Config, head: Head, metrics: Arc<Metrics>) -> std::io::Result<Checkpoints> {
    let Some(folder) = config.checkpoints() else {
        return Ok(Checkpoints { sink: CheckpointSink::default(), thread: None });
    };
    make_private(&folder)?;
    let (to, from) = mpsc::channel();
    let waiting = Arc::new(AtomicUsize::new(0));
    let sink = CheckpointSink(Some(Open { to, waiting: Arc::clone(&waiting), metrics: Arc::clone(&metrics) }));
    let number = segment::files(&folder).last_key_value().map_or(0, |(number, _)| number + 1);
    let writer = Writer {
        folder,
        head,
        is_synced: config.checkpoint == Checkpoint::Sync,
        rooms: BTreeMap::new(),
        lobby: Arc::from([]),
        open: None,
        number,
        resting_until: None,
        waiting,
        metrics,
    };
    let thread = std::thread::Builder::new().name("checkpoints".to_owned()).spawn(move || writer.run(&from))?;
    Ok(Checkpoints { sink, thread: Some(thread) })
}

struct Writer {
    folder: PathBuf,
    head: Head,
    /// Whether it survives the loss of power, not only of the process.
    is_synced: bool,
    /// The newest state of each room.
    rooms: BTreeMap<RoomId, Arc<[u8]>>,
    lobby: Arc<[u8]>,
    open: Option<OpenSegment>,
    /// Of the next segment.
    number: u64,
    /// The disk failed, and is tried again then.
    resting_until: Option<Instant>,
    waiting: Arc<AtomicUsize>,
    metrics: Arc<Metrics>,
}

struct OpenSegment {
    file: File,
    began: Instant,
    bytes: usize,
}

impl Writer {
    fn run(mut self, from: &Receiver<Message>) {
        let mut bytes = Vec::new();
        while let Ok(first) = from.recv() {
            let until = Instant::now() + WRITES_EVERY;
            let mut next = Some(first);
            while let Some(message) = next {
                match message {
                    Message::Stop => {
                        drop(self.open);
                        return remove_all(&self.folder);
                    }
                    Message::Leave => return,
                    Message::Room(..) | Message::Gone(_) | Message::Lobby(_) => self.take(message, &mut bytes),
                }
                let left = until.checked_duration_since(Instant::now());
                next = left.and_then(|left| from.recv_timeout(left).ok());
            }
            if let Err(error) = self.write(&bytes) {
                self.fail(&error);
            }
            bytes.clear();
        }
    }

    /// Keeps the newest state, and appends its block.
    fn take(&mut self, message: Message, bytes: &mut Vec<u8>) {
        match message {
            Message::Room(id, payload) => {
                self.waiting.fetch_sub(payload.len(), Ordering::Relaxed);
                bytes.extend(room_block(id, &payload));
                self.rooms.insert(id, payload);
            }
            Message::Gone(id) => {
                bytes.extend(block::write(Kind::Gone, &id.0.to_le_bytes()));
                self.rooms.remove(&id);
            }
            Message::Lobby(payload) => {
                self.waiting.fetch_sub(payload.len(), Ordering::Relaxed);
                bytes.extend(block::write(Kind::Lobby, &payload));
                self.lobby = payload;
            }
            Message::Stop | Message::Leave => {}
        }
    }

    fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        // A segment without it does not count: nobody knows when it was.
        if self.lobby.is_empty() || self.resting_until.is_some_and(|until| Instant::now() < until) {
            return Ok(());
        }
        let is_full = |open: &OpenSegment| open.began.elapsed() >= SEGMENT || open.bytes >= SEGMENT_BYTES;
        if self.open.as_ref().is_none_or(is_full) {
            return self.begin();
        }
        if let Some(open) = self.open.as_mut().filter(|_| !bytes.is_empty()) {
            open.file.write_all(bytes)?;
            open.bytes += bytes.len();
            if self.is_synced {
                open.file.sync_data()?;
            }
            self.metrics.checkpoint_bytes.inc_by(bytes.len() as u64);
        }
        Ok(())
    }

    /// Begins a segment with the newest state of everything, and removes those before it.
    fn begin(&mut self) -> std::io::Result<()> {
        let path = segment::path(&self.folder, self.number);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let rooms = self.rooms.iter().map(|(id, payload)| (*id, &**payload));
        let bytes = segment::whole(&self.head, &self.lobby, rooms);
        self.number += 1;
        let mut file = options.open(&path)?;
        let written = file.write_all(&bytes).and_then(|()| if self.is_synced { file.sync_all() } else { Ok(()) });
        if let Err(error) = written {
            // It would only take up space.
            let _ = fs::remove_file(&path);
            return Err(error);
        }
        self.metrics.checkpoint_bytes.inc_by(bytes.len() as u64);
        self.open = Some(OpenSegment { file, began: Instant::now(), bytes: bytes.len() });
        if self.is_synced {
            // Its name is to last before those of the others go.
            File::open(&self.folder)?.sync_all()?;
        }
        for (_, older) in segment::files(&self.folder).into_iter().filter(|(_, found)| *found != path) {
            fs::remove_file(older)?;
        }
        if self.resting_until.take().is_some() {
            tracing::info!("checkpoints are written again");
        }
        Ok(())
    }

    /// The disk failed: nothing is written for a while, and play goes on.
    fn fail(&mut self, error: &std::io::Error) {
        self.metrics.checkpoints_failed.inc();
        if self.resting_until.is_none() {
            tracing::warn!(folder = %self.folder.display(), %error, "cannot write checkpoints; play goes on, and a crash loses what came since");
        }
        self.resting_until = Some(Instant::now() + TRIED_AGAIN);
        self.open = None;
    }
}

/// The server ended in order: there is nothing to go on from.
fn remove_all(folder: &Path) {
    for path in segment::files(folder).into_values() {
        if let Err(error) = fs::remove_file(&path) {
            tracing::warn!(file = %path.display(), %error, "cannot remove a checkpoint");
        }
    }
}

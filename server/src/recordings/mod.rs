//! Recordings of rooms, as files below the data folder, and the command that replays one.
//!
//! | module | what it holds |
//! |---|---|
//! | `writer` | the thread that writes the files, and removes old ones |
//! | `packing` | packs a file, a piece at a time |
//! | `shelf` | finds a recording for whoever watches it |
//! | [`check`] | the command: replays a file and compares |
//!
//! A room never waits for the disk: what the writer cannot take in time ends the recording, which is then good up to there.

pub mod check;
mod packing;
mod shelf;
mod writer;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

pub use shelf::{Found, Shelf};
pub(crate) use writer::{Folder, Recordings, start};

/// Most bytes that wait for the disk.
const WAITING_MAX: usize = 64 * 1024 * 1024;

/// A recording, and the match that it is of: it has the id of the match's result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecordingId(pub [u8; 16]);

/// 32 hexadecimal digits, as in the addresses of matches.
impl fmt::Display for RecordingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// What the writer is told.
enum Message {
    Begin(RecordingId, Vec<u8>),
    More(RecordingId, Arc<[u8]>),
    End(RecordingId, Vec<u8>),
    /// It goes no further.
    Cut(RecordingId),
    /// A whole file with this name.
    Minute(String, Vec<u8>),
    /// The server ends.
    Stop,
}

/// Where rooms leave recordings. Clones share it.
#[derive(Clone, Default)]
pub struct RecordingSink(Option<Open>);

#[derive(Clone)]
struct Open {
    to: Sender<Message>,
    /// Bytes that wait for the disk.
    waiting: Arc<AtomicUsize>,
    shelf: Arc<Shelf>,
}

/// See [`RecordingSink::list`].
pub struct KeptMinutes(Receiver<Message>);

impl KeptMinutes {
    /// The last minutes of rooms that failed since the last call, by the names of their files.
    #[must_use]
    pub fn take(&self) -> Vec<(String, Vec<u8>)> {
        let minute = |message| match message {
            Message::Minute(name, bytes) => Some((name, bytes)),
            Message::Begin(..) | Message::More(..) | Message::End(..) | Message::Cut(_) | Message::Stop => None,
        };
        self.0.try_iter().filter_map(minute).collect()
    }
}

impl fmt::Debug for RecordingSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecordingSink")
    }
}

impl RecordingSink {
    /// A list of the last minutes that are kept, for a server in virtual time.
    #[must_use]
    pub fn list() -> (RecordingSink, KeptMinutes) {
        let (to, from) = channel();
        (RecordingSink(Some(Open { to, waiting: Arc::default(), shelf: Arc::default() })), KeptMinutes(from))
    }

    /// Begins a file with this id; false if nothing is recorded.
    #[must_use]
    pub fn begin(&self, id: RecordingId, bytes: Vec<u8>) -> bool {
        self.send(bytes.len(), Message::Begin(id, bytes))
    }

    /// Continues it. False if too much waits for the disk: the file ends here.
    pub fn more(&self, id: RecordingId, bytes: Arc<[u8]>) -> bool {
        let is_sent = self.send(bytes.len(), Message::More(id, bytes));
        if !is_sent {
            self.cut(id);
        }
        is_sent
    }

    /// Ends it.
    pub fn end(&self, id: RecordingId, bytes: Vec<u8>) {
        self.tell(Message::End(id, bytes));
    }

    /// Leaves it as it is: it can be read up to there.
    pub fn cut(&self, id: RecordingId) {
        self.tell(Message::Cut(id));
    }

    /// Lends the last minute of a room to whoever watches it now.
    pub fn lend_minute(&self, id: RecordingId, bytes: Vec<u8>) {
        if let Some(open) = &self.0 {
            open.shelf.lend(id, bytes.into());
        }
    }

    /// Keeps the last minute of a room under a name of its own.
    pub fn keep_minute(&self, name: String, bytes: Vec<u8>) {
        self.send(bytes.len(), Message::Minute(name, bytes));
    }

    fn send(&self, bytes: usize, message: Message) -> bool {
        let Some(open) = &self.0 else { return false };
        if open.waiting.load(Ordering::Relaxed) + bytes > WAITING_MAX {
            return false;
        }
        open.waiting.fetch_add(bytes, Ordering::Relaxed);
        open.to.send(message).is_ok()
    }

    /// What is small and must arrive.
    fn tell(&self, message: Message) {
        if let Some(open) = &self.0 {
            // A writer that has ended has closed its files.
            let _ = open.to.send(message);
        }
    }
}

//! Recordings for those who watch them.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;

use super::RecordingId;
use super::writer::{Folder, RECORDING};

/// Most bytes of a recording that is served: more than an hour with 16 players, at 3.5 kB for a player's minute. A response is held in memory, and an address may hold
/// 8 MiB of them.
const SERVED_MAX: u64 = 6 * 1024 * 1024;
/// Most bytes that are lent: the oldest goes first.
const LENT_MAX: usize = 32 * 1024 * 1024;

/// A recording that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    Recording(Bytes),
    /// It has so many bytes, and at most so many are served.
    TooLarge(u64, u64),
    Nothing,
}

/// Where recordings are looked up. Looking waits for the disk.
#[derive(Debug, Default)]
pub struct Shelf {
    /// `None` if nothing is recorded.
    folder: Option<PathBuf>,
    /// Those that are not in the folder, the oldest first.
    lent: Mutex<VecDeque<(RecordingId, Bytes)>>,
    /// Told of everything that is lent.
    arrived: Notify,
}

impl Shelf {
    pub(super) fn new(folder: Option<&Folder>) -> Shelf {
        Shelf { folder: folder.map(|folder| folder.path.clone()), ..Shelf::default() }
    }

    /// Whether anything is recorded.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.folder.is_some()
    }

    /// Adds a recording that is not in the folder; it goes once others need its place.
    pub fn lend(&self, id: RecordingId, bytes: Bytes) {
        let mut lent = self.lock();
        let mut held: usize = lent.iter().map(|(_, bytes)| bytes.len()).sum();
        while held + bytes.len() > LENT_MAX
            && let Some((_, oldest)) = lent.pop_front()
        {
            held -= oldest.len();
        }
        lent.push_back((id, bytes));
        drop(lent);
        self.arrived.notify_waiters();
    }

    /// Returns once this recording is lent.
    pub async fn lent_once(&self, id: RecordingId) {
        loop {
            let arrived = self.arrived.notified();
            tokio::pin!(arrived);
            // From here on nothing is missed.
            arrived.as_mut().enable();
            if self.lent(id).is_some() {
                return;
            }
            arrived.await;
        }
    }

    /// Whether there is a recording that is whole.
    #[must_use]
    pub fn has(&self, id: RecordingId) -> bool {
        self.lent(id).is_some() || self.file(id).is_some_and(|file| file.is_file())
    }

    /// Reads a recording.
    ///
    /// # Errors
    /// The disk fails.
    pub fn read(&self, id: RecordingId) -> std::io::Result<Found> {
        if let Some(bytes) = self.lent(id) {
            return Ok(Found::Recording(bytes));
        }
        let Some(path) = self.file(id) else { return Ok(Found::Nothing) };
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Found::Nothing),
            Err(error) => return Err(error),
        };
        let length = file.metadata()?.len();
        if length > SERVED_MAX {
            return Ok(Found::TooLarge(length, SERVED_MAX));
        }
        let mut bytes = Vec::with_capacity(length as usize);
        // A recording grows no more.
        file.by_ref().take(SERVED_MAX).read_to_end(&mut bytes)?;
        Ok(Found::Recording(bytes.into()))
    }

    fn lent(&self, id: RecordingId) -> Option<Bytes> {
        self.lock().iter().find(|(lent, _)| *lent == id).map(|(_, bytes)| bytes.clone())
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(RecordingId, Bytes)>> {
        // A panic while the lock is held leaves no entry half-written.
        self.lent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn file(&self, id: RecordingId) -> Option<PathBuf> {
        Some(self.folder.as_ref()?.join(id.to_string()).with_extension(RECORDING))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_recording_is_found_by_its_id_and_one_that_is_too_large_is_not_read() {
        let folder = std::env::temp_dir().join(format!("broadside-shelf-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("the system has a temporary folder");
        let shelf = Shelf { folder: Some(folder.clone()), ..Shelf::default() };
        let [there, large, absent, lent] = [1, 2, 3, 4].map(|number| RecordingId([number; 16]));
        let file = |id: RecordingId| folder.join(format!("{id}.{RECORDING}"));
        fs::write(file(there), b"a match").expect("it can be written");
        File::create(file(large)).expect("it can be made").set_len(SERVED_MAX + 1).expect("it can be that long");
        shelf.lend(absent, Bytes::from(vec![0; LENT_MAX]));
        shelf.lend(lent, Bytes::from_static(b"another"));
        let read = |id| shelf.read(id).expect("the disk works");
        assert_eq!(read(there), Found::Recording(Bytes::from_static(b"a match")));
        assert_eq!(read(lent), Found::Recording(Bytes::from_static(b"another")));
        assert_eq!(read(large), Found::TooLarge(SERVED_MAX + 1, SERVED_MAX));
        assert_eq!(read(absent), Found::Nothing, "what is lent has to fit");
        assert_eq!([there, large, absent, lent].map(|id| shelf.has(id)), [true, true, false, true]);
        assert_eq!(Shelf::default().read(there).expect("there is no disk"), Found::Nothing);
        fs::remove_dir_all(&folder).expect("it is there");
    }
}

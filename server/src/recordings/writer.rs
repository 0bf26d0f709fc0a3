//! The thread that writes recordings, and removes old ones.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvError, TryRecvError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use broadside_shared::recording::{block, pack};

use super::packing::Packing;
use super::{Message, Open, RecordingId, RecordingSink, Shelf};
use crate::config::{Config, Record};
use crate::metrics::Metrics;

/// Ending of a recording that is under way. After a crash it is one that was cut off.
const UNDER_WAY: &str = "part";
/// Ending of a file that is being packed. After a crash there is also the one that it is packed from.
const PACKED: &str = "packed";
/// Largest recording that is packed.
const PACKED_BYTES_MAX: u64 = 16 << 20;
/// Ending of a recording.
pub(super) const RECORDING: &str = "bsr";
/// Shortest time between two last minutes that are kept.
const MINUTE_EVERY: Duration = Duration::from_secs(10);

/// Where recordings are kept, and how many.
#[derive(Debug, Clone)]
pub(crate) struct Folder {
    pub(crate) path: PathBuf,
    /// The oldest are removed beyond this.
    pub(crate) bytes_max: u64,
    pub(crate) age_max: Duration,
}

impl Folder {
    /// The folder that the flags name; `None` if nothing is recorded.
    pub(crate) fn of(config: &Config) -> Option<Folder> {
        let data = config.data.path().filter(|_| config.record != Record::Off)?;
        Some(Folder {
            path: data.join("recordings"),
            bytes_max: u64::from(config.record_mb) * 1_000_000,
            age_max: Duration::from_secs(u64::from(config.record_days) * 86_400),
        })
    }
}

/// The writer; it ends with [`Recordings::end`].
pub(crate) struct Recordings {
    pub(crate) shelf: Arc<Shelf>,
    sink: RecordingSink,
    thread: Option<JoinHandle<()>>,
}

impl Recordings {
    pub(crate) fn sink(&self) -> RecordingSink {
        self.sink.clone()
    }

    /// Writes what waits, and ends the thread. The rooms have ended.
    pub(crate) fn end(self) {
        self.sink.tell(Message::Stop);
        if let Some(thread) = self.thread {
            let _ = thread.join();
        }
    }
}

/// Starts the writer; without a folder nothing is recorded.
///
/// # Errors
/// The folder cannot be made, or the operating system gives no thread.
pub(crate) fn start(folder: Option<Folder>, metrics: Arc<Metrics>) -> std::io::Result<Recordings> {
    let shelf = Arc::new(Shelf::new(folder.as_ref()));
    let Some(folder) = folder else { return Ok(Recordings { shelf, sink: RecordingSink::default(), thread: None }) };
    fs::create_dir_all(&folder.path)?;
    let (to, from) = mpsc::channel();
    let waiting = Arc::new(AtomicUsize::new(0));
    let sink = RecordingSink(Some(Open { to, waiting: Arc::clone(&waiting), shelf: Arc::clone(&shelf) }));
    let mut writer = Writer {
        folder,
        files: BTreeMap::new(),
        to_pack: VecDeque::new(),
        packing: None,
        waiting,
        metrics,
        minute_at: None,
    };
    writer.finish_old();
    let thread = std::thread::Builder::new().name("recordings".to_owned()).spawn(move || writer.run(&from))?;
    Ok(Recordings { shelf, sink, thread: Some(thread) })
}

struct Writer {
    folder: Folder,
    files: BTreeMap<RecordingId, File>,
    /// Those that are over and not packed yet, the first one first.
    to_pack: VecDeque<RecordingId>,
    /// Of the first one.
    packing: Option<Packing>,
    waiting: Arc<AtomicUsize>,
    metrics: Arc<Metrics>,
    /// When the last minute of a room was kept last.
    minute_at: Option<Instant>,
}

impl Writer {
    fn run(&mut self, from: &Receiver<Message>) {
        while let Ok(message) = self.next(from) {
            match message {
                Message::Begin(id, bytes) => {
                    self.taken(bytes.len());
                    match self.begin(id, &bytes) {
                        Ok(file) => drop(self.files.insert(id, file)),
                        Err(error) => self.failed(&error),
                    }
                }
                Message::More(id, bytes) => {
                    self.taken(bytes.len());
                    self.write(id, &bytes);
                }
                Message::End(id, bytes) => {
                    self.write(id, &bytes);
                    self.close(id);
                }
                Message::Cut(id) => self.close(id),
                Message::Minute(name, bytes) => {
                    self.taken(bytes.len());
                    self.keep_minute(&name, &bytes);
                }
                Message::Stop => break,
            }
        }
        // As they are, since another server may wait for them.
        while let Some(id) = self.to_pack.front().copied() {
            self.packed(id);
        }
        for id in std::mem::take(&mut self.files).into_keys() {
            self.rename(id);
        }
    }

    /// The next message. Packs until there is one.
    fn next(&mut self, from: &Receiver<Message>) -> Result<Message, RecvError> {
        loop {
            match from.try_recv() {
                Ok(message) => return Ok(message),
                Err(TryRecvError::Disconnected) => return Err(RecvError),
                Err(TryRecvError::Empty) => match self.to_pack.front().copied() {
                    Some(id) => self.pack(id),
                    None => return from.recv(),
                },
            }
        }
    }

    /// The file of a recording that begins with these bytes. If there is one, it is of the same match, which goes on after a crash or a hand-over: so
    /// does the file, unless it begins otherwise, as under other rules.
    fn begin(&mut self, id: RecordingId, bytes: &[u8]) -> std::io::Result<File> {
        if self.to_pack.contains(&id) {
            self.packed(id);
        }
        let mut file = File::create_new(self.path(id, UNDER_WAY))?;
        let earlier = fs::read(self.path(id, RECORDING));
        match earlier.as_ref().map(|bytes| pack::unpack(bytes)) {
            Ok(Ok(earlier)) if earlier.starts_with(bytes) => {
                file.write_all(&earlier[..block::open_length(&earlier)])?;
                // Nobody is to take it for the whole match.
                fs::remove_file(self.path(id, RECORDING))?;
            }
            _ => file.write_all(bytes)?,
        }
        Ok(file)
    }

    fn taken(&self, bytes: usize) {
        self.waiting.fetch_sub(bytes, Ordering::Relaxed);
    }

    fn keep_minute(&mut self, name: &str, bytes: &[u8]) {
        // A room that fails again and again says the same each time.
        if self.minute_at.is_some_and(|at| at.elapsed() < MINUTE_EVERY) {
            return;
        }
        self.minute_at = Some(Instant::now());
        let path = self.folder.path.join(name).with_extension(RECORDING);
        if let Err(error) = fs::write(&path, pack::pack(bytes)) {
            return self.failed(&error);
        }
        let file = path.display();
        tracing::info!(%file, "the last minute of a room is kept: `broadside-server replay {file}` repeats it");
        self.forget_old();
    }

    fn write(&mut self, id: RecordingId, bytes: &[u8]) {
        let Some(file) = self.files.get_mut(&id) else { return };
        if let Err(error) = file.write_all(bytes) {
            // What was written is a recording that was cut off.
            self.failed(&error);
            self.close(id);
        }
    }

    /// Closes the file of a recording, which is kept once it is packed.
    fn close(&mut self, id: RecordingId) {
        if self.files.remove(&id).is_some() {
            self.to_pack.push_back(id);
        }
    }

    /// Packs some more of the first file.
    fn pack(&mut self, id: RecordingId) {
        let path = self.path(id, UNDER_WAY);
        let packing = match self.packing.take() {
            Some(packing) => packing.go_on(&path),
            None => self.begin_to_pack(id, &path),
        };
        match packing {
            Ok(Some(packing)) => self.packing = Some(packing),
            Ok(None) => self.packed(id),
            Err(error) => {
                // It is kept as it is.
                self.failed(&error);
                self.packed(id);
            }
        }
    }

    /// `None` if the file is as long as that of an arena, which is not worth its time.
    fn begin_to_pack(&self, id: RecordingId, path: &Path) -> std::io::Result<Option<Packing>> {
        if fs::metadata(path)?.len() > PACKED_BYTES_MAX {
            return File::open(path)?.sync_all().map(|()| None);
        }
        Packing::begin(path, self.path(id, PACKED)).map(Some)
    }

    /// A recording is kept, packed or not.
    fn packed(&mut self, id: RecordingId) {
        if self.to_pack.front() == Some(&id) {
            self.packing = None;
        }
        self.to_pack.retain(|other| *other != id);
        self.rename(id);
        self.metrics.recordings_kept.inc();
        self.forget_old();
    }

    fn rename(&self, id: RecordingId) {
        // Of one that was not packed to its end.
        let _ = fs::remove_file(self.path(id, PACKED));
        if let Err(error) = fs::rename(self.path(id, UNDER_WAY), self.path(id, RECORDING)) {
            self.failed(&error);
        }
    }

    fn path(&self, id: RecordingId, extension: &str) -> PathBuf {
        self.folder.path.join(id.to_string()).with_extension(extension)
    }

    /// Recordings of a server that was killed are those that were cut off.
    fn finish_old(&self) {
        for file in files(&self.folder.path).into_iter().filter(|file| file.has(UNDER_WAY)) {
            let whole = file.path.with_extension(RECORDING);
            match fs::rename(&file.path, &whole) {
                Ok(()) => tracing::info!(file = %whole.display(), "a recording was cut off by the end of the server"),
                Err(error) => self.failed(&error),
            }
        }
        for file in files(&self.folder.path).into_iter().filter(|file| file.has(PACKED)) {
            fs::remove_file(&file.path).unwrap_or_else(|error| self.failed(&error));
        }
        self.forget_old();
    }

    /// Removes the oldest recordings beyond what is to be kept.
    fn forget_old(&self) {
        let mut kept: Vec<Entry> = files(&self.folder.path).into_iter().filter(|file| file.has(RECORDING)).collect();
        kept.sort_by_key(|file| std::cmp::Reverse(file.written));
        let mut bytes = 0u64;
        for file in kept {
            bytes += file.bytes;
            let age = file.written.elapsed().unwrap_or_default();
            if bytes > self.folder.bytes_max || age > self.folder.age_max {
                match fs::remove_file(&file.path) {
                    Ok(()) => tracing::debug!(file = %file.path.display(), "an old recording is removed"),
                    Err(error) => self.failed(&error),
                }
            }
        }
    }

    fn failed(&self, error: &std::io::Error) {
        if self.metrics.recordings_failed.inc() == 0 {
            tracing::warn!(folder = %self.folder.path.display(), %error, "cannot keep a recording; play goes on, and broadside_recordings_failed_total counts them");
        }
    }
}

/// A file of the folder.
struct Entry {
    path: PathBuf,
    bytes: u64,
    written: SystemTime,
}

impl Entry {
    fn has(&self, extension: &str) -> bool {
        self.path.extension().is_some_and(|found| found == extension)
    }
}

/// The files of a folder, as far as they can be read.
fn files(folder: &Path) -> Vec<Entry> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let entry = |entry: fs::DirEntry| {
        let about = entry.metadata().ok()?;
        Some(Entry { path: entry.path(), bytes: about.len(), written: about.modified().ok()? })
    };
    entries.flatten().filter_map(entry).collect()
}

#[cfg(test)]
mod tests {
    use broadside_shared::recording::block::{BlockKind, MAGIC};

    use super::*;

    fn contents(file: &Path) -> Vec<u8> {
        pack::unpack(&fs::read(file).expect("it is there")).expect("it is small").into_owned()
    }

    #[test]
    fn a_match_that_goes_on_on_another_server_has_one_file() {
        let path = std::env::temp_dir().join(format!("broadside-recordings-on-{}", std::process::id()));
        let folder = Folder { path: path.clone(), bytes_max: 1000, age_max: Duration::from_secs(3600) };
        let started = || start(Some(folder.clone()), Arc::new(Metrics::new())).expect("it starts");
        let (id, beginning) = (RecordingId([1; 16]), [&MAGIC[..], &block::write(BlockKind::Head, b"head")].concat());
        let part = |text: &[u8]| block::write(BlockKind::Ticks, text);
        let end = block::write(BlockKind::End, &[]);
        // Of a server that was killed while it wrote, of one that handed over, and of one whose match was over in the second that was lost.
        for last in [&part(b"torn")[..7], &[], &end] {
            let recordings = started();
            assert!(recordings.sink().begin(id, beginning.clone()));
            assert!(recordings.sink().more(id, part(b"first").into()));
            recordings.sink().end(id, last.to_vec());
            recordings.end();
            let recordings = started();
            assert!(recordings.sink().begin(id, beginning.clone()));
            assert!(recordings.sink().more(id, part(b"second").into()));
            recordings.sink().end(id, end.clone());
            recordings.end();
            let file = path.join(format!("{id}.{RECORDING}"));
            let expected = [&beginning[..], &part(b"first"), &part(b"second"), &end].concat();
            assert_eq!(contents(&file), expected, "after {last:?}");
            fs::remove_file(file).expect("it is there");
        }
        fs::remove_dir_all(&path).expect("it is there");
    }

    #[test]
    fn a_match_that_goes_on_on_the_same_server_has_one_file_whether_it_was_packed_or_not() {
        let path = std::env::temp_dir().join(format!("broadside-recordings-same-{}", std::process::id()));
        let folder = Folder { path: path.clone(), bytes_max: 1 << 20, age_max: Duration::from_secs(3600) };
        let (id, beginning) = (RecordingId([1; 16]), [&MAGIC[..], &block::write(BlockKind::Head, b"head")].concat());
        let recordings = start(Some(folder), Arc::new(Metrics::new())).expect("it starts");
        let mut expected = beginning.clone();
        for part in [b"first", b"other", b"third"].map(|text| block::write(BlockKind::Ticks, text)) {
            assert!(recordings.sink().begin(id, beginning.clone()));
            assert!(recordings.sink().more(id, part.clone().into()));
            recordings.sink().end(id, Vec::new());
            expected.extend(part);
        }
        recordings.end();
        assert_eq!(contents(&path.join(format!("{id}.{RECORDING}"))), expected);
        assert_eq!(files(&path).len(), 1, "nothing half packed is left");
        fs::remove_dir_all(&path).expect("it is there");
    }

    #[test]
    fn files_are_written_and_the_oldest_removed_and_those_of_a_killed_server_finished() {
        let path = std::env::temp_dir().join(format!("broadside-recordings-{}", std::process::id()));
        let folder = Folder { path: path.clone(), bytes_max: 72, age_max: Duration::from_secs(3600) };
        let names = || {
            let mut names: Vec<String> = files(&path)
                .iter()
                .map(|file| file.path.file_name().expect("a name").to_string_lossy().into())
                .collect();
            names.sort();
            names
        };
        let recordings = start(Some(folder.clone()), Arc::new(Metrics::new())).expect("it starts");
        let sink = recordings.sink();
        let [whole, killed, newer] = [1, 2, 3].map(|number| RecordingId([number; 16]));
        let beginning = [&MAGIC[..], &[1; 10]].concat();
        assert!(sink.begin(whole, beginning.clone()));
        assert!(sink.more(whole, Arc::new([2; 5])));
        sink.end(whole, vec![3]);
        assert!(sink.begin(killed, vec![4; 6]));
        // As a server that ends does with recordings under way.
        recordings.end();
        let file = |id: RecordingId| path.join(format!("{id}.{RECORDING}"));
        let mut both = [whole, killed].map(|id| format!("{id}.{RECORDING}"));
        both.sort();
        assert_eq!(names(), both);
        assert_eq!(contents(&file(whole)), [beginning, vec![2; 5], vec![3]].concat());
        // As one that was killed.
        fs::rename(file(killed), file(killed).with_extension(UNDER_WAY)).expect("it is there");
        let recordings = start(Some(folder), Arc::new(Metrics::new())).expect("it starts");
        assert_eq!(names(), both);
        // Packing makes these 68.
        let mut rng = fastrand::Rng::with_seed(1);
        let unlike = std::iter::repeat_with(|| rng.u8(..)).take(64).collect();
        assert!(recordings.sink().begin(newer, unlike));
        recordings.sink().cut(newer);
        recordings.end();
        assert_eq!(names(), [format!("{newer}.bsr")], "more than 72 bytes are too many");
        fs::remove_dir_all(&path).expect("it is there");
    }
}

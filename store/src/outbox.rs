//! The outbox: results on disk until the database has them.
//!
//! ```text
//! rooms -> Outbox::put (memory, bounded, never waits) -> Journal (a thread: appends and syncs) -> Delivery (a task: reads, writes to the database)
//! ```
//!
//! The journal is a folder of segments, numbered files of lines. A line is the CRC-32 of the rest in hexadecimal, a space, and a
//! [`MatchRecord`] in JSON. A segment is removed once the database has all of it; one of which it has a part is delivered again after a restart,
//! which changes nothing, because a result is written once. A line cut short by a crash ends its segment.
//!
//! While the disk is full or read-only, results wait in memory and are lost if the process is killed; [`Status::in_memory`] says how many. Without a
//! data folder all of them do.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::period::Season;
use crate::results::MatchRecord;
use crate::{OpenError, Store, StoreError};

/// Players' results that wait in memory at most. Further ones are dropped and counted.
pub const IN_MEMORY_MAX: u64 = 65_536;

/// Largest size of the journal in bytes. A journal that is full counts as a full disk.
pub const JOURNAL_BYTES_MAX: u64 = 256 << 20;

/// A segment that has grown to this size is closed, and another begun.
const SEGMENT_BYTES: u64 = 256 << 10;

/// Bytes that are read for one transaction: some 200 matches of two.
const BATCH_BYTES: usize = 64 << 10;

/// How long to wait after a failure of the disk or the database: from the first to the last, doubling.
const RETRY: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(5)];

/// Where rooms leave results. Clones share it.
#[derive(Clone)]
pub struct Outbox {
    shared: Arc<Shared>,
}

/// The half that writes to disk.
pub struct Journal {
    shared: Arc<Shared>,
    folder: PathBuf,
    segment: Option<File>,
}

/// The half that writes to the database.
pub struct Delivery {
    shared: Arc<Shared>,
    /// `None` without a data folder: what waits in memory is delivered from there.
    folder: Option<PathBuf>,
}

/// How the outbox is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// Players' results that wait in memory: a killed process loses them.
    pub in_memory: u64,
    /// Bytes of the journal that wait for the database.
    pub on_disk_bytes: u64,
    /// Players' results that the database has.
    pub delivered: u64,
    /// Players' results dropped because [`IN_MEMORY_MAX`] waited.
    pub dropped: u64,
    /// Lines of the journal that could not be read.
    pub damaged: u64,
    /// Matches that the database refused; their lines are in the file `refused.log`.
    pub refused: u64,
    /// Whether the last attempt to write to disk failed.
    pub disk_fails: bool,
    /// Whether the last attempt to write to the database failed.
    pub database_fails: bool,
}

#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    /// Something waits for the journal, or the end has come.
    put: Condvar,
    /// Something waits for the delivery.
    written: Notify,
    in_memory: AtomicU64,
    delivered: AtomicU64,
    dropped: AtomicU64,
    damaged: AtomicU64,
    refused: AtomicU64,
    disk_fails: AtomicBool,
    database_fails: AtomicBool,
}

#[derive(Default)]
struct Waiting {
    /// For the journal; without one, for the delivery.
    records: VecDeque<MatchRecord>,
    segments: VecDeque<Segment>,
    is_ending: bool,
    journal_ended: bool,
}

#[derive(Debug, Clone, Copy)]
struct Segment {
    number: u64,
    /// Bytes that are certainly on disk.
    written: u64,
    /// Bytes that the database has.
    delivered: u64,
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Opens the outbox of a data folder, or one in memory. What an earlier run left waits for the delivery.
///
/// # Errors
/// The folder cannot be written.
pub fn open(data: Option<&Path>) -> Result<(Outbox, Option<Journal>, Delivery), OpenError> {
    let shared = Arc::new(Shared::default());
    let outbox = Outbox { shared: Arc::clone(&shared) };
    let Some(data) = data else {
        shared.waiting().journal_ended = true;
        return Ok((outbox, None, Delivery { shared, folder: None }));
    };
    let folder = data.join("outbox");
    let unwritable = |error: std::io::Error| OpenError::Unwritable {
        folder: folder.display().to_string(),
        reason: error.to_string(),
    };
    std::fs::create_dir_all(&folder).map_err(unwritable)?;
    let mut segments = Vec::new();
    for entry in std::fs::read_dir(&folder).map_err(unwritable)? {
        let entry = entry.map_err(unwritable)?;
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(".log")).and_then(|name| name.parse().ok());
        if let Some(number) = number {
            let written = entry.metadata().map_err(unwritable)?.len();
            segments.push(Segment { number, written, delivered: 0 });
        }
    }
    segments.sort_by_key(|segment| segment.number);
    shared.waiting().segments = segments.into();
    let journal = Journal { shared: Arc::clone(&shared), folder: folder.clone(), segment: None };
    Ok((outbox, Some(journal), Delivery { shared, folder: Some(folder) }))
}

impl Outbox {
    /// Leaves results. Never waits; what does not fit is dropped and counted.
    pub fn put(&self, record: MatchRecord) {
        let players = record.players.len() as u64;
        let mut waiting = self.shared.waiting();
        // Only this adds, and under the lock.
        if self.shared.in_memory.load(Ordering::Relaxed) + players > IN_MEMORY_MAX {
            self.shared.dropped.fetch_add(players, Ordering::Relaxed);
            return;
        }
        self.shared.in_memory.fetch_add(players, Ordering::Relaxed);
        waiting.records.push_back(record);
        let is_direct = waiting.journal_ended;
        drop(waiting);
        if is_direct {
            self.shared.written.notify_one();
        } else {
            self.shared.put.notify_one();
        }
    }

    /// No results follow: the journal writes what it has and ends, and the delivery makes one attempt at the rest.
    pub fn end(&self) {
        self.shared.waiting().is_ending = true;
        self.shared.put.notify_all();
        self.shared.written.notify_one();
    }

    /// How it is doing.
    #[must_use]
    pub fn status(&self) -> Status {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let on_disk = self.shared.waiting().segments.iter().map(|segment| segment.written - segment.delivered).sum();
        Status {
            in_memory: of(&self.shared.in_memory),
            on_disk_bytes: on_disk,
            delivered: of(&self.shared.delivered),
            dropped: of(&self.shared.dropped),
            damaged: of(&self.shared.damaged),
            refused: of(&self.shared.refused),
            disk_fails: self.shared.disk_fails.load(Ordering::Relaxed),
            database_fails: self.shared.database_fails.load(Ordering::Relaxed),
        }
    }
}

impl Journal {
    /// Writes until [`Outbox::end`]; for a thread of its own.
    pub fn run(mut self) {
        let mut retry = RETRY[0];
        loop {
            let batch = {
                let mut waiting = self.shared.waiting();
                while waiting.records.is_empty() && !waiting.is_ending {
                    waiting = self.shared.put.wait(waiting).unwrap_or_else(PoisonError::into_inner);
                }
                if waiting.records.is_empty() {
                    break;
                }
                // They stay in front until they are on disk.
                let mut lines = String::new();
                let records = waiting.records.iter().take_while(|record| {
                    let fits = lines.len() < BATCH_BYTES;
                    if fits {
                        lines.push_str(&line(record));
                    }
                    fits
                });
                let count = records.count();
                (lines, count)
            };
            let (lines, count) = batch;
            let outcome = self.append(lines.as_bytes());
            let failed_before = self.shared.disk_fails.swap(outcome.is_err(), Ordering::Relaxed);
            match outcome {
                Ok(()) => {
                    if failed_before {
                        tracing::info!("results are written to disk again");
                    }
                    retry = RETRY[0];
                    self.taken(count);
                    self.shared.written.notify_one();
                }
                Err(error) => {
                    if !failed_before {
                        tracing::warn!(%error, "results cannot be written to disk and wait in memory");
                    }
                    // What was begun is not continued: its end may be torn.
                    self.segment = None;
                    if self.wait(retry) {
                        break;
                    }
                    retry = (retry * 2).min(RETRY[1]);
                }
            }
        }
        self.shared.waiting().journal_ended = true;
        self.shared.written.notify_one();
    }

    /// The first `count` records are on disk.
    fn taken(&self, count: usize) {
        let mut waiting = self.shared.waiting();
        let players: u64 = waiting.records.drain(..count).map(|record| record.players.len() as u64).sum();
        self.shared.in_memory.fetch_sub(players, Ordering::Relaxed);
    }

    /// Waits for a while; returns whether the end has come.
    fn wait(&self, how_long: Duration) -> bool {
        let waiting = self.shared.waiting();
        let ending = |waiting: &mut Waiting| !waiting.is_ending;
        let (waiting, _) =
            self.shared.put.wait_timeout_while(waiting, how_long, ending).unwrap_or_else(PoisonError::into_inner);
        waiting.is_ending
    }

    fn append(&mut self, lines: &[u8]) -> std::io::Result<()> {
        let (total, newest) = {
            let waiting = self.shared.waiting();
            (waiting.segments.iter().map(|segment| segment.written).sum::<u64>(), waiting.segments.back().copied())
        };
        if total + lines.len() as u64 > JOURNAL_BYTES_MAX {
            let full = format!("the outbox has {total} bytes, and {JOURNAL_BYTES_MAX} at most");
            return Err(std::io::Error::other(full));
        }
        let is_full = newest.is_none_or(|segment| segment.written >= SEGMENT_BYTES);
        if self.segment.is_none() || is_full {
            self.segment = Some(match newest {
                // Nothing of it is on disk for certain: while the disk is full, attempts do not leave a file each.
                Some(Segment { number, written: 0, .. }) => self.create(number)?,
                Some(Segment { number, .. }) => self.begin(number + 1)?,
                None => self.begin(1)?,
            });
        }
        if let Some(file) = &mut self.segment {
            file.write_all(lines)?;
            file.sync_data()?;
        }
        if let Some(segment) = self.shared.waiting().segments.back_mut() {
            segment.written += lines.len() as u64;
        }
        Ok(())
    }

    fn begin(&self, number: u64) -> std::io::Result<File> {
        let file = self.create(number)?;
        self.shared.waiting().segments.push_back(Segment { number, written: 0, delivered: 0 });
        Ok(file)
    }

    /// Makes the file of a segment, and lets it survive a crash.
    fn create(&self, number: u64) -> std::io::Result<File> {
        let file = File::options().create_new(true).append(true).open(path(&self.folder, number));
        // Left by an attempt that failed: nothing of it is on disk for certain.
        let file = match file {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                File::options().write(true).truncate(true).open(path(&self.folder, number))?
            }
            opened => opened?,
        };
        // The name is to survive as well.
        File::open(&self.folder)?.sync_all()?;
        Ok(file)
    }
}

impl Delivery {
    /// Delivers until [`Outbox::end`], and then makes one more attempt.
    pub async fn run(self, store: Store, season: Season) {
        let mut retry = RETRY[0];
        loop {
            let delivered = match &self.folder {
                Some(folder) => self.deliver_disk(folder, &store, season).await,
                None => self.deliver_memory(&store, season).await,
            };
            let failed_before = self.shared.database_fails.swap(delivered.is_err(), Ordering::Relaxed);
            match delivered {
                Ok(true) => retry = RETRY[0],
                Ok(false) if self.is_over() => return,
                Ok(false) => {
                    // A moment without work: the database may put its own house in order.
                    let tidy = async {
                        tokio::time::sleep(Duration::from_secs(2)).await;
                        let _ = store.tidy().await;
                        std::future::pending::<()>().await;
                    };
                    tokio::select! {
                        () = self.shared.written.notified() => {}
                        () = tidy => {}
                    }
                }
                Err(error) => {
                    if !failed_before {
                        tracing::warn!(%error, "results wait: the database does not take them");
                    }
                    if self.is_over() {
                        return;
                    }
                    tokio::select! {
                        () = tokio::time::sleep(retry) => {}
                        () = self.ending() => {}
                    }
                    retry = (retry * 2).min(RETRY[1]);
                    continue;
                }
            }
            if failed_before {
                tracing::info!("the database takes results again");
            }
        }
    }

    /// Whether nothing follows.
    fn is_over(&self) -> bool {
        let waiting = self.shared.waiting();
        waiting.is_ending && waiting.journal_ended
    }

    async fn ending(&self) {
        while !self.is_over() {
            self.shared.written.notified().await;
        }
    }

    /// Delivers a batch from memory. Returns whether there was one.
    async fn deliver_memory(&self, store: &Store, season: Season) -> Result<bool, StoreError> {
        let batch: Vec<MatchRecord> = self.shared.waiting().records.iter().take(64).cloned().collect();
        if batch.is_empty() {
            return Ok(false);
        }
        let refused = self.deliver(store, season, &batch).await?;
        self.shared.refused.fetch_add(refused.len() as u64, Ordering::Relaxed);
        let taken: Vec<_> = self.shared.waiting().records.drain(..batch.len()).collect();
        let players: usize = taken.iter().map(|record| record.players.len()).sum();
        self.shared.in_memory.fetch_sub(players as u64, Ordering::Relaxed);
        Ok(true)
    }

    /// Delivers a batch from the oldest segment. Returns whether there was one.
    async fn deliver_disk(&self, folder: &Path, store: &Store, season: Season) -> Result<bool, StoreError> {
        let (segment, is_last) = {
            let waiting = self.shared.waiting();
            let Some(segment) = waiting.segments.front().copied() else { return Ok(false) };
            (segment, waiting.segments.len() == 1)
        };
        let file = path(folder, segment.number);
        if segment.delivered == segment.written {
            // The journal still writes to the last one, unless it has written enough to begin another.
            if is_last {
                return Ok(false);
            }
            self.shared.waiting().segments.pop_front();
            if let Err(error) = std::fs::remove_file(&file) {
                tracing::warn!(%error, file = %file.display(), "cannot remove a delivered segment; it is delivered again after a restart");
            }
            return Ok(true);
        }
        let bytes =
            read(&file, segment).map_err(|error| StoreError::Unavailable(format!("{}: {error}", file.display())))?;
        let lines = whole_lines(&bytes, segment.delivered + bytes.len() as u64 == segment.written);
        let (records, damaged) = parse(lines);
        if damaged > 0 {
            self.shared.damaged.fetch_add(damaged, Ordering::Relaxed);
            tracing::warn!(lines = damaged, file = %file.display(), "unreadable results in the outbox, as after a crash while they were written");
        }
        let refused = self.deliver(store, season, &records).await?;
        if !refused.is_empty() {
            keep_refused(folder, &refused);
            self.shared.refused.fetch_add(refused.len() as u64, Ordering::Relaxed);
        }
        if let Some(front) = self.shared.waiting().segments.front_mut() {
            front.delivered += lines.len() as u64;
        }
        Ok(true)
    }

    /// Writes records to the database. Returns those that it refuses whatever happens, so that they do not stop the others.
    async fn deliver(
        &self,
        store: &Store,
        season: Season,
        records: &[MatchRecord],
    ) -> Result<Vec<MatchRecord>, StoreError> {
        match store.record(records, season).await {
            Ok(new) => {
                self.shared.delivered.fetch_add(new, Ordering::Relaxed);
                return Ok(Vec::new());
            }
            Err(StoreError::Unavailable(reason)) => return Err(StoreError::Unavailable(reason)),
            Err(StoreError::Conflict(_) | StoreError::Failed(_)) => {}
        }
        // One of them is to blame.
        let mut refused = Vec::new();
        for record in records {
            match store.record(std::slice::from_ref(record), season).await {
                Ok(new) => {
                    self.shared.delivered.fetch_add(new, Ordering::Relaxed);
                }
                Err(StoreError::Unavailable(reason)) => return Err(StoreError::Unavailable(reason)),
                Err(error) => {
                    tracing::error!(%error, "the database refuses a result");
                    refused.push(record.clone());
                }
            }
        }
        Ok(refused)
    }
}

fn path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:010}.log"))
}

/// A record as a line of the journal.
///
/// # Panics
/// Never: a record has no map with keys that are not text.
fn line(record: &MatchRecord) -> String {
    let json = serde_json::to_string(record).expect("a record is plain data");
    format!("{:08x} {json}\n", crc32fast::hash(json.as_bytes()))
}

/// The next batch of a segment's bytes.
fn read(file: &Path, segment: Segment) -> std::io::Result<Vec<u8>> {
    let mut file = File::open(file)?;
    file.seek(SeekFrom::Start(segment.delivered))?;
    let mut bytes = Vec::new();
    // A line longer than a batch (a match of hundreds) is read whole.
    let mut length = BATCH_BYTES as u64;
    let left = segment.written - segment.delivered;
    loop {
        Read::by_ref(&mut file).take(length.min(left - bytes.len() as u64)).read_to_end(&mut bytes)?;
        if bytes.contains(&b'\n') || bytes.len() as u64 >= left || bytes.is_empty() {
            return Ok(bytes);
        }
        length *= 2;
    }
}

/// The bytes up to the last end of a line; at the end of a segment, all of them.
fn whole_lines(bytes: &[u8], is_end: bool) -> &[u8] {
    match bytes.iter().rposition(|byte| *byte == b'\n') {
        Some(last) if !is_end => &bytes[..=last],
        Some(_) | None => bytes,
    }
}

/// The records in these lines, and how many lines are damaged.
fn parse(lines: &[u8]) -> (Vec<MatchRecord>, u64) {
    let mut damaged = 0;
    let lines = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let records = lines.filter_map(|line| {
        let record = parse_line(line);
        damaged += u64::from(record.is_none());
        record
    });
    (records.collect(), damaged)
}

fn parse_line(line: &[u8]) -> Option<MatchRecord> {
    let (sum, json) = line.split_at_checked(9)?;
    let sum = u32::from_str_radix(std::str::from_utf8(&sum[..8]).ok()?, 16).ok()?;
    (sum == crc32fast::hash(json)).then(|| serde_json::from_slice(json).ok()).flatten()
}

/// Keeps what the database refuses, for whoever looks after it.
fn keep_refused(folder: &Path, refused: &[MatchRecord]) {
    let lines: String = refused.iter().map(line).collect();
    let kept = File::options().create(true).append(true).open(folder.join("refused.log"));
    if let Err(error) = kept.and_then(|mut file| file.write_all(lines.as_bytes())) {
        tracing::error!(%error, results = %lines, "cannot keep results that the database refuses");
    }
}

//! A bounded buffer of log lines, and the thread that writes it out.

use std::io::{ErrorKind, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tracing::Level;

/// Capacity of the buffer in bytes, about 6,000 lines. Further lines are lost.
const WAITING_BYTES_MAX: usize = 1024 * 1024;
/// Capacity for `info` and below: a burst of joins leaves space for warnings.
const WAITING_BYTES_INFO_MAX: usize = WAITING_BYTES_MAX / 4 * 3;
/// Interval between retries if standard error is non-blocking, set so by a process that shares it.
const RETRY_EVERY: Duration = Duration::from_millis(10);
/// Maximum interval between two calls of the periodic callback.
const CALLBACK_EVERY: Duration = Duration::from_secs(1);

/// Lines lost since the start. A static because a process has one standard error.
static LOST: AtomicU64 = AtomicU64::new(0);

/// Lines lost since the start because standard error did not accept them in time.
pub(crate) fn lines_lost() -> u64 {
    LOST.load(Ordering::Relaxed)
}

/// The buffer of lines.
#[derive(Default)]
pub(crate) struct Writer {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Vec<u8>,
    /// The thread is writing a batch.
    writing: bool,
}

impl Writer {
    /// Adds a line including its newline, or drops it if the buffer is full. Never blocks.
    pub(crate) fn put(&self, line: &[u8], level: Level) {
        let capacity = if level <= Level::WARN { WAITING_BYTES_MAX } else { WAITING_BYTES_INFO_MAX };
        let mut state = self.lock();
        if state.waiting.len() + line.len() > capacity {
            LOST.fetch_add(1, Ordering::Relaxed);
            return;
        }
        state.waiting.extend_from_slice(line);
        drop(state);
        self.changed.notify_all();
    }

    /// Waits until all lines are written, at most `timeout`.
    pub(crate) fn flush(&self, timeout: Duration) {
        let until = Instant::now() + timeout;
        let mut state = self.lock();
        while state.writing || !state.waiting.is_empty() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            (state, _) = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits for lines, at most [`CALLBACK_EVERY`], and swaps them with the empty `batch`.
    fn take(&self, batch: &mut Vec<u8>) {
        let mut state = self.lock();
        state.writing = false;
        self.changed.notify_all();
        if state.waiting.is_empty() {
            (state, _) = self.changed.wait_timeout(state, CALLBACK_EVERY).unwrap_or_else(PoisonError::into_inner);
        }
        std::mem::swap(batch, &mut state.waiting);
        state.writing = !batch.is_empty();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while the lock is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts the thread that writes to `out` until the process ends. It calls `callback` after every batch and at least about once a
/// second.
///
/// # Errors
/// The thread cannot be started.
pub(crate) fn spawn(
    writer: &Arc<Writer>,
    mut out: impl Write + Send + 'static,
    callback: impl Fn() + Send + 'static,
) -> std::io::Result<()> {
    let writer = Arc::clone(writer);
    let work = move || {
        let (mut batch, mut torn, mut reported) = (Vec::new(), false, 0);
        loop {
            writer.take(&mut batch);
            if !batch.is_empty() {
                let lost = write_out(&mut out, &batch, &mut torn);
                LOST.fetch_add(lost, Ordering::Relaxed);
                batch.clear();
                let all = lines_lost();
                // Only once lines are accepted again: otherwise this line would be lost, too, and counted.
                if lost == 0 && all > reported {
                    tracing::warn!(
                        lines = all - reported,
                        "log lines were lost: standard error did not accept them in time"
                    );
                    reported = all;
                }
            }
            callback();
        }
    };
    std::thread::Builder::new().name("log".to_owned()).spawn(work).map(drop)
}

/// Writes lines as far as `out` accepts them. Returns the number of lines lost. `torn` says that the previous line has no newline.
fn write_out(out: &mut impl Write, batch: &[u8], torn: &mut bool) -> u64 {
    let mut rest = batch;
    if *torn {
        // The rest of that line is lost; end it, so that the next one starts on its own line.
        match write_some(out, b"\n") {
            Ok(_) => *torn = false,
            Err(_) => return lines_in(rest),
        }
    }
    while !rest.is_empty() {
        match write_some(out, rest) {
            Ok(taken) => {
                *torn = rest[..taken].last().is_some_and(|last| *last != b'\n');
                rest = &rest[taken..];
            }
            Err(_) => return lines_in(rest),
        }
    }
    0
}

/// Writes at least one byte.
fn write_some(out: &mut impl Write, bytes: &[u8]) -> std::io::Result<usize> {
    loop {
        match out.write(bytes) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(taken) => return Ok(taken.min(bytes.len())),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::sleep(RETRY_EVERY),
            Err(error) => return Err(error),
        }
    }
}

fn lines_in(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|byte| **byte == b'\n').count() as u64
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::mpsc;

    use super::*;

    /// Accepts `free` bytes, then fails.
    struct Disk {
        free: usize,
        taken: Vec<u8>,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.free == 0 {
                return Err(ErrorKind::StorageFull.into());
            }
            let taken = bytes.len().min(self.free);
            self.free -= taken;
            self.taken.extend_from_slice(&bytes[..taken]);
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_lost_to_a_full_disk_are_counted_and_the_next_line_starts_fresh() {
        let mut disk = Disk { free: 6, taken: Vec::new() };
        let mut torn = false;
        assert_eq!(write_out(&mut disk, b"one\ntwo\nthree\n", &mut torn), 2, "including the torn one");
        assert_eq!(write_out(&mut disk, b"four\n", &mut torn), 1);
        disk.free = 100;
        assert_eq!(write_out(&mut disk, b"five\n", &mut torn), 0);
        assert_eq!(String::from_utf8_lossy(&disk.taken), "one\ntw\nfive\n");
    }

    /// Passes each write to a reader and blocks until the reader takes it.
    struct Pipe(mpsc::SyncSender<Vec<u8>>);

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.send(bytes.to_vec()).map_err(|_| ErrorKind::BrokenPipe)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_stopped_reader_blocks_no_caller_and_warnings_still_fit() {
        let writer = Arc::new(Writer::default());
        let (pipe, reader) = mpsc::sync_channel(0);
        spawn(&writer, Pipe(pipe), || {}).expect("a thread");
        let line = [&[b'x'; 1023][..], b"\n"].concat();
        // A blocking put would deadlock: nothing is read before all lines are put.
        for _ in 0..2 * WAITING_BYTES_MAX / line.len() {
            writer.put(&line, Level::INFO);
        }
        let bytes = || writer.lock().waiting.len();
        assert!((WAITING_BYTES_INFO_MAX - line.len()..=WAITING_BYTES_INFO_MAX).contains(&bytes()), "{}", bytes());
        writer.put(b"look\n", Level::WARN);
        writer.flush(Duration::ZERO);
        let mut read = Vec::new();
        while !read.ends_with(b"look\n") {
            read.extend(reader.recv().expect("the thread lives"));
        }
        drop(reader);
        // A reader that goes away ends nothing.
        writer.put(b"gone\n", Level::INFO);
        writer.flush(Duration::from_secs(60));
        assert_eq!(bytes(), 0);
        assert!(lines_lost() > 0);
    }
}

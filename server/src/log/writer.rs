//! Lines on their way: a bounded buffer, and a thread that writes what is in it.

use std::io::{ErrorKind, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tracing::Level;

/// Bytes of lines that wait at the most: some 6,000 lines. One more line is lost.
const WAITING_BYTES_MAX: usize = 1024 * 1024;
/// Of those, what lines that no operator must see may take: a rush of joins costs no warning its place.
const WAITING_BYTES_INFO_MAX: usize = WAITING_BYTES_MAX / 4 * 3;
/// Time between two tries when standard error would rather not wait itself: somebody who shares it has said so.
const TRY_AGAIN: Duration = Duration::from_millis(10);
/// Time between two looks at what is to be told without a line of its own.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Lines lost since the process began. The process has one standard error, so it has one count.
static LOST: AtomicU64 = AtomicU64::new(0);

/// Lines lost since the process began: standard error did not take them, or not in time.
#[must_use]
pub fn lines_lost() -> u64 {
    LOST.load(Ordering::Relaxed)
}

/// The buffer.
#[derive(Default)]
pub struct Writer {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Vec<u8>,
    /// The thread has lines in its hands.
    writing: bool,
}

impl Writer {
    /// Leaves a line, its end included, or loses it when there is no room. Waits for nobody.
    pub fn put(&self, line: &[u8], level: Level) {
        let room = if level <= Level::WARN { WAITING_BYTES_MAX } else { WAITING_BYTES_INFO_MAX };
        let mut state = self.lock();
        if state.waiting.len() + line.len() > room {
            LOST.fetch_add(1, Ordering::Relaxed);
            return;
        }
        state.waiting.extend_from_slice(line);
        drop(state);
        self.changed.notify_all();
    }

    /// Waits until all is written, or `patience` is over.
    pub fn flush(&self, patience: Duration) {
        let until = Instant::now() + patience;
        let mut state = self.lock();
        while state.writing || !state.waiting.is_empty() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            (state, _) = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits for lines for `LOOK_EVERY`, and swaps them against the empty `batch`.
    fn take(&self, batch: &mut Vec<u8>) {
        let mut state = self.lock();
        state.writing = false;
        self.changed.notify_all();
        if state.waiting.is_empty() {
            (state, _) = self.changed.wait_timeout(state, LOOK_EVERY).unwrap_or_else(PoisonError::into_inner);
        }
        std::mem::swap(batch, &mut state.waiting);
        state.writing = !batch.is_empty();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts the thread that writes to `out`, for as long as the process lives. It calls `tell` about once a second, and more often when
/// there are lines.
///
/// # Errors
/// When the operating system gives no thread.
pub fn spawn(
    writer: &Arc<Writer>,
    mut out: impl Write + Send + 'static,
    tell: impl Fn() + Send + 'static,
) -> std::io::Result<()> {
    let writer = Arc::clone(writer);
    let work = move || {
        let (mut batch, mut torn, mut told) = (Vec::new(), false, 0);
        loop {
            writer.take(&mut batch);
            if !batch.is_empty() {
                let lost = write_out(&mut out, &batch, &mut torn);
                LOST.fetch_add(lost, Ordering::Relaxed);
                batch.clear();
                let all = lines_lost();
                // Not while nothing is taken: that line would be lost, too, and then tell of itself.
                if lost == 0 && all > told {
                    tracing::warn!(lines = all - told, "log lines were lost: standard error did not take them in time");
                    told = all;
                }
            }
            tell();
        }
    };
    std::thread::Builder::new().name("log".to_owned()).spawn(work).map(drop)
}

/// Writes whole lines as far as `out` takes them. Gives how many it did not take. `torn` says that the line before has no end.
fn write_out(out: &mut impl Write, batch: &[u8], torn: &mut bool) -> u64 {
    let mut rest = batch;
    if *torn {
        // The rest of that line is lost; what follows must not be taken for it.
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
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::sleep(TRY_AGAIN),
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

    /// Takes `room` bytes, then nothing; by turns when there are several.
    struct Disk {
        room: usize,
        taken: Vec<u8>,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.room == 0 {
                return Err(ErrorKind::StorageFull.into());
            }
            let taken = bytes.len().min(self.room);
            self.room -= taken;
            self.taken.extend_from_slice(&bytes[..taken]);
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_full_disk_costs_lines_that_are_counted_and_the_next_line_begins_anew() {
        let mut disk = Disk { room: 6, taken: Vec::new() };
        let mut torn = false;
        assert_eq!(write_out(&mut disk, b"one\ntwo\nthree\n", &mut torn), 2, "the torn one among them");
        assert_eq!(write_out(&mut disk, b"four\n", &mut torn), 1);
        disk.room = 100;
        assert_eq!(write_out(&mut disk, b"five\n", &mut torn), 0);
        assert_eq!(String::from_utf8_lossy(&disk.taken), "one\ntw\nfive\n");
    }

    /// Hands over what it is given, and takes the next only when that is fetched: a reader that may stop.
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
    fn a_reader_that_stops_holds_nobody_up_and_leaves_room_for_what_matters() {
        let writer = Arc::new(Writer::default());
        let (pipe, reader) = mpsc::sync_channel(0);
        spawn(&writer, Pipe(pipe), || {}).expect("a thread");
        let line = [&[b'x'; 1023][..], b"\n"].concat();
        // Whoever waited for the reader would wait for ever: nobody reads before all is put.
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
        // And one that goes ends nothing.
        writer.put(b"gone\n", Level::INFO);
        writer.flush(Duration::from_secs(60));
        assert_eq!(bytes(), 0);
        assert!(lines_lost() > 0);
    }
}

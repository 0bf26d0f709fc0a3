//! The limit of open files: every connection uses a file descriptor.

use std::fs::File;

/// Descriptors for everything but connections: the program, its log, its ports, and served files.
const OTHERS: usize = 64;
/// Descriptors per shard: its poller and its waker.
const PER_SHARD: usize = 2;
/// Descriptors held in reserve.
const SPARE: usize = 8;

/// Raises the soft limit of open files to the hard limit.
#[cfg(unix)]
pub fn raise_limit() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
    {
        // A failure shows in `connections_max`.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

/// Other systems have no such limit.
#[cfg(not(unix))]
pub fn raise_limit() {}

/// The soft limit of open files; `None` where there is none.
#[cfg(unix)]
fn limit() -> Option<usize> {
    use nix::sys::resource::{Resource, getrlimit};
    let (soft, _) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
    usize::try_from(soft).ok()
}

#[cfg(not(unix))]
fn limit() -> Option<usize> {
    None
}

/// The number of connections, at most `wanted` and at least 1, for which there are descriptors beside those of `shards` shards and of
/// `spare` connections that are accepted only to be refused.
pub(crate) fn connections_max(wanted: usize, spare: usize, shards: usize) -> usize {
    let Some(files) = limit() else { return wanted };
    let held = OTHERS + SPARE + spare + PER_SHARD * shards;
    let possible = files.saturating_sub(held).max(1);
    if possible < wanted {
        let needed = wanted + held;
        tracing::warn!(
            files,
            needed,
            connections = possible,
            "the limit of open files is too low for --max-connections; raise it with ulimit -n"
        );
    }
    possible.min(wanted)
}

/// Descriptors in reserve. When no more files can be opened, releasing one lets one more connection in, to be rejected with a response.
#[derive(Debug, Default)]
pub(crate) struct Spare(Vec<File>);

impl Spare {
    /// Refills the reserve as far as possible.
    pub(crate) fn fill(&mut self) {
        while self.0.len() < SPARE {
            match File::open(NOTHING) {
                Ok(file) => self.0.push(file),
                Err(_) => return,
            }
        }
    }

    /// Releases one descriptor. Returns how many are left; `None` if there was none.
    pub(crate) fn release(&mut self) -> Option<usize> {
        self.0.pop().map(|_| self.0.len())
    }
}

#[cfg(unix)]
const NOTHING: &str = "/dev/null";
#[cfg(not(unix))]
const NOTHING: &str = "NUL";

/// Whether the error says that the process or the system is out of file descriptors.
pub(crate) fn is_out_of_files(error: &std::io::Error) -> bool {
    #[cfg(unix)]
    let codes = [nix::libc::EMFILE, nix::libc::ENFILE];
    #[cfg(not(unix))]
    // WSAEMFILE.
    let codes = [10024];
    error.raw_os_error().is_some_and(|code| codes.contains(&code))
}

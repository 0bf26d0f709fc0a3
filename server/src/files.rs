//! How many files the process may have open: every connection is one.

use std::fs::File;

/// Files that are none of the connections': those of the program, its logs, its ports, and those that are served.
const OTHERS: usize = 64;
/// Files of each thread that owns connections: its watch and what wakes it.
const PER_SHARD: usize = 2;
/// Files held in reserve.
const SPARE: usize = 8;

/// Raises the limit of open files as far as the system lets us.
#[cfg(unix)]
pub fn raise_limit() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
    {
        // What cannot be raised shows in `connections_max`.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

/// Raises the limit of open files as far as the system lets us.
#[cfg(not(unix))]
pub fn raise_limit() {}

/// Files that may be open; `None` where there is no such limit.
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

/// How many of `wanted` connections, and `more` that are only told why they may not stay, there are files for beside `shards`; 1 at least.
#[must_use]
pub fn connections_max(wanted: usize, more: usize, shards: usize) -> usize {
    let Some(files) = limit() else { return wanted };
    let held = OTHERS + SPARE + more + PER_SHARD * shards;
    let possible = files.saturating_sub(held).max(1);
    if possible < wanted {
        let needed = wanted + held;
        tracing::warn!(
            files,
            needed,
            connections = possible,
            "fewer files may be open than --max-connections needs; raise it with ulimit -n"
        );
    }
    possible.min(wanted)
}

/// Files held open for nothing but to be closed when no other can be opened: each lets one more connection in, to be told so.
#[derive(Debug, Default)]
pub struct Spare(Vec<File>);

impl Spare {
    /// Opens what is missing, as far as it can be.
    pub fn fill(&mut self) {
        while self.0.len() < SPARE {
            match File::open(NOTHING) {
                Ok(file) => self.0.push(file),
                Err(_) => return,
            }
        }
    }

    /// Closes one. How many are left; `None` if there was none.
    pub fn let_go(&mut self) -> Option<usize> {
        self.0.pop().map(|_| self.0.len())
    }
}

#[cfg(unix)]
const NOTHING: &str = "/dev/null";
#[cfg(not(unix))]
const NOTHING: &str = "NUL";

/// Whether this says that no more files can be opened, by us or by anybody.
#[must_use]
pub fn ran_out(error: &std::io::Error) -> bool {
    #[cfg(unix)]
    let codes = [nix::libc::EMFILE, nix::libc::ENFILE];
    #[cfg(not(unix))]
    // WSAEMFILE.
    let codes = [10024];
    error.raw_os_error().is_some_and(|code| codes.contains(&code))
}

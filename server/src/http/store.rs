//! Files held in memory, each read and hashed once for as long as it does not change.

use std::collections::HashMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, ETAG};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use broadside_shared::hash::WorldHash;
use bytes::Bytes;

use super::condition::{Verdict, judge};
use super::problem;

/// Bytes of files held at most; the built client is a few megabytes. What is beyond that is read each time.
const HELD_BYTES_MAX: usize = 64 * 1024 * 1024;
/// How long ago a file must have changed for its stamp to be believed: within the step of a file system's clock it may change again
/// and keep its stamp.
const SETTLED: Duration = Duration::from_secs(2);

/// A file as it is sent: everyone who downloads it shares the bytes.
#[derive(Debug)]
pub struct File {
    /// Its bytes.
    pub bytes: Bytes,
    /// What its `ETag` holds between the quotes: other bytes, another tag.
    pub tag: String,
}

/// The files of a folder.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    held: Mutex<HashMap<String, Held>>,
}

#[derive(Debug)]
struct Held {
    file: Arc<File>,
    stamp: Stamp,
}

/// What changes with a file, without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    bytes: u64,
    modified: SystemTime,
    /// Where there are such: its number, and when anything about it changed last, which nobody can set back.
    inode: Option<(u64, i64, i64)>,
}

impl File {
    /// A file with these bytes.
    #[must_use]
    pub fn new(bytes: Bytes) -> File {
        File { tag: tag_of(&bytes), bytes }
    }

    /// The answer to a GET or HEAD: the file, or that the client has it already, under this tag or one of `all`.
    #[must_use]
    pub fn answer(&self, request: &HeaderMap, all: &[&str]) -> Response {
        let (tag, mut response) = match judge(request, &self.tag, all) {
            Verdict::Send => (self.tag.as_str(), Body::from(self.bytes.clone()).into_response()),
            Verdict::Unchanged(tag) => (tag, StatusCode::NOT_MODIFIED.into_response()),
            Verdict::Failed => {
                return problem(StatusCode::PRECONDITION_FAILED, "the file is another one than If-Match wants");
            }
        };
        if let Ok(tag) = HeaderValue::try_from(format!("\"{tag}\"")) {
            response.headers_mut().insert(ETAG, tag);
        }
        // Always asked for again, and answered with "not modified": a new build shows at once.
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        response
    }
}

impl Store {
    /// The files of this folder.
    #[must_use]
    pub fn new(folder: PathBuf) -> Store {
        Store { folder, held: Mutex::default() }
    }

    /// A file as it is now, by its path in the folder; `None` if there is none that can be read.
    pub fn get(&self, path: &str) -> Option<Arc<File>> {
        let whole = self.folder.join(path);
        let stamp = Stamp::of(&fs::metadata(&whole).ok()?)?;
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(held) = held.get(path).filter(|held| held.stamp == stamp) {
            return Some(Arc::clone(&held.file));
        }
        drop(held);
        self.read(path, &whole)
    }

    fn read(&self, path: &str, whole: &Path) -> Option<Arc<File>> {
        let mut opened = fs::File::open(whole).ok()?;
        let stamp = Stamp::of(&opened.metadata().ok()?)?;
        let mut bytes = Vec::with_capacity(usize::try_from(stamp.bytes).ok()?);
        opened.read_to_end(&mut bytes).ok()?;
        let file = Arc::new(File::new(bytes.into()));
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.remove(path);
        if stamp.is_settled(SystemTime::now()) && file.bytes.len() <= HELD_BYTES_MAX {
            let held_bytes: usize = held.values().map(|held| held.file.bytes.len()).sum();
            if held_bytes + file.bytes.len() > HELD_BYTES_MAX {
                held.clear();
            }
            held.insert(path.to_owned(), Held { file: Arc::clone(&file), stamp });
        }
        Some(file)
    }
}

impl Stamp {
    /// `None` for what is no file.
    fn of(found: &fs::Metadata) -> Option<Stamp> {
        if !found.is_file() {
            return None;
        }
        Some(Stamp { bytes: found.len(), modified: found.modified().ok()?, inode: inode(found) })
    }

    /// Whether a change from now on would show in the stamp.
    fn is_settled(&self, now: SystemTime) -> bool {
        let changed = match self.inode {
            Some((_, seconds, _)) => SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.max(0).unsigned_abs()),
            None => self.modified,
        };
        now.duration_since(changed).is_ok_and(|age| age > SETTLED)
    }
}

#[cfg(unix)]
fn inode(found: &fs::Metadata) -> Option<(u64, i64, i64)> {
    use std::os::unix::fs::MetadataExt;
    Some((found.ino(), found.ctime(), found.ctime_nsec()))
}

#[cfg(not(unix))]
fn inode(_found: &fs::Metadata) -> Option<(u64, i64, i64)> {
    None
}

fn tag_of(bytes: &[u8]) -> String {
    let mut hash = WorldHash::default();
    for chunk in bytes.chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        hash.u64(u64::from_le_bytes(word));
    }
    format!("{:016x}-{}", hash.finish(), bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder that is gone when the test is over.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            let path = std::env::temp_dir().join(format!("broadside-store-{}-{name}", std::process::id()));
            fs::create_dir_all(&path).expect("the system has a temporary folder");
            Folder(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_file_that_changes_shows_at_once_even_if_it_stays_as_long_as_it_was() {
        let folder = Folder::new("changes");
        let store = Store::new(folder.0.clone());
        assert!(store.get("a.js").is_none());
        for text in ["one", "two", "six", "more"] {
            fs::write(folder.0.join("a.js"), text).expect("a file");
            assert_eq!(store.get("a.js").expect("it is there").bytes, text);
        }
        fs::remove_file(folder.0.join("a.js")).expect("it is there");
        assert!(store.get("a.js").is_none());
        fs::create_dir(folder.0.join("a.js")).expect("a folder");
        assert!(store.get("a.js").is_none(), "a folder is no file");
    }

    #[test]
    fn a_file_that_has_settled_is_read_and_hashed_once() {
        let folder = Folder::new("settled");
        fs::write(folder.0.join("a.js"), "one").expect("a file");
        let store = Store::new(folder.0.clone());
        let found = fs::metadata(folder.0.join("a.js")).expect("it is there");
        let stamp = Stamp::of(&found).expect("a file");
        assert!(!stamp.is_settled(found.modified().expect("a time")));
        assert!(stamp.is_settled(found.modified().expect("a time") + 3 * SETTLED));
        // As it is when it was read long after it changed.
        let file = Arc::new(File::new(Bytes::from_static(b"held")));
        let held = Held { file: Arc::clone(&file), stamp };
        store.held.lock().expect("nobody panicked").insert("a.js".to_owned(), held);
        assert!(Arc::ptr_eq(&file, &store.get("a.js").expect("it is there")));
        fs::write(folder.0.join("a.js"), "longer").expect("a file");
        assert_eq!(store.get("a.js").expect("it is there").bytes, "longer");
    }

    #[test]
    fn other_bytes_have_another_tag() {
        let tags = [&b""[..], b"a", b"b", b"a\0", b"12345678", b"123456789"].map(tag_of);
        for (at, tag) in tags.iter().enumerate() {
            assert!(!tags[..at].contains(tag), "{tag}");
        }
    }
}

//! A cache of asset files, each read and hashed once until it changes.

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

use super::precondition::{Precondition, evaluate};
use crate::problem::problem;

/// Maximum size of the cache, in bytes; the built client takes a few megabytes. Files beyond that are read each time.
const CACHE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Age of a change before the stamp is trusted: within the resolution of the file system's clock, a file may change again and keep its
/// stamp.
const SETTLED: Duration = Duration::from_secs(2);

/// A file in memory; all downloads share its bytes.
#[derive(Debug)]
pub(crate) struct StoredFile {
    pub(crate) bytes: Bytes,
    /// The `ETag` without quotes, derived from the bytes.
    pub(crate) tag: String,
}

/// The cached files of a folder.
#[derive(Debug)]
pub(crate) struct AssetStore {
    folder: PathBuf,
    cache: Mutex<HashMap<String, CachedFile>>,
}

#[derive(Debug)]
struct CachedFile {
    file: Arc<StoredFile>,
    stamp: Stamp,
}

/// Identifies a version of a file without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    bytes: u64,
    modified: SystemTime,
    /// Inode number and time of the last inode change, which programs cannot set back; `None` where the system has no inodes.
    inode: Option<(u64, i64, i64)>,
}

impl StoredFile {
    pub(crate) fn new(bytes: Bytes) -> StoredFile {
        StoredFile { tag: tag_of(&bytes), bytes }
    }

    /// The response to a GET or HEAD: the file, or 304 if the client has it under its tag or one of `all`.
    pub(crate) fn response(&self, request: &HeaderMap, all: &[&str]) -> Response {
        let (tag, mut response) = match evaluate(request, &self.tag, all) {
            Precondition::Send => (self.tag.as_str(), Body::from(self.bytes.clone()).into_response()),
            Precondition::NotModified(tag) => (tag, StatusCode::NOT_MODIFIED.into_response()),
            Precondition::Failed => {
                return problem(StatusCode::PRECONDITION_FAILED, "the file is not the one that If-Match names");
            }
        };
        if let Ok(tag) = HeaderValue::try_from(format!("\"{tag}\"")) {
            response.headers_mut().insert(ETAG, tag);
        }
        // Revalidated each time, mostly with 304, so that a new build shows at once.
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        response
    }
}

impl AssetStore {
    pub(crate) fn new(folder: PathBuf) -> AssetStore {
        AssetStore { folder, cache: Mutex::default() }
    }

    /// The current file at a path in the folder; `None` if there is none that can be read.
    pub(crate) fn get(&self, path: &str) -> Option<Arc<StoredFile>> {
        let whole = self.folder.join(path);
        let stamp = Stamp::of(&fs::metadata(&whole).ok()?)?;
        let cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cached) = cache.get(path).filter(|cached| cached.stamp == stamp) {
            return Some(Arc::clone(&cached.file));
        }
        drop(cache);
        self.read(path, &whole)
    }

    fn read(&self, path: &str, whole: &Path) -> Option<Arc<StoredFile>> {
        let mut opened = fs::File::open(whole).ok()?;
        let stamp = Stamp::of(&opened.metadata().ok()?)?;
        let mut bytes = Vec::with_capacity(usize::try_from(stamp.bytes).ok()?);
        opened.read_to_end(&mut bytes).ok()?;
        let file = Arc::new(StoredFile::new(bytes.into()));
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        cache.remove(path);
        if stamp.is_settled(SystemTime::now()) && file.bytes.len() <= CACHE_BYTES_MAX {
            let cached_bytes: usize = cache.values().map(|cached| cached.file.bytes.len()).sum();
            if cached_bytes + file.bytes.len() > CACHE_BYTES_MAX {
                cache.clear();
            }
            cache.insert(path.to_owned(), CachedFile { file: Arc::clone(&file), stamp });
        }
        Some(file)
    }
}

impl Stamp {
    /// `None` for anything but a regular file.
    fn of(metadata: &fs::Metadata) -> Option<Stamp> {
        if !metadata.is_file() {
            return None;
        }
        Some(Stamp { bytes: metadata.len(), modified: metadata.modified().ok()?, inode: inode(metadata) })
    }

    /// Whether any later change would show in the stamp.
    fn is_settled(&self, now: SystemTime) -> bool {
        let changed = match self.inode {
            Some((_, seconds, _)) => SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.max(0).unsigned_abs()),
            None => self.modified,
        };
        now.duration_since(changed).is_ok_and(|age| age > SETTLED)
    }
}

#[cfg(unix)]
fn inode(metadata: &fs::Metadata) -> Option<(u64, i64, i64)> {
    use std::os::unix::fs::MetadataExt;
    Some((metadata.ino(), metadata.ctime(), metadata.ctime_nsec()))
}

#[cfg(not(unix))]
fn inode(_metadata: &fs::Metadata) -> Option<(u64, i64, i64)> {
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

    /// A temporary folder, removed on drop.
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
    fn a_change_shows_at_once_even_if_the_length_stays_the_same() {
        let folder = Folder::new("changes");
        let store = AssetStore::new(folder.0.clone());
        assert!(store.get("a.js").is_none());
        for text in ["one", "two", "six", "more"] {
            fs::write(folder.0.join("a.js"), text).expect("a file");
            assert_eq!(store.get("a.js").expect("it is there").bytes, text);
        }
        fs::remove_file(folder.0.join("a.js")).expect("it is there");
        assert!(store.get("a.js").is_none());
        fs::create_dir(folder.0.join("a.js")).expect("a folder");
        assert!(store.get("a.js").is_none(), "a folder is not a file");
    }

    #[test]
    fn a_settled_file_is_read_and_hashed_once() {
        let folder = Folder::new("settled");
        fs::write(folder.0.join("a.js"), "one").expect("a file");
        let store = AssetStore::new(folder.0.clone());
        let found = fs::metadata(folder.0.join("a.js")).expect("it is there");
        let stamp = Stamp::of(&found).expect("a file");
        assert!(!stamp.is_settled(found.modified().expect("a time")));
        assert!(stamp.is_settled(found.modified().expect("a time") + 3 * SETTLED));
        // As if it was read long after its last change.
        let file = Arc::new(StoredFile::new(Bytes::from_static(b"held")));
        let held = CachedFile { file: Arc::clone(&file), stamp };
        store.cache.lock().expect("no panic").insert("a.js".to_owned(), held);
        assert!(Arc::ptr_eq(&file, &store.get("a.js").expect("it is there")));
        fs::write(folder.0.join("a.js"), "longer").expect("a file");
        assert_eq!(store.get("a.js").expect("it is there").bytes, "longer");
    }

    #[test]
    fn different_bytes_have_different_tags() {
        let tags = [&b""[..], b"a", b"b", b"a\0", b"12345678", b"123456789"].map(tag_of);
        for (at, tag) in tags.iter().enumerate() {
            assert!(!tags[..at].contains(tag), "{tag}");
        }
    }
}

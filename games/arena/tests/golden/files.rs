//! The checked-in files, and how they are renewed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use broadside_shared::protocol::REVISION;

use crate::{Golden, all};

/// Help for a developer whose change altered the wire.
pub(crate) const WIRE_CHANGED: &str = "the wire changed: count it in REVISION, update docs/PROTOCOL.md, and regenerate with \
                                `BLESS=1 cargo test -p broadside-arena --test golden` (`BLESS=unreleased` if nobody runs \
                                this revision yet)";

/// Whether checked-in bytes may be renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bless {
    /// Not at all: a difference is a failure.
    Nothing,
    /// Those of a newer revision, and new files.
    NewRevision,
    /// Everything.
    Everything,
}

impl Bless {
    /// The environment's choice.
    pub(crate) fn from_env() -> Bless {
        match std::env::var_os("BLESS") {
            None => Bless::Nothing,
            Some(how) if how == "unreleased" => Bless::Everything,
            Some(_) => Bless::NewRevision,
        }
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn path_of(name: &str) -> PathBuf {
    folder().join(name).with_extension("hex")
}

/// Bytes as text, sixteen to a line.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let lines: Vec<String> = bytes
        .chunks(16)
        .map(|line| line.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" "))
        .collect();
    lines.join("\n")
}

/// Bytes from text; the part after a `#` is a comment.
///
/// # Panics
/// On anything except two-digit hex numbers.
pub(crate) fn unhex(text: &str) -> Vec<u8> {
    let digits = text.lines().flat_map(|line| line.split('#').next().unwrap_or("").split_whitespace());
    digits
        .map(|byte| {
            assert!(byte.len() == 2, "{byte:?} is not one byte of two hex digits");
            u8::from_str_radix(byte, 16).unwrap_or_else(|_| panic!("{byte:?} is not a hex number"))
        })
        .collect()
}

/// A file's revision and bytes; `None` if there is no such file.
fn read(name: &str) -> Option<(u16, Vec<u8>)> {
    let text = std::fs::read_to_string(path_of(name)).ok()?;
    let (head, bytes) = text.split_once('\n')?;
    let revision = head.strip_prefix("# revision ")?.split(':').next()?.parse().ok()?;
    Some((revision, unhex(bytes)))
}

/// The checked-in bytes of a golden.
///
/// # Panics
/// If there are none.
pub(crate) fn checked_in(name: &str) -> Vec<u8> {
    read(name).unwrap_or_else(|| panic!("there is no golden {name}: {WIRE_CHANGED}")).1
}

fn write(golden: &Golden) {
    let text = format!("# revision {REVISION}: {}\n{}\n", golden.about, hex(&golden.bytes));
    write_whole(&path_of(golden.name), &text);
}

/// Replaces a file at once, since other tests may be reading it.
pub(crate) fn write_whole(path: &Path, text: &str) {
    let draft = path.with_extension("draft");
    let written = std::fs::write(&draft, text).and_then(|()| std::fs::rename(&draft, path));
    written.expect("the checkout is writable");
}

/// Renews a file if that is allowed; describes what is wrong with it otherwise.
fn settle(golden: &Golden, bless: Bless) -> Result<(), String> {
    let found = read(golden.name);
    let may_be_renewed = match (&found, bless) {
        (_, Bless::Nothing) => false,
        (None, _) | (_, Bless::Everything) => true,
        (Some((revision, _)), Bless::NewRevision) => *revision != REVISION,
    };
    match found {
        Some((REVISION, bytes)) if bytes == golden.bytes => Ok(()),
        _ if may_be_renewed => {
            write(golden);
            Ok(())
        }
        None => Err(format!("{}: there is no file", golden.name)),
        Some((revision, bytes)) if bytes == golden.bytes => {
            Err(format!("{}: the file is of revision {revision}, the code of {REVISION}", golden.name))
        }
        Some((revision, bytes)) => Err(format!(
            "{}: revision {revision} was\n{}\nrevision {REVISION} is\n{}",
            golden.name,
            hex(&bytes),
            hex(&golden.bytes)
        )),
    }
}

#[test]
fn every_message_has_the_bytes_that_are_checked_in() {
    let wrong: Vec<String> = all().iter().filter_map(|golden| settle(golden, Bless::from_env()).err()).collect();
    assert!(wrong.is_empty(), "{}\n\n{WIRE_CHANGED}", wrong.join("\n\n"));
}

#[test]
fn every_checked_in_file_belongs_to_a_message() {
    let names: BTreeSet<String> = all().iter().map(|golden| format!("{}.hex", golden.name)).collect();
    for entry in std::fs::read_dir(folder()).expect("the folder of this test") {
        let path = entry.expect("the folder of this test").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let known = names.contains(&name) || !name.ends_with(".hex");
        if !known && Bless::from_env() != Bless::Nothing {
            std::fs::remove_file(&path).expect("the checkout is writable");
        } else {
            assert!(known, "{name} belongs to no message: {WIRE_CHANGED}");
        }
    }
}

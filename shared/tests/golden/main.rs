//! The bytes of the wire, checked in: one file per message, and the examples and tables of `docs/PROTOCOL.md`.
//!
//! | module | what it holds |
//! |---|---|
//! | [`files`] | the checked-in files, and how they are renewed |
//! | [`messages`] | every control message, note, input packet and event |
//! | [`scene`] | three snapshots of a small world, from a keyframe to a jump |
//! | [`document`] | what `docs/PROTOCOL.md` shows is what the code does |
//! | [`tables`] | the tables of that document |
//!
//! TeamLabel changes the wire on purpose counts it in `REVISION`, runs `BLESS=1 cargo test -p broadside-shared --test golden`, which
//! renews the files here, the tables and those examples of the document that kept their length, and then explains the change
//! in the document. Within one revision files are renewed only by `BLESS=unreleased`, for a revision that nobody runs yet.

mod document;
mod files;
mod messages;
mod scene;
mod tables;

/// One checked-in byte string.
pub struct Golden {
    /// Name of its file, and of its examples in the document.
    pub name: &'static str,
    /// What it is, for the head of its file.
    pub about: &'static str,
    /// What our code writes.
    pub bytes: Vec<u8>,
}

/// Every golden there is.
pub fn all() -> Vec<Golden> {
    let mut all = messages::goldens();
    all.extend(scene::goldens());
    all
}

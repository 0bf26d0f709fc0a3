//! The wire's bytes, checked in: one file per message, and the examples and tables of `docs/PROTOCOL.md`.
//!
//! | module | what it holds |
//! |---|---|
//! | [`files`] | the checked-in files, and how they are renewed |
//! | [`messages`] | every control message, room update, input packet and event |
//! | [`scene`] | three snapshots of a small world, from a keyframe to a jump |
//! | [`document`] | whether `docs/PROTOCOL.md` shows what the code does |
//! | [`tables`] | the tables of that document |
//!
//! After an intended change of the wire, count it in `REVISION` and run `BLESS=1 cargo test -p broadside-shared --test
//! golden`. It renews the files here, the tables of the document, and those of its examples whose length is unchanged.
//! Then explain the change in the document. Within one revision, files are renewed only by `BLESS=unreleased`, for a
//! revision that is not deployed yet.

mod document;
mod files;
mod messages;
mod scene;
mod tables;

/// One checked-in byte string.
pub(crate) struct Golden {
    /// Name of its file, and of its example in the document.
    pub name: &'static str,
    /// What it is, for the first line of its file.
    pub about: &'static str,
    /// The bytes that the code writes.
    pub bytes: Vec<u8>,
}

/// Every golden.
pub(crate) fn all() -> Vec<Golden> {
    let mut all = messages::goldens();
    all.extend(scene::goldens());
    all
}

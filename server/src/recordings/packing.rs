//! Packs the file of a recording that is over, a piece at a time: meanwhile its thread writes those that are under way.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use broadside_shared::recording::pack::Packer;

/// Bytes that are packed at a time.
const PIECE: usize = 1 << 16;

/// A file that is being packed. As long as it is not whole, the plain file is left alone.
pub(super) struct Packing {
    from: File,
    packer: Packer,
    to: File,
    to_path: PathBuf,
    piece: Vec<u8>,
}

impl Packing {
    /// Begins to pack the file `from`.
    ///
    /// # Errors
    /// The disk fails.
    pub(super) fn begin(from: &Path, to_path: PathBuf) -> std::io::Result<Packing> {
        let from = File::open(from)?;
        let packer = Packer::new(from.metadata()?.len());
        let to = File::create(&to_path)?;
        Ok(Packing { from, packer, to, to_path, piece: vec![0; PIECE] })
    }

    /// Packs one piece more. Gives itself back if there is more to pack, and otherwise replaces the plain file.
    ///
    /// # Errors
    /// The disk fails: the plain file stays.
    pub(super) fn go_on(mut self, plain: &Path) -> std::io::Result<Option<Packing>> {
        let length = self.from.read(&mut self.piece)?;
        if length > 0 {
            self.packer.push(&self.piece[..length]);
            self.to.write_all(&self.packer.take())?;
            return Ok(Some(self));
        }
        self.to.write_all(&self.packer.finish())?;
        self.to.sync_all()?;
        fs::rename(self.to_path, plain).map(|()| None)
    }
}

//! The last position that was ever durable, beside the store.
//!
//! sled takes damage of its file for the end of what was written, and drops all that follows.
//! The witness tells this from a crash: it is written after every commit, but not synced, so it
//! never lies beyond what is stored, and a store that ends before it has lost something.

use std::{
    fs::File,
    io::{self, ErrorKind},
    os::unix::fs::FileExt as _,
    path::Path,
};

use xxhash_rust::xxh3::xxh3_64;

use crate::log::Sequence;

const FILE: &str = "end";
const LENGTH: usize = 16;

/// The open witness.
#[derive(Debug)]
pub(super) struct Witness {
    file: File,
}

impl Witness {
    /// Opens the witness of the log in `folder`, or creates it.
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        let mut options = File::options();
        let file = options.read(true).write(true).create(true).truncate(false);
        Ok(Self { file: file.open(folder.join(FILE))? })
    }

    /// What it says; 0 when it says nothing, as a crash may leave it.
    pub(super) fn read(&self) -> io::Result<Sequence> {
        let mut bytes = [0; LENGTH];
        match self.file.read_exact_at(&mut bytes, 0) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(0),
            Err(error) => return Err(error),
        }
        let (end, _) = bytes.split_at(8);
        let end = Sequence::from_le_bytes(end.try_into().expect("8 bytes"));
        Ok(if encode(end) == bytes { end } else { 0 })
    }

    /// Notes that everything through `end` is durable.
    pub(super) fn write(&self, end: Sequence) -> io::Result<()> {
        self.file.write_all_at(&encode(end), 0)
    }
}

fn encode(end: Sequence) -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    bytes[..8].copy_from_slice(&end.to_le_bytes());
    bytes[8..].copy_from_slice(&xxh3_64(&end.to_le_bytes()).to_le_bytes());
    bytes
}

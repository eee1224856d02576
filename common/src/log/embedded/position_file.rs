//! A position in a file of its own: how far the log was acknowledged (`end`), and how far it was
//! trimmed (`trim`).
//!
//! `end` is written before every acknowledgement, but not synced, so it never lies beyond what is
//! stored: a log that ends before it has lost something, which the segments alone cannot tell from
//! a crash. `trim` is replaced durably before anything is removed: a log that begins after it has
//! lost something.
//!
//! ```text
//! position (u64), xxh3-64 of it (u64); little endian
//! ```

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use xxhash_rust::xxh3::xxh3_64;

use super::disk::{Disk, DiskFile, read_small, replace};
use crate::log::Sequence;

pub(super) const END: &str = "end";
pub(super) const TRIM: &str = "trim";
const LENGTH: usize = 16;

/// What a file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// There is no such file.
    Missing,
    /// It cannot be read: nothing is known.
    Unreadable,
    /// The position.
    Position(Sequence),
}

impl Said {
    /// The position, if one is known.
    pub(super) fn known(self) -> Option<Sequence> {
        match self {
            Self::Position(position) => Some(position),
            Self::Missing | Self::Unreadable => None,
        }
    }
}

/// What the file says.
pub(super) fn read(disk: &dyn Disk, path: &Path) -> io::Result<Said> {
    let Some(bytes) = read_small(disk, path)? else { return Ok(Said::Missing) };
    let position = bytes.first_chunk().map(|bytes| Sequence::from_le_bytes(*bytes));
    Ok(match position {
        Some(position) if encode(position) == *bytes => Said::Position(position),
        Some(_) | None => Said::Unreadable,
    })
}

/// Gives the file a new position, durably.
pub(super) fn write(disk: &dyn Disk, path: &Path, position: Sequence) -> io::Result<()> {
    replace(disk, path, &encode(position))
}

/// The open file `end`, created with the first position that it is told.
#[derive(Debug)]
pub(super) struct Witness {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    file: Option<Arc<dyn DiskFile>>,
}

impl Witness {
    pub(super) fn new(disk: Arc<dyn Disk>, folder: &Path) -> Self {
        Self { disk, path: folder.join(END), file: None }
    }

    /// Notes that everything through `end` is durable.
    pub(super) fn note(&mut self, end: Sequence) -> io::Result<()> {
        let file = match &self.file {
            Some(file) => file,
            None => {
                // Replaced, for what is there may be damaged.
                write(&*self.disk, &self.path, end)?;
                self.file.insert(self.disk.open_writable(&self.path)?)
            }
        };
        file.write_at(&encode(end), 0)
    }
}

fn encode(position: Sequence) -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    bytes[..8].copy_from_slice(&position.to_le_bytes());
    bytes[8..].copy_from_slice(&xxh3_64(&position.to_le_bytes()).to_le_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::log::embedded::disk::MachineDisk;

    #[test]
    fn what_cannot_be_read_says_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(END);
        let said = || read(&MachineDisk, &path).expect("readable");
        assert_eq!(said(), Said::Missing);
        let mut witness = Witness::new(Arc::new(MachineDisk), folder.path());
        for position in [1, 0x0102_0304_0506_0708] {
            witness.note(position).expect("written");
            assert_eq!(said(), Said::Position(position));
        }
        let good = fs::read(&path).expect("read");
        assert_eq!(good[..8], [8, 7, 6, 5, 4, 3, 2, 1]);
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            fs::write(&path, bad).expect("written");
            assert_eq!(said(), Said::Unreadable);
        }
        for length in 0..good.len() {
            fs::write(&path, &good[..length]).expect("written");
            assert_eq!(said(), Said::Unreadable);
        }
    }
}

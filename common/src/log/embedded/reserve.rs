//! Space that is held back for the moment when the disk is full.
//!
//! The file `reserve` has nothing in it that anybody reads. When a write finds no space, the file is
//! emptied: then notes of metadata, metadata itself and the sign of an orderly end still fit. Appends
//! are refused from there on until the space could be held back once more, or they would take it. An
//! empty file says, also to the next start, that this is so. One that is missing or of another size
//! is made again; where that cannot be, the log does without.

use std::{
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::disk::{Disk, DiskFile, is_full};

/// Its name in the folder of the log.
pub(super) const RESERVE: &str = "reserve";
/// Part of the file system that is held back at most.
const PART: u64 = 20;

/// The file and what it is for.
#[derive(Debug)]
pub(super) struct Reserve {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    /// Bytes to hold back; 0 for none.
    bytes: u64,
    /// Whether the bytes are held back.
    held: bool,
    /// It was given up because the disk was full, and not made again.
    released: bool,
    /// Why it is not held, in words.
    lack: Option<String>,
}

impl Reserve {
    /// Holds back `bytes` in the folder of a log, as far as that is possible.
    pub(super) fn open(disk: Arc<dyn Disk>, folder: &Path, bytes: u64) -> Self {
        let path = folder.join(RESERVE);
        let mut reserve = Self { disk, path, bytes, held: false, released: false, lack: None };
        if let Err(error) = reserve.find(folder) {
            reserve.bytes = 0;
            reserve.lack = Some(error.to_string());
        }
        reserve
    }

    fn find(&mut self, folder: &Path) -> io::Result<()> {
        if self.bytes == 0 {
            // One that is there belongs to whoever wants it.
            return Ok(());
        }
        let length = match self.disk.open(&self.path) {
            Ok(file) => Some(file.length()?),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        self.bytes = self.bytes.min(self.disk.space(folder)?.total_bytes / PART);
        self.build()?;
        self.released = length == Some(0) && self.is_lacking();
        Ok(())
    }

    /// Whether there should be a reserve and is none.
    pub(super) fn is_lacking(&self) -> bool {
        self.bytes > 0 && !self.held
    }

    /// Whether the disk was full when the log was last written, and is as far as anybody knows.
    pub(super) fn was_released(&self) -> bool {
        self.released
    }

    /// Free bytes at which it is built up again: enough for the largest append remain beside it.
    pub(super) fn needed(&self) -> u64 {
        self.bytes + self.bytes / 2
    }

    /// Why there is none although there should be one, unless it is in use.
    pub(super) fn lack(&self) -> Option<String> {
        let (bytes, lack) = (self.bytes, self.lack.as_ref().filter(|_| !self.released)?);
        Some(format!(
            "`{RESERVE}` is not there ({lack}): when the disk is full, metadata may not fit either{}",
            if bytes > 0 { "" } else { "; it is tried again at the next start" }
        ))
    }

    /// Gives the space back; whether there was any.
    pub(super) fn release(&mut self) -> bool {
        if !self.held {
            return false;
        }
        self.held = false;
        let file = self.disk.open_writable(&self.path);
        // Without the sync the blocks may not be free yet.
        let emptied = file.and_then(|file| file.truncate(0).and_then(|()| file.sync()));
        if let Err(error) = &emptied {
            self.lack = Some(error.to_string());
        }
        self.released = emptied.is_ok();
        self.released
    }

    /// Holds the space back, if there is enough beside it; whether it does.
    pub(super) fn build(&mut self) -> io::Result<bool> {
        let file = match self.disk.open_writable(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => self.disk.create(&self.path)?,
            opened => opened?,
        };
        self.lack = match self.fill(&*file) {
            Ok(lack) => lack,
            Err(error) if is_full(&error) => {
                // What was allocated of it helps nobody.
                file.truncate(0)?;
                Some("there is too little space".to_owned())
            }
            Err(error) => return Err(error),
        };
        self.held = self.lack.is_none();
        self.released &= !self.held;
        Ok(self.held)
    }

    /// Allocates the file; why not, in words, when there is no use in trying.
    fn fill(&mut self, file: &dyn DiskFile) -> io::Result<Option<String>> {
        let length = file.length()?;
        if length > self.bytes {
            file.truncate(self.bytes)?;
        }
        let folder = self.path.parent().unwrap_or(&self.path);
        if length < self.bytes && self.disk.space(folder)?.free_bytes < self.needed() - length {
            let needed = self.needed().div_ceil(1 << 20);
            return Ok(Some(format!("{needed} MiB must be free for it")));
        }
        // Also where it has its length already: a copy of it may be nothing but a hole.
        file.allocate(self.bytes)?;
        Ok(match file.length()? >= self.bytes {
            true => None,
            false => {
                self.bytes = 0;
                Some("the file system cannot hold space back".to_owned())
            }
        })
    }
}

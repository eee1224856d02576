//! Free space: how much there is, and how much must stay.
//!
//! A full disk stops what is acknowledged to customers, so what can wait is refused before: training,
//! its cuts, and snapshots. The log is refused last, by the disk itself.

use std::{
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use rustix::fs::statvfs;
use thiserror::Error;

use crate::config::FreeBytesFloor;

/// The space of a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// Bytes that can still be written.
    pub free_bytes: u64,
    /// Bytes of the file system in all.
    pub total_bytes: u64,
    /// Number of the device that the file system lies on.
    pub device: u64,
}

impl Space {
    /// Space on the file system that holds `path`, or will when it is created.
    ///
    /// # Errors
    /// When the file system does not tell.
    pub fn of(path: &Path) -> io::Result<Self> {
        let named = path.ancestors().find(|above| above.exists());
        let existing = named.filter(|above| !above.as_os_str().is_empty());
        let existing = existing.unwrap_or(Path::new("."));
        let found = statvfs(existing)?;
        Ok(Self {
            free_bytes: found.f_bavail.saturating_mul(found.f_frsize),
            total_bytes: found.f_blocks.saturating_mul(found.f_frsize),
            device: fs::metadata(existing)?.dev(),
        })
    }
}

/// What happened to the file system of `folder`, for people.
#[must_use]
pub fn in_words(error: &io::Error, folder: &Path) -> String {
    let shown = folder.display();
    match error.kind() {
        io::ErrorKind::StorageFull => {
            let free = Space::of(folder).map_or(0, |space| space.free_bytes) >> 20;
            format!("the disk of {shown} is full ({free} MiB are free): free some space there")
        }
        io::ErrorKind::QuotaExceeded => {
            format!("the quota of the disk of {shown} is used up: free some space there")
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            format!("the disk of {shown} can only be read: mount it to be written")
        }
        _ => format!("{shown}: {}", plain(&error.to_string())),
    }
}

/// The message of an error that was copied as it is printed for programmers, else the text itself.
fn plain(text: &str) -> &str {
    let message = text.split_once("message: \"").and_then(|(_, rest)| rest.split_once('"'));
    message.map_or(text, |(message, _)| message)
}

/// Too little space is free for what can wait.
#[derive(Clone, Debug, Error)]
#[error(
    "{} MiB are free in {}, and {} MiB must stay free for the log ({key}); free some space there",
    free_bytes >> 20, folder.display(), floor_bytes >> 20
)]
pub struct LowSpace {
    /// Key of the setting.
    pub key: &'static str,
    /// On the file system of this folder.
    pub folder: PathBuf,
    /// Bytes that are free.
    pub free_bytes: u64,
    /// Bytes that must stay free.
    pub floor_bytes: u64,
}

/// How much must stay free on the file system of a folder.
#[derive(Clone, Debug)]
pub struct Floor {
    key: &'static str,
    folder: PathBuf,
    setting: FreeBytesFloor,
}

/// A floor, and what is free above or below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measured {
    /// Bytes that are free.
    pub free_bytes: u64,
    /// What must stay free; 0 for nothing.
    pub floor_bytes: u64,
    /// Number of the device that the file system lies on.
    pub device: u64,
}

impl Floor {
    /// The floor that the setting `key` says, for `folder`.
    #[must_use]
    pub fn new(key: &'static str, folder: &Path, setting: FreeBytesFloor) -> Self {
        Self { key, folder: folder.to_owned(), setting }
    }

    /// Folder for which the floor holds.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// How things stand; `None` when the file system does not tell.
    #[must_use]
    pub fn measure(&self) -> Option<Measured> {
        let Space { free_bytes, total_bytes, device } = Space::of(&self.folder).ok()?;
        Some(Measured { free_bytes, floor_bytes: self.setting.bytes_of(total_bytes), device })
    }

    /// Whether there is enough for what can wait. A file system that does not tell has enough.
    ///
    /// # Errors
    /// When there is not.
    pub fn check(&self) -> Result<(), LowSpace> {
        match self.measure() {
            Some(Measured { free_bytes, floor_bytes, .. }) if free_bytes < floor_bytes => {
                let folder = self.folder.clone();
                Err(LowSpace { key: self.key, folder, free_bytes, floor_bytes })
            }
            Some(_) | None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_told_in_words() {
        let folder = tempfile::tempdir().expect("a folder");
        let full = io::Error::from_raw_os_error(28);
        // As sled hands on an error that it has kept.
        let copied = |error: &io::Error| io::Error::new(error.kind(), format!("{error:?}"));
        for error in [&copied(&full), &full] {
            let told = in_words(error, folder.path());
            assert!(told.contains("is full (") && told.contains("free some space"), "{told}");
        }
        let device = io::Error::from_raw_os_error(5);
        for error in [&copied(&device), &device] {
            let told = in_words(error, folder.path());
            assert!(told.contains("Input/output error"), "{told}");
            assert!(!told.contains("code") && !told.contains('{'), "{told}");
        }
    }

    #[test]
    fn below_the_floor_is_too_little() {
        let folder = tempfile::tempdir().expect("a folder");
        let floor = |bytes| Floor::new("worker.x", folder.path(), FreeBytesFloor::Bytes(bytes));
        let Measured { free_bytes, .. } = floor(0).measure().expect("is told");
        assert!(free_bytes > 0);
        floor(0).check().expect("no floor");
        floor(1).check().expect("more is free");
        let low = floor(u64::MAX).check().expect_err("nothing is as large");
        assert_eq!((low.floor_bytes, low.folder.as_path()), (u64::MAX, folder.path()));
        let told = low.to_string();
        assert!(told.contains("worker.x") && told.contains(folder.path().to_str().expect("text")));
    }

    #[test]
    fn a_folder_that_is_not_there_yet_has_the_space_of_the_one_above() {
        let folder = tempfile::tempdir().expect("a folder");
        let total = |path: &Path| Space::of(path).expect("is told").total_bytes;
        assert_eq!(total(&folder.path().join("a/b")), total(folder.path()));
        assert!(total(Path::new("not-there/at-all")) > 0);
    }
}

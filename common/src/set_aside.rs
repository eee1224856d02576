//! What could not be used and was renamed to `*.set-aside`: nothing of it is deleted, so an operator
//! must see how much there is, and since when.

use std::{fs, io, ops::AddAssign, os::unix::fs::MetadataExt as _, path::Path};

/// In the names of what was set aside.
const SET_ASIDE: &str = ".set-aside";

/// Files and folders that were set aside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SetAside {
    /// Number of files and folders set aside.
    pub count: u64,
    /// Their bytes, with all that is in the folders.
    pub bytes: u64,
    /// When the oldest one got its name, in seconds since 1970.
    pub oldest_seconds: Option<i64>,
}

impl SetAside {
    /// Those in `folder` itself. What vanishes meanwhile, or cannot be read, does not count.
    #[must_use]
    pub fn in_folder(folder: &Path) -> Self {
        let mut found = Self::default();
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            if !entry.file_name().to_string_lossy().contains(SET_ASIDE) {
                continue;
            }
            if let Ok(metadata) = entry.metadata() {
                let bytes = bytes(&entry.path(), &metadata).unwrap_or(0);
                // A rename changes this time, and not that of the content.
                found += Self { count: 1, bytes, oldest_seconds: Some(metadata.ctime()) };
            }
        }
        found
    }
}

impl AddAssign for SetAside {
    fn add_assign(&mut self, other: Self) {
        self.count += other.count;
        self.bytes += other.bytes;
        self.oldest_seconds = match (self.oldest_seconds, other.oldest_seconds) {
            (Some(own), Some(others)) => Some(own.min(others)),
            (own, others) => own.or(others),
        };
    }
}

fn bytes(path: &Path, metadata: &fs::Metadata) -> io::Result<u64> {
    if !metadata.is_dir() {
        return Ok(metadata.len());
    }
    let mut sum = 0;
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        sum += bytes(&entry.path(), &entry.metadata()?)?;
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_files_and_folders_with_their_content() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        assert_eq!(SetAside::in_folder(&path("missing")), SetAside::default());
        fs::create_dir_all(path("metadata.set-aside-2/blobs")).expect("created");
        fs::write(path("metadata.set-aside-2/db"), [0; 30]).expect("written");
        fs::write(path("metadata.set-aside-2/blobs/1"), [0; 4]).expect("written");
        fs::write(path("00.snapshot"), [0; 1_000]).expect("written");
        assert_eq!(SetAside::in_folder(folder.path()).bytes, 34);
        let before = fs::metadata(path("00.snapshot")).expect("there").ctime();
        fs::rename(path("00.snapshot"), path("00.snapshot.set-aside")).expect("renamed");
        let found = SetAside::in_folder(folder.path());
        assert_eq!((found.count, found.bytes), (2, 1_034));
        assert!(found.oldest_seconds.is_some_and(|oldest| oldest >= before));
    }
}

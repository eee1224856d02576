//! One segment of the log: a database in a folder of its own.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use super::{
    OpenError,
    codec::{self, Key},
};
use crate::{
    embedded::{Database, DatabaseError},
    log::{LogError, Sequence, commit::Commit},
};

const CACHE_BYTES: u64 = 64 << 20;
/// Present when the folder has been set up; one without it never held a commit.
const CREATED: &str = "created";

/// Where damage is that no position can be told of.
const NOWHERE: Sequence = 0;

/// An open segment.
#[derive(Debug)]
pub(super) struct Segment {
    first: Sequence,
    db: Database,
}

/// Why a commit could not be stored.
pub(super) type WriteError = String;

impl Segment {
    /// Creates the segment that begins at `first`, durably.
    pub(super) fn create(folder: PathBuf, first: Sequence) -> Result<Self, OpenError> {
        let segment = Self::open(folder, first)?;
        let path = segment.db.folder().join(CREATED);
        File::create(&path).map_err(OpenError::io(&path))?;
        segment.db.sync_creation().map_err(OpenError::io(segment.db.folder()))?;
        Ok(segment)
    }

    /// Opens a segment whose creation was completed.
    pub(super) fn open(folder: PathBuf, first: Sequence) -> Result<Self, OpenError> {
        match Database::open(&folder, CACHE_BYTES) {
            Ok(db) => Ok(Self { first, db }),
            Err(DatabaseError::Io(source)) => Err(OpenError::Io { path: folder, source }),
            Err(DatabaseError::Locked) => Err(OpenError::Locked { folder }),
            Err(DatabaseError::Damaged(detail)) => Err(OpenError::Damaged { folder, detail }),
        }
    }

    /// Whether the creation of the segment in `folder` was completed.
    pub(super) fn is_created(folder: &Path) -> bool {
        folder.join(CREATED).exists()
    }

    /// Its first position.
    pub(super) fn first(&self) -> Sequence {
        self.first
    }

    /// Bytes of its data file.
    pub(super) fn bytes(&self) -> u64 {
        self.db.bytes()
    }

    /// Stores an encoded commit durably. After an error nothing may be written any more: what
    /// has been stored is unknown until the log is opened again.
    pub(super) fn write(&self, first: Sequence, encoded: &[u8]) -> Result<(), WriteError> {
        for (key, part) in codec::parts(first, encoded)? {
            self.db.insert(key, part).map_err(|error| self.write_error(&error))?;
        }
        self.db.sync().map_err(|error| self.write_error(&error))
    }

    /// The commit that holds `position`, or the last one before it.
    pub(super) fn commit_at(&self, position: Sequence) -> Result<Option<Commit>, LogError> {
        let beyond = Key { first: position.saturating_add(1), part: 0, parts: 0 }.encode();
        let found = self.db.get_lt(beyond);
        match found.map_err(|error| self.damaged(position, &error.to_string()))? {
            Some((key, _)) => self.commit(&key).map(Some),
            None => Ok(None),
        }
    }

    /// The commit that `key` is a part of.
    fn commit(&self, key: &[u8]) -> Result<Commit, LogError> {
        let Key { first, parts, .. } =
            Key::decode(key).map_err(|detail| self.damaged(NOWHERE, detail))?;
        let mut encoded = Vec::new();
        for part in 0..parts {
            let key = Key { first, part, parts }.encode();
            let value = self.db.get(key);
            let value = value.map_err(|error| self.damaged(first, &error.to_string()))?;
            let value = value.ok_or_else(|| {
                self.damaged(first, &format!("part {part} of {parts} of a commit is missing"))
            })?;
            encoded.extend_from_slice(&value);
        }
        codec::decode(first, &encoded).map_err(|detail| self.damaged(first, detail))
    }

    /// The last position. A last commit that was not completed is removed first, as nobody was
    /// told that it was stored; everything through `acknowledged` must be there.
    pub(super) fn recover(&self, acknowledged: Sequence) -> Result<Sequence, LogError> {
        let end = match self.end() {
            Err(LogError::Damaged { sequence: first, detail }) if first > acknowledged => {
                tracing::warn!(sequence = first, detail, "removing an incomplete last commit");
                self.remove(first).map_err(|detail| self.damaged(first, &detail))?;
                let end = self.end()?;
                if end + 1 != first {
                    return Err(self.damaged(end + 1, "the commit before the last is missing"));
                }
                end
            }
            end => end?,
        };
        if end < acknowledged {
            let detail = format!("everything through {acknowledged} was stored");
            return Err(self.damaged(end + 1, &detail));
        }
        Ok(end)
    }

    fn end(&self) -> Result<Sequence, LogError> {
        let last = self.db.last().map_err(|error| self.damaged(NOWHERE, &error.to_string()))?;
        last.map_or(Ok(self.first - 1), |(key, _)| self.commit(&key).map(|commit| commit.last()))
    }

    /// Removes all parts of the commit at `first`.
    fn remove(&self, first: Sequence) -> Result<(), WriteError> {
        for item in self.db.scan_prefix(first.to_be_bytes()) {
            let (key, _) = item.map_err(|error| self.write_error(&error))?;
            self.db.remove(key).map_err(|error| self.write_error(&error))?;
        }
        self.db.sync().map_err(|error| self.write_error(&error))
    }

    /// An error about what is stored at `sequence`.
    pub(super) fn damaged(&self, sequence: Sequence, detail: &str) -> LogError {
        LogError::Damaged { sequence, detail: format!("{}: {detail}", self.db.folder().display()) }
    }

    fn write_error(&self, error: &dyn std::error::Error) -> WriteError {
        format!("{}: {error}", self.db.folder().display())
    }
}

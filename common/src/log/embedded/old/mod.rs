//! A log of before: sled databases, one a segment. It is only read, and only as a copy, for sled
//! writes when it opens.

mod codec;
mod convert;
#[cfg(test)]
mod tests;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use bytes::Bytes;

use super::OpenError;
use crate::{
    embedded::{Database, DatabaseError},
    log::{Sequence, commit::Commit},
};
use codec::Key;
pub(super) use convert::{convert, finish_renaming, place};

const CACHE_BYTES: u64 = 64 << 20;

/// A segment of before.
#[derive(Clone, Debug)]
struct OldSegment {
    first: Sequence,
    folder: PathBuf,
    bytes: u64,
}

/// The segments in a folder, by position. What else is there is left alone.
fn segments(folder: &Path) -> Result<Vec<OldSegment>, OpenError> {
    let failed = || OpenError::io(folder);
    let mut segments = Vec::new();
    let listed = match fs::read_dir(folder) {
        Ok(listed) => listed,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(segments),
        Err(error) => return Err(failed()(error)),
    };
    for entry in listed {
        let path = entry.map_err(failed())?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let first = name.parse().ok().filter(|first| format!("{first:020}") == name);
        let Some(first) = first else { continue };
        if let Ok(metadata) = fs::metadata(path.join("db")) {
            segments.push(OldSegment { first, folder: path, bytes: metadata.len() });
        }
    }
    segments.sort_unstable_by_key(|segment| segment.first);
    Ok(segments)
}

/// An open copy of a segment.
struct OldCommits {
    db: Database,
    folder: PathBuf,
}

impl OldCommits {
    /// Opens the database in `folder`, a copy that may be changed.
    fn open(folder: &Path) -> Result<Self, OpenError> {
        let folder = folder.to_owned();
        match Database::open(&folder, CACHE_BYTES) {
            Ok(db) => Ok(Self { db, folder }),
            Err(DatabaseError::Io(source)) => Err(OpenError::Io { path: folder, source }),
            Err(DatabaseError::Locked) => Err(OpenError::Locked { folder }),
            Err(DatabaseError::Damaged(detail)) => Err(OpenError::Damaged { folder, detail }),
        }
    }

    /// Gives `take` all commits in order. Returns what is wrong with the last one, if it is not
    /// whole: a crash may have left it.
    fn each(
        &self,
        mut take: impl FnMut(Commit) -> Result<(), OpenError>,
    ) -> Result<Option<String>, OpenError> {
        let damaged = |detail: String| OpenError::Damaged { folder: self.folder.clone(), detail };
        let mut whole: Option<Commit> = None;
        let mut parts: Vec<(Key, Bytes)> = Vec::new();
        let mut broken: Option<String> = None;
        let mut entries = self.db.iter();
        loop {
            let entry = entries.next().transpose().map_err(|error| damaged(error.to_string()))?;
            let next = match &entry {
                Some((key, value)) => {
                    let key = Key::decode(key).map_err(|detail| damaged(detail.to_owned()))?;
                    Some((key, Bytes::copy_from_slice(value)))
                }
                None => None,
            };
            let ended = match (&next, parts.last()) {
                (Some((key, _)), Some((last, _))) => key.first != last.first,
                (None, Some(_)) => true,
                (_, None) => false,
            };
            if ended {
                if let Some(detail) = broken.take() {
                    return Err(damaged(detail));
                }
                if let Some(commit) = whole.take() {
                    take(commit)?;
                }
                match commit(&std::mem::take(&mut parts)) {
                    Ok(commit) => whole = Some(commit),
                    Err(detail) => broken = Some(detail),
                }
            }
            match next {
                Some(part) => parts.push(part),
                None => break,
            }
        }
        if let Some(commit) = whole {
            take(commit)?;
        }
        Ok(broken)
    }
}

/// The commit of these parts.
fn commit(parts: &[(Key, Bytes)]) -> Result<Commit, String> {
    let first = parts.first().map_or(0, |(key, _)| key.first);
    let in_order = parts.iter().zip(0..).all(|((key, _), part)| key.part == part);
    let complete = parts.iter().all(|(key, _)| usize::from(key.parts) == parts.len());
    if !in_order || !complete {
        return Err(format!("parts of the commit at position {first} are missing"));
    }
    let encoded = parts.iter().map(|(_, part)| part.as_ref()).collect::<Vec<_>>().concat();
    codec::decode(first, &encoded).map_err(|detail| format!("at position {first}: {detail}"))
}

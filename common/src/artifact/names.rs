//! What the files of artifacts are called, and which of them there are.

use std::{fs, io, path::Path};

use super::{ArtifactError, ArtifactRef};

/// How the name of a file ends that is not finished.
pub(super) const UNFINISHED: &str = ".tmp";

/// The artifact with this prefix and hash, if it exists and no other has the prefix.
pub(super) fn only(
    folder: &Path,
    prefix: &str,
    hash: u64,
) -> Result<Option<ArtifactRef>, ArtifactError> {
    let mut same = None;
    for (found, artifact) in named(folder, prefix)? {
        if found != hash {
            let existing = folder.join(artifact.path);
            return Err(ArtifactError::Nondeterministic { existing, hash });
        }
        same = Some(artifact);
    }
    Ok(same)
}

/// The artifacts with this prefix, each with its hash.
pub(super) fn named(store: &Path, prefix: &str) -> Result<Vec<(u64, ArtifactRef)>, ArtifactError> {
    let (folder, name) = prefix.rsplit_once('/').expect("the prefix names folders");
    let mut found = Vec::new();
    for file in names(&store.join(folder))? {
        if let Some((stem, hash)) = split_hash(&file)
            && stem == name
            && let Some(artifact) = stat(store, format!("{folder}/{file}"))?
        {
            found.push((hash, artifact));
        }
    }
    Ok(found)
}

/// The artifact at this path of the store; `None` when it is not there.
pub(super) fn stat(folder: &Path, path: String) -> Result<Option<ArtifactRef>, ArtifactError> {
    let file = folder.join(&path);
    match fs::metadata(&file) {
        Ok(metadata) => Ok(Some(ArtifactRef { path, bytes: metadata.len() })),
        // Removed since the folder was read.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(ArtifactError::io("read", file)(error)),
    }
}

/// Where the artifacts of this name lie in a store, up to the hash of their content.
pub(super) fn prefix(job: &str, phase: &str, name: &str) -> Result<String, ArtifactError> {
    Ok(format!("jobs/{}/{}/{}", checked(job)?, checked(phase)?, checked(name)?))
}

/// A part of a path that cannot lead anywhere else.
pub(super) fn checked(name: &str) -> Result<&str, ArtifactError> {
    let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    if name.is_empty() || name.len() > 128 || name.starts_with('.') || !is_plain {
        return Err(ArtifactError::Name { name: name.to_owned() });
    }
    Ok(name)
}

/// Whether a path is that of an artifact or of one that was begun.
pub(super) fn is_own(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let is_unfinished = name.starts_with('.') && name.ends_with(UNFINISHED);
    path.is_file() && (is_unfinished || split_hash(name).is_some())
}

/// Name and hash of a finished file.
pub(super) fn split_hash(file: &str) -> Option<(&str, u64)> {
    let (stem, hash) = file.rsplit_once('-')?;
    let is_hash = hash.len() == 16 && hash.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    is_hash.then_some((stem, u64::from_str_radix(hash, 16).ok()?))
}

/// The entries of a folder that follow our names, in no order; none when there is no such folder.
pub(super) fn names(folder: &Path) -> Result<Vec<String>, ArtifactError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error)
            if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            return Ok(Vec::new());
        }
        Err(error) => return Err(ArtifactError::io("read", folder)(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(ArtifactError::io("read", folder))?;
        names.extend(entry.file_name().into_string().ok().filter(|name| checked(name).is_ok()));
    }
    Ok(names)
}

//! Whether a backup still holds what was backed up, and whether that was whole.

use std::{collections::BTreeMap, path::Path};

use mercer_common::{
    artifact::{ArtifactError, ArtifactStore},
    format_file::FormatFile,
    log::embedded::inspect,
};

use super::{
    ARTIFACTS, BackupError, BackupManifest, BackupProgress, IMPORTS, LOG,
    entries::{Entries, NamedFiles},
    manifest,
};

/// Problems that are told; there are no more than so many lines.
const TOLD: usize = 100;

/// Reads every byte of the backup in `folder`, and tells what is wrong with it: nothing, if it can be
/// restored as a whole. Blocks on the disk.
///
/// # Errors
/// As [`BackupManifest::read`], and [`BackupError::Format`].
pub fn verify(
    folder: &Path,
    tell: &mut dyn FnMut(BackupProgress),
) -> Result<(BackupManifest, Vec<String>), BackupError> {
    let _ = FormatFile::check(folder)?;
    let manifest = BackupManifest::read(folder)?;
    let bytes = 2 * manifest.bytes();
    let mut bytes_done = 0;
    let mut problems = Vec::new();
    let mut found: BTreeMap<_, _> = manifest::list(folder)?.into_iter().collect();
    for file in &manifest.files {
        let Some(path) = found.remove(&file.path) else {
            problems.push(format!("{} is missing", file.path));
            continue;
        };
        let hashed = manifest::hash(&path, |read| {
            bytes_done += read.len() as u64;
            tell(BackupProgress { bytes_done, bytes });
            Ok(())
        });
        match hashed {
            Ok(hashed) if hashed == (file.bytes, file.xxh3.clone()) => {}
            Ok((bytes, _)) if bytes != file.bytes => {
                problems.push(format!("{} has {bytes} bytes instead of {}", file.path, file.bytes));
            }
            Ok(_) => problems.push(format!("{} is not what was backed up", file.path)),
            Err(error) => problems.push(format!("{} cannot be read: {error}", file.path)),
        }
    }
    problems.extend(found.into_keys().map(|name| format!("{name} is no file of the backup")));
    match Entries::read(folder) {
        Ok(entries) => {
            let meaning = meaning(folder, &entries, &mut |done| {
                tell(BackupProgress { bytes_done: bytes_done + done, bytes });
                true
            });
            problems.extend(meaning?);
        }
        Err(error) => problems.push(error.to_string()),
    }
    problems.truncate(TOLD);
    Ok((manifest, problems))
}

/// What is damaged or missing in the log and in the versions of a backup, whoever did it. `go_on`
/// hears how many bytes are read, and says whether to read on.
pub(super) fn meaning(
    backup: &Path,
    entries: &Entries,
    go_on: &mut dyn FnMut(u64) -> bool,
) -> Result<Vec<String>, BackupError> {
    let mut problems = Vec::new();
    let mut bytes = 0;
    match inspect(&backup.join(LOG), &mut |done, _| {
        bytes = done;
        go_on(done);
    }) {
        Ok(log) => {
            let damage = log.damage.iter().map(|one| {
                format!("{LOG}/{} is damaged at byte {}: {}", one.file, one.offset, one.detail)
            });
            problems.extend(damage);
            let missing = log.missing.iter();
            problems.extend(
                missing.map(|(first, last)| format!("{LOG} has no positions {first} to {last}")),
            );
            problems.extend(log.refusal);
        }
        Err(error) => problems.push(error.to_string()),
    }
    for (folder, named) in [(ARTIFACTS, entries.files()), (IMPORTS, entries.registers())] {
        let named = match named {
            Ok(named) => named,
            Err(error) => {
                problems.push(error.to_string());
                continue;
            }
        };
        if folder == IMPORTS && named.is_empty() {
            continue;
        }
        bytes += artifacts(backup, folder, named, &mut problems, &mut |done| go_on(bytes + done))?;
    }
    problems.truncate(TOLD);
    Ok(problems)
}

/// Notes what is damaged or missing of the files in a folder; returns how many bytes it has.
fn artifacts(
    backup: &Path,
    name: &str,
    mut named: NamedFiles,
    problems: &mut Vec<String>,
    go_on: &mut dyn FnMut(u64) -> bool,
) -> Result<u64, BackupError> {
    let folder = backup.join(name);
    if !folder.is_dir() {
        problems.push(format!("{name} is missing"));
        return Ok(0);
    }
    let store = ArtifactStore::open(&folder)?;
    let mut bytes = 0;
    for artifact in store.list()? {
        named.paths.remove(&artifact.path);
        match store.open_artifact(&artifact) {
            Ok(_) => {}
            Err(error @ ArtifactError::Io { .. }) => return Err(error.into()),
            Err(error) => problems.push(error.to_string()),
        }
        bytes += artifact.bytes;
        if !go_on(bytes) {
            break;
        }
    }
    let missing = named.paths.into_iter();
    problems.extend(missing.map(|path| format!("{name}/{path} is missing")));
    Ok(bytes)
}

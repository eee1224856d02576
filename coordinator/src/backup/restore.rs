//! Makes a data folder of a backup.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use mercer_common::{
    clock::Clock,
    files::sync_folders,
    format_file::FormatFile,
    log::{
        LogIdentity,
        embedded::{EmbeddedLog, EmbeddedLogOptions},
    },
    metadata::NewMetadata,
};

use super::{
    ARTIFACTS, BackupError, BackupManifest, BackupProgress, IMPORTS, LOG, WORKERS,
    entries::Entries,
    manifest::{self, BackedUpFile},
};
use crate::{data_folder, imports, rebuild};

/// The end of the name of a data folder that is not complete.
const RESTORING: &str = ".restoring";

/// A backup that was restored.
#[derive(Clone, Debug)]
pub struct Restored {
    /// Manifest of what was restored.
    pub manifest: BackupManifest,
    /// The log that goes on from there.
    pub log: LogIdentity,
    /// Files that were damaged and are left out, since the cluster does without them: snapshots are
    /// built anew, a version that lacks a file is answered for by the version before, and a source whose
    /// register is not whole says so when files are imported.
    pub left_out: Vec<String>,
}

/// Restores the backup in `backup` as the data folder `data_dir`, which does not exist or is empty:
/// log and metadata for a coordinator, `artifacts` and a folder for each worker beside them. It
/// appears under its name when it is complete.
///
/// # Errors
/// See [`BackupError`]; nothing is left then.
pub async fn restore(
    backup: &Path,
    data_dir: &Path,
    clock: &dyn Clock,
    tell: &mut dyn FnMut(BackupProgress),
) -> Result<Restored, BackupError> {
    let _ = FormatFile::check(backup)?;
    let manifest = BackupManifest::read(backup)?;
    let place = Place::new(data_dir)?;
    let left_out = copy(backup, &manifest, &place.restoring, tell)?;
    let entries = Entries::read(backup)?;

    let folder = place.restoring.join(data_folder::LOG);
    let identity = EmbeddedLog::refound(&folder, manifest.end)?;
    let log = EmbeddedLog::open(&folder, &identity.founding, EmbeddedLogOptions::default())?;
    let said = rebuild::read_log(&log, manifest.metadata_position).await?;
    let values = entries.restored(&identity, &said, clock.now_ms())?;
    let metadata = NewMetadata::lock(&place.restoring.join(data_folder::METADATA))?;
    metadata.replace(values, Arc::new(log)).await?;
    FormatFile::check(&place.restoring)?.write()?;
    place.finish().map_err(BackupError::io(&place.data_dir))?;
    Ok(Restored { manifest, log: identity, left_out })
}

/// Where a data folder is made: under a name of its own, until it is complete.
struct Place {
    data_dir: PathBuf,
    restoring: PathBuf,
}

impl Place {
    fn new(data_dir: &Path) -> Result<Self, BackupError> {
        // A bare name has no folder above it that could be synced.
        let data_dir = &std::path::absolute(data_dir).map_err(BackupError::io(data_dir))?;
        let occupied = match fs::read_dir(data_dir) {
            Ok(mut entries) => entries.next().is_some(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => return Err(BackupError::io(data_dir)(error)),
        };
        if occupied {
            return Err(BackupError::Occupied { folder: data_dir.to_owned() });
        }
        let mut name = data_dir.file_name().unwrap_or_default().to_owned();
        name.push(RESTORING);
        let restoring = data_dir.with_file_name(name);
        if let Some(parent) = restoring.parent() {
            fs::create_dir_all(parent).map_err(BackupError::io(parent))?;
        }
        match fs::create_dir(&restoring) {
            Ok(()) => Ok(Self { data_dir: data_dir.to_owned(), restoring }),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(BackupError::Occupied { folder: restoring })
            }
            Err(error) => Err(BackupError::io(&restoring)(error)),
        }
    }

    /// Gives the folder, which is complete, its name, durably.
    fn finish(&self) -> io::Result<()> {
        sync_folders(&self.restoring)?;
        fs::rename(&self.restoring, &self.data_dir)?;
        File::open(self.data_dir.parent().unwrap_or(Path::new(".")))?.sync_all()
    }
}

impl Drop for Place {
    /// Removes what was not finished.
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.restoring);
    }
}

/// Copies all files and compares them with the manifest; returns those that are left out.
fn copy(
    backup: &Path,
    manifest: &BackupManifest,
    target: &Path,
    tell: &mut dyn FnMut(BackupProgress),
) -> Result<Vec<String>, BackupError> {
    let bytes = manifest.bytes();
    let mut bytes_done = 0;
    let mut left_out = Vec::new();
    for file in &manifest.files {
        let from = backup.join(&file.path);
        let damaged = |detail: String| BackupError::Damaged { path: from.clone(), detail };
        let Some((to, is_truth)) = place_of(&file.path) else {
            // What is read where it is, and what is made anew.
            check(&from, file).map_err(damaged)?;
            continue;
        };
        let to = target.join(to);
        let folder = to.parent().unwrap_or(target);
        fs::create_dir_all(folder).map_err(BackupError::io(folder))?;
        let mut copy = File::create_new(&to).map_err(BackupError::io(&to))?;
        let hashed = manifest::hash(&from, |read| {
            bytes_done += read.len() as u64;
            tell(BackupProgress { bytes_done, bytes });
            copy.write_all(read)
        });
        let problem = match hashed {
            Ok(hashed) if hashed == (file.bytes, file.xxh3.clone()) => None,
            Ok(_) => Some("it is not what was backed up".to_owned()),
            Err(error) if from.exists() => return Err(BackupError::io(&to)(error)),
            Err(_) => Some("it is missing".to_owned()),
        };
        match problem {
            None => copy.sync_all().map_err(BackupError::io(&to))?,
            Some(detail) if is_truth => return Err(damaged(detail)),
            Some(detail) => {
                fs::remove_file(&to).map_err(BackupError::io(&to))?;
                left_out.push(format!("{}: {detail}", file.path));
            }
        }
    }
    Ok(left_out)
}

fn check(path: &Path, file: &BackedUpFile) -> Result<(), String> {
    match manifest::hash(path, |_| Ok(())) {
        Ok(hashed) if hashed == (file.bytes, file.xxh3.clone()) => Ok(()),
        Ok(_) => Err("it is not what was backed up".into()),
        Err(error) => Err(error.to_string()),
    }
}

/// Where a file of a backup lies in a data folder, and whether nothing can do without it.
fn place_of(path: &str) -> Option<(PathBuf, bool)> {
    if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return None;
    }
    match path.split_once('/')? {
        (LOG, rest) => Some((Path::new(data_folder::LOG).join(rest), true)),
        (ARTIFACTS, rest) => Some((Path::new(ARTIFACTS).join(rest), false)),
        (IMPORTS, rest) => Some((Path::new(imports::FOLDER).join(rest), false)),
        (WORKERS, rest) => Some((rest.into(), false)),
        _ => None,
    }
}

//! `backup.json`: what a backup holds.

use std::{
    fs::{self, File},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::BackupError;

pub(super) const FILE: &str = "backup.json";
/// The second holds registers of imports, which who knows the first only would leave out.
pub(super) const FORMAT: u32 = 2;
/// Bytes of the manifest, at most: some 100 a file.
const BYTES: u64 = 256 << 20;
/// Bytes that are read at once.
const READ: usize = 1 << 20;

/// What a backup holds, and of which moment.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct BackupManifest {
    /// Format of backups.
    pub format: u32,
    /// Version of Mercer that made it.
    pub mercer_version: String,
    /// Time of its creation, in milliseconds since 1970.
    pub create_time_ms: i64,
    /// Which log, 16 hexadecimal digits.
    pub incarnation: String,
    /// Number of shards.
    pub shards: u16,
    /// ISO 4217 code of the currency.
    pub currency: String,
    /// IANA name of the time zone.
    pub time_zone: String,
    /// The last position in the log.
    pub end: u64,
    /// Where the log was when the metadata was read.
    pub metadata_position: u64,
    /// The version that serves, if there is any.
    pub version: Option<String>,
    /// What was damaged already when the backup was made.
    pub problems: Vec<String>,
    /// All files but this one, by path.
    pub files: Vec<BackedUpFile>,
    /// Checksum of all of the above, 16 hexadecimal digits.
    pub checksum: String,
}

/// A file of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct BackedUpFile {
    /// Path below the backup's folder.
    pub path: String,
    /// Size of the file.
    pub bytes: u64,
    /// XXH3 (64 bits) of its content, 16 hexadecimal digits.
    pub xxh3: String,
}

impl BackupManifest {
    /// Reads the manifest of the backup in `folder`.
    ///
    /// # Errors
    /// [`BackupError::NoBackup`], [`BackupError::Newer`], [`BackupError::Damaged`] and
    /// [`BackupError::Io`].
    pub fn read(folder: &Path) -> Result<Self, BackupError> {
        let path = folder.join(FILE);
        let mut text = Vec::new();
        let read = File::open(&path).and_then(|file| file.take(BYTES).read_to_end(&mut text));
        match read {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(BackupError::NoBackup { folder: folder.to_owned() });
            }
            Err(error) => return Err(BackupError::io(&path)(error)),
        }
        let damaged = |detail: String| BackupError::Damaged { path: path.clone(), detail };
        let value: serde_json::Value =
            serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))?;
        // Before its fields are asked for: a later format may have others.
        match value.get("format").and_then(serde_json::Value::as_u64) {
            Some(found) if found > u64::from(FORMAT) => {
                return Err(BackupError::Newer { path, found });
            }
            _ => {}
        }
        let manifest: Self =
            serde_json::from_value(value).map_err(|error| damaged(error.to_string()))?;
        if manifest.checksum != manifest.checksum_of_rest() {
            return Err(damaged("its checksum does not match".into()));
        }
        Ok(manifest)
    }

    /// Writes the manifest durably; the folder's names are the caller's to sync.
    pub(super) fn write(mut self, folder: &Path) -> Result<Self, BackupError> {
        self.checksum = self.checksum_of_rest();
        let path = folder.join(FILE);
        self.write_new(&path).map_err(BackupError::io(&path))?;
        Ok(self)
    }

    /// Writes a file that was not there, and syncs it.
    fn write_new(&self, path: &Path) -> io::Result<()> {
        let mut file = File::create_new(path)?;
        file.write_all(&serde_json::to_vec_pretty(self)?)?;
        file.sync_all()
    }

    /// Bytes of all files.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    fn checksum_of_rest(&self) -> String {
        let rest = Self { checksum: String::new(), ..self.clone() };
        let text = serde_json::to_vec(&rest).expect("texts and numbers");
        hexadecimal(xxh3_64(&text))
    }
}

pub(super) fn hexadecimal(number: u64) -> String {
    format!("{number:016x}")
}

/// The files below `folder` but for the manifest, by path. Names are text: Mercer gives no others.
pub(super) fn list(folder: &Path) -> Result<Vec<(String, PathBuf)>, BackupError> {
    let mut found = Vec::new();
    let mut folders = vec![(String::new(), folder.to_owned())];
    while let Some((name, folder)) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(BackupError::io(&folder))? {
            let entry = entry.map_err(BackupError::io(&folder))?;
            let path = entry.path();
            let kind = entry.file_type().map_err(BackupError::io(&path))?;
            let name = format!("{name}{}", entry.file_name().to_string_lossy());
            if kind.is_dir() {
                folders.push((format!("{name}/"), path));
            } else if name != FILE {
                found.push((name, path));
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Reads a file through, and hands on what was read; returns its size and hash.
pub(super) fn hash(
    path: &Path,
    mut take: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<(u64, String)> {
    let mut file = File::open(path)?;
    let mut hasher = Xxh3::new();
    let mut buffer = vec![0; READ];
    let mut bytes = 0;
    loop {
        let read = match file.read(&mut buffer) {
            Ok(0) => return Ok((bytes, hexadecimal(hasher.digest()))),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        hasher.update(&buffer[..read]);
        take(&buffer[..read])?;
        bytes += read as u64;
    }
}

//! Makes backups.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use mercer_common::{
    artifact::ArtifactStore,
    clock::SharedClock,
    config::Config,
    files::{link, sync_folders},
    format_file::FormatFile,
    log::{
        EventLog as _,
        embedded::{EmbeddedLog, LogFolder},
    },
    metadata::Metadata,
    rpc::status::InvalidRequest,
    space::Floor,
};
use parking_lot::Mutex;
use prost::Message as _;
use tokio::{sync::watch, task::spawn_blocking};
use tokio_util::sync::CancellationToken;

use super::{
    ARTIFACTS, BackupError, BackupManifest, BackupProgress, ENTRIES, IMPORTS, LOG, SHARDS, WORKERS,
    entries::{Entries, NamedFiles},
    manifest::{self, BackedUpFile, hexadecimal},
    verify,
};
use crate::{data_folder, imports};

/// Backups that are kept in one folder.
const LIMIT: usize = 1_000;
/// Longest name of a backup, in bytes.
const NAME: usize = 128;
/// The end of the name of a backup that is not complete.
const UNFINISHED: &str = ".unfinished";
/// Name that [`FormatFile`] gives its file.
const FORMAT_FILE: &str = "FORMAT";
/// Locked while a backup is made.
const LOCK: &str = "lock";

/// What stands still while a backup reads it: whoever changes it holds the lock, too.
#[derive(Clone, Debug, Default)]
pub(crate) struct Locks {
    /// Held while artifacts that nobody names are removed.
    pub(crate) artifacts: Arc<Mutex<()>>,
    /// Held while a source of imports changes, in metadata, its register and the log.
    pub(crate) imports: Arc<tokio::sync::Mutex<()>>,
}

/// Makes the backups of one coordinator.
pub struct Backups {
    log: Arc<EmbeddedLog>,
    metadata: Arc<dyn Metadata>,
    artifacts: ArtifactStore,
    locks: Locks,
    data_dir: PathBuf,
    folder: PathBuf,
    /// Below them no backup is begun, so that the log can go on.
    pub(super) floors: Vec<Floor>,
    clock: SharedClock,
}

/// A backup that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    /// Folder of the backup.
    pub folder: PathBuf,
    /// Manifest of its files.
    pub manifest: BackupManifest,
}

impl Backups {
    /// Backups of a running coordinator.
    pub(crate) fn new(
        config: &Config,
        log: Arc<EmbeddedLog>,
        metadata: Arc<dyn Metadata>,
        artifacts: ArtifactStore,
        locks: Locks,
        floors: Vec<Floor>,
        clock: SharedClock,
    ) -> Self {
        let data_dir = config.coordinator.data_dir.clone();
        let folder = config.coordinator.backup_folder();
        Self { log, metadata, artifacts, locks, data_dir, folder, floors, clock }
    }

    /// Backups of a cluster that is stopped; its folder is locked as long as this lives. Artifacts
    /// and backups lie in the data folder where none is named. Blocks on the disk.
    ///
    /// # Errors
    /// [`BackupError::NoCluster`], [`BackupError::Log`] and [`BackupError::Folder`].
    pub fn of_stopped(
        data_dir: &Path,
        artifacts: Option<&Path>,
        folder: Option<&Path>,
        clock: SharedClock,
    ) -> Result<Self, BackupError> {
        let LogFolder::Founded(identity) = EmbeddedLog::look(&data_dir.join(data_folder::LOG))?
        else {
            return Err(BackupError::NoCluster { folder: data_dir.to_owned() });
        };
        let mut config = Config::default();
        config.cluster.shards = identity.founding.shards;
        config.cluster.currency = identity.founding.currency;
        config.cluster.time_zone = identity.founding.time_zone;
        config.coordinator.data_dir = data_dir.to_owned();
        // The next coordinator holds back what it wants.
        config.coordinator.reserve_bytes = 0;
        config.coordinator.backup_dir = folder.map(Path::to_owned).unwrap_or_default();
        let stop = CancellationToken::new();
        let (log, metadata) = data_folder::open(&config, stop).map_err(Box::new)?;
        let artifacts = artifacts.map_or_else(|| data_dir.join(ARTIFACTS), Path::to_owned);
        let artifacts = ArtifactStore::open(&artifacts)?;
        let metadata = Arc::new(metadata);
        Ok(Self::new(&config, log, metadata, artifacts, Locks::default(), Vec::new(), clock))
    }

    /// Makes a backup and checks it; without a name it is named after the time. It is given up, and
    /// nothing is left, when nobody hears of its progress any more.
    ///
    /// # Errors
    /// See [`BackupError`].
    pub async fn create(
        &self,
        name: Option<&str>,
        progress: watch::Sender<BackupProgress>,
    ) -> Result<Backup, BackupError> {
        let name = match name {
            Some(name) => checked(name)?.to_owned(),
            None => self.clock.now().strftime("backup-%Y%m%dT%H%M%SZ").to_string(),
        };
        let (floors, folder) = (self.floors.clone(), self.folder.clone());
        let place = blocking(move || {
            floors.iter().try_for_each(Floor::check)?;
            Place::lock(&folder, &name)
        })
        .await?;
        let unfinished = place.unfinished();
        let give_up = || if progress.is_closed() { Err(BackupError::GivenUp) } else { Ok(()) };

        // What the workers hold was read from the log, whose end comes last.
        let registered = Entries::new(self.metadata.list("").await?).workers();
        let (data_dir, target) = (self.data_dir.clone(), unfinished.clone());
        blocking(move || link_snapshots(&data_dir, &registered, &target)).await?;
        give_up()?;

        // What is known to be loaded is in the log, and what was taken out is taken out in both.
        let imports = self.locks.imports.lock().await;
        let metadata_position = self.log.end();
        let entries = self.link_artifacts(&unfinished).await?;
        give_up()?;

        let (log, target) = (Arc::clone(&self.log), unfinished.join(LOG));
        let end = blocking(move || Ok(log.copy_to(&target)?.end)).await?;
        drop(imports);
        let identity = self.log.identity();
        let manifest = BackupManifest {
            format: manifest::FORMAT,
            mercer_version: env!("CARGO_PKG_VERSION").to_owned(),
            create_time_ms: self.clock.now_ms(),
            incarnation: hexadecimal(identity.incarnation),
            shards: identity.founding.shards,
            currency: identity.founding.currency.clone(),
            time_zone: identity.founding.time_zone.clone(),
            end,
            metadata_position,
            version: entries.current(),
            problems: Vec::new(),
            files: Vec::new(),
            checksum: String::new(),
        };
        blocking(move || finish(&place, manifest, &entries, &progress)).await
    }

    /// Reads the metadata and links the artifacts that it names, of which none is removed meanwhile.
    async fn link_artifacts(&self, backup: &Path) -> Result<Entries, BackupError> {
        let (artifacts, removing) = (self.artifacts.clone(), Arc::clone(&self.locks.artifacts));
        let (metadata, target) = (Arc::clone(&self.metadata), backup.join(ARTIFACTS));
        let registers = (self.data_dir.join(imports::FOLDER), backup.join(IMPORTS));
        let runtime = tokio::runtime::Handle::current();
        blocking(move || {
            let _removing = removing.lock();
            let entries = Entries::new(runtime.block_on(metadata.list(""))?);
            link_named(&artifacts, &entries.files()?, &target)?;
            let named = entries.registers()?;
            if !named.is_empty() {
                link_named(&ArtifactStore::open(&registers.0)?, &named, &registers.1)?;
            }
            Ok(entries)
        })
        .await
    }
}

/// Runs `work` off the runtime's threads.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BackupError> + Send + 'static,
) -> Result<T, BackupError> {
    // It fails only when the process stops.
    spawn_blocking(work).await.map_err(|_| BackupError::GivenUp)?
}

/// A name that cannot lead anywhere else.
fn checked(name: &str) -> Result<&str, InvalidRequest> {
    let is_plain = (1..=NAME).contains(&name.len()) && name.bytes().all(may_be_in_name);
    if !is_plain || name.starts_with('.') || name.ends_with(UNFINISHED) || name == LOCK {
        let detail = format!(
            "must be 1 to {NAME} letters, digits, `-`, `_` and `.`, and not begin with `.`, end in `{UNFINISHED}` or be `{LOCK}`"
        );
        return Err(InvalidRequest::field("name", detail));
    }
    Ok(name)
}

/// Whether the name of a backup may have this byte.
fn may_be_in_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)
}

/// Where a backup is made: under a name of its own, until it is complete.
struct Place {
    folder: PathBuf,
    unfinished: PathBuf,
    _lock: File,
}

impl Place {
    /// Locks the folder of backups, and removes what a crash left of others.
    fn lock(backups: &Path, name: &str) -> Result<Self, BackupError> {
        fs::create_dir_all(backups).map_err(BackupError::io(backups))?;
        let path = backups.join(LOCK);
        let lock = File::create(&path).map_err(BackupError::io(&path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(BackupError::Busy { folder: backups.to_owned() });
            }
            Err(TryLockError::Error(error)) => return Err(BackupError::io(&path)(error)),
        }
        let folder = backups.join(name);
        if folder.exists() {
            return Err(BackupError::Exists { folder });
        }
        let mut found = 0;
        for entry in fs::read_dir(backups).map_err(BackupError::io(backups))? {
            let path = entry.map_err(BackupError::io(backups))?.path();
            if is_unfinished(&path).map_err(BackupError::io(&path))? {
                fs::remove_dir_all(&path).map_err(BackupError::io(&path))?;
            } else {
                found += usize::from(path.is_dir());
            }
        }
        if found >= LIMIT {
            let folder = backups.to_owned();
            return Err(BackupError::TooMany { folder, found, limit: LIMIT });
        }
        let unfinished = backups.join(format!("{name}{UNFINISHED}"));
        fs::create_dir(&unfinished).map_err(BackupError::io(&unfinished))?;
        Ok(Self { folder, unfinished, _lock: lock })
    }

    fn unfinished(&self) -> PathBuf {
        self.unfinished.clone()
    }

    /// Gives the backup, which is durable, its name.
    fn finish(&self) -> io::Result<()> {
        sync_folders(&self.unfinished)?;
        fs::rename(&self.unfinished, &self.folder)?;
        File::open(self.folder.parent().unwrap_or(Path::new(".")))?.sync_all()
    }
}

impl Drop for Place {
    /// Removes what was not finished.
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.unfinished);
    }
}

/// Whether it is what a crash left of a backup: nothing in it is anybody else's.
fn is_unfinished(path: &Path) -> io::Result<bool> {
    if !path.to_string_lossy().ends_with(UNFINISHED) || !path.is_dir() {
        return Ok(false);
    }
    let parts = [LOG, ARTIFACTS, IMPORTS, WORKERS, ENTRIES, manifest::FILE, FORMAT_FILE];
    for entry in fs::read_dir(path)? {
        let name = entry?.file_name();
        // Files are written under a name of their own first.
        let name = name.to_string_lossy();
        if !parts.contains(&name.trim_end_matches(".tmp")) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Links the snapshots of the workers whose folders lie in the coordinator's, as those of `mercer up`
/// do. Each is replaced now and then: one that is gone is not needed.
fn link_snapshots(data_dir: &Path, workers: &[String], backup: &Path) -> Result<(), BackupError> {
    for worker_id in workers {
        let from = data_dir.join(worker_id).join(SHARDS);
        let Ok(files) = fs::read_dir(&from) else { continue };
        let to = backup.join(WORKERS).join(worker_id).join(SHARDS);
        fs::create_dir_all(&to).map_err(BackupError::io(&to))?;
        for file in files {
            let file = file.map_err(BackupError::io(&from))?;
            if file.path().extension().is_some_and(|extension| extension == "snapshot") {
                match link(&file.path(), &to.join(file.file_name())) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => {
                        return Err(BackupError::io(file.path())(error));
                    }
                    Ok(()) | Err(_) => {}
                }
            }
        }
    }
    Ok(())
}

/// Links the artifacts that are named. One that is missing is a problem of its version, which is told
/// when the backup is checked.
fn link_named(
    artifacts: &ArtifactStore,
    named: &NamedFiles,
    target: &Path,
) -> Result<(), BackupError> {
    fs::create_dir(target).map_err(BackupError::io(target))?;
    for artifact in artifacts.list()?.iter().filter(|artifact| named.contain(artifact)) {
        let (from, to) = (artifacts.folder().join(&artifact.path), target.join(&artifact.path));
        let folder = to.parent().unwrap_or(target);
        fs::create_dir_all(folder).map_err(BackupError::io(folder))?;
        match link(&from, &to) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(BackupError::io(&from)(error));
            }
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

/// Writes what is not copied, and looks at everything once.
fn finish(
    place: &Place,
    mut manifest: BackupManifest,
    entries: &Entries,
    progress: &watch::Sender<BackupProgress>,
) -> Result<Backup, BackupError> {
    let backup = place.unfinished();
    let path = backup.join(ENTRIES);
    write_entries(&path, entries).map_err(BackupError::io(&path))?;
    FormatFile::check(&backup)?.write()?;

    let files = manifest::list(&backup)?;
    let mut all = 0;
    for (_, path) in &files {
        all += fs::metadata(path).map_err(BackupError::io(path))?.len();
    }
    // Once for the hash, once for what the bytes mean.
    let tell = |bytes_done| {
        progress.send_replace(BackupProgress { bytes_done, bytes: 2 * all });
        if progress.is_closed() { Err(io::ErrorKind::Interrupted.into()) } else { Ok(()) }
    };
    let mut done = 0;
    for (name, path) in files {
        let hashed = manifest::hash(&path, |read| {
            done += read.len() as u64;
            tell(done)
        });
        let (bytes, xxh3) = hashed.map_err(|error| match progress.is_closed() {
            true => BackupError::GivenUp,
            false => BackupError::io(&path)(error),
        })?;
        manifest.files.push(BackedUpFile { path: name, bytes, xxh3 });
    }
    manifest.problems = verify::meaning(&backup, entries, &mut |read| tell(done + read).is_ok())?;
    if progress.is_closed() {
        return Err(BackupError::GivenUp);
    }
    let manifest = manifest.write(&backup)?;
    place.finish().map_err(BackupError::io(&place.folder))?;
    Ok(Backup { folder: place.folder.clone(), manifest })
}

/// Writes the entries durably; the folder's names are the caller's to sync.
fn write_entries(path: &Path, entries: &Entries) -> io::Result<()> {
    fs::write(path, entries.encode_to_vec())?;
    File::open(path)?.sync_all()
}

//! The results of training by item: a sled database for each job and kind.
//!
//! sled never gives space back, so a database is removed whole when no open version refers to it.
//! All of it comes from artifacts: one that is damaged, half loaded or of another format is built
//! again.
//!
//! | key | value |
//! |---|---|
//! | slot as u16 and id of the first record, big endian | a block: records by (slot, id), see `block` |
//! | `0xff` and the shard as u16, big endian | format 1 as one byte, path of the artifact that the shard was loaded from, when complete |
//!
//! Slots are below 4,096, so that no block begins with `0xff`. Blocks of 16 KiB load ten times as
//! fast as single records (200,000 records of 400 bytes: 0.3 s instead of 2.8 s) and are read as
//! fast (99 % below 0.1 ms).

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use mercer_common::{
    artifact::{ArtifactError, ArtifactRef, ArtifactStore},
    rpc::status::{Code, Describe, Description},
    slot::{Kind, ShardId, slot},
};
use parking_lot::{Mutex, RwLock};
use prost::Message;
use thiserror::Error;

use super::{block, is_locked};
use crate::version::Records;

const FORMAT: u8 = 1;
const CACHE_BYTES: u64 = 16 << 20;
/// Bytes from which a block is stored.
const BLOCK: usize = 16 << 10;
const SHARD: u8 = 0xff;
/// Present when sled failed to read what it had stored.
const DAMAGED: &str = "damaged";
/// How often, and how long apart, the lock is tried: sled releases it a moment after closing.
const LOCK_ATTEMPTS: u32 = 50;
const LOCK_DELAY: Duration = Duration::from_millis(20);

/// Why results cannot be loaded or read.
#[derive(Debug, Error)]
pub(crate) enum ResultsError {
    /// What they are loaded from is missing or damaged.
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
    /// The folder cannot be used.
    #[error("cannot {action} {}: {source}; check the folder's space and permissions", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// Which folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// sled cannot read or write it; it is built again when the version is opened again.
    #[error("the results in {} are damaged: {detail}; restart this worker to rebuild them", path.display())]
    Damaged {
        /// Which folder.
        path: PathBuf,
        /// What sled says.
        detail: String,
    },
    /// Not usable as a part of a path.
    #[error("`{name}` is not a name of letters, digits, `-`, `_` and `.`")]
    Name {
        /// As given.
        name: String,
    },
}

impl Describe for ResultsError {
    fn describe(&self) -> Description {
        match self {
            Self::Artifact(error) => error.describe(),
            Self::Io { .. } => Description::new(Code::Unavailable, "RESULTS_IO")
                .retry_after(Duration::from_secs(1)),
            Self::Damaged { .. } => Description::new(Code::DataLoss, "RESULTS_DAMAGED"),
            Self::Name { .. } => Description::new(Code::Internal, "RESULTS_NAME"),
        }
    }
}

/// All results of a worker, in `worker.data_dir/results/JOB-KIND`.
#[derive(Debug)]
pub(crate) struct ResultsStore {
    folder: PathBuf,
    open: Open,
}

impl ResultsStore {
    /// The results in `data_dir`; nothing is opened or created yet.
    pub(crate) fn new(data_dir: &Path) -> Self {
        Self { folder: data_dir.join("results"), open: Arc::default() }
    }

    /// Opens the results of a kind, and loads those of `shards` that are not there yet.
    ///
    /// # Errors
    /// See [`ResultsError`]. What was loaded stays.
    pub(crate) fn load(
        &self,
        artifacts: &ArtifactStore,
        job: &str,
        kind: &str,
        shards: &[(ShardId, &ArtifactRef)],
    ) -> Result<Arc<Results>, ResultsError> {
        let name = name(job, kind)?;
        let results = self.opened(&name)?;
        let loading = results.loading.lock();
        for &(shard, artifact) in shards {
            let is_loaded =
                results.loaded.read().get(&shard).is_some_and(|path| *path == artifact.path);
            if !is_loaded {
                results.load(artifacts, shard, artifact)?;
                results.loaded.write().insert(shard, artifact.path.clone());
            }
        }
        drop(loading);
        Ok(results)
    }

    /// The database of that name, open already or opened now.
    fn opened(&self, name: &str) -> Result<Arc<Results>, ResultsError> {
        let mut open = self.open.lock();
        if let Some(results) = open.get(name).and_then(Weak::upgrade) {
            results.unwanted.store(false, Ordering::Relaxed);
            return Ok(results);
        }
        let results = Arc::new(Results::open(&self.folder, name, Arc::clone(&self.open))?);
        open.insert(name.to_owned(), Arc::downgrade(&results));
        Ok(results)
    }

    /// Removes all results but these (job, kind) pairs; what is still being read, afterwards.
    pub(crate) fn retain(&self, wanted: &BTreeSet<(String, String)>) {
        let wanted: BTreeSet<String> =
            wanted.iter().filter_map(|(job, kind)| name(job, kind).ok()).collect();
        // Dropping the last one takes the lock.
        let mut alive = Vec::new();
        let mut open = self.open.lock();
        open.retain(|name, results| {
            let results = results.upgrade();
            if let Some(results) = &results {
                results.unwanted.store(!wanted.contains(name), Ordering::Relaxed);
            }
            let is_alive = results.is_some();
            alive.extend(results);
            is_alive
        });
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        for entry in entries.flatten() {
            let Ok(name) = entry.file_name().into_string() else { continue };
            if !wanted.contains(&name) && !open.contains_key(&name) {
                remove(&entry.path());
            }
        }
        drop(open);
    }
}

type Open = Arc<Mutex<BTreeMap<String, Weak<Results>>>>;

/// The results of one kind of one job.
pub(crate) struct Results {
    /// Always there; taken when this is dropped.
    db: Option<sled::Db>,
    name: String,
    folder: PathBuf,
    /// Shards that are complete, by the artifact they came from.
    loaded: RwLock<BTreeMap<ShardId, String>>,
    /// Held while shards are loaded, which takes seconds.
    loading: Mutex<()>,
    /// To be removed when nobody reads it any more.
    unwanted: AtomicBool,
    /// What is open; held while folders are opened and removed.
    open: Open,
}

impl std::fmt::Debug for Results {
    /// Without the content, all of which sled would read and print.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Results").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl Results {
    fn open(parent: &Path, name: &str, open: Open) -> Result<Self, ResultsError> {
        let folder = parent.join(name);
        if folder.join(DAMAGED).exists() {
            fs::remove_dir_all(&folder).map_err(io("remove", &folder))?;
        }
        fs::create_dir_all(&folder).map_err(io("create", &folder))?;
        let (db, loaded) = match open_sled(&folder)? {
            Ok(opened) => opened,
            Err(detail) => {
                tracing::warn!(folder = %folder.display(), detail, "results are built again");
                fs::remove_dir_all(&folder).map_err(io("remove", &folder))?;
                let damaged = |detail| ResultsError::Damaged { path: folder.clone(), detail };
                open_sled(&folder)?.map_err(damaged)?
            }
        };
        let unwanted = AtomicBool::default();
        let (loaded, loading) = (RwLock::new(loaded), Mutex::default());
        Ok(Self { db: Some(db), name: name.to_owned(), folder, loaded, loading, unwanted, open })
    }

    fn db(&self) -> &sled::Db {
        self.db.as_ref().expect("only taken when dropped")
    }

    /// Whether all of these shards are complete.
    pub(crate) fn holds(&self, shards: &[ShardId]) -> bool {
        let loaded = self.loaded.read();
        shards.iter().all(|shard| loaded.contains_key(shard))
    }

    fn load(
        &self,
        artifacts: &ArtifactStore,
        shard: ShardId,
        artifact: &ArtifactRef,
    ) -> Result<(), ResultsError> {
        let records = Records::open(artifacts, artifact)?;
        let failed = |error| self.failed(error);
        let mut block = Vec::with_capacity(2 * BLOCK);
        let mut first = None;
        for index in 0..records.len() {
            let id = records.id(index);
            first.get_or_insert_with(|| key(id));
            block::push(&mut block, id, records.bytes(index));
            if block.len() >= BLOCK || index + 1 == records.len() {
                let key = first.take().expect("set with the first record of the block");
                self.db().insert(key, block.as_slice()).map_err(failed)?;
                block.clear();
            }
        }
        // Blocks reach the file before the word that they are complete.
        self.db().flush().map_err(failed)?;
        let complete = [&[FORMAT], artifact.path.as_bytes()].concat();
        self.db().insert(shard_key(shard), complete).map_err(failed)?;
        self.db().flush().map_err(failed)?;
        tracing::debug!(folder = %self.folder.display(), shard, records = records.len(), "results loaded");
        Ok(())
    }

    /// The result of an item.
    ///
    /// # Errors
    /// [`ResultsError::Damaged`].
    pub(crate) fn get<M: Message + Default>(&self, id: &str) -> Result<Option<M>, ResultsError> {
        let mut end = key(id);
        // No id contains a zero byte, so this is the least key beyond that of the id.
        end.push(0);
        let found = self.db().get_lt(end).map_err(|error| self.failed(error))?;
        let Some((_, block)) = found else { return Ok(None) };
        for record in block::records(&block) {
            let (found, message) = record.ok_or_else(|| self.spoiled("a block"))?;
            if found == id.as_bytes() {
                return self.decode(message).map(Some);
            }
        }
        Ok(None)
    }

    /// The results of the items of some slots that follow `after` in (slot, id) order; from the
    /// start when it is empty.
    pub(crate) fn after<M: Message + Default>(
        &self,
        slots: Range<u16>,
        after: &str,
    ) -> impl Iterator<Item = Result<M, ResultsError>> {
        let after = if after.is_empty() { Vec::new() } else { key(after) };
        let first = slots.start.to_be_bytes().to_vec().max(after.clone());
        // The block that holds the first record begins at or before it.
        let begin = match self.db().get_lt([first.as_slice(), &[0]].concat()) {
            Ok(Some((begin, _))) => begin.to_vec(),
            Ok(None) | Err(_) => first.clone(),
        };
        let blocks = self.db().range(begin..slots.end.to_be_bytes().to_vec());
        let is_wanted = move |id: &[u8]| {
            std::str::from_utf8(id).is_ok_and(|id| {
                let key = key(id);
                key > after && key >= first && slots.contains(&slot(Kind::Item, id))
            })
        };
        blocks.flat_map(move |block| {
            let mut wanted = Vec::new();
            match block {
                Err(error) => wanted.push(Err(self.failed(error))),
                Ok((_, block)) => {
                    for record in block::records(&block) {
                        match record {
                            None => wanted.push(Err(self.spoiled("a block"))),
                            Some((id, _)) if !is_wanted(id) => {}
                            Some((_, message)) => wanted.push(self.decode(message)),
                        }
                    }
                }
            }
            wanted
        })
    }

    fn decode<M: Message + Default>(&self, message: &[u8]) -> Result<M, ResultsError> {
        M::decode(message).map_err(|error| self.spoiled(&error.to_string()))
    }

    fn failed(&self, error: sled::Error) -> ResultsError {
        self.spoiled(&error.to_string())
    }

    /// Notes that the database must be built again, at the next start.
    fn spoiled(&self, detail: &str) -> ResultsError {
        if let Err(error) = fs::write(self.folder.join(DAMAGED), detail) {
            tracing::error!(folder = %self.folder.display(), %error, "damage cannot be noted");
        }
        ResultsError::Damaged { path: self.folder.clone(), detail: detail.to_owned() }
    }
}

impl Drop for Results {
    fn drop(&mut self) {
        // Whoever opens it now waits until sled has let go of it.
        drop(self.db.take());
        let open = self.open.lock();
        let is_open = open.get(&self.name).is_some_and(|other| other.strong_count() > 0);
        if self.unwanted.load(Ordering::Relaxed) && !is_open {
            remove(&self.folder);
        }
    }
}

type Loaded = (sled::Db, BTreeMap<ShardId, String>);

/// Opens a database, waiting for an earlier owner in this process to let go of it. The inner
/// error says why it must be built again.
fn open_sled(folder: &Path) -> Result<Result<Loaded, String>, ResultsError> {
    let config = sled::Config::new().path(folder).cache_capacity(CACHE_BYTES).flush_every_ms(None);
    for _ in 0..LOCK_ATTEMPTS {
        // sled panics on some kinds of damage.
        match catch_unwind(AssertUnwindSafe(|| config.open())) {
            Err(_) => return Ok(Err("it cannot be recovered".into())),
            Ok(Ok(db)) => {
                let loaded = complete_shards(&db);
                return Ok(loaded.map(|loaded| (db, loaded)));
            }
            Ok(Err(error)) if is_locked(&error) => thread::sleep(LOCK_DELAY),
            Ok(Err(error)) => return Ok(Err(error.to_string())),
        }
    }
    let source = io::Error::new(io::ErrorKind::WouldBlock, "it is in use by another process");
    Err(ResultsError::Io { action: "open", path: folder.to_owned(), source })
}

/// The shards that are complete, by the artifact they came from.
fn complete_shards(db: &sled::Db) -> Result<BTreeMap<ShardId, String>, String> {
    let mut shards = BTreeMap::new();
    for entry in db.scan_prefix([SHARD]) {
        let (key, value) = entry.map_err(|error| error.to_string())?;
        let shard = key[1..].try_into().map(ShardId::from_be_bytes);
        let path = value.strip_prefix(&[FORMAT]).map(|path| std::str::from_utf8(path));
        match (shard, path) {
            (Ok(shard), Some(Ok(path))) => shards.insert(shard, path.to_owned()),
            _ => return Err("it has another format".into()),
        };
    }
    Ok(shards)
}

fn key(id: &str) -> Vec<u8> {
    [&slot(Kind::Item, id).to_be_bytes(), id.as_bytes()].concat()
}

fn shard_key(shard: ShardId) -> Vec<u8> {
    [&[SHARD], shard.to_be_bytes().as_slice()].concat()
}

/// The folder of a kind of a job.
fn name(job: &str, kind: &str) -> Result<String, ResultsError> {
    let name = format!("{job}-{kind}");
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if job.is_empty() || name.starts_with('.') || name.len() > 200 || !name.bytes().all(allowed) {
        return Err(ResultsError::Name { name });
    }
    Ok(name)
}

fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ResultsError {
    let path = path.to_owned();
    move |source| ResultsError::Io { action, path, source }
}

fn remove(folder: &Path) {
    match fs::remove_dir_all(folder) {
        Ok(()) => tracing::info!(folder = %folder.display(), "results removed"),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => {
            tracing::warn!(folder = %folder.display(), %error, "results not removed");
        }
    }
}

//! The results of training by item: a sled database for each job and kind.
//!
//! sled never gives space back, so a database is removed whole when no open version refers to it.
//! All of it comes from artifacts: one that is damaged, half loaded or of another format is set
//! aside and built again, also while it serves; until then its questions are answered with a word
//! to come again, and no others are touched.
//!
//! | key | value |
//! |---|---|
//! | slot as u16 and id of the first record, big endian | a block: records by (slot, id), see `block` |
//! | `0xff` and the shard as u16, big endian | what the shard consists of, when complete, see `database` |
//!
//! Slots are below 4,096, so that no block begins with `0xff`. Blocks of 16 KiB load ten times as
//! fast as single records (200,000 records of 400 bytes: 0.3 s instead of 2.8 s) and are read as
//! fast (99 % below 0.1 ms).

mod database;
mod heal;

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
    time::Duration,
};

use mercer_common::{
    artifact::{ArtifactError, ArtifactRef, ArtifactStore},
    rpc::status::{Code, Describe, Description},
    slot::{ShardId, Subject, slot},
};
use parking_lot::{Mutex, RwLock};
use prost::Message;
use thiserror::Error;

use super::block;
use crate::artifact::{KINDS, Records};
use database::key;
use heal::Healing;

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
    /// sled cannot read or write it. It is being built again.
    #[error("the results in {} are damaged and being built again from the artifacts: {detail}", path.display())]
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
            Self::Damaged { .. } => Description::new(Code::Unavailable, "RESULTS_DAMAGED")
                .retry_after(Duration::from_secs(1)),
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
        let results = self.opened(&name, artifacts)?;
        let loading = results.loading.lock();
        for &(shard, artifact) in shards {
            results.sources.lock().insert(shard, artifact.clone());
        }
        // A job of that name in a history that is lost may have had other results: no block of
        // theirs stays.
        let is_of_another = shards.iter().any(|(shard, artifact)| {
            results.loaded.read().get(shard).is_some_and(|path| *path != artifact.path)
        });
        // What could not be built again before may be by now; building takes the lock.
        let open = results.db.read().clone();
        let db = match open {
            Some(db) if !is_of_another => db,
            _ => results.build()?,
        };
        for &(shard, artifact) in shards {
            if !results.loaded.read().contains_key(&shard) {
                results.load(&db, shard, artifact)?;
            }
        }
        drop(loading);
        Ok(results)
    }

    /// The database of that name, open already or opened now.
    fn opened(&self, name: &str, artifacts: &ArtifactStore) -> Result<Arc<Results>, ResultsError> {
        let mut open = self.open.lock();
        if let Some(results) = open.get(name).and_then(Weak::upgrade) {
            results.unwanted.store(false, Ordering::Relaxed);
            return Ok(results);
        }
        let results = Results::open(&self.folder, name, artifacts, Arc::clone(&self.open))?;
        open.insert(name.to_owned(), Arc::downgrade(&results));
        Ok(results)
    }

    /// Removes all results but these (job, kind) pairs; what is still being read, afterwards. What is
    /// not named as results are is somebody else's, and left alone.
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
            if is_results(&name) && !wanted.contains(&name) && !open.contains_key(&name) {
                remove(&entry.path());
            }
        }
        drop(open);
    }
}

type Open = Arc<Mutex<BTreeMap<String, Weak<Results>>>>;

/// The results of one kind of one job.
pub(crate) struct Results {
    /// Itself, for whoever builds it again.
    this: Weak<Self>,
    /// `None` while it is built again, and when this is dropped.
    db: RwLock<Option<sled::Db>>,
    name: String,
    folder: PathBuf,
    artifacts: ArtifactStore,
    /// What shards are loaded from.
    sources: Mutex<BTreeMap<ShardId, ArtifactRef>>,
    /// Shards that are complete, or will be when it has been built again, by the path of the
    /// artifact they come from.
    loaded: RwLock<BTreeMap<ShardId, String>>,
    /// Held while shards are loaded, which takes seconds.
    loading: Mutex<()>,
    healing: Mutex<Healing>,
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
    fn open(
        parent: &Path,
        name: &str,
        artifacts: &ArtifactStore,
        open: Open,
    ) -> Result<Arc<Self>, ResultsError> {
        let folder = parent.join(name);
        fs::create_dir_all(&folder).map_err(io("create", &folder))?;
        let (db, loaded) = match database::open(&folder)? {
            Ok(opened) => opened,
            Err(detail) => {
                tracing::warn!(folder = %folder.display(), detail, "results are built again");
                heal::make_room(&folder)?;
                database::open(&folder)?
                    .map_err(|detail| ResultsError::Damaged { path: folder.clone(), detail })?
            }
        };
        Ok(Arc::new_cyclic(|this| Self {
            this: this.clone(),
            db: RwLock::new(Some(db)),
            name: name.to_owned(),
            folder,
            artifacts: artifacts.clone(),
            sources: Mutex::default(),
            loaded: RwLock::new(loaded),
            loading: Mutex::default(),
            healing: Mutex::default(),
            unwanted: AtomicBool::default(),
            open,
        }))
    }

    /// Whether all of these shards are complete.
    pub(crate) fn holds(&self, shards: &[ShardId]) -> bool {
        let loaded = self.loaded.read();
        shards.iter().all(|shard| loaded.contains_key(shard))
    }

    fn load(
        &self,
        db: &sled::Db,
        shard: ShardId,
        artifact: &ArtifactRef,
    ) -> Result<(), ResultsError> {
        let records = Records::open(&self.artifacts, artifact)?;
        database::load(db, shard, &records, &artifact.path).map_err(|error| self.failed(&error))?;
        self.loaded.write().insert(shard, artifact.path.clone());
        tracing::debug!(folder = %self.folder.display(), shard, records = records.len(), "results loaded");
        Ok(())
    }

    /// Asks the database, unless it is being built again.
    fn ask<T>(
        &self,
        question: impl FnOnce(&sled::Db) -> Result<T, sled::Error>,
    ) -> Result<T, ResultsError> {
        let Some(db) = self.db.read().clone() else {
            return Err(self.spoiled("they were not readable"));
        };
        // sled panics on some kinds of damage.
        match catch_unwind(AssertUnwindSafe(|| question(&db))) {
            Ok(answer) => answer.map_err(|error| self.failed(&error)),
            Err(_) => Err(self.spoiled("the database cannot be read")),
        }
    }

    /// The result of an item.
    ///
    /// # Errors
    /// [`ResultsError::Damaged`].
    pub(crate) fn get<M: Message + Default>(&self, id: &str) -> Result<Option<M>, ResultsError> {
        let mut end = key(id);
        // No id contains a zero byte, so this is the least key beyond that of the id.
        end.push(0);
        let found = self.ask(|db| db.get_lt(end))?;
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
        let before = [first.as_slice(), &[0]].concat();
        let begin = match self.ask(|db| db.get_lt(before)) {
            Ok(Some((begin, _))) => begin.to_vec(),
            Ok(None) | Err(_) => first.clone(),
        };
        let end = slots.end.to_be_bytes().to_vec();
        let mut blocks = self.ask(|db| Ok(db.range(begin..end)));
        let mut is_over = false;
        let blocks = std::iter::from_fn(move || {
            if is_over {
                return None;
            }
            let block = match &mut blocks {
                Ok(blocks) => {
                    self.ask(|_| blocks.next().transpose()).map(|next| Some(next?.1)).transpose()
                }
                Err(error) => Some(Err(self.spoiled(&error.to_string()))),
            };
            is_over = !matches!(block, Some(Ok(_)));
            block
        });
        blocks.flat_map(move |block| {
            let block = match block {
                Ok(block) => block,
                Err(error) => return vec![Err(error)],
            };
            let mut wanted = Vec::new();
            for record in block::records(&block) {
                let Some((id, message)) = record else {
                    wanted.push(Err(self.spoiled("a block")));
                    continue;
                };
                let is_wanted = std::str::from_utf8(id).is_ok_and(|id| {
                    let key = key(id);
                    key > after && key >= first && slots.contains(&slot(Subject::Item, id))
                });
                if is_wanted {
                    wanted.push(self.decode(message));
                }
            }
            wanted
        })
    }

    fn decode<M: Message + Default>(&self, message: &[u8]) -> Result<M, ResultsError> {
        M::decode(message).map_err(|error| self.spoiled(&error.to_string()))
    }

    fn failed(&self, error: &sled::Error) -> ResultsError {
        match error {
            sled::Error::Io(error) => {
                self.spoiled(&mercer_common::space::in_words(error, &self.folder))
            }
            other => self.spoiled(&other.to_string()),
        }
    }
}

impl Drop for Results {
    fn drop(&mut self) {
        // Whoever opens it now waits until sled has let go of it.
        drop(self.db.get_mut().take());
        let open = self.open.lock();
        let is_open = open.get(&self.name).is_some_and(|other| other.strong_count() > 0);
        if self.unwanted.load(Ordering::Relaxed) && !is_open {
            remove(&self.folder);
        }
    }
}

/// The folder of a kind of a job.
fn name(job: &str, kind: &str) -> Result<String, ResultsError> {
    let name = format!("{job}-{kind}");
    let is_allowed =
        name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    if job.is_empty() || name.starts_with('.') || name.len() > 200 || !is_allowed {
        return Err(ResultsError::Name { name });
    }
    Ok(name)
}

/// Whether a folder has the name of results, or of results that were set aside.
fn is_results(name: &str) -> bool {
    let name = name.strip_suffix(".set-aside").unwrap_or(name);
    let parts = name.rsplit_once('-');
    parts.is_some_and(|(job, kind)| !job.is_empty() && KINDS.contains(&kind))
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

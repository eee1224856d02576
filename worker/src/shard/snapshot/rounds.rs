//! When which shard is snapshotted, and which file is a shard's snapshot.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use mercer_common::{config::WorkerConfig, slot::ShardId};
use tokio_util::sync::CancellationToken;

use super::file::{self, SnapshotError, Stamp, Writer};
use crate::{
    shard::{Shard, ShardState, Shards},
    store::{Store, StoreError},
};

/// Shards written in one tick.
const SHARDS_A_TICK: usize = 4;
/// A shard is due when this part of its records is new, so that a shard that grows is not written
/// again and again: all its snapshots together hold some nine times its records.
const NEW_PART: u64 = 8;

/// The snapshots of a worker.
#[derive(Clone, Debug)]
pub(crate) struct Snapshots {
    folder: Arc<Path>,
    stamp: Stamp,
    store: Store,
    every: Duration,
    due_records: u64,
}

impl Snapshots {
    /// The snapshots below `worker.data_dir`; removes what a crash left unfinished.
    pub(crate) fn open(
        config: &WorkerConfig,
        stamp: Stamp,
        store: Store,
    ) -> Result<Self, SnapshotError> {
        let folder = config.data_dir.join("shards");
        let failed = |error| SnapshotError::Io { path: folder.clone(), error };
        fs::create_dir_all(&folder).map_err(failed)?;
        for entry in fs::read_dir(&folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.extension().is_some_and(|extension| extension == "temporary") {
                fs::remove_file(&path).map_err(failed)?;
            }
        }
        Ok(Self {
            folder: folder.into(),
            stamp,
            store,
            every: Duration::from_secs_f64(config.snapshot_seconds.max(0.01)),
            due_records: config.snapshot_records,
        })
    }

    /// A shard as its snapshot has it, or empty. A snapshot that cannot be used is set aside:
    /// the log has everything.
    pub(crate) fn load(&self, id: ShardId, worker_id: &Arc<str>) -> Shard {
        let since = Instant::now();
        let state = self.newest(id).and_then(|path| match file::read(&path, &self.stamp, id) {
            Ok(state) => {
                let watermark = state.applied();
                tracing::info!(
                    shard = id,
                    watermark,
                    seconds = since.elapsed().as_secs_f64(),
                    "snapshot loaded"
                );
                Some(state)
            }
            Err(error @ SnapshotError::Foreign { .. }) => {
                tracing::warn!(%error, "snapshot ignored");
                None
            }
            Err(error @ (SnapshotError::Damaged { .. } | SnapshotError::Io { .. })) => {
                tracing::error!(%error, "snapshot set aside; the shard is rebuilt from the log");
                if let Err(error) = fs::rename(&path, path.with_extension("damaged")) {
                    tracing::error!(path = %path.display(), %error, "snapshot not set aside");
                }
                None
            }
        });
        let state = state
            .unwrap_or_else(|| ShardState::new(self.stamp.layout, id, self.stamp.zone.clone()));
        Shard::new(state, Arc::clone(worker_id), since)
    }

    /// Writes due shards until `stop`.
    pub(crate) async fn run(&self, shards: &Shards, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(self.every);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut last = None;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => {}
            }
            // Shards are locked for it, and applying may hold them.
            let (all, records) = (shards.all(), self.due_records);
            let due = tokio::task::spawn_blocking(move || due(&all, records, last)).await;
            for shard in due.unwrap_or_default().into_iter().take(SHARDS_A_TICK) {
                if stop.is_cancelled() {
                    return;
                }
                last = Some(shard.id());
                self.save(&shard).await;
            }
        }
    }

    /// Writes all shards that have anything new.
    pub(crate) async fn save_all(&self, shards: &Shards) {
        let unsaved = |shard: &Arc<Shard>| shard.unsaved() > 0 && !shard.has_failed();
        for shard in shards.all().into_iter().filter(unsaved) {
            self.save(&shard).await;
        }
    }

    async fn save(&self, shard: &Arc<Shard>) {
        let (snapshots, owned) = (self.clone(), Arc::clone(shard));
        let written = tokio::task::spawn_blocking(move || snapshots.write(&owned)).await;
        match written {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(shard = shard.id(), %error, "snapshot not written"),
            Err(error) => tracing::error!(shard = shard.id(), %error, "snapshot not written"),
        }
    }

    /// Copies the shard slot by slot; applying goes on in between.
    pub(crate) fn write(&self, shard: &Shard) -> Result<(), SaveError> {
        let begin = Instant::now();
        let gate = shard.gate.blocking_lock();
        let unsaved = shard.unsaved();
        let state = shard.read();
        let (slots, watermark) = (state.slots.len(), state.applied());
        let mut writer = Writer::start(&self.folder, &self.stamp, &state)?;
        drop(state);
        drop(gate);
        for place in 0..slots {
            let gate = shard.gate.blocking_lock();
            if shard.has_failed() {
                writer.discard();
                return Ok(());
            }
            let state = shard.read();
            let section = state.encode_slot(place);
            drop(state);
            drop(gate);
            writer.slot(&section)?;
        }
        let (path, bytes) = writer.finish()?;
        self.store.set_snapshot(shard.id(), &path)?;
        shard.saved(watermark, unsaved);
        self.remove_others(shard.id(), &path)?;
        let seconds = begin.elapsed().as_secs_f64();
        tracing::debug!(shard = shard.id(), watermark, bytes, seconds, "snapshot written");
        Ok(())
    }

    /// The file that the store names, else the newest one there is.
    fn newest(&self, id: ShardId) -> Option<PathBuf> {
        let named = self.store.snapshot(id).unwrap_or_else(|error| {
            tracing::error!(%error, "the store does not tell the snapshot of shard {id}");
            None
        });
        let named = named.map(|name| self.folder.join(name)).filter(|path| path.exists());
        named.or_else(|| {
            let found = self.files(id).unwrap_or_default();
            found.into_iter().max_by_key(|path| file::sequence_of(path))
        })
    }

    fn remove_others(&self, id: ShardId, keep: &Path) -> Result<(), SnapshotError> {
        let failed = |error| SnapshotError::Io { path: self.folder.to_path_buf(), error };
        for path in self.files(id).map_err(failed)? {
            if path != keep {
                fs::remove_file(&path).map_err(failed)?;
            }
        }
        Ok(())
    }

    fn files(&self, id: ShardId) -> io::Result<Vec<PathBuf>> {
        let prefix = format!("{id:02}-");
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if name.starts_with(&prefix) && name.ends_with(".snapshot") {
                files.push(path);
            }
        }
        Ok(files)
    }
}

/// Why a snapshot was not saved.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SaveError {
    #[error(transparent)]
    File(#[from] SnapshotError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The shards with at least `records` new ones, and an eighth of what they have, in turn after
/// `last`.
pub(in crate::shard) fn due(
    shards: &[Arc<Shard>],
    records: u64,
    last: Option<ShardId>,
) -> Vec<Arc<Shard>> {
    let after = shards.partition_point(|shard| last.is_some_and(|last| shard.id() <= last));
    let (before, after) = shards.split_at(after);
    let in_turn = after.iter().chain(before);
    let is_due = |shard: &&Arc<Shard>| {
        let unsaved = shard.unsaved();
        unsaved >= records.max(1)
            && unsaved >= shard.read().records() / NEW_PART
            && !shard.has_failed()
    };
    in_turn.filter(is_due).cloned().collect()
}

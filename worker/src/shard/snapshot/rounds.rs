//! When which shard is snapshotted, and which snapshot it starts from.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use mercer_common::{config::WorkerConfig, slot::ShardId, space::Floor};
use tokio_util::sync::CancellationToken;

use super::{
    file::{SnapshotError, Stamp},
    reader::{self, Candidate},
    shelf::Shelf,
    writer::Writer,
};
use crate::shard::{Shard, ShardState, Shards};

/// Shards written in one tick.
const SHARDS_A_TICK: usize = 4;
/// A shard is due when this part of its records is new, so that a shard that grows is not written
/// again and again: all its snapshots together hold some nine times its records.
const NEW_PART: u64 = 8;
/// The setting below which none is written.
pub(crate) const FLOOR: &str = "worker.free_bytes_floor";
/// Snapshots of a shard that are looked at; there are two unless somebody put more there.
const LOOKED_AT: usize = 8;

/// The snapshots of a worker.
#[derive(Clone, Debug)]
pub(crate) struct Snapshots {
    shelf: Shelf,
    stamp: Stamp,
    every: Duration,
    due_records: u64,
    floor: Floor,
    /// Too little space was free at the last look.
    low: Arc<AtomicBool>,
}

impl Snapshots {
    /// The snapshots below `worker.data_dir`; removes what a crash left unfinished.
    pub(crate) fn open(config: &WorkerConfig, stamp: Stamp) -> Result<Self, SnapshotError> {
        Ok(Self {
            shelf: Shelf::open(&config.data_dir)?,
            stamp,
            every: Duration::from_secs_f64(config.snapshot_seconds.max(0.01)),
            due_records: config.snapshot_records,
            floor: Floor::new(FLOOR, &config.data_dir, config.free_bytes_floor),
            low: Arc::default(),
        })
    }

    /// The snapshots of a shard that may be loaded where the log accepts their marks, in order of
    /// their positions. Those of another cluster and damaged ones are set aside: the log has
    /// everything.
    pub(crate) fn candidates(&self, shard: ShardId) -> Vec<Candidate> {
        let files = self.shelf.files(shard).unwrap_or_else(|error| {
            tracing::error!(shard, %error, "snapshots are not found");
            Vec::new()
        });
        let mut candidates = Vec::new();
        for path in &files[files.len().saturating_sub(LOOKED_AT)..] {
            match reader::inspect(path, &self.stamp, shard) {
                Ok(candidate) => candidates.push(candidate),
                Err(error @ SnapshotError::Newer { .. }) => {
                    tracing::error!(shard, %error, "snapshot left alone");
                }
                Err(error) => self.shelf.set_aside(shard, path, &error),
            }
        }
        candidates.sort_by_key(|candidate| (candidate.watermark, candidate.mark.position));
        candidates
    }

    /// A shard as the newest of its snapshots has it that the log accepts and that is whole, or
    /// empty. The others are set aside, except older ones.
    pub(crate) fn load(
        &self,
        id: ShardId,
        candidates: Vec<(Candidate, bool)>,
        worker_id: &Arc<str>,
    ) -> Shard {
        let since = Instant::now();
        let mut accepted = Vec::new();
        for (candidate, is_accepted) in candidates {
            if is_accepted {
                accepted.push(candidate);
                continue;
            }
            let (position, epoch) = (candidate.mark.position, candidate.mark.epoch);
            let reason = format!(
                "it holds position {position} of epoch {epoch}, which the log does not have"
            );
            self.shelf.set_aside(id, &candidate.path, &reason);
        }
        let mut state = None;
        while state.is_none()
            && let Some(candidate) = accepted.pop()
        {
            match reader::read(&candidate, &self.stamp, id) {
                Ok(read) => state = Some(read),
                Err(error) => self.shelf.set_aside(id, &candidate.path, &error),
            }
        }
        if let Some(state) = &state {
            let (watermark, seconds) = (state.applied(), since.elapsed().as_secs_f64());
            tracing::info!(shard = id, watermark, seconds, "snapshot loaded");
        }
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
        for shard in shards.all() {
            if shard.unsaved() > 0 && !shard.has_stopped() {
                self.save(&shard).await;
            }
        }
    }

    /// Whether there is space for what a longer replay can replace.
    fn has_space(&self) -> bool {
        let low = self.floor.check().err();
        let was_low = self.low.swap(low.is_some(), Ordering::Relaxed);
        match &low {
            Some(low) if !was_low => {
                tracing::warn!(%low, "no snapshots: a restart replays more of the log");
            }
            None if was_low => tracing::info!("snapshots are written again"),
            Some(_) | None => {}
        }
        low.is_none()
    }

    async fn save(&self, shard: &Arc<Shard>) {
        if !self.has_space() {
            return;
        }
        let (snapshots, owned) = (self.clone(), Arc::clone(shard));
        let written = tokio::task::spawn_blocking(move || snapshots.write(&owned)).await;
        match written {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(shard = shard.id(), %error, "snapshot not written"),
            Err(error) => tracing::error!(shard = shard.id(), %error, "snapshot not written"),
        }
    }

    /// Copies the shard slot by slot; applying goes on in between.
    pub(crate) fn write(&self, shard: &Shard) -> Result<(), SnapshotError> {
        let begin = Instant::now();
        let gate = shard.gate.blocking_lock();
        if shard.owes_fold() {
            return Ok(());
        }
        let unsaved = shard.unsaved();
        let state = shard.read();
        let (slots, watermark) = (state.slots.len(), state.applied());
        let mut epoch = state.epoch;
        let mut writer = Writer::start(self.shelf.folder(), &self.stamp, &state)?;
        drop(state);
        drop(gate);
        for place in 0..slots {
            let gate = shard.gate.blocking_lock();
            if shard.has_stopped() || shard.owes_fold() {
                return Ok(());
            }
            let state = shard.read();
            let section = state.encode_slot(place);
            epoch = state.epoch;
            drop(state);
            drop(gate);
            writer.slot(&section)?;
        }
        let (path, bytes) = writer.finish(epoch)?;
        shard.saved(watermark, unsaved);
        self.shelf.keep(shard.id(), &path)?;
        let seconds = begin.elapsed().as_secs_f64();
        tracing::debug!(shard = shard.id(), watermark, bytes, seconds, "snapshot written");
        Ok(())
    }
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
    let due = in_turn.filter(|shard| {
        let unsaved = shard.unsaved();
        unsaved >= records.max(1)
            && unsaved >= shard.read().records() / NEW_PART
            && !shard.has_stopped()
    });
    due.cloned().collect()
}

//! The life of a worker: register, load, follow the log, and again when the generation is over.

use std::{sync::Arc, time::Duration};

use jiff::tz::TimeZone;
use mercer_common::{
    config::WorkerConfig,
    log::{Ancestor, Mark},
    slot::{ShardId, ShardLayout},
};
use mercer_proto::internal::{ClusterIdentity, LogAncestor, RegisterResponse};
use tokio::{sync::watch, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    generation::{Ended, Generation},
    membership::Member,
    serve::Serving,
    shard::{
        Shards,
        follow::fetch::Fetcher,
        snapshot::{Snapshots, Stamp},
    },
    store::Store,
    version::OpenVersions,
};

/// How long to wait after an assignment that cannot be taken.
const REFUSED: Duration = Duration::from_secs(2);

/// Runs a worker once its server listens.
#[derive(Debug)]
pub(crate) struct Supervisor {
    pub(crate) config: WorkerConfig,
    pub(crate) worker_id: Arc<str>,
    pub(crate) member: Member,
    pub(crate) generation: Arc<Generation>,
    pub(crate) shards: Arc<Shards>,
    pub(crate) serving: Arc<Serving>,
    pub(crate) versions: Arc<OpenVersions>,
    /// Keeps other processes out of the folder until the last snapshot is written.
    pub(crate) _store: Store,
    pub(crate) fetcher: Fetcher,
    pub(crate) ready: watch::Sender<bool>,
}

/// What does not change as long as the cluster has the same log.
#[derive(Debug)]
struct Joined {
    cluster: ClusterIdentity,
    snapshots: Snapshots,
    /// Writes snapshots until it is cancelled.
    rounds: tokio::task::JoinHandle<()>,
    leaving: CancellationToken,
}

impl Supervisor {
    /// Runs until `stop`, then saves what a restart would have to replay.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let mut joined = None;
        while let Some(response) = self.member.register(&stop).await {
            match self.take(response, &mut joined, &stop).await {
                Ok(()) => self.follow(&stop).await,
                Err(reason) => {
                    tracing::error!(worker = %self.worker_id, reason, "assignment refused");
                    tokio::select! {
                        () = stop.cancelled() => {}
                        () = tokio::time::sleep(REFUSED) => {}
                    }
                }
            }
            if stop.is_cancelled() {
                break;
            }
        }
        if let Some(Joined { snapshots, rounds, .. }) = joined {
            if let Err(error) = rounds.await {
                tracing::error!(%error, "the snapshot rounds panicked");
            }
            snapshots.save_all(&self.shards).await;
        }
    }

    /// Takes an assignment: drops and loads shards, and opens versions.
    async fn take(
        &self,
        response: RegisterResponse,
        joined: &mut Option<Joined>,
        stop: &CancellationToken,
    ) -> Result<(), String> {
        let cluster = response.cluster.ok_or("the coordinator names no cluster")?;
        let (layout, assigned) = check(&cluster, &response.shards)?;
        if let Some(other) = joined.take_if(|joined| joined.cluster != cluster) {
            if !descends(&cluster, &other.cluster) {
                *joined = Some(other);
                for shard in self.shards.all() {
                    shard.fail("the coordinator serves another log now; restart this worker");
                }
                return Err("the coordinator serves another log than before".into());
            }
            tracing::warn!(worker = %self.worker_id, "the log was restored from a backup: reading it anew");
            self.shards.all().iter().for_each(|shard| shard.refuse());
            other.leaving.cancel();
            if let Err(error) = other.rounds.await {
                tracing::error!(%error, "the snapshot rounds panicked");
            }
        }
        let joined = match joined {
            Some(joined) => joined,
            None => {
                let zone = TimeZone::get(&cluster.time_zone).map_err(|error| error.to_string())?;
                let stamp = stamp(&cluster, layout, zone);
                let snapshots =
                    Snapshots::open(&self.config, stamp).map_err(|error| error.to_string())?;
                self.serving.join(cluster.clone());
                let leaving = stop.child_token();
                let rounds = tokio::spawn({
                    let (snapshots, shards) = (snapshots.clone(), Arc::clone(&self.shards));
                    let leaving = leaving.clone();
                    async move { snapshots.run(&shards, leaving).await }
                });
                joined.insert(Joined { cluster, snapshots, rounds, leaving })
            }
        };
        self.generation.set(response.generation);
        tracing::info!(
            worker = %self.worker_id,
            generation = response.generation,
            shards = ?assigned,
            "registered"
        );
        self.shards.retain(&assigned);
        let opening = {
            let (versions, assigned) = (Arc::clone(&self.versions), assigned.clone());
            tokio::task::spawn_blocking(move || versions.replace(response.versions, &assigned))
        };
        self.load(&assigned, &joined.snapshots, stop).await;
        match opening.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "a version cannot be opened"),
            Err(error) => tracing::error!(%error, "a version cannot be opened"),
        }
        Ok(())
    }

    /// Loads the assigned shards that are not held yet, or that the log refused, several at once.
    async fn load(&self, assigned: &[ShardId], snapshots: &Snapshots, stop: &CancellationToken) {
        let missing = self.shards.missing(assigned);
        let found = {
            let snapshots = snapshots.clone();
            let looking = tokio::task::spawn_blocking(move || {
                let found = missing.into_iter().map(|id| (id, snapshots.candidates(id)));
                found.collect::<Vec<_>>()
            });
            looking.await
        };
        let Ok(found) = found.inspect_err(|error| {
            tracing::error!(%error, "looking for snapshots panicked");
        }) else {
            return;
        };
        let marks: Vec<Mark> =
            found.iter().flat_map(|(_, candidates)| candidates).map(|one| one.mark).collect();
        let Some(accepted) = self.fetcher.check(&marks, stop).await else { return };
        let mut accepted = accepted.into_iter();
        let mut loading = JoinSet::new();
        let limit = Arc::new(tokio::sync::Semaphore::new(self.fetcher.lanes.threads()));
        for (id, candidates) in found {
            let candidates: Vec<_> = candidates.into_iter().zip(accepted.by_ref()).collect();
            let (snapshots, worker_id) = (snapshots.clone(), Arc::clone(&self.worker_id));
            let limit = Arc::clone(&limit);
            loading.spawn(async move {
                let _permit = limit.acquire().await.expect("the semaphore is never closed");
                tokio::task::spawn_blocking(move || snapshots.load(id, candidates, &worker_id))
                    .await
            });
        }
        while let Some(loaded) = loading.join_next().await {
            match loaded.and_then(|loaded| loaded) {
                Ok(shard) => self.shards.hold(shard),
                Err(error) => tracing::error!(%error, "loading a shard panicked"),
            }
        }
    }

    /// Follows the log until `stop` or until the worker has to register again. Shards that are
    /// ahead of the log stop answering at once; the next registration reads them anew.
    async fn follow(&self, stop: &CancellationToken) {
        let fetching = stop.child_token();
        let shards = self.shards.all();
        let ready = async {
            for shard in &shards {
                shard.recovered().await;
            }
            self.ready.send_replace(true);
            std::future::pending::<()>().await;
        };
        let fetch = self.fetcher.run(shards.clone(), fetching.clone());
        let interrupted = async {
            tokio::select! {
                () = stop.cancelled() => {}
                ended = self.member.until_ended() => if ended == Ended::Ahead {
                    self.shards.all().iter().for_each(|shard| shard.refuse());
                },
                () = ready => {}
            }
            fetching.cancel();
        };
        tokio::join!(fetch, interrupted);
    }
}

/// Whether a cluster's log was restored from a backup of the other's, and is like it otherwise.
fn descends(cluster: &ClusterIdentity, other: &ClusterIdentity) -> bool {
    let facts =
        |one: &ClusterIdentity| (one.shard_count, one.currency.clone(), one.time_zone.clone());
    cluster.ancestors.iter().any(|ancestor| ancestor.incarnation == other.incarnation)
        && facts(cluster) == facts(other)
}

fn stamp(cluster: &ClusterIdentity, layout: ShardLayout, zone: TimeZone) -> Stamp {
    let ancestors = cluster
        .ancestors
        .iter()
        .map(|&LogAncestor { incarnation, through }| Ancestor { incarnation, through });
    let ancestors = ancestors.collect();
    Stamp { incarnation: cluster.incarnation, ancestors, layout, zone }
}

fn check(cluster: &ClusterIdentity, shards: &[u32]) -> Result<(ShardLayout, Vec<ShardId>), String> {
    let count = ShardId::try_from(cluster.shard_count)
        .ok()
        .filter(|count| (1..=mercer_common::limits::SHARDS).contains(count))
        .ok_or_else(|| format!("the cluster has {} shards", cluster.shard_count))?;
    let assigned: Option<Vec<ShardId>> =
        (shards.iter()).map(|&id| ShardId::try_from(id).ok().filter(|&id| id < count)).collect();
    let mut assigned = assigned.ok_or_else(|| format!("{shards:?} are not shards of {count}"))?;
    assigned.sort_unstable();
    assigned.dedup();
    Ok((ShardLayout::new(count), assigned))
}

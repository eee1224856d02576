//! The state of the cluster, for operators: whatever is missing is named, never an error.

use std::{collections::BTreeMap, sync::Arc};

use mercer_common::{
    event::APPLY_VERSION, log::LogHealth, manifest::algorithms, process::Process, rpc::Deadline,
};
use mercer_proto::{
    internal::{DescribeShardsRequest, KindResults, VersionManifest, WorkerVersionProblem},
    v1::{
        DescribeClusterRequest, DescribeClusterResponse, KindDescription, LaggingWorker,
        LogDescription, ShardDescription, ShardState, VersionDescription, VersionProblem,
        WorkerDescription,
    },
};

use crate::{
    ask::{AskError, CallError, Engine, Required, reserve},
    cluster::membership::{Membership, Routes},
    ingest::Ingest,
    time::{event_time, timestamp_ms},
};

/// What is wrong with versions at workers.
type Problems = BTreeMap<String, Vec<VersionProblem>>;

/// Describes the cluster.
pub(crate) struct Overview {
    pub(crate) engine: Engine,
    pub(crate) membership: Arc<Membership>,
    pub(crate) ingest: Arc<Ingest>,
    /// The coordinator's own process.
    pub(crate) process: Arc<Process>,
    pub(crate) default_algorithm: String,
}

impl Overview {
    pub(crate) async fn describe(
        &self,
        request: DescribeClusterRequest,
        deadline: Deadline,
    ) -> Result<DescribeClusterResponse, AskError> {
        let required = self.engine.required(&request.tokens)?;
        let routes = self.membership.routes();
        let (shards, mut problems) = match &routes {
            Some(routes) => self.describe_shards(routes, &required, deadline).await?,
            None => (self.undealt_shards(), Problems::new()),
        };
        let cluster = &self.engine.identity.cluster;
        let process = Arc::clone(&self.process);
        let process = tokio::task::spawn_blocking(move || process.describe()).await;
        let current = self.engine.versions.current().map(|m| m.version.clone()).unwrap_or_default();
        Ok(DescribeClusterResponse {
            mercer_version: env!("CARGO_PKG_VERSION").to_owned(),
            incarnation: format!("{:016x}", cluster.incarnation),
            currency: cluster.currency.clone(),
            time_zone: cluster.time_zone.clone(),
            shard_count: cluster.shard_count,
            expected_workers: u32::try_from(self.membership.expected()).unwrap_or(u32::MAX),
            workers: self.describe_workers(routes.as_ref()),
            shards,
            current_version: current,
            versions: self
                .engine
                .versions
                .list()
                .iter()
                .map(|one| describe_version(one, &mut problems))
                .collect(),
            log: Some(self.describe_log()),
            default_algorithm: self.default_algorithm.clone(),
            // It ends without only when the runtime does.
            coordinator: process.ok(),
        })
    }

    fn describe_log(&self) -> LogDescription {
        let LogHealth { stopped, mut notes } = self.engine.log.health();
        let metadata = self.membership.metadata_stopped();
        notes.extend(metadata.map(|why| format!("nothing can be changed: {why}")));
        LogDescription {
            end_sequence: self.engine.log.end(),
            trimmed_through: self.engine.log.trimmed_through(),
            disk_bytes: self.engine.log.disk_bytes(),
            stopped: stopped.unwrap_or_default(),
            notes,
            apply_version: self.ingest.apply_version(),
            newest_apply_version: APPLY_VERSION,
            waits_for: self.lagging_workers(),
        }
    }

    /// The workers that keep the newest meaning of records from being used.
    fn lagging_workers(&self) -> Vec<LaggingWorker> {
        if self.ingest.apply_version() >= APPLY_VERSION {
            return Vec::new();
        }
        let known = self.membership.known();
        let lagging = self.membership.versions().lagging(APPLY_VERSION, &known);
        lagging
            .into_iter()
            .map(|(worker_id, apply_version)| LaggingWorker { worker_id, apply_version })
            .collect()
    }

    fn describe_workers(&self, routes: Option<&Routes>) -> Vec<WorkerDescription> {
        let mut described = Vec::new();
        for (member, live) in self.membership.members() {
            let shards = routes
                .map(|routes| routes.placement.shards_of(&member.target.worker_id))
                .unwrap_or_default();
            described.push(WorkerDescription {
                worker_id: member.target.worker_id,
                address: member.target.address,
                generation: member.target.generation,
                live,
                last_heartbeat: member.last_heartbeat_ms.map(timestamp_ms),
                shards: shards.into_iter().map(u32::from).collect(),
                resident_bytes: member.resident_bytes,
                process: member.process,
            });
        }
        described
    }

    async fn describe_shards(
        &self,
        routes: &Routes,
        required: &Required,
        deadline: Deadline,
    ) -> Result<(Vec<ShardDescription>, Problems), AskError> {
        let fanout = &self.engine.fanout;
        let parts = fanout
            .ask_all(
                routes,
                reserve(deadline),
                |shards| DescribeShardsRequest { shards: required.at_all(shards) },
                |mut client, request| async move { client.describe_shards(request).await },
            )
            .await;
        let end = self.engine.log.end();
        let mut described: BTreeMap<u32, ShardDescription> = BTreeMap::new();
        let mut missing: BTreeMap<String, String> = BTreeMap::new();
        let mut problems = Problems::new();
        for part in parts {
            match part.outcome {
                Ok(answer) => {
                    described.extend(answer.shards.into_iter().map(|one| (one.shard, one)));
                    for WorkerVersionProblem { version, problem } in answer.versions {
                        let worker_id = part.worker_id.clone();
                        let problem = VersionProblem { worker_id, ..problem.unwrap_or_default() };
                        problems.entry(version).or_default().push(problem);
                    }
                }
                Err(CallError::Failed(status)) => return Err(AskError::Worker(status)),
                Err(CallError::Missing(reason)) => {
                    missing.insert(part.worker_id, reason);
                }
                Err(CallError::Restart(restart)) => {
                    let reason = restart.into_reason();
                    missing.insert(part.worker_id, format!("says: {reason}"));
                }
            }
        }
        let mut descriptions = Vec::new();
        for (shard, worker_id) in (0..).zip(routes.placement.owners()) {
            let mut description = described.remove(&shard).unwrap_or_else(|| {
                let reason = missing.get(worker_id).map_or("gave no answer", String::as_str);
                unavailable(shard, format!("worker `{worker_id}` {reason}"))
            });
            description.worker_id.clone_from(worker_id);
            description.end_sequence = end;
            descriptions.push(description);
        }
        Ok((descriptions, problems))
    }

    fn undealt_shards(&self) -> Vec<ShardDescription> {
        let end_sequence = self.engine.log.end();
        (0..self.engine.identity.cluster.shard_count)
            .map(|shard| ShardDescription {
                end_sequence,
                ..unavailable(shard, "shards are not dealt yet".into())
            })
            .collect()
    }
}

fn unavailable(shard: u32, reason: String) -> ShardDescription {
    let state = ShardState::Unavailable.into();
    ShardDescription { shard, state, reason, ..Default::default() }
}

fn describe_version(manifest: &VersionManifest, problems: &mut Problems) -> VersionDescription {
    let results = manifest.kinds.iter().max_by_key(|kind| kind.as_of);
    let (as_of, users, items, interactions) = match (manifest.model_sets.first(), results) {
        (Some(newest), _) => (newest.as_of, newest.users, newest.items, newest.interactions),
        (None, Some(results)) => (results.as_of, 0, results.items, 0),
        (None, None) => (0, 0, 0, 0),
    };
    VersionDescription {
        version: manifest.version.clone(),
        create_time: Some(timestamp_ms(manifest.create_time_ms)),
        algorithms: algorithms(manifest).into_iter().map(String::from).collect(),
        job_id: manifest.job_id.clone(),
        users,
        items,
        interactions,
        as_of: Some(event_time(as_of)),
        kinds: manifest.kinds.iter().map(describe_kind).collect(),
        problems: problems.remove(&manifest.version).unwrap_or_default(),
    }
}

fn describe_kind(results: &KindResults) -> KindDescription {
    KindDescription {
        kind: results.kind.clone(),
        job_id: results.job_id.clone(),
        as_of: Some(event_time(results.as_of)),
        items: results.items,
    }
}

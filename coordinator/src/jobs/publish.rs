//! The end of a job: its manifest is stored, opened by workers, and made the one that serves.

use std::{collections::HashMap, sync::Arc, time::Duration};

use mercer_common::rpc::Deadline;
use mercer_proto::internal::{PrepareVersionRequest, RetireVersionRequest, VersionManifest};
use tokio::task::JoinSet;

use super::{
    manifest, published,
    runner::{Interruption, Runner},
    setback::Setback,
    store::number,
};
use crate::cluster::workers::{Failure, Target};

/// How long a worker may take to open a version, of which it verifies every byte.
const PREPARE: Duration = Duration::from_secs(120);
const RETIRE: Duration = Duration::from_secs(2);

impl Runner {
    pub(super) async fn publish(&self, job_id: &str) -> Result<(), Interruption> {
        let record = self.record(job_id)?;
        if record.version.is_empty() {
            // Named after the job, so that no name is ever given twice: a worker may have a
            // version open that was withdrawn.
            let version = format!("v{}", number(job_id)?);
            self.jobs
                .change::<Interruption>(job_id, |record| {
                    record.version.clone_from(&version);
                    Ok(())
                })
                .await?;
        }
        let record = self.record(job_id)?;
        let serving = self.versions.current().is_some_and(|c| c.version == record.version);
        if !serving {
            let manifest = match self.versions.find(&record.version) {
                // A coordinator before this one has composed it, and workers may have it open.
                Some(manifest) => manifest,
                None => {
                    let current = self.versions.current();
                    let now_ms = self.jobs.clock.now_ms();
                    let composed = manifest::compose(&record, current.as_deref(), now_ms)
                        .map_err(|missing| Interruption::Failed(missing.to_string()))?;
                    self.versions.store(composed.clone()).await?;
                    Arc::new(composed)
                }
            };
            self.prepare(job_id, &manifest).await?;
            let written = self.write_manifest(Arc::clone(&manifest)).await;
            written.map_err(Interruption::Failed)?;
            if !self.jobs.begin_commit(job_id) {
                return Err(Interruption::Cancelled);
            }
            self.versions.commit(&record.version).await?;
            tracing::info!(job_id, version = record.version, "version serves");
        }
        Ok(())
    }

    /// Keeps the manifest also as an artifact, from which the version is rebuilt when metadata is
    /// lost.
    async fn write_manifest(&self, manifest: Arc<VersionManifest>) -> Result<(), String> {
        let artifacts = self.artifacts.clone();
        let writing = tokio::task::spawn_blocking(move || published::write(&artifacts, &manifest));
        let written = writing.await;
        written.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
        Ok(())
    }

    /// Writes the manifests of versions that were published before manifests were artifacts.
    pub(super) async fn write_manifests(&self) {
        for manifest in self.versions.list() {
            let version = manifest.version.clone();
            if let Err(error) = self.write_manifest(manifest).await {
                tracing::warn!(version, error, "the manifest is not written as an artifact");
            }
        }
    }

    /// Waits until the worker of every shard has the version open.
    async fn prepare(&self, job_id: &str, manifest: &VersionManifest) -> Result<(), Interruption> {
        // By worker, the generation that has it open: a restarted worker is asked again.
        let mut prepared: HashMap<String, u64> = HashMap::new();
        let mut failures = 0;
        loop {
            let routes = self.membership.routes();
            let live = routes.as_ref().map(|routes| routes.live.clone()).unwrap_or_default();
            let mut calls = JoinSet::new();
            for target in live.values() {
                if prepared.get(&target.worker_id) != Some(&target.generation) {
                    self.call_prepare(&mut calls, target.clone(), manifest);
                }
            }
            while let Some(outcome) = self.unless_ending(job_id, calls.join_next()).await? {
                match outcome {
                    Ok((target, Ok(()))) => {
                        prepared.insert(target.worker_id, target.generation);
                    }
                    Ok((target, Err(failure))) => {
                        let (worker_id, setback) = (target.worker_id, Setback::of(&failure));
                        tracing::warn!(job_id, worker_id, ?setback, %failure, "version not opened");
                        if setback != Setback::NotReady {
                            failures += 1;
                        }
                        let is_too_often = failures > u32::from(self.task_attempts) * 10;
                        if is_too_often || setback == Setback::Permanent {
                            return Err(Interruption::Failed(format!(
                                "worker `{worker_id}` cannot open the version: {failure}"
                            )));
                        }
                    }
                    Err(error) => {
                        return Err(Interruption::Failed(format!("a call failed: {error}")));
                    }
                }
            }
            let complete = routes.is_some_and(|routes| {
                routes.placement.workers().iter().all(|worker_id| {
                    let generation = live.get(worker_id).map(|target| target.generation);
                    generation.is_some() && prepared.get(worker_id).copied() == generation
                })
            });
            if complete {
                return Ok(());
            }
            self.pause(job_id).await?;
        }
    }

    fn call_prepare(
        &self,
        calls: &mut JoinSet<(Target, Result<(), Failure>)>,
        target: Target,
        manifest: &VersionManifest,
    ) {
        let workers = Arc::clone(&self.workers);
        let message = PrepareVersionRequest { manifest: Some(manifest.clone()) };
        calls.spawn(async move {
            let deadline = Deadline::after(PREPARE);
            // A manifest is large, and the future holds it.
            let outcome = Box::pin(workers.prepare_version(&target, message, deadline)).await;
            (target, outcome)
        });
    }

    /// Takes back a version that a job stored but did not publish.
    pub(super) async fn withdraw(&self, job_id: &str) -> Result<(), Interruption> {
        let version = self.record(job_id)?.version;
        let serving = self.versions.current().is_some_and(|c| c.version == version);
        if !version.is_empty() && !serving {
            self.retire(&version).await;
            self.versions.remove(&version).await?;
        }
        Ok(())
    }

    /// Lets go of the versions that are not kept.
    pub(super) async fn retire_versions(&self) {
        for version in self.versions.retirable(self.keep_versions) {
            self.retire(&version).await;
            if let Err(error) = self.versions.remove(&version).await {
                tracing::warn!(version, %error, "version not removed");
            }
        }
    }

    /// Tells workers to close a version; one that is away does not open it when it is back.
    async fn retire(&self, version: &str) {
        let Some(routes) = self.membership.routes() else { return };
        for target in routes.live.values() {
            let message = RetireVersionRequest { version: version.to_owned() };
            let deadline = Deadline::after(RETIRE);
            if let Err(failure) = self.workers.retire_version(target, message, deadline).await {
                tracing::warn!(worker_id = target.worker_id, version, %failure, "not retired");
            }
        }
    }
}

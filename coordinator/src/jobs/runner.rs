//! Runs jobs, one after the other, each from the phase that its record names.

use std::{sync::Arc, time::Duration};

use mercer_common::{
    artifact::ArtifactStore,
    log::{EventLog, LogError},
    metadata::MetadataError,
    pipeline::GraphError,
    slot::ShardLayout,
};
use mercer_proto::{
    internal::{JobRecord, Marker, Phase, Section},
    v1::{JobState, PhaseTime},
};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::{JobStore, phase};
use crate::{
    cluster::{membership::Membership, versions::Versions, workers::Workers},
    stamp::Stamp,
};

/// Pause between two attempts at what the log or metadata refused.
pub(super) const PAUSE: Duration = Duration::from_millis(200);

/// Why a run of a job ended early.
#[derive(Debug)]
pub(super) enum Interruption {
    /// Somebody cancelled the job.
    Cancelled,
    /// The coordinator stops; the next one goes on.
    Stopping,
    /// The job cannot succeed.
    Failed(String),
    /// Metadata could not be changed: begin again from what is stored.
    Metadata(MetadataError),
}

impl From<MetadataError> for Interruption {
    fn from(error: MetadataError) -> Self {
        Self::Metadata(error)
    }
}

impl From<GraphError> for Interruption {
    fn from(error: GraphError) -> Self {
        Self::Failed(error.to_string())
    }
}

/// Runs jobs.
pub(crate) struct Runner {
    pub(crate) jobs: Arc<JobStore>,
    pub(crate) log: Arc<dyn EventLog>,
    pub(crate) layout: ShardLayout,
    pub(crate) membership: Arc<Membership>,
    pub(crate) workers: Arc<Workers>,
    pub(crate) versions: Arc<Versions>,
    pub(crate) artifacts: ArtifactStore,
    /// Held while files are removed.
    pub(crate) removing: Arc<Mutex<()>>,
    pub(crate) task_attempts: u16,
    pub(crate) keep_versions: u16,
    pub(crate) stopping: CancellationToken,
}

impl Runner {
    /// Runs until the coordinator stops.
    pub(crate) async fn run(self) {
        self.write_manifests().await;
        self.collect_garbage().await;
        loop {
            let queued = self.jobs.queued.notified();
            let Some(job_id) = self.jobs.due() else {
                tokio::select! {
                    () = self.stopping.cancelled() => return,
                    () = queued => continue,
                }
            };
            if self.stopping.is_cancelled() {
                return;
            }
            let outcome = self.run_job(&job_id).await;
            if let Err(interruption) = self.conclude(&job_id, outcome).await {
                match interruption {
                    Interruption::Stopping => return,
                    Interruption::Metadata(error) => {
                        tracing::error!(job_id, %error, "the job is begun again");
                    }
                    Interruption::Cancelled | Interruption::Failed(_) => {}
                }
                tokio::time::sleep(PAUSE * 5).await;
            }
        }
    }

    /// Writes down how a run ended; an error means that the job has not.
    async fn conclude(
        &self,
        job_id: &str,
        outcome: Result<(), Interruption>,
    ) -> Result<(), Interruption> {
        let (state, error) = match outcome {
            Ok(()) => (JobState::Succeeded, String::new()),
            Err(Interruption::Cancelled) => {
                self.cancel_tasks(job_id).await;
                (JobState::Cancelled, String::new())
            }
            Err(Interruption::Failed(error)) => {
                self.cancel_tasks(job_id).await;
                (JobState::Failed, error)
            }
            Err(interruption) => return Err(interruption),
        };
        if state != JobState::Succeeded {
            self.withdraw(job_id).await?;
        }
        let now = self.jobs.clock.now_ms();
        self.jobs
            .change::<Interruption>(job_id, |record| {
                record.set_state(state);
                record.error.clone_from(&error);
                record.end_time_ms = now;
                if state != JobState::Succeeded {
                    record.version.clear();
                }
                Ok(())
            })
            .await?;
        tracing::info!(job_id, state = state.as_str_name(), error, "job has ended");
        self.retire_versions().await;
        self.collect_garbage().await;
        Ok(())
    }

    async fn run_job(&self, job_id: &str) -> Result<(), Interruption> {
        loop {
            let record = self.record(job_id)?;
            let begin = self.jobs.clock.uptime();
            match record.phase() {
                Phase::Unspecified => self.set_files_aside(job_id).await?,
                Phase::Cut => {
                    self.mark(&record).await?;
                    self.run_tasks(job_id).await?;
                    let counts = self.record(job_id)?.counts.unwrap_or_default();
                    if counts.items == 0 {
                        return Err(Interruption::Failed(
                            "there is nothing to train on: no event or item has been ingested"
                                .into(),
                        ));
                    }
                }
                Phase::Publish => self.publish(job_id).await?,
                _ => self.run_tasks(job_id).await?,
            }
            self.close_phase(job_id, begin).await?;
            if record.phase() == Phase::Publish {
                return Ok(());
            }
        }
    }

    /// Notes how long a phase took and begins the next one, if there is one.
    /// It began at this uptime of the clock.
    async fn close_phase(&self, job_id: &str, begin: Duration) -> Result<(), Interruption> {
        let seconds = self.jobs.clock.uptime().saturating_sub(begin).as_secs_f64();
        let cancelled = self.jobs.cancellation(job_id);
        self.jobs
            .change(job_id, |record| {
                let phase = record.phase();
                if phase != Phase::Publish && cancelled.is_cancelled() {
                    return Err(Interruption::Cancelled);
                }
                if phase != Phase::Unspecified {
                    record.phase_times.push(PhaseTime {
                        phase: phase::name(phase).to_owned(),
                        seconds,
                        bytes_read: std::mem::take(&mut record.bytes_read),
                        bytes_written: std::mem::take(&mut record.bytes_written),
                    });
                }
                let next = phase::next(phase, &phase::graph(record.spec.get_or_insert_default())?);
                record.set_state(JobState::Running);
                record.set_phase(next);
                Ok(())
            })
            .await
    }

    /// A job that has not begun has no files. What has its name is of a future that was lost when log
    /// and metadata were restored, and must not be taken for its own.
    async fn set_files_aside(&self, job_id: &str) -> Result<(), Interruption> {
        let (artifacts, job) = (self.artifacts.clone(), job_id.to_owned());
        let set = tokio::task::spawn_blocking(move || artifacts.set_aside_job(&job)).await;
        match set {
            Ok(Ok(None)) => Ok(()),
            Ok(Ok(Some(aside))) => {
                let aside = aside.display();
                tracing::warn!(job_id, %aside, "files of a job of this name were there already");
                Ok(())
            }
            Ok(Err(error)) => Err(Interruption::Failed(error.to_string())),
            Err(_) => Err(Interruption::Stopping),
        }
    }

    /// Appends the job's marker to every shard. After a crash in between it may stand in the log
    /// twice: shards cut at the first.
    async fn mark(&self, record: &JobRecord) -> Result<(), Interruption> {
        if record.marker != 0 {
            return Ok(());
        }
        let spec = record.spec.clone().unwrap_or_default();
        let parts = phase::cut_parts(&phase::graph(&spec)?);
        let parts = parts.into_iter().map(i32::from).collect();
        let marker = Some(Marker { job_id: record.job_id.clone(), parts });
        let sequence = loop {
            let stamp = Stamp::now(&*self.log, &self.jobs.clock);
            let section = Section { marker: marker.clone(), ..Section::default() };
            let sections = stamp.encode_for_all(self.layout.shards(), section);
            match self.log.append(sections).await {
                Ok(appended) => break appended.sequences.last().copied().unwrap_or_default(),
                Err(LogError::Unconfirmed) => self.pause(&record.job_id).await?,
                Err(LogError::Closed) => return Err(Interruption::Stopping),
                Err(error) => return Err(Interruption::Failed(error.to_string())),
            }
        };
        self.jobs
            .change(&record.job_id, |record| {
                record.marker = sequence;
                Ok(())
            })
            .await
    }

    pub(super) fn record(&self, job_id: &str) -> Result<JobRecord, Interruption> {
        self.jobs.record(job_id).map_err(|error| Interruption::Failed(error.to_string()))
    }

    /// Waits a little, unless the job or the coordinator is to end.
    pub(super) async fn pause(&self, job_id: &str) -> Result<(), Interruption> {
        self.unless_ending(job_id, tokio::time::sleep(PAUSE)).await
    }

    /// Waits for `work`, which is dropped when the job or the coordinator is to end.
    pub(super) async fn unless_ending<F: Future>(
        &self,
        job_id: &str,
        work: F,
    ) -> Result<F::Output, Interruption> {
        let cancelled = self.jobs.cancellation(job_id);
        tokio::select! {
            biased;
            () = self.stopping.cancelled() => Err(Interruption::Stopping),
            () = cancelled.cancelled() => Err(Interruption::Cancelled),
            output = work => Ok(output),
        }
    }
}

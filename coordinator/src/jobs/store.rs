//! The records of jobs, in metadata and in memory.

use std::{collections::BTreeMap, sync::Arc};

use mercer_common::{
    clock::SharedClock,
    metadata::{Metadata, MetadataError, Revision},
};
use mercer_proto::{
    internal::{JobRecord, Phase},
    v1::{Job, JobState},
};
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::{
    JobError, phase,
    request::RequestKey,
    view::{self, has_ended},
};
use crate::cluster::record::{NumbersRecord, RequestRecord, decode, put};

pub(crate) const JOBS: &str = "jobs/";
const REQUESTS: &str = "requests/";
/// The highest number that a job had in metadata that is lost.
pub(crate) const NUMBERS: &str = "job-numbers";
/// Ended jobs that are remembered.
const HISTORY: usize = 1_000;
/// No job has such a number; a folder whose name says so is somebody else's.
const LAST: u64 = 1 << 40;

struct Entry {
    record: JobRecord,
    revision: Revision,
    view: watch::Sender<Job>,
    cancel: CancellationToken,
    /// The version is being made the one that serves: too late to cancel.
    committing: bool,
    request_key: Option<String>,
}

#[derive(Default)]
struct State {
    /// Jobs by number, which is the order of creation.
    jobs: BTreeMap<u64, Entry>,
    /// Jobs up to here are forgotten, and their files and marks may still be there.
    forgotten: u64,
    /// Job ids by the key of the request that started them.
    requests: BTreeMap<String, (String, Revision)>,
    /// The running job that waits for cuts.
    cutting: Arc<str>,
}

/// All jobs.
pub(crate) struct JobStore {
    metadata: Arc<dyn Metadata>,
    pub(super) clock: SharedClock,
    /// Held while metadata changes, so that memory follows it in order.
    writes: tokio::sync::Mutex<()>,
    state: Mutex<State>,
    /// Told when a job was queued.
    pub(super) queued: Notify,
}

impl JobStore {
    /// Loads what an earlier run stored. Of the jobs that have `files`, those that metadata does not
    /// know are of a future that was lost when log and metadata were restored: no job is given a name
    /// of theirs, for it would take their files for its own.
    pub(crate) async fn load(
        metadata: Arc<dyn Metadata>,
        clock: SharedClock,
        files: &[String],
    ) -> Result<Self, MetadataError> {
        let mut state = State::default();
        for job in files {
            if let Ok(taken) = number(job)
                && taken < LAST
            {
                state.forgotten = state.forgotten.max(taken);
            }
        }
        if let Some(entry) = metadata.get(NUMBERS).await? {
            state.forgotten = state.forgotten.max(decode::<NumbersRecord>(&entry)?.last);
        }
        for entry in metadata.list(REQUESTS).await? {
            let record: RequestRecord = decode(&entry)?;
            state.requests.insert(entry.key, (record.job_id, entry.revision));
        }
        for entry in metadata.list(JOBS).await? {
            let record: JobRecord = decode(&entry)?;
            let request = state.requests.iter().find(|(_, (job_id, _))| *job_id == record.job_id);
            let request_key = request.map(|(key, _)| key.clone());
            state.install(record, entry.revision, request_key)?;
        }
        Ok(Self {
            metadata,
            clock,
            writes: tokio::sync::Mutex::default(),
            state: Mutex::new(state),
            queued: Notify::new(),
        })
    }

    /// Creates a job from `draft` unless the request already started one, which is returned. `space`
    /// says whether there is enough for it.
    pub(super) async fn create(
        &self,
        mut draft: JobRecord,
        request_key: Option<RequestKey>,
        queue_limit: usize,
        space: Result<(), JobError>,
    ) -> Result<Job, JobError> {
        let _writes = self.writes.lock().await;
        let request_key = request_key.map(|key| self.state.lock().remembered_as(&key));
        let started = {
            let state = self.state.lock();
            let started = request_key.as_ref().and_then(|key| state.requests.get(key)).cloned();
            if let Some((job_id, _)) = &started
                && let Some(entry) = state.entry(job_id)
            {
                return Ok(entry.view.borrow().clone());
            }
            space?;
            let queued = state.jobs.values().filter(|e| e.record.state() == JobState::Queued);
            let queued = queued.count();
            if queued >= queue_limit {
                return Err(JobError::QueueFull { queued });
            }
            draft.job_id = match &started {
                // The request was noted, but the coordinator stopped before the job was.
                Some((job_id, _)) => job_id.clone(),
                None => format!("job-{:06}", state.next_number()),
            };
            started
        };
        if let (Some(key), None) = (&request_key, &started) {
            let record = RequestRecord { job_id: draft.job_id.clone() };
            let revision = put(&*self.metadata, key, None, &record).await?;
            self.state.lock().requests.insert(key.clone(), (draft.job_id.clone(), revision));
        }
        let key = format!("{JOBS}{}", draft.job_id);
        let revision = put(&*self.metadata, &key, None, &draft).await?;
        let job = view::job(&draft, 0.0);
        self.state.lock().install(draft, revision, request_key)?;
        self.queued.notify_one();
        self.forget_oldest().await?;
        Ok(job)
    }

    /// Changes a job's record, unless `change` refuses it.
    pub(super) async fn change<E: From<MetadataError>>(
        &self,
        job_id: &str,
        change: impl FnOnce(&mut JobRecord) -> Result<(), E>,
    ) -> Result<(), E> {
        let _writes = self.writes.lock().await;
        let found = self.state.lock().entry(job_id).map(|e| (e.record.clone(), e.revision));
        let Some((mut record, revision)) = found else {
            return Err(MetadataError::Store(format!("job `{job_id}` is gone")).into());
        };
        change(&mut record)?;
        let key = format!("{JOBS}{job_id}");
        let revision = put(&*self.metadata, &key, Some(revision), &record).await?;
        let mut state = self.state.lock();
        state.update(record, revision);
        Ok(())
    }

    /// Shows how much of the present phase is done.
    pub(super) fn show_progress(&self, job_id: &str, fraction: f64) {
        let state = self.state.lock();
        if let Some(entry) = state.entry(job_id) {
            entry.view.send_replace(view::job(&entry.record, fraction));
        }
    }

    /// Asks for the end of a job that has not published yet, and waits for it.
    pub(crate) async fn cancel(&self, job_id: &str) -> Result<Job, JobError> {
        let refused = |reason| Err(JobError::NotCancellable { job_id: job_id.to_owned(), reason });
        let mut view = self.subscribe(job_id)?;
        let state = self.record(job_id)?.state();
        match state {
            JobState::Cancelled => {}
            JobState::Succeeded => return refused("it has published its version"),
            JobState::Failed => return refused("it has failed"),
            JobState::Running | JobState::Queued | JobState::Unspecified => {
                let accepted = {
                    let state = self.state.lock();
                    let entry = state.entry(job_id);
                    entry.is_some_and(|entry| {
                        if !entry.committing {
                            entry.cancel.cancel();
                        }
                        !entry.committing
                    })
                };
                if !accepted {
                    return refused("it is publishing its version");
                }
                self.end_if_queued(job_id).await?;
            }
        }
        let ended = view.wait_for(|job| has_ended(job.state())).await;
        let job = ended
            .map(|job| job.clone())
            .map_err(|_| JobError::Unknown { job_id: job_id.to_owned() })?;
        // It may have succeeded or failed just before it saw the request.
        if job.state() == JobState::Cancelled { Ok(job) } else { refused("it has ended") }
    }

    async fn end_if_queued(&self, job_id: &str) -> Result<(), JobError> {
        let now = self.clock.now_ms();
        self.change(job_id, |record| {
            if record.state() == JobState::Queued {
                record.set_state(JobState::Cancelled);
                record.end_time_ms = now;
            }
            Ok(())
        })
        .await
    }

    /// From here on the job cannot be cancelled; false when it has been.
    pub(super) fn begin_commit(&self, job_id: &str) -> bool {
        let mut state = self.state.lock();
        let Some(entry) = state.entry_mut(job_id) else { return false };
        entry.committing = !entry.cancel.is_cancelled();
        entry.committing
    }

    /// The job that is to run now: the running one, else the oldest in the queue.
    pub(super) fn due(&self) -> Option<String> {
        let state = self.state.lock();
        let with = |wanted| state.jobs.values().find(move |e| e.record.state() == wanted);
        with(JobState::Running)
            .or_else(|| with(JobState::Queued))
            .map(|entry| entry.record.job_id.clone())
    }

    /// Cancelled when somebody asked for the end of the job.
    pub(super) fn cancellation(&self, job_id: &str) -> CancellationToken {
        self.state.lock().entry(job_id).map(|entry| entry.cancel.clone()).unwrap_or_default()
    }

    /// The job that waits for cuts; empty when none does.
    pub(crate) fn cutting_job(&self) -> Arc<str> {
        Arc::clone(&self.state.lock().cutting)
    }

    pub(super) fn record(&self, job_id: &str) -> Result<JobRecord, JobError> {
        match self.state.lock().entry(job_id) {
            Some(entry) => Ok(entry.record.clone()),
            None => Err(JobError::Unknown { job_id: job_id.to_owned() }),
        }
    }

    /// The job as it changes.
    pub(crate) fn subscribe(&self, job_id: &str) -> Result<watch::Receiver<Job>, JobError> {
        match self.state.lock().entry(job_id) {
            Some(entry) => Ok(entry.view.subscribe()),
            None => Err(JobError::Unknown { job_id: job_id.to_owned() }),
        }
    }

    /// Up to `limit` jobs older than number `before`, newest first, and whether there are more.
    pub(crate) fn list(&self, before: u64, limit: usize) -> (Vec<Job>, bool) {
        let state = self.state.lock();
        let mut older = state.jobs.range(..before).rev();
        let jobs =
            older.by_ref().take(limit).map(|(_, entry)| entry.view.borrow().clone()).collect();
        (jobs, older.next().is_some())
    }

    /// Whether the job has ended, so that it needs no file that no version names. One that is not
    /// known has, if it may have been forgotten for its age: of others, which metadata may have
    /// lost, everything stays.
    pub(super) fn has_ended(&self, job_id: &str) -> bool {
        let Ok(number) = number(job_id) else { return false };
        let state = self.state.lock();
        match state.jobs.get(&number) {
            Some(entry) => has_ended(entry.record.state()),
            None => {
                let oldest = state.jobs.keys().next();
                state.jobs.len() >= HISTORY && oldest.is_some_and(|oldest| number < *oldest)
            }
        }
    }

    async fn forget_oldest(&self) -> Result<(), MetadataError> {
        let oldest = {
            let state = self.state.lock();
            if state.jobs.len() <= HISTORY {
                return Ok(());
            }
            let ended = state.jobs.values().find(|entry| has_ended(entry.record.state()));
            ended.map(|entry| {
                (entry.record.job_id.clone(), entry.revision, entry.request_key.clone())
            })
        };
        let Some((job_id, revision, request_key)) = oldest else { return Ok(()) };
        self.metadata.compare_and_set(&format!("{JOBS}{job_id}"), Some(revision), None).await?;
        self.state.lock().jobs.remove(&number(&job_id)?);
        if let Some(key) = request_key {
            let request = self.state.lock().requests.remove(&key);
            if let Some((_, revision)) = request {
                self.metadata.compare_and_set(&key, Some(revision), None).await?;
            }
        }
        Ok(())
    }
}

impl State {
    fn entry(&self, job_id: &str) -> Option<&Entry> {
        self.jobs.get(&number(job_id).ok()?)
    }

    fn entry_mut(&mut self, job_id: &str) -> Option<&mut Entry> {
        self.jobs.get_mut(&number(job_id).ok()?)
    }

    /// The key in metadata under which the request is, or will be, remembered.
    fn remembered_as(&self, request: &RequestKey) -> String {
        let by_id = format!("{REQUESTS}{}", request.by_id);
        match self.requests.contains_key(&by_id) {
            true => by_id,
            false => format!("{REQUESTS}{}", request.key),
        }
    }

    fn next_number(&self) -> u64 {
        let requested = self.requests.values().filter_map(|(job_id, _)| number(job_id).ok());
        self.jobs.keys().copied().chain(requested).fold(self.forgotten, u64::max) + 1
    }

    fn install(
        &mut self,
        record: JobRecord,
        revision: Revision,
        request_key: Option<String>,
    ) -> Result<(), MetadataError> {
        let number = number(&record.job_id)?;
        let entry = Entry {
            view: watch::Sender::new(view::job(&record, 0.0)),
            record,
            revision,
            cancel: CancellationToken::new(),
            committing: false,
            request_key,
        };
        self.jobs.insert(number, entry);
        self.note_cutting();
        Ok(())
    }

    fn update(&mut self, record: JobRecord, revision: Revision) {
        if let Some(entry) = self.entry_mut(&record.job_id.clone()) {
            let fraction = match record.spec.as_ref().map(phase::graph) {
                Some(Ok(graph)) => phase::open(&record, &graph).done(),
                Some(Err(_)) | None => 0.0,
            };
            entry.view.send_replace(view::job(&record, fraction));
            entry.record = record;
            entry.revision = revision;
        }
        self.note_cutting();
    }

    fn note_cutting(&mut self) {
        let cutting = self.jobs.values().find(|entry| {
            entry.record.state() == JobState::Running && entry.record.phase() == Phase::Cut
        });
        self.cutting = cutting.map_or("", |entry| entry.record.job_id.as_str()).into();
    }
}

/// The number in the name of a job, the name being in its only form.
pub(crate) fn number(job_id: &str) -> Result<u64, MetadataError> {
    job_id
        .strip_prefix("job-")
        .and_then(|digits| digits.parse().ok())
        .filter(|number| format!("job-{number:06}") == job_id)
        .ok_or_else(|| MetadataError::Store(format!("`{job_id:.64}` is not the name of a job")))
}

#[cfg(test)]
mod tests {
    use mercer_common::{clock::SystemClock, metadata::memory::MemoryMetadata};

    use super::*;

    #[tokio::test]
    async fn no_job_gets_a_name_that_has_files() {
        let metadata = Arc::new(MemoryMetadata::default());
        let next = async |files: &[&str]| {
            let files: Vec<String> = files.iter().map(ToString::to_string).collect();
            let metadata = Arc::<MemoryMetadata>::clone(&metadata);
            let store = JobStore::load(metadata, Arc::new(SystemClock), &files).await?;
            let job = store.create(JobRecord::default(), None, 10, Ok(())).await.expect("created");
            Ok::<_, MetadataError>(job.job_id)
        };
        assert_eq!(next(&[]).await.expect("loads"), "job-000001");
        assert_eq!(next(&["job-000001"]).await.expect("loads"), "job-000002");
        // Of a future that was lost.
        let files = ["job-000007", "job-000005", "notes", "job-18446744073709551615"];
        assert_eq!(next(&files).await.expect("loads"), "job-000008");
        assert_eq!(next(&[]).await.expect("loads"), "job-000009");
    }
}

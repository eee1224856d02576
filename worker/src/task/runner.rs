//! Starts tasks, lets callers wait for them, and remembers what they gave.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use mercer_algorithms::control::{Cancelled, Control as _};
use mercer_common::{
    artifact::{ArtifactRef, ArtifactStore},
    rpc::status::InvalidRequest,
};
use mercer_proto::internal::{RunTaskRequest, RunTaskResponse, TaskCounts};
use parking_lot::Mutex;
use tokio::sync::watch;

use super::{
    TrainingError,
    blocks::Watch,
    context::Context,
    cut,
    held::Held,
    inputs::Inputs,
    names::{artifact_name, folder},
    plan::{Key, Plan, Work},
    stage::Stage,
};
use crate::{
    compute::{Compute, ComputeError},
    shard::Shards,
};

/// Tasks under way and results remembered, together.
const TASKS: usize = 512;
/// Cancelled jobs remembered.
const CANCELLED: usize = 64;
/// A caller is answered this long before its deadline.
const ANSWER: Duration = Duration::from_millis(50);

/// Runs the tasks of this worker, each once however often it is asked for.
#[derive(Debug)]
pub(crate) struct TaskRunner {
    store: ArtifactStore,
    compute: Arc<Compute>,
    /// Those of this worker, whose cuts are waited for.
    shards: Arc<Shards>,
    /// Stages of all domains.
    stages: Vec<Stage>,
    /// What tasks of a step share.
    held: Arc<Held>,
    tasks: Mutex<HashMap<Key, Entry>>,
    /// The latest jobs that were cancelled, whose calls may still be on their way.
    cancelled: Mutex<VecDeque<String>>,
}

#[derive(Clone, Debug)]
struct Entry {
    watch: Arc<Watch>,
    result: watch::Receiver<Option<Outcome>>,
}

type Outcome = Result<Output, Arc<TrainingError>>;

#[derive(Clone, Debug)]
struct Output {
    artifact: ArtifactRef,
    counts: TaskCounts,
}

impl Output {
    fn into_response(self) -> RunTaskResponse {
        let Self { artifact, counts } = self;
        RunTaskResponse { done: true, progress: 1.0, output: Some(artifact), counts: Some(counts) }
    }
}

impl TaskRunner {
    /// Runs tasks of `stages` in `compute` on artifacts of `store`, and waits for the cuts of
    /// `shards`.
    pub(crate) fn new(
        store: ArtifactStore,
        compute: Arc<Compute>,
        shards: Arc<Shards>,
        stages: Vec<Stage>,
    ) -> Self {
        let (held, tasks, cancelled) = <_>::default();
        Self { store, compute, shards, stages, held, tasks, cancelled }
    }

    /// Runs what belongs to training but is no task of a job, in the place of one and at their
    /// priority.
    pub(crate) async fn as_task<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ComputeError> {
        self.compute.train(move |_pool| work()).await
    }

    /// Starts the task unless it runs or has run, and waits for it: at most for the time that
    /// the request names, and not beyond the deadline.
    ///
    /// A failed task is forgotten once its error was told, so that asking again tries again.
    ///
    /// # Errors
    /// See [`TrainingError`].
    pub(crate) async fn run(
        &self,
        request: RunTaskRequest,
        deadline: Instant,
    ) -> Result<RunTaskResponse, Arc<TrainingError>> {
        let wait = Duration::from_millis(request.wait_ms.into());
        let until = deadline.checked_sub(ANSWER).unwrap_or(deadline).min(Instant::now() + wait);
        let marker = request.marker;
        let (key, plan) = Plan::new(request, &self.stages)?;
        if let Work::Cut(part) = plan.work {
            let wanted = cut::Wanted { job: &key.job, shard: key.shard, part, marker };
            let found = wanted
                .written(&self.store, &self.shards, until, || self.is_cancelled(&key.job))
                .await?;
            return Ok(match found {
                Some((artifact, counts)) => Output { artifact, counts }.into_response(),
                None => RunTaskResponse::default(),
            });
        }
        if self.is_cancelled(&key.job) {
            return Err(Arc::new(Cancelled.into()));
        }
        let entry = self.entry(&key, plan)?;
        let mut result = entry.result.clone();
        let ended = tokio::time::timeout_at(until.into(), result.wait_for(Option::is_some)).await;
        let outcome = match ended {
            Ok(Ok(outcome)) => outcome.clone(),
            // The task is gone without a result: the runtime is shutting down.
            Ok(Err(_)) => Some(Err(Arc::new(Cancelled.into()))),
            Err(_) => None,
        };
        match outcome {
            None => Ok(RunTaskResponse { progress: entry.watch.progress(), ..Default::default() }),
            Some(Ok(output)) => Ok(output.into_response()),
            Some(Err(error)) => {
                let mut tasks = self.tasks.lock();
                if tasks.get(&key).is_some_and(|known| Arc::ptr_eq(&known.watch, &entry.watch)) {
                    tasks.remove(&key);
                }
                Err(error)
            }
        }
    }

    fn is_cancelled(&self, job: &str) -> bool {
        self.cancelled.lock().iter().any(|cancelled| cancelled == job)
    }

    /// Stops all tasks of the job at their next block, forgets them and takes no more of it.
    pub(crate) fn cancel(&self, job: &str) {
        let mut cancelled = self.cancelled.lock();
        if cancelled.len() == CANCELLED {
            cancelled.pop_front();
        }
        cancelled.push_back(job.to_owned());
        drop(cancelled);
        self.tasks.lock().retain(|key, entry| {
            if key.job == job {
                entry.watch.cancel();
            }
            key.job != job
        });
        self.held.release(job);
    }

    /// Stops all tasks at their next block.
    fn cancel_all(&self) {
        for (_, entry) in self.tasks.lock().drain() {
            entry.watch.cancel();
        }
    }

    /// The task as it is known, or started now.
    fn entry(&self, key: &Key, plan: Plan) -> Result<Entry, Arc<TrainingError>> {
        let mut tasks = self.tasks.lock();
        if let Some(entry) = tasks.get(key) {
            return Ok(entry.clone());
        }
        if tasks.len() >= TASKS {
            // What has ended is in the store, where a later request finds it.
            tasks.retain(|_, entry| entry.result.borrow().is_none());
        }
        if tasks.len() >= TASKS {
            return Err(Arc::new(TrainingError::TooMany { limit: TASKS }));
        }
        let (sender, result) = watch::channel(None);
        let entry = Entry { watch: Arc::default(), result };
        tasks.insert(key.clone(), entry.clone());
        drop(tasks);
        let (store, compute) = (self.store.clone(), Arc::clone(&self.compute));
        let held = Arc::clone(&self.held);
        let (key, progress) = (key.clone(), Arc::clone(&entry.watch));
        tokio::spawn(async move {
            let outcome = execute(store, &compute, held, key, plan, progress).await;
            sender.send_replace(Some(outcome.map_err(Arc::new)));
        });
        Ok(entry)
    }
}

impl Drop for TaskRunner {
    fn drop(&mut self) {
        self.cancel_all();
    }
}

async fn execute(
    store: ArtifactStore,
    compute: &Compute,
    held: Arc<Held>,
    key: Key,
    plan: Plan,
    watch: Arc<Watch>,
) -> Result<Output, TrainingError> {
    let Work::Stage(stage) = plan.work else {
        return Err(InvalidRequest::field("task", "is no task of a runner").into());
    };
    compute
        .train(move |pool| {
            watch.checkpoint()?;
            let name = artifact_name(key.phase, key.shard, &key.algorithm, key.step);
            let artifact = match store.find(&key.job, folder(key.phase), &name)? {
                Some(found) => found,
                None => {
                    let context = Context {
                        store: &store,
                        pool,
                        watch: &watch,
                        held: &held,
                        job: &key.job,
                        shard: key.shard,
                        phase: key.phase,
                        algorithm: &key.algorithm,
                        step: key.step,
                    };
                    let read = plan.inputs.iter().filter_map(|input| input.artifact.as_ref());
                    let read: u64 = read.map(|artifact| artifact.bytes).sum();
                    let began = Instant::now();
                    let inputs = Inputs::new(folder(key.phase), plan.shards, plan.inputs);
                    held.turn_to(&key.job, key.phase, &key.algorithm);
                    let written = stage.run(&context, &inputs, &plan.spec);
                    let written = written.inspect_err(|_| held.release(&key.job))?;
                    tracing::debug!(
                        job = key.job,
                        phase = folder(key.phase),
                        shard = key.shard,
                        algorithm = key.algorithm,
                        step = key.step,
                        read,
                        written = written.bytes,
                        seconds = began.elapsed().as_secs_f64(),
                        "task done"
                    );
                    written
                }
            };
            let counts = stage.counts(&store, &artifact)?;
            Ok(Output { artifact, counts })
        })
        .await?
}

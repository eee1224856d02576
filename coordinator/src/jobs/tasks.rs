//! Assigns the tasks of a phase to workers, and assigns them again when a worker is lost.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use mercer_common::{
    pipeline::{Graph, Output},
    rpc::Deadline,
    slot::ShardId,
};
use mercer_proto::internal::{
    ArtifactRef, CancelTasksRequest, JobRecord, RunTaskRequest, RunTaskResponse, Task, TaskCounts,
    TaskInput, TrainingSpec,
};
use tokio::task::JoinSet;

use super::{
    phase::{self, Open},
    runner::{Interruption, PAUSE, Runner},
    setback::Setback,
};
use crate::cluster::{
    membership::Routes,
    workers::{Failure, Target},
};

/// Tasks at a worker at once: one computes while the next reads its inputs.
const AT_ONCE: usize = 2;
/// How long a worker holds a call about an unfinished task.
const WAIT: Duration = Duration::from_millis(500);
/// When a worker that does not answer such a call is given up.
const GIVE_UP: Duration = Duration::from_secs(15);

/// A task that is to be run.
#[derive(Clone, Debug)]
struct Waiting {
    task: Output,
    /// Attempts that failed.
    attempts: u16,
}

type Answer = (Waiting, Target, Result<RunTaskResponse, Failure>);

/// A step of a phase under way.
struct Progress<'a> {
    waiting: VecDeque<Waiting>,
    calls: JoinSet<Answer>,
    /// Tasks at each worker.
    busy: HashMap<String, usize>,
    /// Workers that failed, and when by the clock's uptime: not used until heard of again.
    suspects: HashMap<String, Duration>,
    /// What each unfinished task has said of itself.
    fractions: BTreeMap<Output, f64>,
    /// The job as it is when the step begins: what earlier phases and steps gave does not change.
    record: JobRecord,
    /// Which output that is, by the place in the record.
    earlier: HashMap<Output, usize>,
    graph: &'a Graph<'a>,
    present: Open,
    done: usize,
}

impl<'a> Progress<'a> {
    fn new(record: JobRecord, present: Open, graph: &'a Graph<'a>) -> Self {
        let waiting = present.tasks.iter().map(|&task| Waiting { task, attempts: 0 });
        let mut earlier = HashMap::with_capacity(record.outputs.len());
        for (place, one) in record.outputs.iter().enumerate() {
            let phase = phase::name(one.phase());
            if let Some(output) = graph.find(phase, &one.algorithm, one.step, one.shard) {
                earlier.insert(output, place);
            }
        }
        Self {
            waiting: waiting.collect(),
            calls: JoinSet::new(),
            busy: HashMap::new(),
            suspects: HashMap::new(),
            fractions: BTreeMap::new(),
            done: present.all - present.tasks.len(),
            record,
            earlier,
            graph,
            present,
        }
    }

    /// Outputs that a task reads. What it does not read is not sent: there may be thousands.
    fn read(&self, task: &Output) -> impl Iterator<Item = &TaskInput> {
        let places = self.graph.reads(task).into_iter().filter_map(|read| self.earlier.get(&read));
        places.map(|&place| &self.record.outputs[place])
    }

    /// How much of the phase is done.
    fn fraction(&self) -> f64 {
        let done = self.done as f64 + self.fractions.values().sum::<f64>();
        self.present.fraction(done / self.present.all.max(1) as f64)
    }
}

impl Runner {
    /// Runs what is open of the job's present phase, step by step.
    pub(super) async fn run_tasks(&self, job_id: &str) -> Result<(), Interruption> {
        let spec = self.record(job_id)?.spec.unwrap_or_default();
        let graph = phase::graph(&spec)?;
        loop {
            let record = self.record(job_id)?;
            let present = phase::open(&record, &graph);
            if present.tasks.is_empty() {
                return Ok(());
            }
            self.release(&record, &present).await?;
            self.run_step(job_id, Progress::new(record, present, &graph)).await?;
        }
    }

    async fn run_step(&self, job_id: &str, mut progress: Progress<'_>) -> Result<(), Interruption> {
        let cancelled = self.jobs.cancellation(job_id);
        while progress.done < progress.present.all {
            self.assign(&mut progress);
            tokio::select! {
                biased;
                () = self.stopping.cancelled() => return Err(Interruption::Stopping),
                () = cancelled.cancelled() => return Err(Interruption::Cancelled),
                Some(answer) = progress.calls.join_next() => {
                    let (waiting, target, outcome) = answer.map_err(|error| {
                        Interruption::Failed(format!("a task's call failed: {error}"))
                    })?;
                    self.note(job_id, &mut progress, waiting, target, outcome).await?;
                }
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
        Ok(())
    }

    /// Removes what no later step of the phase reads: first from the record, so that it never names
    /// a file that is gone. After a crash in between files stay until the job has ended.
    async fn release(&self, record: &JobRecord, present: &Open) -> Result<(), Interruption> {
        let phase = record.phase();
        let outdated: Vec<ArtifactRef> = record
            .outputs
            .iter()
            .filter(|output| phase::is_outdated(output, present, phase))
            .filter_map(|output| output.artifact.clone())
            .collect();
        if outdated.is_empty() {
            return Ok(());
        }
        self.jobs
            .change::<Interruption>(&record.job_id, |record| {
                record.outputs.retain(|output| !phase::is_outdated(output, present, phase));
                Ok(())
            })
            .await?;
        let artifacts = self.artifacts.clone();
        let removing = tokio::task::spawn_blocking(move || {
            outdated.iter().try_for_each(|one| artifacts.remove(one))
        });
        if let Ok(Err(error)) = removing.await {
            tracing::warn!(job_id = record.job_id, %error, "artifacts are not removed");
        }
        Ok(())
    }

    /// Gives waiting tasks to workers with room.
    fn assign(&self, progress: &mut Progress<'_>) {
        let Some(routes) = self.membership.routes() else { return };
        let mut left = VecDeque::new();
        while let Some(waiting) = progress.waiting.pop_front() {
            match self.worker_for(&waiting.task, &routes, progress) {
                Some(target) => {
                    *progress.busy.entry(target.worker_id.clone()).or_default() += 1;
                    self.call(progress, waiting, target);
                }
                None => left.push_back(waiting),
            }
        }
        progress.waiting = left;
    }

    /// A cut is for the shard's owner; anything else for the worker with the most room, the
    /// owner first.
    fn worker_for(
        &self,
        task: &Output,
        routes: &Routes,
        progress: &Progress<'_>,
    ) -> Option<Target> {
        let owner = routes.placement.owner(ShardId::try_from(task.shard).ok()?);
        let usable = routes.live.values().filter(|target| {
            let heard = self.membership.last_heard(&target.worker_id);
            let busy = progress.busy.get(&target.worker_id).copied().unwrap_or(0);
            busy < AT_ONCE && heard > progress.suspects.get(&target.worker_id).copied()
        });
        if progress.graph.is_of_owner(task) {
            return usable.into_iter().find(|target| target.worker_id == owner).cloned();
        }
        usable
            .min_by_key(|target| {
                let busy = progress.busy.get(&target.worker_id).copied().unwrap_or(0);
                (busy, target.worker_id != owner)
            })
            .cloned()
    }

    fn call(&self, progress: &mut Progress<'_>, waiting: Waiting, target: Target) {
        let workers = Arc::clone(&self.workers);
        let message = RunTaskRequest {
            task: Some(Task {
                job_id: progress.record.job_id.clone(),
                phase: phase::number(waiting.task.phase).into(),
                shard: waiting.task.shard,
                algorithm: waiting.task.name.to_owned(),
                step: waiting.task.step,
            }),
            spec: progress.record.spec.clone(),
            inputs: progress.read(&waiting.task).cloned().collect(),
            wait_ms: u32::try_from(WAIT.as_millis()).expect("a constant"),
            marker: progress.record.marker,
        };
        progress.calls.spawn(async move {
            let outcome = workers.run_task(&target, message, Deadline::after(GIVE_UP));
            // A spec is large, and the future holds it.
            let outcome = Box::pin(outcome).await;
            (waiting, target, outcome)
        });
    }

    /// Takes what a worker said about a task.
    async fn note(
        &self,
        job_id: &str,
        progress: &mut Progress<'_>,
        mut waiting: Waiting,
        target: Target,
        outcome: Result<RunTaskResponse, Failure>,
    ) -> Result<(), Interruption> {
        let key = waiting.task;
        match outcome {
            Ok(response) if !response.done => {
                progress.fractions.insert(key, response.progress.clamp(0.0, 1.0));
                self.jobs.show_progress(job_id, progress.fraction());
                self.call(progress, waiting, target);
                return Ok(());
            }
            Ok(response) => {
                progress.fractions.remove(&key);
                progress.done += 1;
                let read = progress.read(&waiting.task).filter_map(|input| input.artifact.as_ref());
                let read = read.map(|artifact| artifact.bytes).sum();
                self.finish(job_id, waiting.task, response, read).await?;
                self.jobs.show_progress(job_id, progress.fraction());
            }
            Err(failure) => {
                progress.fractions.remove(&key);
                let worker_id = target.worker_id.clone();
                let setback = Setback::of(&failure);
                tracing::warn!(job_id, worker_id, task = ?waiting.task, ?setback, %failure, "task failed");
                if setback != Setback::NotReady {
                    waiting.attempts += 1;
                }
                if setback == Setback::Permanent || waiting.attempts >= self.task_attempts {
                    return Err(Interruption::Failed(describe(&waiting, &worker_id, &failure)));
                }
                progress.suspects.insert(worker_id, self.jobs.clock.uptime());
                progress.waiting.push_back(waiting);
            }
        }
        if let Some(busy) = progress.busy.get_mut(&target.worker_id) {
            *busy = busy.saturating_sub(1);
        }
        Ok(())
    }

    /// Writes down the output of a task.
    async fn finish(
        &self,
        job_id: &str,
        task: Output,
        response: RunTaskResponse,
        bytes_read: u64,
    ) -> Result<(), Interruption> {
        let Some(artifact) = response.output else {
            return Err(Interruption::Failed(format!("{} gave no output", title(&task))));
        };
        let counts = response.counts.unwrap_or_default();
        self.jobs
            .change(job_id, |record| {
                let known = record.counts.unwrap_or_default();
                let spec = record.spec.clone().unwrap_or_default();
                record.counts = Some(count(&task, &spec, known, counts));
                record.bytes_read += bytes_read;
                record.bytes_written += artifact.bytes;
                record.outputs.push(TaskInput {
                    phase: phase::number(task.phase).into(),
                    shard: task.shard,
                    algorithm: task.name.to_owned(),
                    artifact: Some(artifact),
                    step: task.step,
                });
                // In the order that phases define, whatever came first.
                record.outputs.sort_by_cached_key(|one| {
                    (one.phase, one.algorithm.clone(), one.step, one.shard)
                });
                Ok(())
            })
            .await
    }

    /// Stops what workers still do for a job; those that cannot be reached find out when they
    /// ask for its next task.
    pub(super) async fn cancel_tasks(&self, job_id: &str) {
        let Some(routes) = self.membership.routes() else { return };
        let mut calls = JoinSet::new();
        for target in routes.live.into_values() {
            let workers = Arc::clone(&self.workers);
            let message = CancelTasksRequest { job_id: job_id.to_owned() };
            calls.spawn(async move {
                let deadline = Deadline::after(Duration::from_secs(2));
                if let Err(failure) = workers.cancel_tasks(&target, message, deadline).await {
                    tracing::warn!(worker_id = target.worker_id, %failure, "tasks not cancelled");
                }
            });
        }
        while calls.join_next().await.is_some() {}
    }
}

/// What a job has counted after one more task: the parts of all shards until the statistics know
/// what the whole amounts to. Items stand in both parts of a cut: they count in the first one that
/// the job has.
fn count(task: &Output, spec: &TrainingSpec, known: TaskCounts, one: TaskCounts) -> TaskCounts {
    let as_of = known.as_of.max(one.as_of);
    match (task.phase, task.name) {
        (phase::CUT, phase::SERIES) => {
            let items = if spec.algorithms.is_empty() { one.items } else { 0 };
            TaskCounts {
                items: known.items + items,
                sale_days: known.sale_days + one.sale_days,
                as_of,
                ..known
            }
        }
        (phase::CUT, "") => TaskCounts {
            users: known.users + one.users,
            items: known.items + one.items,
            interactions: known.interactions + one.interactions,
            as_of,
            ..known
        },
        (phase::STATISTICS, "") => TaskCounts { as_of, sale_days: known.sale_days, ..one },
        _ => known,
    }
}

fn title(task: &Output) -> String {
    let Output { phase, name, .. } = task;
    let name = if name.is_empty() { String::new() } else { format!(" of {name}") };
    let step = if task.step == 0 { String::new() } else { format!(", step {}", task.step) };
    format!("phase {phase}{name}{step}, shard {}", task.shard)
}

fn describe(waiting: &Waiting, worker_id: &str, failure: &Failure) -> String {
    let attempts = waiting.attempts;
    let task = title(&waiting.task);
    format!("{task} failed at worker `{worker_id}` (attempt {attempts}): {failure}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_those_of_the_whole() {
        let part =
            |items, as_of| TaskCounts { users: 1, items, interactions: 2, as_of, sale_days: 0 };
        let series = |as_of| TaskCounts { items: 4, as_of, sale_days: 5, ..TaskCounts::default() };
        let task = |phase, name| Output { phase, name, step: 0, shard: 0 };
        let spec = TrainingSpec { algorithms: vec!["p3".into()], ..TrainingSpec::default() };
        let count_cut = |known, one| count(&task(phase::CUT, ""), &spec, known, one);
        let series_cut = task(phase::CUT, phase::SERIES);
        let cuts = count_cut(count_cut(part(0, 0), part(3, 9)), part(4, 5));
        assert_eq!((cuts.users, cuts.items, cuts.as_of), (3, 7, 9));
        let both = count(&series_cut, &spec, cuts, series(12));
        assert_eq!((both.items, both.sale_days, both.as_of), (7, 5, 12));
        assert_eq!(count(&task("encode", ""), &spec, both, part(9, 99)), both);
        let whole = count(&task(phase::STATISTICS, ""), &spec, both, part(6, 8));
        assert_eq!((whole.users, whole.items, whole.sale_days, whole.as_of), (1, 6, 5, 12));

        let spec = TrainingSpec::default();
        let one = count(&series_cut, &spec, TaskCounts::default(), series(3));
        let two = count(&series_cut, &spec, one, series(2));
        assert_eq!((two.items, two.sale_days, two.as_of), (8, 10, 3));
    }
}

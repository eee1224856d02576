//! What a request asks for: which task, by which rules, from which inputs.

use std::sync::Arc;

use mercer_common::{limits, rpc::status::InvalidRequest, slot::ShardId};
use mercer_proto::internal::{Phase, RunTaskRequest, Task, TaskInput, TrainingSpec};

use super::{TrainingError, stage::Stage};

/// What identifies a task.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) job: String,
    pub(super) phase: Phase,
    pub(super) shard: ShardId,
    pub(super) algorithm: String,
    /// 0 in phases without steps.
    pub(super) step: u32,
}

/// A part of a cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// What users did.
    Interactions,
    /// Items with what was sold of them.
    Series,
    /// Items with what is said of them.
    Content,
    /// The ids of users.
    Users,
}

impl Part {
    const ALL: [Self; 4] = [Self::Interactions, Self::Series, Self::Content, Self::Users];

    /// As tasks name it.
    fn name(self) -> &'static str {
        match self {
            Self::Interactions => "",
            Self::Series => SERIES,
            Self::Content => CONTENT,
            Self::Users => USERS,
        }
    }
}

/// The series part of a cut, as tasks name it.
pub(crate) const SERIES: &str = "series";
/// The content part of a cut, and what is made of it.
pub(crate) const CONTENT: &str = "content";
/// The part of a cut that names users.
pub(crate) const USERS: &str = "users";
/// What a task does.
#[derive(Clone, Copy, Debug)]
pub(super) enum Work {
    /// Waits for what the shard itself writes.
    Cut(Part),
    /// Runs a stage of a domain.
    Stage(Stage),
}

impl Work {
    /// `None` when no stage makes the output `algorithm` of `phase`.
    fn new(phase: Phase, algorithm: &str, stages: &[Stage]) -> Option<Self> {
        if phase == Phase::Cut {
            let part = Part::ALL.into_iter().find(|part| part.name() == algorithm);
            return part.map(Self::Cut);
        }
        Stage::find(stages, phase, algorithm).map(Self::Stage)
    }
}

/// A checked request.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) spec: TrainingSpec,
    pub(super) shards: ShardId,
    pub(super) work: Work,
    pub(super) inputs: Vec<TaskInput>,
}

impl Plan {
    /// `stages` are those of all domains.
    pub(super) fn new(
        request: RunTaskRequest,
        stages: &[Stage],
    ) -> Result<(Key, Self), Arc<TrainingError>> {
        let invalid = |field: &str, description: String| {
            Arc::new(TrainingError::from(InvalidRequest::field(field, description)))
        };
        let task = request.task.ok_or_else(|| invalid("task", "is required".into()))?;
        let spec = request.spec.ok_or_else(|| invalid("spec", "is required".into()))?;
        let shards = ShardId::try_from(spec.shard_count).ok();
        let shards = shards.filter(|shards| (1..=limits::SHARDS).contains(shards));
        let shards = shards
            .ok_or_else(|| invalid("spec.shard_count", format!("is {}", spec.shard_count)))?;
        let shard = ShardId::try_from(task.shard).ok().filter(|&shard| shard < shards);
        let shard = shard.ok_or_else(|| invalid("task.shard", format!("is {}", task.shard)))?;
        let phase = task.phase();
        if matches!(phase, Phase::Unspecified | Phase::Publish) {
            return Err(invalid("task.phase", "is no phase of a worker".into()));
        }
        let work = Work::new(phase, &task.algorithm, stages).ok_or_else(|| {
            let phase = phase.as_str_name();
            invalid("task.algorithm", format!("`{}` is nothing that {phase} has", task.algorithm))
        })?;
        if task.step != 0 && phase != Phase::Factors {
            return Err(invalid("task.step", format!("{} has no steps", phase.as_str_name())));
        }
        let Task { job_id: job, algorithm, step: number, .. } = task;
        let key = Key { job, phase, shard, algorithm, step: number };
        Ok((key, Self { spec, shards, work, inputs: request.inputs }))
    }
}

/// The folder of a phase.
pub(crate) fn folder(phase: Phase) -> &'static str {
    match phase {
        Phase::Cut => "cut",
        Phase::Dictionary => "dictionary",
        Phase::Encode => "encode",
        Phase::Statistics => "statistics",
        Phase::Rows => "rows",
        Phase::Postings => "postings",
        Phase::Estimates => "estimates",
        Phase::Pool => "pool",
        Phase::Results => "results",
        Phase::Policies => "policies",
        Phase::Columns => "columns",
        Phase::Factors => "factors",
        Phase::Side => "side",
        Phase::Norms => "norms",
        Phase::Scores => "scores",
        Phase::Learn => "learn",
        Phase::Publish | Phase::Unspecified => "publish",
    }
}

/// The name of an artifact; `algorithm` is empty where the phase has none.
pub(super) fn artifact_name(phase: Phase, shard: ShardId, algorithm: &str, step: u32) -> String {
    match phase {
        Phase::Factors => format!("{algorithm}-{step:03}-{shard:02}"),
        _ if algorithm.is_empty() => format!("{shard:02}"),
        _ => format!("{algorithm}-{shard:02}"),
    }
}

//! What a request asks for: which task, by which rules, from which inputs.

use std::sync::Arc;

use mercer_algorithms::recommend::similarity::Similarity;
use mercer_common::{limits, rpc::status::InvalidRequest, slot::ShardId};
use mercer_proto::internal::{Phase, RunTaskRequest, TaskInput, TrainingSpec};

use super::TrainingError;

/// What identifies a task.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) job: String,
    pub(super) phase: Phase,
    pub(super) shard: ShardId,
    pub(super) algorithm: String,
}

/// A part of a cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// What users did.
    Interactions,
    /// Items with what was sold of them.
    Series,
}

/// A kind of results by item that is pooled over all shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// How much of an item is asked for.
    Demand,
    /// What price does to it.
    Elasticity,
}

impl Kind {
    /// As tasks name it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Demand => "demand",
            Self::Elasticity => "elasticity",
        }
    }
}

/// The series part of a cut, as tasks name it.
pub(super) const SERIES: &str = "series";
/// What policies are trained as.
pub(super) const INVENTORY: &str = "inventory";

/// A phase together with what it is about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Step {
    Cut(Part),
    Dictionary,
    Encode,
    Statistics,
    Rows(Similarity),
    Postings(Similarity),
    Estimates(Kind),
    Pool(Kind),
    Results(Kind),
    Policies,
}

impl Step {
    /// `None` when `algorithm` does not belong to `phase`.
    fn new(phase: Phase, algorithm: &str) -> Option<Self> {
        let kind = || [Kind::Demand, Kind::Elasticity].into_iter().find(|k| k.name() == algorithm);
        let similarity = || Similarity::parse(algorithm);
        let step = match phase {
            Phase::Rows => return similarity().map(Self::Rows),
            Phase::Postings => return similarity().map(Self::Postings),
            Phase::Estimates => return kind().map(Self::Estimates),
            Phase::Pool => return kind().map(Self::Pool),
            Phase::Results => return kind().map(Self::Results),
            Phase::Policies => return (algorithm == INVENTORY).then_some(Self::Policies),
            Phase::Cut if algorithm == SERIES => return Some(Self::Cut(Part::Series)),
            Phase::Cut => Self::Cut(Part::Interactions),
            Phase::Dictionary => Self::Dictionary,
            Phase::Encode => Self::Encode,
            Phase::Statistics => Self::Statistics,
            _ => return None,
        };
        algorithm.is_empty().then_some(step)
    }
}

/// A checked request.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) spec: TrainingSpec,
    pub(super) shards: ShardId,
    pub(super) step: Step,
    pub(super) inputs: Vec<TaskInput>,
}

impl Plan {
    pub(super) fn new(request: RunTaskRequest) -> Result<(Key, Self), Arc<TrainingError>> {
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
        let step = Step::new(phase, &task.algorithm).ok_or_else(|| {
            let phase = phase.as_str_name();
            invalid("task.algorithm", format!("`{}` is nothing that {phase} has", task.algorithm))
        })?;
        let key = Key { job: task.job_id, phase, shard, algorithm: task.algorithm };
        Ok((key, Self { spec, shards, step, inputs: request.inputs }))
    }
}

/// The folder of a phase.
pub(super) fn folder(phase: Phase) -> &'static str {
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
        Phase::Lists => "lists",
        Phase::Publish | Phase::Unspecified => "publish",
    }
}

/// The name of an artifact; `algorithm` is empty where the phase has none.
pub(super) fn artifact_name(shard: ShardId, algorithm: &str) -> String {
    if algorithm.is_empty() { format!("{shard:02}") } else { format!("{algorithm}-{shard:02}") }
}

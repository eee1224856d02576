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

/// A checked request.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) spec: TrainingSpec,
    pub(super) shards: ShardId,
    pub(super) similarity: Option<Similarity>,
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
        let similarity = match task.algorithm.as_str() {
            "" => None,
            name => Some(Similarity::parse(name).ok_or_else(|| {
                invalid("task.algorithm", format!("`{name}` is no algorithm that is trained"))
            })?),
        };
        let phase = task.phase();
        let needs_algorithm = matches!(phase, Phase::Rows | Phase::Postings);
        if matches!(phase, Phase::Unspecified | Phase::Publish) {
            return Err(invalid("task.phase", "is no phase of a worker".into()));
        }
        if needs_algorithm != similarity.is_some() {
            let description = "belongs to rows and postings, and is required there";
            return Err(invalid("task.algorithm", description.into()));
        }
        let key = Key { job: task.job_id, phase, shard, algorithm: task.algorithm };
        Ok((key, Self { spec, shards, similarity, inputs: request.inputs }))
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
        Phase::Publish | Phase::Unspecified => "publish",
    }
}

/// The name of an artifact; `algorithm` is empty where the phase has none.
pub(super) fn artifact_name(shard: ShardId, algorithm: &str) -> String {
    if algorithm.is_empty() { format!("{shard:02}") } else { format!("{algorithm}-{shard:02}") }
}

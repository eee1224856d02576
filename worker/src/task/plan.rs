//! What a request asks for: which task, by which rules, from which inputs.

use std::sync::Arc;

use mercer_common::{limits, rpc::status::InvalidRequest, slot::ShardId};
use mercer_proto::internal::{Phase, RunTaskRequest, Task, TaskInput, TrainingSpec};

use super::{TrainingError, names::Part, stage::Stage};

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
        let stage = stages.iter().find(|stage| stage.makes(phase, algorithm));
        stage.copied().map(Self::Stage)
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

#[cfg(test)]
mod tests {
    use mercer_common::pipeline::{Graph, MERCER, numbers};

    use super::*;
    use crate::domain;

    #[test]
    fn every_declared_stage_is_one_of_a_domain_and_every_cut_a_part() {
        let spec = TrainingSpec {
            algorithms: MERCER.products().map(|product| product.name.to_owned()).collect(),
            shard_count: 1,
            ..TrainingSpec::default()
        };
        let graph = Graph::new(&MERCER, &spec).expect("declared");
        let stages = domain::stages();
        let mut used = vec![false; stages.len()];
        for phase in graph.phases() {
            for task in graph.tasks(phase.name, 0) {
                let number = numbers::number(task.phase);
                let work = Work::new(number, task.name, &stages);
                assert!(work.is_some(), "nothing makes {task:?}");
                let made_by = (0..).zip(&stages).filter(|(_, one)| one.makes(number, task.name));
                let made_by: Vec<usize> = made_by.map(|(place, _)| place).collect();
                assert_eq!(made_by.len(), usize::from(phase.name != "cut"), "{task:?}");
                made_by.into_iter().for_each(|place| used[place] = true);
            }
        }
        assert!(!used.contains(&false), "stages that nothing declares: {used:?}");
    }
}

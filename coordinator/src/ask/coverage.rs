//! The one place that decides what an answer without some of the shards is worth.
//!
//! Missing item shards make an answer partial, with a coverage below 1; with none of them there
//! is no answer. A missing user shard never gets here: it fails the call before the fan-out.

use std::collections::BTreeSet;

use mercer_proto::internal::ShardPosition;

use super::{
    error::AskError,
    fanout::{CallError, Part, Restart},
};

/// Answers of workers, judged.
#[derive(Debug)]
pub(crate) struct Covered<R> {
    pub(crate) answers: Vec<R>,
    /// Shards that answered, with what they had applied.
    pub(crate) positions: Vec<ShardPosition>,
    /// Shards that answered / shards asked.
    pub(crate) coverage: f64,
}

/// What became of a fan-out.
#[derive(Debug)]
pub(crate) enum Verdict<R> {
    Answer(Covered<R>),
    /// The cluster changed under the call: begin it again.
    Restart(Restart),
}

/// Judges the parts of a fan-out over `asked` item shards.
pub(crate) fn judge<R>(
    asked: usize,
    parts: Vec<Part<R>>,
    answered: impl Fn(&R) -> &[ShardPosition],
) -> Result<Verdict<R>, AskError> {
    let mut answers = Vec::new();
    let mut positions = Vec::new();
    let mut shards = BTreeSet::new();
    let mut missing = String::from("no worker holds any");
    for part in parts {
        match part.outcome {
            Ok(answer) => {
                for position in answered(&answer) {
                    if shards.insert(position.shard) {
                        positions.push(*position);
                    }
                }
                answers.push(answer);
            }
            Err(CallError::Restart(restart)) => return Ok(Verdict::Restart(restart)),
            Err(CallError::Failed(status)) => return Err(AskError::Worker(status)),
            Err(CallError::Missing(reason)) => {
                missing = format!("worker `{}` {reason}", part.worker_id);
            }
        }
    }
    if shards.is_empty() {
        return Err(AskError::NoCoverage { reason: missing });
    }
    let coverage = shards.len() as f64 / asked as f64;
    Ok(Verdict::Answer(Covered { answers, positions, coverage }))
}

#[cfg(test)]
mod tests {
    use mercer_common::rpc::status::{Describe as _, InvalidRequest};

    use super::*;

    fn part(outcome: Result<Vec<u32>, CallError>) -> Part<Vec<ShardPosition>> {
        let outcome = outcome.map(|shards| {
            shards.into_iter().map(|shard| ShardPosition { shard, sequence: 1 }).collect()
        });
        Part { worker_id: "w".into(), outcome }
    }

    fn missing() -> Result<Vec<u32>, CallError> {
        Err(CallError::Missing("is away".into()))
    }

    #[test]
    fn policy() {
        let judge = |parts: Vec<_>| judge(4, parts.into_iter().map(part).collect(), |a| a);
        let coverage = |parts| match judge(parts) {
            Ok(Verdict::Answer(covered)) => covered.coverage,
            other => panic!("{other:?}"),
        };
        assert_eq!(coverage(vec![Ok(vec![0, 1]), Ok(vec![2, 3])]), 1.0);
        assert_eq!(coverage(vec![Ok(vec![0, 1]), missing()]), 0.5);
        // A worker of which one shard is recovering.
        assert_eq!(coverage(vec![Ok(vec![0]), Ok(vec![2, 3])]), 0.75);

        let nothing = judge(vec![missing(), Ok(vec![])]);
        assert!(matches!(nothing, Err(AskError::NoCoverage { .. })), "{nothing:?}");
        let restart =
            judge(vec![Ok(vec![0]), Err(CallError::Restart(Restart::Gone("gone".into())))]);
        assert!(matches!(restart, Ok(Verdict::Restart(_))), "{restart:?}");
        let failed = CallError::Failed(InvalidRequest::field("n", "no").to_status().into());
        let failed = judge(vec![Ok(vec![0]), Err(failed)]);
        assert!(matches!(failed, Err(AskError::Worker(_))), "{failed:?}");
    }
}

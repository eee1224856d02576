//! What may be asked of a worker again, and what not.

use mercer_common::rpc::{LOW_ON_SPACE, status::Code};

use crate::cluster::workers::Failure;

/// What a failed call to a worker means for what a job asked of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Setback {
    /// The worker is not ready; try again.
    NotReady,
    /// The worker may be lost; try again, a bounded number of times.
    Retryable,
    /// It would fail everywhere, and always.
    Permanent,
}

impl Setback {
    pub(super) fn of(failure: &Failure) -> Self {
        let reason = failure.reason();
        let reason = reason.as_deref().unwrap_or_default();
        match (failure.code(), reason) {
            (_, "STALE_GENERATION" | "NOT_HELD" | "NOT_READY") => Self::NotReady,
            (Code::Internal, reason) if reason.starts_with("ARTIFACT_") => Self::Permanent,
            (_, "CUT_FAILED" | "MANIFEST_INCOMPLETE" | LOW_ON_SPACE) => Self::Permanent,
            (
                Code::InvalidArgument
                | Code::NotFound
                | Code::FailedPrecondition
                | Code::DataLoss
                | Code::OutOfRange
                | Code::Unimplemented,
                _,
            ) => Self::Permanent,
            _ => Self::Retryable,
        }
    }
}

#[cfg(test)]
mod tests {
    use mercer_common::rpc::status::{Describe, Description};

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{1}")]
    struct Answered(Code, &'static str);

    impl Describe for Answered {
        fn describe(&self) -> Description {
            Description::new(self.0, self.1)
        }
    }

    #[test]
    fn failures_are_told_apart() {
        let cases = [
            (Code::Unavailable, "", Setback::Retryable),
            (Code::Internal, "INTERNAL", Setback::Retryable),
            (Code::Cancelled, "TASK_CANCELLED", Setback::Retryable),
            (Code::Unavailable, "NOT_READY", Setback::NotReady),
            (Code::FailedPrecondition, "STALE_GENERATION", Setback::NotReady),
            (Code::DataLoss, "ARTIFACT_DAMAGED", Setback::Permanent),
            (Code::Internal, "ARTIFACT_NONDETERMINISTIC", Setback::Permanent),
            (Code::InvalidArgument, "TASK_INPUTS", Setback::Permanent),
            (Code::Aborted, "CUT_FAILED", Setback::Permanent),
            (Code::ResourceExhausted, "LOW_ON_SPACE", Setback::Permanent),
            (Code::Internal, "MANIFEST_INCOMPLETE", Setback::Permanent),
            (Code::ResourceExhausted, "TOO_MANY_TASKS", Setback::Retryable),
        ];
        for (code, reason, expected) in cases {
            assert_eq!(
                Setback::of(&Answered(code, reason).to_status().into()),
                expected,
                "{reason}"
            );
        }
    }
}

//! What phases, parts of cuts and artifacts are called.

use mercer_common::slot::ShardId;
use mercer_proto::internal::Phase;

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
    pub(super) const ALL: [Self; 4] =
        [Self::Interactions, Self::Series, Self::Content, Self::Users];

    /// The name that tasks use.
    pub(super) fn name(self) -> &'static str {
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

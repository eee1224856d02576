//! What phases, parts of cuts and artifacts are called.

/// The folder of a phase.
pub(crate) use mercer_common::pipeline::numbers::name as folder;
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

/// The name of an artifact; `algorithm` is empty where the phase has none.
pub(super) fn artifact_name(phase: Phase, shard: ShardId, algorithm: &str, step: u32) -> String {
    match phase {
        Phase::Factors => format!("{algorithm}-{step:03}-{shard:02}"),
        _ if algorithm.is_empty() => format!("{shard:02}"),
        _ => format!("{algorithm}-{shard:02}"),
    }
}

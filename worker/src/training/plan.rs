//! What a request asks for: which task, by which rules, from which inputs.

use std::sync::Arc;

use mercer_algorithms::recommend::similarity::Similarity;
use mercer_common::{limits, rpc::status::InvalidRequest, slot::ShardId};
use mercer_proto::internal::{Phase, RunTaskRequest, Task, TaskInput, TrainingSpec};

use super::{
    TrainingError, factors::Factorization, linear::Linear, scores::ByItem, transitions::Order,
};

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
/// The content part of a cut, and what is made of it.
pub(super) const CONTENT: &str = "content";
/// The part of a cut that names users.
pub(super) const USERS: &str = "users";
/// Encoded events in their order.
pub(super) const SEQUENCES: &str = "sequences";
/// What policies are trained as.
pub(super) const INVENTORY: &str = "inventory";
/// Methods that compare users.
const USER_BASED: [&str; 2] = ["user-cosine", "user-pearson"];

/// How the rows of an algorithm come about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rows {
    Similarity(Similarity),
    Order(Order),
    /// Nearest by their factors.
    Factors(Factorization),
    Linear(Linear),
    /// Described alike.
    Content,
    /// Users with their items, of a shard of users.
    Users,
}

impl Rows {
    fn parse(algorithm: &str) -> Option<Self> {
        let users = || USER_BASED.contains(&algorithm).then_some(Self::Users);
        let neighbours = Similarity::parse(algorithm).map(Self::Similarity);
        neighbours
            .or_else(|| Order::parse(algorithm).map(Self::Order))
            .or_else(|| Factorization::parse(algorithm).map(Self::Factors))
            .or_else(|| Linear::parse(algorithm).map(Self::Linear))
            .or_else(|| (algorithm == CONTENT).then_some(Self::Content))
            .or_else(users)
    }

    /// Whether they are regrouped as postings.
    fn are_neighbours(self) -> bool {
        self != Self::Users
    }
}

/// A phase together with what it is about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Step {
    Cut(Part),
    Dictionary,
    Encode,
    Sequences,
    Columns,
    Statistics,
    /// What the catalogue says of all items.
    Content,
    Factors(Factorization),
    Side(Factorization),
    Rows(Rows),
    Postings,
    Norms,
    Scores(ByItem),
    Learn,
    Estimates(Kind),
    Pool(Kind),
    Results(Kind),
    Policies,
}

impl Step {
    /// `None` when `algorithm` does not belong to `phase`.
    fn new(phase: Phase, algorithm: &str) -> Option<Self> {
        let kind = || [Kind::Demand, Kind::Elasticity].into_iter().find(|k| k.name() == algorithm);
        let neighbours = || Rows::parse(algorithm).filter(|rows| rows.are_neighbours());
        let only = |step| algorithm.is_empty().then_some(step);
        match phase {
            Phase::Cut => Part::ALL.into_iter().find(|p| p.name() == algorithm).map(Self::Cut),
            Phase::Dictionary => only(Self::Dictionary),
            Phase::Encode if algorithm == SEQUENCES => Some(Self::Sequences),
            Phase::Encode => only(Self::Encode),
            Phase::Columns => only(Self::Columns),
            Phase::Statistics if algorithm == CONTENT => Some(Self::Content),
            Phase::Statistics => only(Self::Statistics),
            Phase::Factors => Factorization::parse(algorithm).map(Self::Factors),
            Phase::Side => Factorization::parse(algorithm).map(Self::Side),
            Phase::Rows => Rows::parse(algorithm).map(Self::Rows),
            Phase::Postings => neighbours().map(|_| Self::Postings),
            Phase::Norms => neighbours().map(|_| Self::Norms),
            Phase::Scores => ByItem::parse(algorithm).map(Self::Scores),
            Phase::Estimates => kind().map(Self::Estimates),
            Phase::Pool => kind().map(Self::Pool),
            Phase::Results => kind().map(Self::Results),
            Phase::Policies => (algorithm == INVENTORY).then_some(Self::Policies),
            Phase::Learn => only(Self::Learn),
            Phase::Publish | Phase::Unspecified => None,
        }
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
        if task.step != 0 && phase != Phase::Factors {
            return Err(invalid("task.step", format!("{} has no steps", phase.as_str_name())));
        }
        let Task { job_id: job, algorithm, step: number, .. } = task;
        let key = Key { job, phase, shard, algorithm, step: number };
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

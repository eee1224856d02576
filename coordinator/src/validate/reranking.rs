//! What lists may be reordered for.

use mercer_common::ids::Checker;
use mercer_proto::v1::Reranking;

use super::within;

/// Highest weight of a goal beside relevance.
const GOAL: f64 = 1e6;

/// Checks a reranking in the field `path`.
pub(crate) fn reranking(checker: &mut Checker, path: &str, reranking: &Reranking) {
    let field = |name: &str| format!("{path}.{name}");
    let loss = reranking.max_relevance_loss;
    within(checker, || field("max_relevance_loss"), Some(loss), 0.0..=1.0);
    let goals = [
        ("margin", reranking.margin),
        ("stock", reranking.stock),
        ("overstock", reranking.overstock),
        ("diversity", reranking.diversity),
    ];
    for (name, weight) in goals {
        within(checker, || field(name), Some(weight), 0.0..=GOAL);
    }
}

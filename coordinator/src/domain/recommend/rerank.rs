//! Lists in an order of more than relevance.

use std::cmp::Ordering;

use mercer_algorithms::recommend::rerank::{self, Goal, Likeness};
use mercer_common::limits;
use mercer_proto::{
    internal::RerankFacts,
    v1::{PlacePart, Recommendation, Reranking},
};

use super::{
    Query,
    merge::{self, Ranked},
};

/// Days of cover beyond which stock is too much.
const COVER_DAYS: f64 = 28.0;

/// The call's n results of those that workers found, with the share of relevance that their order
/// gives up.
pub(super) async fn order(ranked: Vec<Ranked>, query: &Query) -> (Vec<Recommendation>, f64) {
    let n = query.n as usize;
    let Some(reranking) = query.reranking else {
        return (ranked.into_iter().map(|(item, _)| item).take(n).collect(), 0.0);
    };
    let explain = query.explain;
    // Some milliseconds where lists are long.
    let reordering = tokio::task::spawn_blocking(move || reordered(ranked, &reranking, n, explain));
    reordering.await.unwrap_or_default()
}

/// Reorders what was scored, at most [`limits::RERANKED`] of it; what fills up stays behind.
fn reordered(
    mut ranked: Vec<Ranked>,
    reranking: &Reranking,
    n: usize,
    explain: bool,
) -> (Vec<Recommendation>, f64) {
    let scored = ranked
        .iter()
        .take((4 * n).min(limits::RERANKED as usize))
        .take_while(|(item, _)| merge::place(item) == 0)
        .count();
    let behind = ranked.split_off(scored);
    let relevance: Vec<f64> = ranked.iter().map(|(item, _)| item.score).collect();
    let values = |value: fn(&RerankFacts) -> Option<f64>| -> Vec<Option<f64>> {
        ranked.iter().map(|(_, facts)| value(facts).filter(|value| value.is_finite())).collect()
    };
    let named = [
        ("margin", reranking.margin, values(|facts| facts.margin_share)),
        ("stock", reranking.stock, values(|facts| facts.stock)),
        ("overstock", reranking.overstock, values(overstock)),
    ];
    let goals: Vec<Goal<'_>> =
        named.iter().map(|(_, weight, values)| Goal { weight: *weight, values }).collect();
    let likeness: Vec<Likeness<'_>> = ranked
        .iter()
        .map(|(_, facts)| Likeness { vector: &facts.vector, labels: &facts.labels })
        .collect();
    let new = rerank::rerank(&rerank::Reranking {
        relevance: &relevance,
        goals: &goals,
        diversity: reranking.diversity,
        likeness: &likeness,
        n,
        max_relevance_loss: reranking.max_relevance_loss,
    });
    let names = named.each_ref().map(|(name, ..)| *name);
    let mut left: Vec<Option<Recommendation>> =
        ranked.into_iter().map(|(item, _)| Some(item)).collect();
    let mut items = Vec::new();
    for placed in &new.results {
        let Some(item) = left.get_mut(placed.from).and_then(Option::take) else { continue };
        let place = if explain { parts(placed, names) } else { Vec::new() };
        items.push(Recommendation { place, ..item });
    }
    // Beyond what can be reordered, the rest follows in its own order.
    items.extend(left.into_iter().flatten());
    items.extend(behind.into_iter().map(|(item, _)| item));
    items.truncate(n);
    (items, new.relevance_loss)
}

/// Days of cover beyond those that are enough.
fn overstock(facts: &RerankFacts) -> Option<f64> {
    facts.cover_days.map(|days| (days - COVER_DAYS).max(0.0))
}

/// What a result has its place by: relevance, the goals of these names and diversity.
fn parts(placed: &rerank::Placed, goals: [&'static str; 3]) -> Vec<PlacePart> {
    let mut parts = vec![("relevance", placed.relevance)];
    parts.extend(goals.into_iter().zip(placed.goals.iter().copied()));
    parts.push(("diversity", placed.diversity));
    parts.retain(|(_, part)| part.partial_cmp(&0.0) != Some(Ordering::Equal));
    let parts = parts.into_iter();
    parts.map(|(name, contribution)| PlacePart { name: name.to_owned(), contribution }).collect()
}

#[cfg(test)]
mod tests;

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
    let work = move || reordered(ranked, &reranking, n, explain);
    tokio::task::spawn_blocking(work).await.unwrap_or_default()
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
    let beyond = |facts: &RerankFacts| facts.cover_days.map(|days| (days - COVER_DAYS).max(0.0));
    let named = [
        ("margin", reranking.margin, values(|facts| facts.margin_share)),
        ("stock", reranking.stock, values(|facts| facts.stock)),
        ("overstock", reranking.overstock, values(beyond)),
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
    let parts = |placed: &rerank::Placed| -> Vec<PlacePart> {
        let goals = named.iter().zip(&placed.goals).map(|((name, ..), part)| (*name, *part));
        [("relevance", placed.relevance)]
            .into_iter()
            .chain(goals)
            .chain([("diversity", placed.diversity)])
            .filter(|(_, part)| part.partial_cmp(&0.0) != Some(Ordering::Equal))
            .map(|(name, contribution)| PlacePart { name: name.to_owned(), contribution })
            .collect()
    };
    let places: Vec<(usize, Vec<PlacePart>)> = new
        .results
        .iter()
        .map(|placed| (placed.from, if explain { parts(placed) } else { Vec::new() }))
        .collect();
    let mut left: Vec<Option<Recommendation>> =
        ranked.into_iter().map(|(item, _)| Some(item)).collect();
    let first = places.into_iter().filter_map(|(from, place)| {
        let item = left.get_mut(from)?.take()?;
        Some(Recommendation { place, ..item })
    });
    let mut items: Vec<Recommendation> = first.collect();
    // Beyond what can be reordered, the rest follows in its own order.
    items.extend(left.into_iter().flatten());
    items.extend(behind.into_iter().map(|(item, _)| item));
    items.truncate(n);
    (items, new.relevance_loss)
}

#[cfg(test)]
mod tests;

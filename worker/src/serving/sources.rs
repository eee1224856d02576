//! How each algorithm scores items: what one source of a call is.

use mercer_algorithms::recommend::users::UserSimilarity;
use mercer_proto::internal::SourceQuery;

use crate::version::{FactorSide, ItemScores, OpenModel, OpenSet, OpenUsers, RepurchaseModel};

/// The algorithm that scores nothing: what sells most.
pub(super) const POPULAR: &str = "popular";

/// How an algorithm scores.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source<'a> {
    /// By the neighbours of the items of a profile.
    Neighbours(&'a OpenModel),
    /// By products with a user's vector; candidates are the nearest items of the profile's.
    Factors(&'a OpenModel, &'a FactorSide),
    /// By what similar users have; computed in the user's shard.
    Users(UserSimilarity, &'a OpenUsers),
    /// By the user's own purchases; computed in the user's shard.
    Repurchase(&'a RepurchaseModel),
    /// By one number for every item.
    Items(&'a ItemScores),
}

/// How an algorithm of a set scores; `None` for one that the set lacks, and for mixes.
pub(super) fn of<'a>(set: &'a OpenSet, algorithm: &str) -> Option<Source<'a>> {
    let model = set.model(algorithm)?;
    if let Some(side) = model.factors() {
        return Some(Source::Factors(model, side));
    }
    if let Some(users) = model.users() {
        return Some(Source::Users(UserSimilarity::parse(algorithm)?, users));
    }
    if let Some(repurchase) = model.repurchase() {
        return Some(Source::Repurchase(repurchase));
    }
    if let Some(scores) = model.scores() {
        return Some(Source::Items(scores));
    }
    Some(Source::Neighbours(model))
}

/// The source that a query asks; `None` when it asks nothing.
pub(super) fn asked<'a>(set: &'a OpenSet, query: &SourceQuery) -> Option<Source<'a>> {
    if query.scale <= 0.0 {
        return None;
    }
    match of(set, &query.algorithm)? {
        // Without a user the nearest items themselves are asked for.
        Source::Factors(model, _) if query.vector.is_empty() => Some(Source::Neighbours(model)),
        source => Some(source),
    }
}

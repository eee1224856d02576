//! How each algorithm scores items: what one source of a call is.

use mercer_algorithms::recommend::{
    factors::{self, FactorMatrix, FactorSpec, Gramian},
    users::UserSimilarity,
};
use mercer_proto::internal::SourceQuery;

use super::stages::{Factorization, factor_spec};
use crate::{
    artifact::{FactorSide, ItemScores, RepurchaseModel},
    version::{OpenModel, OpenSet, OpenUsers},
};

/// The algorithm that scores nothing: what sells most.
pub(super) const POPULAR: &str = "popular";

/// How an algorithm scores.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source<'a> {
    /// Sums over the neighbours of the items of a profile.
    Neighbours(&'a OpenModel),
    /// Products with a user's vector; candidates are the nearest items of the profile's.
    Factors(&'a OpenModel, &'a FactorSide),
    /// What similar users have; computed in the user's shard.
    Users(UserSimilarity, &'a OpenUsers),
    /// The user's own purchases; computed in the user's shard.
    Repurchase(&'a RepurchaseModel),
    /// One number for every item.
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

/// Factors of items with what folds users in.
pub(super) struct SourceFactors<'a> {
    spec: FactorSpec,
    items: FactorMatrix<'a>,
    gramian: Gramian,
}

impl<'a> SourceFactors<'a> {
    /// `None` when the set was trained by another spec than it says.
    pub(super) fn new(set: &OpenSet, algorithm: &str, side: &'a FactorSide) -> Option<Self> {
        let spec = factor_spec(set.spec(), Factorization::parse(algorithm)?).ok()?;
        let dimensions = side.dimensions();
        let items = FactorMatrix::new(dimensions, [side.factors()]).ok()?;
        let gramian = Gramian::from_sums(dimensions, side.gramian().to_vec())?;
        (spec.dimensions == dimensions).then_some(Self { spec, items, gramian })
    }

    /// The vector of a user with this whole history.
    pub(super) fn fold_in(&self, rows: &[u32], weights: &[f32]) -> Vec<f32> {
        factors::fold_in(&self.spec, &self.items, &self.gramian, rows, weights)
    }

    /// What each row of the history adds to the scores of `targets`.
    pub(super) fn contributions(
        &self,
        rows: &[u32],
        weights: &[f32],
        targets: &[u32],
    ) -> Vec<Vec<f64>> {
        let Self { spec, items, gramian } = self;
        factors::contributions(spec, items, gramian, rows, weights, targets)
    }
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

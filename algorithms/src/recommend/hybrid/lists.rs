//! The best items of users by one or more trained sources, and how good a list is.

use ndarray::Array2;

use super::source::{Person, Query, Source};
use crate::{
    control::{Cancelled, Control},
    recommend::{
        profile::Recency,
        score::{Scorer, Scoring},
    },
};

/// Sources with what is asked of them for a run of users.
pub(crate) struct Asked<'a> {
    sources: Vec<&'a Source>,
    /// Queries by source, then user.
    queries: Vec<Vec<Query>>,
    /// All items are scored where a source can, rather than the candidates of all sources.
    all: bool,
}

impl<'a> Asked<'a> {
    pub(crate) fn new(
        sources: &[(&'a Source, Recency)],
        people: &[Person<'_>],
        all: bool,
        control: &dyn Control,
    ) -> Result<Self, Cancelled> {
        let mut queries = Vec::with_capacity(sources.len());
        for &(source, recency) in sources {
            queries.push(source.queries(people, recency, control)?);
        }
        Ok(Self { sources: sources.iter().map(|&(source, _)| source).collect(), queries, all })
    }

    /// What needs many users at once, for users `range`: a row a user, by source.
    pub(crate) fn products(&self, range: std::ops::Range<usize>) -> Vec<Option<Array2<f32>>> {
        let mut products = Vec::with_capacity(self.sources.len());
        for (source, queries) in self.sources.iter().zip(&self.queries) {
            let of_source = if self.all { source.products(&queries[range.clone()]) } else { None };
            products.push(of_source);
        }
        products
    }

    /// All candidates of user number `user`, who has row `row` of `products`, with their raw
    /// scores by every source.
    pub(crate) fn score<'s>(
        &self,
        user: usize,
        row: usize,
        products: &[Option<Array2<f32>>],
        items: usize,
        scorer: &'s mut Scorer,
    ) -> Scoring<'s> {
        let mut scoring = scorer.begin(items, self.sources.len());
        for (at, source) in self.sources.iter().enumerate() {
            source.name(at, &self.queries[at][user], self.all, &mut scoring);
        }
        for (at, source) in self.sources.iter().enumerate() {
            let products = products[at].as_ref().and_then(|all| all.row(row).to_slice());
            source.complete(at, &self.queries[at][user], products, &mut scoring);
        }
        scoring
    }

    /// What the raw scores of a user are divided by, by source.
    pub(crate) fn scales(&self, user: usize) -> Vec<f64> {
        self.queries.iter().map(|queries| queries[user].scale).collect()
    }
}

/// Worth of a hit at this place, from 0.
pub(crate) fn discount(place: usize) -> f64 {
    1.0 / (place as f64 + 2.0).log2()
}

/// NDCG of a list of at most `length` items: the discounted hits over those of the best list that
/// `wanted` items allow.
pub(crate) fn ndcg(hits: impl Iterator<Item = bool>, length: usize, wanted: usize) -> f64 {
    let hits = hits.take(length).enumerate().filter(|&(_, is_hit)| is_hit);
    // The sum of nothing would be -0.
    let gain = hits.fold(0.0, |gain, (place, _)| gain + discount(place));
    let ideal: f64 = (0..length.min(wanted)).map(discount).sum();
    if ideal > 0.0 { gain / ideal } else { 0.0 }
}

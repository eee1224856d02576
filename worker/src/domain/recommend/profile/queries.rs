//! What each source of an algorithm is asked with.

use mercer_algorithms::recommend::{
    hybrid::{profile_scale, score_scale, vector_scale},
    profile::Recency,
    repurchase,
    users::{self, UserSimilarity},
};
use mercer_common::rpc::status::InvalidRequest;
use mercer_proto::internal::{self, SourceQuery};
use ndarray::ArrayView2;

use super::History;
use crate::{
    artifact::FactorSide,
    domain::recommend::{
        searches::{Searches, neighbours_of},
        sources::{self, Source, SourceFactors},
    },
    serve::ServeError,
    version::{OpenModel, OpenSet, OpenUsers, VersionError},
};

/// Someone who asks a version.
pub(super) struct Asker<'a> {
    pub(super) version: &'a str,
    pub(super) set: &'a OpenSet,
    pub(super) history: &'a History,
    /// Number among the users of the version, if they were one.
    pub(super) own: &'a dyn Fn(&OpenUsers) -> Option<u32>,
    pub(super) searches: &'a Searches,
}

impl Asker<'_> {
    /// The queries of an algorithm's sources, in their order; none where nothing is scored.
    ///
    /// # Errors
    /// When the algorithm says nothing of items that are similar to one, and that is what is asked.
    pub(super) fn queries(&self, algorithm: &str) -> Result<Vec<SourceQuery>, ServeError> {
        let Some(model) = self.set.model(algorithm) else { return Ok(Vec::new()) };
        let learned = model.learned();
        if let Some(mix) = learned.and_then(|learned| learned.mix.as_ref()) {
            let mut queries = Vec::with_capacity(mix.sources.len());
            for source in &mix.sources {
                let mut query = self.query(&source.algorithm, recency(source.recency))?;
                // An item is like another by what was learned of it, not by what sells.
                if self.history.is_item && query.rows.is_empty() {
                    query.scale = 0.0;
                }
                queries.push(query);
            }
            return Ok(queries);
        }
        if self.history.is_item && !self.compares_items(algorithm) {
            let problem = format!("`{algorithm}` does not compare items");
            return Err(InvalidRequest::field("algorithm", problem).into());
        }
        let mut recencies = learned.iter().flat_map(|learned| &learned.recencies);
        let own = recencies.find(|one| one.algorithm == algorithm);
        let mut query = self.query(algorithm, recency(own.and_then(|own| own.recency)))?;
        // Alone, scores stay as the algorithm defines them.
        query.scale = 1.0;
        Ok(vec![query])
    }

    fn compares_items(&self, algorithm: &str) -> bool {
        let source = sources::of(self.set, algorithm);
        matches!(source, Some(Source::Neighbours(_) | Source::Factors(..)))
    }

    /// One source's query with the scale of its scores; 0 where it is not to be asked.
    fn query(&self, algorithm: &str, recency: Recency) -> Result<SourceQuery, ServeError> {
        let mut query = SourceQuery { algorithm: algorithm.to_owned(), ..SourceQuery::default() };
        match sources::of(self.set, algorithm) {
            None => {}
            Some(Source::Neighbours(model)) => self.neighbours(&mut query, model, recency),
            Some(Source::Factors(model, _)) if self.history.is_item => {
                self.neighbours(&mut query, model, recency);
            }
            Some(Source::Factors(_, side)) => self.factors(&mut query, side, recency)?,
            // These know no items without a past.
            Some(Source::Users(..) | Source::Repurchase(_)) if self.history.is_item => {}
            Some(Source::Users(similarity, users)) => {
                self.users(&mut query, similarity, users, recency);
            }
            Some(Source::Repurchase(model)) => {
                let (spec, profile) = (self.set.repurchase_spec(), self.set.profile_spec());
                let (events, now) = (self.history.events(), self.history.now);
                let scores = repurchase::scores(events, model.view(), profile, spec, now);
                (query.rows, query.weights) = scores.into_iter().unzip();
                query.scale = score_scale(&query.weights);
            }
            Some(Source::Items(scores)) => query.scale = scores.scale(),
        }
        Ok(query)
    }

    fn neighbours(&self, query: &mut SourceQuery, model: &OpenModel, recency: Recency) {
        self.decayed(query, recency);
        let norms = model.norms().unwrap_or_default();
        query.scale = profile_scale(&query.rows, &query.weights, norms);
    }

    /// The rows of the profile with their weights after recency.
    fn decayed(&self, query: &mut SourceQuery, recency: Recency) {
        let decayed = self.history.entries.iter().map(|entry| {
            let weight = f64::from(entry.weight) * recency.decay(entry);
            (entry.item, weight as f32)
        });
        (query.rows, query.weights) = decayed.unzip();
    }

    /// Folds the whole history in; what speaks for the user also names candidates.
    fn factors(
        &self,
        query: &mut SourceQuery,
        side: &FactorSide,
        recency: Recency,
    ) -> Result<(), ServeError> {
        self.decayed(query, recency);
        let dimensions = side.dimensions();
        let covariance = ArrayView2::from_shape([dimensions; 2], side.covariance()).ok();
        let factors = SourceFactors::new(self.set, &query.algorithm, side);
        let Some((factors, covariance)) = factors.zip(covariance) else {
            return Err(self.incomplete("factors of another spec").into());
        };
        query.vector = factors.fold_in(&query.rows, &query.weights);
        query.scale = vector_scale(&query.vector, covariance);
        Ok(())
    }

    /// What the most similar users have.
    fn users(
        &self,
        query: &mut SourceQuery,
        similarity: UserSimilarity,
        users: &OpenUsers,
        recency: Recency,
    ) {
        self.decayed(query, recency);
        let spec = self.set.spec().similarity.unwrap_or_default();
        let (own, k) = ((self.own)(users), spec.user_neighbours as usize);
        let scores = users.read(|index| {
            let mut search = self.searches.take();
            let (rows, weights) = (&query.rows, &query.weights);
            let similar = neighbours_of(&mut search, index, similarity, rows, weights, own, k);
            let scores = search.scores(index, similarity, &similar, users::ITEMS);
            self.searches.put(search);
            scores
        });
        (query.rows, query.weights) = scores.into_iter().unzip();
        query.scale = score_scale(&query.weights);
    }

    fn incomplete(&self, detail: &str) -> VersionError {
        VersionError::Manifest { version: self.version.to_owned(), detail: detail.to_owned() }
    }
}

fn recency(stored: Option<internal::Recency>) -> Recency {
    let stored = stored.unwrap_or_default();
    Recency { rank_half_life: stored.rank_half_life, age_half_life_days: stored.age_half_life_days }
}

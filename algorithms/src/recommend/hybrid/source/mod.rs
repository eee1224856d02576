//! Trained sources and their scores, in one process.

mod factors;
mod people;

use ndarray::Array2;

use super::{
    algorithm::{Algorithm, ModelSpec},
    data::Dataset,
    scale::{profile_scale, score_scale},
};
use crate::{
    control::{Cancelled, Control},
    recommend::{
        factors::FactorSpec,
        linear::{ease, slim, sparse_ease},
        popularity,
        postings::{NeighbourRows, Postings, PostingsBuf, regroup},
        profile::{ProfileEntry, Recency},
        score::{Profile, Scoring},
        sequences::History,
        similarity::{Neighbours, statistics, top_neighbours},
        transitions::{Baskets, Transitions},
        trends,
    },
};
use factors::ItemFactors;
use people::{Repeats, SimilarUsers};

/// Items that sources with one number an item make candidates.
const BEST_ITEMS: usize = 5_000;

/// Trained algorithm.
pub(crate) enum Source {
    /// Neighbours of the items of the profile.
    Neighbourhood {
        postings: PostingsBuf,
        /// Length of each row of neighbours.
        norms: Vec<f32>,
    },
    /// Products of vectors.
    Factors(Box<ItemFactors>),
    /// Items of similar users.
    Users(Box<SimilarUsers>),
    /// Items that the user buys again.
    Repeats(Box<Repeats>),
    /// Scores, one an item.
    Items {
        scores: Vec<f32>,
        scale: f64,
        /// Rows of the best, which are candidates for everybody.
        best: Vec<u32>,
    },
}

/// Whom a source is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Person<'a> {
    /// The profile, ascending by row.
    pub(crate) entries: &'a [ProfileEntry],
    pub(crate) history: History<'a>,
    /// The person's row of the training matrix.
    pub(crate) row: Option<u32>,
}

/// What a source is asked for one user.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query {
    rows: Vec<u32>,
    weights: Vec<f32>,
    vector: Vec<f32>,
    /// What scores are divided by in a mix.
    pub(crate) scale: f64,
}

impl Source {
    /// Trains `algorithm`; what is not trained from events has no neighbours.
    pub(crate) fn train(
        algorithm: Algorithm,
        data: &Dataset<'_>,
        spec: &ModelSpec,
        control: &dyn Control,
    ) -> Result<Self, Cancelled> {
        let items = data.items;
        let k = spec.neighbours;
        let parts = [data.sequences];
        let rows = 0..items as u32;
        let users = [data.matrix.view(items).expect("profiles are bounded and ascending")];
        let neighbours = |neighbours: Result<Neighbours, Cancelled>| {
            Self::neighbourhood(&neighbours?, data, control)
        };
        match algorithm {
            Algorithm::Similar(similarity) => {
                let statistics = statistics(&users, items, control)?;
                neighbours(top_neighbours(
                    similarity,
                    &spec.similarity,
                    &users,
                    &statistics,
                    &popularity::inverse(&data.row_of_label),
                    &data.row_of_label,
                    k,
                    control,
                ))
            }
            Algorithm::Transitions => {
                let (spec, labels) = (&spec.transitions, &data.row_of_label);
                let visits = Transitions::new(spec, &parts, data.profile, labels, control)?;
                neighbours(visits.neighbours(rows, k, control))
            }
            Algorithm::BoughtTogether => {
                let (spec, labels) = (&spec.baskets, &data.row_of_label);
                let baskets = Baskets::new(spec, &parts, data.profile, labels, control)?;
                neighbours(baskets.neighbours(rows, k, control))
            }
            Algorithm::Ials | Algorithm::Als => {
                let explicit = algorithm == Algorithm::Als;
                let spec = FactorSpec { explicit, ..spec.factors };
                Ok(Self::Factors(Box::new(ItemFactors::train(&spec, data, k, control)?)))
            }
            Algorithm::Slim => {
                neighbours(slim(&spec.slim, &users, &data.row_of_label, rows, k, control))
            }
            Algorithm::Ease if items <= spec.exact_items => {
                let regularization = spec.ease.regularization;
                neighbours(ease(regularization, &users, &data.row_of_label, k, control))
            }
            Algorithm::Ease => {
                neighbours(sparse_ease(&spec.ease, &users, &data.row_of_label, rows, k, control))
            }
            Algorithm::Users(similarity) => {
                let neighbours = spec.user_neighbours;
                let users = SimilarUsers::train(similarity, data, neighbours, control)?;
                Ok(Self::Users(Box::new(users)))
            }
            Algorithm::Repurchase => {
                Ok(Self::Repeats(Box::new(Repeats::train(data, &spec.repurchase, control)?)))
            }
            Algorithm::Popular => {
                Ok(Self::items(data.popularity.iter().map(|&count| count as f32).collect()))
            }
            Algorithm::Trend(trend) => {
                let (profile, trends) = (data.profile, &spec.trends);
                let scores =
                    trends::scores(trend, &parts, items, data.as_of, profile, trends, control)?;
                Ok(Self::items(scores))
            }
            // Neighbours by content are given; a mix is learned.
            Algorithm::Content | Algorithm::Hybrid => {
                let nothing = vec![0; items + 1];
                neighbours(Ok(Neighbours { offsets: nothing, ..Neighbours::default() }))
            }
        }
    }

    fn neighbourhood(
        neighbours: &Neighbours,
        data: &Dataset<'_>,
        control: &dyn Control,
    ) -> Result<Self, Cancelled> {
        let parts = [NeighbourRows::from(neighbours)];
        let postings = regroup(&parts, &data.row_of_label, 0..data.items as u32, control)?;
        Ok(Self::given(postings))
    }

    /// A neighbourhood that was trained elsewhere.
    pub(crate) fn given(postings: PostingsBuf) -> Self {
        let norms = postings.offsets.windows(2).map(|bounds| {
            let row = &postings.weights[bounds[0] as usize..bounds[1] as usize];
            row.iter().map(|&weight| f64::from(weight).powi(2)).sum::<f64>().sqrt() as f32
        });
        Self::Neighbourhood { norms: norms.collect(), postings }
    }

    fn items(scores: Vec<f32>) -> Self {
        let mut best: Vec<u32> = (0..).take(scores.len()).collect();
        best.retain(|&row| scores[row as usize] > 0.0);
        best.sort_by(|&left, &right| scores[right as usize].total_cmp(&scores[left as usize]));
        best.truncate(BEST_ITEMS);
        Self::Items { scale: score_scale(&scores), scores, best }
    }

    /// Whether half-lives of the profile change anything.
    pub(crate) fn uses_recency(&self) -> bool {
        !matches!(self, Self::Items { .. } | Self::Repeats(_))
    }

    /// Whether the source can score all items.
    pub(crate) fn scores_all(&self) -> bool {
        matches!(self, Self::Factors(_))
    }

    /// Bytes that are read to score all items for one user.
    pub(crate) fn scan_bytes(&self) -> usize {
        if let Self::Factors(factors) = self { factors.bytes() } else { 0 }
    }

    /// Makes the queries for these people.
    pub(crate) fn queries(
        &self,
        people: &[Person<'_>],
        recency: Recency,
        control: &dyn Control,
    ) -> Result<Vec<Query>, Cancelled> {
        match self {
            Self::Neighbourhood { norms, .. } => {
                let mut queries = Vec::with_capacity(people.len());
                for person in people {
                    let entries = person.entries.iter();
                    let (rows, weights): (Vec<u32>, Vec<f32>) =
                        entries.map(|entry| (entry.item, decayed(entry, recency))).unzip();
                    let scale = profile_scale(&rows, &weights, norms);
                    queries.push(Query { rows, weights, vector: Vec::new(), scale });
                }
                Ok(queries)
            }
            Self::Factors(factors) => factors.queries(people, recency, control),
            Self::Users(users) => users.queries(people, recency, control),
            Self::Repeats(repeats) => Ok(repeats.queries(people)),
            Self::Items { scale, .. } => {
                let queries = people.iter().map(|_| Query { scale: *scale, ..Query::default() });
                Ok(queries.collect())
            }
        }
    }

    /// Scores of all items for some users, where that is done for many at once: a row a user.
    pub(crate) fn products(&self, queries: &[Query]) -> Option<Array2<f32>> {
        if let Self::Factors(factors) = self { Some(factors.products(queries)) } else { None }
    }

    /// Names the candidates of one user's query, as source number `at` of `scoring`; with their
    /// scores, unless [`Self::complete`] gives them. `all` makes all items candidates of a source
    /// that can score them all.
    pub(crate) fn name(&self, at: usize, query: &Query, all: bool, scoring: &mut Scoring<'_>) {
        match self {
            Self::Neighbourhood { postings, .. } => {
                let postings = verified(postings);
                let profile = Profile { rows: &query.rows, weights: &query.weights };
                scoring.add_neighbours(at, postings, profile);
            }
            Self::Factors(_) if all => scoring.add_all(),
            Self::Factors(factors) => {
                scoring.add_named(verified(&factors.neighbours), &query.rows, 0);
            }
            Self::Users(_) | Self::Repeats(_) => {
                for (&row, &score) in query.rows.iter().zip(&query.weights) {
                    scoring.add_score(at, row, f64::from(score));
                }
            }
            Self::Items { best, .. } => {
                best.iter().for_each(|&row| scoring.add_candidate(row));
            }
        }
    }

    /// Scores what all sources named. `products` is the user's row of [`Self::products`].
    pub(crate) fn complete(
        &self,
        at: usize,
        query: &Query,
        products: Option<&[f32]>,
        scoring: &mut Scoring<'_>,
    ) {
        match (self, products) {
            (Self::Neighbourhood { .. } | Self::Users(_) | Self::Repeats(_), _) => {}
            (Self::Factors(_), Some(products)) => {
                scoring.score_candidates(at, |row| f64::from(products[row as usize]));
            }
            (Self::Factors(factors), None) => {
                scoring.score_candidates(at, |row| factors.product(row, &query.vector));
            }
            (Self::Items { scores, .. }, _) => {
                scoring.score_candidates(at, |row| f64::from(scores[row as usize]));
            }
        }
    }
}

/// Postings that were regrouped are sound.
fn verified(postings: &PostingsBuf) -> Postings<'_> {
    let PostingsBuf { offsets, candidates, weights, items } = postings;
    Postings::verified(offsets, candidates, weights, *items)
}

fn decayed(entry: &ProfileEntry, recency: Recency) -> f32 {
    (f64::from(entry.weight) * recency.decay(entry)) as f32
}

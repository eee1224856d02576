//! How good recommendations are, by hiding what users did next.
//!
//! The full catalogue is ranked for every user who has test items, with the same functions that
//! serve; unless repeats are wanted, what the user purchased or rated is left out of the ranking.

mod exposure;
mod groups;
mod measures;
mod rank;
#[cfg(test)]
mod tests;

use super::{
    hybrid::{
        Algorithm, ItemFacts, LearnOptions, Learned, ModelSpec, data::Dataset, learn,
        source::Source,
    },
    postings::PostingsBuf,
    profile::Recency,
    sequences::Sequences,
};
use crate::{
    control::{Cancelled, Control},
    stats::bootstrap::Difference,
};
pub use groups::Group;
use rank::{Contender, Evaluator};

/// What is learned from and what is hidden.
#[derive(Clone, Copy, Debug)]
pub struct Split<'a> {
    /// What is learned from: all users, their items rows in the order that breaks ties.
    pub train: Sequences<'a>,
    /// What is to be found: rows by user, ascending and distinct.
    pub test: &'a [Vec<u32>],
    /// Facts of all items; the popularity in them is not read.
    pub facts: &'a [ItemFacts],
}

/// Settings of training and measuring.
#[derive(Clone, Debug)]
pub struct Options {
    /// Lengths of the lists to measure.
    pub at: Vec<usize>,
    /// Settings of training.
    pub spec: ModelSpec,
    /// From what the hybrid's weights, and half-lives, are learned within the training data;
    /// [`LearnOptions::repeats`] says that lists may hold what users have had before.
    pub learning: LearnOptions,
    /// Learn half-lives for every algorithm; otherwise only the hybrid forgets.
    pub learn: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            at: vec![10, 20, 50],
            spec: ModelSpec::default(),
            learning: LearnOptions::default(),
            learn: false,
        }
    }
}

/// Place of a user's list.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prediction {
    /// Algorithm that made the list.
    pub algorithm: Algorithm,
    /// Index of the user who would see it.
    pub user: u32,
    /// Row of the item in this place.
    pub item: u32,
    /// Rank in the list, from 1.
    pub rank: usize,
    /// Score, which falls with the rank.
    pub score: f64,
}

/// Measures of all algorithms.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// Users in either part.
    pub users: usize,
    /// Items in either part.
    pub items: usize,
    /// Distinct pairs of user and item to learn from.
    pub interactions: usize,
    /// Users with test items, who are measured.
    pub test_users: usize,
    /// Measures in the order asked for.
    pub results: Vec<Measures>,
    /// What was learned for the hybrid, or for all; absent when nothing was.
    pub learned: Option<Learned>,
    /// Length of the lists that are compared, and with whose.
    pub compared: Option<(usize, Algorithm)>,
}

/// Means over the users who have test items; vectors are parallel to [`Options::at`].
#[derive(Clone, Debug, PartialEq)]
pub struct Measures {
    /// Algorithm that was measured.
    pub algorithm: Algorithm,
    /// How its profiles forget; not of the hybrid, whose sources do.
    pub recency: Recency,
    /// Found / test items of the user.
    pub recall: Vec<f64>,
    /// Discounted gain of the found / that of the best possible list.
    pub ndcg: Vec<f64>,
    /// Found / length of the list.
    pub precision: Vec<f64>,
    /// Users with anything found / users.
    pub hit_rate: Vec<f64>,
    /// Distinct items in any list / items.
    pub coverage: Vec<f64>,
    /// Gini's coefficient of how often items are shown, over all items.
    pub gini: Vec<f64>,
    /// Mean self-information of what is shown: -log2 of the share of users who have it, in bits.
    pub novelty: Vec<f64>,
    /// Measures by thirds of the users by length of their history.
    pub by_activity: Vec<Group>,
    /// Measures by thirds of the test items by age; none without times.
    pub by_item_age: Vec<Group>,
    /// NDCG less that of [`Evaluation::compared`]; absent for that one.
    pub difference: Option<Difference>,
    /// Share of the best items over the whole catalogue that serving from candidates finds too;
    /// absent where both are the same.
    pub candidate_recall: Option<f64>,
    /// From the matrix to what is scored with; of the hybrid with its sources and learning.
    pub train_seconds: f64,
    /// Seconds for all rankings.
    pub score_seconds: f64,
}

/// What was trained, how long it took, and the half-lives it is used with.
struct Trained {
    algorithm: Algorithm,
    source: Source,
    recency: Recency,
    seconds: f64,
}

/// Trains and measures `algorithms` one after another; `hybrid` is a mix of the sources in
/// [`Options::learning`].
///
/// `given` are neighbourhoods that do not depend on events. `seconds` reads a clock; `predictions`
/// takes every list to the longest of [`Options::at`].
///
/// # Errors
/// When `control` says so.
///
/// # Panics
/// When the parts of the split differ in users or an item has no facts.
pub fn evaluate(
    split: &Split<'_>,
    algorithms: &[Algorithm],
    given: &[(Algorithm, PostingsBuf)],
    options: &Options,
    seconds: &dyn Fn() -> f64,
    predictions: &mut dyn FnMut(Prediction),
    control: &dyn Control,
) -> Result<Evaluation, Cancelled> {
    let data = Dataset::new(split.train, split.facts.len(), &options.spec.profile);
    let has_hybrid = algorithms.contains(&Algorithm::Hybrid);
    let plain = algorithms.iter().copied().filter(|&algorithm| algorithm != Algorithm::Hybrid);
    let start = seconds();
    let learned = if has_hybrid || options.learn {
        let mut learning = options.learning.clone();
        if !has_hybrid {
            learning.sources.clear();
        }
        learning.others = if options.learn { plain.clone().collect() } else { Vec::new() };
        let (parts, given) = ([split.train], given.to_vec());
        Some(learn(&parts, split.facts, given, &options.spec, &learning, control)?)
    } else {
        None
    };
    let learn_seconds = seconds() - start;

    let mut trained: Vec<Trained> = Vec::new();
    let of_mix = learned.iter().flat_map(|learned| &learned.mix.sources);
    let members = of_mix.filter_map(|source| Algorithm::parse(&source.algorithm));
    for algorithm in plain.chain(members) {
        if trained.iter().any(|known| known.algorithm == algorithm) {
            continue;
        }
        let recency = learned.as_ref().filter(|_| options.learn).and_then(|learned| {
            learned.recencies.iter().find(|(known, _)| *known == algorithm).map(|known| known.1)
        });
        let start = seconds();
        let source = match given.iter().find(|(known, _)| *known == algorithm) {
            Some((_, postings)) => Source::given(postings.clone()),
            None => Source::train(algorithm, &data, &options.spec, control)?,
        };
        let (recency, seconds) = (recency.unwrap_or_default(), seconds() - start);
        trained.push(Trained { algorithm, source, recency, seconds });
    }

    let mut evaluator = Evaluator::new(&data, split, options);
    let mut results = Vec::with_capacity(algorithms.len());
    for &algorithm in algorithms {
        let contender = match (algorithm, &learned) {
            (Algorithm::Hybrid, Some(learned)) => Contender::mix(&trained, learned),
            _ => Contender::single(&trained, algorithm),
        };
        let mut measures = evaluator.measure(&contender, seconds, predictions, control)?;
        if algorithm == Algorithm::Hybrid {
            measures.train_seconds += learn_seconds;
        }
        results.push(measures);
    }
    let compared = evaluator.compare(&mut results);
    Ok(Evaluation {
        users: split.test.len(),
        items: data.items,
        interactions: data.matrix.columns.len(),
        test_users: evaluator.users(),
        results,
        learned,
        compared,
    })
}

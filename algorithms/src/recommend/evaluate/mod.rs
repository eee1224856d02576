//! How good recommendations are, by hiding what users did next.
//!
//! The full catalogue is ranked for every user who has test items, with the same functions that
//! serve; items of the user's training history are left out of the ranking.

mod measures;
mod model;
mod split;
#[cfg(test)]
mod tests;

use std::fmt;

use ndarray::{Array2, Axis};

use super::{
    control::{Cancelled, Control, work_off},
    profile::ProfileSpec,
    score::{Scored, Scorer},
    similarity::Similarity,
};
use model::{Model, Ranker};
use split::Prepared;

/// Users who are ranked before their lists are measured and dropped.
const BLOCK: usize = 8_192;
/// Users that a thread takes at once.
const CHUNK: usize = 32;

/// What can be evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    /// Neighbourhoods of the user's items.
    Neighbours(Similarity),
    /// The same list for everybody: items by distinct (user, day), or by distinct users where no
    /// times are known.
    Popular,
}

impl Algorithm {
    /// All of them, by name.
    pub const ALL: [Self; 3] =
        [Self::Neighbours(Similarity::ItemCosine), Self::Neighbours(Similarity::P3), Self::Popular];

    /// The name in the interface, the command line and the tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Neighbours(similarity) => similarity.name(),
            Self::Popular => "popular",
        }
    }

    /// The algorithm of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A user had to do with an item.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Observation {
    /// Below [`Split::users`].
    pub user: u32,
    /// Below [`Split::items`].
    pub item: u32,
    /// How much; 1 when nothing is known. At or below 0 is evidence against.
    pub value: f32,
    /// Seconds since 1970.
    pub time: Option<i64>,
}

/// What is learned from and what is hidden.
///
/// Of several observations of one pair in one part the latest counts, of equal times the last.
#[derive(Clone, Copy, Debug)]
pub struct Split<'a> {
    /// Number of users in either part.
    pub users: usize,
    /// Number of items in either part; they are numbered in the order that breaks ties.
    pub items: usize,
    /// To learn from.
    pub train: &'a [Observation],
    /// To be found; observations with values at or below 0 are not looked for.
    pub test: &'a [Observation],
}

/// How to train and to measure.
#[derive(Clone, Debug)]
pub struct Options {
    /// Lengths of the lists to measure.
    pub at: Vec<usize>,
    /// Neighbours kept per item.
    pub neighbours: usize,
    /// How histories become weights; observations count as ratings.
    pub profile: ProfileSpec,
}

impl Default for Options {
    fn default() -> Self {
        Self { at: vec![10, 20, 50], neighbours: 100, profile: ProfileSpec::default() }
    }
}

/// One place of one user's list.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prediction {
    /// Whose method.
    pub algorithm: Algorithm,
    /// Who would see it.
    pub user: u32,
    /// What.
    pub item: u32,
    /// From 1.
    pub rank: usize,
    /// Falls with the rank.
    pub score: f64,
}

/// Measures of all algorithms.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// Users in either part.
    pub users: usize,
    /// Items in either part.
    pub items: usize,
    /// Distinct pairs to learn from.
    pub interactions: usize,
    /// In the order asked for.
    pub results: Vec<Measures>,
}

/// Means over the users who have test items; vectors are parallel to [`Options::at`].
#[derive(Clone, Debug, PartialEq)]
pub struct Measures {
    /// What was measured.
    pub algorithm: Algorithm,
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
    /// From the matrix to what is scored with.
    pub train_seconds: f64,
    /// All rankings.
    pub score_seconds: f64,
}

/// Trains and measures `algorithms` one after another.
///
/// `seconds` reads a clock; `predictions` takes every list to the longest of [`Options::at`].
///
/// # Errors
/// When `control` says so.
///
/// # Panics
/// When an observation names a user or item beyond the split's.
pub fn evaluate(
    split: &Split<'_>,
    algorithms: &[Algorithm],
    options: &Options,
    seconds: &dyn Fn() -> f64,
    predictions: &mut dyn FnMut(Prediction),
    control: &dyn Control,
) -> Result<Evaluation, Cancelled> {
    let prepared = Prepared::new(split, &options.profile);
    let mut results = Vec::with_capacity(algorithms.len());
    for &algorithm in algorithms {
        let start = seconds();
        let model = Model::train(&prepared, algorithm, options.neighbours, control)?;
        let train_seconds = seconds() - start;
        let mut measures = measure(&prepared, &model, options, seconds, predictions, control)?;
        measures.train_seconds = train_seconds;
        results.push(measures);
    }
    let interactions = prepared.interactions();
    Ok(Evaluation { users: split.users, items: split.items, interactions, results })
}

fn measure(
    prepared: &Prepared,
    model: &Model,
    options: &Options,
    seconds: &dyn Fn() -> f64,
    predictions: &mut dyn FnMut(Prediction),
    control: &dyn Control,
) -> Result<Measures, Cancelled> {
    let length = options.at.iter().copied().max().unwrap_or_default();
    let users = prepared.test_users();
    let mut rows = Array2::<f64>::zeros((users.len(), options.at.len() * measures::KINDS));
    // The shortest list that an item has been in, by item.
    let mut best_rank = vec![usize::MAX; prepared.items()];
    let ranker = model.open();
    let mut score_seconds = 0.0;
    for (block, mut rows) in users.chunks(BLOCK).zip(rows.axis_chunks_iter_mut(Axis(0), BLOCK)) {
        let start = seconds();
        let lists = rank(prepared, ranker, block, length, control)?;
        score_seconds += seconds() - start;
        for ((&user, list), row) in block.iter().zip(&lists).zip(rows.rows_mut()) {
            measures::measure(prepared.test_items(user), list, &options.at, row);
            for (rank, scored) in (1..).zip(list) {
                let best = &mut best_rank[scored.candidate as usize];
                *best = rank.min(*best);
                let (item, score) = (scored.candidate, scored.score);
                let algorithm = model.algorithm();
                predictions(Prediction { algorithm, user, item, rank, score });
            }
        }
    }
    let means = rows.mean_axis(Axis(0)).unwrap_or_else(|| rows.sum_axis(Axis(0)));
    let mut means = means.as_slice().unwrap_or_default().chunks(options.at.len().max(1));
    let mut next = || means.next().unwrap_or_default().to_vec();
    let covered = |&length: &usize| {
        let items = best_rank.iter().filter(|&&best| best <= length).count();
        items as f64 / prepared.items().max(1) as f64
    };
    Ok(Measures {
        algorithm: model.algorithm(),
        recall: next(),
        ndcg: next(),
        precision: next(),
        hit_rate: next(),
        coverage: options.at.iter().map(covered).collect(),
        train_seconds: 0.0,
        score_seconds,
    })
}

/// The lists of `users`, in their order.
fn rank(
    prepared: &Prepared,
    ranker: Ranker<'_>,
    users: &[u32],
    length: usize,
    control: &dyn Control,
) -> Result<Vec<Vec<Scored>>, Cancelled> {
    let mut lists = vec![Vec::new(); users.len()];
    let jobs = users.chunks(CHUNK).zip(lists.chunks_mut(CHUNK)).collect();
    work_off(jobs, control, Scorer::default, |scorer, meter, (users, lists)| {
        for (&user, list) in users.iter().zip(lists) {
            meter.add(ranker.rank(prepared, scorer, user, length, list))?;
        }
        Ok(())
    })?;
    Ok(lists)
}

//! Similarities that need the number of common users, or whose products have signs.
//!
//! One source after another: sums and counts of the columns that its users touch, then the best.

use super::{
    ItemStatistics, Neighbours, Similarity, SimilarityOptions,
    columns::Columns,
    measure::{Factors, sums},
    users::Users,
};
use crate::control::{Cancelled, Control, Meter, work_off};

/// Sources that a thread takes at once.
const CHUNK: usize = 64;

/// What a weight is made of beside the sum and the number of common users.
struct Weights<'a> {
    similarity: Similarity,
    options: &'a SimilarityOptions,
    degree: Vec<u32>,
    users: f64,
    /// Factors that multiply the sum, by source and by target.
    source: Vec<f64>,
    target: Vec<f64>,
}

impl Weights<'_> {
    fn of(&self, source: u32, target: u32, sum: f64, common: u32) -> f64 {
        let common = f64::from(common);
        let degree = |item: u32| f64::from(self.degree[item as usize]);
        let plain = match self.similarity {
            Similarity::Jaccard => common / (degree(source) + degree(target) - common),
            Similarity::Llr => {
                log_likelihood_ratio(common, degree(source), degree(target), self.users)
            }
            _ => sum * (self.source[source as usize] * self.target[target as usize]),
        };
        plain * common / (common + self.options.shrinkage)
    }
}

/// Dunning (1993): twice the log of the ratio of likelihoods that two items have users in common
/// by chance or not; 0 where they have fewer than by chance.
///
/// `common` users have both items, `left` and `right` the one and the other, of `users` in all.
fn log_likelihood_ratio(common: f64, left: f64, right: f64, users: f64) -> f64 {
    if common * users <= left * right {
        return 0.0;
    }
    let entropy = |counts: &[f64]| {
        let term = |count: &f64| if *count > 0.0 { count * count.ln() } else { 0.0 };
        let total: f64 = counts.iter().sum();
        term(&total) - counts.iter().map(term).sum::<f64>()
    };
    let rows = entropy(&[left, users - left]);
    let columns = entropy(&[right, users - right]);
    let cells = [common, left - common, right - common, users - left - right + common];
    (2.0 * (rows + columns - entropy(&cells))).max(0.0)
}

#[derive(Clone, Copy, Default)]
struct Sum {
    sum: f64,
    common: u32,
}

struct Scratch {
    sums: Vec<Sum>,
    touched: Vec<u32>,
    /// (Weight, row, label).
    ranked: Vec<(f32, u32, u32)>,
}

pub(super) struct Task<'a> {
    pub(super) similarity: Similarity,
    pub(super) options: &'a SimilarityOptions,
    pub(super) users: &'a Users,
    pub(super) columns: &'a Columns,
    pub(super) statistics: &'a ItemStatistics,
    pub(super) sources: &'a [u32],
    pub(super) row_of_label: &'a [u32],
    pub(super) k: usize,
}

impl Task<'_> {
    pub(super) fn run(&self, control: &dyn Control) -> Result<Neighbours, Cancelled> {
        let weights = self.weights();
        let mut lists = vec![Vec::new(); self.sources.len()];
        control.begin(self.sources.len() as u64);
        let jobs = lists.chunks_mut(CHUNK).zip((0..).step_by(CHUNK)).collect();
        let scratch = || Scratch {
            sums: vec![Sum::default(); self.row_of_label.len()],
            touched: Vec::new(),
            ranked: Vec::new(),
        };
        work_off(jobs, control, scratch, |scratch, meter, (lists, first): (&mut [_], usize)| {
            for (source, list) in (first..).zip(lists) {
                *list = self.neighbours(scratch, meter, source, &weights)?;
            }
            Ok(())
        })?;
        let mut neighbours = Neighbours { offsets: vec![0], ..Neighbours::default() };
        for list in lists {
            neighbours.targets.extend(list.iter().map(|&(label, _)| label));
            neighbours.weights.extend(list.iter().map(|&(_, weight)| weight));
            neighbours.offsets.push(neighbours.targets.len() as u64);
        }
        Ok(neighbours)
    }

    fn weights(&self) -> Weights<'_> {
        let items = self.row_of_label.len();
        let Factors { source, target } =
            Factors::new(self.similarity, self.options, self.statistics, || {
                sums(self.users, items).square
            });
        let ones = || vec![1.0; items];
        Weights {
            similarity: self.similarity,
            options: self.options,
            degree: self.users.degrees(items),
            users: self.users.rows.len() as f64,
            source: source.unwrap_or_else(ones),
            target: target.unwrap_or_else(ones),
        }
    }

    fn neighbours(
        &self,
        scratch: &mut Scratch,
        meter: &mut Meter<'_>,
        at: usize,
        weights: &Weights<'_>,
    ) -> Result<Vec<(u32, f32)>, Cancelled> {
        let Scratch { sums, touched, ranked } = scratch;
        let source = self.sources[at];
        let values = self.columns.values(source);
        for (position, &user) in self.columns.users(source).iter().enumerate() {
            let row = self.users.rows[user as usize];
            let own = self.users.values(row);
            let scale = f64::from(row.scale) * values.get(position).map_or(1.0, |&v| f64::from(v));
            for (entry, &column) in self.users.labels(row).iter().enumerate() {
                let sum = &mut sums[column as usize];
                if sum.common == 0 {
                    touched.push(column);
                }
                sum.common += 1;
                sum.sum += scale * own.map_or(1.0, |values| f64::from(values[entry]));
            }
            meter.add(row.len() as u64)?;
        }
        ranked.clear();
        for column in touched.drain(..) {
            let Sum { sum, common } = std::mem::take(&mut sums[column as usize]);
            let weight = weights.of(source, column, sum, common) as f32;
            if column != source && weight > 0.0 && weight.is_finite() {
                ranked.push((weight, self.row_of_label[column as usize], column));
            }
        }
        let better = |left: &(f32, u32, u32), right: &(f32, u32, u32)| {
            right.0.total_cmp(&left.0).then(left.1.cmp(&right.1))
        };
        if self.k > 0 && ranked.len() > self.k {
            ranked.select_nth_unstable_by(self.k - 1, better);
        }
        ranked.truncate(self.k);
        ranked.sort_unstable_by(better);
        meter.done(1);
        Ok(ranked.iter().map(|&(weight, _, label)| (label, weight)).collect())
    }
}

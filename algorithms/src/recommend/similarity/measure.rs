//! From a sum of products to the weight of a neighbour.

use super::{ItemStatistics, Similarity, SimilarityOptions, users::Users};
use crate::linalg::prefetch;

/// Columns that share a [`Measure::bound`].
pub(super) const BLOCK: usize = if cfg!(test) { 32 } else { 256 };
/// Bounds are this much above what they bound, since keys are rounded.
const MARGIN: f32 = 1.0 + 1e-6;

/// How sums of one similarity compare.
pub(super) trait Measure: Sync {
    /// Scales the sum at `column` so that keys order the neighbours of any one source, up to some
    /// units in the last place.
    fn key(&self, sum: f32, column: usize) -> f32;

    /// No key of this sum in the block of `column` is greater: it costs no random read.
    fn bound(&self, sum: f32, column: usize) -> f32;

    /// Asks for what [`Measure::key`] will read.
    fn look_ahead_to_key(&self, column: u32);

    /// Asks for what [`Measure::weight`] will read.
    fn look_ahead(&self, column: u32);

    /// The weight of a neighbour.
    fn weight(&self, source: u32, column: u32, sum: f64) -> f32;

    /// What the greatest value of a source is multiplied by, at each column, to give at least the
    /// source's key there and at all columns behind.
    fn reach(&self) -> &[f64];
}

/// Sums that are divided by something of the source alone.
pub(super) struct BySource {
    /// Multiplies the sums of a source; absent for 1.
    pub(super) source: Option<Vec<f64>>,
    pub(super) reach: Vec<f64>,
}

impl Measure for BySource {
    #[inline(always)]
    fn key(&self, sum: f32, _: usize) -> f32 {
        sum
    }

    #[inline(always)]
    fn bound(&self, sum: f32, _: usize) -> f32 {
        sum
    }

    #[inline(always)]
    fn look_ahead_to_key(&self, _: u32) {}

    fn look_ahead(&self, _: u32) {}

    fn weight(&self, source: u32, _: u32, sum: f64) -> f32 {
        self.source.as_ref().map_or(sum, |factors| sum * factors[source as usize]) as f32
    }

    fn reach(&self) -> &[f64] {
        &self.reach
    }
}

/// Sums that are divided by something of the source and something of the target.
pub(super) struct ByBoth {
    source: Vec<f64>,
    target: Vec<f64>,
    narrow: Vec<f32>,
    /// Bounds by block of columns: at least the greatest of `narrow` there.
    bounds: Vec<f32>,
    reach: Vec<f64>,
}

impl ByBoth {
    /// `mass` is, by column, the sum of scale times value over its users.
    fn new(source: Vec<f64>, target: Vec<f64>, mass: &[f64]) -> Self {
        let narrow: Vec<f32> = target.iter().map(|&factor| factor as f32).collect();
        let bounds = narrow.chunks(BLOCK).map(|block| block.iter().copied().fold(0.0, f32::max));
        let bounds = bounds.map(|bound| bound * MARGIN).collect();
        let reach = mass.iter().zip(&target).map(|(mass, factor)| mass * factor).collect();
        Self { source, target, narrow, bounds, reach: greatest_from(reach) }
    }
}

impl Measure for ByBoth {
    #[inline(always)]
    fn key(&self, sum: f32, column: usize) -> f32 {
        sum * self.narrow[column]
    }

    #[inline(always)]
    fn bound(&self, sum: f32, column: usize) -> f32 {
        sum * self.bounds[column / BLOCK]
    }

    #[inline(always)]
    fn look_ahead_to_key(&self, column: u32) {
        prefetch(&self.narrow, column as usize);
    }

    fn look_ahead(&self, column: u32) {
        prefetch(&self.target, column as usize);
    }

    fn weight(&self, source: u32, column: u32, sum: f64) -> f32 {
        // In f64, so that equal weights of different norms tie in f32.
        (sum * (self.source[source as usize] * self.target[column as usize])) as f32
    }

    fn reach(&self) -> &[f64] {
        &self.reach
    }
}

/// What the sums of products of a similarity are multiplied with, by item: of the source, and of the
/// target; absent for 1. An item without users is nobody's neighbour and has 0.
pub(super) struct Factors {
    pub(super) source: Option<Vec<f64>>,
    pub(super) target: Option<Vec<f64>>,
}

impl Factors {
    /// `squares` are the sums of scale times the square of the value, as they are weighed.
    pub(super) fn new(
        similarity: Similarity,
        options: &SimilarityOptions,
        statistics: &ItemStatistics,
        squares: impl FnOnce() -> Vec<f64>,
    ) -> Self {
        let ItemStatistics { sum, norm, .. } = statistics;
        let power = |values: &[f64], exponent: f64| -> Option<Vec<f64>> {
            Some(values.iter().map(|&value| positive_power(value, exponent)).collect())
        };
        let SimilarityOptions { alpha, beta, asymmetry, .. } = *options;
        let (source, target) = match similarity {
            Similarity::Bm25 | Similarity::Jaccard | Similarity::Llr => (None, None),
            Similarity::P3 => (power(sum, -alpha), None),
            Similarity::Rp3Beta => (power(sum, -alpha), power(sum, -beta)),
            Similarity::AsymmetricCosine => {
                (power(norm, -2.0 * asymmetry), power(norm, -2.0 * (1.0 - asymmetry)))
            }
            Similarity::ItemCosine => (power(norm, -1.0), power(norm, -1.0)),
            Similarity::TfIdf | Similarity::AdjustedCosine | Similarity::Pearson => {
                let factors = power(&squares(), -0.5);
                (factors.clone(), factors)
            }
        };
        Self { source, target }
    }
}

/// A power of `value`; 0 where that is not above 0.
fn positive_power(value: f64, exponent: f64) -> f64 {
    match value > 0.0 {
        // Rather than a power, which is not as exact.
        true if exponent == -1.0 => 1.0 / value,
        true => value.powf(exponent),
        false => 0.0,
    }
}

/// How sums of positive products become weights.
pub(super) enum Products {
    BySource(BySource),
    ByBoth(ByBoth),
}

impl Products {
    pub(super) fn new(
        similarity: Similarity,
        options: &SimilarityOptions,
        users: &Users,
        statistics: &ItemStatistics,
    ) -> Self {
        let ItemStatistics { sum, walk, .. } = statistics;
        let (mass, squares) = match similarity {
            // Known already.
            Similarity::P3 if options.alpha == 1.0 => (walk.clone(), Vec::new()),
            Similarity::ItemCosine | Similarity::AsymmetricCosine => (sum.clone(), Vec::new()),
            _ => {
                let Sums { mass, square } = sums(users, sum.len());
                (mass, square)
            }
        };
        let Factors { source, target } = Factors::new(similarity, options, statistics, || squares);
        match target {
            None => Self::BySource(BySource { source, reach: greatest_from(mass) }),
            Some(target) => {
                let source = source.unwrap_or_else(|| vec![1.0; target.len()]);
                Self::ByBoth(ByBoth::new(source, target, &mass))
            }
        }
    }
}

/// The greatest value from each place on.
fn greatest_from(mut values: Vec<f64>) -> Vec<f64> {
    let mut greatest = 0f64;
    for value in values.iter_mut().rev() {
        greatest = greatest.max(*value);
        *value = greatest;
    }
    values
}

/// Sums over the users of each item, of values as they are weighed.
pub(super) struct Sums {
    /// Sums of scale times value, by column.
    pub(super) mass: Vec<f64>,
    /// Sums of scale times the square of the value, by column.
    pub(super) square: Vec<f64>,
}

pub(super) fn sums(users: &Users, items: usize) -> Sums {
    let mut sums = Sums { mass: vec![0.0; items], square: vec![0.0; items] };
    for &user in &users.rows {
        let values = users.values(user);
        let scale = f64::from(user.scale);
        for (at, &column) in users.labels(user).iter().enumerate() {
            let value = values.map_or(1.0, |values| f64::from(values[at]));
            sums.mass[column as usize] += scale * value;
            sums.square[column as usize] += scale * value * value;
        }
    }
    sums
}

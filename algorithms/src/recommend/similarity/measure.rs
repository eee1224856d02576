//! From a sum of products to the weight of a neighbour.

use super::{ItemStatistics, Similarity, SimilarityOptions, prefetch::prefetch, users::Users};

/// How sums of one similarity compare.
pub(super) trait Measure: Sync {
    /// Scales the sum at `column` so that keys order the neighbours of any one source, up to some
    /// units in the last place.
    fn key(&self, sum: f32, column: usize) -> f32;

    /// Asks for what [`Measure::key`] will read.
    fn look_ahead_to_key(&self, column: u32);

    /// Asks for what [`Measure::weight`] will read.
    fn look_ahead(&self, column: u32);

    /// The weight of a neighbour.
    fn weight(&self, source: u32, column: u32, sum: f64) -> f32;

    /// By column, what the greatest value of a source times is at least the source's key there.
    fn reach(&self) -> Vec<f64>;
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
    fn look_ahead_to_key(&self, _: u32) {}

    fn look_ahead(&self, _: u32) {}

    fn weight(&self, source: u32, _: u32, sum: f64) -> f32 {
        self.source.as_ref().map_or(sum, |factors| sum * factors[source as usize]) as f32
    }

    fn reach(&self) -> Vec<f64> {
        self.reach.clone()
    }
}

/// Sums that are divided by something of the source and something of the target.
pub(super) struct ByBoth {
    source: Vec<f64>,
    target: Vec<f64>,
    narrow: Vec<f32>,
    reach: Vec<f64>,
}

impl ByBoth {
    /// `mass` is, by column, the sum of scale times value over its users.
    fn new(source: Vec<f64>, target: Vec<f64>, mass: &[f64]) -> Self {
        let narrow = target.iter().map(|&factor| factor as f32).collect();
        let reach = mass.iter().zip(&target).map(|(mass, factor)| mass * factor).collect();
        Self { source, target, narrow, reach }
    }
}

impl Measure for ByBoth {
    #[inline(always)]
    fn key(&self, sum: f32, column: usize) -> f32 {
        sum * self.narrow[column]
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

    fn reach(&self) -> Vec<f64> {
        self.reach.clone()
    }
}

/// How the sums of a similarity become weights.
pub(super) enum Products {
    BySource(BySource),
    ByBoth(ByBoth),
}

impl Products {
    /// For the similarities whose weights are multiples of sums of positive products.
    pub(super) fn new(
        similarity: Similarity,
        options: &SimilarityOptions,
        users: &Users<'_>,
        statistics: &ItemStatistics,
    ) -> Self {
        let ItemStatistics { sum, norm, walk, .. } = statistics;
        // An item without users is no neighbour: its factor does not matter.
        let power = |values: &[f64], exponent: f64| -> Vec<f64> {
            let one = |&value: &f64| if value > 0.0 { value.powf(exponent) } else { 0.0 };
            values.iter().map(one).collect()
        };
        let inverse = |values: &[f64]| -> Vec<f64> {
            let one = |&value: &f64| if value > 0.0 { 1.0 / value } else { 0.0 };
            values.iter().map(one).collect()
        };
        match similarity {
            Similarity::P3 if options.alpha == 1.0 => {
                Self::BySource(BySource { source: Some(inverse(sum)), reach: walk.clone() })
            }
            Similarity::P3 => {
                let mass = sums(users, sum.len()).mass;
                let source = Some(power(sum, -options.alpha));
                Self::BySource(BySource { source, reach: mass })
            }
            Similarity::Bm25 => {
                let mass = sums(users, sum.len()).mass;
                Self::BySource(BySource { source: None, reach: mass })
            }
            Similarity::Rp3Beta => {
                let mass = sums(users, sum.len()).mass;
                let source = power(sum, -options.alpha);
                Self::ByBoth(ByBoth::new(source, power(sum, -options.beta), &mass))
            }
            Similarity::TfIdf => {
                let Sums { mass, square } = sums(users, sum.len());
                let factors = power(&square, -0.5);
                Self::ByBoth(ByBoth::new(factors.clone(), factors, &mass))
            }
            Similarity::AsymmetricCosine => {
                let a = options.asymmetry;
                let source = power(norm, -2.0 * a);
                Self::ByBoth(ByBoth::new(source, power(norm, -2.0 * (1.0 - a)), sum))
            }
            Similarity::ItemCosine
            | Similarity::AdjustedCosine
            | Similarity::Pearson
            | Similarity::Jaccard
            | Similarity::Llr => Self::ByBoth(ByBoth::new(inverse(norm), inverse(norm), sum)),
        }
    }
}

/// Sums over the users of each item, of values as they are weighed.
pub(super) struct Sums {
    /// Of scale times value.
    pub(super) mass: Vec<f64>,
    /// Of scale times the square of the value.
    pub(super) square: Vec<f64>,
}

pub(super) fn sums(users: &Users<'_>, items: usize) -> Sums {
    let mut sums = Sums { mass: vec![0.0; items], square: vec![0.0; items] };
    for (user, row) in users.rows.iter().enumerate() {
        let values = users.values.get(user);
        let scale = f64::from(row.scale);
        for (at, &column) in row.columns.iter().enumerate() {
            let value = values.map_or(1.0, |values| f64::from(values[at]));
            sums.mass[column as usize] += scale * value;
            sums.square[column as usize] += scale * value * value;
        }
    }
    sums
}

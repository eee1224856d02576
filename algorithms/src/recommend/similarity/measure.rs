//! From a sum of products to the weight of a neighbour.

use super::{ItemStatistics, prefetch::prefetch};

/// How sums of one similarity compare.
pub(super) trait Measure: Sync {
    /// Scales the sum at `column` so that keys order the neighbours of any one source, up to some
    /// units in the last place.
    fn key(&self, sum: f32, column: usize) -> f32;

    /// Asks for what [`Measure::weight`] will read.
    fn look_ahead(&self, column: u32);

    /// The weight of a neighbour.
    fn weight(&self, source: u32, column: u32, sum: f64) -> f32;

    /// By column, what the greatest value of a source times is at least the source's key there.
    fn reach(&self) -> Vec<f64>;
}

/// [`super::Similarity::P3`].
pub(super) struct Walk<'a> {
    pub(super) statistics: &'a ItemStatistics,
}

impl Measure for Walk<'_> {
    #[inline(always)]
    fn key(&self, sum: f32, _: usize) -> f32 {
        sum
    }

    fn look_ahead(&self, _: u32) {}

    fn weight(&self, source: u32, _: u32, sum: f64) -> f32 {
        (sum / self.statistics.sum[source as usize]) as f32
    }

    fn reach(&self) -> Vec<f64> {
        self.statistics.walk.clone()
    }
}

/// [`super::Similarity::ItemCosine`].
pub(super) struct Cosine<'a> {
    statistics: &'a ItemStatistics,
    inverse: Vec<f64>,
    narrow: Vec<f32>,
}

impl<'a> Cosine<'a> {
    pub(super) fn new(statistics: &'a ItemStatistics) -> Self {
        let inverse: Vec<f64> = statistics.norm.iter().map(|norm| 1.0 / norm).collect();
        let narrow = inverse.iter().map(|&inverse| inverse as f32).collect();
        Self { statistics, inverse, narrow }
    }
}

impl Measure for Cosine<'_> {
    #[inline(always)]
    fn key(&self, sum: f32, column: usize) -> f32 {
        sum * self.narrow[column]
    }

    fn look_ahead(&self, column: u32) {
        prefetch(&self.inverse, column as usize);
    }

    fn weight(&self, source: u32, column: u32, sum: f64) -> f32 {
        // In f64, so that equal cosines of different norms tie in f32.
        (sum * (self.inverse[source as usize] * self.inverse[column as usize])) as f32
    }

    fn reach(&self) -> Vec<f64> {
        let ItemStatistics { sum, norm, .. } = self.statistics;
        sum.iter().zip(norm).map(|(sum, norm)| if *norm > 0.0 { sum / norm } else { 0.0 }).collect()
    }
}

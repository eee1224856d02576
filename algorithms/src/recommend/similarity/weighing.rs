//! What the entries of a user's row count for under each similarity.

use super::{ItemStatistics, Similarity, SimilarityOptions, statistics::sum};
use crate::{
    control::{Cancelled, Meter},
    linalg::sparse::Csr,
};

/// Products of two entries `i` and `j` of user `u` are `scale(u) * value(u, i) * value(u, j)`.
pub(super) struct Weighing {
    /// Scale of each user through the parts; empty when all are 1. A user with 0 says nothing.
    pub(super) scales: Vec<f32>,
    /// Value of each entry through the parts, where they are not those of the matrix.
    pub(super) values: Option<Vec<f32>>,
    /// Whether all values are 1, whatever the matrix holds.
    pub(super) is_binary: bool,
}

impl Weighing {
    pub(super) fn new(
        similarity: Similarity,
        options: &SimilarityOptions,
        parts: &[Csr<'_>],
        statistics: &ItemStatistics,
        meter: &mut Meter<'_>,
    ) -> Result<Self, Cancelled> {
        let items = statistics.degree.len();
        let is_weighted = parts.iter().any(Csr::is_weighted);
        let is_binary = matches!(similarity, Similarity::Jaccard | Similarity::Llr) || !is_weighted;
        let mut weighing = Self { scales: Vec::new(), values: None, is_binary: false };
        match similarity {
            Similarity::ItemCosine | Similarity::AsymmetricCosine => {}
            Similarity::Jaccard | Similarity::Llr => weighing.is_binary = true,
            Similarity::P3 | Similarity::Rp3Beta => {
                let alpha = options.alpha;
                let scale = |columns: &[u32], values: Option<&[f32]>| {
                    let sum = sum(columns, values);
                    // 1 / sum rather than a power, which is not as exact.
                    if alpha == 1.0 { 1.0 / sum } else { sum.powf(-alpha) }
                };
                weighing.scale(parts, meter, scale)?;
                if alpha != 1.0 && !is_binary {
                    weighing.map(parts, meter, |_, _, value| value.powf(alpha))?;
                }
            }
            Similarity::TfIdf => {
                weighing.scale(parts, meter, |columns, _| rarity(items, columns.len()))?;
                if !is_binary {
                    weighing.map(parts, meter, |_, _, value| value.sqrt())?;
                }
            }
            Similarity::Bm25 => {
                weighing.scale(parts, meter, |columns, _| rarity(items, columns.len()))?;
                let SimilarityOptions { bm25_k1: k1, bm25_b: b, .. } = *options;
                let mean = statistics.sum.iter().sum::<f64>() / items.max(1) as f64;
                weighing.map(parts, meter, |_, item, value| {
                    let length = 1.0 - b + b * statistics.sum[item as usize] / mean;
                    value * (k1 + 1.0) / (k1 * length + value)
                })?;
            }
            Similarity::AdjustedCosine => {
                weighing.map(parts, meter, |mean, _, value| value - mean)?;
            }
            Similarity::Pearson => {
                let means: Vec<f64> = (statistics.sum.iter().zip(&statistics.degree))
                    .map(|(sum, &degree)| sum / f64::from(degree.max(1)))
                    .collect();
                weighing.map(parts, meter, |_, item, value| value - means[item as usize])?;
            }
        }
        Ok(weighing)
    }

    fn scale(
        &mut self,
        parts: &[Csr<'_>],
        meter: &mut Meter<'_>,
        scale: impl Fn(&[u32], Option<&[f32]>) -> f64,
    ) -> Result<(), Cancelled> {
        self.scales.reserve_exact(parts.iter().map(Csr::rows).sum());
        for part in parts {
            for row in 0..part.rows() {
                let values = part.values(row);
                self.scales.push(scale(part.columns(row), values) as f32);
                meter.add(8 + values.map_or(0, <[f32]>::len) as u64)?;
            }
        }
        Ok(())
    }

    /// Replaces each value by `value(mean of the user, item, value)`.
    fn map(
        &mut self,
        parts: &[Csr<'_>],
        meter: &mut Meter<'_>,
        value: impl Fn(f64, u32, f64) -> f64,
    ) -> Result<(), Cancelled> {
        let mut mapped = Vec::with_capacity(parts.iter().map(Csr::entries).sum());
        for part in parts {
            for row in 0..part.rows() {
                let (columns, values) = (part.columns(row), part.values(row));
                let mean = sum(columns, values) / columns.len().max(1) as f64;
                mapped.extend(columns.iter().enumerate().map(|(at, &column)| {
                    let old = values.map_or(1.0, |values| f64::from(values[at]));
                    value(mean, column, old) as f32
                }));
                meter.add(8 + columns.len() as u64)?;
            }
        }
        self.values = Some(mapped);
        Ok(())
    }
}

/// The square of a user's inverse document frequency, where items are the documents and users the
/// terms; 0 for a user who has all of them.
fn rarity(items: usize, length: usize) -> f64 {
    let frequency = (items as f64).ln() - (length as f64).ln_1p();
    if frequency > 0.0 { frequency * frequency } else { 0.0 }
}

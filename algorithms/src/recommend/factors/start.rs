//! Where factors begin.

use std::ops::Range;

use super::FactorSpec;
use crate::stats::random::Random;

/// Factors to start from, of these rows out of all: normal with standard deviation
/// `0.1 / sqrt(dimensions)` (Rendle et al. 2021).
///
/// A row depends on the seed and its number alone, so any split gives the same bits. Items start
/// here; users need no start, since they are solved first.
#[must_use]
pub fn start(spec: &FactorSpec, rows: Range<u32>) -> Vec<f32> {
    let deviation = 0.1 / (spec.dimensions as f64).sqrt();
    let mut factors = Vec::with_capacity(rows.len() * spec.dimensions);
    for row in rows {
        let mut random = Random::new(spec.seed, u64::from(row));
        factors.extend((0..spec.dimensions).map(|_| (deviation * random.normal()) as f32));
    }
    factors
}

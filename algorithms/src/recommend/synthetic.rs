//! Matrices with a long tail for benchmarks and tests.

use super::popularity;
use crate::{linalg::sparse::CsrBuf, stats::random::Random};

/// Items of the longest row.
const LONGEST: f64 = 500.0;

/// A matrix of ones with about `interactions` entries whose columns are labels.
///
/// Item popularity falls like rank^-`exponent`; the lengths of rows are log-normal, at most 500;
/// users draw their items independently. A function of its arguments alone.
///
/// # Panics
/// When there are more than `u32::MAX` items.
#[must_use]
pub fn power_law(
    users: usize,
    items: usize,
    interactions: usize,
    exponent: f64,
    seed: u64,
) -> CsrBuf {
    let width = u32::try_from(items).expect("items are numbered in 32 bits");
    let mut matrix = CsrBuf::new(false);
    if users == 0 || items == 0 {
        return matrix;
    }
    let longest = LONGEST.min(items as f64 / 2.0).max(1.0);
    // A log-normal with this deviation has a mean of e^(1/2) medians.
    let median = interactions as f64 / users as f64 / 0.5f64.exp();
    let mut row = Vec::new();
    for user in 0..users as u64 {
        let mut random = Random::new(seed, user);
        let length = (median * random.normal().exp()).round().clamp(1.0, longest) as usize;
        row.clear();
        // Popular items repeat: draw again, but not for ever.
        for _ in 0..4 {
            while row.len() < length {
                row.push(random.power_law(width, exponent));
            }
            row.sort_unstable();
            row.dedup();
            if row.len() == length {
                break;
            }
        }
        matrix.columns.extend_from_slice(&row);
        matrix.offsets.push(matrix.columns.len() as u64);
    }
    relabel(&mut matrix, items);
    matrix
}

/// Renames columns to their popularity ranks.
fn relabel(matrix: &mut CsrBuf, items: usize) {
    let mut counts = vec![0u64; items];
    matrix.columns.iter().for_each(|&item| counts[item as usize] += 1);
    let labels = popularity::inverse(&popularity::order(&counts));
    matrix.columns.iter_mut().for_each(|item| *item = labels[*item as usize]);
    for bounds in matrix.offsets.windows(2) {
        matrix.columns[bounds[0] as usize..bounds[1] as usize].sort_unstable();
    }
}

impl Random {
    /// Below `end`, with a density that falls like (x + 1)^-`exponent`: the continuous
    /// distribution's inverse, rounded down.
    fn power_law(&mut self, end: u32, exponent: f64) -> u32 {
        let edge = f64::from(end) + 1.0;
        let rest = 1.0 - exponent;
        let drawn = if rest.abs() < 1e-9 {
            (self.uniform() * edge.ln()).exp()
        } else {
            (1.0 + self.uniform() * (edge.powf(rest) - 1.0)).powf(1.0 / rest)
        };
        (drawn as u32).clamp(1, end) - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depends_on_the_seed_and_has_a_long_tail() {
        let matrix = power_law(2_000, 1_000, 20_000, 0.8, 7);
        assert_eq!(matrix, power_law(2_000, 1_000, 20_000, 0.8, 7));
        assert_ne!(matrix, power_law(2_000, 1_000, 20_000, 0.8, 8));
        let view = matrix.view(1_000).expect("rows are sorted and distinct");
        assert!((18_000..22_000).contains(&view.entries()), "{}", view.entries());
        let popular = matrix.columns.iter().filter(|&&label| label < 100).count();
        assert!((45..65).contains(&(popular * 100 / view.entries())), "{popular}");
    }
}

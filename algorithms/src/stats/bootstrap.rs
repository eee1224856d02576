//! How sure a difference between two ways is that were tried on the same subjects.

use super::random::Random;

/// Times that subjects are drawn anew.
const SAMPLES: u64 = 1_000;

/// The mean difference of two paired lists of values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// Mean of the first less mean of the second.
    pub mean: f64,
    /// Deviation of the mean over resampled subjects.
    pub standard_error: f64,
    /// 2.5 % and 97.5 % quantiles over resampled subjects.
    pub interval: (f64, f64),
}

/// Paired bootstrap over subjects (Efron 1979), `values` and `others` being parallel; a function of
/// the seed. All 0 without subjects.
pub(crate) fn difference(values: &[f64], others: &[f64], seed: u64) -> Difference {
    let differences: Vec<f64> = values.iter().zip(others).map(|(a, b)| a - b).collect();
    let count = differences.len();
    if count == 0 {
        return Difference { mean: 0.0, standard_error: 0.0, interval: (0.0, 0.0) };
    }
    let mean = differences.iter().sum::<f64>() / count as f64;
    let mut means = Vec::new();
    for sample in 0..SAMPLES {
        let mut random = Random::new(seed, sample);
        let mut sum = 0.0;
        for _ in 0..count {
            // The high half of a product maps 32 random bits to an index.
            let index = ((random.next() >> 32) * count as u64) >> 32;
            sum += differences[index as usize];
        }
        means.push(sum / count as f64);
    }
    means.sort_unstable_by(f64::total_cmp);
    let centre = means.iter().sum::<f64>() / SAMPLES as f64;
    let variance = means.iter().map(|mean| (mean - centre).powi(2)).sum::<f64>() / SAMPLES as f64;
    let quantile = |share: f64| means[(share * (SAMPLES - 1) as f64).round() as usize];
    Difference {
        mean,
        standard_error: variance.sqrt(),
        interval: (quantile(0.025), quantile(0.975)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_normal_approximation() {
        let values: Vec<f64> = (0..400).map(|at| f64::from(at % 7)).collect();
        let others: Vec<f64> = (0..400).map(|at| f64::from(at % 5)).collect();
        let found = difference(&values, &others, 1);
        let differences: Vec<f64> = values.iter().zip(&others).map(|(a, b)| a - b).collect();
        let mean = differences.iter().sum::<f64>() / 400.0;
        let squares: f64 = differences.iter().map(|value| (value - mean).powi(2)).sum();
        let error = (squares / 400.0 / 400.0).sqrt();
        assert!((found.mean - mean).abs() < 1e-12);
        assert!((found.standard_error / error - 1.0).abs() < 0.1, "{found:?} {error}");
        let (low, high) = found.interval;
        assert!(low < mean && mean < high, "{found:?}");
        assert!(((high - low) / (2.0 * 1.96 * error) - 1.0).abs() < 0.15, "{found:?} {error}");
        assert_eq!(difference(&values, &values, 1).interval, (0.0, 0.0));
        assert_eq!(difference(&[], &[], 1).mean, 0.0);
    }
}

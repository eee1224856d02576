//! Who sees which arm.

use statrs::function::gamma::gamma_ur;

/// The arm of a subject whose hash (of experiment and subject, uniform in 64 bits) is given: each
/// arm's share of the hashes is its weight's share of all. `None` when all weights are 0.
///
/// The arms lie side by side in the order given, so that subjects move only where borders do.
#[must_use]
pub fn arm(hash: u64, weights: &[u32]) -> Option<usize> {
    let total: u128 = weights.iter().map(|&weight| u128::from(weight)).sum();
    // Below `total`: a multiplication in place of a remainder, which would not be as even.
    let point = (u128::from(hash) * total) >> 64;
    let mut end = 0;
    weights.iter().position(|&weight| {
        end += u128::from(weight);
        point < end
    })
}

/// Probability of an arm, 0 when there is no such arm.
#[must_use]
pub fn propensity(arm: usize, weights: &[u32]) -> f64 {
    let total: f64 = weights.iter().copied().map(f64::from).sum();
    let weight = weights.get(arm).copied().map_or(0.0, f64::from);
    if total > 0.0 { weight / total } else { 0.0 }
}

/// The probability that subjects who were assigned by `weights` split at least as unevenly as
/// `counts` (Pearson's chi-squared test). Below some .001 the experiment lost subjects of one arm,
/// and its report means nothing. 0 when an arm without weight was seen; 1 with fewer than two arms.
#[must_use]
pub fn sample_ratio(counts: &[u64], weights: &[u32]) -> f64 {
    let total: f64 = counts.iter().map(|&count| count as f64).sum();
    let (mut statistic, mut arms) = (0.0, 0.0);
    for (arm, &count) in counts.iter().enumerate() {
        let expected = total * propensity(arm, weights);
        if expected > 0.0 {
            statistic += (count as f64 - expected).powi(2) / expected;
            arms += 1.0;
        } else if count > 0 {
            return 0.0;
        }
    }
    if arms < 2.0 || statistic <= 0.0 { 1.0 } else { gamma_ur((arms - 1.0) / 2.0, statistic / 2.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_hashes_are_shares_of_weights() {
        let weights = [1, 0, 2, 5];
        let mut counts = [0u64; 4];
        let steps = 8_000;
        for step in 0..steps {
            let hash = step * (u64::MAX / steps);
            counts[arm(hash, &weights).expect("there are weights")] += 1;
        }
        // One at each border may fall to either side.
        for (count, expected) in counts.into_iter().zip([1_000, 0, 2_000, 5_000]) {
            assert!(u64::abs_diff(count, expected) <= 1, "{count}, not {expected}");
        }
        assert_eq!(counts[1], 0);
        assert_eq!((arm(0, &weights), arm(u64::MAX, &weights)), (Some(0), Some(3)));
        assert_eq!(arm(u64::MAX, &[u32::MAX; 9]), Some(8));
        assert_eq!((arm(7, &[0, 0]), arm(7, &[])), (None, None));
        assert_eq!(
            [0, 1, 2, 3, 4].map(|arm| propensity(arm, &weights)),
            [0.125, 0.0, 0.25, 0.625, 0.0]
        );
        assert_eq!(propensity(0, &[0]), 0.0);
    }

    #[test]
    fn raising_the_last_weight_moves_nobody_between_the_others_but_to_it() {
        for hash in (0..1_000).map(|step| step * (u64::MAX / 1_000)) {
            let (before, after) = (arm(hash, &[1, 1]), arm(hash, &[1, 2]));
            assert!(before == after || after == Some(1));
        }
    }

    #[test]
    fn a_lost_arm_shows() {
        assert_eq!(sample_ratio(&[500, 500], &[1, 1]), 1.0);
        assert!(sample_ratio(&[5_000, 5_400], &[1, 1]) < 1e-3);
        assert_eq!(sample_ratio(&[5, 1], &[1, 0]), 0.0);
        assert_eq!(sample_ratio(&[5], &[1]), 1.0);
        assert_eq!(sample_ratio(&[], &[]), 1.0);
    }
}

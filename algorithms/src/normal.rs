//! Quantiles of the standard normal distribution and of Student's.

use statrs::function::erf::erfc_inv;

/// The value that a standard normal variable stays below with probability `level`; levels outside
/// 1e-12 to 1 - 1e-12 count as these.
pub(crate) fn quantile(level: f64) -> f64 {
    let level = if level.is_nan() { 0.5 } else { level.clamp(1e-12, 1.0 - 1e-12) };
    -std::f64::consts::SQRT_2 * erfc_inv(2.0 * level)
}

/// The same quantile of Student's distribution, by its expansion in the normal one to the second
/// order (Abramowitz and Stegun 26.7.5); fewer than three degrees of freedom count as three.
pub(crate) fn student_quantile(level: f64, freedom: f64) -> f64 {
    let z = quantile(level);
    let freedom = freedom.max(3.0);
    let first = (z.powi(3) + z) / 4.0;
    let second = (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / 96.0;
    z + first / freedom + second / (freedom * freedom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_tables() {
        for (level, expected) in [(0.5, 0.0), (0.975, 1.959_964), (0.01, -2.326_348)] {
            assert!((quantile(level) - expected).abs() < 1e-6);
        }
        for (level, freedom, expected) in
            [(0.95, 10.0, 1.812_46), (0.99, 20.0, 2.527_98), (0.9, 5.0, 1.475_88)]
        {
            assert!((student_quantile(level, freedom) - expected).abs() < 0.01);
        }
        assert!(quantile(0.0).is_finite() && quantile(1.0).is_finite());
        assert_eq!(quantile(f64::NAN), 0.0);
    }
}

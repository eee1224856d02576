//! The standard normal distribution and its loss function.

use std::f64::consts::{SQRT_2, TAU};

use statrs::function::erf::{erfc, erfc_inv};

/// Density at `z`.
#[must_use]
pub fn density(z: f64) -> f64 {
    (-0.5 * z * z).exp() / TAU.sqrt()
}

/// Probability of at most `z`.
#[must_use]
pub fn cumulative(z: f64) -> f64 {
    0.5 * erfc(-z / SQRT_2)
}

/// The value that is not exceeded with probability `level`; levels outside 1e-12 to 1 - 1e-12 count
/// as these.
#[must_use]
pub fn quantile(level: f64) -> f64 {
    let level = if level.is_nan() { 0.5 } else { level.clamp(1e-12, 1.0 - 1e-12) };
    -SQRT_2 * erfc_inv(2.0 * level)
}

/// Mean excess over `z`: E[(Z - z)+] = density - z (1 - cumulative).
#[must_use]
pub fn loss(z: f64) -> f64 {
    density(z) - z * cumulative(-z)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_tables() {
        for (level, expected) in [(0.5, 0.0), (0.975, 1.959_964), (0.01, -2.326_348)] {
            assert!((quantile(level) - expected).abs() < 1e-6);
        }
        assert!(quantile(0.0).is_finite() && quantile(1.0).is_finite());
        assert_eq!(quantile(f64::NAN), 0.0);
    }
}

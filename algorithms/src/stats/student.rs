//! Student's distribution.

use super::normal;

/// The value that a variable of `freedom` degrees of freedom stays below with probability `level`, by
/// the expansion in the normal quantile to the second order (Abramowitz and Stegun 26.7.5); fewer
/// than three degrees of freedom count as three.
pub(crate) fn quantile(level: f64, freedom: f64) -> f64 {
    let z = normal::quantile(level);
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
        for (level, freedom, expected) in
            [(0.95, 10.0, 1.812_46), (0.99, 20.0, 2.527_98), (0.9, 5.0, 1.475_88)]
        {
            assert!((quantile(level, freedom) - expected).abs() < 0.01);
        }
    }
}

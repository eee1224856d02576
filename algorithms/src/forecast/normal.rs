//! The standard normal distribution, as far as quantiles of forecasts need it.

use statrs::function::erf::erfc_inv;

/// The value that a standard normal variable stays below with probability `level`; levels outside
/// 1e-12 to 1 - 1e-12 count as these.
pub(super) fn quantile(level: f64) -> f64 {
    let level = if level.is_nan() { 0.5 } else { level.clamp(1e-12, 1.0 - 1e-12) };
    -std::f64::consts::SQRT_2 * erfc_inv(2.0 * level)
}

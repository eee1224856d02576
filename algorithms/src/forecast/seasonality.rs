//! Whether a series is seasonal, and what of it is.

/// Share of a normal distribution below which the seasonal test wants the autocorrelation: 90 %,
/// two-sided.
const CRITICAL: f64 = 1.645;

/// What a classical decomposition calls seasonal, by place in the season.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Seasonal {
    /// Divided out; indices around 1.
    Factors(Vec<f64>),
    /// Subtracted; indices around 0.
    Terms(Vec<f64>),
}

impl Seasonal {
    /// The seasonal part of `series`, which has no gaps; `None` unless the test finds one.
    ///
    /// Factors, unless a value or a factor is too close to 0.
    pub(super) fn of(series: &[f64], season: usize) -> Option<Self> {
        if !is_seasonal(series, season) {
            return None;
        }
        let trend = trend(series, season);
        if series.iter().all(|&value| value > 0.0) {
            let factors = indices(series, &trend, season, |value, trend| value / trend);
            let mean = factors.iter().sum::<f64>() / season as f64;
            let factors: Vec<f64> = factors.iter().map(|factor| factor / mean).collect();
            if factors.iter().all(|&factor| factor >= 0.01) {
                return Some(Self::Factors(factors));
            }
        }
        let terms = indices(series, &trend, season, |value, trend| value - trend);
        let mean = terms.iter().sum::<f64>() / season as f64;
        Some(Self::Terms(terms.iter().map(|term| term - mean).collect()))
    }

    /// The value at `place` (counted from the start of the series) without the season.
    pub(super) fn remove(&self, place: usize, value: f64) -> f64 {
        match self {
            Self::Factors(factors) => value / factors[place % factors.len()],
            Self::Terms(terms) => value - terms[place % terms.len()],
        }
    }

    /// Undoes [`Self::remove`].
    pub(super) fn restore(&self, place: usize, value: f64) -> f64 {
        match self {
            Self::Factors(factors) => value * factors[place % factors.len()],
            Self::Terms(terms) => value + terms[place % terms.len()],
        }
    }
}

/// The test of the M4 competition's benchmarks: the autocorrelation at the season exceeds what
/// the shorter lags explain, |r_m| > 1.645 sqrt((1 + 2 (r_1² + ... + r_(m-1)²)) / n). Needs three
/// seasons.
fn is_seasonal(series: &[f64], season: usize) -> bool {
    let count = series.len();
    if season < 2 || count < 3 * season {
        return false;
    }
    let mean = series.iter().sum::<f64>() / count as f64;
    let centred: Vec<f64> = series.iter().map(|value| value - mean).collect();
    let variance: f64 = centred.iter().map(|value| value * value).sum();
    let correlation = |lag: usize| -> f64 {
        let products = centred.iter().zip(&centred[lag..]).map(|(left, right)| left * right);
        products.sum::<f64>() / variance
    };
    let shorter: f64 = (1..season).map(|lag| correlation(lag).powi(2)).sum();
    // False for a constant series, whose correlations are NaN.
    correlation(season).abs() > CRITICAL * ((1.0 + 2.0 * shorter) / count as f64).sqrt()
}

/// Centred moving averages of one season (of two by half a step where it is even); the first and
/// last half season have none.
fn trend(series: &[f64], season: usize) -> Vec<Option<f64>> {
    let half = season / 2;
    let even = season.is_multiple_of(2);
    let mut trend = vec![None; series.len()];
    for (first, window) in series.windows(2 * half + 1).enumerate() {
        let ends = if even { 0.5 * (window[0] + window[window.len() - 1]) } else { 0.0 };
        let inner: f64 =
            if even { window[1..window.len() - 1].iter().sum() } else { window.iter().sum() };
        trend[first + half] = Some((inner + ends) / season as f64);
    }
    trend
}

/// Means of the detrended values by place in the season.
fn indices(
    series: &[f64],
    trend: &[Option<f64>],
    season: usize,
    detrend: impl Fn(f64, f64) -> f64,
) -> Vec<f64> {
    let mut sums = vec![(0.0, 0.0); season];
    for (place, (&value, trend)) in series.iter().zip(trend).enumerate() {
        if let Some(trend) = trend {
            let (sum, count) = &mut sums[place % season];
            *sum += detrend(value, *trend);
            *count += 1.0;
        }
    }
    // Three seasons leave each place two values with a trend.
    sums.iter().map(|(sum, count)| sum / count).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The test with the autocorrelations of lags 1 to `last` explained.
    fn seasonal_by_loops(series: &[f64], season: usize, last: usize) -> bool {
        let count = series.len() as f64;
        let mean = series.iter().sum::<f64>() / count;
        let product = |lag: usize| -> f64 {
            (lag..series.len()).map(|t| (series[t] - mean) * (series[t - lag] - mean)).sum()
        };
        let explained: f64 = (1..=last).map(|lag| (product(lag) / product(0)).powi(2)).sum();
        let limit = 1.645 * ((1.0 + 2.0 * explained) / count).sqrt();
        (product(season) / product(0)).abs() > limit
    }

    #[test]
    fn the_limit_counts_the_lags_below_the_season() {
        let (mut state, mut telling) = (7_u32, 0);
        for _ in 0..400 {
            let series: Vec<f64> = (0..30)
                .map(|t| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    f64::from(state >> 16) / 32_768.0 + [1.0, 0.4, 0.0, 0.5][t % 4]
                })
                .collect();
            let expected = seasonal_by_loops(&series, 4, 3);
            assert_eq!(is_seasonal(&series, 4), expected);
            telling += usize::from(expected != seasonal_by_loops(&series, 4, 4));
            telling += usize::from(expected != seasonal_by_loops(&series, 4, 2));
        }
        assert!(telling > 10, "{telling}");
        assert!(!is_seasonal(&[1.0; 30], 4) && !is_seasonal(&[1.0, 2.0, 1.0, 2.0, 1.0], 2));
    }

    #[test]
    fn a_season_without_noise_is_taken_out_whole() {
        let factors = [0.5, 1.5, 1.25, 0.75];
        let series: Vec<f64> = (0..24).map(|t| (10.0 + t as f64) * factors[t % 4]).collect();
        let seasonal = Seasonal::of(&series, 4).expect("seasonal");
        for (place, &value) in series.iter().enumerate() {
            let adjusted = seasonal.remove(place, value);
            assert!((adjusted / (10.0 + place as f64) - 1.0).abs() < 0.05, "{place} {adjusted}");
            assert!((seasonal.restore(place, adjusted) - value).abs() < 1e-12);
        }
        // With zeros seasons are terms.
        let zeros: Vec<f64> = (0..24).map(|t| [0.0, 4.0, 9.0, 2.0][t % 4]).collect();
        let Some(Seasonal::Terms(terms)) = Seasonal::of(&zeros, 4) else { panic!("terms") };
        assert!(terms.iter().sum::<f64>().abs() < 1e-12);
        assert!((terms[2] - terms[0] - 9.0).abs() < 1e-12);
    }
}

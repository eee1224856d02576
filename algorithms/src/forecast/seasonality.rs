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
    let at = |place: usize| -> Option<f64> {
        let first = place.checked_sub(half)?;
        let window = series.get(first..=place + half)?;
        let ends = if even { 0.5 * (window[0] + window[window.len() - 1]) } else { 0.0 };
        let inner: f64 =
            if even { window[1..window.len() - 1].iter().sum() } else { window.iter().sum() };
        Some((inner + ends) / season as f64)
    };
    (0..series.len()).map(at).collect()
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

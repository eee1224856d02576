//! What must hold for every series and every forecast.

use proptest::{collection::vec, prelude::*, sample::select};

use super::*;
use crate::stats::negative_binomial;

fn options(horizon: usize) -> Options {
    Options { methods: Method::ALL.to_vec(), periods: vec![7], gap: 2, horizon }
}

/// Smooth, intermittent, huge and degenerate series with gaps.
fn series() -> impl Strategy<Value = Vec<f64>> {
    let of = |value: BoxedStrategy<f64>, length| {
        let gap = prop_oneof![19 => Just(None), 1 => Just(Some(f64::NAN))];
        let day = (value, gap).prop_map(|(value, gap)| gap.unwrap_or(value));
        vec(day, length)
    };
    let smooth = (0.0..50.0).prop_map(|value: f64| value.round()).boxed();
    let sparse = prop_oneof![8 => Just(0.0), 2 => (1..9).prop_map(f64::from)].boxed();
    let huge = prop_oneof![Just(0.0), Just(1e12), 0.0..1e12].boxed();
    prop_oneof![
        3 => of(smooth, 0..200),
        3 => of(sparse, 0..400),
        1 => of(huge, 0..120),
        1 => (select(vec![0.0, 3.0, 1e12]), 0..90_usize).prop_map(|(value, days)| vec![value; days]),
        1 => (0..90_usize).prop_map(|days| vec![f64::NAN; days]),
    ]
}

const GRID: [f64; 9] = [0.001, 0.01, 0.1, 0.35, 0.5, 0.8, 0.95, 0.995, 0.999];

fn check(forecast: &Forecast) -> Result<(), TestCaseError> {
    prop_assert!(forecast.path.iter().all(|mean| mean.is_finite() && *mean >= 0.0));
    for day in [0, 1, 2, 6, 13, 28, 100] {
        let quantiles = GRID.map(|level| forecast.day_quantile(day, level));
        prop_assert!(quantiles.iter().all(|value| value.is_finite() && *value >= 0.0));
        prop_assert!(quantiles.is_sorted(), "day {day}: {quantiles:?}");
    }
    let mut before = [0.0; GRID.len()];
    for days in [0.0, 0.4, 1.0, 1.5, 2.0, 3.7, 7.0, 10.0, 20.25, 28.0, 56.0, 60.5, 200.0] {
        let quantiles = GRID.map(|level| forecast.sum_quantile(days, level));
        prop_assert!(quantiles.iter().all(|value| value.is_finite() && *value >= 0.0));
        prop_assert!(quantiles.is_sorted(), "{days} days: {quantiles:?}");
        let grows = before.iter().zip(&quantiles).all(|(before, now)| before <= now);
        prop_assert!(grows, "{days} days: {before:?} {quantiles:?}");
        before = quantiles;
        let (mean, deviation) = (forecast.sum_mean(days), forecast.sum_deviation(days));
        prop_assert!(mean.is_finite() && mean >= 0.0 && deviation.is_finite() && deviation >= 0.0);
    }
    Ok(())
}

proptest! {
    #[test]
    fn quantiles_are_ordered_and_never_negative(
        series in series(),
        method in select(Method::ALL.to_vec()),
        horizon in 1..60_usize,
        share in 0.0..1.0_f64,
    ) {
        for methods in [Method::ALL.to_vec(), vec![method]] {
            let trained = train(&series, &Options { methods, ..options(horizon) });
            let observed = series.iter().any(|value| value.is_finite());
            prop_assert_eq!(trained.is_some(), observed);
            if let Some(trained) = trained {
                prop_assert_eq!(trained.forecast.path.len(), horizon);
                check(&trained.forecast)?;
                check(&trained.forecast.thinned(share))?;
            }
        }
    }

    #[test]
    fn every_method_answers_every_series(series in series(), season in 0..15_usize) {
        for method in Method::ALL {
            let path = forecast(method, &series, season, 20);
            let sane = path.iter().all(|mean| mean.is_finite() && *mean >= 0.0);
            prop_assert!(path.len() == 20 && sane, "{}: {path:?}", method.name());
        }
        prop_assert!(naive2(&series, season, 5).iter().all(|mean| mean.is_finite()));
    }

    #[test]
    fn units_of_measurement_do_not_matter(
        series in vec(prop_oneof![Just(0.0), 0.0..40.0_f64], 20..120),
        power in -3..6_i32,
    ) {
        // A power of two scales every intermediate result exactly.
        let scale = 16_f64.powi(power);
        let scaled: Vec<f64> = series.iter().map(|value| value * scale).collect();
        for method in Method::ALL {
            let path = forecast(method, &series, 7, 10);
            let expected: Vec<f64> = path.iter().map(|mean| mean * scale).collect();
            prop_assert_eq!(forecast(method, &scaled, 7, 10), expected, "{}", method.name());
        }
        let (one, other) = (train(&series, &options(28)), train(&scaled, &options(28)));
        let (one, other) = (one.expect("observed"), other.expect("observed"));
        prop_assert_eq!(one.method, other.method);
        if let (Spread::Errors(one), Spread::Errors(other)) =
            (&one.forecast.spread, &other.forecast.spread)
        {
            let expected: Vec<f64> = one.sum.iter().map(|error| error * scale).collect();
            prop_assert_eq!(&other.sum, &expected);
        }
    }

    #[test]
    fn counts_match_their_distribution(mean in 0.01..400.0_f64, ratio in 1.0..40.0_f64) {
        let levels = [0.05, 0.5, 0.9, 0.99];
        let quantiles = levels.map(|level| negative_binomial::quantile(mean, ratio, level));
        // By the distribution function, in logarithms, from statrs.
        let size = mean / (ratio - 1.0).max(1e-9);
        for (level, quantile) in levels.into_iter().zip(quantiles) {
            let below = |units: f64| statrs::function::beta::beta_reg(size, units + 1.0, 1.0 / ratio);
            if ratio > 1.001 && mean < 200.0 {
                prop_assert!(below(quantile) >= level - 1e-9, "{mean} {ratio} {level} {quantile}");
                let less = quantile < 1.0 || below(quantile - 1.0) < level + 1e-9;
                prop_assert!(less, "{mean} {ratio} {level} {quantile}");
            }
        }
    }

    #[test]
    fn count_quantiles_never_fall(
        mean in -3.0..14.0_f64,
        step in 0.0..0.5_f64,
        ratio in prop_oneof![Just(1.0), 1.0..60.0_f64, 1.0..1e9_f64],
        level in 0.001..0.999_f64,
    ) {
        let (less, more) = (10_f64.powf(mean), 10_f64.powf(mean + step));
        let [less, more] = [less, more].map(|mean| negative_binomial::quantile(mean, ratio, level));
        prop_assert!(less.is_finite() && less >= 0.0 && less <= more, "{less} {more}");
    }
}

#[test]
fn degenerate_series_get_flat_sane_answers() {
    for (series, expected) in [
        (vec![0.0; 300], 0.0),
        (vec![5.0; 300], 5.0),
        (vec![5.0], 5.0),
        (vec![2.0, 4.0], 4.0),
        (vec![1e12; 100], 1e12),
        (vec![f64::NAN, 3.0, f64::NAN], 3.0),
    ] {
        let trained = train(&series, &options(10)).expect("observed");
        assert!(trained.forecast.path.iter().all(|mean| *mean == expected), "{trained:?}");
        let quantile = trained.forecast.sum_quantile(10.0, 0.5);
        assert!((quantile - 10.0 * expected).abs() <= 0.1 * expected, "{quantile} {trained:?}");
    }
    assert_eq!(train(&[], &options(10)), None);
    assert_eq!(train(&[1.0, 2.0], &Options { methods: Vec::new(), ..options(10) }), None);
    assert!(train(&[1.0, 2.0], &Options { periods: Vec::new(), ..options(10) }).is_some());
}

#[test]
fn large_counts_are_near_normal() {
    for (mean, ratio) in [(1e6, 1.0), (1e6, 3.0), (1e12, 50.0), (3e14, 1.0)] {
        let deviation = f64::sqrt(mean * ratio);
        for (level, score) in [(0.1, -1.281_551_6), (0.5, 0.0), (0.975, 1.959_964)] {
            let found = negative_binomial::quantile(mean, ratio, level);
            let expected = mean + score * deviation;
            assert!((found - expected).abs() < 0.02 * deviation + 1.0, "{found} {expected}");
        }
    }
    // Nearly all the mass on 0, and a tail without end.
    assert_eq!(negative_binomial::quantile(1.0, 1e9, 0.99), 0.0);
    assert!(negative_binomial::quantile(1e9, 1e9, 0.5) > 1e8);
    assert_eq!(negative_binomial::quantile(f64::NAN, 1.0, 0.5), 0.0);
    assert!(negative_binomial::quantile(f64::INFINITY, f64::NAN, 0.5).is_finite());
}

#[test]
fn intermittent_demand_is_not_forecast_as_nothing() {
    // One sale in five days: the absolute error of single days is least for 0.
    let series: Vec<f64> = (0..300).map(|day| if day % 5 == 2 { 4.0 } else { 0.0 }).collect();
    let trained = train(&series, &Options { periods: vec![7], ..options(28) }).expect("observed");
    let sum = trained.forecast.sum_mean(28.0);
    assert!((sum - 28.0 * 0.8).abs() < 4.0, "{} {sum}", trained.method.name());
}

#[test]
fn the_week_is_found_and_gaps_are_no_demand_of_zero() {
    let week = [10.0, 12.0, 14.0, 16.0, 30.0, 40.0, 5.0];
    let mut series: Vec<f64> = (0..200).map(|day| week[day % 7]).collect();
    for gap in [20, 50, 51, 52, 120, 121, 190] {
        series[gap] = f64::NAN;
    }
    let trained = train(&series, &options(14)).expect("observed");
    for (day, mean) in trained.forecast.path.iter().enumerate() {
        // Two days lie between the history and the first of the path.
        assert!((mean - week[(202 + day) % 7]).abs() < 1e-6, "{day}: {mean}");
    }
    assert_eq!(trained.wape.map(|wape| wape < 1e-9), Some(true));
}

#[test]
fn quantiles_of_sums_know_of_correlation() {
    // Good and bad months: errors of days go together, so that the sum varies far more than
    // independent days would have it.
    let mut state = 1_u64;
    let mut draw = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as f64 / f64::from(1_u32 << 31) - 0.5
    };
    let mut level = 0.0;
    let series: Vec<f64> = (0..700)
        .map(|_| {
            level = 0.97 * level + 6.0 * draw();
            (100.0 + level + 4.0 * draw()).max(0.0)
        })
        .collect();
    let trained = train(&series, &options(28)).expect("observed");
    let independent = 28_f64.sqrt() * trained.forecast.sum_deviation(1.0);
    let together = trained.forecast.sum_deviation(28.0);
    assert!(together > 2.0 * independent, "{together} {independent}");
}

#[test]
fn error_tables_are_interpolated_and_extended() {
    let errors = ErrorTable {
        horizons: vec![1, 4],
        levels: vec![0.1, 0.5, 0.9],
        step: vec![-2.0, 0.0, 3.0, -4.0, 0.0, 6.0],
        sum: vec![-2.0, 0.0, 3.0, -8.0, 0.0, 12.0],
        step_deviation: vec![2.0, 4.0],
        sum_deviation: vec![2.0, 8.0],
    };
    let close = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-6, "{found}");
    // A third of the way from 1 day to 4, and half as many normal scores as 0.9 has.
    close(errors.sum_quantile(2, 0.9), 6.0);
    close(errors.step_quantile(2, 0.9), 4.0);
    close(errors.sum_quantile(1, 0.7391658154), 1.5);
    // Beyond the ladder sums grow by the square root of days, and so do days here: twice as far
    // apart at four times the days.
    close(errors.sum_quantile(16, 0.1), -16.0);
    close(errors.step_quantile(16, 0.9), 12.0);
    close(errors.sum_deviation(0.25), 1.0);
    close(errors.sum_deviation(16.0), 16.0);
    // Beyond the levels quantiles go on as those of a normal distribution: 0.975 has 1.959964
    // scores, 0.9 has 1.281552.
    close(errors.sum_quantile(1, 0.975), 3.0 + 2.0 * (1.959_963_985 - 1.281_551_566));
    close(errors.sum_quantile(1, 0.025), -2.0 - 2.0 * (1.959_963_985 - 1.281_551_566));
    assert_eq!(ErrorTable::default().sum_quantile(3, 0.9), 0.0);
}

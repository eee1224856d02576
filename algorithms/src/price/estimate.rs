//! The price elasticity that an item's own weeks tell.

use ndarray::{Array1, Array2};
use thiserror::Error;

use super::weekly::Week;
use crate::learn::regression::{COLUMNS, Covariance, Fit, FitError, least_squares, poisson};

/// Weeks of a year: from so many on, season and price can be told apart.
const YEAR: usize = 52;
/// Weeks beyond the number of coefficients, at least.
const FREE_WEEKS: usize = 4;
/// Share of weeks with a sale, at least. The price of a week without a sale is carried over and not
/// seen; where most are, slopes go to 0. On The Complete Journey, where a year has 52 weeks, items
/// with sales in fewer than 16 have a pooled elasticity of -0.4, those with more than 35 of -1.4.
const SALE_WEEKS: f64 = 0.5;
/// A price whose logarithm deviates by less than this does not vary.
const PRICE_DEVIATION: f64 = 0.01;
/// When one week holds more than this share of the variation of the price that the controls leave,
/// the slope is that week's and no more.
const ONE_WEEK: f64 = 0.9;
/// When the controls leave less than this share of the variation of the price, they explain it.
const OWN_VARIATION: f64 = 0.02;

/// Column of ln price.
const PRICE: usize = 1;

/// Settings of the estimate from weeks.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Weeks at least.
    pub min_weeks: usize,
    /// Share of weeks without a sale above which the Poisson regression is used.
    pub poisson_zero_share: f64,
}

/// Regression that an elasticity is estimated by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// ln units on ln price by least squares; weeks without a sale are left out.
    LogLog,
    /// Units on ln price by Poisson pseudo-maximum-likelihood; weeks without a sale count.
    Poisson,
}

impl Method {
    /// `log-log` or `poisson`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::LogLog => "log-log",
            Self::Poisson => "poisson",
        }
    }
}

/// An estimate with its standard error.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// Finite.
    pub value: f64,
    /// Finite, at least 0.
    pub standard_error: f64,
}

/// Elasticity and effect of promotions by an item's weeks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Elasticity of units with respect to price, as measured: it may have the wrong sign.
    pub elasticity: Measured,
    /// ln(units under a promotion / units without at the same price); `None` unless promotions came
    /// and went.
    pub promotion: Option<Measured>,
    /// The regression that found both.
    pub method: Method,
}

/// Why an item's weeks tell nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NoEstimate {
    /// Too short a history.
    #[error("{weeks} usable weeks where {needed} are needed")]
    TooFewWeeks {
        /// Usable weeks.
        weeks: usize,
        /// Weeks that an estimate takes.
        needed: usize,
    },
    /// Weeks without a sale prevail.
    #[error("{sold} of {weeks} weeks had a sale")]
    TooFewSales {
        /// Usable weeks with a sale.
        sold: usize,
        /// Usable weeks.
        weeks: usize,
    },
    /// The price hardly moved, or in a single week.
    #[error("the price did not vary")]
    NoPriceVariation,
    /// The price moved with promotions or the season only.
    #[error("the price varied with promotions or the season only")]
    NotSeparable,
    /// The likelihood has no maximum.
    #[error("the regression did not converge")]
    NotConverged,
}

/// Estimates the elasticity from `weeks` in ascending order.
///
/// Columns: a constant; ln price; the promoted share, when promotions come and go, for a promotion
/// sells more than its price alone explains and would make the price look stronger; a linear trend,
/// for prices and the life of a product both drift; and, with a year of weeks, one annual pair of
/// sine and cosine: in less than a year a season cannot be told from the trend. A lone week with
/// a promotion, or without, is left out, which is what a column of its own would do. Standard
/// errors are the larger of HC3 and the conventional ones: sparse sales make robust ones far too
/// small, and the spread of groups far too large.
///
/// # Errors
/// See [`NoEstimate`]; never a number that is not finite.
pub fn estimate(weeks: &[Week], settings: &Settings) -> Result<Estimate, NoEstimate> {
    let zero_weeks = weeks.iter().filter(|week| week.units <= 0.0).count();
    let is_sparse = zero_weeks as f64 > settings.poisson_zero_share * weeks.len() as f64;
    let method = if is_sparse { Method::Poisson } else { Method::LogLog };
    let usable = || weeks.iter().filter(|week| week.units > 0.0 || is_sparse);
    let has_any = usable().filter(|week| week.promoted_share > 0.0).count() >= 2;
    let has_none = usable().filter(|week| week.promoted_share < 1.0).count() >= 2;
    let has_promotions = has_any && has_none;
    let used: Vec<&Week> = usable()
        .filter(|week| has_any || week.promoted_share <= 0.0)
        .filter(|week| has_none || week.promoted_share >= 1.0)
        .collect();
    let design = design(&used, has_promotions, weeks.len() >= YEAR);
    let needed = settings.min_weeks.max(design.ncols() + FREE_WEEKS);
    if used.len() < needed {
        return Err(NoEstimate::TooFewWeeks { weeks: used.len(), needed });
    }
    let sold = used.iter().filter(|week| week.units > 0.0).count();
    if (sold as f64) < SALE_WEEKS * used.len() as f64 {
        return Err(NoEstimate::TooFewSales { sold, weeks: used.len() });
    }
    check_price(&design)?;
    let units = used.iter().map(|week| week.units);
    let fit = match method {
        Method::LogLog => {
            let response: Array1<f64> = units.map(f64::ln).collect();
            least_squares(design.view(), response.view(), Covariance::Hc3)
        }
        Method::Poisson => {
            let response: Array1<f64> = units.collect();
            poisson(design.view(), response.view(), Covariance::Hc3)
        }
    };
    let fit = fit.map_err(|error| match error {
        FitError::Dependent => NoEstimate::NotSeparable,
        FitError::Shape { .. } | FitError::Input | FitError::Diverged => NoEstimate::NotConverged,
    })?;
    let promotion = has_promotions.then(|| measured(&fit, PRICE + 1));
    Ok(Estimate { elasticity: measured(&fit, PRICE), promotion, method })
}

fn measured(fit: &Fit, column: usize) -> Measured {
    let (value, standard_error) = (fit.coefficients[column], fit.cautious_error(column));
    Measured { value, standard_error }
}

fn design(weeks: &[&Week], has_promotions: bool, has_season: bool) -> Array2<f64> {
    let mut columns: Vec<fn(&Week, f64) -> f64> = vec![|_, _| 1.0, |week, _| week.price.ln()];
    if has_promotions {
        columns.push(|week, _| week.promoted_share);
    }
    columns.push(|_, years| years);
    if has_season {
        columns.push(|_, years| (std::f64::consts::TAU * years).sin());
        columns.push(|_, years| (std::f64::consts::TAU * years).cos());
    }
    debug_assert!(columns.len() <= COLUMNS);
    let first = weeks.first().map_or(0, |week| week.index);
    let mut design = Array2::zeros((weeks.len(), columns.len()));
    for (mut row, week) in design.rows_mut().into_iter().zip(weeks) {
        // A year of 365.25 days.
        let years = f64::from(week.index - first) * 7.0 / 365.25;
        for (cell, column) in row.iter_mut().zip(&columns) {
            *cell = column(week, years);
        }
    }
    design
}

/// Whether the price varies, in more than one week, and not with the controls alone.
fn check_price(design: &Array2<f64>) -> Result<(), NoEstimate> {
    let price = design.column(PRICE);
    let deviation = price.std(0.0);
    if deviation < PRICE_DEVIATION {
        return Err(NoEstimate::NoPriceVariation);
    }
    let others: Vec<usize> = (0..design.ncols()).filter(|&column| column != PRICE).collect();
    let others = design.select(ndarray::Axis(1), &others);
    let fit = least_squares(others.view(), price, Covariance::Hc1)
        .map_err(|_| NoEstimate::NotSeparable)?;
    let own = &price - &others.dot(&fit.coefficients);
    let squares = own.mapv(|value| value * value);
    let total = squares.sum();
    let variation = deviation * deviation * price.len() as f64;
    if total < OWN_VARIATION * variation {
        return Err(NoEstimate::NotSeparable);
    }
    let largest = squares.iter().copied().fold(0.0, f64::max);
    if largest > ONE_WEEK * total { Err(NoEstimate::NoPriceVariation) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: Settings = Settings { min_weeks: 12, poisson_zero_share: 0.1 };

    /// Weeks in which units follow the price exactly, with a price a week.
    fn weeks(prices: &[f64], elasticity: f64) -> Vec<Week> {
        let weeks = (0..).zip(prices).map(|(index, &price)| {
            let units = 1_000.0 * price.powf(elasticity);
            Week { index, units, price, promoted_share: 0.0 }
        });
        weeks.collect()
    }

    fn prices(count: usize) -> Vec<f64> {
        (0..count).map(|week| 2.0 + (week * 7 % 5) as f64 * 0.1).collect()
    }

    #[test]
    fn recovers_an_exact_elasticity() {
        for count in [12, 51, 52, 200] {
            let found = estimate(&weeks(&prices(count), -1.7), &SETTINGS).unwrap();
            assert_eq!((found.method, found.promotion), (Method::LogLog, None));
            assert!((found.elasticity.value + 1.7).abs() < 1e-8);
            assert!(found.elasticity.standard_error < 1e-6);
            let poisson = Settings { poisson_zero_share: -1.0, ..SETTINGS };
            let found = estimate(&weeks(&prices(count), -1.7), &poisson).unwrap();
            assert_eq!(found.method, Method::Poisson);
            assert!((found.elasticity.value + 1.7).abs() < 1e-8);
        }
    }

    #[test]
    fn tells_promotions_from_prices() {
        let mut weeks = weeks(&prices(40), -1.7);
        for week in weeks.iter_mut().filter(|week| week.index % 4 == 0) {
            week.promoted_share = 0.5;
            week.units *= (0.5 * 0.4_f64).exp();
        }
        let found = estimate(&weeks, &SETTINGS).unwrap();
        assert!((found.elasticity.value + 1.7).abs() < 1e-8);
        assert!((found.promotion.unwrap().value - 0.4).abs() < 1e-8);
        // A lone promoted week is left out, whatever was sold in it.
        for week in &mut weeks {
            let is_lone = week.index == 20;
            week.promoted_share = if is_lone { 1.0 } else { 0.0 };
            week.units = 1_000.0 * week.price.powf(-1.7) * if is_lone { 50.0 } else { 1.0 };
        }
        let found = estimate(&weeks, &SETTINGS).unwrap();
        assert_eq!(found.promotion, None);
        assert!((found.elasticity.value + 1.7).abs() < 1e-8);
    }

    #[test]
    fn says_why_there_is_none() {
        let of = |weeks: &[Week]| estimate(weeks, &SETTINGS).unwrap_err();
        assert_eq!(of(&[]), NoEstimate::TooFewWeeks { weeks: 0, needed: 12 });
        let few = weeks(&prices(11), -2.0);
        assert_eq!(of(&few), NoEstimate::TooFewWeeks { weeks: 11, needed: 12 });
        assert_eq!(of(&weeks(&[2.0; 60], -2.0)), NoEstimate::NoPriceVariation);
        let mut once = vec![2.0; 60];
        once[30] = 1.0;
        assert_eq!(of(&weeks(&once, -2.0)), NoEstimate::NoPriceVariation);
        let drift: Vec<f64> = (0..60).map(|week| (f64::from(week) * 0.01).exp()).collect();
        assert_eq!(of(&weeks(&drift, -2.0)), NoEstimate::NotSeparable);
        let mut promoted = weeks(&prices(60), -2.0);
        for week in &mut promoted {
            week.promoted_share = f64::from(week.index % 2);
            week.price = if week.index % 2 == 0 { 2.0 } else { 1.5 };
        }
        assert_eq!(of(&promoted), NoEstimate::NotSeparable);
        let mut rare = weeks(&prices(60), -2.0);
        for week in rare.iter_mut().filter(|week| week.index % 5 > 1) {
            week.units = 0.0;
        }
        assert_eq!(of(&rare), NoEstimate::TooFewSales { sold: 24, weeks: 60 });
        // Sold at the lowest price only: the maximum lies at infinity.
        let mut apart = weeks(&prices(60), -2.0);
        for week in &mut apart {
            week.price = if week.index % 5 < 3 { 2.0 } else { week.price + 0.1 };
            week.units = if week.price > 2.05 { 0.0 } else { 1.0 };
        }
        assert_eq!(of(&apart), NoEstimate::NotConverged);
    }

    /// Whatever the weeks are, the answer is finite or a reason.
    #[test]
    fn never_gives_what_is_no_number() {
        let mut state = 1_u64;
        let mut draw = || {
            state =
                state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
            (state >> 40) as f64 / (1_u64 << 24) as f64
        };
        let mut estimates = 0;
        for _ in 0..2_000 {
            let count = 5 + (draw() * 90.0) as u32;
            let (scale, zeros, moves) = (10_f64.powf(draw() * 24.0 - 6.0), draw(), draw());
            let weeks: Vec<Week> = (0..count)
                .map(|index| Week {
                    index: index * (1 + (draw() * 2.0) as u32),
                    units: if draw() < zeros { 0.0 } else { (draw() * scale).max(1e-6) },
                    price: if draw() < moves { 0.01 + draw() * scale } else { scale },
                    promoted_share: if draw() < 0.5 { 0.0 } else { draw() },
                })
                .collect();
            let mut weeks = weeks;
            weeks.sort_by_key(|week| week.index);
            if let Ok(found) = estimate(&weeks, &SETTINGS) {
                estimates += 1;
                for one in [Some(found.elasticity), found.promotion].into_iter().flatten() {
                    assert!(one.value.is_finite() && one.standard_error.is_finite());
                }
            }
        }
        assert!(estimates > 200, "{estimates}");
    }
}

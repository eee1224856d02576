//! The price elasticity that an item's own weeks tell.

use ndarray::{Array1, Array2};
use thiserror::Error;

use super::{
    regression::{COLUMNS, Covariance, Fit, FitError, least_squares, poisson},
    weekly::Week,
};

/// Weeks of a year: from so many on, season and price can be told apart.
const YEAR: usize = 52;
/// Weeks beyond the number of coefficients, at least.
const FREE_WEEKS: usize = 4;
/// A price whose logarithm deviates by less than this does not vary.
const PRICE_DEVIATION: f64 = 0.01;
/// When one week holds more than this share of the variation of the price that the controls leave,
/// the slope is that week's and no more.
const ONE_WEEK: f64 = 0.9;
/// When the controls leave less than this share of the variation of the price, they explain it.
const OWN_VARIATION: f64 = 0.02;

/// Column of ln price.
const PRICE: usize = 1;

/// How weeks become an estimate.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Weeks at least.
    pub min_weeks: usize,
    /// Share of weeks without a sale above which the Poisson regression is used.
    pub poisson_zero_share: f64,
}

/// Which regression.
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

/// What an item's weeks tell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Of units with respect to price, as measured: it may have the wrong sign.
    pub elasticity: Measured,
    /// ln(units under a promotion / units without at the same price); `None` unless promotions came
    /// and went.
    pub promotion: Option<Measured>,
    /// By which regression.
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
        /// What it takes.
        needed: usize,
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
/// errors are HC3.
///
/// # Errors
/// See [`NoEstimate`]; never a number that is not finite.
pub fn estimate(weeks: &[Week], settings: &Settings) -> Result<Estimate, NoEstimate> {
    let zero_weeks = weeks.iter().filter(|week| week.units <= 0.0).count();
    #[expect(clippy::cast_precision_loss, reason = "counts of weeks")]
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
    let (value, standard_error) = (fit.coefficients[column], fit.standard_error(column));
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
    #[expect(clippy::cast_precision_loss, reason = "a count of weeks")]
    let variation = deviation * deviation * price.len() as f64;
    if total < OWN_VARIATION * variation {
        return Err(NoEstimate::NotSeparable);
    }
    let largest = squares.iter().copied().fold(0.0, f64::max);
    if largest > ONE_WEEK * total { Err(NoEstimate::NoPriceVariation) } else { Ok(()) }
}

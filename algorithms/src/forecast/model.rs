//! A method at work: fitted once, fed day by day.

use super::{
    Method,
    intermittent::{ALPHA, Croston, Tsb},
    recent::{ByPlace, Recent},
    smoothing::{Search, Smoothed},
    theta::Theta,
};

/// A fitted method and what it has seen.
#[derive(Clone, Debug)]
pub(super) enum Model {
    Recent(Recent),
    ByPlace(ByPlace),
    Smoothed(Smoothed),
    Theta(Theta),
    Croston(Croston),
    Tsb(Tsb),
}

impl Model {
    /// Fits the parameters of `method` to `series` and feeds it.
    pub(super) fn fitted(method: Method, series: &[f64], season: usize, how: Search) -> Self {
        let mut model = match method {
            Method::Theta => return Self::Theta(Theta::fitted(series, season, how)),
            Method::Naive => Self::Recent(Recent::last()),
            Method::MovingAverage => Self::Recent(Recent::seasons(season)),
            Method::SeasonalNaive => Self::ByPlace(ByPlace::last(season)),
            Method::WeekdayMean => Self::ByPlace(ByPlace::means(season)),
            Method::Ses => Self::Smoothed(Smoothed::fitted(series, how)),
            Method::Croston => Self::Croston(Croston::new(ALPHA)),
            Method::Sba => Self::Croston(Croston::unbiased(ALPHA)),
            Method::Tsb => Self::Tsb(Tsb::new(ALPHA, ALPHA)),
        };
        for &value in series {
            model.observe(value);
        }
        model
    }

    /// Takes in the next value; one that is not finite was not observed.
    pub(super) fn observe(&mut self, value: f64) {
        match self {
            Self::Recent(model) => model.observe(value),
            Self::ByPlace(model) => model.observe(value),
            Self::Smoothed(model) => model.observe(value),
            Self::Theta(model) => model.observe(value),
            Self::Croston(model) => model.observe(value),
            Self::Tsb(model) => model.observe(value),
        }
    }

    /// What follows: never negative, always finite.
    pub(super) fn path(&self, path: &mut [f64]) {
        match self {
            Self::Recent(model) => model.path(path),
            Self::ByPlace(model) => model.path(path),
            Self::Smoothed(model) => path.fill(model.level()),
            Self::Theta(model) => model.path(path),
            Self::Croston(model) => path.fill(model.level()),
            Self::Tsb(model) => path.fill(model.level()),
        }
        for value in path {
            *value = if value.is_finite() { value.max(0.0) } else { 0.0 };
        }
    }
}

/// What `method` expects of the `horizon` days after `series`, in which a value that is not finite
/// was not observed; `season` is a number of days (0 counts as 1). Never negative, always finite;
/// 0 of a series without values.
#[must_use]
pub fn forecast(method: Method, series: &[f64], season: usize, horizon: usize) -> Vec<f64> {
    let mut path = vec![0.0; horizon];
    Model::fitted(method, series, season.max(1), Search::Fine).path(&mut path);
    path
}

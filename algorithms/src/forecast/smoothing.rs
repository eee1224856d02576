//! Simple exponential smoothing and the search for its parameter.

/// Range of smoothing parameters.
const RANGE: (f64, f64) = (0.01, 0.99);
/// Points of the grid from which a search starts: the loss may have several minima.
const GRID: u32 = 9;

/// How exactly parameters are searched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Search {
    /// Search to 1e-7, for the final fit.
    Fine,
    /// Search to 5e-3, for the fits of a backtest.
    Coarse,
}

/// The smoothing parameter of least loss: the best of a grid, refined between its neighbours by
/// golden sections.
pub(super) fn search(search: Search, loss: impl Fn(f64) -> f64) -> f64 {
    let tolerance = match search {
        Search::Fine => 1e-7,
        Search::Coarse => 5e-3,
    };
    let (first, last) = RANGE;
    let step = (last - first) / f64::from(GRID - 1);
    let grid = (0..GRID).map(|point| first + f64::from(point) * step);
    let best =
        grid.map(|alpha| (loss(alpha), alpha)).min_by(|left, right| left.0.total_cmp(&right.0));
    let (mut least, mut alpha) = best.unwrap_or((f64::INFINITY, first));
    let (mut low, mut high) = ((alpha - step).max(first), (alpha + step).min(last));
    let ratio = (5.0_f64.sqrt() - 1.0) / 2.0;
    let (mut left, mut right) = (high - ratio * (high - low), low + ratio * (high - low));
    let (mut at_left, mut at_right) = (loss(left), loss(right));
    while high - low > tolerance {
        if at_left <= at_right {
            (high, right, at_right) = (right, left, at_left);
            left = high - ratio * (high - low);
            at_left = loss(left);
        } else {
            (low, left, at_left) = (left, right, at_right);
            right = low + ratio * (high - low);
            at_right = loss(right);
        }
        let (found, place) = if at_left <= at_right { (at_left, left) } else { (at_right, right) };
        if found < least {
            (least, alpha) = (found, place);
        }
    }
    alpha
}

/// Simple exponential smoothing that starts at the first value; 0 before it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Smoothed {
    alpha: f64,
    level: Option<f64>,
}

impl Smoothed {
    pub(super) fn new(alpha: f64) -> Self {
        Self { alpha, level: None }
    }

    /// With the parameter of the least squared one-step error over `series`, and not yet fed.
    pub(super) fn fitted(series: &[f64], how: Search) -> Self {
        let observed: Vec<f64> = series.iter().copied().filter(|value| value.is_finite()).collect();
        let Some((&first, rest)) = observed.split_first() else { return Self::new(RANGE.0) };
        let alpha = search(how, |alpha| {
            let (mut level, mut loss) = (first, 0.0);
            for value in rest {
                let error = value - level;
                loss += error * error;
                level += alpha * error;
            }
            loss
        });
        Self::new(alpha)
    }

    pub(super) fn observe(&mut self, value: f64) {
        if value.is_finite() {
            self.level = Some(match self.level {
                None => value,
                Some(level) => level + self.alpha * (value - level),
            });
        }
    }

    pub(super) fn level(&self) -> f64 {
        self.level.unwrap_or_default()
    }
}

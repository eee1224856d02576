//! Quantiles of a method's errors in the backtest, by days ahead.

use crate::stats::normal;

/// Levels at which error quantiles are kept.
pub const LEVELS: [f64; 17] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.975, 0.99, 0.995,
];

/// Days ahead at which errors are measured, as far as the history allows.
pub const HORIZONS: [usize; 14] = [1, 2, 3, 5, 7, 10, 14, 21, 28, 42, 56, 84, 112, 168];

/// Quantiles of actual minus forecast: of single days, and of the sum of the first days. They come
/// from the errors that the same method made from many origins, so that the correlation between
/// days, the bias and the skewness are in them; quantiles of a sum are never added up from those
/// of days.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ErrorTable {
    /// Days ahead, at least 1, ascending, at least one.
    pub horizons: Vec<usize>,
    /// Levels of the quantiles, ascending, above 0 and below 1, at least one.
    pub levels: Vec<f64>,
    /// `horizons` x `levels`: quantiles of the error of the day `horizon` days ahead.
    pub step: Vec<f64>,
    /// `horizons` x `levels`: quantiles of the error of the sum of the first `horizon` days.
    pub sum: Vec<f64>,
    /// Root mean squared error of the day, by horizon.
    pub step_deviation: Vec<f64>,
    /// Root mean squared error of the sum, by horizon.
    pub sum_deviation: Vec<f64>,
}

/// Beyond the ladder, and within its first step, sums vary as the square root of days, as those of
/// independent days do.
const SUM_GROWTH: f64 = 0.5;

/// Between two horizons of the ladder: the lower, and how much of it and of the next one counts.
/// The weights add up to 1 within the ladder, and stretch its last row beyond it.
#[derive(Clone, Copy, Debug)]
struct Place {
    row: usize,
    lower: f64,
    upper: f64,
}

/// Where a level lies: at a level of the table, how far towards the next one, or how many normal
/// scores beyond the outermost one.
#[derive(Clone, Copy, Debug, Default)]
struct Column {
    column: usize,
    next: f64,
    scores: f64,
}

impl ErrorTable {
    /// Quantile of the error of the day `days` days ahead: interpolated between horizons; beyond the
    /// last one it grows by the power of days by which deviations grew from the first horizon to
    /// the last, at least 0 and at most a half.
    #[must_use]
    pub fn step_quantile(&self, days: usize, level: f64) -> f64 {
        let place = self.place(days as f64, self.growth());
        self.quantile(&self.step, &self.step_deviation, place, self.column(level))
    }

    /// Quantile of the error of the sum of the first `days` days: interpolated between horizons;
    /// beyond the last one it grows as the square root of days, as independent errors would.
    #[must_use]
    pub fn sum_quantile(&self, days: usize, level: f64) -> f64 {
        self.sum_quantiles(level)(days)
    }

    /// [`Self::sum_quantile`] of one level, as a function of days.
    pub(crate) fn sum_quantiles(&self, level: f64) -> impl Fn(usize) -> f64 {
        let column = self.column(level);
        move |days| {
            let place = self.place(days as f64, SUM_GROWTH);
            self.quantile(&self.sum, &self.sum_deviation, place, column)
        }
    }

    /// Deviation of the error of the sum of the first `days` days, which may be a fraction.
    #[must_use]
    pub fn sum_deviation(&self, days: f64) -> f64 {
        let Place { row, lower, upper } = self.place(days, SUM_GROWTH);
        at(&self.sum_deviation, row) * lower + at(&self.sum_deviation, row + 1) * upper
    }

    /// The power of days that deviations of single days go by.
    fn growth(&self) -> f64 {
        let last = self.horizons.len().saturating_sub(1);
        let [first, last] = [0, last].map(|row| {
            let days = self.horizons.get(row).map_or(1.0, |&days| days as f64);
            (days.ln(), at(&self.step_deviation, row).ln())
        });
        let growth = (last.1 - first.1) / (last.0 - first.0);
        if growth.is_finite() { growth.clamp(0.0, 0.5) } else { 0.0 }
    }

    fn place(&self, days: f64, growth: f64) -> Place {
        let above = self.horizons.partition_point(|&horizon| horizon as f64 <= days);
        let horizon = |row: usize| self.horizons.get(row).map_or(1.0, |&days| days as f64);
        if above == 0 {
            let share = (days.max(0.0) / horizon(0)).powf(growth);
            return Place { row: 0, lower: share, upper: 0.0 };
        }
        let row = above - 1;
        if above == self.horizons.len() {
            return Place { row, lower: (days / horizon(row)).powf(growth), upper: 0.0 };
        }
        let upper = (days - horizon(row)) / (horizon(above) - horizon(row));
        Place { row, lower: 1.0 - upper, upper }
    }

    /// Interpolates between levels by their normal scores; beyond the outermost levels the
    /// quantile goes on as that of a normal distribution with the same deviation.
    fn column(&self, level: f64) -> Column {
        let width = self.levels.len();
        let score = |column: usize| normal::quantile(self.levels[column]);
        let above = self.levels.partition_point(|&known| known < level);
        let beyond = |column: usize| {
            let scores = normal::quantile(level) - score(column);
            Column { column, next: 0.0, scores }
        };
        match (above, above < width) {
            (_, _) if width == 0 => Column::default(),
            (0, _) if self.levels[0] == level => Column::default(),
            (0, _) => beyond(0),
            (_, false) => beyond(width - 1),
            (above, true) => {
                let (below, next) = (score(above - 1), score(above));
                let share = (normal::quantile(level) - below) / (next - below);
                Column { column: above - 1, next: share, scores: 0.0 }
            }
        }
    }

    fn quantile(&self, table: &[f64], deviations: &[f64], place: Place, at_level: Column) -> f64 {
        let Place { row, lower, upper } = place;
        let Column { column, next, scores } = at_level;
        let width = self.levels.len();
        if width == 0 {
            return 0.0;
        }
        let cell = |column: usize| {
            let of = |row: usize| at(table, row * width + column);
            of(row) * lower + if upper > 0.0 { of(row + 1) * upper } else { 0.0 }
        };
        if scores != 0.0 {
            let deviation = at(deviations, row) * lower + at(deviations, row + 1) * upper;
            return cell(column) + deviation * scores;
        }
        if next > 0.0 {
            // Rounding must not take it out of the order of levels.
            let (below, above) = (cell(column), cell(column + 1));
            (below + (above - below) * next).min(above)
        } else {
            cell(column)
        }
    }
}

fn at(values: &[f64], index: usize) -> f64 {
    values.get(index).copied().unwrap_or_default()
}

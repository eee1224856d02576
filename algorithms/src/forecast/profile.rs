//! What an item with too short a history borrows from its category.

use super::{Forecast, Spread};

/// Days of a week.
const WEEK: usize = 7;
/// Units of even demand that each weekday's share starts from.
const EVEN_UNITS: f64 = 10.0;
/// Variance over mean where no item of the category had one.
const USUAL_RATIO: f64 = 1.5;

/// Sums over the items of a category, from which its profile follows. Items count from the day
/// after their first sale: the day of the first sale is there because of it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CategorySums {
    /// Items.
    pub items: f64,
    /// Units by weekday, Monday first, and the item days that they were sold on.
    pub units: [f64; WEEK],
    /// See `units`.
    pub days: [f64; WEEK],
    /// Sum of the items' daily means.
    pub means: f64,
    /// Sum of the squares of these means.
    pub squares: f64,
    /// Sum of variance ratios of the items that have one.
    pub ratios: f64,
    /// Number of these.
    pub ratio_items: f64,
}

/// How demand of a category's items is distributed over the week and over items.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Profile {
    /// Demand of a weekday over that of the mean day, Monday first.
    pub weekday: [f64; WEEK],
    /// Mean daily units of an item.
    pub mean: f64,
    /// Variance of items' true means.
    pub between: f64,
    /// Variance over mean of the daily units of an item.
    pub variance_ratio: f64,
}

impl Profile {
    /// The profile of a category; that of nothing sold at all is 0.
    ///
    /// The variance between items is that of their means, less what chance alone gives them (the
    /// method of moments of credibility theory: Bühlmann and Gisler 2005, chapter 4).
    #[must_use]
    pub fn new(sums: &CategorySums) -> Self {
        let CategorySums { items, units, days, means, squares, ratios, ratio_items } = *sums;
        let total_days: f64 = days.iter().sum();
        let per_day = if total_days > 0.0 { units.iter().sum::<f64>() / total_days } else { 0.0 };
        let mut weekday = [1.0; WEEK];
        for (factor, (units, days)) in weekday.iter_mut().zip(units.iter().zip(&days)) {
            *factor = (units + EVEN_UNITS) / (per_day * days + EVEN_UNITS);
        }
        let level = weekday.iter().sum::<f64>() / WEEK as f64;
        weekday = weekday.map(|factor| factor / level);

        let ratio = if ratio_items > 0.0 { ratios / ratio_items } else { USUAL_RATIO };
        let variance_ratio = if ratio.is_finite() { ratio.max(1.0) } else { USUAL_RATIO };
        if items <= 0.0 || total_days <= 0.0 {
            return Self { weekday, mean: 0.0, between: 0.0, variance_ratio };
        }
        let mean = means / items;
        let chance = variance_ratio * mean * items / total_days;
        let between = (squares / items - mean * mean - chance).max(0.0);
        Self { weekday, mean, between, variance_ratio }
    }

    /// The item's own daily mean drawn towards the category's, with Bühlmann's credibility
    /// n / (n + k), k = variance within an item / variance between items, where n are its days
    /// after the first sale.
    ///
    /// `history` are weekday (0 is Monday) and units of these days; units that are not finite were
    /// not observed.
    #[must_use]
    pub fn shrunk_mean(&self, history: impl IntoIterator<Item = (usize, f64)>) -> f64 {
        // Days count by what their weekday is worth.
        let (mut units, mut days) = (0.0, 0.0);
        for (weekday, sold) in history {
            if sold.is_finite() {
                units += sold.max(0.0);
                days += self.weekday[weekday % WEEK];
            }
        }
        let own = if days > 0.0 { units / days } else { self.mean };
        let within = self.variance_ratio * self.mean;
        let credibility = match (self.between > 0.0, self.mean > 0.0) {
            (true, _) => days / (days + within / self.between),
            // Items of the category do not differ; or there is no category.
            (false, true) => 0.0,
            (false, false) => 1.0,
        };
        credibility * own + (1.0 - credibility) * self.mean
    }

    /// Days of that mean with the category's weekdays and variance; `weekday` is that of the
    /// first day.
    #[must_use]
    pub fn forecast(&self, mean: f64, weekday: usize, horizon: usize) -> Forecast {
        let day = |ahead: usize| mean * self.weekday[(weekday + ahead) % WEEK];
        let spread = Spread::NegativeBinomial { variance_ratio: self.variance_ratio };
        Forecast::new((0..horizon.max(1)).map(day).collect(), WEEK, spread)
    }
}

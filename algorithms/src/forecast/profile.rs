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
        let days = (0..horizon.max(1)).map(|ahead| mean * self.weekday[(weekday + ahead) % WEEK]);
        let spread = Spread::NegativeBinomial { variance_ratio: self.variance_ratio };
        Forecast::new(days.collect(), WEEK, spread)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Twenty items of 100 days each.
    fn sums(means: &[f64], ratio: f64) -> CategorySums {
        let items = means.len() as f64;
        let total: f64 = means.iter().sum::<f64>() * 100.0;
        let mut sums = CategorySums {
            items,
            means: means.iter().sum(),
            squares: means.iter().map(|mean| mean * mean).sum(),
            ratios: items * ratio,
            ratio_items: items,
            ..CategorySums::default()
        };
        // Saturdays sell twice as much as any other day.
        for (weekday, units) in sums.units.iter_mut().enumerate() {
            *units = total / 8.0 * if weekday == 5 { 2.0 } else { 1.0 };
        }
        sums.days = [items * 100.0 / 7.0; WEEK];
        sums
    }

    #[test]
    fn an_item_is_believed_as_its_history_grows() {
        let profile = Profile::new(&sums(&[1.0, 3.0, 2.0, 6.0, 8.0, 4.0], 2.0));
        assert!((profile.mean - 4.0).abs() < 1e-12);
        assert!((profile.weekday.iter().sum::<f64>() - 7.0).abs() < 1e-12);
        assert!((profile.weekday[5] / profile.weekday[0] - 2.0).abs() < 0.05, "{profile:?}");
        assert_eq!(profile.shrunk_mean([]), profile.mean);
        let means = [1, 7, 70, 7_000]
            .map(|days: usize| profile.shrunk_mean((0..days).map(|day| (day, 20.0))));
        assert!(means.is_sorted() && means[0] > 4.0 && means[3] > 19.9, "{means:?}");
        // By hand: the variance between items is that of their means less 2 x 4 / 100.
        let between = 130.0 / 6.0 - 16.0 - 8.0 / 100.0;
        let credibility = 7.0 / (7.0 + 8.0 / between);
        assert!((means[1] - (credibility * 20.0 + (1.0 - credibility) * 4.0)).abs() < 1e-9);
        // Days that were not observed say nothing.
        let gaps = [(0, f64::NAN), (3, f64::NAN)];
        assert_eq!(profile.shrunk_mean(gaps), profile.mean);
    }

    #[test]
    fn a_saturday_alone_does_not_raise_the_level() {
        let profile = Profile::new(&sums(&[2.0; 20], 1.0));
        assert_eq!(profile.between, 0.0);
        // Items do not differ, so the category's mean is the item's.
        assert_eq!(profile.shrunk_mean([(5, 100.0)]), 2.0);
        let forecast = profile.forecast(7.0, 4, 10);
        let ratio = forecast.path[1] / forecast.path[0];
        assert!((ratio - 2.0).abs() < 0.05, "{forecast:?}");
        assert!((forecast.sum_mean(7.0) - 49.0).abs() < 1e-9);
        assert_eq!(forecast.mean(11), forecast.mean(4));
    }

    #[test]
    fn nothing_sold_is_nothing_expected() {
        let profile = Profile::new(&CategorySums::default());
        assert_eq!(profile.shrunk_mean([]), 0.0);
        // Without a category the item speaks for itself.
        assert_eq!(profile.shrunk_mean([(0, 3.0), (1, 5.0)]), 4.0);
        assert_eq!(profile.forecast(0.0, 3, 5).sum_quantile(30.0, 0.99), 0.0);
    }
}

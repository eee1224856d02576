//! Weeks of sales, from days.
//!
//! # Which price
//! The regressor should be the price on offer. What is known is what was paid, how much of it under
//! a promotion, and the highest price before discounts.
//!
//! - Revenue over units of the week is weighted by units: cheap days and buyers with coupons weigh
//!   more the more they buy, so that the price answers to demand. Here every day with a sale counts
//!   the same, and the promoted share, averaged likewise, stands beside the price in the
//!   regression: what is left of a discount after it is told apart from the promotion that carries
//!   it.
//! - The highest price before discounts cannot be moved by buyers, but it follows which shop of a
//!   chain happened to sell: on The Complete Journey slopes on it have the wrong sign for half the
//!   items. Prices paid by one half of the households explain the units of the other half as well
//!   as their own (pooled -1.3 and -1.2 by Poisson with promotions), so that buyers leak little
//!   into them.
//!
//! A week without a sale keeps price *and* promoted share of the week before: with the price of a
//! promotion and no promotion the regression learns that discounts sell nothing (pooled -0.5 in
//! place of -1.4 there).

/// Days of a week.
const WEEK: u32 = 7;

/// A day on which an item was sold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SaleDay {
    /// Days since a Monday.
    pub day: u32,
    /// Units sold on the day, above 0.
    pub units: f64,
    /// Units of these under a promotion.
    pub promoted_units: f64,
    /// Money paid for all units.
    pub revenue: f64,
}

/// A whole week, Monday to Sunday.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Week {
    /// Weeks since that Monday.
    pub index: u32,
    /// Units sold in the week, at least 0.
    pub units: f64,
    /// Above 0: mean price paid over days with a sale; that of the week before when there is none.
    pub price: f64,
    /// Share of units under a promotion, 0 to 1, likewise.
    pub promoted_share: f64,
}

/// Weeks of an item.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// The whole ones from the first sale to the last.
    pub weeks: Vec<Week>,
    /// Lowest and highest price of all weeks, those included that are not whole; `None` without a
    /// sale.
    pub prices: Option<(f64, f64)>,
}

impl History {
    /// Weeks from `days` in ascending order; days without units or revenue do not count.
    ///
    /// A week in which the item was sold from Wednesday on says as little about a week as the one
    /// in which its sales, or the log, end; and a week before the first or after the last sale may
    /// be one in which it was not for sale. Where the life of an item ends is thus told by its own
    /// days alone.
    #[must_use]
    pub fn new(days: &[SaleDay]) -> Self {
        let usable: Vec<&SaleDay> =
            days.iter().filter(|day| day.units > 0.0 && day.revenue > 0.0).collect();
        let (Some(first), Some(last)) = (usable.first(), usable.last()) else {
            return Self::default();
        };
        let whole = first.day.div_ceil(WEEK)..(last.day + 1) / WEEK;
        let mut weeks: Vec<Week> = Vec::new();
        let mut prices = (f64::INFINITY, 0.0_f64);
        let mut before: Option<Week> = None;
        for days in usable.chunk_by(|day, next| day.day / WEEK == next.day / WEEK) {
            let week = Week::new(days);
            prices = (prices.0.min(week.price), prices.1.max(week.price));
            if let Some(before) = before {
                let empty = (before.index + 1).max(whole.start)..week.index;
                weeks.extend(empty.map(|index| Week { index, units: 0.0, ..before }));
            }
            if whole.contains(&week.index) {
                weeks.push(week);
            }
            before = Some(week);
        }
        Self { weeks, prices: Some(prices) }
    }
}

impl Week {
    /// Sums up the days with a sale, at least one, of the same week.
    fn new(days: &[&SaleDay]) -> Self {
        let mean = |value: fn(&SaleDay) -> f64| {
            let (mut sum, mut count) = (0.0, 0.0);
            for day in days {
                sum += value(day);
                count += 1.0;
            }
            sum / count
        };
        Self {
            index: days[0].day / WEEK,
            units: days.iter().map(|day| day.units).sum(),
            price: mean(|day| day.revenue / day.units),
            promoted_share: mean(|day| (day.promoted_units / day.units).clamp(0.0, 1.0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(day: u32, units: f64, price: f64, promoted_units: f64) -> SaleDay {
        SaleDay { day, units, promoted_units, revenue: units * price }
    }

    #[test]
    fn whole_weeks_between_first_and_last_sale() {
        let days = [
            day(9, 5.0, 3.0, 0.0),
            day(14, 1.0, 2.0, 0.0),
            day(20, 3.0, 1.0, 3.0),
            day(36, 2.0, 4.0, 0.0),
            day(42, 9.0, 9.0, 0.0),
        ];
        let history = History::new(&days);
        let week =
            |index, units, price, promoted_share| Week { index, units, price, promoted_share };
        let expected = [
            // A day counts like another, whatever was sold on it.
            week(2, 4.0, 1.5, 0.5),
            // Nothing sold: price and promotion go on.
            week(3, 0.0, 1.5, 0.5),
            week(4, 0.0, 1.5, 0.5),
            week(5, 2.0, 4.0, 0.0),
        ];
        assert_eq!(history.weeks, expected);
        assert_eq!(history.prices, Some((1.5, 9.0)), "of weeks that are not whole as well");
    }

    #[test]
    fn the_first_and_last_week_count_when_whole() {
        // Sold on a Monday and on the Sunday of the week after.
        let history = History::new(&[day(7, 1.0, 1.0, 0.0), day(20, 1.0, 1.0, 0.0)]);
        assert_eq!(history.weeks.iter().map(|week| week.index).collect::<Vec<_>>(), [1, 2]);
        let history = History::new(&[day(8, 1.0, 1.0, 0.0), day(19, 1.0, 1.0, 0.0)]);
        assert_eq!(history.weeks, []);
    }

    #[test]
    fn days_without_units_or_revenue_do_not_count() {
        assert_eq!(History::new(&[]), History::default());
        let gift = SaleDay { day: 7, units: 4.0, promoted_units: 0.0, revenue: 0.0 };
        assert_eq!(History::new(&[gift]), History::default());
        // More promoted than sold, as rounding may have it.
        let history = History::new(&[day(0, 1.0, 1.0, 2.0), gift, day(13, 1.0, 1.0, 0.0)]);
        assert_eq!(history.weeks.len(), 2);
        assert_eq!(history.weeks[0].promoted_share, 1.0);
    }
}

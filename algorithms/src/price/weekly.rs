//! Weeks of sales, from days.
//!
//! # Which price
//! A week's price is the mean over its days with a sale of the price paid that day, each day
//! counting the same.

/// Days of a week.
const WEEK: u32 = 7;

/// A day on which an item was sold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SaleDay {
    /// Days since a Monday.
    pub day: u32,
    /// Above 0.
    pub units: f64,
    /// Of them under a promotion.
    pub promoted_units: f64,
    /// What was paid for them.
    pub revenue: f64,
    /// Highest price before discounts; 0 when unknown.
    pub list_price: f64,
}

/// A whole week, Monday to Sunday.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Week {
    /// Weeks since that Monday.
    pub index: u32,
    /// At least 0.
    pub units: f64,
    /// Above 0; that of the week before when nothing was sold.
    pub price: f64,
    /// Share of units under a promotion, 0 to 1.
    pub promoted_share: f64,
}

/// The whole weeks from the first sale to the last, of `days` in ascending order.
///
/// A week in which the item was sold from Wednesday on says as little about a week as the one in
/// which its sales, or the log, end; and a week before the first or after the last sale may be one
/// in which it was not for sale. Where the life of an item ends is thus told by its own days
/// alone. Days without units or revenue do not count.
#[must_use]
pub fn weeks(days: &[SaleDay]) -> Vec<Week> {
    let usable = || days.iter().filter(|day| day.units > 0.0 && day.revenue > 0.0);
    let (Some(first), Some(last)) = (usable().next(), usable().next_back()) else {
        return Vec::new();
    };
    let begin = first.day.div_ceil(WEEK);
    let end = (last.day + 1) / WEEK;
    // What was paid last, for weeks without a sale.
    let mut price = first.revenue / first.units;
    let mut days = usable().peekable();
    while let Some(day) = days.next_if(|day| day.day / WEEK < begin) {
        price = day.revenue / day.units;
    }
    let mut weeks = Vec::new();
    for index in begin..end {
        let (mut units, mut promoted, mut prices, mut sale_days) = (0.0, 0.0, 0.0, 0.0);
        while let Some(day) = days.next_if(|day| day.day / WEEK == index) {
            units += day.units;
            promoted += day.promoted_units.clamp(0.0, day.units);
            prices += day.revenue / day.units;
            sale_days += 1.0;
        }
        if sale_days > 0.0 {
            price = prices / sale_days;
        }
        let promoted_share = if units > 0.0 { promoted / units } else { 0.0 };
        weeks.push(Week { index, units, price, promoted_share });
    }
    weeks
}

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
    /// Above 0.
    pub units: f64,
    /// Of them under a promotion.
    pub promoted_units: f64,
    /// What was paid for them.
    pub revenue: f64,
}

/// A whole week, Monday to Sunday.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Week {
    /// Weeks since that Monday.
    pub index: u32,
    /// At least 0.
    pub units: f64,
    /// Above 0: mean price paid over days with a sale; that of the week before when there is none.
    pub price: f64,
    /// Share of units under a promotion, 0 to 1, likewise.
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
    let (begin, end) = (first.day.div_ceil(WEEK), (last.day + 1) / WEEK);
    let mut offer = Offer::default();
    let mut days = usable().peekable();
    while let Some(day) = days.next_if(|day| day.day / WEEK < begin) {
        offer.add(day);
    }
    let mut weeks = Vec::new();
    for index in begin..end {
        let mut units = 0.0;
        let mut present = Offer::default();
        while let Some(day) = days.next_if(|day| day.day / WEEK == index) {
            units += day.units;
            present.add(day);
        }
        if present.days > 0.0 {
            offer = present;
        }
        let (price, promoted_share) = offer.means();
        weeks.push(Week { index, units, price, promoted_share });
    }
    weeks
}

/// Sums over days with a sale.
#[derive(Clone, Copy, Default)]
struct Offer {
    days: f64,
    prices: f64,
    promoted_shares: f64,
}

impl Offer {
    fn add(&mut self, day: &SaleDay) {
        self.days += 1.0;
        self.prices += day.revenue / day.units;
        self.promoted_shares += (day.promoted_units / day.units).clamp(0.0, 1.0);
    }

    fn means(&self) -> (f64, f64) {
        (self.prices / self.days, self.promoted_shares / self.days)
    }
}

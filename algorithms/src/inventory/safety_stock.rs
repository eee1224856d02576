//! Safety stock where demand during the lead time is normal.

use crate::stats::normal::{loss, quantile};

/// Safety stock for the share `level` of order cycles without a stock-out: z times the deviation
/// of the demand during the lead time (and the review period).
#[must_use]
pub fn for_cycle_service(level: f64, deviation: f64) -> f64 {
    quantile(level) * deviation
}

/// Safety stock for the share `rate` of units delivered from stock, when each order is of
/// `quantity` units: solves deviation (G(z) - G(z + quantity / deviation)) = quantity (1 - rate).
///
/// The second loss is what was short already when the order arrived; leaving it out, as is often
/// done, keeps too much when orders are small. Negative when large orders alone keep the promise.
#[must_use]
pub fn for_fill_rate(rate: f64, deviation: f64, quantity: f64) -> f64 {
    if deviation <= 0.0 || quantity <= 0.0 {
        return 0.0;
    }
    let lot = quantity / deviation;
    // At z = -lot - 40 everything is short, at 40 nothing.
    let (mut low, mut high) = (-lot - 40.0, 40.0);
    for _ in 0..200 {
        let middle = low.midpoint(high);
        let excess = loss(middle) - loss(middle + lot) - lot * (1.0 - rate);
        if excess > 0.0 {
            low = middle;
        } else {
            high = middle;
        }
    }
    high * deviation
}

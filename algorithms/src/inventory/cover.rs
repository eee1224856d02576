//! How long stock lasts.

use super::CumulativeDemand;

/// Longest time that is looked at day by day.
const HORIZON: f64 = 3_650.0;

/// Days until mean demand has taken `on_hand` units, which may be owed already; `None` without
/// demand.
///
/// Beyond ten years demand goes on at the mean of these ten years.
#[must_use]
pub fn days_of_cover(on_hand: f64, demand: &impl CumulativeDemand) -> Option<f64> {
    let all = demand.mean(HORIZON);
    if all.is_nan() || all <= 0.0 {
        return None;
    }
    if on_hand <= 0.0 {
        return Some(0.0);
    }
    if on_hand >= all {
        return Some(on_hand / (all / HORIZON));
    }
    // Whole days first: demand within a day is even, so that its share is that of the day.
    let (mut low, mut high) = (0.0, HORIZON);
    while high - low > 1.0 {
        let middle = f64::midpoint(low, high).floor();
        if demand.mean(middle) < on_hand {
            low = middle;
        } else {
            high = middle;
        }
    }
    let (before, after) = (demand.mean(low), demand.mean(high));
    Some(low + (on_hand - before) / (after - before))
}

//! Economic lot sizes. Demand and holding cost are per the same period, a year by custom.

/// The order quantity with the least cost of ordering and holding: sqrt(2 K d / h) (Harris 1913).
/// 0 without demand or order cost.
///
/// `None` when holding costs nothing, so that there is no such quantity.
#[must_use]
pub fn economic_order_quantity(order_cost: f64, demand: f64, holding_cost: f64) -> Option<f64> {
    (holding_cost > 0.0).then(|| (2.0 * order_cost * demand / holding_cost).sqrt())
}

/// What ordering `quantity` at a time costs in a period.
#[must_use]
pub fn cost(quantity: f64, order_cost: f64, demand: f64, holding_cost: f64) -> f64 {
    order_cost * demand / quantity + 0.5 * holding_cost * quantity
}

/// The best quantity, and the share of it that is backordered, when a unit may wait for
/// `backorder_cost` a period.
#[must_use]
pub fn with_backorders(
    order_cost: f64,
    demand: f64,
    holding_cost: f64,
    backorder_cost: f64,
) -> Option<(f64, f64)> {
    let short = holding_cost / (holding_cost + backorder_cost);
    let quantity = economic_order_quantity(order_cost, demand, holding_cost)?;
    (backorder_cost > 0.0).then(|| (quantity / (1.0 - short).sqrt(), short))
}

/// The best quantity when it arrives little by little, `production` units a period.
///
/// `None` unless production exceeds demand.
#[must_use]
pub fn economic_production_quantity(
    order_cost: f64,
    demand: f64,
    holding_cost: f64,
    production: f64,
) -> Option<f64> {
    let quantity = economic_order_quantity(order_cost, demand, holding_cost)?;
    (production > demand).then(|| quantity / (1.0 - demand / production).sqrt())
}

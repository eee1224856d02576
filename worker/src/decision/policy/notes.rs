//! How levels and orders came about, and what they cannot keep.

use mercer_algorithms::inventory::{Cap, Levels, Order, OrderRules, Service, days_of_cover};
use mercer_common::ids::EVERYWHERE;
use mercer_proto::v1::{Note, StockPosition, note::Kind};

use super::{
    super::{
        Facts, note,
        note::{days, number, units},
        planned::PlannedDemand,
        series::DemandSeries,
        terms::Terms,
    },
    Kept, Short, is_at,
};

/// That an item is not held.
pub(super) fn not_held(facts: &Facts<'_>, series: &DemandSeries) -> Note {
    let sales = match series.location.as_str() {
        EVERYWHERE => facts.item.series().latest_sale_days(1),
        location => facts.item.series().at(location),
    };
    let last = sales.iter().rev().find(|day| day.units_micros > 0);
    let since =
        last.map_or(String::new(), |last| format!(" It was last sold on {}.", last.day.date()));
    let message = format!(
        "No demand is expected: the forecast is below half a unit a year, so that nothing is held \
         and the reorder point is 0.{since}"
    );
    note(Kind::Explanation, "reorder_point", message)
}

/// That there is no stock to order by.
pub(super) fn never_told(location: &str) -> Note {
    let place = match location {
        EVERYWHERE => String::new(),
        location => format!(" at `{location}`"),
    };
    let message = format!(
        "No order is proposed: the item's stock{place} was never told. Set it with SetStock."
    );
    note(Kind::Declined, "stock", message)
}

/// That the largest order cannot keep what the levels promise, and what it keeps.
pub(super) fn cover(
    kept: &Kept,
    levels: &Levels,
    quantity: f64,
    reached: Option<f64>,
    terms: &Terms,
) -> Option<Note> {
    let share = |share: f64| number((1_000.0 * share).round() / 10.0);
    let (cycles, filled) = (share(kept.cycle_service), share(kept.fill_rate));
    let most = days(terms.maximum_cover_days);
    let message = match kept.short? {
        Short::Now => format!(
            "An order that covers at most {most} does not bridge the {} until the next one can \
             arrive: with {} the position reaches {}, below the reorder point of {}, and keeps \
             {cycles} % of order cycles without a stock-out and {filled} % of units.",
            days(levels.days),
            units(quantity),
            number(reached.unwrap_or_default()),
            number(levels.reorder_point)
        ),
        Short::EachOrder => format!(
            "An order that covers at most {most} brings less than the {} between two orders take: \
             in the long run it keeps {cycles} % of order cycles without a stock-out and {filled} % \
             of units, whatever the reorder point.",
            days(terms.review_period_days)
        ),
    };
    Some(note(Kind::WeakEvidence, "supply.maximum_cover_days", message))
}

/// That what is on hand stands on changes alone.
pub(super) fn never_counted(facts: &Facts<'_>, location: &str) -> Option<Note> {
    let mut here = facts.item.stock().iter().filter(|stock| is_at(stock, location));
    let uncounted = here.find(|stock| stock.as_of_ms == 0)?;
    let message = format!(
        "The stock at `{}` was adjusted and never counted: what is on hand may be off.",
        uncounted.location
    );
    Some(note(Kind::WeakEvidence, "stock", message))
}

/// Why there is no economic order quantity, and what is done instead.
pub(super) fn no_lot(unit_cost: Option<i64>, terms: &Terms) -> Note {
    let (field, why) = match (unit_cost.filter(|&cost| cost > 0), unit_cost) {
        (Some(_), _) => (
            "supply.order_cost",
            "Nobody has said what an order costs (set `inventory.order_cost`, or the supplier's or \
             the item's terms), so that",
        ),
        (None, None) => {
            ("unit_cost", "No unit cost is known, so that holding stock has no cost and")
        }
        (None, Some(_)) => {
            ("unit_cost", "The unit cost is not above 0, so that holding stock has no cost and")
        }
    };
    let instead = if terms.review_period_days > 0.0 {
        format!("an order covers the review period of {}", days(terms.review_period_days))
    } else {
        "an order brings the position back to the reorder point".into()
    };
    let message = format!("{why} there is no economic order quantity: {instead}.");
    note(Kind::DataIgnored, field, message)
}

/// That the economic lot is larger than an order may be.
pub(super) fn lot(economic: Option<f64>, rules: &OrderRules, terms: &Terms) -> Option<Note> {
    let economic = economic.filter(|&lot| lot > rules.most)?;
    let message = format!(
        "The economic order quantity of {} is more than mean demand takes in {}; {} is planned \
         with instead.",
        units(economic),
        days(terms.maximum_cover_days),
        number(rules.most)
    );
    Some(note(Kind::RuleBinding, "supply.maximum_cover_days", message))
}

/// How the reorder point came about.
pub(super) fn levels(levels: &Levels, terms: &Terms) -> Note {
    let promise = match terms.service {
        Service::Cycle(level) => {
            format!("{} % of order cycles without a stock-out", number(100.0 * level))
        }
        Service::FillRate(rate) => {
            format!("{} % of units delivered from stock", number(100.0 * rate))
        }
    };
    let review = if terms.review_period_days > 0.0 {
        format!("and a review period of {}", days(terms.review_period_days))
    } else {
        "with stock watched continuously".to_owned()
    };
    let point = number(levels.reorder_point);
    let undershoot = match levels.undershoot >= 0.005 {
        true => format!(
            "; {} of it are the undershoot, by which demand in lumps passes the reorder point \
             before an order is placed",
            number(levels.undershoot)
        ),
        false => String::new(),
    };
    let message = if levels.days > 0.0 {
        format!(
            "For {promise}, the reorder point of {point} covers a lead time of {} ± {} {review}, \
             in which demand is {} ± {}{undershoot}.",
            number(terms.lead_time_days),
            days(terms.lead_time_deviation_days),
            number(levels.mean),
            units(levels.deviation)
        )
    } else {
        format!(
            "An order arrives at once and stock is watched continuously, so that the reorder point \
             of {point} covers no time{undershoot}."
        )
    };
    note(Kind::Explanation, "reorder_point", message)
}

/// How the order came about.
pub(super) fn order(
    stock: StockPosition,
    order: &Order,
    levels: &Levels,
    rules: &OrderRules,
    demand: &PlannedDemand<'_>,
    terms: &Terms,
) -> Vec<Note> {
    let position = format!(
        "the position of {} ({} on hand + {} on order - {} backordered) is",
        number(stock.position),
        number(stock.on_hand),
        number(stock.on_order),
        number(stock.backordered)
    );
    let (point, up_to) = (number(levels.reorder_point), number(levels.order_up_to));
    let message = if order.quantity == 0.0 && stock.position > levels.reorder_point {
        format!("Order nothing: {position} above the reorder point of {point}.")
    } else if order.quantity == 0.0 {
        format!("Order nothing: {position} all that is needed, for no demand is expected.")
    } else {
        let rounding = if (order.quantity - order.unrounded).abs() > 1e-6 {
            let (minimum, pack) = (number(rules.minimum), number(rules.pack));
            let rules = match order.cap {
                Cap::Free => format!("minimum of {minimum} and packs of {pack}"),
                Cap::Cut | Cap::Exceeded => {
                    let cover = days(terms.maximum_cover_days);
                    format!("minimum of {minimum}, packs of {pack} and cover of {cover}")
                }
            };
            format!(", which the {rules} make {}", number(order.quantity))
        } else {
            String::new()
        };
        format!(
            "Order {}: {position} at or below the reorder point of {point}; {} more reach \
             {up_to}{rounding}.",
            units(order.quantity),
            number(order.unrounded)
        )
    };
    let mut notes = vec![note(Kind::Explanation, "order_quantity", message)];
    let field = "supply.maximum_cover_days";
    let cover = days(terms.maximum_cover_days);
    match order.cap {
        Cap::Free => {}
        Cap::Cut => {
            let message = format!(
                "The order is kept within what mean demand takes in {cover}: {}.",
                units(order.quantity)
            );
            notes.push(note(Kind::RuleBinding, field, message));
        }
        Cap::Exceeded => {
            let covered = days_of_cover(order.quantity, demand);
            let lasts = covered.map_or("for ever".to_owned(), |covered| days(covered.round()));
            let message = format!(
                "The smallest order that minimum and packs allow, {}, lasts {lasts} at mean \
                 demand, longer than the {cover} that an order shall cover; the supplier's terms \
                 come first.",
                units(order.quantity)
            );
            notes.push(note(Kind::RuleRelaxed, field, message));
        }
    }
    notes
}

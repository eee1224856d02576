//! How levels and orders came about, and what they cannot keep.

use mercer_algorithms::inventory::{Cap, Levels, Order, OrderRules, Service, days_of_cover};
use mercer_common::{
    ids::EVERYWHERE,
    note::{Days, MissingForLot, Number, Said, Share, Text, Units, note},
};
use mercer_proto::v1::{Note, note::Kind};

use super::{Kept, Position, Short, is_at};
use crate::domain::{
    demand::{DemandSeries, Outlook},
    facts::Facts,
    inventory::terms::CompleteTerms,
};

/// That an item is not held.
pub(super) fn not_held(facts: &Facts<'_>, series: &DemandSeries<'_>) -> Note {
    let sales = match series.location.as_str() {
        EVERYWHERE => facts.item.series().latest_sale_days(1),
        location => facts.item.series().at(location),
    };
    let last = sales.iter().rev().find(|day| day.units_micros > 0);
    let said = Said::NotHeld { last_sale: last.map(|last| last.day) };
    note(Kind::Explanation, "reorder_point", said)
}

/// That there is no stock to order by.
pub(super) fn never_told(location: &str) -> Note {
    let location = (location != EVERYWHERE).then(|| Text(location.to_owned()));
    note(Kind::Declined, "stock", Said::StockNeverTold { location })
}

/// That the largest order cannot keep what the levels promise, and what it keeps.
pub(super) fn cover(
    kept: &Kept,
    levels: &Levels,
    quantity: f64,
    reached: Option<f64>,
    terms: &CompleteTerms,
) -> Option<Note> {
    let share = |share: f64| Share((1_000.0 * share).round() / 1_000.0);
    let (cycle_service, fill_rate) = (share(kept.cycle_service), share(kept.fill_rate));
    let cover = Days(terms.maximum_cover_days);
    let said = match kept.short? {
        Short::Now => Said::CoverTooShortNow {
            cover,
            days: Days(levels.days),
            quantity: Units(quantity),
            position: Number(reached.unwrap_or_default()),
            reorder_point: Number(levels.reorder_point),
            cycle_service,
            fill_rate,
        },
        Short::EachOrder => Said::CoverTooShort {
            cover,
            review_period: Days(terms.review_period_days),
            cycle_service,
            fill_rate,
        },
    };
    Some(note(Kind::WeakEvidence, "supply.maximum_cover_days", said))
}

/// That what is on hand stands on changes alone.
pub(super) fn never_counted(facts: &Facts<'_>, location: &str) -> Option<Note> {
    let mut here = facts.item.stock().iter().filter(|stock| is_at(stock, location));
    let uncounted = here.find(|stock| stock.as_of_ms == 0)?;
    let said = Said::StockNeverCounted { location: Text(uncounted.location.to_string()) };
    Some(note(Kind::WeakEvidence, "stock", said))
}

/// Why there is no economic order quantity, and what is done instead.
pub(super) fn no_lot(unit_cost: Option<i64>, terms: &CompleteTerms) -> Note {
    let (field, missing) = match unit_cost {
        Some(cost) if cost > 0 => ("supply.order_cost", MissingForLot::OrderCost),
        Some(_) => ("unit_cost", MissingForLot::PositiveUnitCost),
        None => ("unit_cost", MissingForLot::UnitCost),
    };
    let said = Said::NoEconomicLot { missing, review_period: review_period(terms) };
    note(Kind::DataIgnored, field, said)
}

/// `None` where stock is watched continuously.
fn review_period(terms: &CompleteTerms) -> Option<Days> {
    (terms.review_period_days > 0.0).then_some(Days(terms.review_period_days))
}

/// That the economic lot is larger than an order may be.
pub(super) fn lot(
    economic: Option<f64>,
    rules: &OrderRules,
    terms: &CompleteTerms,
) -> Option<Note> {
    let economic = economic.filter(|&lot| lot > rules.most)?;
    let said = Said::LotAboveCover {
        lot: Units(economic),
        cover: Days(terms.maximum_cover_days),
        planned: Number(rules.most),
    };
    Some(note(Kind::RuleBinding, "supply.maximum_cover_days", said))
}

/// How the reorder point came about.
pub(super) fn levels(levels: &Levels, terms: &CompleteTerms) -> Note {
    let reorder_point = Number(levels.reorder_point);
    let undershoot = (levels.undershoot >= 0.005).then_some(Number(levels.undershoot));
    if levels.days <= 0.0 {
        let said = Said::ReorderPointAtOnce { reorder_point, undershoot };
        return note(Kind::Explanation, "reorder_point", said);
    }
    let (cycle_service, fill_rate) = match terms.service {
        Service::Cycle(level) => (Some(Share(level)), None),
        Service::FillRate(rate) => (None, Some(Share(rate))),
    };
    let said = Said::ReorderPoint {
        reorder_point,
        cycle_service,
        fill_rate,
        lead_time: Number(terms.lead_time_days),
        lead_time_deviation: Days(terms.lead_time_deviation_days),
        review_period: review_period(terms),
        mean: Number(levels.mean),
        deviation: Units(levels.deviation),
        undershoot,
    };
    note(Kind::Explanation, "reorder_point", said)
}

/// How the order came about.
pub(super) fn order(
    stock: Position,
    order: &Order,
    levels: &Levels,
    rules: &OrderRules,
    demand: &Outlook<'_>,
    terms: &CompleteTerms,
) -> Vec<Note> {
    let position = Number(stock.total());
    let (on_hand, on_order) = (Number(stock.on_hand), Number(stock.on_order));
    let backordered = Number(stock.backordered);
    let reorder_point = Number(levels.reorder_point);
    let cover = Days(terms.maximum_cover_days);
    let said = if order.quantity == 0.0 && stock.total() > levels.reorder_point {
        Said::OrderNothing { position, on_hand, on_order, backordered, reorder_point }
    } else if order.quantity == 0.0 {
        Said::OrderNothingWithoutDemand { position, on_hand, on_order, backordered }
    } else {
        let is_rounded = (order.quantity - order.unrounded).abs() > 1e-6;
        let is_capped = is_rounded && order.cap != Cap::Free;
        Said::Order {
            quantity: Units(order.quantity),
            position,
            on_hand,
            on_order,
            backordered,
            reorder_point,
            unrounded: Number(order.unrounded),
            order_up_to: Number(levels.order_up_to),
            minimum: is_rounded.then_some(Number(rules.minimum)),
            pack: is_rounded.then_some(Number(rules.pack)),
            cover: is_capped.then(|| cover.clone()),
        }
    };
    let mut notes = vec![note(Kind::Explanation, "order_quantity", said)];
    let field = "supply.maximum_cover_days";
    let quantity = Units(order.quantity);
    match order.cap {
        Cap::Free => {}
        Cap::Cut => {
            notes.push(note(Kind::RuleBinding, field, Said::OrderCut { cover, quantity }));
        }
        Cap::Exceeded => {
            let covered = days_of_cover(order.quantity, demand);
            let lasts = covered.map(|covered| Days(covered.round()));
            let said = Said::OrderExceedsCover { quantity, lasts, cover };
            notes.push(note(Kind::RuleRelaxed, field, said));
        }
    }
    notes
}

//! What to order of an item.

mod notes;

use mercer_algorithms::inventory::{
    Cap, CumulativeDemand as _, LeadTime, Levels, Order, OrderRules, Replenishment, days_of_cover,
    lot, order,
};
use mercer_common::{
    ids::EVERYWHERE,
    money,
    note::{Said, note},
};
use mercer_proto::v1::{
    ItemStatus, LeadTimeDemand, Note, Policy, PolicyRequest, PolicyResponse, StockPosition,
    note::Kind,
};

use super::{
    single_period,
    terms::{self, CompleteTerms},
};
use crate::{
    domain::{
        DecideError, Facts,
        demand::{DemandSeries, Outlook, planned_effects, series_at},
    },
    shard::Stock,
};

/// Days of a year, over which lots are reckoned.
const YEAR: f64 = 365.0;
/// Days within which a stock-out is named.
const STOCK_OUT_DAYS: f64 = 365.0;

/// Safety stock, reorder point, order-up-to level and what to order now.
///
/// The lead time begins the day after the newest purchase or return that was trained on. An item that is not
/// for sale is declined; without any record of stock the levels hold, and no order is proposed.
///
/// # Errors
/// [`DecideError::NotTrained`], [`DecideError::UnknownLocation`], and [`DecideError::Invalid`] for
/// a plan or terms that are none.
pub(crate) fn policy(
    facts: &Facts<'_>,
    request: &PolicyRequest,
) -> Result<PolicyResponse, DecideError> {
    let mut series = series_at(facts, &request.location_id)?;
    let mut response = PolicyResponse {
        item_id: facts.item.id().to_owned(),
        location_id: series.location.clone(),
        version: facts.version.to_owned(),
        stock: stock(facts, &series.location),
        ..PolicyResponse::default()
    };
    if let Some(declined) = declined(facts) {
        response.notes.push(declined);
        return Ok(response);
    }
    let mut notes = std::mem::take(&mut series.notes);
    let terms = terms::merge(facts, &series.location, request.terms.as_ref(), &mut notes)?;
    let effects =
        planned_effects(facts, &series, &request.plan, STOCK_OUT_DAYS as u32, &mut notes)?;
    let demand = Outlook::new(&series.forecast, effects);
    response.policy = Some(decide(facts, &series, &demand, &terms, response.stock, &mut notes));
    response.terms = Some(terms.to_api(facts.currency));
    response.supplier_id.clone_from(&terms.supplier);
    if let Some(season) = &request.single_period {
        response.single_period = single_period::quantity(facts, &demand, season, &mut notes)?;
    }
    response.notes = notes;
    Ok(response)
}

/// Whether an answer was decided with the status, stock and terms that the item has.
pub(crate) fn is_current(facts: &Facts<'_>, decided: &PolicyResponse) -> bool {
    let location = &decided.location_id;
    let terms = terms::merge(facts, location, None, &mut Vec::new());
    facts.item.status() == ItemStatus::Active
        && stock(facts, location) == decided.stock
        && terms.is_ok_and(|terms| {
            terms.supplier == decided.supplier_id
                && Some(terms.to_api(facts.currency)) == decided.terms
        })
}

fn declined(facts: &Facts<'_>) -> Option<Note> {
    let status = facts.not_for_sale()?;
    Some(note(Kind::Declined, "status", Said::NotOrderedByStatus { status }))
}

/// What is on hand, on order and owed at a location, or at all of them; `None` when stock was
/// never told.
fn stock(facts: &Facts<'_>, location: &str) -> Option<StockPosition> {
    let mut known = None;
    for stock in facts.item.stock().iter().filter(|stock| is_at(stock, location)) {
        let sum: &mut StockPosition = known.get_or_insert_default();
        sum.on_hand += stock.on_hand;
        sum.on_order += stock.on_order;
        sum.backordered += stock.backordered;
        sum.position = sum.on_hand + sum.on_order - sum.backordered;
    }
    known
}

fn is_at(stock: &Stock, location: &str) -> bool {
    location == EVERYWHERE || *stock.location == *location
}

fn decide(
    facts: &Facts<'_>,
    series: &DemandSeries,
    demand: &Outlook<'_>,
    terms: &CompleteTerms,
    stock: Option<StockPosition>,
    notes: &mut Vec<Note>,
) -> Policy {
    let unit_cost = facts.item.unit_cost_micros().filter(|&micros| micros > 0);
    let in_money = |micros: i64| micros as f64 / 1e6;
    let economic = unit_cost.zip(terms.order_cost_micros).and_then(|(cost, order_cost)| {
        let holding = terms.holding_rate * in_money(cost);
        lot::economic_order_quantity(in_money(order_cost), demand.mean(YEAR), holding)
    });
    let rules = OrderRules {
        minimum: terms.minimum_order_quantity,
        pack: terms.pack_size,
        most: demand.mean(terms.maximum_cover_days),
    };
    let lead_time = LeadTime::new(terms.lead_time_days, terms.lead_time_deviation_days);
    let replenishment = Replenishment {
        lead_time: &lead_time,
        review_days: terms.review_period_days,
        service: terms.service,
        lot: economic.unwrap_or_default().min(rules.most),
        smallest_order: rules.smallest(),
        largest_day: largest_day(facts, &series.location),
    };
    let levels = Levels::new(demand, &replenishment);
    if levels.is_held && economic.is_none() {
        notes.push(notes::no_lot(facts.item.unit_cost_micros(), terms));
    }
    notes.push(match levels.is_held {
        true => notes::levels(&levels, terms),
        false => notes::not_held(facts, series),
    });

    let ordered =
        stock.map(|stock| order(stock.position, levels.reorder_point, levels.order_up_to, &rules));
    match (stock, &ordered) {
        (Some(stock), Some(order)) => {
            notes.extend(notes::never_counted(facts, &series.location));
            notes.extend(notes::order(stock, order, &levels, &rules, demand, terms));
            if order.cap == Cap::Free && order.quantity > 0.0 {
                notes.extend(notes::lot(economic, &rules, terms));
            }
        }
        _ => notes.push(notes::never_told(&series.location)),
    }
    let quantity = ordered.map_or(0.0, |order| order.quantity);
    let reached = stock.map(|stock| stock.position + quantity);
    let kept = Kept::new(&levels, &replenishment, demand, &rules, ordered, reached);
    notes.extend(notes::cover(&kept, &levels, quantity, reached, terms));
    let cover = stock.filter(|_| levels.is_held);
    let cover = cover.and_then(|stock| days_of_cover(stock.on_hand, demand));
    Policy {
        lead_time_demand: Some(LeadTimeDemand {
            days: levels.days,
            mean: levels.mean,
            standard_deviation: levels.deviation,
            quantile: levels.quantile,
            level: levels.level,
        }),
        safety_stock: levels.safety_stock,
        reorder_point: levels.reorder_point,
        order_up_to: levels.order_up_to,
        economic_order_quantity: economic.filter(|_| levels.is_held).unwrap_or_default(),
        order_quantity: quantity,
        unrounded_order_quantity: ordered.map_or(0.0, |order| order.unrounded),
        order_value: unit_cost.map(|cost| {
            let value = (quantity * in_money(cost) * 1e6).round() as i64;
            money::from_micros(value, facts.currency)
        }),
        days_of_cover: cover,
        stock_out_date: cover.filter(|&days| days <= STOCK_OUT_DAYS).map(|days| {
            let day = days.ceil().max(1.0) as u32;
            series.day(day).to_api()
        }),
        expected_cycle_service: kept.cycle_service,
        expected_fill_rate: kept.fill_rate,
        undershoot: levels.undershoot,
    }
}

/// Units of the largest day at a location, or at all of them; `None` without a sale.
fn largest_day(facts: &Facts<'_>, location: &str) -> Option<f64> {
    let sales = match location {
        EVERYWHERE => facts.item.series().total(),
        location => facts.item.series().at(location),
    };
    let largest = sales.iter().map(|day| day.units_micros).max()?;
    (largest > 0).then_some(largest as f64 / 1e6)
}

/// The service that goes with the quantity.
#[derive(Clone, Copy, Debug)]
struct Kept {
    cycle_service: f64,
    fill_rate: f64,
    /// What keeps it from being that of the levels.
    short: Option<Short>,
}

/// Why the levels' promise is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Short {
    /// The largest order leaves the position below the reorder point.
    Now,
    /// The largest order has less than a review period takes.
    EachOrder,
}

impl Kept {
    fn new(
        levels: &Levels,
        replenishment: &Replenishment<'_>,
        demand: &Outlook<'_>,
        rules: &OrderRules,
        ordered: Option<Order>,
        reached: Option<f64>,
    ) -> Self {
        let promised = (levels.cycle_service, levels.fill_rate);
        let capped = ordered.is_some_and(|order| order.cap != Cap::Free);
        let reached = reached.filter(|&reached| capped && reached < levels.reorder_point);
        let largest = rules.most.max(rules.smallest());
        let (service, short) = if let Some(reached) = reached {
            (replenishment.kept_from(demand, reached), Some(Short::Now))
        } else if let Some(service) = replenishment.kept_by_orders_of(demand, largest) {
            (service, Some(Short::EachOrder))
        } else {
            (promised, None)
        };
        let (cycle_service, fill_rate) = (service.0.min(promised.0), service.1.min(promised.1));
        Self { cycle_service, fill_rate, short }
    }
}

//! What to order of an item.

mod encode;
mod notes;

use mercer_algorithms::inventory::{
    Cap, CumulativeDemand as _, LeadTime, Levels, Order, OrderRules, Replenishment, days_of_cover,
    lot, order,
};
use mercer_common::{
    ids::EVERYWHERE,
    money::in_units,
    note::{Said, note},
    time::Day,
};
use mercer_proto::v1::{ItemStatus, Note, PolicyRequest, PolicyResponse, note::Kind};

use super::{
    single_period::{self, SeasonOrder},
    terms::{self, CompleteTerms},
};
use crate::{
    domain::{
        DecideError,
        demand::{DemandSeries, Outlook, planned_effects, series_at},
        facts::Facts,
    },
    shard::Stock,
};

/// Days of a year, over which lots are reckoned.
const YEAR: f64 = 365.0;
/// Days within which a stock-out is named.
const STOCK_OUT_DAYS: u32 = 365;

/// Safety stock, reorder point, order-up-to level and what to order now.
///
/// The lead time begins the day after the newest purchase or return that was trained on. An item
/// that is not for sale is declined; without any record of stock the levels hold, and no order is
/// proposed.
///
/// # Errors
/// [`DecideError::NotTrained`], [`DecideError::UnknownLocation`], and [`DecideError::Invalid`] for
/// a plan or terms that are none.
pub(crate) fn policy(
    facts: &Facts<'_>,
    request: &PolicyRequest,
) -> Result<PolicyResponse, DecideError> {
    let decision = decide(facts, request)?;
    Ok(encode::response(facts, decision))
}

/// Whether an answer was decided with the status, stock and terms that the item has.
pub(crate) fn is_current(facts: &Facts<'_>, decided: &PolicyResponse) -> bool {
    let location = &decided.location_id;
    let terms = terms::merge(facts, location, None, &mut Vec::new());
    facts.item.status() == ItemStatus::Active
        && position(facts, location).map(encode::encode_position) == decided.stock
        && terms.is_ok_and(|terms| {
            terms.supplier == decided.supplier_id
                && Some(terms.encode(facts.currency)) == decided.terms
        })
}

/// What is decided about ordering an item at a location, or at all of them.
struct Decision {
    location: String,
    /// `None` when stock was never told.
    stock: Option<Position>,
    /// `None` where a note declines it.
    plan: Option<Plan>,
    notes: Vec<Note>,
}

/// Levels of stock, and what to order now.
struct Plan {
    terms: CompleteTerms,
    levels: Levels,
    /// The lot that costs least; `None` where a cost is missing.
    economic: Option<f64>,
    /// `None` without stock to order by.
    ordered: Option<Order>,
    /// Cost of the order in millionths; `None` without a unit cost.
    order_value: Option<i64>,
    /// Days that what is on hand lasts.
    cover_days: Option<f64>,
    /// The day on which it is gone.
    stock_out: Option<Day>,
    kept: Kept,
    /// What to buy once, where a season was asked about.
    season: Option<SeasonOrder>,
}

/// Units of an item that are there, on their way, and owed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Position {
    on_hand: f64,
    on_order: f64,
    backordered: f64,
}

impl Position {
    fn total(self) -> f64 {
        self.on_hand + self.on_order - self.backordered
    }
}

fn decide(facts: &Facts<'_>, request: &PolicyRequest) -> Result<Decision, DecideError> {
    let mut series = series_at(facts, &request.location_id)?;
    let stock = position(facts, &series.location);
    if let Some(status) = facts.not_for_sale() {
        let declined = note(Kind::Declined, "status", Said::NotOrderedByStatus { status });
        let location = series.location;
        return Ok(Decision { location, stock, plan: None, notes: vec![declined] });
    }
    let mut notes = std::mem::take(&mut series.notes);
    let terms = terms::merge(facts, &series.location, request.terms.as_ref(), &mut notes)?;
    let effects = planned_effects(facts, &series, &request.plan, STOCK_OUT_DAYS, &mut notes)?;
    let demand = Outlook::new(&series.forecast, effects);
    let mut plan = plan(facts, &series, &demand, terms, stock, &mut notes);
    if let Some(season) = &request.single_period {
        plan.season = single_period::quantity(facts, &demand, season, &mut notes)?;
    }
    Ok(Decision { location: series.location.clone(), stock, plan: Some(plan), notes })
}

/// What is on hand, on order and owed at a location, or at all of them; `None` when stock was
/// never told.
fn position(facts: &Facts<'_>, location: &str) -> Option<Position> {
    let mut known = None;
    for stock in facts.item.stock().iter().filter(|stock| is_at(stock, location)) {
        let sum: &mut Position = known.get_or_insert_default();
        sum.on_hand += stock.on_hand;
        sum.on_order += stock.on_order;
        sum.backordered += stock.backordered;
    }
    known
}

fn is_at(stock: &Stock, location: &str) -> bool {
    location == EVERYWHERE || *stock.location == *location
}

fn plan(
    facts: &Facts<'_>,
    series: &DemandSeries<'_>,
    demand: &Outlook<'_>,
    terms: CompleteTerms,
    stock: Option<Position>,
    notes: &mut Vec<Note>,
) -> Plan {
    let unit_cost = facts.item.unit_cost_micros().filter(|&micros| micros > 0);
    let economic = economic_lot(unit_cost, demand, &terms);
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
        notes.push(notes::no_lot(facts.item.unit_cost_micros(), &terms));
    }
    notes.push(match levels.is_held {
        true => notes::levels(&levels, &terms),
        false => notes::not_held(facts, series),
    });

    let ordered =
        stock.map(|stock| order(stock.total(), levels.reorder_point, levels.order_up_to, &rules));
    match (stock, &ordered) {
        (Some(stock), Some(order)) => {
            notes.extend(notes::never_counted(facts, &series.location));
            notes.extend(notes::order(stock, order, &levels, &rules, demand, &terms));
            if order.cap == Cap::Free && order.quantity > 0.0 {
                notes.extend(notes::lot(economic, &rules, &terms));
            }
        }
        _ => notes.push(notes::never_told(&series.location)),
    }
    let quantity = ordered.map_or(0.0, |order| order.quantity);
    let reached = stock.map(|stock| stock.total() + quantity);
    let kept = Kept::new(&levels, &replenishment, demand, &rules, ordered, reached);
    notes.extend(notes::cover(&kept, &levels, quantity, reached, &terms));
    let held = stock.filter(|_| levels.is_held);
    let cover_days = held.and_then(|stock| days_of_cover(stock.on_hand, demand));
    Plan {
        terms,
        levels,
        economic,
        ordered,
        order_value: unit_cost.map(|cost| (quantity * in_units(cost) * 1e6).round() as i64),
        cover_days,
        stock_out: cover_days
            .filter(|&days| days <= f64::from(STOCK_OUT_DAYS))
            .map(|days| series.day(days.ceil().max(1.0) as u32)),
        kept,
        season: None,
    }
}

/// The lot that costs least in a year; `None` where a cost is missing.
fn economic_lot(
    unit_cost: Option<i64>,
    demand: &Outlook<'_>,
    terms: &CompleteTerms,
) -> Option<f64> {
    let order_cost = terms.order_cost_micros?;
    let holding = terms.holding_rate * in_units(unit_cost?);
    lot::economic_order_quantity(in_units(order_cost), demand.mean(YEAR), holding)
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

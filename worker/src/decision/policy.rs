//! What to order of an item.

use mercer_algorithms::inventory::{
    Cap, CumulativeDemand as _, LeadTime, Levels, Order, OrderRules, Replenishment, Service,
    days_of_cover, lot, order,
};
use mercer_common::{ids::EVERYWHERE, money};
use mercer_proto::v1::{
    ItemStatus, LeadTimeDemand, Note, Policy, PolicyRequest, PolicyResponse, StockPosition,
    note::Kind,
};

use super::{
    DecideError, Facts, note,
    note::{days, number, units},
    planned::{self, PlannedDemand},
    series::{self, DemandSeries},
    single_period,
    terms::{self, Terms},
};
use crate::shard::Stock;

/// Days of a year, over which lots are reckoned.
const YEAR: f64 = 365.0;
/// Days within which a stock-out is named.
const STOCK_OUT_DAYS: f64 = 365.0;

/// Safety stock, reorder point, order-up-to level and what to order now.
///
/// The lead time begins the day after the newest event that was trained on. An item that is not
/// for sale is declined; without any record of stock the levels hold, and no order is proposed.
///
/// # Errors
/// [`DecideError::NotTrained`], [`DecideError::UnknownLocation`], and [`DecideError::Invalid`] for
/// a plan or terms that are none.
pub(crate) fn policy(
    facts: &Facts<'_>,
    request: &PolicyRequest,
) -> Result<PolicyResponse, DecideError> {
    let mut series = series::resolve(facts, &request.location_id)?;
    let mut response = PolicyResponse {
        item_id: facts.item.id().to_owned(),
        location_id: series.location.clone(),
        version: facts.version.to_owned(),
        stock: stock(facts, &series.location),
        ..PolicyResponse::default()
    };
    if let Some(declined) = declined(facts.item.status()) {
        response.notes.push(declined);
        return Ok(response);
    }
    let mut notes = std::mem::take(&mut series.notes);
    let terms = terms::merge(facts, &series.location, request.terms.as_ref(), &mut notes)?;
    let effects =
        planned::effects(facts, &series, &request.plan, STOCK_OUT_DAYS as u32, &mut notes)?;
    let demand = PlannedDemand::new(&series.forecast, effects);
    response.policy = Some(decide(facts, &series, &demand, &terms, response.stock, &mut notes));
    response.terms = Some(terms.to_api(facts.currency));
    response.supplier_id.clone_from(&terms.supplier);
    if let Some(season) = &request.single_period {
        response.single_period = single_period::quantity(facts, &demand, season, &mut notes)?;
    }
    response.notes = notes;
    Ok(response)
}

fn declined(status: ItemStatus) -> Option<Note> {
    let why = match status {
        ItemStatus::Active => return None,
        ItemStatus::Inactive => "is catalogued as not for sale",
        ItemStatus::Deleted => "was deleted",
        ItemStatus::Unlisted | ItemStatus::Unspecified => {
            "is known from events only; catalogue it to order it"
        }
    };
    Some(note(Kind::Declined, "status", format!("Order nothing: the item {why}.")))
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
    demand: &PlannedDemand<'_>,
    terms: &Terms,
    stock: Option<StockPosition>,
    notes: &mut Vec<Note>,
) -> Policy {
    let unit_cost = facts.item.unit_cost_micros().filter(|&micros| micros > 0);
    #[expect(clippy::cast_precision_loss, reason = "money in a formula")]
    let in_money = |micros: i64| micros as f64 / 1e6;
    let economic = unit_cost.and_then(|cost| {
        let holding = terms.holding_rate * in_money(cost);
        lot::economic_order_quantity(in_money(terms.order_cost_micros), demand.mean(YEAR), holding)
    });
    if economic.is_none() {
        notes.push(no_lot(facts.item.unit_cost_micros(), terms));
    }
    let rules = OrderRules {
        minimum: terms.minimum_order_quantity,
        pack: terms.pack_size,
        most: demand.mean(terms.maximum_cover_days),
    };
    let lead_time = LeadTime::new(terms.lead_time_days, terms.lead_time_deviation_days);
    let levels = Levels::new(
        demand,
        &Replenishment {
            lead_time: &lead_time,
            review_days: terms.review_period_days,
            service: terms.service,
            lot: economic.unwrap_or_default().min(rules.most),
            smallest_order: rules.smallest(),
        },
    );
    notes.push(levels_note(&levels, terms));

    let ordered =
        stock.map(|stock| order(stock.position, levels.reorder_point, levels.order_up_to, &rules));
    match (stock, &ordered) {
        (Some(stock), Some(order)) => {
            notes.extend(never_counted(facts, &series.location));
            notes.extend(order_notes(stock, order, &levels, &rules, demand, terms));
            if order.cap == Cap::Free && order.quantity > 0.0 {
                notes.extend(lot_note(economic, &rules, terms));
            }
        }
        _ => {
            let place = match series.location.as_str() {
                EVERYWHERE => String::new(),
                location => format!(" at `{location}`"),
            };
            let message = format!(
                "No order is proposed: the item's stock{place} was never told. Set it with \
                 SetStock."
            );
            notes.push(note(Kind::Declined, "stock", message));
        }
    }
    let quantity = ordered.map_or(0.0, |order| order.quantity);
    let cover = stock.and_then(|stock| days_of_cover(stock.on_hand, demand));
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
        economic_order_quantity: economic.unwrap_or_default(),
        order_quantity: quantity,
        unrounded_order_quantity: ordered.map_or(0.0, |order| order.unrounded),
        order_value: unit_cost.map(|cost| {
            #[expect(clippy::cast_possible_truncation, reason = "saturates")]
            let value = (quantity * in_money(cost) * 1e6).round() as i64;
            money::from_micros(value, facts.currency)
        }),
        days_of_cover: cover,
        stock_out_date: cover.filter(|&days| days <= STOCK_OUT_DAYS).map(|days| {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 365")]
            let day = days.ceil().max(1.0) as u32;
            series.day(day).to_api()
        }),
        expected_cycle_service: levels.cycle_service,
        expected_fill_rate: levels.fill_rate,
    }
}

/// That what is on hand stands on changes alone.
fn never_counted(facts: &Facts<'_>, location: &str) -> Option<Note> {
    let mut here = facts.item.stock().iter().filter(|stock| is_at(stock, location));
    let uncounted = here.find(|stock| stock.as_of_ms == 0)?;
    let message = format!(
        "The stock at `{}` was adjusted and never counted: what is on hand may be off.",
        uncounted.location
    );
    Some(note(Kind::WeakEvidence, "stock", message))
}

/// Why there is no economic order quantity, and what is done instead.
fn no_lot(unit_cost: Option<i64>, terms: &Terms) -> Note {
    let cost = match unit_cost {
        None => "No unit cost is known",
        Some(_) => "The unit cost is not above 0",
    };
    let instead = if terms.review_period_days > 0.0 {
        format!("an order covers the review period of {}", days(terms.review_period_days))
    } else {
        "an order brings the position back to the reorder point".into()
    };
    let message = format!(
        "{cost}, so that holding stock has no cost and there is no economic order quantity: \
         {instead}."
    );
    note(Kind::DataIgnored, "unit_cost", message)
}

/// That the economic lot is larger than an order may be.
fn lot_note(economic: Option<f64>, rules: &OrderRules, terms: &Terms) -> Option<Note> {
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
fn levels_note(levels: &Levels, terms: &Terms) -> Note {
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
    let message = if levels.mean > 0.0 {
        format!(
            "For {promise}, the reorder point of {} covers a lead time of {} ± {} {review}, in \
             which demand is {} ± {}.",
            number(levels.reorder_point),
            number(terms.lead_time_days),
            days(terms.lead_time_deviation_days),
            number(levels.mean),
            units(levels.deviation)
        )
    } else {
        "No demand is expected until an order could arrive, so that the reorder point is 0.".into()
    };
    note(Kind::Explanation, "reorder_point", message)
}

/// How the order came about.
fn order_notes(
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

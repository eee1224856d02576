//! Decided orders in the form of the API.

use mercer_common::money::from_micros;
use mercer_proto::v1::{LeadTimeDemand, Policy, PolicyResponse, SinglePeriodOrder, StockPosition};

use super::{Decision, Plan, Position};
use crate::domain::{facts::Facts, inventory::single_period::SeasonOrder};

/// A decision as an answer, which is also what a training stores.
pub(super) fn response(facts: &Facts<'_>, decision: Decision) -> PolicyResponse {
    let mut response = PolicyResponse {
        item_id: facts.item.id().to_owned(),
        location_id: decision.location,
        version: facts.version.to_owned(),
        stock: decision.stock.map(encode_position),
        notes: decision.notes,
        ..PolicyResponse::default()
    };
    if let Some(plan) = decision.plan {
        response.policy = Some(encode_plan(&plan, facts.currency));
        response.terms = Some(plan.terms.encode(facts.currency));
        response.supplier_id = plan.terms.supplier;
        response.single_period = plan.season.map(encode_season);
    }
    response
}

pub(super) fn encode_position(position: Position) -> StockPosition {
    StockPosition {
        on_hand: position.on_hand,
        on_order: position.on_order,
        backordered: position.backordered,
        position: position.total(),
    }
}

fn encode_plan(plan: &Plan, currency: &str) -> Policy {
    let Plan { levels, economic, ordered, kept, .. } = plan;
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
        order_quantity: ordered.map_or(0.0, |order| order.quantity),
        unrounded_order_quantity: ordered.map_or(0.0, |order| order.unrounded),
        order_value: plan.order_value.map(|micros| from_micros(micros, currency)),
        days_of_cover: plan.cover_days,
        stock_out_date: plan.stock_out.map(|day| day.to_api()),
        expected_cycle_service: kept.cycle_service,
        expected_fill_rate: kept.fill_rate,
        undershoot: levels.undershoot,
    }
}

fn encode_season(order: SeasonOrder) -> SinglePeriodOrder {
    let SeasonOrder { quantity, critical_ratio, mean_demand } = order;
    SinglePeriodOrder { quantity, critical_ratio, mean_demand }
}

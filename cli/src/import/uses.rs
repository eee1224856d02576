//! What the columns of a file are used for, which says how their cells can be meant.

use super::{mapping::Source, plan::Plan};

/// Uses of a column by the fields that it goes into.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Uses {
    pub(super) time: bool,
    /// A time that is a date and a time of day in two columns: a number is a day, or a time of day.
    pub(super) part: bool,
    pub(super) number: bool,
    /// An id in which many words for missing hold.
    pub(super) plain: bool,
    pub(super) label: bool,
    /// Id of what may not be mistaken for another: an item, a location, a supplier, a competitor.
    pub(super) id: bool,
    pub(super) user: bool,
}

/// Uses of each cell of a row by the fields that it goes into.
pub(super) fn uses(plan: &Plan) -> Vec<Uses> {
    let mut uses = vec![Uses::default(); plan.fields.projection.len()];
    for (field, source) in plan.fields.sources() {
        source.visit_cells(&mut |cell| match field {
            "timestamp" | "as_of" => {
                uses[cell].time = true;
                uses[cell].part |= matches!(source, Source::Joined(..) | Source::Concat(_));
            }
            "quantity"
            | "amount"
            | "list_price"
            | "unit_cost"
            | "rating"
            | "on_hand"
            | "price"
            | "on_order"
            | "backordered"
            | "lead_time_days"
            | "lead_time_deviation_days"
            | "review_period_days"
            | "order_cost"
            | "holding_rate"
            | "minimum_order_quantity"
            | "pack_size"
            | "maximum_cover_days"
            | "cycle_service"
            | "fill_rate" => {
                uses[cell].number = true;
            }
            "user_id" | "basket_id" | "session_id" => {
                uses[cell].plain = true;
                uses[cell].user |= field == "user_id";
            }
            "promotion" | "decrement_on_purchase" | "status" | "embedding" => {}
            _ => {
                uses[cell].label = true;
                uses[cell].id |= field.ends_with("_id");
            }
        });
    }
    uses
}

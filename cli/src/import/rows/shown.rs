//! Records as people look at them: names of fields and values.

use mercer_proto::{
    google::r#type::Money,
    v1::{EventType, ItemStatus, SupplyTerms, service_target::Target},
};

use super::collector::{Collector, Kept};
use crate::show::output;

/// Fields that are set, and their values.
type Shown = Vec<(&'static str, String)>;

impl Collector {
    /// The record that was taken last.
    pub(in crate::import) fn last_shown(&self) -> Option<Shown> {
        let mut shown = match &self.kept {
            Kept::Events(_, events) => {
                let event = events.last()?;
                let time = event.event_time.as_ref().map(output::time);
                vec![
                    ("item_id", event.item_id.clone()),
                    ("type", event_type(event.r#type()).to_owned()),
                    ("timestamp", time.unwrap_or_default()),
                    ("user_id", event.user_id.clone().unwrap_or_default()),
                    ("quantity", number(event.quantity)),
                    ("amount", money(event.amount.as_ref())),
                    ("list_price", money(event.list_price.as_ref())),
                    ("promotion", if event.promotion { "yes".into() } else { String::new() }),
                    ("location_id", event.location_id.clone().unwrap_or_default()),
                    ("basket_id", event.basket_id.clone().unwrap_or_default()),
                    ("session_id", event.session_id.clone().unwrap_or_default()),
                    ("channel", event.channel.clone().unwrap_or_default()),
                    ("rating", number(event.rating)),
                ]
            }
            Kept::Items(_, items) => {
                let item = items.last()?;
                let status = match item.status() {
                    ItemStatus::Active => "active",
                    ItemStatus::Inactive => "inactive",
                    _ => "",
                };
                vec![
                    ("item_id", item.item_id.clone()),
                    ("title", item.title.clone()),
                    ("category", item.category_path.join(" > ")),
                    ("brand", item.brand.clone()),
                    ("list_price", money(item.list_price.as_ref())),
                    ("unit_cost", money(item.unit_cost.as_ref())),
                    ("status", status.to_owned()),
                    ("attributes", attributes(item.attributes.iter())),
                ]
            }
            Kept::Users(_, users) => {
                let user = users.last()?;
                vec![
                    ("user_id", user.user_id.clone()),
                    ("denied_item_ids", user.denied_item_ids.join("|")),
                    ("attributes", attributes(user.attributes.iter())),
                ]
            }
            Kept::Stock(_, stock) => {
                let stock = stock.last()?;
                vec![
                    ("item_id", stock.item_id.clone()),
                    ("location_id", stock.location_id.clone()),
                    ("on_hand", number(Some(stock.on_hand))),
                    ("on_order", number(stock.on_order)),
                    ("backordered", number(stock.backordered)),
                ]
            }
            Kept::Supply(_, supply) => {
                let supply = supply.last()?;
                let mut shown = vec![
                    ("item_id", supply.item_id.clone()),
                    ("location_id", supply.location_id.clone()),
                    ("supplier_id", supply.supplier_id.clone()),
                ];
                shown.extend(terms(supply.terms.as_ref()));
                shown
            }
            Kept::CompetitorPrices(_, prices) => {
                let price = prices.last()?;
                vec![
                    ("item_id", price.item_id.clone()),
                    ("competitor_id", price.competitor_id.clone()),
                    ("price", money(price.price.as_ref())),
                ]
            }
            Kept::Locations(_, locations) => {
                let location = locations.last()?;
                vec![
                    ("location_id", location.location_id.clone()),
                    ("name", location.name.clone()),
                    ("time_zone", location.time_zone.clone()),
                ]
            }
            Kept::Suppliers(_, suppliers) => {
                let supplier = suppliers.last()?;
                let mut shown = vec![
                    ("supplier_id", supplier.supplier_id.clone()),
                    ("name", supplier.name.clone()),
                ];
                shown.extend(terms(supplier.terms.as_ref()));
                shown
            }
        };
        shown.retain(|(_, value)| !value.is_empty());
        Some(shown)
    }
}

fn event_type(event_type: EventType) -> &'static str {
    match event_type {
        EventType::Unspecified => "",
        EventType::View => "view",
        EventType::Click => "click",
        EventType::Favourite => "favourite",
        EventType::AddToCart => "add_to_cart",
        EventType::Purchase => "purchase",
        EventType::Return => "return",
        EventType::Rating => "rating",
    }
}

fn number(number: Option<f64>) -> String {
    number.map_or_else(String::new, |number| number.to_string())
}

fn money(money: Option<&Money>) -> String {
    money.map_or_else(String::new, output::money)
}

fn attributes<'a>(attributes: impl Iterator<Item = (&'a String, &'a String)>) -> String {
    attributes.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(", ")
}

fn terms(terms: Option<&SupplyTerms>) -> Shown {
    let Some(terms) = terms else { return Vec::new() };
    let target = terms.service.as_ref().and_then(|service| service.target.as_ref());
    let (cycle, fill) = match target {
        Some(Target::CycleService(share)) => (Some(*share), None),
        Some(Target::FillRate(share)) => (None, Some(*share)),
        None => (None, None),
    };
    vec![
        ("lead_time_days", number(terms.lead_time_days)),
        ("lead_time_deviation_days", number(terms.lead_time_deviation_days)),
        ("review_period_days", number(terms.review_period_days)),
        ("order_cost", money(terms.order_cost.as_ref())),
        ("holding_rate", number(terms.holding_rate)),
        ("minimum_order_quantity", number(terms.minimum_order_quantity)),
        ("pack_size", number(terms.pack_size)),
        ("maximum_cover_days", number(terms.maximum_cover_days)),
        ("cycle_service", number(cycle)),
        ("fill_rate", number(fill)),
    ]
}

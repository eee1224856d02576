//! What an item sold on each day, computed from the events by plain loops.

use std::collections::BTreeMap;

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use mercer_proto::v1::{Event, EventType, SalesDay};

/// Sales of one day, in units and micro-units of money.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sales {
    /// Units bought.
    pub units: f64,
    /// Units bought under a promotion.
    pub promoted: f64,
    /// Units brought back on that day.
    pub returned: f64,
    /// Money paid.
    pub revenue_micros: i64,
}

/// Sales by item and local day; `zone` knows the clocks of a location.
#[must_use]
pub fn sales(
    events: &[Event],
    zone: impl Fn(&str) -> TimeZone,
) -> BTreeMap<String, BTreeMap<Date, Sales>> {
    let mut sales: BTreeMap<String, BTreeMap<Date, Sales>> = BTreeMap::new();
    for event in events {
        let bought = event.r#type() == EventType::Purchase;
        if !bought && event.r#type() != EventType::Return {
            continue;
        }
        let seconds = event.event_time.unwrap_or_default().seconds;
        let location = event.location_id.as_deref().unwrap_or("default");
        let time = Timestamp::from_second(seconds).expect("a valid time");
        let date = time.to_zoned(zone(location)).date();
        let day = sales.entry(event.item_id.clone()).or_default().entry(date).or_default();
        let quantity = event.quantity.unwrap_or_default();
        if bought {
            day.units += quantity;
            day.promoted += if event.promotion { quantity } else { 0.0 };
            let paid = event.amount.clone().unwrap_or_default();
            day.revenue_micros += paid.units * 1_000_000 + i64::from(paid.nanos) / 1_000;
        } else {
            day.returned += quantity;
        }
    }
    sales
}

/// Date and sales of a day as the API shows it.
#[must_use]
pub fn shown(day: &SalesDay) -> (Date, Sales) {
    let date = day.date.unwrap_or_default();
    let narrow = "a valid date";
    let date = Date::new(
        date.year.try_into().expect(narrow),
        date.month.try_into().expect(narrow),
        date.day.try_into().expect(narrow),
    );
    let revenue = day.revenue.clone().unwrap_or_default();
    let sales = Sales {
        units: day.units,
        promoted: day.promoted_units,
        returned: day.returned_units,
        revenue_micros: revenue.units * 1_000_000 + i64::from(revenue.nanos) / 1_000,
    };
    (date.expect(narrow), sales)
}

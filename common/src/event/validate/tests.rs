use mercer_proto::google::r#type::Money;
use proptest::prelude::*;

use super::*;
use crate::{
    event::{APPLY_VERSION, RecordContext, SplitEvents},
    slot::ShardLayout,
};

const NOW: i64 = 1_700_000_000;
const DAY: i64 = 86_400;

fn checker() -> EventChecker {
    EventChecker::new("USD", Timestamp::from_second(NOW).expect("a time"))
}

fn time(seconds: i64, nanos: i32) -> Option<prost_types::Timestamp> {
    Some(prost_types::Timestamp { seconds, nanos })
}

fn purchase() -> Event {
    Event {
        r#type: EventType::Purchase.into(),
        item_id: "i".into(),
        event_time: time(NOW, 0),
        quantity: Some(1.0),
        ..Event::default()
    }
}

fn rating(value: f64) -> Event {
    let r#type = EventType::Rating.into();
    Event { r#type, quantity: None, rating: Some(value), ..purchase() }
}

/// The fields at fault.
fn fields(event: Event) -> Vec<String> {
    match checker().check_batch(&[purchase(), event]) {
        Ok(()) => Vec::new(),
        Err(invalid) => invalid.violations.into_iter().map(|violation| violation.field).collect(),
    }
}

#[test]
fn what_the_contract_allows_passes() {
    let money = |units| Some(Money { currency_code: "USD".into(), units, nanos: 0 });
    for event in [
        purchase(),
        Event { amount: money(0), list_price: money(1), promotion: true, ..purchase() },
        Event { quantity: Some(limits::EVENT_QUANTITY), ..purchase() },
        Event { quantity: Some(limits::LEAST_QUANTITY), ..purchase() },
        Event { amount: money(1_000_000_000_000), ..purchase() },
        Event { event_time: time(631_152_000, 0), ..purchase() },
        Event { event_time: time(NOW + DAY, 0), ..purchase() },
        Event { user_id: Some("x".repeat(limits::ID_BYTES)), ..purchase() },
        Event { item_id: "käse 1".into(), location_id: Some("default".into()), ..purchase() },
        Event { r#type: EventType::View.into(), quantity: None, ..purchase() },
        rating(-limits::RATING),
        rating(-0.0),
    ] {
        assert_eq!(fields(event.clone()), [""; 0], "{event:?}");
    }
}

#[test]
fn what_it_does_not_allow_is_named() {
    let money = |units, nanos| Some(Money { currency_code: String::new(), units, nanos });
    let id = |id: &str| Some(id.to_owned());
    for (event, field) in [
        (Event { r#type: 0, quantity: None, ..purchase() }, "type"),
        (Event { r#type: 8, quantity: None, ..purchase() }, "type"),
        (Event { r#type: -1, quantity: None, ..purchase() }, "type"),
        (Event { item_id: String::new(), ..purchase() }, "item_id"),
        (Event { item_id: "x".repeat(257), ..purchase() }, "item_id"),
        (Event { item_id: "a\nb".into(), ..purchase() }, "item_id"),
        (Event { user_id: id(""), ..purchase() }, "user_id"),
        (Event { session_id: id("\0"), ..purchase() }, "session_id"),
        (Event { basket_id: id(""), ..purchase() }, "basket_id"),
        (Event { location_id: id(""), ..purchase() }, "location_id"),
        (Event { location_id: id("*"), ..purchase() }, "location_id"),
        (Event { channel: id(""), ..purchase() }, "channel"),
        (Event { attribution_token: id(""), ..purchase() }, "attribution_token"),
        (Event { event_id: id(""), ..purchase() }, "event_id"),
        (Event { event_time: None, ..purchase() }, "event_time"),
        (Event { event_time: time(631_151_999, 999_999_999), ..purchase() }, "event_time"),
        (Event { event_time: time(NOW + DAY, 1), ..purchase() }, "event_time"),
        (Event { event_time: time(NOW, -1), ..purchase() }, "event_time"),
        (Event { event_time: time(NOW, 1_000_000_000), ..purchase() }, "event_time"),
        (Event { event_time: time(i64::MAX, 0), ..purchase() }, "event_time"),
        (Event { event_time: time(i64::MIN, i32::MIN), ..purchase() }, "event_time"),
        (Event { quantity: None, ..purchase() }, "quantity"),
        (Event { quantity: Some(0.0), ..purchase() }, "quantity"),
        (Event { quantity: Some(-1.0), ..purchase() }, "quantity"),
        (Event { quantity: Some(f64::NAN), ..purchase() }, "quantity"),
        (Event { quantity: Some(f64::INFINITY), ..purchase() }, "quantity"),
        (Event { quantity: Some(1.1e9), ..purchase() }, "quantity"),
        (Event { quantity: Some(4e-7), ..purchase() }, "quantity"),
        (Event { quantity: Some(f64::MIN_POSITIVE), ..purchase() }, "quantity"),
        (
            Event { r#type: EventType::Return.into(), quantity: Some(4e-7), ..purchase() },
            "quantity",
        ),
        (Event { amount: money(1_000_000_000_000, 1_000), ..purchase() }, "amount"),
        (Event { amount: money(0, 499), ..purchase() }, "amount"),
        (Event { list_price: money(0, 1), ..purchase() }, "list_price"),
        (Event { r#type: EventType::View.into(), ..purchase() }, "quantity"),
        (Event { r#type: EventType::Return.into(), quantity: None, ..purchase() }, "quantity"),
        (Event { amount: money(-1, 0), ..purchase() }, "amount"),
        (Event { amount: money(1, -1), ..purchase() }, "amount"),
        (Event { list_price: money(i64::MAX, 0), ..purchase() }, "list_price"),
        (Event { rating: Some(1.0), ..purchase() }, "rating"),
        (rating(f64::NAN), "rating"),
        (rating(f64::NEG_INFINITY), "rating"),
        (rating(1_000.1), "rating"),
        (Event { rating: None, ..rating(0.0) }, "rating"),
    ] {
        assert_eq!(fields(event.clone()), [format!("events[1].{field}")], "{event:?}");
    }
}

#[test]
fn batches_have_a_size() {
    let field = |events: &[Event]| {
        checker().check_batch(events).expect_err("refused").violations[0].field.clone()
    };
    assert_eq!(field(&[]), "events");
    assert_eq!(field(&vec![purchase(); limits::BATCH_RECORDS + 1]), "events");
    checker().check_batch(&vec![purchase(); limits::BATCH_RECORDS]).expect("allowed");
    let invalid = checker().check_batch(&vec![Event::default(); 1_000]).expect_err("refused");
    assert_eq!(invalid.violations.len(), 20, "a report has an end");
}

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>(),
        Just(f64::NAN),
        Just(f64::INFINITY),
        Just(-1.0),
        Just(0.0),
        0.0..100.0
    ]
}

fn event() -> impl Strategy<Value = Event> {
    let id = || prop_oneof![4 => "[a-c]{1,3}", 1 => any::<String>()];
    let when = (prop_oneof![any::<i64>(), 0..NOW], prop_oneof![any::<i32>(), 0..1_000_000_000]);
    let money = || {
        prop::option::of(
            ("|USD|EUR", any::<i64>(), any::<i32>())
                .prop_map(|(currency_code, units, nanos)| Money { currency_code, units, nanos }),
        )
    };
    let ids = (id(), prop::collection::vec(prop::option::of(id()), 7));
    let numbers = (prop::option::of(number()), prop::option::of(number()));
    (-1..9, ids, prop::option::of(when), numbers, money(), money(), any::<bool>()).prop_map(
        |(r#type, (item_id, mut ids), when, (quantity, rating), amount, list_price, promotion)| {
            let mut id = || ids.pop().flatten();
            Event {
                r#type,
                item_id,
                event_time: when.and_then(|(seconds, nanos)| time(seconds, nanos)),
                user_id: id(),
                session_id: id(),
                basket_id: id(),
                location_id: id(),
                channel: id(),
                attribution_token: id(),
                event_id: id(),
                quantity,
                amount,
                list_price,
                promotion,
                rating,
                import_row: vec![3; if promotion { 16 } else { 0 }],
            }
        },
    )
}

proptest! {
    #[test]
    fn no_event_panics_and_what_passes_has_sane_numbers(
        events in prop::collection::vec(event(), 1..20),
        shards in 1..=limits::SHARDS,
    ) {
        let context = RecordContext {
            layout: ShardLayout::new(shards),
            currency: "USD".into(),
            time_zone: jiff::tz::TimeZone::get("Pacific/Apia").expect("a time zone"),
            visit_key: 7,
            user_visit_key: 8,
        };
        let is_valid = |event: &&Event| checker().check_batch(std::slice::from_ref(*event)).is_ok();
        let valid: Vec<Event> = events.iter().filter(is_valid).cloned().collect();
        prop_assert_eq!(checker().check_batch(&events).is_ok(), valid.len() == events.len());
        let users = valid.iter().filter(|event| event.user_id.is_some()).count();

        // Whatever their ids are: clashes are another matter.
        let valid = valid.into_iter().map(|event| Event { event_id: None, ..event });
        let valid: Vec<Event> = valid.collect();
        let split = SplitEvents::new(valid.clone(), &context, APPLY_VERSION).expect("without ids");
        let sections: Vec<_> = split.into_sections().collect();
        let interactions = sections.iter().flat_map(|(_, section)| &section.interactions);
        let item_events = sections.iter().flat_map(|(_, section)| &section.item_events);
        prop_assert_eq!(interactions.clone().count(), users);
        prop_assert_eq!(item_events.clone().count(), valid.len());
        for interaction in interactions {
            prop_assert!(interaction.value.is_finite() && !interaction.user_id.is_empty());
        }
        for event in item_events {
            prop_assert!(event.quantity.is_finite() && event.quantity >= 0.0);
            prop_assert!(event.amount_micros.is_none_or(|amount| amount >= 0));
        }
        for (shard, section) in &sections {
            for event in &section.item_events {
                let home = context.layout.shard_of(crate::slot::Subject::Item, &event.item_id);
                prop_assert_eq!(home, *shard);
            }
        }
    }
}

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::{
    codec::DECODED_BYTES,
    v1::{self, Filter, FilterList, filter::Condition},
};

fn request(name: &str) -> Request {
    Request::named(&format!("mercer.v1.{name}")).expect("a request of the public API")
}

/// A message of `len` bytes that repeats `entry`.
fn repeated(entry: &[u8], len: usize) -> Vec<u8> {
    entry.iter().copied().cycle().take(len).collect()
}

/// `payload` as field `number`.
fn nested(number: u8, payload: &[u8]) -> Vec<u8> {
    let mut message = vec![number << 3 | 2];
    prost::encoding::encode_varint(payload.len() as u64, &mut message);
    message.extend_from_slice(payload);
    message
}

#[test]
fn only_what_public_methods_take_is_measured() {
    assert!(Request::named("mercer.v1.IngestRequest").is_some());
    assert!(Request::named("mercer.v1.RecommendResponse").is_none());
    assert!(Request::named("mercer.internal.v1.FetchRequest").is_none());
}

#[test]
fn a_struct_is_not_larger_than_its_shape() {
    fn check<T: prost::Name>() {
        let mut types = Types::default();
        let set = FileDescriptorSet::decode(crate::v1::DESCRIPTOR_SET).expect("decodes");
        for file in &set.file {
            types.add(&format!(".{}", file.package()), &file.message_type);
        }
        let name = T::full_name();
        let size = types.size(types.indices[&format!(".{name}")], &mut Vec::new());
        assert!(size >= size_of::<T>(), "{name}: {size} < {}", size_of::<T>());
    }
    check::<v1::Event>();
    check::<v1::Item>();
    check::<v1::User>();
    check::<v1::Stock>();
    check::<v1::StockDelta>();
    check::<v1::Filter>();
    check::<v1::FilterList>();
    check::<v1::IngestRequest>();
    check::<v1::RecommendRequest>();
    check::<v1::UpsertItemsRequest>();
    check::<v1::Location>();
    check::<v1::Supplier>();
    check::<v1::Supply>();
    check::<v1::CompetitorPrice>();
    check::<v1::ScopedPriceRule>();
    check::<v1::PlannedPrice>();
    check::<v1::ForecastRequest>();
    check::<v1::PriceRequest>();
    check::<v1::PolicyRequest>();
}

#[test]
fn small_entries_that_grow_are_refused() {
    const LEN: usize = (4 << 20) - 64;
    let filters = |depth: u32| {
        let list = nested(2, &repeated(&[10, 0], LEN));
        nested(6, &(0..depth).fold(list, |inner, _| nested(2, &nested(1, &inner))))
    };
    let cases = [
        ("IngestRequest", repeated(&[4 << 3 | 2, 0], LEN)),
        ("RecordEventsRequest", repeated(&[10, 0], LEN)),
        ("UpsertItemsRequest", repeated(&[10, 0], LEN)),
        ("UpsertItemsRequest", nested(1, &repeated(&[4 << 3 | 2, 0], LEN))),
        ("UpsertItemsRequest", nested(1, &repeated(&[6 << 3 | 2, 0], LEN))),
        ("UpsertUsersRequest", nested(1, &repeated(&[3 << 3 | 2, 0], LEN))),
        ("SetStockRequest", repeated(&[10, 0], LEN)),
        ("GetItemRequest", repeated(&[2 << 3 | 2, 0], LEN)),
        ("RecommendRequest", repeated(&[2 << 3 | 2, 0], LEN)),
        ("UpsertLocationsRequest", repeated(&[10, 0], LEN)),
        ("UpsertSuppliersRequest", repeated(&[10, 0], LEN)),
        ("SetSupplyRequest", repeated(&[10, 0], LEN)),
        ("SetCompetitorPricesRequest", repeated(&[10, 0], LEN)),
        ("SetPriceRulesRequest", repeated(&[10, 0], LEN)),
        ("SetRulesRequest", repeated(&[10, 0], LEN)),
        ("SetRulesRequest", repeated(&[18, 0], LEN)),
        ("BatchForecastRequest", repeated(&[10, 0], LEN)),
        ("BatchForecastRequest", nested(1, &repeated(&[5 << 3 | 2, 0], LEN))),
        ("BatchPriceRequest", repeated(&[10, 0], LEN)),
        ("BatchPolicyRequest", repeated(&[10, 0], LEN)),
        ("PriceRequest", nested(6, &nested(5, &repeated(&[99], LEN)))),
        ("RecommendRequest", filters(0)),
        ("RecommendRequest", filters(6)),
        // A group of an unknown number hides nothing behind it.
        ("RecordEventsRequest", [vec![99, 100], repeated(&[10, 0], LEN)].concat()),
    ];
    for (name, message) in cases {
        let refusal = request(name).measure(&message, DECODED_BYTES).expect_err(name);
        assert!(matches!(refusal, Refusal::TooLarge(_)), "{name}: {refusal}");
    }
}

#[test]
fn the_largest_honest_requests_pass() {
    let text = |len| Some("x".repeat(len));
    let event = v1::Event {
        item_id: "item-12345".into(),
        event_time: Some(prost_types::Timestamp { seconds: 1_700_000_000, nanos: 1 }),
        user_id: text(36),
        session_id: text(36),
        basket_id: text(36),
        event_id: text(36),
        quantity: Some(1.0),
        amount: Some(crate::google::r#type::Money {
            currency_code: "EUR".into(),
            units: 1,
            nanos: 1,
        }),
        ..Default::default()
    };
    let events = v1::RecordEventsRequest { events: vec![event; 10_000], request_id: None };
    let attributes: BTreeMap<_, _> =
        (0..22).map(|number| (format!("name-{number}"), "red".into())).collect();
    let item = v1::Item { item_id: "item-12345".into(), attributes, ..Default::default() };
    let items = v1::UpsertItemsRequest { items: vec![item; 10_000], ..Default::default() };
    let denied_item_ids = (10_000..10_060).map(|number| format!("{number}")).collect();
    let user = v1::User { user_id: "anna".into(), denied_item_ids, ..Default::default() };
    let users = v1::UpsertUsersRequest { users: vec![user; 9_000], ..Default::default() };
    for (name, message) in [
        ("RecordEventsRequest", events.encode_to_vec()),
        ("UpsertItemsRequest", items.encode_to_vec()),
        ("UpsertUsersRequest", users.encode_to_vec()),
    ] {
        pass(name, &message);
    }
}

#[test]
fn the_largest_honest_batches_of_terms_and_questions_pass() {
    let money =
        || Some(crate::google::r#type::Money { currency_code: "EUR".into(), units: 1, nanos: 1 });
    let terms = v1::SupplyTerms {
        lead_time_days: Some(7.0),
        lead_time_deviation_days: Some(2.0),
        review_period_days: Some(7.0),
        order_cost: money(),
        holding_rate: Some(0.2),
        minimum_order_quantity: Some(6.0),
        pack_size: Some(6.0),
        maximum_cover_days: Some(90.0),
        service: Some(v1::ServiceTarget {
            target: Some(v1::service_target::Target::FillRate(0.98)),
        }),
    };
    let supply = v1::Supply {
        item_id: "item-12345".into(),
        location_id: "store-123".into(),
        supplier_id: "supplier-12".into(),
        terms: Some(terms.clone()),
    };
    let supply = v1::SetSupplyRequest { supply: vec![supply; 10_000], ..Default::default() };
    let date = Some(crate::google::r#type::Date { year: 2024, month: 1, day: 31 });
    let plan =
        v1::PlannedPrice { start_date: date, end_date: date, price: money(), promotion: true };
    let policy = v1::PolicyRequest {
        item_id: "item-12345".into(),
        location_id: "store-123".into(),
        terms: Some(terms),
        plan: vec![plan.clone(); 4],
        ..Default::default()
    };
    let policies = v1::BatchPolicyRequest { requests: vec![policy; 10_000], tokens: vec![] };
    let price = v1::PriceRequest {
        item_id: "item-12345".into(),
        unit_cost: money(),
        rule: Some(v1::PriceRule {
            floor: money(),
            ceiling: money(),
            price_endings: vec![49, 95, 99],
            competitor_index_ceiling: Some(1.1),
            ..Default::default()
        }),
        ..Default::default()
    };
    let prices = v1::BatchPriceRequest { requests: vec![price; 10_000], tokens: vec![] };
    let forecast = v1::ForecastRequest {
        item_id: "item-12345".into(),
        quantiles: vec![0.1; 19],
        plan: vec![plan; 4],
        ..Default::default()
    };
    let forecasts = v1::BatchForecastRequest { requests: vec![forecast; 10_000], tokens: vec![] };
    for (name, message) in [
        ("SetSupplyRequest", supply.encode_to_vec()),
        ("BatchPolicyRequest", policies.encode_to_vec()),
        ("BatchPriceRequest", prices.encode_to_vec()),
        ("BatchForecastRequest", forecasts.encode_to_vec()),
    ] {
        pass(name, &message);
    }
}

/// Requires that a large request fits.
fn pass(name: &str, message: &[u8]) {
    assert!((1 << 19..4 << 20).contains(&message.len()), "{name}: {}", message.len());
    let occupied = request(name).measure(message, DECODED_BYTES).expect(name);
    assert!(occupied > message.len(), "{name}");
}

#[test]
fn nesting_beyond_what_prost_decodes_is_harmless() {
    let message = (0..2_000).fold(Vec::new(), |inner: Vec<u8>, _| nested(3, &inner));
    let message = nested(6, &message);
    let _ = request("RecommendRequest").measure(&message, DECODED_BYTES);
    assert!(v1::RecommendRequest::decode(message.as_slice()).is_err());
}

fn filter() -> impl Strategy<Value = Filter> {
    let ids = prop::collection::vec("[a-z]{0,4}", 0..5);
    let leaf = ids.prop_map(|item_ids| Condition::Items(v1::ItemsCondition { item_ids }));
    let condition = leaf.prop_recursive(5, 40, 4, |inner| {
        let inner = inner.prop_map(|condition| Filter { condition: Some(condition) });
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4)
                .prop_map(|filters| Condition::AnyOf(FilterList { filters })),
            inner.prop_map(|filter| Condition::Not(Box::new(filter))),
        ]
    });
    condition.prop_map(|condition| Filter { condition: Some(condition) })
}

/// Bytes that a filter occupies beside its own struct.
fn heap(filter: &Filter) -> usize {
    match &filter.condition {
        Some(Condition::AnyOf(list)) => {
            list.filters.iter().map(|one| size_of::<Filter>() + heap(one)).sum()
        }
        Some(Condition::Not(inner)) => size_of::<Filter>() + heap(inner),
        Some(Condition::Items(items)) => {
            items.item_ids.iter().map(|id| size_of::<String>() + id.len()).sum()
        }
        _ => 0,
    }
}

proptest! {
    #[test]
    fn any_bytes_are_measured_or_refused(message in prop::collection::vec(any::<u8>(), 0..300)) {
        let measured = request("RecommendRequest").measure(&message, DECODED_BYTES);
        if v1::RecommendRequest::decode(message.as_slice()).is_ok() {
            prop_assert!(measured.is_ok());
        }
    }

    #[test]
    fn cut_and_damaged_requests_never_panic(
        filter in filter(),
        cut in any::<prop::sample::Index>(),
        damage in any::<(prop::sample::Index, u8)>(),
    ) {
        let request_message = v1::RecommendRequest { filter: Some(filter), ..Default::default() };
        let mut message = request_message.encode_to_vec();
        let at = damage.0.index(message.len());
        message[at] = damage.1;
        message.truncate(cut.index(message.len() + 1));
        let _ = request("RecommendRequest").measure(&message, DECODED_BYTES);
    }

    #[test]
    fn a_filter_occupies_no_more_than_measured(filter in filter()) {
        let occupied = size_of::<v1::RecommendRequest>() + heap(&filter);
        let message = v1::RecommendRequest { filter: Some(filter), ..Default::default() };
        let measured = request("RecommendRequest").measure(&message.encode_to_vec(), usize::MAX);
        prop_assert!(measured.expect("well formed") >= occupied);
    }
}

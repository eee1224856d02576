//! What was set through the catalogue is shown as it was set.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::tz::TimeZone;
use mercer_common::{
    artifact::ArtifactStore,
    rpc::status::{Code, Describe as _},
    slot::ShardLayout,
};
use mercer_proto::{
    google::r#type::Money,
    internal::{
        ClusterIdentity, GetShardItemRequest, GetShardLocationRequest, GetShardSupplierRequest,
        ItemEvent, ListDirectoryRequest, ListDirectoryResponse, Mutation, Section,
        SetCategoryPriceRule, SetCompetitorPrice, SetItemPriceRule, SetStock, SetSupply,
        ShardPosition, list_directory_request::Part, mutation::Kind,
    },
    v1::{EventType, Location, PriceRule, Supplier, SupplyTerms, scoped_price_rule::Scope},
};
use prost_types::Timestamp;

use crate::{
    compute::Compute,
    serve::{ServeError, Serving},
    shard::{
        Shard, ShardState, Shards,
        apply::{Prepared, apply},
    },
    version::OpenVersions,
};

pub(super) const AT: Option<ShardPosition> = Some(ShardPosition { shard: 0, sequence: 2 });

pub(super) fn deadline() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

/// Serves one shard with these records.
pub(super) fn serving(
    mutations: Vec<Kind>,
    item_events: Vec<ItemEvent>,
) -> (tempfile::TempDir, Serving) {
    let layout = ShardLayout::new(1);
    let mut state = ShardState::new(layout, 0, TimeZone::UTC);
    let mutations = mutations.into_iter().map(|kind| Mutation { kind: Some(kind) }).collect();
    let sections = [
        Section { mutations, ..Section::default() },
        Section { item_events, ..Section::default() },
    ];
    for (sequence, section) in (1..).zip(sections) {
        let prepared = Prepared::new(layout, 0, section).expect("well formed");
        apply(&mut state, sequence, prepared).expect("applies");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let store = ArtifactStore::open(folder.path()).expect("opens");
    let shards = Arc::new(Shards::default());
    shards.hold(Shard::serving(state));
    let versions = Arc::new(OpenVersions::new(store, folder.path()));
    let serving = Serving::new(shards, versions, Arc::new(Compute::new(1).expect("threads")));
    serving.join(ClusterIdentity { currency: "USD".into(), ..Default::default() });
    (folder, serving)
}

fn usd(units: i64) -> Option<Money> {
    Some(Money { currency_code: "USD".into(), units, nanos: 0 })
}

fn rule(ending: u32) -> PriceRule {
    PriceRule { price_endings: vec![ending], ..PriceRule::default() }
}

#[tokio::test]
async fn an_item_shows_supply_competitors_rule_stock_and_its_latest_sales() {
    let item = || "apple".to_owned();
    let supply = |location: &str, days| {
        let terms = SupplyTerms { lead_time_days: Some(days), ..SupplyTerms::default() };
        Kind::SetSupply(SetSupply {
            item_id: item(),
            location_id: location.into(),
            supplier_id: "acme".into(),
            terms: Some(terms),
            ..SetSupply::default()
        })
    };
    let mutations = vec![
        supply("!first", 1.0),
        supply("", 2.0),
        Kind::SetCompetitorPrice(SetCompetitorPrice {
            item_id: item(),
            competitor_id: "corner shop".into(),
            price_micros: Some(3_000_000),
            as_of_ms: 1_700_000_000_250,
        }),
        Kind::SetItemPriceRule(SetItemPriceRule { item_id: item(), rule: Some(rule(99)) }),
        Kind::SetStock(SetStock {
            item_id: item(),
            on_hand: 4.0,
            on_order: Some(2.0),
            backordered: Some(1.0),
            ..SetStock::default()
        }),
    ];
    // 40 days with a sale at one of two stores, and one with a return only.
    let event = |day: u32, r#type: EventType| ItemEvent {
        item_id: item(),
        r#type: r#type.into(),
        time: day * 86_400,
        quantity: 2.0,
        amount_micros: Some(5_000_000),
        promotion: day.is_multiple_of(2),
        location_id: format!("store {}", day % 2),
        ..ItemEvent::default()
    };
    let mut events: Vec<ItemEvent> = (0..40).map(|day| event(day, EventType::Purchase)).collect();
    events.extend([event(39, EventType::Return), event(50, EventType::Return)]);
    let (_folder, serving) = serving(mutations, events);

    let request = GetShardItemRequest { shard: AT, item_id: item() };
    let answer = serving.get_item(request, deadline()).await.expect("known");
    assert_eq!(answer.position, AT, "what the coordinator makes the token of");
    let shown = answer.item.expect("an item");
    let terms = shown.supply.iter().map(|supply| {
        let days = supply.terms.as_ref().and_then(|terms| terms.lead_time_days);
        (&*supply.item_id, &*supply.location_id, &*supply.supplier_id, days)
    });
    let expected = [("apple", "*", "acme", Some(2.0)), ("apple", "!first", "acme", Some(1.0))];
    assert_eq!(terms.collect::<Vec<_>>(), expected);
    let [competitor] = &shown.competitor_prices[..] else { panic!("{shown:?}") };
    assert_eq!((&*competitor.item_id, &*competitor.competitor_id), ("apple", "corner shop"));
    assert_eq!(competitor.price, usd(3));
    let as_of = Timestamp { seconds: 1_700_000_000, nanos: 250_000_000 };
    assert_eq!(competitor.as_of, Some(as_of));
    assert_eq!(shown.price_rule, Some(rule(99)));
    let stock = &shown.stock[0];
    assert_eq!((&*stock.location_id, stock.as_of), ("default", None));
    let counts = (stock.on_hand, stock.on_order, stock.backordered);
    assert_eq!(counts, (4.0, Some(2.0), Some(1.0)));

    assert_eq!(shown.sales.len(), 28);
    for (day, sales) in (12..40).zip(&shown.sales) {
        let date = sales.date.expect("set");
        let expected = if day < 31 { (1, day + 1) } else { (2, day - 30) };
        assert_eq!((date.year, date.month, date.day), (1990, expected.0, expected.1));
        let promoted = if day % 2 == 0 { 2.0 } else { 0.0 };
        let returned = if day == 39 { 2.0 } else { 0.0 };
        assert_eq!(
            (sales.units, sales.promoted_units, sales.returned_units, sales.revenue.clone()),
            (2.0, promoted, returned, usd(5))
        );
    }
}

#[tokio::test]
async fn the_directory_is_shown_in_pages() {
    let mut mutations: Vec<Kind> = (0..5)
        .map(|number| Location { location_id: format!("store {number}"), ..Location::default() })
        .map(Kind::UpsertLocation)
        .collect();
    mutations.push(Kind::DeleteLocation("store 3".into()));
    for id in ["acme", "emca"] {
        let supplier_id = id.to_owned();
        mutations.push(Kind::UpsertSupplier(Supplier { supplier_id, ..Supplier::default() }));
    }
    for (path, ending) in [(&["food", "fruit"][..], 3), (&[], 1), (&["food"], 2), (&["toys"], 0)] {
        mutations.push(Kind::SetCategoryPriceRule(SetCategoryPriceRule {
            category_path: path.iter().map(ToString::to_string).collect(),
            rule: (ending > 0).then(|| rule(ending)),
        }));
    }
    let (_folder, serving) = serving(mutations, Vec::new());
    let list = async |part: Part, after: &str, limit| -> ListDirectoryResponse {
        let (part, after_id) = (part.into(), after.to_owned());
        let request = ListDirectoryRequest {
            shard: AT,
            part,
            after_id,
            limit,
            ..ListDirectoryRequest::default()
        };
        serving.list_directory(request, deadline()).await.expect("answers")
    };
    let names = |page: &ListDirectoryResponse| -> Vec<String> {
        page.locations.iter().map(|location| location.location_id.clone()).collect()
    };
    let page = list(Part::Locations, "", 2).await;
    assert_eq!((names(&page), page.more), (vec!["store 0".into(), "store 1".into()], true));
    let page = list(Part::Locations, "store 1", 2).await;
    assert_eq!((names(&page), page.more), (vec!["store 2".into(), "store 4".into()], false));
    let page = list(Part::Suppliers, "acme", 100).await;
    assert_eq!((page.suppliers.len(), &*page.suppliers[0].supplier_id), (1, "emca"));
    let page = list(Part::PriceRules, "", 10).await;
    let rules = page.price_rules.iter().map(|scoped| {
        let levels = match scoped.scope.as_ref().expect("set") {
            Scope::Everything(true) => 0,
            Scope::Category(path) => path.levels.len(),
            scope => panic!("{scope:?}"),
        };
        (levels, scoped.rule.clone().expect("set"))
    });
    assert_eq!(rules.collect::<Vec<_>>(), [(0, rule(1)), (1, rule(2)), (2, rule(3))]);

    let location = |id: &str| GetShardLocationRequest { shard: AT, location_id: id.into() };
    let found = serving.get_location(location("store 4"), deadline()).await.expect("known");
    assert_eq!(found.location_id, "store 4");
    let supplier = |id: &str| GetShardSupplierRequest { shard: AT, supplier_id: id.into() };
    let found = serving.get_supplier(supplier("acme"), deadline()).await.expect("known");
    assert_eq!(found.supplier_id, "acme");
    let missing = serving.get_location(location("store 3"), deadline()).await.map(|_| ());
    refused(missing, Code::NotFound, "LOCATION_NOT_FOUND");
    let missing = serving.get_supplier(supplier("umca"), deadline()).await.map(|_| ());
    refused(missing, Code::NotFound, "SUPPLIER_NOT_FOUND");
    let request = ListDirectoryRequest { shard: AT, ..ListDirectoryRequest::default() };
    let unnamed = serving.list_directory(request, deadline()).await.map(|_| ());
    refused(unnamed, Code::InvalidArgument, "INVALID_REQUEST");
}

fn refused(result: Result<(), ServeError>, code: Code, reason: &str) {
    let description = result.expect_err("refused").describe();
    assert_eq!((description.code, description.reason), (code, reason));
}

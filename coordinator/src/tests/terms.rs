//! Locations, suppliers, terms of supply, competitors' prices and price rules on their way into
//! the log.

use std::sync::atomic::Ordering;

use mercer_common::{
    log::LogError,
    slot::{ShardLayout, Subject},
    token::Token,
};
use mercer_proto::{
    google::r#type::Money,
    internal::{
        Section, SetCategoryPriceRule, SetCompetitorPrice, SetItemPriceRule, SetSupply,
        mutation::Kind as Mutation,
    },
    v1::{
        AdjustStockRequest, CategoryPath, CompetitorPrice, DeleteLocationRequest,
        DeleteSupplierRequest, Location, PriceRule, ScopedPriceRule, ServiceTarget,
        SetCompetitorPricesRequest, SetPriceRulesRequest, SetStockRequest, SetSupplyRequest, Stock,
        StockDelta, Supplier, Supply, SupplyTerms, UpsertLocationsRequest, UpsertSuppliersRequest,
        scoped_price_rule::Scope, service_target::Target,
    },
};
use prost_types::Timestamp;
use tonic::{Code, Status};

use super::{TestCluster, details};

fn money(currency: &str, units: i64, nanos: i32) -> Option<Money> {
    Some(Money { currency_code: currency.into(), units, nanos })
}

fn service(target: Target) -> Option<ServiceTarget> {
    Some(ServiceTarget { target: Some(target) })
}

/// Every way in which terms can be bad, with the field at fault.
fn bad_terms() -> Vec<(SupplyTerms, &'static str)> {
    let with = |change: &dyn Fn(&mut SupplyTerms)| {
        let mut terms = SupplyTerms::default();
        change(&mut terms);
        terms
    };
    let mut cases = vec![
        (with(&|t| t.lead_time_days = Some(-1.0)), "lead_time_days"),
        (with(&|t| t.lead_time_days = Some(3_651.0)), "lead_time_days"),
        (with(&|t| t.lead_time_deviation_days = Some(-0.1)), "lead_time_deviation_days"),
        (with(&|t| t.review_period_days = Some(366.0)), "review_period_days"),
        (with(&|t| t.order_cost = money("USD", -1, 0)), "order_cost"),
        (with(&|t| t.order_cost = money("EUR", 1, 0)), "order_cost"),
        (with(&|t| t.order_cost = money("USD", i64::MAX, 0)), "order_cost"),
        (with(&|t| t.holding_rate = Some(0.0)), "holding_rate"),
        (with(&|t| t.holding_rate = Some(10.1)), "holding_rate"),
        (with(&|t| t.minimum_order_quantity = Some(0.0)), "minimum_order_quantity"),
        (with(&|t| t.pack_size = Some(0.0)), "pack_size"),
        (with(&|t| t.pack_size = Some(-6.0)), "pack_size"),
        (with(&|t| t.maximum_cover_days = Some(0.0)), "maximum_cover_days"),
        (with(&|t| t.service = service(Target::CycleService(1.0))), "service.cycle_service"),
        (with(&|t| t.service = service(Target::CycleService(0.0))), "service.cycle_service"),
        (with(&|t| t.service = service(Target::FillRate(1.5))), "service.fill_rate"),
        (with(&|t| t.service = service(Target::FillRate(f64::NAN))), "service.fill_rate"),
        (with(&|t| t.service = Some(ServiceTarget::default())), "service"),
    ];
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        cases.extend([
            (with(&|t| t.lead_time_days = Some(bad)), "lead_time_days"),
            (with(&|t| t.lead_time_deviation_days = Some(bad)), "lead_time_deviation_days"),
            (with(&|t| t.review_period_days = Some(bad)), "review_period_days"),
            (with(&|t| t.holding_rate = Some(bad)), "holding_rate"),
            (with(&|t| t.minimum_order_quantity = Some(bad)), "minimum_order_quantity"),
            (with(&|t| t.pack_size = Some(bad)), "pack_size"),
            (with(&|t| t.maximum_cover_days = Some(bad)), "maximum_cover_days"),
        ]);
    }
    cases
}

/// Every way in which a rule can be bad, with the field at fault.
fn bad_rules() -> Vec<(PriceRule, &'static str)> {
    let with = |change: &dyn Fn(&mut PriceRule)| {
        let mut rule = PriceRule::default();
        change(&mut rule);
        rule
    };
    let index = |low, high| {
        move |rule: &mut PriceRule| {
            (rule.competitor_index_floor, rule.competitor_index_ceiling) = (low, high);
        }
    };
    vec![
        (with(&|r| r.floor = money("USD", 0, 0)), "floor"),
        (with(&|r| r.floor = money("USD", -1, 0)), "floor"),
        (with(&|r| r.ceiling = money("USD", 0, 0)), "ceiling"),
        (with(&|r| r.ceiling = money("EUR", 1, 0)), "ceiling"),
        (
            with(&|r| (r.floor, r.ceiling) = (money("USD", 3, 0), money("", 2, 990_000_000))),
            "floor",
        ),
        (with(&|r| r.margin_floor = Some(1.0)), "margin_floor"),
        (with(&|r| r.margin_floor = Some(f64::NAN)), "margin_floor"),
        (with(&|r| r.margin_floor = Some(f64::NEG_INFINITY)), "margin_floor"),
        (with(&|r| r.largest_change = Some(-0.1)), "largest_change"),
        (with(&|r| r.largest_change = Some(10.5)), "largest_change"),
        (with(&|r| r.largest_change = Some(f64::NAN)), "largest_change"),
        (with(&|r| r.price_endings = vec![99, 100]), "price_endings[1]"),
        (with(&|r| r.price_endings = vec![99; 17]), "price_endings"),
        (with(&index(Some(0.0), None)), "competitor_index_floor"),
        (with(&index(None, Some(f64::INFINITY))), "competitor_index_ceiling"),
        (with(&index(Some(1.1), Some(0.9))), "competitor_index_floor"),
        (with(&|r| r.competitor_reference = 9), "competitor_reference"),
    ]
}

fn refused<T: std::fmt::Debug>(answer: Result<T, Status>, field: &str) {
    let status = answer.expect_err(field);
    let (code, _, fields) = details(&status);
    assert_eq!((code, fields), (Code::InvalidArgument, vec![field.to_owned()]), "{status:?}");
}

#[tokio::test]
async fn bad_terms_are_named_by_field_and_leave_no_trace() {
    let cluster = TestCluster::start(0).await;
    for (terms, field) in bad_terms() {
        let supply = vec![Supply {
            item_id: "tea".into(),
            terms: Some(terms.clone()),
            ..Default::default()
        }];
        let request = SetSupplyRequest { supply, ..Default::default() };
        refused(cluster.catalog().set_supply(request).await, &format!("supply[0].terms.{field}"));
        let supplier =
            Supplier { supplier_id: "acme".into(), terms: Some(terms), ..Default::default() };
        let request = UpsertSuppliersRequest { suppliers: vec![supplier], ..Default::default() };
        let field = format!("suppliers[0].terms.{field}");
        refused(cluster.catalog().upsert_suppliers(request).await, &field);
    }
    for (supply, field) in [
        (Supply::default(), "supply[0].item_id"),
        (
            Supply { item_id: "tea".into(), supplier_id: "a\n".into(), ..Default::default() },
            "supply[0].supplier_id",
        ),
        (
            Supply { item_id: "tea".into(), location_id: "x".repeat(257), ..Default::default() },
            "supply[0].location_id",
        ),
    ] {
        let request = SetSupplyRequest { supply: vec![supply], ..Default::default() };
        refused(cluster.catalog().set_supply(request).await, field);
    }
    let supply = vec![Supply { item_id: "tea".into(), ..Default::default() }; 10_001];
    let request = SetSupplyRequest { supply, ..Default::default() };
    refused(cluster.catalog().set_supply(request).await, "supply");
    refused(cluster.catalog().set_supply(SetSupplyRequest::default()).await, "supply");
    assert!(cluster.log.sections().is_empty());
}

#[tokio::test]
async fn bad_rules_and_competitors_prices_are_named_by_field() {
    let cluster = TestCluster::start(0).await;
    let scoped = |scope, rule| SetPriceRulesRequest {
        rules: vec![ScopedPriceRule { scope, rule }],
        request_id: None,
    };
    for (rule, field) in bad_rules() {
        let request = scoped(Some(Scope::Everything(true)), Some(rule));
        refused(
            cluster.catalog().set_price_rules(request).await,
            &format!("rules[0].rule.{field}"),
        );
    }
    let category = |levels: Vec<String>| Some(Scope::Category(CategoryPath { levels }));
    let scopes = [
        (None, "rules[0]"),
        (Some(Scope::Everything(false)), "rules[0].everything"),
        (Some(Scope::ItemId(String::new())), "rules[0].item_id"),
        (category(vec![]), "rules[0].category.levels"),
        (category(vec!["a".into(); 9]), "rules[0].category.levels"),
        (category(vec!["a".into(), String::new()]), "rules[0].category.levels[1]"),
    ];
    for (scope, field) in scopes {
        refused(cluster.catalog().set_price_rules(scoped(scope, None)).await, field);
    }
    let everything = ScopedPriceRule { scope: Some(Scope::Everything(true)), rule: None };
    let request = SetPriceRulesRequest { rules: vec![everything; 1_001], request_id: None };
    refused(cluster.catalog().set_price_rules(request).await, "rules");

    let seen = |change: &dyn Fn(&mut CompetitorPrice)| {
        let mut price = CompetitorPrice {
            item_id: "tea".into(),
            competitor_id: "other".into(),
            price: money("USD", 1, 0),
            as_of: None,
        };
        change(&mut price);
        price
    };
    let cases = [
        (seen(&|p| p.item_id.clear()), "prices[0].item_id"),
        (seen(&|p| p.competitor_id.clear()), "prices[0].competitor_id"),
        (seen(&|p| p.price = money("USD", 0, 0)), "prices[0].price"),
        (seen(&|p| p.price = money("USD", -1, 0)), "prices[0].price"),
        (seen(&|p| p.price = money("GBP", 1, 0)), "prices[0].price"),
        (seen(&|p| p.as_of = Some(Timestamp { seconds: 0, nanos: 0 })), "prices[0].as_of"),
        (seen(&|p| p.as_of = Some(Timestamp { seconds: i64::MAX, nanos: 0 })), "prices[0].as_of"),
    ];
    for (price, field) in cases {
        let request = SetCompetitorPricesRequest { prices: vec![price], ..Default::default() };
        refused(cluster.catalog().set_competitor_prices(request).await, field);
    }
    assert!(cluster.log.sections().is_empty());
}

#[tokio::test]
async fn bad_locations_and_counts_are_named_by_field() {
    let cluster = TestCluster::start(0).await;
    let location = |location_id: &str, name: &str, time_zone: &str| Location {
        location_id: location_id.into(),
        name: name.into(),
        time_zone: time_zone.into(),
        decrement_on_purchase: Some(true),
    };
    let cases = [
        (location("", "", ""), "locations[1].location_id"),
        (location("*", "", ""), "locations[1].location_id"),
        (location("s", &"n".repeat(257), ""), "locations[1].name"),
        (location("s", "", "Europe/Atlantis"), "locations[1].time_zone"),
    ];
    for (bad, field) in cases {
        let locations = vec![location("s", "Store", "Asia/Tokyo"), bad];
        let request = UpsertLocationsRequest { locations, ..Default::default() };
        refused(cluster.catalog().upsert_locations(request).await, field);
    }
    let locations = vec![location("s", "", ""); 1_001];
    let request = UpsertLocationsRequest { locations, ..Default::default() };
    refused(cluster.catalog().upsert_locations(request).await, "locations");
    let request = DeleteLocationRequest { location_id: "*".into(), request_id: None };
    refused(cluster.catalog().delete_location(request).await, "location_id");
    let request = DeleteSupplierRequest::default();
    refused(cluster.catalog().delete_supplier(request).await, "supplier_id");

    let stock = |change: &dyn Fn(&mut Stock)| {
        let mut stock = Stock { item_id: "tea".into(), ..Default::default() };
        change(&mut stock);
        SetStockRequest { stock: vec![stock], ..Default::default() }
    };
    let cases = [
        (stock(&|s| s.location_id = "*".into()), "stock[0].location_id"),
        (stock(&|s| s.on_order = Some(-1.0)), "stock[0].on_order"),
        (stock(&|s| s.on_order = Some(f64::NAN)), "stock[0].on_order"),
        (stock(&|s| s.backordered = Some(f64::INFINITY)), "stock[0].backordered"),
        (stock(&|s| s.backordered = Some(-0.5)), "stock[0].backordered"),
    ];
    for (request, field) in cases {
        refused(cluster.catalog().set_stock(request).await, field);
    }
    let delta =
        StockDelta { item_id: "tea".into(), on_order_delta: f64::NAN, ..Default::default() };
    let request = AdjustStockRequest { deltas: vec![delta], request_id: None };
    refused(cluster.catalog().adjust_stock(request).await, "deltas[0].on_order_delta");
    assert!(cluster.log.sections().is_empty());
}

/// The mutations that were appended, by shard.
fn mutations(sections: Vec<(u16, Section)>) -> Vec<(u16, Vec<Mutation>)> {
    let mut mutations = Vec::new();
    for (shard, section) in sections {
        let kinds = section.mutations.into_iter().map(|one| one.kind.expect("a mutation"));
        mutations.push((shard, kinds.collect()));
    }
    mutations
}

#[tokio::test]
async fn what_belongs_to_no_item_stands_in_every_shard_by_one_append() {
    let cluster = TestCluster::start(0).await;
    let location = Location { location_id: "s".into(), ..Default::default() };
    let request = || UpsertLocationsRequest {
        locations: vec![location.clone()],
        request_id: Some("r1".into()),
        ..Default::default()
    };
    cluster.log.failures.lock().push_back(LogError::Unconfirmed);
    let status = cluster.catalog().upsert_locations(request()).await.expect_err("unconfirmed");
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    assert!(cluster.log.sections().is_empty());

    let response = cluster.catalog().upsert_locations(request()).await.expect("accepted");
    assert_eq!(cluster.log.appends.load(Ordering::SeqCst), 2);
    let token = Token::decode(&response.into_inner().token, 7, 0);
    let token = token.expect("a token of this log");
    for (shard, mutations) in mutations(cluster.log.sections()) {
        assert_eq!(mutations, [Mutation::UpsertLocation(location.clone())]);
        // After what says in the four shards how to read them.
        assert_eq!(token.position(shard), 4 + u64::from(shard) + 1);
    }
    assert_eq!(cluster.log.sections().len(), 4);

    // A rule of an item is in the item's shard only, in the order of the call.
    let before = cluster.log.sections().len();
    let rule = PriceRule { largest_change: Some(0.1), ..Default::default() };
    let everything = SetCategoryPriceRule { category_path: vec![], rule: Some(rule.clone()) };
    let category = SetCategoryPriceRule { category_path: vec!["drinks".into()], rule: None };
    let item = SetItemPriceRule { item_id: "tea".into(), rule: Some(rule.clone()) };
    let levels = vec!["drinks".into()];
    let rules = vec![
        ScopedPriceRule { scope: Some(Scope::Everything(true)), rule: Some(rule.clone()) },
        ScopedPriceRule { scope: Some(Scope::ItemId("tea".into())), rule: Some(rule) },
        // An empty rule removes what was set.
        ScopedPriceRule {
            scope: Some(Scope::Category(CategoryPath { levels })),
            rule: Some(PriceRule::default()),
        },
    ];
    let request = SetPriceRulesRequest { rules, request_id: None };
    cluster.catalog().set_price_rules(request).await.expect("accepted");
    assert_eq!(cluster.log.appends.load(Ordering::SeqCst), 3);
    let shard_of_tea = ShardLayout::new(4).shard_of(Subject::Item, "tea");
    let appended = mutations(cluster.log.sections().split_off(before));
    assert_eq!(appended.len(), 4);
    for (shard, mutations) in appended {
        let mut expected = vec![
            Mutation::SetCategoryPriceRule(everything.clone()),
            Mutation::SetCategoryPriceRule(category.clone()),
        ];
        if shard == shard_of_tea {
            expected.insert(1, Mutation::SetItemPriceRule(item.clone()));
        }
        assert_eq!(mutations, expected, "shard {shard}");
    }
}

#[tokio::test]
async fn what_is_stored_names_its_currency_and_its_locations() {
    let cluster = TestCluster::start(0).await;
    let terms = SupplyTerms { order_cost: money("", 20, 500_000_000), ..Default::default() };
    let supply = |location_id: &str, terms| Supply {
        item_id: "tea".into(),
        location_id: location_id.into(),
        supplier_id: String::new(),
        terms,
    };
    let supply =
        vec![supply("", Some(terms)), supply("*", Some(SupplyTerms::default())), supply("s", None)];
    let request = SetSupplyRequest { supply, ..Default::default() };
    cluster.catalog().set_supply(request).await.expect("accepted");
    let price = |price, as_of| CompetitorPrice {
        item_id: "tea".into(),
        competitor_id: "other".into(),
        price,
        as_of,
    };
    let as_of = Some(Timestamp { seconds: 1_700_000_000, nanos: 5_000_000 });
    let prices = vec![price(money("USD", 1, 990_000_000), as_of), price(None, as_of)];
    let request = SetCompetitorPricesRequest { prices, ..Default::default() };
    cluster.catalog().set_competitor_prices(request).await.expect("accepted");

    let stored: Vec<Mutation> =
        mutations(cluster.log.sections()).into_iter().flat_map(|(_, kinds)| kinds).collect();
    let set = |location_id: &str, terms| {
        Mutation::SetSupply(SetSupply {
            item_id: "tea".into(),
            location_id: location_id.into(),
            terms,
            ..SetSupply::default()
        })
    };
    let order_cost = money("USD", 20, 500_000_000);
    let named = SupplyTerms { order_cost, ..Default::default() };
    let seen = |price_micros| {
        Mutation::SetCompetitorPrice(SetCompetitorPrice {
            item_id: "tea".into(),
            competitor_id: "other".into(),
            price_micros,
            as_of_ms: 1_700_000_000_005,
        })
    };
    let expected =
        [set("*", Some(named)), set("*", None), set("s", None), seen(Some(1_990_000)), seen(None)];
    assert_eq!(stored, expected);
}

//! A catalogue for the workload's items: with costs, stores in other time zones, suppliers,
//! stock, competitors and price rules, and with gaps in all of these.

use mercer_proto::{
    google::r#type::Money,
    v1::{
        AdjustStockRequest, CategoryPath, CompetitorPrice, Item, Location, PriceRule,
        ScopedPriceRule, SetCompetitorPricesRequest, SetPriceRulesRequest, SetStockRequest,
        SetSupplyRequest, Stock, StockDelta, Supplier, Supply, SupplyTerms, UpsertItemsRequest,
        UpsertLocationsRequest, UpsertSuppliersRequest,
        catalog_service_client::CatalogServiceClient, scoped_price_rule::Scope,
    },
};
use prost_types::Timestamp;
use tonic::transport::Channel;

use crate::{
    answers::request,
    workload::{self, LISTED_CENTS},
};

/// Stock of every item that has some: so much that no adjustment empties it.
const STOCK: f64 = 1_000.0;

fn cents(cents: u64) -> Option<Money> {
    let units = i64::try_from(cents / 100).expect("small");
    let nanos = i32::try_from(cents % 100).expect("small") * 10_000_000;
    Some(Money { currency_code: "USD".into(), units, nanos })
}

/// Catalogues `items` items of the workload; returns the tokens of all calls.
///
/// # Errors
/// When a call fails.
pub async fn set_up(channel: &Channel, items: u64) -> anyhow::Result<Vec<String>> {
    let mut client = CatalogServiceClient::new(channel.clone());
    let mut tokens = Vec::new();
    let locations =
        UpsertLocationsRequest { locations: locations(), ..UpsertLocationsRequest::default() };
    tokens.push(client.upsert_locations(request(locations)).await?.into_inner().token);
    let suppliers =
        UpsertSuppliersRequest { suppliers: suppliers(), ..UpsertSuppliersRequest::default() };
    tokens.push(client.upsert_suppliers(request(suppliers)).await?.into_inner().token);
    let upsert = UpsertItemsRequest {
        items: (0..items).map(item).collect(),
        ..UpsertItemsRequest::default()
    };
    tokens.push(client.upsert_items(request(upsert)).await?.into_inner().token);
    let supply = (0..items).filter_map(supply).collect();
    let supply = SetSupplyRequest { supply, ..SetSupplyRequest::default() };
    tokens.push(client.set_supply(request(supply)).await?.into_inner().token);
    let stock = (0..items).flat_map(stock).collect();
    let stock = SetStockRequest { stock, ..SetStockRequest::default() };
    tokens.push(client.set_stock(request(stock)).await?.into_inner().token);
    let prices = (0..items).flat_map(competitor_prices).collect();
    let prices = SetCompetitorPricesRequest { prices, ..SetCompetitorPricesRequest::default() };
    tokens.push(client.set_competitor_prices(request(prices)).await?.into_inner().token);
    let rules = SetPriceRulesRequest { rules: price_rules(), request_id: None };
    tokens.push(client.set_price_rules(request(rules)).await?.into_inner().token);
    Ok(tokens)
}

/// Takes one unit off the stock of an item, once however often it is called with one number.
///
/// # Errors
/// When the call fails.
pub async fn take_one(channel: &Channel, item: u64, number: u64) -> anyhow::Result<String> {
    let delta =
        StockDelta { item_id: format!("item-{item}"), delta: -1.0, ..StockDelta::default() };
    let message =
        AdjustStockRequest { deltas: vec![delta], request_id: Some(format!("take-{number}")) };
    let mut client = CatalogServiceClient::new(channel.clone());
    Ok(client.adjust_stock(request(message)).await?.into_inner().token)
}

fn locations() -> Vec<Location> {
    let location = |id: &str, time_zone: &str| Location {
        location_id: id.into(),
        time_zone: time_zone.into(),
        ..Location::default()
    };
    vec![location("store-0", "America/New_York"), location("store-1", "Asia/Tokyo")]
}

fn suppliers() -> Vec<Supplier> {
    let terms = SupplyTerms {
        lead_time_days: Some(5.0),
        lead_time_deviation_days: Some(1.5),
        order_cost: cents(1_200),
        ..SupplyTerms::default()
    };
    vec![Supplier { supplier_id: "acme".into(), name: "Acme".into(), terms: Some(terms) }]
}

fn item(item: u64) -> Item {
    Item {
        item_id: format!("item-{item}"),
        category_path: vec!["shop".into(), format!("aisle {}", item % 4)],
        list_price: cents(workload::list_price_cents(item)),
        // One in eight has no cost.
        unit_cost: (item % 8 != 7).then(|| cents(LISTED_CENTS * 6 / 10)).flatten(),
        ..Item::default()
    }
}

fn supply(item: u64) -> Option<Supply> {
    let terms = SupplyTerms {
        minimum_order_quantity: Some(6.0),
        pack_size: Some(4.0),
        ..SupplyTerms::default()
    };
    item.is_multiple_of(3).then(|| Supply {
        item_id: format!("item-{item}"),
        // One in four of them has a supplier that nobody catalogued.
        supplier_id: if item % 12 == 9 { "unheard-of" } else { "acme" }.into(),
        terms: Some(terms),
        ..Supply::default()
    })
}

fn stock(item: u64) -> Vec<Stock> {
    let stock = |location: &str, on_hand| Stock {
        item_id: format!("item-{item}"),
        location_id: location.into(),
        on_hand,
        as_of: Some(Timestamp { seconds: workload::START, nanos: 0 }),
        on_order: Some(3.0),
        ..Stock::default()
    };
    match item % 4 {
        0 => vec![stock("", STOCK), stock("store-1", 2.0)],
        1 => vec![stock("", STOCK)],
        // Out of stock from the first day on.
        2 => vec![stock("store-0", 0.0)],
        _ => Vec::new(),
    }
}

fn competitor_prices(item: u64) -> Vec<CompetitorPrice> {
    let price = |competitor: &str, percent| CompetitorPrice {
        item_id: format!("item-{item}"),
        competitor_id: competitor.into(),
        price: cents(workload::list_price_cents(item) * percent / 100),
        as_of: Some(Timestamp { seconds: workload::START, nanos: 0 }),
    };
    if item.is_multiple_of(5) {
        vec![price("next-door", 95), price("online", 90)]
    } else {
        Vec::new()
    }
}

fn price_rules() -> Vec<ScopedPriceRule> {
    let everything = PriceRule { price_endings: vec![99, 49], ..PriceRule::default() };
    let aisle = PriceRule {
        margin_floor: Some(0.2),
        competitor_index_ceiling: Some(1.05),
        ..PriceRule::default()
    };
    // No price that the ceiling allows leaves such a margin.
    let impossible = PriceRule {
        margin_floor: Some(0.99),
        ceiling: cents(LISTED_CENTS),
        ..PriceRule::default()
    };
    let category = CategoryPath { levels: vec!["shop".into(), "aisle 1".into()] };
    vec![
        ScopedPriceRule { scope: Some(Scope::Everything(true)), rule: Some(everything) },
        ScopedPriceRule { scope: Some(Scope::Category(category)), rule: Some(aisle) },
        ScopedPriceRule { scope: Some(Scope::ItemId("item-4".into())), rule: Some(impossible) },
    ]
}

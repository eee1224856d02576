//! What the demo adds to a shop's data so that prices and orders can be decided: costs, stock and
//! terms of supply of some products, through the public API.
//!
//! The Complete Journey has none of these, so the demo makes them up and says so; products without
//! them show what Mercer does then.

use std::collections::HashMap;

use anyhow::{Context as _, Result, anyhow};
use jiff::tz::TimeZone;
use mercer_common::{money::from_micros, token};
use mercer_proto::v1::{
    Item, PriceRule, ScopedPriceRule, ServiceTarget, SetPriceRulesRequest, SetStockRequest,
    SetSupplyRequest, Stock, Supplier, Supply, SupplyTerms, UpsertItemsRequest,
    UpsertSuppliersRequest, catalog_service_client::CatalogServiceClient, scoped_price_rule::Scope,
    service_target::Target,
};
use prost_types::{FieldMask, Timestamp};
use tonic::transport::Channel;

use super::dataset::CompleteJourney;
use crate::import::{self, Cell, Records, Table};

/// Products of The Complete Journey that the demo assumes costs, stock and terms of.
pub(crate) const PRODUCTS: usize = 300;
/// Unit cost in percent of the list price.
const COST: i64 = 70;
/// Supplier of every product.
pub(super) const SUPPLIER: &str = "wholesaler";
/// Weeks in the year of data.
const WEEKS: f64 = 365.0 / 7.0;
/// Weeks of sales in stock and units in a pack, product by product.
const IN_TURN: [(f64, f64); 4] = [(0.5, 6.0), (1.0, 12.0), (2.0, 6.0), (4.0, 12.0)];
/// Price endings of the rule for everything: prices end in 9.
const ENDINGS: [u32; 10] = [9, 19, 29, 39, 49, 59, 69, 79, 89, 99];

/// Records that are not part of the shop's own data.
pub(crate) struct Assumptions {
    records: Vec<Records>,
    rule: PriceRule,
    /// Sentences for the reader.
    pub(super) said: Vec<String>,
}

impl Assumptions {
    /// For the `most` products that stand on most lines of the receipts.
    pub(crate) fn of_complete_journey(files: &CompleteJourney, most: usize) -> Result<Self> {
        let (sold, end) = sold(files)?;
        let mut ranked: Vec<(i128, Sold)> =
            sold.into_iter().filter(|(_, sold)| sold.priced > 0).collect();
        ranked.sort_unstable_by_key(|&(product, sold)| (std::cmp::Reverse(sold.lines), product));
        ranked.truncate(most);
        let (mut items, mut stock, mut supply) = (Vec::new(), Vec::new(), Vec::new());
        for ((weeks, pack), (product, sold)) in IN_TURN.iter().cycle().zip(&ranked) {
            let item_id = product.to_string();
            // Whole cents.
            let price = (sold.list_micros / sold.priced + 5_000) / 10_000 * 10_000;
            items.push(Item {
                item_id: item_id.clone(),
                list_price: Some(from_micros(price, "")),
                unit_cost: Some(from_micros(price * COST / 100, "")),
                ..Item::default()
            });
            stock.push(Stock {
                item_id: item_id.clone(),
                on_hand: (sold.units / WEEKS * weeks).ceil(),
                as_of: end,
                ..Stock::default()
            });
            let pack_size = Some(*pack);
            supply.push(Supply {
                item_id,
                supplier_id: SUPPLIER.into(),
                terms: Some(SupplyTerms { pack_size, ..SupplyTerms::default() }),
                ..Supply::default()
            });
        }
        let said = vec![
            format!(
                "Assumed, as the data has no costs, stock or suppliers, for the {} products on \
                 most receipt lines:",
                items.len()
            ),
            format!("list price = the mean list price seen, unit cost = {COST} % of it"),
            "stock on hand = half a week, one, two, four weeks of mean sales in turn, on the last \
             day"
            .into(),
            "a wholesaler who delivers in 5 ± 1.5 days, order cost 5.00, packs of 6 or 12, \
             ordered daily, cycle service 95 %"
                .into(),
            "a rule for all prices: they end in 9".into(),
            "Nothing is assumed of all other products.".into(),
        ];
        let update_mask = Some(FieldMask { paths: vec!["list_price".into(), "unit_cost".into()] });
        Ok(Self {
            records: vec![
                Records::Items(UpsertItemsRequest {
                    items,
                    update_mask,
                    ..UpsertItemsRequest::default()
                }),
                wholesaler(),
                Records::Supply(SetSupplyRequest { supply, ..SetSupplyRequest::default() }),
                Records::Stock(SetStockRequest { stock, ..SetStockRequest::default() }),
            ],
            rule: PriceRule { price_endings: ENDINGS.to_vec(), ..PriceRule::default() },
            said,
        })
    }

    /// What the made-up shop's generator made up, too.
    pub(super) fn of_synthetic(supply: Vec<Supply>, stock: Vec<Stock>) -> Self {
        Self {
            records: vec![
                wholesaler(),
                Records::Supply(SetSupplyRequest { supply, ..SetSupplyRequest::default() }),
                Records::Stock(SetStockRequest { stock, ..SetStockRequest::default() }),
            ],
            rule: PriceRule { price_endings: ENDINGS.to_vec(), ..PriceRule::default() },
            said: vec![
                "The shop is made up with its costs, stock and one supplier; every tenth product \
                 has no cost, another tenth neither stock nor supplier."
                    .into(),
            ],
        }
    }

    /// Sends everything; returns a token of it.
    pub(crate) async fn send(self, channel: &Channel) -> Result<String> {
        let records = import::send(channel, self.records).await?;
        let rule = ScopedPriceRule { scope: Some(Scope::Everything(true)), rule: Some(self.rule) };
        let request = SetPriceRulesRequest { rules: vec![rule], request_id: None };
        let mut service = CatalogServiceClient::new(channel.clone());
        let rules = service.set_price_rules(request).await?.into_inner().token;
        Ok(token::combine(&[records, rules])?)
    }
}

fn wholesaler() -> Records {
    let terms = SupplyTerms {
        lead_time_days: Some(5.0),
        lead_time_deviation_days: Some(1.5),
        review_period_days: Some(1.0),
        order_cost: Some(from_micros(5_000_000, "")),
        service: Some(ServiceTarget { target: Some(Target::CycleService(0.95)) }),
        ..SupplyTerms::default()
    };
    let supplier =
        Supplier { supplier_id: SUPPLIER.into(), name: "Wholesaler".into(), terms: Some(terms) };
    Records::Suppliers(UpsertSuppliersRequest {
        suppliers: vec![supplier],
        ..UpsertSuppliersRequest::default()
    })
}

/// Sales of a product by the receipts.
#[derive(Clone, Copy, Debug, Default)]
struct Sold {
    lines: u64,
    units: f64,
    /// Lines with a list price, and the sum of these in millionths.
    priced: i64,
    list_micros: i64,
}

/// What was sold of every product, and when the last receipt was written.
fn sold(files: &CompleteJourney) -> Result<(HashMap<i128, Sold>, Option<Timestamp>)> {
    const COLUMNS: [&str; 6] = [
        "product_id",
        "quantity",
        "sales_value",
        "retail_disc",
        "coupon_match_disc",
        "transaction_timestamp",
    ];
    let path = &files.transactions;
    let mut table = Table::open(path, b',')?;
    let mut projection = Vec::new();
    for name in COLUMNS {
        let place = table.columns().iter().position(|column| column == name);
        let place =
            place.with_context(|| format!("{} lacks one of {COLUMNS:?}", path.display()))?;
        projection.push(place);
    }
    let mut products: HashMap<i128, Sold> = HashMap::new();
    let mut end = None;
    table.read(&projection, &mut |line| {
        let cells = line.cells.map_err(|reason| anyhow!(reason))?;
        let [product, quantity, value, discount, matched, time] = &cells[..] else { return Ok(()) };
        let &Cell::Integer(product) = product else { return Ok(()) };
        let number = |cell: &Cell<'_>| cell.to_number().ok().flatten().unwrap_or_default();
        let units = number(quantity);
        // Rejected by the import as well.
        if units <= 0.0 || units.is_nan() {
            return Ok(());
        }
        let sold = products.entry(product).or_default();
        sold.lines += 1;
        sold.units += units;
        let list = (number(value) + number(discount) + number(matched)) / units;
        if list > 0.0 {
            sold.priced += 1;
            let micros = (list * 1e6).round() as i64;
            sold.list_micros += micros;
        }
        end = end.max(time.to_time(&TimeZone::UTC).ok().flatten());
        Ok(())
    })?;
    Ok((products, end.map(import::api_time)))
}

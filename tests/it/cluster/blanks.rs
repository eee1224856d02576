//! Blanks keep what is known, whatever dies meanwhile; what is deleted stays away.

use std::{
    io::Write as _,
    process::{Command, Output, Stdio},
};

use mercer_proto::{
    google::r#type::Money,
    v1::{
        Clearing, GetItemRequest, GetItemResponse, GetLocationRequest, GetSupplierRequest,
        GetUserRequest, Item, ItemStatus, Location, SetStockRequest, SetSupplyRequest, Stock,
        Supplier, Supply, SupplyTerms, UpsertItemsRequest, UpsertLocationsRequest,
        UpsertSuppliersRequest, UpsertUsersRequest, User,
        catalog_service_client::CatalogServiceClient,
    },
};
use mercer_tests::{
    answers::{self, request},
    processes::{Processes, describe},
};
use tonic::{Code, transport::Channel};

use super::BINARY;

type Catalog = CatalogServiceClient<Channel>;

async fn open(cluster: &mut Processes) -> anyhow::Result<Catalog> {
    cluster.wait_until_serving().await?;
    Ok(CatalogServiceClient::new(answers::connect(cluster.endpoint()).await?))
}

fn money(units: i64, nanos: i32) -> Option<Money> {
    Some(Money { currency_code: "USD".into(), units, nanos })
}

fn terms(change: impl FnOnce(&mut SupplyTerms)) -> Option<SupplyTerms> {
    let mut terms = SupplyTerms::default();
    change(&mut terms);
    Some(terms)
}

fn clears(paths: &[&str]) -> Vec<Clearing> {
    vec![Clearing { index: 0, paths: paths.iter().map(ToString::to_string).collect() }]
}

fn items(item: Item, clears: Vec<Clearing>) -> UpsertItemsRequest {
    UpsertItemsRequest { items: vec![item], keep_absent: true, clears, ..Default::default() }
}

fn supply(supply: Supply) -> SetSupplyRequest {
    SetSupplyRequest { supply: vec![supply], keep_absent: true, ..Default::default() }
}

fn stock(stock: Stock) -> SetStockRequest {
    SetStockRequest { stock: vec![stock], keep_absent: true, ..Default::default() }
}

async fn item(catalog: &mut Catalog, id: &str) -> anyhow::Result<GetItemResponse> {
    let message = GetItemRequest { item_id: id.into(), tokens: Vec::new() };
    Ok(catalog.get_item(request(message)).await?.into_inner())
}

/// Two files with the same columns, the second of which has empty cells; and one of pack sizes after
/// one of lead times.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blank_cells_and_absent_columns_keep_what_is_known() -> anyhow::Result<()> {
    let mut cluster = Processes::up(BINARY, 1, 2)?;
    let mut catalog = open(&mut cluster).await?;
    let d1 = || Item { item_id: "d1".into(), ..Item::default() };
    let full = Item {
        title: "Full".into(),
        list_price: money(2, 500_000_000),
        unit_cost: money(1, 0),
        attributes: [("colour".into(), "red".into()), ("size".into(), "L".into())].into(),
        status: ItemStatus::Inactive.into(),
        ..d1()
    };
    catalog.upsert_items(request(items(full, Vec::new()))).await?;
    catalog.upsert_items(request(items(d1(), Vec::new()))).await?;
    let of_d1 = || Supply { item_id: "d1".into(), ..Supply::default() };
    let first = Supply {
        supplier_id: "acme".into(),
        terms: terms(|terms| terms.lead_time_days = Some(7.0)),
        ..of_d1()
    };
    catalog.set_supply(request(supply(first))).await?;
    let second = Supply { terms: terms(|terms| terms.pack_size = Some(6.0)), ..of_d1() };
    catalog.set_supply(request(supply(second))).await?;
    let at =
        |on_hand, on_order| Stock { item_id: "d1".into(), on_hand, on_order, ..Stock::default() };
    catalog.set_stock(request(stock(at(5.0, Some(9.0))))).await?;
    catalog.set_stock(request(stock(at(-2.0, None)))).await?;

    let supplier = |name: &str, terms| {
        let suppliers = vec![Supplier { supplier_id: "acme".into(), name: name.into(), terms }];
        UpsertSuppliersRequest { suppliers, keep_absent: true, ..Default::default() }
    };
    let holding = terms(|terms| terms.holding_rate = Some(0.25));
    catalog.upsert_suppliers(request(supplier("Acme", holding))).await?;
    let order_cost = terms(|terms| terms.order_cost = money(20, 0));
    catalog.upsert_suppliers(request(supplier("", order_cost))).await?;
    let location = |zone: &str, takes| {
        let location = Location {
            location_id: "north".into(),
            time_zone: zone.into(),
            decrement_on_purchase: takes,
            ..Location::default()
        };
        UpsertLocationsRequest {
            locations: vec![location],
            keep_absent: true,
            ..Default::default()
        }
    };
    catalog.upsert_locations(request(location("Asia/Tokyo", Some(true)))).await?;
    catalog.upsert_locations(request(location("", None))).await?;
    let user = |name: &str, denied: &[&str]| {
        let user = User {
            user_id: "anna".into(),
            attributes: [(name.to_owned(), "yes".to_owned())].into(),
            denied_item_ids: denied.iter().map(ToString::to_string).collect(),
        };
        UpsertUsersRequest { users: vec![user], keep_absent: true, ..Default::default() }
    };
    catalog.upsert_users(request(user("gold", &["d1"]))).await?;
    let last = catalog.upsert_users(request(user("vip", &[]))).await?.into_inner();
    describe(cluster.endpoint(), vec![last.token]).await?;

    for is_replayed in [false, true] {
        if is_replayed {
            cluster.kill(0)?;
            cluster.restart(0)?;
            catalog = open(&mut cluster).await?;
        }
        let known = item(&mut catalog, "d1").await?;
        let shown = known.item.expect("an item");
        assert_eq!((&*shown.title, shown.status()), ("Full", ItemStatus::Inactive));
        assert_eq!((shown.list_price, shown.unit_cost), (money(2, 500_000_000), money(1, 0)));
        assert_eq!(shown.attributes.len(), 2);
        let [supply] = &known.supply[..] else { panic!("{:?}", known.supply) };
        let told = supply.terms.as_ref().expect("terms");
        assert_eq!((&*supply.supplier_id, told.lead_time_days), ("acme", Some(7.0)));
        assert_eq!(told.pack_size, Some(6.0));
        let [stock] = &known.stock[..] else { panic!("{:?}", known.stock) };
        assert_eq!(
            (stock.on_hand, stock.on_order, stock.backordered),
            (-2.0, Some(9.0), Some(0.0))
        );

        let message = GetSupplierRequest { supplier_id: "acme".into(), tokens: Vec::new() };
        let acme = catalog.get_supplier(request(message)).await?.into_inner();
        let told = acme.terms.expect("terms");
        assert_eq!((&*acme.name, told.holding_rate), ("Acme", Some(0.25)));
        assert_eq!(told.order_cost, money(20, 0));
        let message = GetLocationRequest { location_id: "north".into(), tokens: Vec::new() };
        let north = catalog.get_location(request(message)).await?.into_inner();
        assert_eq!((&*north.time_zone, north.decrement_on_purchase), ("Asia/Tokyo", Some(true)));
        let message = GetUserRequest { user_id: "anna".into(), tokens: Vec::new(), rows: 0 };
        let anna = catalog.get_user(request(message)).await?.into_inner().user.expect("a user");
        assert_eq!(anna.attributes.keys().collect::<Vec<_>>(), ["gold", "vip"]);
        assert_eq!(anna.denied_item_ids, ["d1"]);
    }

    let paths = ["title", "unit_cost", "attributes.colour"];
    let cleared = items(Item { brand: "Acme".into(), ..d1() }, clears(&paths));
    let token = catalog.upsert_items(request(cleared)).await?.into_inner().token;
    describe(cluster.endpoint(), vec![token]).await?;
    let shown = item(&mut catalog, "d1").await?.item.expect("an item");
    assert_eq!((&*shown.title, &*shown.brand, shown.unit_cost), ("", "Acme", None));
    assert_eq!(shown.attributes.into_keys().collect::<Vec<_>>(), ["size"]);
    let wrong = items(d1(), clears(&["colour"]));
    let status = catalog.upsert_items(request(wrong)).await.expect_err("no such field");
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    assert!(status.message().contains("attributes.NAME"), "{status:?}");
    Ok(())
}

/// Runs `mercer` with nobody at a terminal, and with this on standard input.
fn mercer(cluster: &Processes, arguments: &[&str], input: &str) -> anyhow::Result<Output> {
    let mut child = Command::new(BINARY)
        .args(arguments)
        .args(["--endpoint", cluster.endpoint()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    child.stdin.take().expect("piped").write_all(input.as_bytes())?;
    Ok(child.wait_with_output()?)
}

fn said(output: &Output) -> (bool, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    (output.status.success(), text(&output.stdout), text(&output.stderr))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_deleted_stays_away() -> anyhow::Result<()> {
    let mut cluster = Processes::up(BINARY, 1, 3)?;
    let mut catalog = open(&mut cluster).await?;
    let items = ["tea", "milk", "rice"]
        .map(|name| Item { item_id: name.to_owned(), ..Item::default() })
        .to_vec();
    let upsert = UpsertItemsRequest { items, ..Default::default() };
    catalog.upsert_items(request(upsert)).await?;
    let mut tokens = Vec::new();
    for (item, location) in [("tea", "default"), ("tea", "north"), ("milk", "north")] {
        let (item_id, location_id) = (item.to_owned(), location.to_owned());
        let here = Stock {
            item_id: item_id.clone(),
            location_id: location_id.clone(),
            ..Stock::default()
        };
        tokens.push(catalog.set_stock(request(stock(here))).await?.into_inner().token);
        let (supplier_id, terms) = ("acme".to_owned(), None);
        let here = Supply { item_id, location_id, supplier_id, terms };
        tokens.push(catalog.set_supply(request(supply(here))).await?.into_inner().token);
    }
    let users = vec![User { user_id: "anna".into(), ..User::default() }];
    let upsert = UpsertUsersRequest { users, ..Default::default() };
    tokens.push(catalog.upsert_users(request(upsert)).await?.into_inner().token);
    describe(cluster.endpoint(), tokens).await?;

    // Nobody can be asked, so nothing is deleted.
    for (arguments, input) in [(["item", "tea"], ""), (["user", "--file=-"], "anna\n")] {
        let (is_done, out, told) =
            said(&mercer(&cluster, &[&["delete"], &arguments[..]].concat(), input)?);
        assert!(!is_done && out.is_empty() && told.contains("add --yes"), "{told}");
    }
    let run = |arguments: &[&str], input: &str| -> anyhow::Result<serde_json::Value> {
        let arguments = [&["delete"], arguments, &["--yes", "--output", "json"]].concat();
        let (is_done, out, told) = said(&mercer(&cluster, &arguments, input)?);
        anyhow::ensure!(is_done, "{arguments:?}: {told}");
        Ok(serde_json::from_str(&out)?)
    };
    let mut tokens = Vec::new();
    let mut check = |answer: serde_json::Value, deleted: &[&str], absent: &[&str]| {
        assert_eq!(answer["deleted"], serde_json::json!(deleted), "{answer}");
        assert_eq!(answer["absent"], serde_json::json!(absent), "{answer}");
        tokens.push(answer["token"].as_str().expect("a token").to_owned());
    };
    check(run(&["item", "tea", "nothing"], "")?, &["tea"], &["nothing"]);
    check(run(&["stock", "tea", "--location", "north"], "")?, &["tea"], &[]);
    check(run(&["supply", "tea", "milk", "rice"], "")?, &["tea", "milk"], &["rice"]);
    check(run(&["user", "--file", "-"], "anna\n\nbert\n")?, &["anna"], &["bert"]);
    describe(cluster.endpoint(), tokens).await?;
    let again = mercer(&cluster, &["delete", "user", "anna", "--yes"], "")?;
    let (is_done, _, told) = said(&again);
    assert!(!is_done && told.contains("there is nothing to delete of the users anna"), "{told}");

    for is_replayed in [false, true] {
        if is_replayed {
            cluster.kill(0)?;
            cluster.restart(0)?;
            catalog = open(&mut cluster).await?;
        }
        let tea = item(&mut catalog, "tea").await?;
        assert_eq!(tea.item.expect("its history stays").status(), ItemStatus::Deleted);
        let places: Vec<&str> = tea.stock.iter().map(|stock| &*stock.location_id).collect();
        assert_eq!((places, tea.supply.len()), (vec!["default"], 0));
        let milk = item(&mut catalog, "milk").await?;
        assert_eq!((milk.stock.len(), milk.supply.len()), (1, 0));
        assert_eq!(milk.item.expect("an item").status(), ItemStatus::Active);
        let message = GetUserRequest { user_id: "anna".into(), tokens: Vec::new(), rows: 0 };
        let status = catalog.get_user(request(message)).await.expect_err("erased");
        assert_eq!(status.code(), Code::NotFound, "{status:?}");
    }
    Ok(())
}

//! Changes that keep what they do not say, and the deletion of stock and supply: refused where they
//! contradict themselves or nobody would know them, and recorded as they were sent.

use std::sync::{Arc, atomic::Ordering};

use mercer_common::{clearing::Described, event::encode_section, limits, log::EventLog as _};
use mercer_proto::{
    google::r#type::Money,
    internal::{DeleteStock, DeleteSupply, MergeLocation, MergeSupplier, Section, mutation::Kind},
    v1::{
        Clearing, DeleteStockRequest, DeleteSupplyRequest, Item, ItemStatus, Location,
        MutationResponse, ServiceTarget, SetStockRequest, SetSupplyRequest, Stock, Supplier,
        Supply, SupplyTerms, UpsertItemsRequest, UpsertLocationsRequest, UpsertSuppliersRequest,
        UpsertUsersRequest, User, service_target::Target,
    },
};
use prost_types::FieldMask;
use tonic::{Code, Response, Status};
use tonic_types::StatusExt as _;

use super::{TestCluster, TestLog, details};

/// A record of each kind that sets everything.
#[derive(Clone, Debug)]
struct Full {
    item: Item,
    user: User,
    stock: Stock,
    supply: Supply,
    location: Location,
    supplier: Supplier,
}

fn full() -> Full {
    let money = || Some(Money { currency_code: "USD".into(), units: 3, nanos: 0 });
    let terms = || {
        Some(SupplyTerms {
            lead_time_days: Some(1.0),
            lead_time_deviation_days: Some(1.0),
            review_period_days: Some(1.0),
            order_cost: money(),
            holding_rate: Some(1.0),
            minimum_order_quantity: Some(1.0),
            pack_size: Some(1.0),
            maximum_cover_days: Some(1.0),
            service: Some(ServiceTarget { target: Some(Target::FillRate(0.9)) }),
        })
    };
    Full {
        item: Item {
            item_id: "tea".into(),
            title: "Tea".into(),
            description: "Green".into(),
            category_path: vec!["FOOD".into()],
            brand: "Acme".into(),
            attributes: [("NAME".into(), "x".into()), ("empty".into(), String::new())].into(),
            list_price: money(),
            unit_cost: money(),
            embedding: vec![1.0],
            ..Item::default()
        },
        user: User {
            user_id: "anna".into(),
            attributes: [("NAME".into(), "x".into())].into(),
            denied_item_ids: vec!["tea".into()],
        },
        stock: Stock {
            item_id: "tea".into(),
            on_hand: -3.0,
            on_order: Some(0.0),
            backordered: Some(2.0),
            ..Stock::default()
        },
        supply: Supply {
            item_id: "tea".into(),
            supplier_id: "acme".into(),
            terms: terms(),
            ..Supply::default()
        },
        location: Location {
            location_id: "north".into(),
            name: "North".into(),
            time_zone: "Asia/Tokyo".into(),
            decrement_on_purchase: Some(false),
        },
        supplier: Supplier { supplier_id: "acme".into(), name: "Acme".into(), terms: terms() },
    }
}

/// Those that say nothing but what they are of.
fn bare() -> Full {
    let Full { item, user, stock, supply, location, supplier } = full();
    Full {
        item: Item { item_id: item.item_id, ..Item::default() },
        user: User { user_id: user.user_id, ..User::default() },
        stock: Stock { item_id: stock.item_id, ..Stock::default() },
        supply: Supply { item_id: supply.item_id, ..Supply::default() },
        location: Location { location_id: location.location_id, ..Location::default() },
        supplier: Supplier { supplier_id: supplier.supplier_id, ..Supplier::default() },
    }
}

/// Sends three records like the one of this kind.
async fn send(
    cluster: &TestCluster,
    described: Described,
    records: Full,
    keep_absent: bool,
    clears: Vec<Clearing>,
) -> Result<Response<MutationResponse>, Status> {
    let Full { item, user, stock, supply, location, supplier } = records;
    let mut catalog = cluster.catalog();
    match described {
        Described::Item => {
            let items = vec![item; 3];
            let request = UpsertItemsRequest { items, keep_absent, clears, ..Default::default() };
            catalog.upsert_items(request).await
        }
        Described::User => {
            let users = vec![user; 3];
            let request = UpsertUsersRequest { users, keep_absent, clears, ..Default::default() };
            catalog.upsert_users(request).await
        }
        Described::Stock => {
            let stock = vec![stock; 3];
            let request = SetStockRequest { stock, keep_absent, clears, ..Default::default() };
            catalog.set_stock(request).await
        }
        Described::Supply => {
            let supply = vec![supply; 3];
            let request = SetSupplyRequest { supply, keep_absent, clears, ..Default::default() };
            catalog.set_supply(request).await
        }
        Described::Location => {
            let locations = vec![location; 3];
            let request =
                UpsertLocationsRequest { locations, keep_absent, clears, ..Default::default() };
            catalog.upsert_locations(request).await
        }
        Described::Supplier => {
            let suppliers = vec![supplier; 3];
            let request =
                UpsertSuppliersRequest { suppliers, keep_absent, clears, ..Default::default() };
            catalog.upsert_suppliers(request).await
        }
    }
}

fn clearing(index: u32, paths: &[&str]) -> Clearing {
    Clearing { index, paths: paths.iter().map(ToString::to_string).collect() }
}

/// Code and fields, and what is said of the first field.
fn refusal(status: &Status) -> (Code, Vec<String>, String) {
    let (code, _, fields) = details(status);
    let bad = status.get_details_bad_request();
    let first = bad.and_then(|bad| bad.field_violations.into_iter().next());
    (code, fields, first.map(|one| one.description).unwrap_or_default())
}

#[tokio::test]
async fn what_is_set_cannot_be_cleared_and_everything_else_can() {
    let cluster = TestCluster::start(0).await;
    for described in Described::ALL {
        for path in described.clearable() {
            let clears = vec![clearing(2, &[path])];
            let sent = send(&cluster, described, full(), true, clears.clone()).await;
            let (code, fields, said) = refusal(&sent.expect_err("both set and cleared"));
            assert_eq!((code, fields), (Code::InvalidArgument, vec!["clears[0].paths[0]".into()]));
            assert_eq!(
                said,
                format!("`{path}` is set in record 2, too; leave out one of the two"),
                "{described:?}"
            );
            send(&cluster, described, bare(), true, clears).await.expect("only cleared");
        }
    }
    // An attribute without a value says nothing.
    let clears = vec![clearing(0, &["attributes.empty", "attributes.other"])];
    send(&cluster, Described::Item, full(), true, clears).await.expect("accepted");
}

#[tokio::test]
async fn bad_clears_are_named_by_field_with_what_is_possible() {
    let cluster = TestCluster::start(0).await;
    for described in Described::ALL {
        let path = described.clearable().next().expect("has some");
        let possible: Vec<&str> = described.clearable().collect();
        let many = vec![path; limits::CLEARED_FIELDS + 1];
        let cases = [
            (vec![clearing(3, &[path])], "clears[0].index", "is 3; the call has 3 records".into()),
            (
                vec![clearing(1, &[path]), clearing(1, &[path])],
                "clears[1].index",
                "is 1, after 1; entries are in ascending order, one for each record".into(),
            ),
            (
                vec![clearing(2, &[path]), clearing(0, &[path])],
                "clears[1].index",
                "is 0, after 2; entries are in ascending order, one for each record".into(),
            ),
            (vec![clearing(0, &[])], "clears[0].paths", "must not be empty".into()),
            (
                vec![clearing(0, &many)],
                "clears[0].paths",
                "has 101 entries; at most 100 are allowed".to_owned(),
            ),
            (
                vec![clearing(0, &[path]), clearing(2, &[path, "status"])],
                "clears[1].paths[1]",
                format!("`status` cannot be cleared; there are {}", possible.join(", ")),
            ),
        ];
        for (clears, field, description) in cases {
            let sent = send(&cluster, described, bare(), true, clears).await;
            let refused = refusal(&sent.expect_err("refused"));
            let expected = (Code::InvalidArgument, vec![field.to_owned()], description);
            assert_eq!(refused, expected, "{described:?}");
        }
        let sent = send(&cluster, described, bare(), false, vec![clearing(0, &[path])]).await;
        let (code, fields, said) = refusal(&sent.expect_err("refused"));
        assert_eq!((code, fields), (Code::InvalidArgument, vec!["clears".into()]));
        assert!(said.starts_with("only with `keep_absent`"), "{said}");
    }
    let update_mask = Some(FieldMask { paths: vec!["title".into()] });
    let items = vec![bare().item];
    let request =
        UpsertItemsRequest { items, update_mask, keep_absent: true, ..Default::default() };
    let status = cluster.catalog().upsert_items(request).await.expect_err("refused");
    assert_eq!(details(&status).2, ["update_mask"]);
    let update_mask = Some(FieldMask { paths: vec!["attributes".into()] });
    let users = vec![bare().user];
    let request =
        UpsertUsersRequest { users, update_mask, keep_absent: true, ..Default::default() };
    let status = cluster.catalog().upsert_users(request).await.expect_err("refused");
    assert_eq!(details(&status).2, ["update_mask"]);
    assert!(cluster.log.sections().is_empty());
}

#[tokio::test]
async fn nothing_is_kept_before_every_worker_knows_how() {
    let log = TestLog::new();
    let section = encode_section(&Section { append_time_ms: 5, ..Section::default() });
    log.append(vec![(0, section)]).await.expect("appended");
    let cluster = TestCluster::over(log, Arc::default(), 0, |c| c.cluster.workers = 1).await;
    let before = cluster.log.appends.load(Ordering::SeqCst);
    let assert_too_low = |status: Status| {
        let (code, reason, _) = details(&status);
        assert_eq!((code, &*reason), (Code::FailedPrecondition, "APPLY_VERSION_TOO_LOW"));
        assert!(status.message().contains("needs apply version 4"), "{status:?}");
        assert!(status.message().contains("records mean version 1"), "{status:?}");
        assert!(status.message().contains("upgrade them"), "{status:?}");
    };
    for described in Described::ALL {
        let sent = send(&cluster, described, full(), true, Vec::new()).await;
        assert_too_low(sent.expect_err("nobody knows it"));
    }
    let item_ids = vec!["tea".to_owned()];
    let request = DeleteStockRequest { item_ids: item_ids.clone(), ..Default::default() };
    assert_too_low(cluster.catalog().delete_stock(request).await.expect_err("nobody knows it"));
    let request = DeleteSupplyRequest { item_ids, ..Default::default() };
    assert_too_low(cluster.catalog().delete_supply(request).await.expect_err("nobody knows it"));
    assert_eq!(cluster.log.appends.load(Ordering::SeqCst), before);
}

/// The mutations of the log, those in every shard once.
fn recorded(cluster: &TestCluster) -> Vec<Kind> {
    let sections = cluster.log.sections();
    let kinds = sections.into_iter().flat_map(|(_, section)| section.mutations);
    let mut kinds: Vec<Kind> = kinds.map(|one| one.kind.expect("a mutation")).collect();
    kinds.dedup();
    kinds
}

#[tokio::test]
async fn records_say_what_is_kept_and_cleared() {
    let cluster = TestCluster::start(0).await;
    let clears = vec![clearing(1, &["unit_cost", "brand", "brand"])];
    send(&cluster, Described::Item, bare(), true, clears).await.expect("accepted");
    let [Kind::UpsertItem(first), Kind::UpsertItem(second), Kind::UpsertItem(third)] =
        &recorded(&cluster)[..]
    else {
        panic!("{:?}", recorded(&cluster));
    };
    assert_eq!(first, third);
    assert!(first.keep_absent && second.keep_absent && first.clears.is_empty());
    assert_eq!(second.clears, ["brand", "unit_cost"]);
    let fields = first.fields.as_ref().expect("set");
    assert_eq!(fields.status(), ItemStatus::Unspecified, "an inactive item stays so");

    let cluster = TestCluster::start(0).await;
    send(&cluster, Described::Item, bare(), false, Vec::new()).await.expect("accepted");
    let [Kind::UpsertItem(only)] = &recorded(&cluster)[..] else { panic!("one") };
    assert!(!only.keep_absent);
    assert_eq!(only.fields.as_ref().expect("set").status(), ItemStatus::Active, "as ever");

    let cluster = TestCluster::start(0).await;
    send(&cluster, Described::Stock, full(), true, Vec::new()).await.expect("an oversell, too");
    send(&cluster, Described::Stock, bare(), true, Vec::new()).await.expect("accepted");
    let [Kind::SetStock(said), Kind::SetStock(kept)] = &recorded(&cluster)[..] else {
        panic!("{:?}", recorded(&cluster));
    };
    let counts = (said.on_hand, said.on_order, said.backordered);
    assert_eq!((counts, said.keep_absent), ((-3.0, Some(0.0), Some(2.0)), true));
    assert_eq!((kept.on_order, kept.backordered, kept.keep_absent), (None, None, true));

    let cluster = TestCluster::start(0).await;
    let clears = |path: &str| (0..3).map(|index| clearing(index, &[path])).collect::<Vec<_>>();
    send(&cluster, Described::Location, bare(), true, clears("name")).await.expect("accepted");
    let stored = supplier_without_service();
    let records = Full { supplier: stored.clone(), ..full() };
    send(&cluster, Described::Supplier, records, true, clears("terms.service"))
        .await
        .expect("accepted");
    let merges = recorded(&cluster);
    let location = MergeLocation { location: Some(bare().location), clears: vec!["name".into()] };
    let supplier = MergeSupplier { supplier: Some(stored), clears: vec!["terms.service".into()] };
    assert!(merges.contains(&Kind::MergeLocation(location)), "{merges:?}");
    assert!(merges.contains(&Kind::MergeSupplier(supplier)), "{merges:?}");
}

/// A supplier that sets everything else.
fn supplier_without_service() -> Supplier {
    let mut supplier = full().supplier;
    let terms = supplier.terms.as_mut().expect("set");
    terms.service = None;
    supplier
}

#[tokio::test]
async fn deletions_name_an_item_and_a_location_or_all() {
    let cluster = TestCluster::start(0).await;
    let location_ids = [None, Some(""), Some("north")];
    for location_id in location_ids.map(|id| id.map(ToOwned::to_owned)) {
        let item_ids = vec!["tea".to_owned()];
        let request = DeleteStockRequest {
            item_ids: item_ids.clone(),
            location_id: location_id.clone(),
            ..Default::default()
        };
        cluster.catalog().delete_stock(request).await.expect("accepted");
        let request = DeleteSupplyRequest { item_ids, location_id, ..Default::default() };
        cluster.catalog().delete_supply(request).await.expect("accepted");
    }
    let item_id = || "tea".to_owned();
    let stock = |location: Option<&str>| {
        let location_id = location.map(ToOwned::to_owned);
        Kind::DeleteStock(DeleteStock { item_id: item_id(), location_id })
    };
    let supply = |location: Option<&str>| {
        let location_id = location.map(ToOwned::to_owned);
        Kind::DeleteSupply(DeleteSupply { item_id: item_id(), location_id })
    };
    let expected = [
        stock(None),
        supply(None),
        stock(Some("default")),
        supply(Some("*")),
        stock(Some("north")),
        supply(Some("north")),
    ];
    assert_eq!(recorded(&cluster), expected);

    let before = cluster.log.sections().len();
    let stock = |item_ids: &[&str], location: &str| DeleteStockRequest {
        item_ids: item_ids.iter().map(ToString::to_string).collect(),
        location_id: Some(location.into()),
        ..Default::default()
    };
    let cases = [
        (stock(&[], "north"), "item_ids"),
        (stock(&["tea", ""], "north"), "item_ids[1]"),
        (stock(&["tea"], "*"), "location_id"),
        (stock(&["tea"], "\u{1}"), "location_id"),
        (stock(&["tea"; 10_001], "north"), "item_ids"),
    ];
    for (request, field) in cases {
        let status = cluster.catalog().delete_stock(request).await.expect_err("refused");
        assert_eq!(details(&status).2, [field]);
    }
    let request = DeleteSupplyRequest::default();
    let status = cluster.catalog().delete_supply(request).await.expect_err("refused");
    assert_eq!(details(&status).2, ["item_ids"]);
    assert_eq!(cluster.log.sections().len(), before);
}

//! Changes of the catalogue and of stock on their way into the log.

use std::sync::atomic::Ordering;

use mercer_proto::{
    google::r#type::Money,
    internal::section::Origin,
    v1::{
        AdjustStockRequest, DeleteItemRequest, DeleteUserRequest, Item, ItemStatus, Location,
        SetStockRequest, Stock, StockDelta, Supplier, UpsertItemsRequest, UpsertLocationsRequest,
        UpsertSuppliersRequest, UpsertUsersRequest, User,
    },
};
use prost_types::{FieldMask, Timestamp};

use super::{TestCluster, details};

#[tokio::test]
async fn bad_catalogue_changes_are_named_by_field_and_leave_no_trace() {
    let cluster = TestCluster::start(0).await;
    let long = "x".repeat(257);
    let tea = Item { item_id: "tea".into(), ..Default::default() };
    let item = |change: &dyn Fn(&mut Item)| {
        let mut item = tea.clone();
        change(&mut item);
        item
    };
    let euros = || Some(Money { currency_code: "EUR".into(), units: 1, nanos: 0 });
    let cases = [
        (item(&|i| i.item_id.clear()), "items[1].item_id"),
        (item(&|i| i.title.clone_from(&long)), "items[1].title"),
        (item(&|i| i.description = "d".repeat(20_000)), "items[1].description"),
        (item(&|i| i.category_path = vec!["c".into(); 9]), "items[1].category_path"),
        (item(&|i| i.category_path = vec!["a".into(), long.clone()]), "items[1].category_path[1]"),
        (item(&|i| i.brand.clone_from(&long)), "items[1].brand"),
        (
            item(&|i| drop(i.attributes.insert("size".into(), long.clone()))),
            "items[1].attributes[size]",
        ),
        (item(&|i| drop(i.attributes.insert(String::new(), "v".into()))), "items[1].attributes"),
        (item(&|i| i.item_id = "tea\u{9b}2J".into()), "items[1].item_id"),
        (item(&|i| i.title = "Tea \u{1b}[31m".into()), "items[1].title"),
        (item(&|i| i.brand = "two\nlines".into()), "items[1].brand"),
        (item(&|i| i.category_path = vec!["\u{85}".into()]), "items[1].category_path[0]"),
        (
            item(&|i| drop(i.attributes.insert("size".into(), "1\tl".into()))),
            "items[1].attributes[size]",
        ),
        (item(&|i| drop(i.attributes.insert("\u{7f}".into(), "v".into()))), "items[1].attributes"),
        (item(&|i| i.list_price = euros()), "items[1].list_price"),
        (item(&|i| i.unit_cost = euros()), "items[1].unit_cost"),
        (item(&|i| i.set_status(ItemStatus::Deleted)), "items[1].status"),
        (item(&|i| i.status = 77), "items[1].status"),
    ];
    for (item, field) in cases {
        let items = vec![tea.clone(), item];
        let request = UpsertItemsRequest { items, ..Default::default() };
        let status = cluster.catalog().upsert_items(request).await.expect_err("refused");
        assert_eq!(details(&status).2, [field]);
    }
    let masked = UpsertItemsRequest {
        items: vec![tea.clone()],
        update_mask: Some(FieldMask { paths: vec!["title".into(), "item_id".into()] }),
        ..Default::default()
    };
    let status = cluster.catalog().upsert_items(masked).await;
    assert_eq!(details(&status.expect_err("refused")).2, ["update_mask.paths[1]"]);

    let mut user = User { user_id: "anna".into(), ..Default::default() };
    user.denied_item_ids = vec!["tea".into(), String::new()];
    let request = UpsertUsersRequest { users: vec![user], ..Default::default() };
    let status = cluster.catalog().upsert_users(request).await.expect_err("refused");
    assert_eq!(details(&status).2, ["users[0].denied_item_ids[1]"]);

    // Negative counts are oversells.
    for on_hand in [-2e12, f64::NAN, f64::INFINITY] {
        let stock = vec![Stock { item_id: "tea".into(), on_hand, ..Default::default() }];
        let request = SetStockRequest { stock, ..Default::default() };
        let status = cluster.catalog().set_stock(request).await.expect_err("refused");
        assert_eq!(details(&status).2, ["stock[0].on_hand"]);
    }
    let as_of = Some(Timestamp { seconds: 0, nanos: 0 });
    let stock = vec![Stock { item_id: "tea".into(), as_of, ..Default::default() }];
    let request = SetStockRequest { stock, ..Default::default() };
    let status = cluster.catalog().set_stock(request).await.expect_err("refused");
    assert_eq!(details(&status).2, ["stock[0].as_of"]);
    // What is less than a millionth would change nothing.
    for delta in [f64::NAN, 9e-7, -4e-7] {
        let deltas = vec![StockDelta { item_id: "tea".into(), delta, ..Default::default() }];
        let request = AdjustStockRequest { deltas, ..Default::default() };
        let status = cluster.catalog().adjust_stock(request).await.expect_err("refused");
        assert_eq!(details(&status).2, ["deltas[0].delta"], "{delta}");
    }
    let status = cluster.catalog().delete_item(DeleteItemRequest::default()).await;
    assert_eq!(details(&status.expect_err("refused")).2, ["item_id"]);
    let status = cluster.catalog().delete_user(DeleteUserRequest::default()).await;
    assert_eq!(details(&status.expect_err("refused")).2, ["user_id"]);
    assert!(cluster.log.sections().is_empty());
}

#[tokio::test]
async fn what_was_stored_with_control_characters_can_be_deleted() {
    let cluster = TestCluster::start(0).await;
    // Releases of before took U+0080 to U+009F.
    let old = "caf\u{85}";
    let user = User { user_id: old.into(), ..Default::default() };
    let request = UpsertUsersRequest { users: vec![user], ..Default::default() };
    let status = cluster.catalog().upsert_users(request).await.expect_err("refused");
    assert_eq!(details(&status).2, ["users[0].user_id"]);
    let names = Location { location_id: "x".into(), name: "a\r".into(), ..Default::default() };
    let request = UpsertLocationsRequest { locations: vec![names], ..Default::default() };
    let status = cluster.catalog().upsert_locations(request).await.expect_err("refused");
    assert_eq!(details(&status).2, ["locations[0].name"]);
    let names = Supplier { supplier_id: "x".into(), name: "a\u{0}".into(), ..Default::default() };
    let request = UpsertSuppliersRequest { suppliers: vec![names], ..Default::default() };
    let status = cluster.catalog().upsert_suppliers(request).await.expect_err("refused");
    assert_eq!(details(&status).2, ["suppliers[0].name"]);
    assert!(cluster.log.sections().is_empty());

    let request = DeleteUserRequest { user_id: old.into(), ..Default::default() };
    cluster.catalog().delete_user(request).await.expect("deleted");
    let request = DeleteItemRequest { item_id: old.into(), ..Default::default() };
    cluster.catalog().delete_item(request).await.expect("deleted");
    assert_eq!(cluster.log.sections().len(), 2);
}

#[tokio::test]
async fn an_upsert_is_one_append_with_its_mask_and_request() {
    let cluster = TestCluster::start(0).await;
    let items: Vec<Item> = (0..50)
        .map(|number| Item { item_id: format!("item-{number}"), ..Default::default() })
        .collect();
    let request = UpsertItemsRequest {
        items,
        update_mask: Some(FieldMask {
            paths: vec!["title".into(), "brand".into(), "title".into()],
        }),
        request_id: Some("r1".into()),
        ..Default::default()
    };
    cluster.catalog().upsert_items(request).await.expect("accepted");
    assert_eq!(cluster.log.appends.load(Ordering::SeqCst), 1);
    let sections = cluster.log.sections();
    assert_eq!(sections.len(), 4);
    let mut upserts = 0;
    for (_, section) in sections {
        assert!(matches!(section.origin, Some(Origin::RequestKey(_))));
        for mutation in section.mutations {
            match mutation.kind {
                Some(mercer_proto::internal::mutation::Kind::UpsertItem(upsert)) => {
                    assert_eq!(upsert.mask, ["brand", "title"]);
                    assert_eq!(upsert.fields.expect("set").status, ItemStatus::Active as i32);
                    upserts += 1;
                }
                other => panic!("{other:?}"),
            }
        }
    }
    assert_eq!(upserts, 50);
}

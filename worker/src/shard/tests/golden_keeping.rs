//! What came with version 4 of what records mean loads for ever: its records, and the state after them.

use std::{fs, path::Path};

use mercer_common::{
    event::encode_section,
    log::{Epoch, Mark},
};
use mercer_proto::{
    internal::{
        DeleteStock, DeleteSupply, ItemFields, MergeLocation, MergeSupplier, Mutation, Section,
        SetStock, SetSupply, UpsertItem, UpsertUser, UserFields, mutation::Kind,
    },
    v1::{ItemStatus, Location, Supplier, SupplyTerms},
};
use prost::Message as _;

use super::{
    golden::{load, log_1, log_2, state_after},
    workload::{ITEMS, USERS, use_version},
};
use crate::shard::ShardState;

/// One record of each kind, on what the logs of before said. Never change it.
fn changes() -> Section {
    let clears = |paths: &[&str]| paths.iter().map(ToString::to_string).collect::<Vec<_>>();
    let item_id = || ITEMS[0].clone();
    let terms =
        |pack_size| Some(SupplyTerms { pack_size: Some(pack_size), ..SupplyTerms::default() });
    let kinds = [
        Kind::UpsertItem(UpsertItem {
            item_id: item_id(),
            fields: Some(ItemFields {
                brand: "Regional".into(),
                attributes: [("origin".into(), "Meran".into())].into(),
                ..ItemFields::default()
            }),
            keep_absent: true,
            clears: clears(&["attributes.colour", "unit_cost"]),
            ..UpsertItem::default()
        }),
        Kind::UpsertUser(UpsertUser {
            user_id: USERS[0].clone(),
            fields: Some(UserFields {
                attributes: [("city".into(), "Graz".into())].into(),
                ..UserFields::default()
            }),
            keep_absent: true,
            clears: clears(&["denied_item_ids"]),
            ..UpsertUser::default()
        }),
        Kind::SetStock(SetStock {
            item_id: item_id(),
            location_id: "south".into(),
            on_hand: -1.0,
            as_of_ms: 1_531_238_400_000,
            backordered: Some(0.0),
            keep_absent: true,
            ..SetStock::default()
        }),
        Kind::DeleteStock(DeleteStock { item_id: item_id(), location_id: Some("north".into()) }),
        Kind::SetSupply(SetSupply {
            item_id: item_id(),
            location_id: "*".into(),
            terms: terms(12.0),
            keep_absent: true,
            clears: clears(&["supplier_id", "terms.order_cost"]),
            ..SetSupply::default()
        }),
        Kind::DeleteSupply(DeleteSupply { item_id: ITEMS[1].clone(), location_id: None }),
        Kind::MergeLocation(MergeLocation {
            location: Some(Location {
                location_id: "north".into(),
                name: "North Square".into(),
                decrement_on_purchase: Some(false),
                ..Location::default()
            }),
            clears: Vec::new(),
        }),
        Kind::MergeSupplier(MergeSupplier {
            supplier: Some(Supplier {
                supplier_id: "acme".into(),
                terms: terms(24.0),
                ..Supplier::default()
            }),
            clears: clears(&["name", "terms.service"]),
        }),
    ];
    Section {
        append_time_ms: 1_700_000_000_600,
        log_time_ms: 86_400_000,
        mutations: kinds.into_iter().map(|kind| Mutation { kind: Some(kind) }).collect(),
        ..Section::default()
    }
}

fn state(changes: Section) -> ShardState {
    let before = log_1().into_iter().chain(log_2());
    let mut state = state_after(before.chain([use_version(4), changes]));
    state.enter(MARK);
    state
}

const MARK: Mark = Mark { epoch: Epoch(0x1234 << 100 | 0x5678), position: 100 };

/// After a new version, add files and keep these.
#[test]
fn records_of_version_4_and_their_state_load() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/shard/tests");
    let section = tests.join("golden-4.section");
    if std::env::var_os("MERCER_WRITE_GOLDEN").is_some() {
        fs::write(&section, encode_section(&changes())).expect("written");
    }
    let stored = fs::read(&section).expect("the golden file is there");
    assert_eq!(encode_section(&changes()), stored);
    let decoded = Section::decode(&*stored).expect("decodes");
    assert_eq!(decoded, changes());
    let loaded = load("golden-3-keeping.snapshot", 100, MARK);
    let loaded = loaded.read();
    assert_eq!(loaded.apply_version(), 4);
    assert!(loaded.canonical_encoding() == state(decoded).canonical_encoding());
}

/// So that a change of meaning is seen, and not only of bytes.
#[test]
fn records_of_version_4_mean_the_same_for_ever() {
    let state = state(changes());
    let item = state.item(&ITEMS[0]).expect("known");
    assert_eq!((item.title(), item.brand()), ("Äpfel", "Regional"));
    let attributes = item.attributes().iter().map(|(name, value)| (&**name, &**value));
    assert_eq!(attributes.collect::<Vec<_>>(), [("origin", "Meran"), ("size", "3 LB")]);
    assert_eq!((item.list_price_micros(), item.unit_cost_micros()), (Some(3_990_000), None));
    assert_eq!((item.status(), item.description()), (ItemStatus::Inactive, "Red ones"));
    let stock = item
        .stock()
        .iter()
        .map(|stock| (&*stock.location, stock.on_hand, stock.on_order, stock.backordered));
    let expected = [("default", -2.0, 0.0, 0.0), ("south", -1.0, 24.0, 0.0)];
    assert_eq!(stock.collect::<Vec<_>>(), expected);
    let [supply] = item.supply() else { panic!("{:?}", item.supply()) };
    assert_eq!((&*supply.location, &*supply.supplier_id), ("*", ""));
    let terms = supply.terms.as_ref().expect("kept");
    assert_eq!((terms.pack_size, terms.lead_time_days), (Some(12.0), Some(7.5)));
    assert_eq!((terms.order_cost.as_ref(), terms.holding_rate), (None, Some(0.25)));
    let north = state.directory().location("north").expect("known");
    assert_eq!((&*north.name, &*north.time_zone), ("North Square", "America/New_York"));
    assert_eq!(north.decrement_on_purchase, None);
    let acme = state.directory().supplier("acme").expect("known");
    let terms = acme.terms.as_ref().expect("kept");
    assert_eq!((&*acme.name, terms.pack_size), ("", Some(24.0)));
    assert_eq!((terms.service, terms.lead_time_days), (None, Some(7.5)));
    let user = state.user(&USERS[0]).expect("known");
    let attributes = user.attributes().iter().map(|(name, value)| (&**name, &**value));
    assert_eq!(attributes.collect::<Vec<_>>(), [("city", "Graz"), ("tier", "gold")]);
    assert!(user.denied().is_empty());
}

//! Blank cells keep what is known; what clears is said.

use mercer_proto::v1::{Clearing, SetStockRequest};

use super::*;
use crate::import::rows::Blank;

fn load(content: &str, kind: Kind, blank: &str) -> Outcome {
    let folder = TempDir::new().expect("a folder");
    let blank = (!blank.is_empty()).then(|| Blank::parse(blank).expect("valid"));
    let options = Options { blank, ..Options::default() };
    options.check(kind).expect("valid");
    let ready = preparation(kind, &mapping(kind, &[], &[]), &options);
    read_as(&csv(&folder, content), ready, 500).expect("read")
}

fn clears(outcome: &Outcome) -> Vec<(u32, Vec<&str>)> {
    let clears: &[Clearing] = match &outcome.chunks[0].records {
        Records::Items(request) => &request.clears,
        Records::Users(request) => &request.clears,
        Records::Supply(request) => &request.clears,
        Records::Stock(request) => &request.clears,
        other => panic!("{other:?}"),
    };
    clears.iter().map(|one| (one.index, one.paths.iter().map(String::as_str).collect())).collect()
}

const ITEMS: &str = "item_id,title,list_price,brand,category_1,category_2,attribute.size\n\
                     a,,,None,,,\nb,<clear>,2.50,<clear>,Food,,<clear>\nc,  ,NA,x,<clear>,,L\n";

#[test]
fn blank_cells_keep_and_a_cell_may_clear() {
    let outcome = load(ITEMS, Kind::Items, "");
    assert_eq!(outcome.reasons(), []);
    let expected = [(1, vec!["attributes.size", "brand", "title"]), (2, vec!["category_path"])];
    assert_eq!(clears(&outcome), expected);
    assert!(outcome.notes.iter().any(|note| note == "4 fields were cleared by `<clear>`"));
    let items = outcome.items();
    assert_eq!((items[0].brand.as_str(), items[1].brand.as_str()), ("None", ""));
}

#[test]
fn blank_cells_clear_where_the_user_says_so() {
    let outcome = load(ITEMS, Kind::Items, "clears");
    let expected = [
        (0, vec!["attributes.size", "category_path", "list_price", "title"]),
        (1, vec!["attributes.size", "brand", "title"]),
        (2, vec!["category_path", "list_price", "title"]),
    ];
    assert_eq!(clears(&outcome), expected);
    assert!(outcome.notes.iter().any(|note| note == "6 fields were cleared by blank cells"));
    let outcome = load(ITEMS, Kind::Items, "clears=list_price");
    assert_eq!(clears(&outcome)[0], (0, vec!["list_price"]));

    let supply = "item_id,cycle_service,fill_rate,pack_size\na,0.9,,\nb,,,6\n";
    let outcome = load(supply, Kind::Supply, "clears");
    // A target that is set is not cleared because its other form is blank.
    assert_eq!(clears(&outcome), [(0, vec!["terms.pack_size"]), (1, vec!["terms.service"])]);
    let stock = "item_id,on_hand,on_order\na,1,\n";
    assert_eq!(clears(&load(stock, Kind::Stock, "clears")), [(0, vec!["on_order"])]);
    assert!(Blank::parse("keeps").is_err());
    assert!(Blank::parse("clears=on_hand").expect("valid").check(Kind::Stock).is_err());
}

#[test]
fn a_stock_file_without_on_order_says_nothing_of_it() {
    let outcome = load("item_id,on_hand\na,1\n", Kind::Stock, "");
    let Records::Stock(SetStockRequest { stock, keep_absent, .. }) = &outcome.chunks[0].records
    else {
        panic!("stock")
    };
    assert!(*keep_absent && stock[0].on_order.is_none() && stock[0].backordered.is_none());
}

//! The price of one unit, or what was paid for the line; and what a report sums up.

use super::*;
use crate::import::{
    chunk::Accepted,
    mapping::amount::AmountIs,
    report::{Report, Total},
    rows::collector::{Amounts, Outcome as RowOutcome},
};

const MAP: [&str; 3] = ["item_id=sku", "timestamp=when", "quantity=n"];

/// Reads sales of 3 and of 1 unit whose amounts stand in this column.
fn sold(column: &str, said: Option<AmountIs>) -> Outcome {
    let folder = TempDir::new().expect("a folder");
    let rows = "tea,2026-01-05T10:00:00Z,1,2.50\nmug,2026-01-05T10:00:00Z,3,2.50\n";
    let path = csv(&folder, format!("sku,when,n,{column}\n{rows}"));
    let amount = format!("amount={column}");
    let map = [&MAP[..], &[&amount]].concat();
    let options = Options { amount_is: said, ..Options::default() };
    let mapping = mapping(Kind::Events, &map, &["type=purchase"]);
    read_as(&path, preparation(Kind::Events, &mapping, &options), 500).expect("read")
}

fn paid(outcome: Outcome) -> Vec<Option<Money>> {
    assert_eq!(outcome.questions, []);
    outcome.events().into_iter().map(|event| event.amount).collect()
}

#[test]
fn a_price_of_which_nobody_says_whether_it_is_of_one_unit_is_asked() {
    let once = usd(2, 500_000_000);
    let of_unit = [once.clone(), usd(7, 500_000_000)];
    let of_line = [once.clone(), once];

    let asked = sold("Price", None).questions;
    let [question] = &asked[..] else { panic!("{asked:?}") };
    assert_eq!(
        question.about,
        "`Price` holds 2.50 for 3 units (line 3): is it the price of one, or what was paid for all \
         of them?"
    );
    let choice = |flags: &str, means: &str| (flags.to_owned(), means.to_owned());
    assert_eq!(
        question.choices,
        [
            choice("--amount-is unit-price", "of one: 7.50 were paid"),
            choice("--amount-is line-total", "of all: 2.50 were paid")
        ]
    );
    assert_eq!(paid(sold("Price", Some(AmountIs::UnitPrice))), of_unit);
    assert_eq!(paid(sold("Price", Some(AmountIs::LineTotal))), of_line);

    // The name says it, unless the user does.
    let outcome = sold("unit_price", None);
    let note = "`unit_price` is of one unit: amounts are it times the quantity";
    assert!(outcome.notes.iter().any(|known| known == note), "{:?}", outcome.notes);
    assert_eq!(paid(outcome), of_unit);
    assert_eq!(paid(sold("unit_price", Some(AmountIs::LineTotal))), of_line);
    for column in ["amount", "Line total", "paid"] {
        assert_eq!(paid(sold(column, None)), of_line, "{column}");
    }
}

#[test]
fn a_price_is_not_asked_about_where_it_makes_no_difference() {
    let folder = TempDir::new().expect("a folder");
    let rows = "tea,2026-01-05T10:00:00Z,1,2.50\nmug,2026-01-05T10:00:00Z,3,0\n";
    let path = csv(&folder, format!("sku,when,n,Price\n{rows}"));
    let map = [&MAP[..], &["amount=Price"]].concat();
    let outcome = read(&path, Kind::Events, &mapping(Kind::Events, &map, &["type=purchase"]), 500);
    assert_eq!(outcome.expect("read").questions, []);
    // A calculation says what it is.
    let path = csv(&folder, "sku,when,n,Price\ntea,2026-01-05T10:00:00Z,3,2.50\n");
    let map = [&MAP[..], &["amount=Price*n"]].concat();
    let outcome = read(&path, Kind::Events, &mapping(Kind::Events, &map, &["type=purchase"]), 500);
    assert_eq!(paid(outcome.expect("read")), [usd(7, 500_000_000)]);
}

#[test]
fn what_the_server_refused_is_summed_up_as_rejected() {
    let amounts = |units: f64, micros| Amounts { units: Some(units), micros: Some(micros) };
    let mut totals = Totals::default();
    let sale = RowOutcome::Taken { is_return: false };
    let back = RowOutcome::Taken { is_return: true };
    totals.add(&sale, amounts(2.0, 5_000_000));
    totals.add(&sale, amounts(1.0, 1_500_000));
    totals.add(&back, amounts(-1.0, -1_500_000));
    let mut report = Report::new(Kind::Events, 3, totals);
    let refused = |line, is_return, amounts| Accepted { line, is_return, amounts };
    report.totals.refuse(&refused(3, false, amounts(1.0, 1_500_000)));
    report.totals.refuse(&refused(4, true, amounts(-1.0, -1_500_000)));
    let total = |what: &str, rows, units, amount_micros| Total {
        what: what.into(),
        rows,
        units,
        amount_micros,
    };
    let expected = [total("accepted", 1, 2.0, 5_000_000), total("rejected", 2, 0.0, 0)];
    assert_eq!(report.totals.0, expected);
}

//! A ledger is what its lines add up to, whatever came first and wherever it was stored in between; what
//! is kept of it is bounded.

use jiff::tz::TimeZone;
use mercer_common::{event::APPLY_VERSION, limits, time::Day};
use mercer_proto::{
    internal::{
        Interaction, Mutation, Section, StoredFolded, StoredLedger, StoredWideRow, mutation,
    },
    v1::EventType,
};
use proptest::{collection::vec, prelude::*, sample::Index, sample::select};

use super::{
    model_ledger::Paid,
    workload::{ITEMS, SHARD, USERS, layout, use_version},
};
use crate::shard::{
    Ledger, LineKind, Met, ShardState, Sums,
    apply::{Prepared, apply},
    labels::Labels,
    user::ledger::Line,
};

const UNIT: i128 = 1_000_000;

#[derive(Clone, Debug)]
struct Entry {
    day: Day,
    visit: u32,
    channel: &'static str,
    kind: LineKind,
    sums: Sums,
}

impl Entry {
    fn line(&self) -> Line<'_> {
        let Self { day, visit, channel, kind, sums } = *self;
        Line { day, visit, channel, kind, sums }
    }
}

fn entry(day: u16, visit: u32, money: i128, units: i128) -> Entry {
    let sums = Sums { money, units };
    Entry { day: Day(day), visit, channel: "", kind: LineKind::Regular, sums }
}

/// More keys than rows, and days further apart than days of purchase are told.
fn entries() -> impl Strategy<Value = Vec<Entry>> {
    let day = prop_oneof![40 => 20_000..20_060_u16, 1 => 0..u16::MAX];
    let money = select(vec![0, 1, 1_990_000, i128::from(i64::MAX)]);
    let units = select(vec![1, 500, 1_000, 2_500_000, i128::from(u32::MAX) * 1_000]);
    let what = (day, 0..6_u32, select(vec!["", "app", "shop", "web"]), select(&LineKind::ALL[..]));
    let one = (what, (money, units)).prop_map(|((day, visit, channel, kind), (money, units))| {
        Entry { day: Day(day), visit, channel, kind, sums: Sums { money, units } }
    });
    vec(one, 1..900)
}

fn ledger_of<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Ledger {
    let (mut ledger, mut labels) = (Ledger::default(), Labels::default());
    entries.into_iter().for_each(|entry| ledger.enter(&entry.line(), &mut labels));
    ledger
}

fn again(ledger: &Ledger) -> Ledger {
    Ledger::decode(&ledger.encode(), &mut Labels::default()).expect("its own encoding")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_ledger_is_what_its_lines_add_up_to_in_any_order(
        (entries, shuffled) in
            entries().prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle())),
        stored in any::<Index>(),
    ) {
        let ledger = ledger_of(&entries);
        let mut paid = Paid::default();
        for Entry { day, visit, channel, kind, sums } in &entries {
            paid.push((*day, *visit, (*channel).to_owned(), *kind), *sums);
        }
        paid.compare(Some(&ledger));
        let stored = stored.index(shuffled.len());
        let mut other = again(&ledger_of(&shuffled[..stored]));
        let mut labels = Labels::default();
        shuffled[stored..].iter().for_each(|entry| other.enter(&entry.line(), &mut labels));
        prop_assert_eq!(other.encode(), ledger.encode());
        paid.compare(Some(&again(&other)));
    }
}

#[test]
fn no_sum_ends_anywhere() {
    let most = i128::from(i64::MAX);
    let row = |entries: &[Entry]| {
        let ledger = ledger_of(entries);
        assert_eq!(again(&ledger).encode(), ledger.encode());
        let row = ledger.rows().next().expect("a row").sums;
        (row.money, row.units, ledger.encode().wide.len())
    };
    let fits = i128::from(u32::MAX) * 1_000;
    assert_eq!(row(&[entry(1, 1, most, fits)]), (most, fits, 0));
    // Above 64 bits of money, and above 4,294,967.295 units.
    let twice = [entry(1, 1, most, UNIT), entry(1, 1, most, UNIT)];
    assert_eq!(row(&twice), (2 * most, 2 * UNIT, 0));
    let thrice = [entry(1, 1, most, 1), entry(1, 1, most, 1), entry(1, 1, most, 1)];
    assert_eq!(row(&thrice), (3 * most, 3, 1), "above 64 bits without a sign");
    let billions = 4_000_000_000 * UNIT;
    assert_eq!(row(&[entry(1, 1, 0, billions)]), (0, billions, 0));
    assert_eq!(row(&[entry(1, 1, 0, fits), entry(1, 1, 0, 1_000)]), (0, fits + 1_000, 0));
    // No whole thousandths, and then some.
    assert_eq!(row(&[entry(1, 1, 0, 500)]), (0, 500, 0));
    assert_eq!(row(&[entry(1, 1, 0, 500), entry(1, 1, 0, 500)]), (0, 1_000, 0));
}

#[test]
fn the_newest_rows_are_kept_and_the_rest_is_folded() {
    let rows = u16::try_from(limits::LEDGER_ROWS).expect("few");
    // The first two are of one day.
    let entries: Vec<Entry> =
        (0..=rows).map(|day| entry(day.max(1), day.into(), 1, UNIT)).collect();
    let full = ledger_of(&entries[1..]);
    assert_eq!((full.rows().len(), full.summary().rows_since), (usize::from(rows), None));
    assert_eq!(full.summary().orders, u64::from(rows));
    for order in [entries.clone(), entries.iter().rev().cloned().collect()] {
        let ledger = ledger_of(&order);
        let summary = ledger.summary();
        assert_eq!((ledger.rows().len(), summary.rows_since), (usize::from(rows), Some(Day(2))));
        // Of the first day one order is folded, so none of it is told.
        assert_eq!(summary.orders, u64::from(rows) - 1);
        assert_eq!(summary.kinds[0].lines, u64::from(rows) + 1);
        assert_eq!(summary.kinds[0].sums.money, i128::from(rows) + 1);
        assert_eq!(summary.purchase_days, u32::from(rows));
    }
}

#[test]
fn a_channel_of_no_row_is_forgotten() {
    let mut entries = vec![Entry { channel: "leaflet", ..entry(0, 0, 1, UNIT) }];
    entries.extend((1..=limits::LEDGER_ROWS).map(|visit| entry(1, visit as u32, 1, UNIT)));
    let ledger = ledger_of(&entries);
    assert_eq!(ledger.encode().channels, [""]);
    let ledger = ledger_of(entries.iter().rev());
    assert_eq!(ledger.encode().channels, [""], "and never met where it lies below");
}

#[test]
fn purchase_days_reach_back_as_far_as_they_are_told() {
    let days = limits::PURCHASE_DAYS;
    for span in [days - 1, days] {
        // A row a day, of which most are folded.
        let entries: Vec<Entry> = (0..=span).map(|day| entry(day, 7, 1, UNIT)).collect();
        for order in [entries.clone(), entries.iter().rev().cloned().collect()] {
            assert_eq!(ledger_of(&order).summary().purchase_days, u32::from(days), "{span}");
        }
        let two = ledger_of(&[entry(0, 1, 1, UNIT), entry(span, 1, 1, UNIT)]);
        assert_eq!(two.summary().purchase_days, if span < days { 2 } else { 1 });
    }
    let returned = Entry { kind: LineKind::Returned, ..entry(9, 1, 5, UNIT) };
    let summary = ledger_of(&[returned]).summary();
    assert_eq!((summary.purchase_days, summary.last_purchase, summary.orders), (0, None, 0));
}

#[test]
fn what_contradicts_itself_is_refused() {
    let entries: Vec<Entry> = (0..600).map(|day| entry(day, 1, 1, UNIT)).collect();
    let stored = ledger_of(&entries).encode();
    let refused = |change: &dyn Fn(&mut StoredLedger)| {
        let mut other = stored.clone();
        change(&mut other);
        Ledger::decode(&other, &mut Labels::default()).expect_err("refused");
    };
    refused(&|one| _ = one.visits.pop());
    refused(&|one| _ = one.units_micros.pop());
    refused(&|one| _ = one.lines.pop());
    refused(&|one| one.lines[0] = u64::MAX);
    refused(&|one| one.days[1] = 0);
    refused(&|one| one.days[1] = 70_000);
    refused(&|one| one.places[0] = 4);
    refused(&|one| one.channels.push("zebra".into()));
    refused(&|one| one.wide.push(StoredWideRow::default()));
    fn folded(one: &mut StoredLedger) -> &mut StoredFolded {
        one.folded.as_mut().expect("there are more lines than rows")
    }
    refused(&|one| _ = folded(one).sums.pop());
    refused(&|one| folded(one).sums[0].money = i128::MAX.to_le_bytes().to_vec());
    refused(&|one| folded(one).sums[0].units = vec![0; 15]);
    refused(&|one| folded(one).newest_day = Some(70_000));
    refused(&|one| folded(one).newest_day = None);
    refused(&|one| _ = folded(one).purchase_days.pop());
}

fn bought(amount_micros: Option<i64>) -> Interaction {
    Interaction {
        user_id: USERS[0].clone(),
        item_id: ITEMS[0].clone(),
        r#type: EventType::Purchase.into(),
        time: 900_000_000,
        value: 2.0,
        quantity_micros: Some(2_000_000),
        amount_micros,
        visit: Some(7),
        channel: "app".into(),
        ..Interaction::default()
    }
}

fn step(state: &mut ShardState, sequence: u64, section: Section) {
    let prepared = Prepared::new(layout(), SHARD, section).expect("valid");
    apply(state, sequence, prepared).expect("applies");
}

fn events(append_time_ms: i64, interactions: Vec<Interaction>) -> Section {
    Section { append_time_ms, interactions, ..Section::default() }
}

/// As releases before version 5 wrote it.
fn of_before() -> Interaction {
    Interaction {
        quantity_micros: None,
        amount_micros: None,
        visit: None,
        channel: String::new(),
        ..bought(None)
    }
}

#[test]
fn ledgers_begin_where_records_say_what_was_paid() {
    let mut state = ShardState::new(layout(), SHARD, TimeZone::UTC);
    step(&mut state, 1, Section { append_time_ms: 5, ..use_version(4) });
    step(&mut state, 2, events(700_000_000_000, vec![of_before()]));
    let user = state.user(&USERS[0]).expect("known");
    assert!(user.ledger().is_none() && state.ledgers_since_ms().is_none());
    step(&mut state, 3, Section { append_time_ms: 1_700_000_000_000, ..use_version(5) });
    assert_eq!(state.ledgers_since_ms(), Some(1_700_000_000_000));
    // Saying it again moves nothing; what comes late counts as nothing.
    let again = Section { append_time_ms: 1_800_000_000_000, ..use_version(APPLY_VERSION) };
    step(&mut state, 4, again);
    step(&mut state, 5, events(1_700_000_000_000, vec![of_before()]));
    assert_eq!(state.ledgers_since_ms(), Some(1_700_000_000_000));
    assert!(state.user(&USERS[0]).expect("known").ledger().is_none());
    let returned = Interaction { r#type: EventType::Return.into(), ..bought(Some(500_000)) };
    let all = vec![bought(Some(3_980_000)), bought(None), returned];
    step(&mut state, 6, events(1_700_000_000_000, all));
    let user = state.user(&USERS[0]).expect("known");
    let summary = user.ledger().expect("bought").summary();
    let found = summary.kinds.map(|kind| (kind.lines, kind.sums.money, kind.sums.units));
    let two = 2_000_000;
    // What came back is taken off nothing.
    assert_eq!(found, [(1, 3_980_000, two), (0, 0, 0), (1, 500_000, two), (1, 0, two)]);
    assert_eq!((summary.orders, user.window().len()), (1, 5));
    assert_eq!(user.met(), Met::new(2, 700_000_000_000));
}

#[test]
fn what_is_no_purchase_says_nothing_of_money() {
    let viewed = Interaction { r#type: EventType::View.into(), ..bought(None) };
    Prepared::new(layout(), SHARD, events(0, vec![viewed])).expect_err("malformed");
    let long = Interaction { channel: "c".repeat(257), ..bought(None) };
    Prepared::new(layout(), SHARD, events(0, vec![long])).expect_err("malformed");
}

#[test]
fn erasure_takes_the_ledger_and_nothing_brings_it_back() {
    let mut state = ShardState::new(layout(), SHARD, TimeZone::UTC);
    step(&mut state, 1, use_version(APPLY_VERSION));
    let key = super::workload::HASHER.key_of("line", 1, mercer_common::event::Side::User);
    let line = Interaction { event_key: key.to_bytes(), ..bought(Some(1)) };
    step(&mut state, 2, events(0, vec![line.clone()]));
    assert!(state.user(&USERS[0]).expect("known").ledger().is_some());
    let delete = mutation::Kind::DeleteUser(USERS[0].clone());
    let mutations = vec![Mutation { kind: Some(delete) }];
    step(&mut state, 3, Section { mutations, ..Section::default() });
    // Neither the window nor the ledger.
    step(&mut state, 4, events(0, vec![line]));
    assert!(state.user(&USERS[0]).is_none());
    // A new life begins with what comes new.
    step(&mut state, 5, events(8_000, vec![bought(Some(2))]));
    let user = state.user(&USERS[0]).expect("known");
    assert_eq!(user.ledger().expect("bought").summary().kinds[0].sums.money, 2);
    assert_eq!(user.met().position, 5);
}

//! A series equals a map that keeps everything, in memory as in files.

use std::{collections::BTreeMap, sync::Arc};

use mercer_common::time::Day;
use mercer_proto::internal::StoredSeries;
use proptest::{collection::vec, prelude::*, sample::select};

use crate::shard::{SalesDay, Series, labels::Labels};

/// Around what 32 bits hold, in millionths and in coarse steps.
const STEPS: &[i64] = &[1, 10_000, 1_000_000, u32::MAX as i64, 10_000 * u32::MAX as i64];

fn sale() -> impl Strategy<Value = (&'static str, SalesDay)> {
    let day = prop_oneof![0..40_u16, 1_440..1_500_u16, Just(u16::MAX)];
    let large = (select(STEPS), 0..4_i64).prop_map(|(step, times)| step * times);
    let micros = move || prop_oneof![4 => 0..9_i64, 2 => large.clone(), 1 => Just(i64::MAX)];
    let returned = prop_oneof![4 => Just(0), 1 => 0..9_i64];
    let sums = (micros(), micros(), returned, micros(), micros());
    (select(&["default", "a", "b", "ä"][..]), day, sums).prop_map(|(location, day, sums)| {
        let sales = SalesDay {
            day: Day(day),
            units_micros: sums.0,
            promoted_micros: sums.1,
            returned_micros: sums.2,
            revenue_micros: sums.3,
            list_price_micros: sums.4,
        };
        (location, sales)
    })
}

/// Keeps everything, and decides at the end what is too old.
fn reference(sales: &[(&str, SalesDay)]) -> BTreeMap<(Day, String), SalesDay> {
    let newest = sales.iter().map(|(_, sales)| u32::from(sales.day.0)).max();
    let mut cells: BTreeMap<(Day, String), SalesDay> = BTreeMap::new();
    for (location, sales) in sales {
        if u32::from(sales.day.0) + 1_461 > newest.expect("there is one") {
            let key = (sales.day, (*location).to_owned());
            let cell =
                cells.entry(key).or_insert(SalesDay { day: sales.day, ..Default::default() });
            cell.add(sales);
        }
    }
    cells
}

fn collect(sales: &[(&str, SalesDay)]) -> Series {
    let mut series = Series::default();
    for (location, sales) in sales {
        series.add(location, sales, || Arc::from(*location));
    }
    series
}

proptest! {
    #[test]
    fn a_series_equals_a_map_whatever_came_first(
        (sales, shuffled) in vec(sale(), 0..60)
            .prop_flat_map(|sales| (Just(sales.clone()), Just(sales).prop_shuffle())),
    ) {
        let expected = reference(&sales);
        let series = collect(&sales);
        let mut locations: Vec<&str> = expected.keys().map(|(_, id)| id.as_str()).collect();
        locations.sort_unstable();
        locations.dedup();
        prop_assert_eq!(series.locations().collect::<Vec<_>>(), locations);
        for (location, days) in series.locations().zip(series.by_location()) {
            prop_assert_eq!(series.at(location), days);
        }
        for location in ["default", "a", "b", "ä", "elsewhere"] {
            let here = expected.iter().filter(|((_, id), _)| id == location);
            let here: Vec<SalesDay> = here.map(|(_, sales)| *sales).collect();
            prop_assert_eq!(series.at(location), here);
        }
        let mut total: BTreeMap<Day, SalesDay> = BTreeMap::new();
        for ((day, _), sales) in &expected {
            total.entry(*day).or_insert(SalesDay { day: *day, ..Default::default() }).add(sales);
        }
        let sold = total.values().filter(|sales| sales.units_micros > 0).count();
        prop_assert_eq!(series.sale_days(), sold);
        let mut latest: Vec<SalesDay> =
            total.values().rev().filter(|sales| sales.units_micros > 0).take(3).copied().collect();
        latest.reverse();
        prop_assert_eq!(series.latest_sale_days(3), latest);
        prop_assert_eq!(series.total(), total.into_values().collect::<Vec<_>>());

        let stored = series.encode();
        prop_assert_eq!(&collect(&shuffled).encode(), &stored);
        let decoded = Series::decode(&stored.clone().unwrap_or_default(), &mut Labels::default());
        prop_assert_eq!(decoded.expect("its own encoding").encode(), stored);
    }
}

#[test]
fn columns_that_disagree_are_refused() {
    let day = |day| SalesDay { day: Day(day), units_micros: 1, ..SalesDay::default() };
    let stored = collect(&[("a", day(1)), ("b", day(1)), ("a", day(9))]).encode();
    let stored = stored.expect("not empty");
    let broken: [fn(&mut StoredSeries); 6] = [
        |stored| stored.days[2] = 70_000,
        |stored| stored.days[1] = 0xffff_ffff,
        |stored| stored.places[0] = 2,
        |stored| stored.places.swap(0, 1),
        |stored| stored.locations.swap(0, 1),
        |stored| stored.revenue_micros.truncate(2),
    ];
    for damage in broken {
        let mut stored = stored.clone();
        damage(&mut stored);
        assert!(Series::decode(&stored, &mut Labels::default()).is_err(), "{stored:?}");
    }
}

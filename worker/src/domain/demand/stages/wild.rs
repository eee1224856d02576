//! Days far above all others: often a slip of a hand, and never what an item usually sells.

use super::in_units;
use crate::{domain::facts::WildDay, shard::SalesDay};

/// How many times what nine of ten days with a sale have at most a day must exceed.
const TIMES: f64 = 10.0;
/// Share of days with a sale that are usual.
const USUAL: f64 = 0.9;
/// Days that are named.
const NAMED: usize = 3;

/// The largest of the days with more than ten times the usual units, at most three; peaks are cut
/// to `limit`, if any.
pub(super) fn wild_days(sales: &[SalesDay], limit: Option<f64>) -> Vec<WildDay> {
    let usual = usual(sales);
    let mut wild = Vec::new();
    for day in sales {
        let units = in_units(day.units_micros);
        if units > TIMES * usual {
            let counted = limit.map_or(units, |limit| units.min(limit));
            wild.push(WildDay { day: day.day, units, usual, counted });
        }
    }
    wild.sort_by(|left, right| {
        right.units.total_cmp(&left.units).then_with(|| left.day.cmp(&right.day))
    });
    wild.truncate(NAMED);
    wild
}

/// Units of a day that are believed where items speak for others: at most ten times the usual.
pub(super) fn believed(sales: &[SalesDay]) -> f64 {
    TIMES * usual(sales)
}

/// What nine of ten days with a sale have at most; the largest of two or more is never among them.
/// 0 without a sale.
fn usual(sales: &[SalesDay]) -> f64 {
    let mut sold: Vec<i64> =
        sales.iter().map(|day| day.units_micros).filter(|&units| units > 0).collect();
    let Some(last) = sold.len().checked_sub(1) else { return 0.0 };
    let place = (USUAL * last as f64).floor() as usize;
    let (_, usual, _) = sold.select_nth_unstable(place);
    in_units(*usual)
}

#[cfg(test)]
mod tests {
    use mercer_common::time::Day;

    use super::*;

    fn sales(units: &[i64]) -> Vec<SalesDay> {
        let mut sales = Vec::with_capacity(units.len());
        for (day, &units) in (0..).zip(units) {
            let units_micros = units * 1_000_000;
            sales.push(SalesDay { day: Day(day), units_micros, ..SalesDay::default() });
        }
        sales
    }

    #[test]
    fn a_slip_of_a_hand_is_told_from_a_good_day() {
        let mut units = vec![1; 100];
        (units[30], units[40]) = (5_000, 10);
        let wild = wild_days(&sales(&units), Some(10.0));
        let day = WildDay { day: Day(30), units: 5_000.0, usual: 1.0, counted: 10.0 };
        assert_eq!(wild, [day]);
        assert_eq!(believed(&sales(&units)), 10.0);
        // Boxes that are sold every week are usual.
        let boxes: Vec<i64> = (0..100).map(|day| if day % 7 == 0 { 500 } else { 1 }).collect();
        assert_eq!(wild_days(&sales(&boxes), None), []);
        assert_eq!(believed(&sales(&boxes)), 5_000.0);
    }

    #[test]
    fn few_days_have_a_usual_one_as_well() {
        assert_eq!(wild_days(&sales(&[]), None), []);
        assert_eq!(wild_days(&sales(&[0, 5_000]), None), []);
        assert_eq!(believed(&sales(&[0, 5_000])), 50_000.0);
        assert_eq!(wild_days(&sales(&[1, 0, 5_000]), None).len(), 1);
        let many = [1, 1, 1, 50, 40, 70, 60, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1];
        assert_eq!(wild_days(&sales(&many), None), [], "a fifth of the days are no mishap");
        let mut rare = vec![1; 60];
        (rare[3], rare[9], rare[20], rare[33]) = (50, 40, 70, 60);
        let days: Vec<u16> = wild_days(&sales(&rare), None).iter().map(|wild| wild.day.0).collect();
        assert_eq!(days, [20, 33, 3]);
    }
}

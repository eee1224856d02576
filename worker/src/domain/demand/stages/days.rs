//! The sales of an item as a dense series of days.

use jiff::tz::TimeZone;
use mercer_algorithms::{forecast::cut_peaks, price::weekly::SaleDay};
use mercer_common::{limits, time::Day};

use super::{calendar::Silence, in_units, wild};
use crate::{
    domain::facts::WildDay,
    shard::{SalesDay, Stock},
};

/// Below this share of a day in stock, what was sold says nothing about demand.
const OBSERVED: f64 = 0.5;

/// Units by day, from the first sale to the last complete day.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct DaySeries {
    pub(super) first: Day,
    pub(super) last: Day,
    /// Demand by day, without peaks that nothing else comes near; NaN where it was not observed.
    /// Whole weeks of silence are left out, so that what came before stands beside what came
    /// after, on the same weekdays.
    pub(super) units: Vec<f64>,
    /// Days with a sale.
    pub(super) sale_days: u32,
    /// Days left out because the item was out of stock for more than half of them.
    pub(super) out_of_stock_days: u32,
    /// Days left out because the whole shop was closed.
    pub(super) closed_days: u32,
    /// Days left out because the shop or the location was silent.
    pub(super) silent_days: u32,
    /// Days far above all others, the largest first.
    pub(super) wild_days: Vec<WildDay>,
    /// Units sold and brought back, on all of these days.
    pub(super) sold: f64,
    pub(super) returned: f64,
}

impl DaySeries {
    /// The series of `sales` over at most the 1,461 days up to `last`, of which days without a sale
    /// are 0; `None` without any sale. One event far in the future must not make it any longer.
    ///
    /// `in_stock` is the share of a day on which the item could be bought. Below a half the day
    /// was not observed; above, its demand is what was sold over this share, as though customers
    /// came evenly. Days that are `closed` (ascending) or silent and without a sale were not
    /// observed.
    pub(super) fn new(
        sales: &[SalesDay],
        last: Day,
        closed: &[u32],
        silence: &Silence,
        in_stock: impl Fn(Day) -> f64,
    ) -> Option<Self> {
        let sales = &sales[..sales.partition_point(|sales| sales.day <= last)];
        let forgotten = sales.partition_point(|sales| {
            u32::from(sales.day.0) + limits::SERIES_DAYS <= u32::from(last.0)
        });
        let sales = &sales[forgotten..];
        let launch = sales.iter().position(|sales| sales.units_micros > 0)?;
        let first = sales[launch].day;
        let mut units = vec![0.0; usize::from(last.0 - first.0) + 1];
        let (mut sold, mut returned, mut sale_days) = (0.0, 0.0, 0);
        for day in &sales[launch..] {
            let bought = in_units(day.units_micros);
            units[usize::from(day.day.0 - first.0)] = bought;
            sold += bought;
            returned += in_units(day.returned_micros);
            sale_days += u32::from(day.units_micros > 0);
        }
        let limit = cut_peaks(&mut units);
        let wild_days = wild::wild_days(&sales[launch..], limit);
        let (mut out_of_stock_days, mut closed_days, mut silent_days) = (0, 0, 0);
        for (day, units) in (first.0..=last.0).zip(&mut units) {
            let share = in_stock(Day(day));
            if *units == 0.0 && closed.binary_search(&day.into()).is_ok() {
                *units = f64::NAN;
                closed_days += 1;
            } else if *units == 0.0 && silence.contains(Day(day)) {
                *units = f64::NAN;
                silent_days += 1;
            } else if share < OBSERVED {
                *units = f64::NAN;
                out_of_stock_days += 1;
            } else {
                *units /= share.min(1.0);
            }
        }
        for weeks in silence.whole_weeks().collect::<Vec<_>>().iter().rev() {
            // A shop is silent where nobody sells, so that an item begins before or after.
            if *weeks.start() > first {
                let [from, to] =
                    [weeks.start(), weeks.end()].map(|day| usize::from(day.0 - first.0));
                units.drain(from..(to + 1).min(units.len()));
            }
        }
        Some(Self {
            first,
            last,
            units,
            sale_days,
            out_of_stock_days,
            closed_days,
            silent_days,
            wild_days,
            sold,
            returned,
        })
    }

    /// Days since the first sale, that day included, without whole weeks of silence.
    pub(super) fn days(&self) -> u32 {
        u32::try_from(self.units.len()).expect("at most four years")
    }

    /// Weekday and units of each day after the first sale: that day is there because of it.
    pub(super) fn after_launch(&self) -> impl Iterator<Item = (usize, f64)> {
        let first = self.first.weekday();
        let days = self.units.iter().enumerate().skip(1);
        days.map(move |(offset, &units)| ((first + offset) % super::WEEK, units))
    }
}

/// A location of an item: what is known of its stock, and what it sold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    /// `None` when nobody counts it.
    pub(super) stock: Option<&'a Stock>,
    pub(super) zone: &'a TimeZone,
    /// Sales by day.
    pub(super) sales: &'a [SalesDay],
}

impl Place<'_> {
    /// Share of a day on which anything was on hand; 1 when nothing is known. A day with a sale and
    /// no stock from beginning to end contradicts its stock record, and the sale is believed.
    pub(super) fn in_stock(&self, day: Day) -> f64 {
        let Some(stock) = self.stock.filter(|stock| !stock.stock_outs.is_empty()) else {
            return 1.0;
        };
        let share = stock.in_stock_fraction(day, self.zone);
        if share <= 0.0 && self.has_sale(day) { 1.0 } else { share }
    }

    fn has_sale(&self, day: Day) -> bool {
        let place = self.sales.binary_search_by_key(&day, |sales| sales.day);
        place.is_ok_and(|place| self.sales[place].units_micros > 0)
    }

    /// Units sold, ever.
    pub(super) fn sold(&self) -> f64 {
        self.sales.iter().map(|day| in_units(day.units_micros)).sum()
    }
}

/// Share of a day on which customers of an item met stock at any of its `places`: their mean by
/// `weights`, the shares of the units that each sold.
pub(super) fn in_stock(places: &[Place<'_>], weights: &[f64], day: Day) -> f64 {
    let out =
        places.iter().zip(weights).map(|(place, weight)| weight * (1.0 - place.in_stock(day)));
    (1.0 - out.sum::<f64>()).max(0.0)
}

/// The days with a sale, in units and units of money.
pub(in crate::domain::demand) fn sale_days(sales: &[SalesDay]) -> Vec<SaleDay> {
    let sold = sales.iter().filter(|day| day.units_micros > 0);
    sold.map(|day| SaleDay {
        day: day.day.0.into(),
        units: day.units_micros as f64 / 1e6,
        promoted_units: day.promoted_micros as f64 / 1e6,
        revenue: day.revenue_micros as f64 / 1e6,
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sale(day: u16, units: i64) -> SalesDay {
        SalesDay { day: Day(day), units_micros: units * 1_000_000, ..SalesDay::default() }
    }

    /// Never silent.
    fn open() -> Silence {
        Silence::default()
    }

    #[test]
    fn silence_is_no_day_without_demand() {
        let mut sales: Vec<SalesDay> = (10..40).map(|day| sale(day, 3)).collect();
        sales.push(sale(60, 5));
        // Twenty days in the middle and ten at the end: two weeks and one are left out.
        let silence = Silence::from([Day(40)..=Day(59), Day(61)..=Day(70)]);
        let series = DaySeries::new(&sales, Day(70), &[], &silence, |_| 1.0).expect("has sales");
        assert_eq!((series.silent_days, series.sale_days, series.days()), (30, 31, 61 - 21));
        let unobserved: Vec<usize> = (0..40).filter(|&at| series.units[at].is_nan()).collect();
        assert_eq!(unobserved, [30, 31, 32, 33, 34, 35, 37, 38, 39]);
        assert_eq!(series.units[36], 5.0);
        // The sale on day 60 stands on its weekday.
        assert_eq!(series.after_launch().nth(35), Some((Day(60).weekday(), 5.0)));
        // A location that sold while the shop was said to be silent: what was sold is believed.
        let sold =
            DaySeries::new(&sales, Day(70), &[], &Silence::from([Day(30)..=Day(35)]), |_| 1.0);
        assert_eq!(sold.expect("has sales").silent_days, 0);
    }

    #[test]
    fn a_day_without_stock_is_no_day_without_demand() {
        let sales = [sale(10, 4), sale(12, 3), sale(14, 2), sale(15, 1), sale(20, 9)];
        let series = DaySeries::new(&sales, Day(17), &[11, 15], &open(), |day| match day.0 {
            12 => 0.6,
            13 | 14 => 0.2,
            _ => 1.0,
        });
        let series = series.expect("has sales");
        let shown: Vec<String> = series.units.iter().map(|units| format!("{units:.1}")).collect();
        // Nothing sold on 11, when the shop was closed; 3 in six tenths of 12; 13 and 14 say
        // nothing; a sale on 15 shows that it was open.
        assert_eq!(shown, ["4.0", "NaN", "5.0", "NaN", "NaN", "1.0", "0.0", "0.0"]);
        assert_eq!((series.first, series.last, series.days()), (Day(10), Day(17), 8));
        assert_eq!((series.sale_days, series.out_of_stock_days, series.closed_days), (4, 2, 1));
        assert_eq!(series.sold, 10.0);
        // 1990-01-11 was a Thursday; the day of the first sale does not count.
        assert_eq!(series.after_launch().map(|(weekday, _)| weekday).next(), Some(4));
        assert_eq!(series.after_launch().count(), 7);
    }

    #[test]
    fn a_location_counts_for_what_it_sells() {
        let midnight = |day: u32| day * 86_400;
        let stock = |location: &str, stock_outs: &[u32]| Stock {
            location: location.into(),
            on_hand: 1.0,
            as_of_ms: 1,
            on_order: 0.0,
            backordered: 0.0,
            stock_outs: stock_outs.to_vec(),
        };
        // The south sold out at noon of day 30, for two days; the north never; a fifth of the
        // units are sold where nobody counts stock.
        let south = [midnight(30) + 43_200, midnight(32) + 43_200];
        let (north, south) = (stock("north", &[]), stock("south", &south));
        let zone = &TimeZone::UTC;
        let places = [Some(&north), Some(&south), None];
        let places = places.map(|stock| Place { stock, zone, sales: &[] });
        for (day, weights, expected) in [
            (29, [0.2, 0.6, 0.2], 1.0),
            (30, [0.2, 0.6, 0.2], 0.7),
            (31, [0.2, 0.6, 0.2], 0.4),
            (32, [0.6, 0.2, 0.2], 0.9),
        ] {
            assert!((in_stock(&places, &weights, Day(day)) - expected).abs() < 1e-12, "{day}");
        }
        assert_eq!(in_stock(&[], &[], Day(3)), 1.0);
        // What was sold was there, whatever the record says; half a day of stock is no news.
        let sales = [sale(30, 1), sale(31, 1)];
        let sold = Place { sales: &sales, ..places[1] };
        assert_eq!([29, 30, 31, 32].map(|day| sold.in_stock(Day(day))), [1.0, 0.5, 1.0, 0.5]);
        assert_eq!(sold.sold(), 2.0);
    }

    #[test]
    fn nothing_sold_is_no_series() {
        let returned = SalesDay { returned_micros: 5, ..sale(3, 0) };
        for sales in [&[][..], &[returned], &[sale(9, 1)]] {
            assert_eq!(DaySeries::new(sales, Day(8), &[], &open(), |_| 1.0), None);
        }
        // Sales of more than four years ago.
        assert_eq!(DaySeries::new(&[sale(9, 1)], Day(9 + 1_461), &[], &open(), |_| 1.0), None);
        let old = [sale(9, 1), sale(10, 2)];
        let series =
            DaySeries::new(&old, Day(9 + 1_461), &[], &open(), |_| 1.0).expect("has a sale");
        assert_eq!((series.first, series.days(), series.sold), (Day(10), 1_461, 2.0));
        let one = DaySeries::new(&[returned, sale(8, 1)], Day(8), &[8], &open(), |_| 0.0);
        let one = one.expect("was sold");
        assert!(one.units[0].is_nan());
        assert_eq!((one.days(), one.sale_days, one.returned), (1, 1, 0.0));
    }
}

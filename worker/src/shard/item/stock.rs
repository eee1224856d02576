//! Stock of an item at a location, and when there was none.

use std::sync::Arc;

use jiff::tz::TimeZone;
use mercer_common::{
    limits,
    time::{Day, EventTime},
};

/// Stock of an item at a location.
#[derive(Clone, Debug, PartialEq)]
pub struct Stock {
    /// Which location; never empty.
    pub location: Arc<str>,
    /// Units; negative after an oversell.
    pub on_hand: f64,
    /// When it was counted, in milliseconds since 1970; 0 when it never was.
    pub as_of_ms: i64,
    /// Units ordered and not delivered yet, 0 or more.
    pub on_order: f64,
    /// Units promised to customers and not delivered yet, 0 or more.
    pub backordered: f64,
    /// When nothing was on hand, in seconds since 1990-01-01T00:00:00Z: begin, end, begin, end
    /// ..., ascending; an odd number means that it still lasts. At most the latest 512.
    pub stock_outs: Vec<u32>,
}

impl Stock {
    pub(in crate::shard) fn new(location: Arc<str>) -> Self {
        Self {
            location,
            on_hand: 0.0,
            as_of_ms: 0,
            on_order: 0.0,
            backordered: 0.0,
            stock_outs: Vec::new(),
        }
    }

    /// Share of a local day on which anything was on hand, 0 to 1; 1 when nothing is known.
    #[must_use]
    pub fn in_stock_fraction(&self, day: Day, zone: &TimeZone) -> f64 {
        if self.stock_outs.is_empty() {
            return 1.0;
        }
        let midnight = |date: jiff::civil::Date| {
            let midnight = zone.to_ambiguous_timestamp(date.at(0, 0, 0, 0)).compatible().ok()?;
            Some(midnight.as_second() - EventTime::default().unix_seconds())
        };
        let date = day.date();
        let bounds = midnight(date).zip(date.tomorrow().ok().and_then(midnight));
        let Some((begin, end)) = bounds.filter(|(begin, end)| begin < end) else { return 1.0 };
        // Those that end before the day do not count.
        let past = self.stock_outs.partition_point(|&time| i64::from(time) <= begin) & !1;
        let out: i64 = self.stock_outs[past..]
            .chunks(2)
            .map(|out| {
                let until = out.get(1).map_or(end, |&until| i64::from(until).min(end));
                (until - i64::from(out[0]).max(begin)).max(0)
            })
            .sum();
        let out_of_stock = out as f64 / (end - begin) as f64;
        1.0 - out_of_stock
    }

    /// Changes what is on hand, as of `time`.
    pub(in crate::shard) fn set_on_hand(&mut self, on_hand: f64, time: EventTime) {
        self.on_hand = on_hand;
        let is_out = self.stock_outs.len() % 2 == 1;
        if is_out == (on_hand <= 0.0) {
            return;
        }
        // Counts may arrive out of order, and the log's order holds.
        let time = self.stock_outs.last().map_or(time.0, |&last| last.max(time.0));
        if self.stock_outs.last() == Some(&time) {
            // One that began where the last one ended goes on; one without duration never was.
            self.stock_outs.pop();
        } else {
            self.stock_outs.push(time);
        }
        if self.stock_outs.len() > 2 * limits::STOCK_OUTS {
            self.stock_outs.drain(..2);
        }
    }

    /// Adds to what is on hand, as of `time`. Rounds to millionths of a unit, so that 0.3 less
    /// three times 0.1 is 0, and the order of sales does not matter below 9e9 units.
    pub(in crate::shard) fn change_on_hand(&mut self, delta: f64, time: EventTime) {
        self.set_on_hand(((self.on_hand + delta) * 1e6).round() / 1e6, time);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stock() -> Stock {
        Stock::new(Arc::from("default"))
    }

    #[test]
    fn stock_outs_follow_what_is_on_hand() {
        let mut stock = stock();
        let mut set = |on_hand, time| {
            stock.set_on_hand(on_hand, EventTime(time));
            stock.stock_outs.clone()
        };
        assert_eq!(set(5.0, 10), [] as [u32; 0]);
        assert_eq!(set(0.0, 20), [20]);
        assert_eq!(set(-1.0, 30), [20]);
        assert_eq!(set(1.0, 40), [20, 40]);
        assert_eq!(set(0.0, 35), [20], "goes on: the count is older than the end");
        assert_eq!(set(2.0, 15), [] as [u32; 0], "without duration");
        assert_eq!(set(0.0, 50), [50]);
        assert_eq!(set(1.0, 60), [50, 60]);
    }

    #[test]
    fn the_oldest_stock_outs_are_forgotten() {
        let mut stock = stock();
        for time in 1..=2 * 600_u32 {
            stock.set_on_hand(f64::from(time.is_multiple_of(2)), EventTime(time));
        }
        assert_eq!(stock.stock_outs.len(), 2 * 512);
        assert_eq!((stock.stock_outs[0], stock.stock_outs[1_023]), (177, 1_200));
    }

    #[test]
    fn a_day_is_in_stock_for_the_share_of_its_own_hours() {
        let zone = TimeZone::get("Europe/Berlin").expect("a zone");
        let mut stock = stock();
        let day = Day::from_date(jiff::civil::date(2024, 3, 31)).expect("in range");
        assert_eq!(stock.in_stock_fraction(day, &zone), 1.0, "nothing is known");
        let seconds = |text: &str| {
            let time: jiff::Timestamp = text.parse().expect("a time");
            EventTime::from_unix_seconds(time.as_second()).expect("in range").0
        };
        // The clocks go forward: the day has 23 hours, from 23:00Z to 22:00Z.
        stock.stock_outs = vec![
            seconds("2024-03-30T10:00:00Z"),
            seconds("2024-03-31T00:00:00Z"),
            seconds("2024-03-31T20:00:00Z"),
        ];
        let expected = |hours: f64, of: f64| 1.0 - hours / of;
        let days = [-2, -1, 0, 1].map(|after| {
            let day = Day(day.0.checked_add_signed(after).expect("in range"));
            stock.in_stock_fraction(day, &zone)
        });
        let all = [expected(0.0, 24.0), expected(13.0, 24.0), expected(3.0, 23.0), 0.0];
        for (found, expected) in days.into_iter().zip(all) {
            assert!((found - expected).abs() < 1e-12, "{days:?}");
        }
    }

    #[test]
    fn tenths_of_units_run_out() {
        let mut stock = stock();
        stock.set_on_hand(0.3, EventTime(1));
        for time in 2..=4 {
            stock.change_on_hand(-0.1, EventTime(time));
        }
        assert_eq!((stock.on_hand, stock.stock_outs), (0.0, vec![4]));
    }
}

//! Daily sales of an item, by location.

use std::sync::Arc;

use mercer_common::{limits, time::Day};
use mercer_proto::internal::StoredSeries;

use super::{apply::ApplyError, labels::Labels};

/// What was sold on a local day, in millionths. Nothing here is negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SalesDay {
    /// Which day, local to the location.
    pub day: Day,
    /// Units sold.
    pub units_micros: i64,
    /// Those of them that were sold in a promotion.
    pub promoted_micros: i64,
    /// Units brought back on this day, whenever they were bought.
    pub returned_micros: i64,
    /// Money paid for the units sold.
    pub revenue_micros: i64,
    /// Highest list price of a line; 0 when none had one.
    pub list_price_micros: i64,
}

impl SalesDay {
    /// Adds another part of the same day. These are sums of whole numbers that never fall, and a
    /// highest value: whatever came first, the outcome is the same.
    fn add(&mut self, other: &Self) {
        self.units_micros = self.units_micros.saturating_add(other.units_micros);
        self.promoted_micros = self.promoted_micros.saturating_add(other.promoted_micros);
        self.returned_micros = self.returned_micros.saturating_add(other.returned_micros);
        self.revenue_micros = self.revenue_micros.saturating_add(other.revenue_micros);
        self.list_price_micros = self.list_price_micros.max(other.list_price_micros);
    }
}

/// A day at a location: 48 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cell {
    units_micros: i64,
    promoted_micros: i64,
    returned_micros: i64,
    revenue_micros: i64,
    list_price_micros: i64,
    /// Index of the location.
    place: u32,
    day: Day,
}

impl Cell {
    fn new(place: u32, sales: &SalesDay) -> Self {
        let &SalesDay {
            day,
            units_micros,
            promoted_micros,
            returned_micros,
            revenue_micros,
            list_price_micros,
        } = sales;
        Self {
            units_micros,
            promoted_micros,
            returned_micros,
            revenue_micros,
            list_price_micros,
            place,
            day,
        }
    }

    fn sales(&self) -> SalesDay {
        SalesDay {
            day: self.day,
            units_micros: self.units_micros,
            promoted_micros: self.promoted_micros,
            returned_micros: self.returned_micros,
            revenue_micros: self.revenue_micros,
            list_price_micros: self.list_price_micros,
        }
    }

    fn key(&self) -> (Day, u32) {
        (self.day, self.place)
    }
}

/// Daily sales of an item by location, over the 1,461 days that end with its newest one.
///
/// Equal for equal sets of sales in that span, whatever order they came in.
#[derive(Debug, Default)]
pub struct Series {
    /// Those that any cell names, sorted.
    locations: Vec<Arc<str>>,
    /// By (day, location).
    cells: Vec<Cell>,
}

impl Series {
    /// Whether nothing was sold or brought back.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// Locations with a day in the series, sorted.
    pub fn locations(&self) -> impl Iterator<Item = &str> {
        self.locations.iter().map(|location| &**location)
    }

    /// All locations together, by day.
    #[must_use]
    pub fn total(&self) -> Vec<SalesDay> {
        let mut days: Vec<SalesDay> = Vec::new();
        for cell in &self.cells {
            let sales = cell.sales();
            match days.last_mut() {
                Some(last) if last.day == sales.day => last.add(&sales),
                _ => days.push(sales),
            }
        }
        days
    }

    /// One location, by day; empty when nothing was sold there.
    #[must_use]
    pub fn at(&self, location: &str) -> Vec<SalesDay> {
        let Ok(place) = self.locations.binary_search_by(|other| (**other).cmp(location)) else {
            return Vec::new();
        };
        let here = self.cells.iter().filter(|cell| cell.place as usize == place);
        here.map(Cell::sales).collect()
    }

    /// Days on which any unit was sold anywhere.
    pub(crate) fn sale_days(&self) -> usize {
        let same_day = |left: &Cell, right: &Cell| left.day == right.day;
        let sold = |day: &&[Cell]| day.iter().any(|cell| cell.units_micros > 0);
        self.cells.chunk_by(same_day).filter(sold).count()
    }

    /// Adds sales at a location. Those that are too old are left out, now or later: a day stays
    /// exactly while it is after the newest day - 1,461.
    pub(crate) fn add(
        &mut self,
        location: &str,
        sales: &SalesDay,
        label: impl FnOnce() -> Arc<str>,
    ) {
        let newest = self.cells.last().map_or(sales.day, |last| last.day.max(sales.day));
        let outlived = |day: Day| u32::from(day.0) + limits::SERIES_DAYS <= u32::from(newest.0);
        if outlived(sales.day) {
            return;
        }
        let place = self.place(location, label);
        let key = (sales.day, place);
        let index = match self.cells.last().map(Cell::key) {
            Some(last) if last >= key => self.cells.partition_point(|cell| cell.key() < key),
            _ => self.cells.len(),
        };
        match self.cells.get_mut(index) {
            Some(cell) if cell.key() == key => {
                let mut sum = cell.sales();
                sum.add(sales);
                *cell = Cell::new(place, &sum);
            }
            _ => {
                if self.cells.len() == self.cells.capacity() {
                    self.cells.reserve_exact((self.cells.len() / 4).max(1));
                }
                self.cells.insert(index, Cell::new(place, sales));
            }
        }
        if self.cells.first().is_some_and(|first| outlived(first.day)) {
            let kept = self.cells.partition_point(|cell| outlived(cell.day));
            self.cells.drain(..kept);
            self.drop_unused_locations();
        }
    }

    fn place(&mut self, location: &str, label: impl FnOnce() -> Arc<str>) -> u32 {
        let place = match self.locations.binary_search_by(|other| (**other).cmp(location)) {
            Ok(place) => place,
            Err(place) => {
                self.locations.reserve_exact(1);
                self.locations.insert(place, label());
                for cell in self.cells.iter_mut().filter(|cell| cell.place as usize >= place) {
                    cell.place += 1;
                }
                place
            }
        };
        u32::try_from(place).expect("fewer locations than log positions in four years")
    }

    fn drop_unused_locations(&mut self) {
        let mut used = vec![false; self.locations.len()];
        for cell in &self.cells {
            used[cell.place as usize] = true;
        }
        let mut kept = 0;
        let mut places = Vec::with_capacity(used.len());
        for &used in &used {
            places.push(kept);
            kept += u32::from(used);
        }
        for cell in &mut self.cells {
            cell.place = places[cell.place as usize];
        }
        let mut used = used.iter();
        self.locations.retain(|_| used.next().is_some_and(|&used| used));
    }

    /// As files hold it.
    pub(crate) fn encode(&self) -> Option<StoredSeries> {
        if self.is_empty() {
            return None;
        }
        let mut previous = 0;
        let mut difference = |day: Day| u32::from(day.0 - std::mem::replace(&mut previous, day.0));
        let column = |value: fn(&Cell) -> i64| self.cells.iter().map(value).collect();
        Some(StoredSeries {
            locations: self.locations().map(ToOwned::to_owned).collect(),
            days: self.cells.iter().map(|cell| difference(cell.day)).collect(),
            places: self.cells.iter().map(|cell| cell.place).collect(),
            units_micros: column(|cell| cell.units_micros),
            promoted_micros: column(|cell| cell.promoted_micros),
            returned_micros: column(|cell| cell.returned_micros),
            revenue_micros: column(|cell| cell.revenue_micros),
            list_price_micros: column(|cell| cell.list_price_micros),
        })
    }

    /// What [`Self::encode`] gave.
    ///
    /// # Errors
    /// `Malformed` when the columns contradict each other.
    pub(crate) fn decode(stored: &StoredSeries, labels: &mut Labels) -> Result<Self, ApplyError> {
        let malformed = ApplyError::Malformed("the columns of a series disagree");
        let length = stored.days.len();
        let columns = [
            &stored.units_micros,
            &stored.promoted_micros,
            &stored.returned_micros,
            &stored.revenue_micros,
            &stored.list_price_micros,
        ];
        if stored.places.len() != length || columns.iter().any(|column| column.len() != length) {
            return Err(malformed);
        }
        let mut cells = Vec::with_capacity(length);
        let mut day = 0_u32;
        for (index, (&difference, &place)) in stored.days.iter().zip(&stored.places).enumerate() {
            day = day.saturating_add(difference);
            let Ok(number) = u16::try_from(day) else { return Err(malformed) };
            let [units, promoted, returned, revenue, list_price] =
                columns.map(|column| column[index]);
            cells.push(Cell {
                units_micros: units,
                promoted_micros: promoted,
                returned_micros: returned,
                revenue_micros: revenue,
                list_price_micros: list_price,
                place,
                day: Day(number),
            });
        }
        let ascending = cells.is_sorted_by(|left, right| left.key() < right.key());
        let known = cells.iter().all(|cell| (cell.place as usize) < stored.locations.len());
        let sorted = stored.locations.is_sorted_by(|left, right| left < right);
        if !(ascending && known && sorted) {
            return Err(malformed);
        }
        let locations = stored.locations.iter().map(|location| labels.label(location)).collect();
        Ok(Self { locations, cells })
    }
}

const _: () = assert!(size_of::<Cell>() == 48, "most of a shop's memory is in cells");

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::{collection::vec, prelude::*, sample::select};

    use super::*;

    fn sale() -> impl Strategy<Value = (&'static str, SalesDay)> {
        let day = prop_oneof![0..40_u16, 1_440..1_500_u16, Just(u16::MAX)];
        let micros = || prop_oneof![0..9_i64, Just(i64::MAX)];
        let sums = (micros(), micros(), micros(), micros(), micros());
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
}

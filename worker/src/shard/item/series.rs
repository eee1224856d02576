//! Daily sales of an item, by location.

use std::sync::Arc;

use mercer_common::{limits, time::Day};
use mercer_proto::internal::StoredSeries;

use crate::shard::{ApplyError, labels::Labels};

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
    pub(in crate::shard) fn add(&mut self, other: &Self) {
        self.units_micros = self.units_micros.saturating_add(other.units_micros);
        self.promoted_micros = self.promoted_micros.saturating_add(other.promoted_micros);
        self.returned_micros = self.returned_micros.saturating_add(other.returned_micros);
        self.revenue_micros = self.revenue_micros.saturating_add(other.revenue_micros);
        self.list_price_micros = self.list_price_micros.max(other.list_price_micros);
    }
}

/// A day at a location in 24 bytes: most of a shop's memory is here. Units sold, units promoted,
/// revenue and list price stand in 32 bits each, in millionths or, where these are too many, in
/// coarse steps that represent them exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cell {
    values: [u32; 4],
    /// Index of the location.
    place: u32,
    day: Day,
    /// Bit i: value i is in steps of `COARSE[i]`. Or [`WIDE`].
    form: u8,
}

const _: () = assert!(size_of::<Cell>() == 24);

/// Millionths in a coarse step: whole units, and hundredths of the currency.
const COARSE: [i64; 4] = [1_000_000, 1_000_000, 10_000, 10_000];
/// Form of a cell that does not fit, or has returns: it stands apart.
const WIDE: u8 = 1 << 7;

impl Cell {
    fn new(place: u32, sales: &SalesDay) -> Self {
        let exact = [
            sales.units_micros,
            sales.promoted_micros,
            sales.revenue_micros,
            sales.list_price_micros,
        ];
        let mut cell = Self { values: [0; 4], place, day: sales.day, form: 0 };
        for (bit, (&micros, coarse)) in exact.iter().zip(COARSE).enumerate() {
            if let Ok(value) = u32::try_from(micros) {
                cell.values[bit] = value;
            } else if let Ok(value) = u32::try_from(micros / coarse)
                && micros % coarse == 0
            {
                cell.values[bit] = value;
                cell.form |= 1 << bit;
            } else {
                cell.form = WIDE;
                return cell;
            }
        }
        if sales.returned_micros != 0 {
            cell.form = WIDE;
        }
        cell
    }

    /// The sales of a cell that is not wide.
    fn sales(&self) -> SalesDay {
        let micros = |bit: usize| match self.form >> bit & 1 {
            0 => i64::from(self.values[bit]),
            _ => i64::from(self.values[bit]) * COARSE[bit],
        };
        SalesDay {
            day: self.day,
            units_micros: micros(0),
            promoted_micros: micros(1),
            returned_micros: 0,
            revenue_micros: micros(2),
            list_price_micros: micros(3),
        }
    }

    fn key(&self) -> (Day, u32) {
        (self.day, self.place)
    }
}

/// A day at a location that takes more than a [`Cell`].
#[derive(Clone, Copy, Debug)]
struct WideCell {
    place: u32,
    sales: SalesDay,
}

impl WideCell {
    fn key(&self) -> (Day, u32) {
        (self.sales.day, self.place)
    }
}

/// Daily sales of an item by location, over the 1,461 days that end with its newest one.
///
/// Equal for equal sets of sales in that span, whatever order they came in.
#[derive(Debug, Default)]
pub struct Series {
    /// Locations that any cell names, sorted.
    locations: Vec<Arc<str>>,
    /// Cells by (day, location).
    cells: Vec<Cell>,
    /// Cells of `cells` that are wide, by (day, location).
    wide: Vec<WideCell>,
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

    /// Whether sales at a location are told apart from those elsewhere: those at the 1,000 first
    /// ones by the log, and at `default`, where all others are counted.
    pub(crate) fn has_room_at(&self, location: &str) -> bool {
        self.locations.len() < limits::ITEM_LOCATIONS
            || self.locations.binary_search_by(|other| (**other).cmp(location)).is_ok()
    }

    /// All locations together, by day.
    #[must_use]
    pub fn total(&self) -> Vec<SalesDay> {
        self.days().collect()
    }

    /// The latest `count` days on which any unit was sold anywhere, all locations together, by
    /// day. Looks at no more than it has to: the whole series may be half a million cells.
    #[must_use]
    pub fn latest_sale_days(&self, count: usize) -> Vec<SalesDay> {
        let sold = self.days().rev().filter(|day| day.units_micros > 0);
        let mut latest: Vec<SalesDay> = sold.take(count).collect();
        latest.reverse();
        latest
    }

    /// One location, by day; empty when nothing was sold there.
    #[must_use]
    pub fn at(&self, location: &str) -> Vec<SalesDay> {
        let Ok(place) = self.locations.binary_search_by(|other| (**other).cmp(location)) else {
            return Vec::new();
        };
        let here = self.cells.iter().filter(|cell| cell.place as usize == place);
        here.map(|cell| self.sales(cell)).collect()
    }

    /// Every location in the order of [`Self::locations`], by day.
    pub(crate) fn by_location(&self) -> Vec<Vec<SalesDay>> {
        let mut days = vec![Vec::new(); self.locations.len()];
        for cell in &self.cells {
            days[cell.place as usize].push(self.sales(cell));
        }
        days
    }

    /// Calls `visit` with each location and day, in the order of days.
    pub(crate) fn for_each(&self, mut visit: impl FnMut(&str, &SalesDay)) {
        for cell in &self.cells {
            visit(&self.locations[cell.place as usize], &self.sales(cell));
        }
    }

    /// Number of days on which any unit was sold anywhere.
    pub(crate) fn sale_days(&self) -> usize {
        self.days().filter(|day| day.units_micros > 0).count()
    }

    fn days(&self) -> impl DoubleEndedIterator<Item = SalesDay> {
        self.cells.chunk_by(|left, right| left.day == right.day).map(|cells| {
            let mut total = SalesDay { day: cells[0].day, ..SalesDay::default() };
            cells.iter().for_each(|cell| total.add(&self.sales(cell)));
            total
        })
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
        match self.cells.get(index) {
            Some(cell) if cell.key() == key => {
                let mut sum = self.sales(cell);
                sum.add(sales);
                self.cells[index] = Cell::new(place, &sum);
                self.widen(index, &sum);
            }
            _ => {
                if self.cells.len() == self.cells.capacity() {
                    self.cells.reserve_exact((self.cells.len() / 4).max(2));
                }
                self.cells.insert(index, Cell::new(place, sales));
                self.widen(index, sales);
            }
        }
        if self.cells.first().is_some_and(|first| outlived(first.day)) {
            let kept = self.cells.partition_point(|cell| outlived(cell.day));
            self.cells.drain(..kept);
            self.wide.retain(|cell| !outlived(cell.sales.day));
            self.drop_unused_locations();
        }
    }

    fn sales(&self, cell: &Cell) -> SalesDay {
        if cell.form != WIDE {
            return cell.sales();
        }
        let found = self.wide.binary_search_by_key(&cell.key(), WideCell::key);
        self.wide[found.expect("a wide cell stands apart")].sales
    }

    /// Keeps the sales of a cell apart exactly while it is wide.
    fn widen(&mut self, index: usize, sales: &SalesDay) {
        let cell = self.cells[index];
        let wide = WideCell { place: cell.place, sales: *sales };
        match (cell.form == WIDE, self.wide.binary_search_by_key(&cell.key(), WideCell::key)) {
            (true, Ok(index)) => self.wide[index] = wide,
            (true, Err(index)) => self.wide.insert(index, wide),
            (false, Ok(index)) => {
                self.wide.remove(index);
            }
            (false, Err(_)) => {}
        }
    }

    fn place(&mut self, location: &str, label: impl FnOnce() -> Arc<str>) -> u32 {
        let place = match self.locations.binary_search_by(|other| (**other).cmp(location)) {
            Ok(place) => place,
            Err(place) => {
                if self.locations.len() == self.locations.capacity() {
                    self.locations.reserve_exact((self.locations.len() / 4).max(1));
                }
                self.locations.insert(place, label());
                let places = self.cells.iter_mut().map(|cell| &mut cell.place);
                let wide = self.wide.iter_mut().map(|cell| &mut cell.place);
                for other in places.chain(wide).filter(|other| **other as usize >= place) {
                    *other += 1;
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
        let of_cells = self.cells.iter_mut().map(|cell| &mut cell.place);
        for place in of_cells.chain(self.wide.iter_mut().map(|cell| &mut cell.place)) {
            *place = places[*place as usize];
        }
        let mut used = used.iter();
        self.locations.retain(|_| used.next().is_some_and(|&used| used));
    }

    /// As files hold it.
    pub(crate) fn encode(&self) -> Option<StoredSeries> {
        if self.is_empty() {
            return None;
        }
        let mut days = Vec::with_capacity(self.cells.len());
        let mut previous = 0;
        for cell in &self.cells {
            days.push(u32::from(cell.day.0 - previous));
            previous = cell.day.0;
        }
        let column = |value: fn(&SalesDay) -> i64| {
            self.cells.iter().map(|cell| value(&self.sales(cell))).collect()
        };
        Some(StoredSeries {
            locations: self.locations().map(ToOwned::to_owned).collect(),
            days,
            places: self.cells.iter().map(|cell| cell.place).collect(),
            units_micros: column(|sales| sales.units_micros),
            promoted_micros: column(|sales| sales.promoted_micros),
            returned_micros: column(|sales| sales.returned_micros),
            revenue_micros: column(|sales| sales.revenue_micros),
            list_price_micros: column(|sales| sales.list_price_micros),
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
        let mut series = Self { cells: Vec::with_capacity(length), ..Self::default() };
        let mut day = 0_u32;
        for (index, (&difference, &place)) in stored.days.iter().zip(&stored.places).enumerate() {
            day = day.saturating_add(difference);
            let Ok(number) = u16::try_from(day) else { return Err(malformed) };
            let [units, promoted, returned, revenue, list_price] =
                columns.map(|column| column[index]);
            let sales = SalesDay {
                day: Day(number),
                units_micros: units,
                promoted_micros: promoted,
                returned_micros: returned,
                revenue_micros: revenue,
                list_price_micros: list_price,
            };
            let cell = Cell::new(place, &sales);
            if cell.form == WIDE {
                series.wide.push(WideCell { place, sales });
            }
            series.cells.push(cell);
        }
        let cells = &series.cells;
        let ascending = cells.is_sorted_by(|left, right| left.key() < right.key());
        let known = cells.iter().all(|cell| (cell.place as usize) < stored.locations.len());
        let sorted = stored.locations.is_sorted_by(|left, right| left < right);
        if !(ascending && known && sorted) {
            return Err(malformed);
        }
        series.locations = stored.locations.iter().map(|location| labels.label(location)).collect();
        Ok(series)
    }
}

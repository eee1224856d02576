//! On which days anything was sold, and where: what a shop's items say together.

use std::collections::BTreeMap;

use mercer_common::time::Day;
use mercer_proto::internal;

use super::ItemState;

/// Days with a sale by location, and the newest day with a sale or a return.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ShopDays {
    newest: Option<Day>,
    sold: BTreeMap<String, DaySet>,
}

impl ShopDays {
    /// What these items say.
    pub(crate) fn of<'a>(items: impl IntoIterator<Item = &'a ItemState>) -> Self {
        let mut days = Self::default();
        for item in items {
            days.add_item(item);
        }
        days
    }

    /// Adds what an item says.
    pub(crate) fn add_item(&mut self, item: &ItemState) {
        item.series().for_each(|location, sales| {
            self.newest = self.newest.max(Some(sales.day));
            if sales.units_micros > 0 {
                if !self.sold.contains_key(location) {
                    self.sold.insert(location.to_owned(), DaySet::default());
                }
                self.sold.get_mut(location).expect("just inserted").insert(sales.day);
            }
        });
    }

    /// Adds what other items say.
    pub(crate) fn merge(&mut self, other: Self) {
        self.newest = self.newest.max(other.newest);
        for (location, days) in other.sold {
            self.sold.entry(location).or_default().merge(&days);
        }
    }

    /// The newest day with a sale or a return.
    pub(crate) fn newest(&self) -> Option<Day> {
        self.newest
    }

    /// Days with a sale anywhere.
    pub(crate) fn anywhere(&self) -> DaySet {
        let mut all = DaySet::default();
        self.sold.values().for_each(|days| all.merge(days));
        all
    }

    /// Days with a sale, by location.
    pub(crate) fn by_location(&self) -> impl Iterator<Item = (&str, &DaySet)> {
        self.sold.iter().map(|(location, days)| (location.as_str(), days))
    }

    /// As files hold it.
    pub(crate) fn encode(&self) -> internal::ShopDays {
        let mut locations = Vec::with_capacity(self.sold.len());
        for (location, days) in self.by_location() {
            let mut differences = Vec::new();
            let mut previous = 0;
            for day in days.iter() {
                differences.push(u32::from(day.0 - previous));
                previous = day.0;
            }
            let location_id = location.to_owned();
            locations.push(internal::LocationDays { location_id, days: differences });
        }
        internal::ShopDays { newest_day: self.newest.map(|day| day.0.into()), locations }
    }

    /// What [`Self::encode`] gave; days that are none are left out.
    pub(crate) fn decode(stored: &internal::ShopDays) -> Self {
        let day = |day: u32| u16::try_from(day).ok().map(Day);
        let mut days = Self { newest: stored.newest_day.and_then(day), sold: BTreeMap::new() };
        for location in &stored.locations {
            let set = days.sold.entry(location.location_id.clone()).or_default();
            let mut number = 0_u32;
            for difference in &location.days {
                number = number.saturating_add(*difference);
                day(number).into_iter().for_each(|day| set.insert(day));
            }
        }
        days
    }
}

/// A set of days.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct DaySet {
    /// A bit a day; by the number of the word.
    words: BTreeMap<u16, u64>,
}

impl DaySet {
    pub(crate) fn insert(&mut self, day: Day) {
        *self.words.entry(day.0 / 64).or_default() |= 1 << (day.0 % 64);
    }

    pub(crate) fn contains(&self, day: Day) -> bool {
        self.words.get(&(day.0 / 64)).is_some_and(|word| word >> (day.0 % 64) & 1 == 1)
    }

    /// The earliest.
    pub(crate) fn first(&self) -> Option<Day> {
        self.iter().next()
    }

    /// Ascending.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Day> {
        self.words.iter().flat_map(|(&word, &bits)| {
            (0..64).filter(move |bit| bits >> bit & 1 == 1).map(move |bit| Day(word * 64 + bit))
        })
    }

    fn merge(&mut self, other: &Self) {
        for (&word, &bits) in &other.words {
            *self.words.entry(word).or_default() |= bits;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*, sample::select};

    use super::*;
    use crate::shard::SalesDay;

    fn item(sales: &[(&str, u16, bool)]) -> ItemState {
        let mut item = ItemState::stub("item".into(), &mut Default::default());
        for &(location, day, is_return) in sales {
            let mut sales = SalesDay { day: Day(day), ..SalesDay::default() };
            *(if is_return { &mut sales.returned_micros } else { &mut sales.units_micros }) = 1;
            item.series.add(location, &sales, || location.into());
        }
        item
    }

    proptest! {
        #[test]
        fn items_add_up_in_any_grouping(
            sales in vec((select(&["default", "north"][..]), 0..1_400_u16, any::<bool>()), 0..40),
            at in 0..40_usize,
        ) {
            let (left, right) = sales.split_at(at.min(sales.len()));
            let whole = ShopDays::of([item(left), item(right)].iter());
            let mut merged = ShopDays::of([item(right)].iter());
            merged.merge(ShopDays::of([item(left)].iter()));
            prop_assert_eq!(&merged, &whole);
            prop_assert_eq!(&ShopDays::decode(&whole.encode()), &whole);
            prop_assert_eq!(whole.newest(), sales.iter().map(|&(_, day, _)| Day(day)).max());
            for day in (0..1_400).map(Day) {
                let sold = sales.iter().any(|&(_, at, is_return)| at == day.0 && !is_return);
                prop_assert_eq!(whole.anywhere().contains(day), sold);
            }
        }
    }
}

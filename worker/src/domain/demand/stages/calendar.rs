//! The days that a job is about: where the clock of demand stands, and which days are missing.

use std::{collections::BTreeMap, ops::RangeInclusive};

use mercer_algorithms::forecast::silence::{SaleDay, missing};
use mercer_common::{
    ids::EVERYWHERE,
    time::{Day, EventTime},
};
use mercer_proto::internal::{DemandProfiles, Phase, SilentDays, TrainingSpec};

use super::WEEK;
use crate::{
    shard::{
        cut::series::SeriesCut,
        shop_days::{DaySet, ShopDays},
    },
    task::{Context, Inputs, SERIES, TrainingError},
};

/// The days that a job is about, the same for all of its tasks.
///
/// The clock of demand is demand: it stands at the newest purchase or return of the whole shop, and
/// no view moves it. Days on which the whole shop sold nothing for longer than ever before are
/// missing; so are those of a location.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Calendar {
    /// The day of the newest purchase or return; forecasts begin on the next one.
    pub(super) as_of: Day,
    /// The last day that is complete.
    pub(super) last: Day,
    /// Day of the newest event of any type, where the cluster is.
    pub(super) newest_event: Day,
    silent: BTreeMap<String, Silence>,
}

impl Calendar {
    /// The calendar of a shop of these sales.
    fn new(days: &ShopDays, newest_event: Day, lateness: u16) -> Self {
        let as_of = days.newest().unwrap_or_default();
        let last = Day(as_of.0.saturating_sub(lateness));
        let everywhere = Silence::new(&days.anywhere(), last, &Silence::default());
        let mut silent = BTreeMap::new();
        for (location, sold) in days.by_location() {
            silent.insert(location.to_owned(), Silence::new(sold, last, &everywhere));
        }
        silent.insert(EVERYWHERE.to_owned(), everywhere);
        silent.retain(|_, silence| !silence.0.is_empty());
        Self { as_of, last, newest_event, silent }
    }

    /// What the pool phase found.
    pub(super) fn of_profiles(profiles: &DemandProfiles) -> Self {
        let mut silent: BTreeMap<String, Silence> = BTreeMap::new();
        for days in &profiles.silent {
            let runs = &mut silent.entry(days.location_id.clone()).or_default().0;
            runs.push(Day::from_number(days.first_day)..=Day::from_number(days.last_day));
        }
        Self {
            as_of: Day::from_number(profiles.as_of_day),
            last: Day::from_number(profiles.last_day),
            newest_event: Day::from_number(profiles.newest_event_day),
            silent,
        }
    }

    /// The silent days in the form of results.
    pub(super) fn silent_days(&self) -> Vec<SilentDays> {
        let mut days = Vec::new();
        for (location, silence) in &self.silent {
            for run in &silence.0 {
                days.push(SilentDays {
                    location_id: location.clone(),
                    first_day: run.start().0.into(),
                    last_day: run.end().0.into(),
                });
            }
        }
        days
    }

    /// Which days are missing at a location, or in the whole shop for `*`.
    pub(in super::super) fn silence(&self, location: &str) -> &Silence {
        const NONE: &Silence = &Silence(Vec::new());
        self.silent.get(location).or_else(|| self.silent.get(EVERYWHERE)).unwrap_or(NONE)
    }
}

/// Runs of days without a sale that are missing data, ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Silence(Vec<RangeInclusive<Day>>);

impl Silence {
    /// Silence of a place that sold on these days, up to `last`; the shop's is also its own.
    fn new(sold: &DaySet, last: Day, shop: &Self) -> Self {
        let Some(first) = sold.first().filter(|first| *first <= last) else {
            return Self::default();
        };
        let mut days = Vec::with_capacity(usize::from(last.0 - first.0) + 1);
        for day in (first.0..=last.0).map(Day) {
            days.push(match (sold.contains(day), shop.contains(day)) {
                (true, _) => SaleDay::Sold,
                (false, true) => SaleDay::Missing,
                (false, false) => SaleDay::Empty,
            });
        }
        let mut runs: Vec<RangeInclusive<Day>> = Vec::new();
        for (day, is_missing) in (first.0..).zip(missing(&days)) {
            if !is_missing {
                continue;
            }
            match runs.last_mut() {
                Some(run) if run.end().0 + 1 == day => *run = *run.start()..=Day(day),
                _ => runs.push(Day(day)..=Day(day)),
            }
        }
        Self(runs)
    }

    /// Whether nothing is known of the day.
    pub(in super::super) fn contains(&self, day: Day) -> bool {
        let at = self.0.partition_point(|run| *run.end() < day);
        self.0.get(at).is_some_and(|run| run.contains(&day))
    }

    /// The days of these runs that are whole weeks, counted from the end of each: taking them out of
    /// a series leaves every other day on its weekday.
    pub(super) fn whole_weeks(&self) -> impl Iterator<Item = RangeInclusive<Day>> {
        self.0.iter().filter_map(|run| {
            let days = usize::from(run.end().0 - run.start().0) + 1;
            let kept = u16::try_from(days % WEEK).expect("below seven");
            (days >= WEEK).then(|| Day(run.start().0 + kept)..=*run.end())
        })
    }
}

impl<const RUNS: usize> From<[RangeInclusive<Day>; RUNS]> for Silence {
    fn from(runs: [RangeInclusive<Day>; RUNS]) -> Self {
        Self(runs.into())
    }
}

/// The calendar of the job, from the cuts of all shards.
pub(in super::super) fn open(
    context: &Context<'_>,
    inputs: &Inputs,
    spec: &TrainingSpec,
) -> Result<Calendar, TrainingError> {
    let (mut days, mut newest) = (ShopDays::default(), 0);
    let mut zone = None;
    for cut in inputs.of_all_shards(Phase::Cut, SERIES)? {
        let cut = SeriesCut::open(context.store, cut)?;
        days.merge(cut.shop_days()?);
        newest = newest.max(cut.newest_event());
        zone.get_or_insert_with(|| cut.directory().cluster_zone().clone());
    }
    let newest = zone.map_or(Day::default(), |zone| Day::of(EventTime(newest), &zone));
    let lateness = spec.demand.as_ref().map_or(0, |demand| demand.lateness_days);
    Ok(Calendar::new(&days, newest, u16::try_from(lateness).unwrap_or(u16::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shard::{ItemState, SalesDay};

    /// An item that sold at `location` on these days.
    fn item(location: &str, days: impl IntoIterator<Item = u16>, is_return: bool) -> ItemState {
        let mut item = ItemState::stub("item".into(), &mut Default::default());
        for day in days {
            let mut sales = SalesDay { day: Day(day), ..SalesDay::default() };
            *(if is_return { &mut sales.returned_micros } else { &mut sales.units_micros }) = 1;
            item.series.add(location, &sales, || location.into());
        }
        item
    }

    fn runs(calendar: &Calendar) -> Vec<(String, u32, u32)> {
        let all = calendar.silent_days();
        all.into_iter().map(|run| (run.location_id, run.first_day, run.last_day)).collect()
    }

    #[test]
    fn the_clock_stands_at_the_newest_purchase_or_return() {
        let north = item("north", 100..200, false);
        let south = item("south", (100..160).chain(190..200), false);
        let late = item("south", [300], true);
        let days = ShopDays::of([&north, &south]);
        let calendar = Calendar::new(&days, Day(900), 2);
        assert_eq!((calendar.as_of, calendar.last), (Day(199), Day(197)));
        assert_eq!(calendar.newest_event, Day(900), "views do not move the clock, and are told");
        assert_eq!(runs(&calendar), [("south".into(), 160, 189)]);

        // A return moves the clock; nothing was sold since in the whole shop.
        let days = ShopDays::of([&north, &south, &late]);
        let calendar = Calendar::new(&days, Day(300), 2);
        assert_eq!((calendar.as_of, calendar.last), (Day(300), Day(298)));
        let all = [("*", 200, 298), ("north", 200, 298), ("south", 160, 189), ("south", 200, 298)];
        assert_eq!(runs(&calendar), all.map(|(place, first, last)| (place.into(), first, last)));
        assert!(calendar.silence("north").contains(Day(250)));
        assert!(calendar.silence("never sold there").contains(Day(250)));
        assert!(!calendar.silence("*").contains(Day(170)));
        let stored = DemandProfiles {
            as_of_day: 300,
            last_day: 298,
            newest_event_day: 300,
            silent: calendar.silent_days(),
            ..DemandProfiles::default()
        };
        assert_eq!(Calendar::of_profiles(&stored), calendar);
        assert_eq!(Calendar::new(&ShopDays::default(), Day(0), 2), Calendar::default());
    }

    #[test]
    fn whole_weeks_leave_every_day_on_its_weekday() {
        let run = |first, last| Day(first)..=Day(last);
        let silence = Silence(vec![run(3, 8), run(20, 26), run(40, 60)]);
        let weeks: Vec<_> = silence.whole_weeks().collect();
        assert_eq!(weeks, [run(20, 26), run(40, 60)]);
        assert_eq!(Silence(vec![run(10, 25)]).whole_weeks().next(), Some(run(12, 25)));
    }
}

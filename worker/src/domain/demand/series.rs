//! Which forecast answers for an item and a location.

use std::borrow::Cow;

use mercer_algorithms::forecast::Forecast;
use mercer_common::{
    ids::EVERYWHERE,
    note::{Days, Number, Said, Share, Text, Units, note},
    time::Day,
};
use mercer_proto::{
    internal::{DemandProfiles, SilentDays},
    v1::{ForecastSource, Note, note::Kind},
};

use super::profile::profile_of;
use crate::{
    artifact::DEMAND,
    domain::{
        DecideError,
        facts::{CATEGORY_PROFILE, Demand, Facts, History, ItemSeries, WildDay, as_stored},
    },
    serve::NotTrained,
    shard::SalesDay,
};

/// The forecast of an item at a location, or of all of them.
#[derive(Debug)]
pub(crate) struct DemandSeries<'a> {
    pub(crate) location: String,
    pub(crate) forecast: Cow<'a, Forecast>,
    pub(crate) source: ForecastSource,
    pub(crate) method: String,
    pub(crate) history: Option<History>,
    pub(crate) backtest_wape: Option<f32>,
    pub(crate) backtest_origins: u32,
    /// The day of the newest purchase or return; the forecast begins on the next one.
    pub(crate) as_of: Day,
    pub(crate) notes: Vec<Note>,
}

impl DemandSeries<'_> {
    /// Day 1 is the first of the forecast.
    pub(crate) fn day(&self, number: u32) -> Day {
        Day(self.as_of.0.saturating_add(u16::try_from(number).unwrap_or(u16::MAX)))
    }
}

/// The forecast that speaks for a location, or for all of them when it is empty or `*`.
pub(crate) fn series_at<'a>(
    facts: &'a Facts<'_>,
    location: &str,
) -> Result<DemandSeries<'a>, DecideError> {
    let Some(demand) = &facts.demand else {
        return Err(NotTrained { kind: DEMAND }.into());
    };
    let location = if location.is_empty() { EVERYWHERE } else { location };
    if location != EVERYWHERE && !is_known(facts, location) {
        return Err(DecideError::UnknownLocation {
            item: facts.item.id().to_owned(),
            location: location.to_owned(),
        });
    }
    let own = facts.item_demand().and_then(|trained| trained.at(location));
    let everywhere = facts.item_demand().and_then(|trained| trained.everywhere());
    let trained = own.or(everywhere);
    let mut series = match trained {
        Some(trained) => of_training(trained, demand, location),
        None => of_newcomer(facts, demand, location),
    };
    let wild_days = trained.map_or(&[][..], |trained| &trained.wild_days);
    series.notes.extend(evidence_note(facts, &series));
    series.notes.extend(silence_note(demand.profiles, &series));
    series.notes.extend(wild_note(wild_days));
    series.notes.extend(limit_note(facts));
    if own.is_none() && location != EVERYWHERE {
        let share = share(facts, location);
        series.forecast = Cow::Owned(series.forecast.thinned(share));
        if series.source != ForecastSource::NoHistory {
            series.source = ForecastSource::LocationShare;
        }
        // These are of all locations together.
        (series.history, series.backtest_wape, series.backtest_origins) = (None, None, 0);
        series.notes.push(share_note(location, share));
    }
    Ok(series)
}

fn is_known(facts: &Facts<'_>, location: &str) -> bool {
    facts.directory.location(location).is_some()
        || facts.item.stock_at(location).is_some()
        || facts.item.supply().iter().any(|supply| *supply.location == *location)
        || facts.item.series().locations().any(|other| other == location)
        || facts.item_demand().is_some_and(|trained| {
            trained.at(location).is_some() || trained.shares.contains_key(location)
        })
}

fn of_training<'a>(
    trained: &'a ItemSeries,
    demand: &Demand<'_>,
    location: &str,
) -> DemandSeries<'a> {
    DemandSeries {
        location: location.to_owned(),
        forecast: Cow::Borrowed(&trained.forecast),
        source: trained.source,
        method: trained.method.clone(),
        history: trained.history,
        backtest_wape: trained.backtest_wape,
        backtest_origins: trained.backtest_origins,
        as_of: Day::from_number(demand.profiles.as_of_day),
        notes: Vec::new(),
    }
}

/// What stands in for an item that the training did not know: its category's mean.
fn of_newcomer(facts: &Facts<'_>, demand: &Demand<'_>, location: &str) -> DemandSeries<'static> {
    let profile = profile_of(demand.profiles, facts.item.category_path());
    let source = if profile.mean > 0.0 {
        ForecastSource::CategoryProfile
    } else {
        ForecastSource::NoHistory
    };
    let first = demand.profiles.as_of_day as usize + 1;
    DemandSeries {
        location: location.to_owned(),
        forecast: Cow::Owned(as_stored(&profile.forecast(profile.mean, first % 7, 7))),
        source,
        method: CATEGORY_PROFILE.to_owned(),
        history: None,
        backtest_wape: None,
        backtest_origins: 0,
        as_of: Day::from_number(demand.profiles.as_of_day),
        notes: Vec::new(),
    }
}

/// A location's share of the item's units: as trained, else of what was sold since.
fn share(facts: &Facts<'_>, location: &str) -> f64 {
    let trained = facts.item_demand().and_then(|trained| trained.shares.get(location));
    if let Some(&share) = trained {
        return f64::from(share);
    }
    let sold =
        |days: Vec<SalesDay>| -> f64 { days.iter().map(|day| day.units_micros as f64).sum() };
    let total = sold(facts.item.series().total());
    if total > 0.0 { sold(facts.item.series().at(location)) / total } else { 0.0 }
}

fn share_note(location: &str, share: f64) -> Note {
    let location = Text(location.to_owned());
    let (kind, said) = match share > 0.0 {
        true => (Kind::Explanation, Said::ShareOfLocation { location, share: Share(share) }),
        false => (Kind::WeakEvidence, Said::NeverSoldAtLocation { location }),
    };
    note(kind, "location_id", said)
}

fn evidence_note(facts: &Facts<'_>, series: &DemandSeries<'_>) -> Option<Note> {
    let said = match series.source {
        ForecastSource::CategoryProfile => match &series.history {
            Some(history) if history.sale_days > 0 => Said::ShortHistory {
                sale_days: Days(history.sale_days.into()),
                span: Days(length(history.first.0.into(), history.last.0.into())),
                category: category(facts),
            },
            _ => Said::NoHistory { category: category(facts) },
        },
        ForecastSource::NoHistory => Said::NeverSold {},
        _ => return None,
    };
    Some(note(Kind::WeakEvidence, "history", said))
}

/// Days from which a run of missing ones is worth a word: holidays are shorter.
const WORTH_A_WORD: u32 = 7;

/// Which days count as missing: those of the location, or of the whole shop.
fn silence_note(profiles: &DemandProfiles, series: &DemandSeries<'_>) -> Option<Note> {
    let first = series.history.map_or(profiles.last_day, |history| history.first.0.into());
    let at = |location: &str| -> Vec<&SilentDays> {
        let mut long = Vec::new();
        for run in &profiles.silent {
            let days = run.last_day.saturating_sub(run.first_day) + 1;
            if run.location_id == location && run.last_day >= first && days >= WORTH_A_WORD {
                long.push(run);
            }
        }
        long
    };
    let own = if series.location == EVERYWHERE { Vec::new() } else { at(&series.location) };
    let (runs, location) = match own.is_empty() {
        true => (at(EVERYWHERE), None),
        false => (own, Some(Text(series.location.clone()))),
    };
    let (latest, earlier) = runs.split_last()?;
    let earlier: f64 = earlier.iter().map(|run| length(run.first_day, run.last_day)).sum();
    let said = Said::SilentDays {
        location,
        first: Day::from_number(latest.first_day),
        last: Day::from_number(latest.last_day),
        length: Days(length(latest.first_day, latest.last_day)),
        earlier: (earlier > 0.0).then_some(Days(earlier)),
    };
    Some(note(Kind::DataIgnored, "history", said))
}

/// That days are far above all others.
fn wild_note(wild_days: &[WildDay]) -> Option<Note> {
    let (largest, others) = wild_days.split_first()?;
    let others = (!others.is_empty()).then_some(Number(others.len() as f64));
    let is_cut = largest.counted > 0.0 && largest.counted < largest.units;
    let said = Said::WildDays {
        units: Units(largest.units),
        date: largest.day,
        usual: Number(largest.usual),
        others,
        counted: is_cut.then_some(Number(largest.counted)),
    };
    Some(note(Kind::WeakEvidence, "history", said))
}

/// Why the forecast starts where it does; `None` of versions whose clock other events moved.
pub(crate) fn start_note(facts: &Facts<'_>, series: &DemandSeries<'_>) -> Option<Note> {
    let newest = facts.demand.as_ref()?.profiles.newest_event_day;
    if newest == 0 {
        return None;
    }
    let newer = (newest > u32::from(series.as_of.0)).then(|| Day::from_number(newest));
    let said = Said::ForecastStarts { start: series.day(1), newer };
    Some(note(Kind::Explanation, "start", said))
}

/// Days from the first to the last.
fn length(first: u32, last: u32) -> f64 {
    f64::from(last.saturating_sub(first) + 1)
}

/// Sums end at the largest number that is kept.
fn limit_note(facts: &Facts<'_>) -> Option<Note> {
    let is_at_limit = facts.item.is_at_limit();
    is_at_limit.then(|| note(Kind::DataIgnored, "history", Said::SumsAtLimit {}))
}

/// The item's category; `None` for the whole catalogue.
fn category(facts: &Facts<'_>) -> Option<Text> {
    let path: Vec<&str> = facts.item.category_path().iter().map(|level| &**level).collect();
    (!path.is_empty()).then(|| Text(path.join(" / ")))
}

//! Which forecast answers for an item and a location.

use std::borrow::Cow;

use mercer_algorithms::forecast::Forecast;
use mercer_common::{
    ids::EVERYWHERE,
    note::{Days, Number, Said, Share, Text, Units, note},
    time::Day,
};
use mercer_proto::{
    internal::{
        DemandProfiles, DemandResult, SeriesForecast, SilentDays, StoredHistory, series_forecast,
    },
    v1::{ForecastSource, Note, note::Kind},
};

use super::{profile::profile_of, stored::forecast_of};
use crate::{
    artifact::DEMAND,
    domain::{DecideError, Demand, Facts},
    serve::NotTrained,
};

/// The forecast of an item at a location, or of all of them.
#[derive(Debug)]
pub(crate) struct DemandSeries {
    pub(crate) location: String,
    pub(crate) forecast: Forecast,
    pub(crate) source: ForecastSource,
    pub(crate) method: String,
    pub(crate) history: Option<StoredHistory>,
    pub(crate) backtest_wape: Option<f32>,
    pub(crate) backtest_origins: u32,
    /// The day of the newest purchase or return; the forecast begins on the next one.
    pub(crate) as_of: Day,
    pub(crate) notes: Vec<Note>,
}

impl DemandSeries {
    /// Day 1 is the first of the forecast.
    pub(crate) fn day(&self, number: u32) -> Day {
        Day(self.as_of.0.saturating_add(u16::try_from(number).unwrap_or(u16::MAX)))
    }
}

/// The forecast that speaks for a location, or for all of them when it is empty or `*`.
pub(crate) fn series_at(facts: &Facts<'_>, location: &str) -> Result<DemandSeries, DecideError> {
    let Some(demand) = &facts.demand else {
        return Err(NotTrained { kind: DEMAND }.into());
    };
    let location = if location.is_empty() { EVERYWHERE } else { location };
    if location != EVERYWHERE && !is_known(facts, demand.result.as_ref(), location) {
        return Err(DecideError::UnknownLocation {
            item: facts.item.id().to_owned(),
            location: location.to_owned(),
        });
    }
    let trained = demand.result.as_ref().map_or(&[][..], |result| &result.series);
    let own = trained.iter().find(|series| series.location_id == location);
    let whole = match own.or(trained.first()) {
        Some(series) => Cow::Borrowed(series),
        None => Cow::Owned(newcomer(facts, demand)),
    };
    let mut series = open(&whole, demand, location);
    series.notes.extend(evidence_note(facts, &series));
    series.notes.extend(silence_note(demand.profiles, &series));
    series.notes.extend(wild_note(&whole));
    series.notes.extend(limit_note(facts));
    if own.is_none() && location != EVERYWHERE {
        let share = share(facts, demand.result.as_ref(), location);
        series.forecast = series.forecast.thinned(share);
        if series.source != ForecastSource::NoHistory {
            series.source = ForecastSource::LocationShare;
        }
        // These are of all locations together.
        (series.history, series.backtest_wape, series.backtest_origins) = (None, None, 0);
        series.notes.push(share_note(location, share));
    }
    Ok(series)
}

fn is_known(facts: &Facts<'_>, result: Option<&DemandResult>, location: &str) -> bool {
    facts.directory.location(location).is_some()
        || facts.item.stock_at(location).is_some()
        || facts.item.supply().iter().any(|supply| *supply.location == *location)
        || facts.item.series().locations().any(|other| other == location)
        || result.is_some_and(|result| {
            let series = result.series.iter().any(|series| series.location_id == location);
            series || result.shares.iter().any(|share| share.location_id == location)
        })
}

fn open(stored: &SeriesForecast, demand: &Demand<'_>, location: &str) -> DemandSeries {
    DemandSeries {
        location: location.to_owned(),
        forecast: forecast_of(stored),
        source: stored.source(),
        method: stored.method.clone(),
        history: stored.history,
        backtest_wape: stored.backtest_wape,
        backtest_origins: stored.backtest_origins,
        as_of: day_of(demand.profiles.as_of_day),
        notes: Vec::new(),
    }
}

/// What stands in for an item that the training did not know: its category's mean.
fn newcomer(facts: &Facts<'_>, demand: &Demand<'_>) -> SeriesForecast {
    let profile = profile_of(demand.profiles, facts.item.category_path());
    let source = if profile.mean > 0.0 {
        ForecastSource::CategoryProfile
    } else {
        ForecastSource::NoHistory
    };
    let first = demand.profiles.as_of_day as usize + 1;
    let forecast = profile.forecast(profile.mean, first % 7, 7);
    let stored = |values: &[f64]| values.iter().map(|&value| value as f32).collect();
    SeriesForecast {
        source: source.into(),
        method: "category-profile".into(),
        path: stored(&forecast.path),
        repeat: 7,
        spread: Some(series_forecast::Spread::VarianceRatio(profile.variance_ratio as f32)),
        ..SeriesForecast::default()
    }
}

/// A location's share of the item's units: as trained, else of what was sold since.
fn share(facts: &Facts<'_>, result: Option<&DemandResult>, location: &str) -> f64 {
    let shares = result.map_or(&[][..], |result| &result.shares);
    let trained = shares.iter().find(|share| share.location_id == location);
    if let Some(trained) = trained {
        return f64::from(trained.share);
    }
    let sold = |days: Vec<crate::shard::SalesDay>| -> f64 {
        days.iter().map(|day| day.units_micros as f64).sum()
    };
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

fn evidence_note(facts: &Facts<'_>, series: &DemandSeries) -> Option<Note> {
    let said = match series.source {
        ForecastSource::CategoryProfile => match &series.history {
            Some(history) if history.sale_days > 0 => Said::ShortHistory {
                sale_days: Days(history.sale_days.into()),
                span: Days(length(history.first_day, history.last_day)),
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
fn silence_note(profiles: &DemandProfiles, series: &DemandSeries) -> Option<Note> {
    let first = series.history.map_or(profiles.last_day, |history| history.first_day);
    let at = |location: &str| -> Vec<&SilentDays> {
        let is_long =
            |run: &SilentDays| run.last_day.saturating_sub(run.first_day) + 1 >= WORTH_A_WORD;
        let here = |run: &&SilentDays| {
            run.location_id == location && run.last_day >= first && is_long(run)
        };
        profiles.silent.iter().filter(here).collect()
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
        first: day_of(latest.first_day),
        last: day_of(latest.last_day),
        length: Days(length(latest.first_day, latest.last_day)),
        earlier: (earlier > 0.0).then_some(Days(earlier)),
    };
    Some(note(Kind::DataIgnored, "history", said))
}

/// That days are far above all others.
fn wild_note(series: &SeriesForecast) -> Option<Note> {
    let (largest, others) = series.wild_days.split_first()?;
    let others = (!others.is_empty()).then_some(Number(others.len() as f64));
    let is_cut = largest.counted_units > 0.0 && largest.counted_units < largest.units;
    let said = Said::WildDays {
        units: Units(largest.units),
        date: day_of(largest.day),
        usual: Number(largest.usual_units),
        others,
        counted: is_cut.then_some(Number(largest.counted_units)),
    };
    Some(note(Kind::WeakEvidence, "history", said))
}

/// Why the forecast starts where it does; `None` of versions whose clock other events moved.
pub(crate) fn start_note(facts: &Facts<'_>, series: &DemandSeries) -> Option<Note> {
    let newest = facts.demand.as_ref()?.profiles.newest_event_day;
    if newest == 0 {
        return None;
    }
    let newer = (newest > u32::from(series.as_of.0)).then(|| day_of(newest));
    let said = Said::ForecastStarts { start: series.day(1), newer };
    Some(note(Kind::Explanation, "start", said))
}

/// Days from the first to the last.
fn length(first: u32, last: u32) -> f64 {
    f64::from(last.saturating_sub(first) + 1)
}

fn day_of(day: u32) -> Day {
    Day(u16::try_from(day).unwrap_or(u16::MAX))
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

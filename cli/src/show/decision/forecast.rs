//! A forecast as it is shown.

use std::fmt::Write as _;

use mercer_proto::v1::{ForecastResponse, ForecastSource, HistorySummary};
use serde::Serialize;

use super::{Answer, chart, reason::Reason, screen::Screen};
use crate::show::output::{self, count, date, percent, units};

/// Characters of the picture beside the days.
const PICTURE: usize = 36;

/// The shape of `--output json`.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ForecastAnswer {
    pub(crate) item_id: String,
    /// `*` for all locations together.
    location_id: String,
    version: String,
    pub(crate) source: &'static str,
    pub(crate) method: String,
    days: Vec<Day>,
    levels: Vec<f64>,
    total: Total,
    history: Option<History>,
    backtest_wape: Option<f64>,
    backtest_origins: u32,
    pub(crate) reasons: Vec<Reason>,
    token: String,
}

/// Demand of one day of the path, in units.
#[derive(Clone, Debug, Serialize)]
struct Day {
    date: String,
    mean: f64,
    /// Parallel to the levels.
    quantiles: Vec<f64>,
}

/// Demand over all days, in units.
#[derive(Clone, Debug, Default, Serialize)]
struct Total {
    mean: f64,
    standard_deviation: f64,
    quantiles: Vec<f64>,
}

/// History that the forecast stands on.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct History {
    first_date: Option<String>,
    last_date: Option<String>,
    pub(crate) days: u32,
    pub(crate) sale_days: u32,
    out_of_stock_days: u32,
    closed_days: u32,
    pub(crate) units: f64,
    returned_units: f64,
    silent_days: u32,
}

impl ForecastAnswer {
    pub(crate) fn new(response: ForecastResponse) -> Self {
        let days = response.days.iter().map(|day| Day {
            date: day.date.as_ref().map(date).unwrap_or_default(),
            mean: day.mean,
            quantiles: day.quantiles.clone(),
        });
        let total = response.total.clone().unwrap_or_default();
        Self {
            source: source_name(response.source()),
            days: days.collect(),
            total: Total {
                mean: total.mean,
                standard_deviation: total.standard_deviation,
                quantiles: total.quantiles,
            },
            history: response.history.map(History::new),
            item_id: response.item_id,
            location_id: response.location_id,
            version: response.version,
            method: response.method,
            levels: response.levels,
            backtest_wape: response.backtest_wape,
            backtest_origins: response.backtest_origins,
            reasons: Reason::all(response.notes),
            token: response.token,
        }
    }

    /// What the forecast stands on, if anything.
    pub(crate) fn history(&self) -> Option<&History> {
        self.history.as_ref()
    }

    /// The places of the lowest and the highest level, when there are two.
    fn outer(&self) -> Option<(usize, usize)> {
        self.levels.len().checked_sub(1).filter(|&last| last > 0).map(|last| (0, last))
    }

    /// `80 % of the time between 12 and 30 units`, of the sum.
    fn interval(&self) -> Option<String> {
        let (low, high) = self.outer()?;
        let (from, to) = (self.total.quantiles.get(low)?, self.total.quantiles.get(high)?);
        let covered = percent(self.levels[high] - self.levels[low]);
        Some(format!("{covered} of the time between {} and {} units", units(*from), units(*to)))
    }

    /// Units in all, and where, in one line.
    pub(crate) fn headline(&self) -> String {
        let mut text = format!("{} units in {} days", units(self.total.mean), self.days.len());
        if let Some(first) = self.days.first() {
            let _ = write!(text, " from {}", first.date);
        }
        if let Some(interval) = self.interval() {
            let _ = write!(text, ", {interval}");
        }
        text
    }

    /// The method and how far off it was.
    pub(crate) fn basis(&self) -> String {
        let mut text = match self.source {
            "own_history" => format!("{}, chosen on its own history", self.method),
            "location_share" => format!("{}, by the location's share of all sales", self.method),
            "category_profile" => "its own mean drawn towards its category's".to_owned(),
            "no_history" => "no sale of it or its category: 0".to_owned(),
            source => format!("{}, {source}", self.method),
        };
        if let Some(wape) = self.backtest_wape {
            let _ = write!(
                text,
                "; a daily error of {} of mean demand in {} backtests",
                percent(wape),
                count(self.backtest_origins)
            );
        }
        text
    }

    /// Draws the path, one character a day.
    pub(crate) fn sparkline(&self) -> String {
        chart::sparkline(self.days.iter().map(|day| day.mean))
    }

    fn table(&self) -> String {
        let levels: Vec<String> =
            self.levels.iter().map(|&level| format!(">{}", percent(level))).collect();
        let mut headers = vec!["", "date", ">mean"];
        headers.extend(levels.iter().map(String::as_str));
        headers.push("=");
        let outer = self.outer();
        let mut full = 0.0;
        for day in &self.days {
            let top = outer.map_or(day.mean, |(_, high)| day.quantiles[high].max(day.mean));
            full = f64::max(full, top);
        }
        let decimals = if full < 10.0 { 2 } else { 1 };
        let rows = self.days.iter().map(|day| {
            let mut row = vec![
                weekday(&day.date).to_owned(),
                day.date.clone(),
                format!("{:.decimals$}", day.mean),
            ];
            row.extend(day.quantiles.iter().map(|quantile| format!("{quantile:.decimals$}")));
            row.push(match outer {
                Some((low, high)) => chart::interval(
                    day.quantiles[low],
                    day.mean,
                    day.quantiles[high],
                    full,
                    PICTURE,
                ),
                None => chart::bar(day.mean, full, PICTURE),
            });
            row
        });
        output::table(&headers, rows)
    }
}

impl History {
    fn new(history: HistorySummary) -> Self {
        Self {
            first_date: history.first_date.as_ref().map(date),
            last_date: history.last_date.as_ref().map(date),
            days: history.days,
            sale_days: history.sale_days,
            out_of_stock_days: history.out_of_stock_days,
            closed_days: history.closed_days,
            units: history.units,
            returned_units: history.returned_units,
            silent_days: history.silent_days,
        }
    }

    /// Text for people.
    pub(crate) fn text(&self) -> String {
        let (Some(first), Some(last)) = (&self.first_date, &self.last_date) else {
            return "none".into();
        };
        let mut text = format!(
            "{} units on {} of {} days, {first} to {last}",
            units(self.units),
            count(self.sale_days),
            count(self.days)
        );
        if self.returned_units > 0.0 {
            let _ = write!(text, "; {} returned", units(self.returned_units));
        }
        for (days, why) in [
            (self.out_of_stock_days, "out of stock"),
            (self.closed_days, "closed"),
            (self.silent_days, "nothing sold by anyone"),
        ] {
            if days > 0 {
                let noun = if days == 1 { "day" } else { "days" };
                let _ = write!(text, "; {} {noun} left out ({why})", count(days));
            }
        }
        text
    }
}

/// Place of a location id, as a person says it.
pub(super) fn place(location_id: &str) -> String {
    match location_id {
        "" | mercer_common::ids::EVERYWHERE => "all locations".into(),
        location => format!("location {location}"),
    }
}

/// The short name of the day of a date such as `2026-01-31`.
fn weekday(date: &str) -> &'static str {
    use jiff::civil::{Date, Weekday};
    match date.parse::<Date>().map(Date::weekday) {
        Ok(Weekday::Monday) => "Mon",
        Ok(Weekday::Tuesday) => "Tue",
        Ok(Weekday::Wednesday) => "Wed",
        Ok(Weekday::Thursday) => "Thu",
        Ok(Weekday::Friday) => "Fri",
        Ok(Weekday::Saturday) => "Sat",
        Ok(Weekday::Sunday) => "Sun",
        Err(_) => "",
    }
}

fn source_name(source: ForecastSource) -> &'static str {
    match source {
        ForecastSource::OwnHistory => "own_history",
        ForecastSource::LocationShare => "location_share",
        ForecastSource::CategoryProfile => "category_profile",
        ForecastSource::NoHistory => "no_history",
        ForecastSource::Unspecified => "unspecified",
    }
}

impl Answer for ForecastAnswer {
    const HEADERS: &'static [&'static str] =
        &["item", "location", ">days", ">units", ">low", ">high", "method", "=path"];
    const DROPPING: &'static [&'static str] = &["path", "method", "days", "location"];

    fn text(&self) -> String {
        let mut details = vec![("method", self.basis())];
        details.extend(self.history.as_ref().map(|history| ("history", history.text())));
        details.push(("version", self.version.clone()));
        let screen = Screen {
            subject: format!("item {}, {}", self.item_id, place(&self.location_id)),
            decision: format!("expect {}", self.headline()),
            reasons: &self.reasons,
            details,
            picture: self.table(),
        };
        screen.text()
    }

    fn row(&self) -> Vec<String> {
        let bound = |place: Option<usize>| {
            place.and_then(|at| self.total.quantiles.get(at)).map(|&v| units(v)).unwrap_or_default()
        };
        vec![
            self.item_id.clone(),
            self.location_id.clone(),
            self.days.len().to_string(),
            units(self.total.mean),
            bound(self.outer().map(|(low, _)| low)),
            bound(self.outer().map(|(_, high)| high)),
            self.method.clone(),
            self.sparkline(),
        ]
    }
}

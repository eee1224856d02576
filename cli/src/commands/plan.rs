//! Numbers, money, dates and plans as people type them.

use anyhow::{Result, bail, ensure};
use jiff::{civil::Date, tz::TimeZone};
use mercer_common::{
    money::from_micros,
    time::{Day, EventTime},
};
use mercer_proto::{google::r#type::Money, v1::PlannedPrice};
use tonic::transport::Channel;

use crate::{client, import::parse_micros};

/// An amount of the cluster's currency.
pub(super) fn amount(text: &str) -> Result<Money, String> {
    let micros = parse_micros(text).ok_or_else(|| format!("`{text}` is not an amount"))?;
    Ok(from_micros(micros, ""))
}

/// A share above 0 and below 1, as `0.95` or `95%`.
pub(super) fn share(text: &str) -> Result<f64, String> {
    let invalid = || format!("`{text}` is not a share such as 0.95 or 95%");
    let (number, scale) = match text.strip_suffix('%') {
        Some(number) => (number, 100.0),
        None => (text, 1.0),
    };
    let share = number.trim().parse::<f64>().map_err(|_| invalid())? / scale;
    if share > 0.0 && share < 1.0 { Ok(share) } else { Err(invalid()) }
}

/// A date.
pub(super) fn day(text: &str) -> Result<Day, String> {
    let date = text.parse::<Date>().ok().and_then(Day::from_date);
    date.ok_or_else(|| format!("`{text}` is not a date such as 2026-01-31"))
}

/// Prices and promotions that will hold.
#[derive(Debug, Default, clap::Args)]
pub(super) struct PlanArgs {
    /// A price that will hold from --from to --to.
    #[arg(long, value_name = "PRICE", value_parser = amount, help_heading = "Plan")]
    price: Option<Money>,
    /// A promotion will hold from --from to --to.
    #[arg(long, help_heading = "Plan")]
    promotion: bool,
    /// First day of --price and --promotion; the first that is forecast when left out.
    #[arg(long, value_name = "DATE", value_parser = day, help_heading = "Plan")]
    from: Option<Day>,
    /// Last day of --price and --promotion; the last that is forecast when left out.
    #[arg(long, value_name = "DATE", value_parser = day, help_heading = "Plan")]
    to: Option<Day>,
    /// A whole entry, repeatable: `FROM..TO=PRICE`, `FROM..TO=PRICE,promotion` or
    /// `FROM..TO=promotion`; of two for a day the later one holds.
    #[arg(long, value_name = "ENTRY", value_parser = entry, help_heading = "Plan")]
    plan: Vec<PlannedPrice>,
}

impl PlanArgs {
    /// The entries, that of --price and --promotion first; `days` are counted from the first day
    /// that the cluster forecasts.
    pub(super) async fn entries(&self, channel: &Channel, days: u32) -> Result<Vec<PlannedPrice>> {
        let open =
            (self.price.is_some() || self.promotion) && (self.from.is_none() || self.to.is_none());
        let first = if open { first_day(channel).await? } else { None };
        self.entries_from(first, days)
    }

    fn entries_from(&self, first: Option<Day>, days: u32) -> Result<Vec<PlannedPrice>> {
        let mut entries = Vec::new();
        if self.price.is_some() || self.promotion {
            let days = u16::try_from(days.saturating_sub(1)).unwrap_or(u16::MAX);
            let last = first.map(|first| Day(first.0.saturating_add(days)));
            let from = self.from.or(first).unwrap_or(Day(0));
            let to = self.to.or(last).unwrap_or(Day(u16::MAX));
            ensure!(from <= to, "--from is after --to");
            entries.push(PlannedPrice {
                start_date: Some(from.to_api()),
                end_date: Some(to.to_api()),
                price: self.price.clone(),
                promotion: self.promotion,
            });
        } else if self.from.is_some() || self.to.is_some() {
            bail!("--from and --to say when --price or --promotion hold; give one of these");
        }
        entries.extend(self.plan.iter().cloned());
        Ok(entries)
    }
}

/// The first day that is forecast: after the newest event that demand was trained on.
async fn first_day(channel: &Channel) -> Result<Option<Day>> {
    let cluster = client::describe(channel, "").await?;
    let current =
        cluster.versions.iter().find(|version| version.version == cluster.current_version);
    let kinds = current.map(|version| &version.kinds[..]).unwrap_or_default();
    let as_of = kinds.iter().find(|kind| kind.kind == "demand").and_then(|kind| kind.as_of);
    let time = as_of.and_then(|time| EventTime::from_unix_seconds(time.seconds));
    let zone = TimeZone::get(&cluster.time_zone)?;
    Ok(time.map(|time| Day(Day::of(time, &zone).0.saturating_add(1))))
}

/// `2026-02-01..2026-02-07=1.99,promotion`.
fn entry(text: &str) -> Result<PlannedPrice, String> {
    let invalid = || format!("`{text}` is not an entry such as 2026-02-01..2026-02-07=1.99");
    let (days, what) = text.split_once('=').ok_or_else(invalid)?;
    let (from, to) = days.split_once("..").ok_or_else(invalid)?;
    let (from, to) = (day(from.trim())?, day(to.trim())?);
    if from > to {
        return Err(format!("`{days}` ends before it begins"));
    }
    let mut planned = PlannedPrice {
        start_date: Some(from.to_api()),
        end_date: Some(to.to_api()),
        price: None,
        promotion: false,
    };
    for part in what.split(',').map(str::trim) {
        match part {
            "promotion" => planned.promotion = true,
            price => planned.price = Some(amount(price)?),
        }
    }
    Ok(planned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_entries_of_a_plan() {
        let planned = entry("2026-02-01..2026-02-07=1.99,promotion").expect("an entry");
        assert_eq!(planned.price, Some(from_micros(1_990_000, "")));
        assert!(planned.promotion);
        assert_eq!(planned.start_date.and_then(Day::from_api), day("2026-02-01").ok());
        assert_eq!(entry("2026-02-01..2026-02-01=promotion").map(|p| p.price), Ok(None));
        for bad in [
            "",
            "2026-02-01=1",
            "2026-02-07..2026-02-01=1",
            "2026-02-30..2026-03-01=1",
            "2026-02-01..2026-02-07=",
            "2026-02-01..2026-02-07=cheap",
        ] {
            assert!(entry(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn shares_lie_between_0_and_1() {
        assert_eq!(share("95%"), Ok(0.95));
        assert_eq!(share("0.5"), Ok(0.5));
        for bad in ["0", "1", "95", "100%", "-0.1", "NaN", "x"] {
            assert!(share(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn days_without_a_price_are_no_plan() {
        let args = PlanArgs { from: Some(Day(9_000)), ..PlanArgs::default() };
        assert!(args.entries_from(None, 28).is_err());
        let args = PlanArgs { promotion: true, ..PlanArgs::default() };
        let entries = args.entries_from(Some(Day(9_000)), 28).expect("a plan");
        assert_eq!(entries[0].start_date.and_then(Day::from_api), Some(Day(9_000)));
        assert_eq!(entries[0].end_date.and_then(Day::from_api), Some(Day(9_027)));
        let args = PlanArgs { to: Some(Day(8_000)), ..args };
        assert!(args.entries_from(Some(Day(9_000)), 28).is_err());
    }
}

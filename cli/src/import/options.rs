//! How files are read, as the user and a preset say.

use anyhow::{Context as _, Result, anyhow, bail};

use super::{
    mapping::{Kind, amount::AmountIs, preset},
    reading::{Form, encoding},
    rows::{Blank, Negative},
    values::{Dates, Decimals, TimeFormat, words::EventTypes},
};

/// How the files of an import are read. What is `None` is found out, or asked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    pub(crate) form: Form,
    pub(crate) time_zone: Option<String>,
    pub(crate) formats: Vec<TimeFormat>,
    pub(crate) dates: Option<Dates>,
    pub(crate) decimals: Option<Decimals>,
    /// Words for missing, instead of those that are known.
    pub(crate) nulls: Option<Vec<String>>,
    pub(crate) event_types: EventTypes,
    pub(crate) negative: Option<Negative>,
    /// Meaning of the column that makes amounts.
    pub(crate) amount_is: Option<AmountIs>,
    /// What blank cells of the catalogue do; they keep what is known if not given.
    pub(crate) blank: Option<Blank>,
    pub(crate) fill_down: Vec<FillDown>,
    pub(crate) skips: Vec<Skip>,
    /// The column that names each row of events.
    pub(crate) row_id: Option<String>,
    /// Readings where neither the user nor the files tell.
    pub(crate) usual: Usual,
}

/// Readings of the files of a source before these.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usual {
    pub(crate) dates: Option<Dates>,
    pub(crate) decimals: Option<Decimals>,
}

/// Blank cells of some columns have the value above, as long as the key is the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FillDown {
    pub(crate) columns: Vec<String>,
    pub(crate) key: String,
}

impl FillDown {
    /// Reads `COLUMN, ... by KEY`, where names may stand between backticks.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let by = outside_of_names(text, " by ").last();
        let by = by.ok_or_else(|| format!("`{text}` is not like 'Email, Created at by Name'"))?;
        let (mut columns, mut start) = (Vec::new(), 0);
        for comma in outside_of_names(&text[..by], ",") {
            columns.push(bare_name(&text[start..comma]));
            start = comma + 1;
        }
        columns.push(bare_name(&text[start..by]));
        Ok(Self { columns, key: bare_name(&text[by + 4..]) })
    }

    /// Text that `parse` reads as these columns.
    pub(crate) fn written(columns: &[&str], key: &str) -> String {
        let named = |name: &str| match name.contains([',', '`']) || name.contains(" by ") {
            true => format!("`{name}`"),
            false => name.to_owned(),
        };
        let columns: Vec<String> = columns.iter().map(|column| named(column)).collect();
        format!("{} by {}", columns.join(","), named(key))
    }
}

/// Where `between` stands in a text, outside of names between backticks.
fn outside_of_names<'a>(text: &'a str, between: &'a str) -> impl Iterator<Item = usize> + 'a {
    let found = text.match_indices(between).map(|(at, _)| at);
    found.filter(|&at| text[..at].matches('`').count().is_multiple_of(2))
}

/// A name without the backticks and the white space around it.
fn bare_name(text: &str) -> String {
    let name = text.trim();
    let inner = name.strip_prefix('`').and_then(|name| name.strip_suffix('`'));
    inner.unwrap_or(name).to_owned()
}

/// Rows with one of these values in a column are left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Skip {
    pub(crate) column: String,
    pub(crate) values: Vec<String>,
}

impl Skip {
    /// Reads `COLUMN=VALUE|VALUE`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let equal = outside_of_names(text, "=").next();
        let equal = equal.ok_or_else(|| format!("`{text}` is not like 'StockCode=POST|DOT'"))?;
        let (column, values) = (bare_name(&text[..equal]), &text[equal + 1..]);
        let values = values.split('|').map(|value| value.trim().to_owned()).collect();
        Ok(Self { column, values })
    }
}

/// Rows that may be refused before nothing is loaded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum MaxRejects {
    Rows(u64),
    Percent(f64),
}

impl MaxRejects {
    /// Reads `N` or `P%`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a number of rows or a percentage such as 5%");
        match text.trim().strip_suffix('%') {
            Some(percent) => {
                let percent: f64 = percent.trim().parse().map_err(|_| wrong())?;
                if !(0.0..=100.0).contains(&percent) {
                    return Err(wrong());
                }
                Ok(Self::Percent(percent))
            }
            None => text.trim().parse().map(Self::Rows).map_err(|_| wrong()),
        }
    }

    /// Rows that may be refused of so many. A tenth unless the user says, and ten of any file: a few
    /// bad rows are no reason to load nothing, and many are a sign that the file is read wrongly.
    pub(crate) fn of(chosen: Option<Self>, rows: u64) -> u64 {
        let share = |percent: f64| (rows as f64 * percent / 100.0) as u64;
        match chosen {
            Some(Self::Rows(most)) => most,
            Some(Self::Percent(percent)) => share(percent),
            None => share(10.0).max(10),
        }
    }
}

impl Options {
    /// Takes the options that a preset says.
    pub(crate) fn of_preset(reading: &preset::Reading) -> Result<Self> {
        let text = |problem: String| anyhow!(problem);
        let pairs: Vec<(String, String)> =
            reading.event_types.iter().map(|(from, to)| (from.clone(), to.clone())).collect();
        let word = |field: &str, value: &str| anyhow!("{field}: `{value}` is not known");
        Ok(Self {
            form: Form {
                delimiter: None,
                encoding: reading.encoding.as_deref().map(encoding).transpose().map_err(text)?,
            },
            time_zone: reading.time_zone.clone(),
            formats: (reading.time_format.iter())
                .map(|format| TimeFormat::parse(format).map_err(text))
                .collect::<Result<_>>()?,
            dates: match reading.dates.as_deref() {
                None => None,
                Some("dmy") => Some(Dates::Dmy),
                Some("mdy") => Some(Dates::Mdy),
                Some("ymd") => Some(Dates::Ymd),
                Some(other) => return Err(word("dates", other)),
            },
            decimals: reading
                .decimal_comma
                .map(|comma| if comma { Decimals::Comma } else { Decimals::Point }),
            nulls: reading.null.clone(),
            event_types: EventTypes::new(&pairs).map_err(text)?,
            negative: match reading.negative.as_deref() {
                None => None,
                Some("return") => Some(Negative::Return),
                Some("skip") => Some(Negative::Skip),
                Some("refuse") => Some(Negative::Refuse),
                Some(other) => return Err(word("negative", other)),
            },
            amount_is: None,
            blank: None,
            row_id: None,
            usual: Usual::default(),
            fill_down: (reading.fill_down.iter())
                .map(|text| FillDown::parse(text).map_err(|problem| anyhow!(problem)))
                .collect::<Result<_>>()?,
            skips: (reading.skip.iter())
                .map(|text| Skip::parse(text).map_err(|problem| anyhow!(problem)))
                .collect::<Result<_>>()?,
        })
    }

    /// Fills in from a preset what the user did not say.
    pub(crate) fn or(self, preset: Self) -> Self {
        let types = if self.event_types == EventTypes::default() {
            preset.event_types
        } else {
            self.event_types
        };
        Self {
            form: Form {
                delimiter: self.form.delimiter.or(preset.form.delimiter),
                encoding: self.form.encoding.or(preset.form.encoding),
            },
            time_zone: self.time_zone.or(preset.time_zone),
            formats: if self.formats.is_empty() { preset.formats } else { self.formats },
            dates: self.dates.or(preset.dates),
            decimals: self.decimals.or(preset.decimals),
            nulls: self.nulls.or(preset.nulls),
            event_types: types,
            negative: self.negative.or(preset.negative),
            amount_is: self.amount_is.or(preset.amount_is),
            blank: self.blank.or(preset.blank),
            fill_down: if self.fill_down.is_empty() { preset.fill_down } else { self.fill_down },
            skips: if self.skips.is_empty() { preset.skips } else { self.skips },
            row_id: self.row_id.or(preset.row_id),
            usual: preset.usual,
        }
    }

    /// Refuses options that say nothing of files of this kind.
    pub(crate) fn check(&self, kind: Kind) -> Result<()> {
        for (flag, is_given) in [
            ("--negative", self.negative.is_some()),
            ("--event-types", self.event_types != EventTypes::default()),
            ("--amount-is", self.amount_is.is_some()),
            ("--row-id", self.row_id.is_some()),
        ] {
            if is_given && kind != Kind::Events {
                bail!("{flag} is about events, not about {kind}");
            }
        }
        if let Some(blank) = &self.blank {
            blank.check(kind)?;
        }
        Ok(())
    }

    /// The time zone of this name.
    pub(crate) fn zone(name: &str) -> Result<jiff::tz::TimeZone> {
        jiff::tz::TimeZone::get(name).with_context(|| format!("--time-zone `{name}` is not known"))
    }
}

//! Which columns of a file make which field, from `--preset`, `--map`, `--set` and equal names.

use std::{collections::BTreeMap, fmt::Write as _, path::Path};

use anyhow::{Result, bail};
use jiff::{Timestamp, tz::TimeZone};

use super::{
    cell::{self, Cell, Reason},
    preset::Preset,
};

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    /// Shop events: views, purchases and so on.
    Events,
    /// The catalogue.
    Items,
    /// Customers.
    Users,
    /// Units on hand, on order and backordered.
    Stock,
    /// Terms under which items are bought.
    Supply,
    /// What competitors charge.
    CompetitorPrices,
    /// Stores and warehouses.
    Locations,
    /// Who items are bought from.
    Suppliers,
}

impl Kind {
    /// Names of the fields; those that no file may lack come first.
    pub(crate) const fn fields(self) -> (&'static [&'static str], &'static [&'static str]) {
        match self {
            Self::Events => (
                &["item_id", "type", "timestamp"],
                &[
                    "user_id",
                    "quantity",
                    "amount",
                    "list_price",
                    "promotion",
                    "location_id",
                    "basket_id",
                    "session_id",
                    "channel",
                    "rating",
                    "event_id",
                    "attribution_token",
                ],
            ),
            Self::Items => (
                &["item_id"],
                &[
                    "title",
                    "description",
                    "category",
                    "category_1",
                    "category_2",
                    "category_3",
                    "category_4",
                    "category_5",
                    "category_6",
                    "category_7",
                    "category_8",
                    "brand",
                    "list_price",
                    "unit_cost",
                    "status",
                    "embedding",
                ],
            ),
            Self::Users => (&["user_id"], &["denied_item_ids"]),
            Self::Stock => {
                (&["item_id", "on_hand"], &["location_id", "on_order", "backordered", "as_of"])
            }
            Self::Supply => (
                &["item_id"],
                &[
                    "location_id",
                    "supplier_id",
                    "lead_time_days",
                    "lead_time_deviation_days",
                    "review_period_days",
                    "order_cost",
                    "holding_rate",
                    "minimum_order_quantity",
                    "pack_size",
                    "maximum_cover_days",
                    "cycle_service",
                    "fill_rate",
                ],
            ),
            Self::CompetitorPrices => (&["item_id", "competitor_id"], &["price", "as_of"]),
            Self::Locations => (&["location_id"], &["name", "time_zone", "decrement_on_purchase"]),
            Self::Suppliers => (
                &["supplier_id"],
                &[
                    "name",
                    "lead_time_days",
                    "lead_time_deviation_days",
                    "review_period_days",
                    "order_cost",
                    "holding_rate",
                    "minimum_order_quantity",
                    "pack_size",
                    "maximum_cover_days",
                    "cycle_service",
                    "fill_rate",
                ],
            ),
        }
    }

    /// Whether `attribute.NAME` is a field.
    const fn has_attributes(self) -> bool {
        matches!(self, Self::Items | Self::Users)
    }

    fn knows(self, field: &str) -> bool {
        let (required, optional) = self.fields();
        required.contains(&field)
            || optional.contains(&field)
            || (self.has_attributes()
                && field.strip_prefix("attribute.").is_some_and(|name| !name.is_empty()))
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Events => "events",
            Self::Items => "items",
            Self::Users => "users",
            Self::Stock => "stock",
            Self::Supply => "supply",
            Self::CompetitorPrices => "competitor-prices",
            Self::Locations => "locations",
            Self::Suppliers => "suppliers",
        })
    }
}

/// What the user said about the columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mapping {
    /// Field to column expression.
    columns: BTreeMap<String, String>,
    /// Field to the value of every row.
    constants: BTreeMap<String, String>,
}

impl Mapping {
    /// A preset, overridden by `--map` and `--set`.
    pub(crate) fn new(
        kind: Kind,
        preset: Option<Preset>,
        map: &[String],
        set: &[String],
    ) -> Result<Self> {
        let mut mapping = Self::default();
        if let Some(preset) = preset {
            let (columns, constants) = preset.mapping(kind)?;
            let owned = |pairs: &[(&str, &str)]| {
                pairs.iter().map(|&(field, value)| (field.into(), value.into())).collect()
            };
            mapping.columns = owned(columns);
            mapping.constants = owned(constants);
        }
        for (pair, flag) in
            map.iter().map(|pair| (pair, "--map")).chain(set.iter().map(|pair| (pair, "--set")))
        {
            let Some((field, value)) = pair.split_once('=') else {
                bail!("{flag} `{pair}` is not field=value");
            };
            let (field, value) = (field.trim().to_owned(), value.trim().to_owned());
            if !kind.knows(&field) {
                bail!("{flag}: `{field}` is not a field of {kind}; {}", known(kind));
            }
            mapping.columns.remove(&field);
            mapping.constants.remove(&field);
            if flag == "--map" {
                mapping.columns.insert(field, value);
            } else {
                mapping.constants.insert(field, value);
            }
        }
        Ok(mapping)
    }

    /// Finds the columns in the file at `path`.
    pub(crate) fn resolve(&self, kind: Kind, path: &Path, columns: &[String]) -> Result<Fields> {
        let mut fields = Fields::default();
        let mut missing = Vec::new();
        for (field, expression) in &self.columns {
            match fields.parse(expression, columns) {
                Ok(source) => {
                    fields.sources.insert(field.clone(), source);
                }
                Err(column) => missing.push(format!("`{column}` (for {field})")),
            }
        }
        if !missing.is_empty() {
            bail!(
                "{} has no column {}\n  it has: {}",
                path.display(),
                missing.join(", "),
                columns.join(", ")
            );
        }
        for (field, value) in &self.constants {
            fields.sources.insert(field.clone(), Source::Constant(value.clone()));
        }
        for (index, column) in columns.iter().enumerate() {
            let name = column.to_lowercase();
            let field = if name.starts_with("attribute.") { column } else { &name };
            if kind.knows(field) && !fields.sources.contains_key(field) {
                let source = Source::Columns { terms: vec![fields.project(index)], divisor: None };
                fields.sources.insert(field.clone(), source);
            }
        }
        let (required, _) = kind.fields();
        let lacking: Vec<&str> =
            required.iter().copied().filter(|field| !fields.sources.contains_key(*field)).collect();
        if !lacking.is_empty() {
            bail!(
                "{} has no column for {}\n  it has: {}\n  {}\n  name columns with --map {}=COLUMN, \
                 or give all rows one value with --set {}=VALUE",
                path.display(),
                lacking.join(", "),
                columns.join(", "),
                known(kind),
                lacking[0],
                lacking[0],
            );
        }
        fields.unused = columns
            .iter()
            .enumerate()
            .filter(|(index, _)| !fields.projection.contains(index))
            .map(|(_, name)| name.clone())
            .collect();
        Ok(fields)
    }
}

/// The fields of a kind, for messages.
fn known(kind: Kind) -> String {
    let (required, optional) = kind.fields();
    let attributes = if kind.has_attributes() { ", attribute.NAME" } else { "" };
    format!("needed: {}; possible: {}{attributes}", required.join(", "), optional.join(", "))
}

/// The fields of a file, each with its source.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    sources: BTreeMap<String, Source>,
    /// Columns to read, in the order of the cells of a row.
    pub(crate) projection: Vec<usize>,
    /// Columns that no field takes.
    pub(crate) unused: Vec<String>,
}

/// Where the value of a field comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The same for every row.
    Constant(String),
    /// The sum of the terms (of text: joined by a space), divided by the divisor; by cell index.
    Columns { terms: Vec<usize>, divisor: Option<usize> },
}

impl Fields {
    /// The source of `field`, if it has one.
    pub(crate) fn source(&self, field: &str) -> Option<Source> {
        self.sources.get(field).cloned()
    }

    /// Fields `attribute.NAME`: their names and sources.
    pub(crate) fn attributes(&self) -> Vec<(String, Source)> {
        self.sources
            .iter()
            .filter_map(|(field, source)| {
                Some((field.strip_prefix("attribute.")?.to_owned(), source.clone()))
            })
            .collect()
    }

    /// A text that is the same for the same reading of the same columns.
    pub(crate) fn describe(&self, columns: &[String]) -> String {
        let mut text = String::new();
        for (field, source) in &self.sources {
            let name = |cell: &usize| columns[self.projection[*cell]].as_str();
            let _ = match source {
                Source::Constant(value) => writeln!(text, "{field}:={value:?}"),
                Source::Columns { terms, divisor } => {
                    let terms: Vec<&str> = terms.iter().map(name).collect();
                    writeln!(text, "{field}={terms:?}/{:?}", divisor.as_ref().map(name))
                }
            };
        }
        text
    }

    /// Reads `COLUMN[+COLUMN...][/COLUMN]`; fails with the name that the file lacks.
    fn parse(&mut self, expression: &str, columns: &[String]) -> Result<Source, String> {
        if let Some(index) = find(columns, expression) {
            return Ok(Source::Columns { terms: vec![self.project(index)], divisor: None });
        }
        let (sum, divisor) = match expression.rsplit_once('/') {
            Some((sum, divisor)) => (sum, Some(divisor)),
            None => (expression, None),
        };
        let mut cell = |name: &str| match find(columns, name.trim()) {
            Some(index) => Ok(self.project(index)),
            None => Err(name.trim().to_owned()),
        };
        Ok(Source::Columns {
            terms: sum.split('+').map(&mut cell).collect::<Result<_, _>>()?,
            divisor: divisor.map(&mut cell).transpose()?,
        })
    }

    /// The cell that holds the column, which is read from now on.
    fn project(&mut self, column: usize) -> usize {
        self.projection.iter().position(|&projected| projected == column).unwrap_or_else(|| {
            self.projection.push(column);
            self.projection.len() - 1
        })
    }
}

fn find(columns: &[String], name: &str) -> Option<usize> {
    columns
        .iter()
        .position(|column| column == name)
        .or_else(|| columns.iter().position(|column| column.eq_ignore_ascii_case(name)))
}

impl Source {
    /// The value as text; several columns are joined by a space.
    pub(crate) fn label(&self, cells: &[Cell<'_>]) -> Result<Option<String>, Reason> {
        match self {
            Self::Constant(value) => Ok(Some(value.clone())),
            Self::Columns { terms, .. } => {
                let mut joined: Option<String> = None;
                for &term in terms {
                    let Some(label) = cells[term].to_label()? else { continue };
                    match &mut joined {
                        Some(joined) => {
                            joined.push(' ');
                            joined.push_str(label.trim());
                        }
                        None => joined = Some(label),
                    }
                }
                Ok(joined)
            }
        }
    }

    /// The value as a number.
    pub(crate) fn number(&self, cells: &[Cell<'_>]) -> Result<Option<f64>, Reason> {
        let (terms, divisor) = match self {
            Self::Constant(value) => return Cell::text(value).to_number(),
            Self::Columns { terms, divisor } => (terms, divisor),
        };
        let mut sum = None;
        for &term in terms {
            if let Some(number) = cells[term].to_number()? {
                sum = Some(sum.unwrap_or(0.0) + number);
            }
        }
        let (Some(sum), Some(divisor)) = (sum, divisor) else { return Ok(sum) };
        Ok(cells[*divisor].to_number()?.filter(|&divisor| divisor != 0.0).map(|by| sum / by))
    }

    /// The value as millionths of money.
    pub(crate) fn micros(&self, cells: &[Cell<'_>]) -> Result<Option<i64>, Reason> {
        let (terms, divisor) = match self {
            Self::Constant(value) => return Cell::text(value).to_micros(),
            Self::Columns { terms, divisor } => (terms, divisor),
        };
        let mut sum = None;
        for &term in terms {
            if let Some(micros) = cells[term].to_micros()? {
                let total = sum.unwrap_or(0i64).checked_add(micros);
                sum = Some(total.ok_or_else(|| "is outside ±9.2 trillion".to_owned())?);
            }
        }
        let (Some(sum), Some(divisor)) = (sum, divisor) else { return Ok(sum) };
        Ok(cells[*divisor].to_number()?.and_then(|divisor| cell::quotient(sum, divisor)))
    }

    /// The value as true or false.
    pub(crate) fn flag(&self, cells: &[Cell<'_>]) -> Result<Option<bool>, Reason> {
        match self {
            Self::Constant(value) => Cell::text(value).to_bool(),
            Self::Columns { terms, .. } if terms.len() == 1 => cells[terms[0]].to_bool(),
            Self::Columns { .. } => Ok(self.number(cells)?.map(|number| number > 0.0)),
        }
    }

    /// The value as a time; the first column decides.
    pub(crate) fn time(
        &self,
        cells: &[Cell<'_>],
        zone: &TimeZone,
    ) -> Result<Option<Timestamp>, Reason> {
        match self {
            Self::Constant(value) => Cell::text(value).to_time(zone),
            Self::Columns { terms, .. } if terms.len() == 1 => cells[terms[0]].to_time(zone),
            // A date column and a time column.
            Self::Columns { .. } => match self.label(cells)? {
                Some(label) => Cell::text(&label).to_time(zone),
                None => Ok(None),
            },
        }
    }
}

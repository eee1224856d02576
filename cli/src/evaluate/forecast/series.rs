//! Series as a file holds them: one value a line.

use std::path::Path;

use anyhow::{Context as _, Result, anyhow, bail};
use indexmap::IndexMap;
use jiff::{Timestamp, tz::TimeZone};

use crate::import::{Cell, Table};

/// Columns that a file must have.
const COLUMNS: [&str; 3] = ["unique_id", "ds", "y"];

/// A series in the order of its times.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Series {
    pub(super) id: String,
    /// Times as the file writes them.
    pub(super) labels: Vec<String>,
    /// Times of the values.
    pub(super) times: Vec<Timestamp>,
    pub(super) values: Vec<f64>,
}

/// A value with its time, and that as the file writes it.
type Point = (Timestamp, String, f64);

/// All series of a file in the order of their first lines.
pub(super) fn read(path: &Path) -> Result<Vec<Series>> {
    let mut table = Table::open(path, b',')?;
    let columns = table.columns().to_vec();
    let places =
        COLUMNS.map(|name| columns.iter().position(|column| column.eq_ignore_ascii_case(name)));
    let [Some(id), Some(time), Some(value)] = places else {
        bail!(
            "{} needs the columns {}; it has: {}",
            path.display(),
            COLUMNS.join(", "),
            columns.join(", ")
        );
    };
    let mut series: IndexMap<String, Vec<Point>> = IndexMap::new();
    table
        .read(&[id, time, value], &mut |line| {
            let number = line.number;
            let at = |reason: String| anyhow!("line {number}: {reason}");
            let cells = line.cells.map_err(at)?;
            let named = |name: &str, reason: String| at(format!("{name} {reason}"));
            let missing = |name: &str| at(format!("{name} is missing"));
            let label = |cell: &Cell<'_>, name: &str| {
                cell.to_label().map_err(|reason| named(name, reason))?.ok_or_else(|| missing(name))
            };
            let id = label(&cells[0], COLUMNS[0])?;
            let shown = label(&cells[1], COLUMNS[1])?;
            let time = cells[1].to_time(&TimeZone::UTC);
            let time = time.map_err(|reason| named(COLUMNS[1], reason))?;
            let time = time.ok_or_else(|| missing(COLUMNS[1]))?;
            let value = cells[2].to_number().map_err(|reason| named(COLUMNS[2], reason))?;
            let value = value.ok_or_else(|| missing(COLUMNS[2]))?;
            if !value.is_finite() {
                return Err(named(COLUMNS[2], format!("is {value}")));
            }
            series.entry(id).or_default().push((time, shown, value));
            Ok(())
        })
        .with_context(|| format!("reading {}", path.display()))?;
    series.into_iter().map(|(id, points)| ordered(id, points)).collect()
}

fn ordered(id: String, mut points: Vec<Point>) -> Result<Series> {
    points.sort_by_key(|&(time, ..)| time);
    if let Some(pair) = points.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        bail!("`{id}` has two values at {}", pair[0].1);
    }
    let mut series = Series { id, labels: Vec::new(), times: Vec::new(), values: Vec::new() };
    for (time, label, value) in points {
        series.labels.push(label);
        series.times.push(time);
        series.values.push(value);
    }
    Ok(series)
}

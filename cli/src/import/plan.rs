//! One file of an import, and how its rows become records. Both passes read it by the same plan.

use std::{borrow::Cow, collections::HashSet, fmt::Write as _, sync::Arc};

use anyhow::Result;
use jiff::tz::TimeZone;
use mercer_common::rpc::status::Violation;

use super::{
    mapping::{Fields, Kind, Source, Unresolved, amount::Settled, find},
    options::Options,
    reading::{Form, Input, Table, cell::Cell},
    rows::{
        Context,
        collector::{Amounts, Collector, Outcome},
    },
    shell::quoted,
    values::{ColumnReading, Nulls, Role, Row, Values},
};

/// A file that can be read.
#[derive(Clone)]
pub(crate) struct Plan {
    pub(crate) kind: Kind,
    pub(crate) input: Arc<Input>,
    pub(crate) form: Form,
    pub(crate) columns: Vec<String>,
    pub(crate) fields: Fields,
    pub(crate) context: Context,
    pub(crate) zone: TimeZone,
    pub(crate) options: Options,
    /// Readings of the columns, by cell.
    pub(crate) readings: Vec<ColumnReading>,
    /// Cells that are filled from above, each with the cell of its key.
    filled: Vec<(usize, usize)>,
    skips: Vec<(usize, HashSet<String>)>,
    /// Findings from when the file was opened, in sentences.
    pub(crate) notes: Vec<String>,
    /// The column of amounts of which nobody said whether they are prices of one unit.
    pub(crate) open_price: Option<String>,
}

/// A row, read.
pub(crate) struct Visit {
    pub(crate) line: u64,
    /// Bytes of the file that have been read.
    pub(crate) position: u64,
    pub(crate) outcome: Outcome,
    pub(crate) amounts: Amounts,
}

/// Peculiarities of a file, known after it has been read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Times without zone.
    pub(crate) local_times: u64,
    /// Local times that a change of the clocks skips or repeats.
    pub(crate) shifted: u64,
    /// Changes that were made to cells, and how often.
    pub(crate) changed: Vec<(&'static str, u64)>,
    /// Cells that look as if they had swallowed rows, and the line of the first.
    pub(crate) swallowing: Option<(u64, u64)>,
}

impl Plan {
    /// Opens a file and finds its fields.
    pub(crate) fn new(
        kind: Kind,
        input: Arc<Input>,
        resolve: &dyn Fn(&str, &[String]) -> Result<Fields>,
        options: &Options,
        context: Context,
        zone: TimeZone,
    ) -> Result<Self> {
        let table = Table::read_from(&input, options.form)?;
        let columns = table.columns().to_vec();
        let mut hints = table.notes().to_vec();
        if columns.len() == 1 && table.delimiter().is_some() {
            hints.push(
                "if its fields are separated by anything but commas, semicolons, tabs or |, say \
                 --delimiter"
                    .to_owned(),
            );
        }
        let mut fields = resolve(input.name(), &columns).map_err(|error| {
            let unresolved = error.downcast::<Unresolved>();
            unresolved.map_or_else(|error| error, |unresolved| unresolved.with_hints(hints).into())
        })?;
        let mut cell = |flag: &str, name: &str| match find(&columns, name) {
            Ok(column) => Ok(fields.project(column)),
            Err(_) => {
                let what = format!("{flag}: {} has no column `{name}`", input.name());
                Err(Unresolved::NoColumn { what, columns: columns.clone() })
            }
        };
        let mut filled = Vec::new();
        for fill in &options.fill_down {
            let key = cell("--fill-down", &fill.key)?;
            for column in &fill.columns {
                filled.push((cell("--fill-down", column)?, key));
            }
        }
        let mut skips = Vec::new();
        for skip in &options.skips {
            let values = skip.values.iter().cloned().collect();
            skips.push((cell("--skip", &skip.column)?, values));
        }
        if let Some(name) = &options.row_id {
            let row_id = cell("--row-id", name)?;
            fields.row_id = Some(row_id);
        }
        let form = Form { delimiter: table.delimiter(), ..options.form };
        let mut notes = table.notes().to_vec();
        let settled = match kind {
            Kind::Events => fields.settle_amount(&columns, options.amount_is),
            _ => Settled::Total,
        };
        let open_price = match settled {
            Settled::Open(column) => Some(column),
            Settled::Multiplied(column) => {
                notes.push(format!("`{column}` is of one unit: amounts are it times the quantity"));
                None
            }
            Settled::Total => None,
        };
        let options = options.clone();
        let readings = vec![ColumnReading::default(); fields.projection.len()];
        Ok(Self {
            kind,
            input,
            form,
            columns,
            fields,
            context,
            zone,
            options,
            readings,
            filled,
            skips,
            notes,
            open_price,
        })
    }

    /// The name of the column of a cell.
    pub(crate) fn column(&self, cell: usize) -> &str {
        &self.columns[self.fields.projection[cell]]
    }

    /// Which columns were taken for which fields by a common name, for people.
    pub(crate) fn guesses(&self) -> Vec<String> {
        let guessed = self.fields.guessed.iter();
        guessed.map(|(field, column)| format!("`{column}` is taken for {field}")).collect()
    }

    /// Advice for people where purchases have no amounts.
    pub(crate) fn without_amounts(&self) -> Option<String> {
        let quantity = self.fields.source("quantity")?;
        if self.fields.source("amount").is_some() {
            return None;
        }
        let mut note =
            "no amounts were read, so that nothing is known of revenue and of prices".to_owned();
        let Some(price) = self.columns.iter().find(|name| name.to_lowercase().contains("price"))
        else {
            return Some(note);
        };
        let whole = quoted(&format!("amount=`{price}`"));
        let of_one = match quantity {
            Source::Cell(cell) => quoted(&format!("amount=`{price}`*`{}`", self.column(cell))),
            _ => whole.clone(),
        };
        let _ = write!(note, ": --map {of_one} where `{price}` is of one unit");
        if of_one != whole {
            let _ = write!(note, ", or --map {whole} where it is of the whole line");
        }
        Some(note)
    }

    /// The file from its beginning.
    pub(crate) fn table(&self) -> Result<Table> {
        Table::read_from(&self.input, self.form)
    }

    /// Reads all rows into `collector` and tells each.
    pub(crate) fn read(
        &self,
        collector: &mut Collector,
        visit: &mut dyn FnMut(&mut Collector, Visit) -> Result<()>,
    ) -> Result<Seen> {
        let mut values = Values::new(self.zone.clone(), &self.context.currency);
        values.formats.clone_from(&self.options.formats);
        values.columns.clone_from(&self.readings);
        values.nulls =
            self.options.nulls.as_ref().map_or_else(Nulls::default, |words| Nulls::named(words));
        let mut above = vec![None; self.filled.len()];
        let mut table = self.table()?;
        table.read(&self.fields.projection, &mut |line| {
            let (number, position) = (line.number, line.position);
            let (outcome, amounts) = match line.cells {
                Ok(mut cells) => {
                    self.fill_down(&mut cells, &mut above);
                    let row = Row { cells: &cells, values: &values };
                    collector.add(row, self.is_skipped(&row))
                }
                Err(reason) => {
                    (Outcome::Refused(vec![Violation::new("", reason)]), Amounts::default())
                }
            };
            visit(collector, Visit { line: number, position, outcome, amounts })
        })?;
        Ok(Seen {
            local_times: values.local_times.get(),
            shifted: values.shifted.get(),
            changed: values.changed.into_inner().into_iter().collect(),
            swallowing: table.swallowing(),
        })
    }

    /// Fills blank cells from above, never across another key.
    fn fill_down(&self, cells: &mut [Cell<'_>], above: &mut [Option<(String, Cell<'static>)>]) {
        for (&(cell, key), above) in self.filled.iter().zip(above) {
            let key = cells[key].to_label().ok().flatten();
            let Some(key) = key.filter(|key| !key.is_empty()) else {
                *above = None;
                continue;
            };
            if cells[cell] != Cell::Null {
                *above = Some((key, owned(&cells[cell])));
            } else if let Some((of, value)) = above
                && *of == key
            {
                cells[cell] = value.clone();
            }
        }
    }

    fn is_skipped(&self, row: &Row<'_>) -> bool {
        self.skips.iter().any(|(cell, values)| {
            let label = row.label(*cell, Role::Name).ok().flatten();
            label.is_some_and(|label| values.contains(label.trim()))
        })
    }
}

/// A cell that outlives its row.
fn owned(cell: &Cell<'_>) -> Cell<'static> {
    match cell {
        Cell::Text(text) => Cell::Text(Cow::Owned(text.clone().into_owned())),
        Cell::Null => Cell::Null,
        Cell::Integer(number) => Cell::Integer(*number),
        Cell::Float(number) => Cell::Float(*number),
        Cell::Decimal { unscaled, scale } => Cell::Decimal { unscaled: *unscaled, scale: *scale },
        Cell::Bool(value) => Cell::Bool(*value),
        Cell::Instant(time) => Cell::Instant(*time),
        Cell::Local(time) => Cell::Local(*time),
        Cell::Clock(time) => Cell::Clock(*time),
        Cell::Malformed(reason) => Cell::Malformed(reason),
    }
}

//! Workbooks (xlsx): the first sheet that is shown, row by row. What a workbook holds in memory beside
//! its sheets, shared texts above all, is bounded before it is read.

use std::{
    borrow::Cow,
    fs::File,
    io::{BufReader, Read as _},
};

use anyhow::{Context as _, Result, bail};
use calamine::{
    DataRef, ExcelDateTime, Reader as _, SheetType, SheetVisible, Xlsx, XlsxCellReader, XlsxError,
};
use jiff::civil;
use memchr::memchr_iter;

use super::{COLUMNS, Line, ROW_BYTES, TableError, cell::Cell, guard::guarded, source::Input, zip};

/// Bytes of everything but sheets, unpacked.
const SHARED_BYTES: u64 = 256 << 20;
/// Bytes that a byte of a sheet may unpack to.
const RATIO: u64 = 1_000;

type Workbook = Xlsx<BufReader<File>>;
type Cells<'a> = XlsxCellReader<'a, BufReader<File>>;

/// An open workbook.
pub(super) struct XlsxTable {
    workbook: Workbook,
    sheet: String,
    columns: Vec<String>,
    /// The row of the header, from 0.
    header: u32,
    pub(super) notes: Vec<String>,
}

impl XlsxTable {
    /// Finds the sheet and reads its header, the first row that is not empty.
    pub(super) fn open(input: &Input) -> Result<Self> {
        let name = input.name();
        let reading = || format!("reading {name}");
        check(input).with_context(reading)?;
        let file = BufReader::new(input.file()?);
        let mut workbook =
            guarded(|| Workbook::new(file).map_err(damaged)).with_context(reading)?;
        let sheets = workbook.sheets_metadata().iter();
        let shown = sheets.filter(|sheet| {
            sheet.visible == SheetVisible::Visible && sheet.typ == SheetType::WorkSheet
        });
        let mut names = shown.map(|sheet| sheet.name.clone());
        let Some(sheet) = names.next() else { bail!("{name} has no sheet") };
        let others: Vec<String> = names.map(|name| format!("`{name}`")).collect();
        let mut notes = vec![format!("sheet `{sheet}` is read")];
        if !others.is_empty() {
            notes.push(format!(
                "not read: sheets {}; save one as CSV to read it",
                others.join(", ")
            ));
        }
        let mut columns: Vec<String> = Vec::new();
        let mut header = None;
        let mut cells = guarded(|| workbook.worksheet_cells_reader(&sheet).map_err(damaged))?;
        while let Some((row, column, cell)) = next(&mut cells).with_context(reading)? {
            let text = cell.to_label().ok().flatten().unwrap_or_default();
            if text.trim().is_empty() && header.is_none() {
                continue;
            }
            if *header.get_or_insert(row) != row {
                break;
            }
            if column >= COLUMNS {
                bail!("{name} has more than {COLUMNS} columns");
            }
            columns.resize(columns.len().max(column + 1), String::new());
            text.trim().clone_into(&mut columns[column]);
        }
        drop(cells);
        let Some(header) = header else {
            let reason = "it is empty; the first row must name the columns".to_owned();
            return Err(TableError::NotCsv { name: name.to_owned(), reason }.into());
        };
        for (index, column) in columns.iter_mut().enumerate().filter(|(_, name)| name.is_empty()) {
            *column = format!("column {}", index + 1);
        }
        Ok(Self { workbook, sheet, columns, header, notes })
    }

    /// Names of the columns, in order.
    pub(super) fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Calls `visit` with the projected cells of every row that is not empty, of a file of so many
    /// bytes.
    pub(super) fn read(
        &mut self,
        projection: &[usize],
        bytes: u64,
        visit: &mut dyn FnMut(Line<'_>) -> Result<()>,
    ) -> Result<()> {
        let sheet = &self.sheet;
        let mut cells = guarded(|| self.workbook.worksheet_cells_reader(sheet).map_err(damaged))?;
        let last = u64::from(cells.dimensions().end.0).max(1);
        let mut row = Row { number: 0, cells: vec![Cell::Null; self.columns.len()], beyond: 0 };
        let mut emit = |row: &mut Row<'_>| {
            let number = u64::from(row.number);
            let position = bytes.saturating_mul(number.min(last)) / last;
            row.line(projection, position).map_or(Ok(()), &mut *visit)
        };
        while let Some((number, column, cell)) = next(&mut cells)? {
            if number <= self.header {
                continue;
            }
            if number != row.number {
                emit(&mut row)?;
                row.number = number;
            }
            match row.cells.get_mut(column) {
                Some(place) => *place = cell,
                None if cell != Cell::Null => row.beyond = row.beyond.max(column + 1),
                None => {}
            }
        }
        emit(&mut row)
    }
}

/// A row under way.
struct Row<'a> {
    /// Number of the row, from 0.
    number: u32,
    cells: Vec<Cell<'a>>,
    /// How many columns it has, if these are more than the header's.
    beyond: usize,
}

impl<'a> Row<'a> {
    /// The row as it is visited, unless it is empty; the next one begins empty.
    fn line(&mut self, projection: &[usize], position: u64) -> Option<Line<'a>> {
        let is_blank = self.beyond == 0 && self.cells.iter().all(|cell| *cell == Cell::Null);
        let width = self.cells.len();
        let cells = match std::mem::take(&mut self.beyond) {
            0 => Ok(projection.iter().map(|&column| self.cells[column].clone()).collect()),
            fields => Err(format!("has {fields} fields, the header {width}")),
        };
        self.cells.fill(Cell::Null);
        // Rows of sheets count from 1.
        let line = Line { number: u64::from(self.number) + 1, position, cells };
        (!is_blank).then_some(line)
    }
}

/// The next cell: its row, its column and what it holds.
fn next<'a>(cells: &mut Cells<'a>) -> Result<Option<(u32, usize, Cell<'a>)>> {
    let next = guarded(|| cells.next_cell().map_err(damaged))?;
    Ok(next.map(|next| {
        let (row, column) = next.get_position();
        (row, column as usize, value(next.get_value()))
    }))
}

fn value<'a>(data: &DataRef<'a>) -> Cell<'a> {
    match data {
        DataRef::Empty => Cell::Null,
        DataRef::Int(number) => Cell::Integer(i128::from(*number)),
        DataRef::Float(number) => Cell::Float(*number),
        DataRef::Bool(value) => Cell::Bool(*value),
        DataRef::SharedString(text) => Cell::text(text),
        DataRef::String(text) | DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => {
            if text.is_empty() { Cell::Null } else { Cell::Text(Cow::Owned(text.clone())) }
        }
        DataRef::DateTime(time) => time_of(*time),
        DataRef::Error(_) => Cell::Malformed("is an error of the sheet, such as #N/A"),
    }
}

/// A cell that is formatted as a date or as a time.
fn time_of(time: ExcelDateTime) -> Cell<'static> {
    let (year, month, day, hour, minute, second, milli) = time.to_ymd_hms_milli();
    let small = |number: u8| i8::try_from(number).unwrap_or(-1);
    let nanos = i32::from(milli) * 1_000_000;
    let Ok(clock) = civil::Time::new(small(hour), small(minute), small(second), nanos) else {
        return Cell::Malformed("is no time");
    };
    // Below a day there is no date.
    if (0.0..1.0).contains(&time.as_f64()) {
        return Cell::Clock(clock);
    }
    let year = i16::try_from(year).unwrap_or(-1);
    match civil::Date::new(year, small(month), small(day)) {
        Ok(date) if time.is_datetime() => Cell::Local(date.to_datetime(clock)),
        _ => Cell::Malformed("is no time"),
    }
}

/// Refuses a workbook that would unpack to more than is held, before it is opened.
fn check(input: &Input) -> Result<()> {
    let packed = |reason: String| TableError::Packed { name: input.name().to_owned(), reason };
    let mut shared = 0;
    for member in zip::members(&mut input.file()?).map_err(|error| packed(error.to_string()))? {
        let is_sheet = member.name().starts_with("xl/worksheets/");
        let bound = member.bytes().saturating_mul(RATIO).max(SHARED_BYTES);
        let mut stream = member.open(input.file()?).map_err(|error| packed(error.to_string()))?;
        let mut buffer = vec![0; 256 << 10];
        let (mut bytes, mut run) = (0_u64, 0);
        loop {
            let read = stream.read(&mut buffer).map_err(|error| packed(error.to_string()))?;
            if read == 0 {
                break;
            }
            bytes += read as u64;
            shared += if is_sheet { 0 } else { read as u64 };
            run = longest_run(&buffer[..read], run).map_err(|()| {
                packed(format!("a cell of it has more than {} MiB", ROW_BYTES >> 20))
            })?;
            if shared > SHARED_BYTES || bytes > bound {
                let most = SHARED_BYTES >> 20;
                let reason = format!(
                    "its shared texts unpack to more than {most} MiB, or its sheets to more than \
                     {RATIO} times their size; save it as CSV"
                );
                return Err(packed(reason).into());
            }
        }
    }
    Ok(())
}

/// How many bytes follow the last `<`, counted from `before`; an error where a run is too long.
fn longest_run(bytes: &[u8], before: usize) -> Result<usize, ()> {
    let (mut run, mut from) = (before, 0);
    for at in memchr_iter(b'<', bytes) {
        if run + at - from > ROW_BYTES {
            return Err(());
        }
        (run, from) = (0, at);
    }
    let run = run + bytes.len() - from;
    if run > ROW_BYTES { Err(()) } else { Ok(run) }
}

fn damaged(error: XlsxError) -> anyhow::Error {
    anyhow::Error::from(error).context("the workbook is damaged")
}

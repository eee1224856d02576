//! Files as tables: rows with named columns, whatever the format, the encoding and the packing.

pub(crate) mod cell;
mod csv;
mod delimiter;
mod guard;
mod json;
mod parquet;
mod source;
mod text;
mod unpack;
mod xlsx;
mod zip;

use std::path::Path;

use anyhow::{Context as _, Result};
use thiserror::Error;

use self::{
    cell::Cell, csv::CsvTable, json::JsonTable, parquet::ParquetTable, text::Decoded,
    xlsx::XlsxTable,
};
pub(crate) use self::{guard::silence_decoder, source::Input, text::encoding};

/// Bytes that one row may have.
pub(crate) const ROW_BYTES: usize = 16 << 20;
/// Columns that a table may have.
pub(crate) const COLUMNS: usize = 10_000;

/// Why a file cannot be read as a table.
#[derive(Debug, Error)]
pub(crate) enum TableError {
    /// Neither complete nor Parquet.
    #[error("{name} is not a complete Parquet file: {reason}")]
    NotParquet { name: String, reason: String },
    /// A file that is not text with a header.
    #[error("{name} is not CSV: {reason}")]
    NotCsv { name: String, reason: String },
    /// Text that ends to be a table at a line.
    #[error("{name}, line {line}: {reason}")]
    Line { name: String, line: u64, reason: String },
    /// Packed in a way that is not read.
    #[error("{name} cannot be unpacked: {reason}")]
    Packed { name: String, reason: String },
}

/// How the bytes of a text file are read. What is `None` is found out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Form {
    /// Separator of the fields of a CSV line.
    pub(crate) delimiter: Option<u8>,
    /// Encoding of text without a byte order mark; UTF-8 when nobody says.
    pub(crate) encoding: Option<&'static encoding_rs::Encoding>,
}

/// A row as it is read.
pub(crate) struct Line<'a> {
    /// Line in a text file and row of a sheet (the header is 1), row in a Parquet file (the first is
    /// row 1).
    pub(crate) number: u64,
    /// How far the file has been read, in its bytes on disk.
    pub(crate) position: u64,
    /// The projected cells, or why the row has none.
    pub(crate) cells: Result<Vec<Cell<'a>>, String>,
}

/// An open file.
pub(crate) struct Table {
    format: Format,
    /// Bytes on disk.
    bytes: u64,
    notes: Vec<String>,
}

enum Format {
    Csv(CsvTable),
    Json(JsonTable),
    Parquet(Box<ParquetTable>),
    Xlsx(Box<XlsxTable>),
}

impl Table {
    /// Opens a file whose fields, if it is CSV, are separated by `delimiter`.
    pub(crate) fn open(path: &Path, delimiter: u8) -> Result<Self> {
        let form = Form { delimiter: Some(delimiter), encoding: None };
        Self::read_from(&Input::open(path)?, form)
    }

    /// Opens an input: workbooks, Parquet and JSON are known by their first bytes or their name,
    /// everything else is CSV.
    pub(crate) fn read_from(input: &Input, form: Form) -> Result<Self> {
        let name = input.name();
        if zip::is_workbook(&mut input.file()?) {
            let mut table = XlsxTable::open(input)?;
            let notes = std::mem::take(&mut table.notes);
            return Ok(Self { format: Format::Xlsx(table.into()), bytes: input.bytes(), notes });
        }
        let mut unpacked = unpack::open(input)?;
        let mut notes = std::mem::take(&mut unpacked.notes);
        if unpacked.is_parquet() {
            let file = unpacked.into_file(name).with_context(|| format!("reading {name}"))?;
            let table = ParquetTable::open(name, file)?;
            return Ok(Self { format: Format::Parquet(table.into()), bytes: input.bytes(), notes });
        }
        let inner_name = unpacked.name.clone();
        let Decoded { reader, note } = text::decode(name, unpacked.reader, form.encoding)?;
        notes.extend(note);
        let read = unpacked.read;
        let mut reader = reader;
        if reader.head()?.trim_ascii_start().starts_with(b"<") {
            let reason =
                "it is a web page or XML, perhaps of a log-in in place of the export".into();
            return Err(TableError::NotCsv { name: name.to_owned(), reason }.into());
        }
        let format = if json::looks_like(&inner_name, reader.head()?) {
            let table = JsonTable::open(name, reader, read)?;
            notes.extend(table.notes());
            Format::Json(table)
        } else {
            let (delimiter, guessed) = match form.delimiter {
                Some(delimiter) => (delimiter, false),
                None => delimiter::guess(reader.head()?),
            };
            let table = CsvTable::open(name, reader, delimiter, read)?;
            if guessed || table.delimiter() != delimiter {
                let shown = delimiter::shown(table.delimiter());
                notes.push(format!("fields are separated by {shown}"));
            }
            Format::Csv(table)
        };
        Ok(Self { format, bytes: input.bytes(), notes })
    }

    /// Names of the columns, in order.
    pub(crate) fn columns(&self) -> &[String] {
        match &self.format {
            Format::Csv(table) => table.columns(),
            Format::Json(table) => table.columns(),
            Format::Parquet(table) => table.columns(),
            Format::Xlsx(table) => table.columns(),
        }
    }

    /// What was found out about the file, for people.
    pub(crate) fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Whether a column holds lists, of which no row can be made.
    pub(crate) fn holds_lists(&self, column: usize) -> bool {
        match &self.format {
            Format::Parquet(table) => table.holds_lists(column),
            Format::Csv(_) | Format::Json(_) | Format::Xlsx(_) => false,
        }
    }

    /// How many cells hold lines that look like rows of their own, and where the first begins.
    pub(crate) fn swallowing(&self) -> Option<(u64, u64)> {
        match &self.format {
            Format::Csv(table) => table.swallowing(),
            Format::Json(_) | Format::Parquet(_) | Format::Xlsx(_) => None,
        }
    }

    /// Whether its delimiter matters: whether it is CSV.
    pub(crate) fn delimiter(&self) -> Option<u8> {
        match &self.format {
            Format::Csv(table) => Some(table.delimiter()),
            Format::Json(_) | Format::Parquet(_) | Format::Xlsx(_) => None,
        }
    }

    /// Calls `visit` with the projected cells of every row, in order.
    pub(crate) fn read(
        &mut self,
        projection: &[usize],
        visit: &mut dyn FnMut(Line<'_>) -> Result<()>,
    ) -> Result<()> {
        match &mut self.format {
            Format::Csv(table) => table.read(projection, visit),
            Format::Json(table) => table.read(projection, visit),
            Format::Parquet(table) => table.read(projection, self.bytes, visit),
            Format::Xlsx(table) => table.read(projection, self.bytes, visit),
        }
    }
}

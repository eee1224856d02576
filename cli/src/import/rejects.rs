//! Rows that were not imported, and why.

use std::path::Path;

use anyhow::Result;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::show::sheet::{Cell, Sheet};

/// A row that was not imported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Reject {
    /// Name of the file.
    pub(crate) file: String,
    /// Line of a CSV file, row of a Parquet file.
    pub(crate) line: u64,
    /// Field at fault; empty when the whole row is.
    pub(crate) field: String,
    /// Fault of the row.
    pub(crate) reason: String,
}

/// A reason and how many rows it hit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ReasonCount {
    /// The first such reason; others may differ in their numbers.
    pub(crate) reason: String,
    /// Rows.
    pub(crate) count: u64,
}

/// Rejects shown one by one.
const SHOWN: usize = 20;
/// Different reasons that are counted apart.
const REASONS: usize = 100;

/// All rejects of an import: counted, the first ones kept, all written to a file if asked.
pub(crate) struct Rejects {
    counts: IndexMap<String, ReasonCount>,
    first: Vec<Reject>,
    total: u64,
    file: Option<Sheet>,
}

impl Rejects {
    /// Writes all rejects to `path` as CSV, if there is one.
    pub(crate) fn new(path: Option<&Path>) -> Result<Self> {
        let columns = ["file", "line", "field", "reason"];
        let file = path.map(|path| Sheet::create(path, &columns)).transpose()?;
        Ok(Self { counts: IndexMap::new(), first: Vec::new(), total: 0, file })
    }

    /// Notes a row.
    pub(crate) fn add(&mut self, reject: Reject) -> Result<()> {
        self.total += 1;
        let reason = if reject.field.is_empty() {
            reject.reason.clone()
        } else {
            format!("{} {}", reject.field, reject.reason)
        };
        let mut key = pattern(&reason);
        if self.counts.len() >= REASONS && !self.counts.contains_key(&key) {
            key = "other reasons".into();
        }
        let first = if key == "other reasons" { key.clone() } else { reason };
        self.counts.entry(key).or_insert(ReasonCount { reason: first, count: 0 }).count += 1;
        if let Some(file) = &mut self.file {
            let Reject { file: name, line, field, reason } = &reject;
            let texts = [name, field, reason].map(|text| Cell::Text(text));
            let [name, field, reason] = texts;
            file.write(&[name, Cell::number(line), field, reason])?;
        }
        if self.first.len() < SHOWN {
            self.first.push(reject);
        }
        Ok(())
    }

    /// Rows rejected.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// Ends the file, and returns counts by reason, most frequent first, and the first rejects.
    pub(crate) fn finish(self) -> Result<(Vec<ReasonCount>, Vec<Reject>)> {
        if let Some(file) = self.file {
            file.finish()?;
        }
        let mut counts: Vec<ReasonCount> = self.counts.into_values().collect();
        counts.sort_by_key(|reason| std::cmp::Reverse(reason.count));
        Ok((counts, self.first))
    }
}

/// The reason with quoted values and numbers blanked, so that equal troubles count together.
fn pattern(reason: &str) -> String {
    let mut text = String::with_capacity(reason.len());
    let mut quoted = false;
    for character in reason.chars() {
        match character {
            '`' => {
                quoted = !quoted;
                text.push('`');
            }
            _ if quoted => {}
            '0'..='9' if text.ends_with('#') => {}
            '0'..='9' => text.push('#'),
            other => text.push(other),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reject(line: u64, reason: &str) -> Reject {
        Reject { file: "f.csv".into(), line, field: "quantity".into(), reason: reason.into() }
    }

    #[test]
    fn counts_by_reason_whatever_the_numbers() {
        let mut rejects = Rejects::new(None).expect("no file");
        for line in 0..30 {
            rejects.add(reject(line, &format!("is {line}; must be above 0"))).expect("kept");
        }
        rejects.add(reject(99, "`x1` is not a number")).expect("kept");
        rejects.add(reject(99, "`y` is not a number")).expect("kept");
        assert_eq!(rejects.total(), 32);
        let (counts, first) = rejects.finish().expect("no file");
        let counts: Vec<_> = counts.iter().map(|c| (c.reason.as_str(), c.count)).collect();
        assert_eq!(
            counts,
            [("quantity is 0; must be above 0", 30), ("quantity `x1` is not a number", 2)]
        );
        assert_eq!(first.len(), SHOWN);
    }
}

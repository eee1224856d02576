//! What an import tells in the end.

use std::fmt::Write as _;

use mercer_common::escape;
use serde::Serialize;

use super::rejects::{ReasonCount, Reject};
use crate::output;

/// What an import did.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    /// What the files hold.
    pub(crate) kind: String,
    /// Rows read.
    pub(crate) rows: u64,
    /// Rows that were accepted.
    pub(crate) accepted: u64,
    /// Accepted events that the cluster did not hold before; `None` when not known.
    pub(crate) new: Option<u64>,
    /// Rows that were not accepted.
    pub(crate) rejected: u64,
    /// Why rows were rejected, most frequent first.
    pub(crate) reasons: Vec<ReasonCount>,
    /// The first rejected rows.
    pub(crate) rejects: Vec<Reject>,
    /// Columns that were not used.
    pub(crate) unused_columns: Vec<String>,
    /// Wall time.
    pub(crate) seconds: f64,
    /// Queries that carry it see everything that was imported.
    pub(crate) token: String,
}

impl Report {
    /// For people.
    pub(crate) fn table(&self) -> String {
        #[expect(clippy::cast_precision_loss, reason = "for display")]
        let rate = self.rows as f64 / self.seconds.max(1e-9);
        let mut text = format!(
            "{} {} of {} rows accepted in {:.1} s ({rate:.0} rows/s)",
            output::count(self.accepted),
            self.kind,
            output::count(self.rows),
            self.seconds,
        );
        match self.new {
            Some(0) if self.accepted > 0 => {
                text.push_str("\nall of them were already loaded; nothing has changed");
            }
            Some(new) if new < self.accepted => {
                let _ = write!(
                    text,
                    "\n{} of them are new, {} were already loaded",
                    output::count(new),
                    output::count(self.accepted - new)
                );
            }
            _ => {}
        }
        if !self.unused_columns.is_empty() {
            let _ = write!(
                text,
                "\ncolumns not used: {}",
                escape::text(&self.unused_columns.join(", "))
            );
        }
        if self.rejected > 0 {
            let _ = writeln!(text, "\n{} rows rejected:", output::count(self.rejected));
            let reasons = self
                .reasons
                .iter()
                .map(|reason| vec![output::count(reason.count), reason.reason.clone()]);
            text.push_str(&output::table(&[">rows", "reason"], reasons));
            let _ = writeln!(text, "\nthe first {}:", self.rejects.len());
            let rejects = self.rejects.iter().map(|reject| {
                vec![
                    reject.file.clone(),
                    reject.line.to_string(),
                    format!("{} {}", reject.field, reject.reason).trim_start().to_owned(),
                ]
            });
            text.push_str(&output::table(&["file", ">line", "reason"], rejects));
        }
        text
    }
}

//! Why the columns of a file do not make its fields, and what to do about it.

use std::fmt;

use super::Kind;
use crate::import::{
    reading::cell::shorten,
    values::time::{self, Seen},
};

/// Columns that a message names before it only counts them.
const NAMED: usize = 30;

/// Why the columns of a file do not make its fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unresolved {
    /// A column that was named is not there: what is said of it, and the columns.
    NoColumn { what: String, columns: Vec<String> },
    /// Fields that the kind must have.
    Lacking {
        name: String,
        kind: Kind,
        fields: Vec<&'static str>,
        columns: Vec<String>,
        /// Hints on what may help, in sentences.
        hints: Vec<String>,
    },
    /// Several columns have the name that a field asks for; their places, from 1.
    Duplicate { field: String, column: String, places: Vec<usize> },
}

impl Unresolved {
    /// Names the places of the columns that are called alike, in any case.
    pub(super) fn duplicate(field: &str, column: &str, columns: &[String]) -> Self {
        let places =
            columns.iter().enumerate().filter(|(_, name)| name.eq_ignore_ascii_case(column));
        let places = places.map(|(index, _)| index + 1).collect();
        Self::Duplicate { field: field.to_owned(), column: column.to_owned(), places }
    }

    /// Adds hints on what may help where fields lack.
    pub(crate) fn with_hints(mut self, more: impl IntoIterator<Item = String>) -> Self {
        if let Self::Lacking { hints, .. } = &mut self {
            hints.extend(more);
        }
        self
    }

    /// The message, a line for each thing to know.
    pub(crate) fn lines(&self) -> Vec<String> {
        match self {
            Self::NoColumn { what, columns } => {
                vec![what.clone(), format!("it has: {}", listed(columns))]
            }
            Self::Lacking { name, kind, fields, columns, hints } => {
                let first = fields[0];
                let value =
                    if first == "type" { "purchase (or view, rating, ...)" } else { "VALUE" };
                let mut lines = vec![
                    format!("{name} has no column for {}", fields.join(", ")),
                    format!("it has: {}", listed(columns)),
                    kind.known(),
                ];
                if columns.iter().any(|column| is_value(column)) {
                    lines.push(
                        "its first line looks like a row: put a line with the names of the \
                                columns before it"
                            .to_owned(),
                    );
                }
                lines.extend(hints.iter().cloned());
                lines.push(format!(
                    "name columns with --map {first}=COLUMN, or give all rows one value with \
                     --set {first}={value}; `mercer import inspect` shows what the file holds"
                ));
                lines
            }
            Self::Duplicate { field, column, places } => {
                let shown: Vec<String> = places.iter().map(ToString::to_string).collect();
                vec![format!(
                    "columns {} are all named `{column}`: say which one with --map \
                     '{field}={column}#1' (the first of them), '{field}={column}#2' and so on",
                    shown.join(" and ")
                )]
            }
        }
    }
}

impl fmt::Display for Unresolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines().join("; "))
    }
}

impl std::error::Error for Unresolved {}

/// Whether a name is a number or a time, as cells are.
fn is_value(name: &str) -> bool {
    name.parse::<f64>().is_ok() || matches!(time::see(name), Seen::Time(_) | Seen::Ordered { .. })
}

/// Names of columns, as many as can be read.
pub(crate) fn listed(columns: &[String]) -> String {
    let mut shown: Vec<String> = columns.iter().take(NAMED).map(|column| shorten(column)).collect();
    if columns.len() > NAMED {
        shown.push(format!("and {} more", columns.len() - NAMED));
    }
    shown.join(", ")
}

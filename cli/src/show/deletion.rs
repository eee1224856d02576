//! What a deletion has done, as it is shown.

use mercer_common::escape;
use serde::Serialize;

use crate::show::output;

/// Ids that are named in a line.
const NAMED: usize = 5;

/// Outcome of a deletion.
#[derive(Debug, Serialize)]
pub(crate) struct Deleted {
    /// Items or users, as they were given.
    pub(crate) deleted: Vec<String>,
    /// Ids of which there was nothing to delete.
    pub(crate) absent: Vec<String>,
    pub(crate) token: String,
    #[serde(skip)]
    pub(crate) noun: String,
}

/// The first ids, and how many more there are.
pub(crate) fn named(ids: &[String]) -> String {
    let first: Vec<_> = ids.iter().take(NAMED).map(|id| escape::text(id)).collect();
    let first = first.join(", ");
    match ids.len().saturating_sub(NAMED) {
        0 => first,
        more => format!("{first} and {} more", output::count(more as u64)),
    }
}

impl Deleted {
    pub(crate) fn text(&self) -> String {
        let mut text = format!("deleted {} {}", self.noun, named(&self.deleted));
        if !self.absent.is_empty() {
            let absent = named(&self.absent);
            text.push_str(&format!("\nthere was nothing to delete of {absent}"));
        }
        text
    }
}

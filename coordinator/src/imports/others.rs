//! Whether another source has loaded the rows of a new one: the same shop's export in another layout.
//!
//! What a row is about is compared, not what else it says: one more column may tell more of it.

use mercer_common::artifact::ArtifactStore;

use super::{
    ImportError,
    register::{Month, Months, OpenMonth},
    row::Day,
};

/// The register of another source, gone through beside an announcement.
#[derive(Debug)]
pub(super) struct Other {
    source_id: String,
    months: Months,
    open: Option<(Month, OpenMonth)>,
    /// The day under way, and how many of its rows have had their turn.
    day: Option<Day>,
    turn: usize,
    shared: u64,
}

impl Other {
    pub(super) fn new(source_id: String, months: Months) -> Self {
        Self { source_id, months, open: None, day: None, turn: 0, shared: 0 }
    }

    /// Counts `rows` rows of `day` as shared if it has loaded one of this key. Days and keys within a
    /// day are ascending.
    pub(super) fn count(
        &mut self,
        store: &ArtifactStore,
        day: Day,
        key: &[u8; 12],
        rows: usize,
    ) -> Result<(), ImportError> {
        let of_source = |error| ImportError::Artifact(error).of_source(&self.source_id);
        let Some(month) = Month::of(day).filter(|month| self.months.contains_key(month)) else {
            return Ok(());
        };
        if self.open.as_ref().is_none_or(|(open, _)| *open != month) {
            self.open =
                Some((month, OpenMonth::open(store, &self.months, month).map_err(of_source)?));
        }
        if self.day != Some(day) {
            (self.day, self.turn) = (Some(day), 0);
        }
        let Some((_, open)) = &self.open else { return Ok(()) };
        let known = open.day(day).map_err(of_source)?;
        while known.get(self.turn).is_some_and(|known| known.key < *key) {
            self.turn += 1;
        }
        if known.get(self.turn).is_some_and(|known| known.key == *key) {
            self.shared += rows as u64;
        }
        Ok(())
    }
}

/// The source that shares most rows, and how many; the first by name of several.
pub(super) fn most_shared(others: Vec<Other>) -> Option<(String, u64)> {
    let sharing = others.into_iter().filter(|other| other.shared > 0);
    let most = sharing.min_by(|left, right| {
        right.shared.cmp(&left.shared).then_with(|| left.source_id.cmp(&right.source_id))
    });
    most.map(|other| (other.source_id, other.shared))
}

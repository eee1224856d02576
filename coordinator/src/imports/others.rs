//! Whether another source has loaded the rows of a new one: the same shop's export in another layout.
//!
//! What a row is about is compared, not what else it says: one more column may tell more of it.

use mercer_common::artifact::{ArtifactError, ArtifactStore};

use super::{
    ImportError,
    register::{Month, Months, OpenMonth},
    row::{Day, Known},
};

/// The register of another source, gone through beside an announcement.
#[derive(Debug)]
pub(super) struct Other {
    source_id: String,
    months: Months,
    open: Option<(Month, OpenMonth)>,
    /// Whether it has loaded anything of the day under way, and how many of that day's rows have
    /// had their turn.
    is_here: bool,
    turn: usize,
    shared: u64,
}

impl Other {
    pub(super) fn new(source_id: String, months: Months) -> Self {
        Self { source_id, months, open: None, is_here: false, turn: 0, shared: 0 }
    }

    /// Goes on to a day, which is behind those before.
    pub(super) fn move_to(&mut self, store: &ArtifactStore, day: Day) -> Result<(), ImportError> {
        (self.is_here, self.turn) = (false, 0);
        let Some(month) = Month::of(day).filter(|month| self.months.contains_key(month)) else {
            return Ok(());
        };
        if self.open.as_ref().is_none_or(|(open, _)| *open != month) {
            let open = OpenMonth::open(store, &self.months, month);
            self.open = Some((month, open.map_err(|error| self.unreadable(error))?));
        }
        self.is_here = !self.known(day).is_empty();
        Ok(())
    }

    /// Counts `rows` rows of the day as shared if it has loaded one of this key. Keys are ascending.
    pub(super) fn count(&mut self, day: Day, key: &[u8; 12], rows: usize) {
        if !self.is_here {
            return;
        }
        let known = self.known(day);
        let turn = self.turn + known[self.turn..].partition_point(|known| known.key < *key);
        let is_shared = known.get(turn).is_some_and(|known| known.key == *key);
        self.turn = turn;
        self.shared += if is_shared { rows as u64 } else { 0 };
    }

    fn known(&self, day: Day) -> &[Known] {
        self.open.as_ref().map_or(&[], |(_, open)| open.day(day))
    }

    fn unreadable(&self, error: ArtifactError) -> ImportError {
        ImportError::Artifact(error).of_source(&self.source_id)
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

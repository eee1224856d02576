//! Metadata and log belong together: each knows where the other one stood.
//!
//! A change is made in metadata first, which keeps where the log ended, and is then noted in the
//! log, and acknowledged when both are durable. So metadata may be one change ahead of the log's
//! note, which is what a crash in between leaves, and never behind it.

use std::path::Path;

use async_trait::async_trait;

use super::{MetadataOpenError, State};
use crate::log::{
    EventLog as _, LogError, Mark,
    embedded::{EmbeddedLog, LogStand, MetadataNote},
};

/// A log that metadata is compared with, open or not.
pub trait Standing {
    /// The last state of the metadata that it was told; `None` before the first.
    fn noted(&self) -> Option<MetadataNote>;

    /// Where the log ends.
    fn mark(&self) -> Mark;

    /// Whether it holds what was read through `mark`.
    fn accepts(&self, mark: Mark) -> bool;
}

/// An open log that metadata is tied to.
#[async_trait]
pub trait TiedLog: Standing + Send + Sync + 'static {
    /// Notes a state, durably.
    async fn note(&self, note: MetadataNote) -> Result<(), LogError>;
}

impl Standing for LogStand {
    fn noted(&self) -> Option<MetadataNote> {
        Self::noted(self)
    }

    fn mark(&self) -> Mark {
        Self::mark(self)
    }

    fn accepts(&self, mark: Mark) -> bool {
        Self::accepts(self, mark)
    }
}

#[async_trait]
impl TiedLog for EmbeddedLog {
    async fn note(&self, note: MetadataNote) -> Result<(), LogError> {
        Self::note(self, note).await
    }
}

impl Standing for EmbeddedLog {
    fn noted(&self) -> Option<MetadataNote> {
        Self::noted(self)
    }

    fn mark(&self) -> Mark {
        let position = self.end();
        Mark { epoch: self.epoch_at(position), position }
    }

    fn accepts(&self, mark: Mark) -> bool {
        crate::log::EventLog::accepts(self, mark)
    }
}

/// What a folder of metadata says of its own state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// There is none, or it has no entries.
    Nothing,
    /// It was written before there were states.
    Unstated,
    /// The state after its last change, with which everything that was read agrees.
    Stated(State),
}

/// Refuses metadata that does not belong to a log of before metadata had states: it is of a time after
/// the log was converted, which is therefore an old copy.
pub(super) fn check_before(folder: &Path, found: Found) -> Result<(), MetadataOpenError> {
    match found {
        Found::Nothing | Found::Unstated => Ok(()),
        Found::Stated(State { mark, .. }) => {
            Err(MetadataOpenError::Ahead { folder: folder.to_owned(), position: mark.position })
        }
    }
}

/// Refuses metadata that does not belong to the log.
pub(super) fn check(
    folder: &Path,
    found: Found,
    log: &dyn Standing,
) -> Result<(), MetadataOpenError> {
    let folder = folder.to_owned();
    let noted = log.noted();
    let older = |changes, noted: MetadataNote| MetadataOpenError::Older {
        folder: folder.clone(),
        changes,
        noted: noted.changes,
    };
    match (found, noted) {
        (Found::Nothing, None) if log.mark().position == 0 => Ok(()),
        (Found::Nothing, _) => Err(MetadataOpenError::Missing { folder }),
        (Found::Unstated, None) => Ok(()),
        (Found::Unstated, Some(noted)) => Err(older(0, noted)),
        (Found::Stated(state), noted) => {
            let noted = noted.unwrap_or_default();
            let is_next = Some(state.changes) == noted.changes.checked_add(1);
            if !log.accepts(state.mark) {
                Err(MetadataOpenError::Ahead { folder, position: state.mark.position })
            } else if state.note() == noted || (is_next && state.before == noted.digest) {
                Ok(())
            } else if state.changes < noted.changes {
                Err(older(state.changes, noted))
            } else {
                Err(MetadataOpenError::Foreign { folder, changes: state.changes })
            }
        }
    }
}

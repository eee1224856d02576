//! Where a log stands, told without opening it: whoever may refuse a start looks before anything is
//! written, and opening a log writes.

use std::path::Path;

use super::{
    EmbeddedLog, MetadataNote, OpenError,
    disk::MachineDisk,
    old,
    survey::{Survey, survey},
};
use crate::log::{Epochs, Mark, Sequence};

/// What a log that is not open says of itself.
#[derive(Clone, Debug)]
pub struct LogStand {
    end: Sequence,
    epochs: Epochs,
    noted: Option<MetadataNote>,
}

impl EmbeddedLog {
    /// Where the log in `folder` stands, at its beginning when there is none; `None` for a log of
    /// before, which knows nothing of metadata. Reads only.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn stand(folder: &Path) -> Result<Option<LogStand>, OpenError> {
        match survey(&MachineDisk, &old::place(folder)) {
            Ok(Survey { end, epochs, noted, .. }) => Ok(Some(LogStand { end, epochs, noted })),
            Err(OpenError::Before { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl LogStand {
    /// The last state of the metadata that the log was told.
    #[must_use]
    pub fn noted(&self) -> Option<MetadataNote> {
        self.noted
    }

    /// Where the log ends.
    #[must_use]
    pub fn mark(&self) -> Mark {
        Mark { epoch: self.epochs.at(self.end), position: self.end }
    }

    /// Whether it holds what was read through `mark`.
    #[must_use]
    pub fn accepts(&self, mark: Mark) -> bool {
        self.epochs.accept(mark, self.end)
    }
}

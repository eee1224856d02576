//! Removes old segments. How far is stored first, so that a log that begins later than it says has
//! lost something.

use std::io;

use super::{
    Shared,
    position_file::{self, TRIM},
};
use crate::log::Sequence;

impl Shared {
    /// Removes the segments that hold nothing after `through`, but never the last one. Returns the
    /// last position that is gone. Blocks on the disk.
    pub(super) fn trim(&self, through: Sequence) -> io::Result<Sequence> {
        let _trimming = self.trimming.lock();
        if let Some((firsts, last)) = self.segments.trimmable(through) {
            position_file::write(&*self.disk, &self.folder.join(TRIM), last)?;
            self.segments.forget_through(last);
            for first in firsts {
                // One that stays behind is removed at the next start.
                self.disk.remove(&self.segments.path(first))?;
            }
        }
        Ok(self.segments.trimmed_through())
    }
}

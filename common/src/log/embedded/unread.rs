//! Why stored bytes are not read.

use std::path::Path;

use super::OpenError;

/// Why stored bytes are not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// They are not what was written.
    Damaged(&'static str),
    /// Their checksum holds, and a newer release wrote them: they are whole, whatever follows.
    Newer(&'static str),
}

impl Unread {
    /// Words for people.
    pub(super) fn detail(self) -> &'static str {
        match self {
            Self::Damaged(detail) | Self::Newer(detail) => detail,
        }
    }

    /// Why a log is refused that has these bytes at `place`.
    pub(super) fn refuses(self, folder: &Path, place: &str) -> OpenError {
        let folder = folder.to_owned();
        let detail = format!("{place}: {}", self.detail());
        match self {
            Self::Damaged(_) => OpenError::Damaged { folder, detail },
            Self::Newer(_) => OpenError::Newer { folder, detail },
        }
    }
}

impl From<&'static str> for Unread {
    fn from(detail: &'static str) -> Self {
        Self::Damaged(detail)
    }
}

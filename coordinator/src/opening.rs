//! What callers are told while log and metadata are opened, which takes long when a log of an earlier
//! release is converted.

use std::{fmt, time::Duration};

use mercer_common::rpc::status::{Code, Describe, Description};
use parking_lot::Mutex;
use thiserror::Error;

/// Time after which to ask again.
const AGAIN: Duration = Duration::from_secs(1);

/// How far the opening is.
#[derive(Debug, Default)]
pub(crate) struct Opening {
    /// The segment of the earlier log that is converted, of how many.
    converts: Mutex<Option<(usize, usize)>>,
}

impl Opening {
    /// Notes that a segment of the earlier log is converted now, of so many.
    pub(crate) fn converts(&self, segment: usize, of: usize) {
        *self.converts.lock() = Some((segment, of));
    }

    /// Why a call cannot be answered yet.
    pub(crate) fn refusal(&self) -> LogOpening {
        LogOpening { converts: *self.converts.lock() }
    }
}

/// The log is not open yet.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub(crate) struct LogOpening {
    converts: Option<(usize, usize)>,
}

impl fmt::Display for LogOpening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.converts {
            None => write!(f, "the coordinator is opening its log and metadata"),
            Some((segment, of)) => write!(
                f,
                "the coordinator is converting the log of an earlier release: segment {segment} of {of}"
            ),
        }
    }
}

impl Describe for LogOpening {
    fn describe(&self) -> Description {
        let description = Description::new(Code::Unavailable, "LOG_OPENING").retry_after(AGAIN);
        match self.converts {
            None => description,
            Some((segment, of)) => description.with("segment", segment).with("segments", of),
        }
    }
}

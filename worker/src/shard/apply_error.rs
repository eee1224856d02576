//! Why a section of the log, or what a file holds of a state, cannot be taken.

use mercer_common::{event::APPLY_VERSION, money::MoneyError};
use thiserror::Error;

use super::interner::InternerFull;

/// Why a section cannot be applied. Its shard stops: to leave it out would lose data silently.
#[derive(Clone, Debug, Error)]
pub enum ApplyError {
    /// Not a section.
    #[error("the section is not readable: {0}")]
    Undecodable(#[from] prost::DecodeError),
    /// A section that ingest would not have written.
    #[error("the section is malformed: {0}")]
    Malformed(&'static str),
    /// The log holds what a later release wrote.
    #[error("{0} is of a kind that this release does not know; upgrade this worker")]
    UnknownRecord(&'static str),
    /// From here on records mean what a later release knows.
    #[error(
        "records mean what apply version {version} says from here on, and this release knows \
         {APPLY_VERSION}; upgrade this worker"
    )]
    NewerVersion {
        /// As the log says.
        version: u32,
    },
    /// More distinct items than handles.
    #[error("users of the shard refer to more than 2^32 items, or to 4 GiB of ids")]
    InternerFull,
}

impl From<MoneyError> for ApplyError {
    fn from(_: MoneyError) -> Self {
        Self::Malformed("an amount of money is none")
    }
}

impl From<InternerFull> for ApplyError {
    fn from(InternerFull: InternerFull) -> Self {
        Self::InternerFull
    }
}

//! Writes what training reads of a shard: at the marker of a job, from the live state and nothing
//! else.

pub(crate) mod content;
mod error;
pub(crate) mod interactions;
pub(crate) mod series;
pub(crate) mod users;

pub(crate) use error::CutError;
pub(in crate::shard) use error::FailedCuts;

/// Name of the phase in artifact paths.
pub(crate) const PHASE: &str = "cut";

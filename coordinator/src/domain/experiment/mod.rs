//! Experiments: their definitions, who belongs to which arm, and what came of it.
//!
//! Definitions lie in metadata and in memory; who is in which arm is computed and never stored.
//! What users did is counted by workers, from the exposures and events of the log.

mod assignment;
mod check;
mod error;
mod report;
mod store;
mod tally;

pub(crate) use assignment::{Draw, arm_of};
pub(crate) use error::{ExperimentError, ReportError};
pub(crate) use store::Experiments;
pub(crate) use tally::Reports;

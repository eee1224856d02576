//! Training jobs: a queue, one job at a time, phase by phase, until a version serves.
//!
//! A job is a record in metadata that changes by compare-and-set only; whatever a phase has
//! finished is in it, so that a restarted coordinator goes on where the last one was. Training
//! itself happens at workers. Owns the keys `jobs/*` and `requests/*`. Proven by `tests/jobs.rs`.

mod error;
mod garbage;
pub(crate) mod kinds;
mod list;
mod manifest;
mod phase;
mod publish;
pub(crate) mod published;
mod request;
mod runner;
mod setback;
mod space;
mod spec;
mod start;
mod store;
mod tasks;
mod view;

pub(crate) use error::JobError;
pub(crate) use kinds::algorithms;
pub(crate) use list::list_jobs;
pub(crate) use runner::Runner;
pub(crate) use space::JobSpace;
pub(crate) use start::JobDefaults;
pub(crate) use store::{JOBS, JobStore, NUMBERS, number};
pub(crate) use view::has_ended;

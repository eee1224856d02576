//! The engine of questions: which shards are asked, in which version, and what their answers are worth.
//!
//! A call picks its placement and version once. Owns no state and changes nothing. Missing shards are
//! judged in [`coverage`] only. What a question says and how its answers are merged belongs to the
//! [domains](crate::domain). Proven by `tests/queries.rs`, `tests/decisions.rs` and others with workers
//! that fail on demand, and by the tests beside each module.

pub(crate) mod algorithm;
mod choice;
mod coverage;
mod decision;
mod error;
mod fanout;
mod page;
mod token;

use std::sync::Arc;

use mercer_common::log::EventLog;

use crate::cluster::{identity::Identity, versions::Versions};
pub(crate) use choice::{Choice, Course};
pub(crate) use coverage::{Verdict, judge};
pub(crate) use decision::{Batch, Context, Decision, Decisions, check_place};
pub(crate) use error::AskError;
pub(crate) use fanout::{CallError, Fanout, Restart, any, owner, reserve};
pub(crate) use page::{Listing, PAGE_BYTES, Page, Place};
pub(crate) use token::Required;

/// What every question needs: the way to the shards, the versions that may answer, and the log that
/// tokens are of.
#[derive(Clone)]
pub(crate) struct Engine {
    pub(crate) fanout: Fanout,
    pub(crate) versions: Arc<Versions>,
    pub(crate) identity: Identity,
    pub(crate) log: Arc<dyn EventLog>,
}

//! Queries: which shards to ask, what to make of their answers.
//!
//! A call picks its placement and version once. Owns no state and changes nothing. Missing
//! shards are judged in [`coverage`] only; order and cut of results in [`merge`] only. Proven by
//! `tests/queries.rs`, `tests/decisions.rs` and others with workers that fail on demand, and by the
//! tests beside each module.

pub(crate) mod algorithm;
mod attribution;
mod choice;
mod coverage;
mod decision;
mod describe;
mod directory;
pub(crate) mod error;
mod experiments;
pub(crate) mod fanout;
mod lookup;
mod merge;
mod policies;
mod popular;
mod recommend;
mod similar_users;
pub(crate) mod token;

use std::sync::Arc;

use mercer_common::log::EventLog;

pub(crate) use decision::{Batch, Decision, Decisions};
pub(crate) use describe::Overview;
pub(crate) use error::{QueryError, RecommendError, ReportError};
pub(crate) use experiments::Reports;
pub(crate) use lookup::Catalog;
pub(crate) use policies::Policies;
pub(crate) use recommend::Recommender;

use crate::cluster::{identity::Identity, versions::Versions};
use fanout::Fanout;

/// What every question needs: the way to the shards, the versions that may answer, and the log that
/// tokens are of.
#[derive(Clone)]
pub(crate) struct Engine {
    pub(crate) fanout: Fanout,
    pub(crate) versions: Arc<Versions>,
    pub(crate) identity: Identity,
    pub(crate) log: Arc<dyn EventLog>,
}

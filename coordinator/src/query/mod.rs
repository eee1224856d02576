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

use mercer_common::{clock::SharedClock, log::EventLog, process::Process};
use mercer_proto::internal::DecisionDefaults;

pub(crate) use decision::{Batch, Decision};

use crate::{
    cluster::{identity::Identity, versions::Versions},
    experiments::Experiments,
    ingest::Ingest,
};
use fanout::Fanout;

/// Answers queries.
pub(crate) struct Queries {
    pub(crate) fanout: Fanout,
    pub(crate) versions: Arc<Versions>,
    pub(crate) identity: Identity,
    pub(crate) log: Arc<dyn EventLog>,
    pub(crate) clock: SharedClock,
    pub(crate) default_algorithm: String,
    pub(crate) decision_defaults: DecisionDefaults,
    pub(crate) experiments: Arc<Experiments>,
    /// Logs what users of experiments are shown.
    pub(crate) ingest: Arc<Ingest>,
    /// The coordinator's own.
    pub(crate) process: Arc<Process>,
}

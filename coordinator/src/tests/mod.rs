//! Tests of a whole coordinator through its API: a log and metadata in memory that fail on
//! demand, workers that answer as they are told.

mod ahead;
mod apply_version;
mod batches;
mod catalog;
mod cluster;
mod damage;
mod decisions;
mod directory;
mod experiments;
pub(crate) mod golden;
mod health;
mod identities;
mod ids_in_use;
mod import_sources;
mod imports;
mod ingest;
mod jobs;
mod keeping;
mod kinds;
mod manifests;
mod memory;
mod queries;
mod recommend;
mod recommend_stream;
mod room;
mod rules;
mod space;
mod steps;
mod terms;
mod worker;

pub(crate) use cluster::TestCluster;
pub(crate) use memory::{SteppedClock, TestClock, TestLog};
pub(crate) use worker::{FakeWorker, gone, internal_error};

pub(crate) use mercer_common::metadata::memory::MemoryMetadata as TestMetadata;
use mercer_common::rpc::status::reason;
use tonic::Status;
use tonic_types::StatusExt as _;

/// Code, reason and field paths of a status.
pub(crate) fn details(status: &Status) -> (tonic::Code, String, Vec<String>) {
    let fields = status
        .get_details_bad_request()
        .map(|bad| bad.field_violations.into_iter().map(|one| one.field).collect())
        .unwrap_or_default();
    (status.code(), reason(status).unwrap_or_default(), fields)
}

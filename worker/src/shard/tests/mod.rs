//! Proves what the shards promise: see each file.

mod bounds;
mod content_cut;
mod dedup;
mod experiments;
mod failed_cuts;
mod files;
mod golden;
mod golden_cuts;
mod golden_keeping;
mod golden_ledgers;
mod keeping;
mod keeping_workload;
mod ledger;
mod limits;
mod lookups;
mod model;
mod model_items;
mod model_ledger;
mod refold;
mod replay;
mod series;
mod series_cut;
mod versions;
mod workload;

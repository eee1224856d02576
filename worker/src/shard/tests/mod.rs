//! Proves what the shards promise: see each file.

mod dedup;
mod files;
mod limits;
mod lookups;
mod model;
mod replay;
mod workload;

//! A worker: holds shards of the live state, answers queries about them, and runs training
//! tasks.
//!
//! The log is the truth: [`shard`] fetches and applies it and writes snapshots, so that
//! everything in a worker's folder can be deleted and rebuilt.

mod compute;
mod membership;
mod service;
mod serving;
pub mod shard;
mod store;
mod training;

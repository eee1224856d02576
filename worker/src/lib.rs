//! A worker: holds shards of the live state, answers queries about them, and runs training
//! tasks.
//!
//! The log is the truth: [`shard`] fetches and applies it and writes snapshots, so that
//! everything in a worker's folder can be deleted and rebuilt. A [`Worker`] listens at once and
//! answers when it has registered, loaded its shards and caught up with the log.

mod artifact;
mod backoff;
mod compute;
mod domain;
mod generation;
mod membership;
mod serve;
mod service;
pub mod shard;
mod start;
mod store;
mod supervisor;
mod task;
#[cfg(test)]
mod tests;
mod version;

pub use compute::ComputeError;
pub use start::{StartError, Worker, WorkerHandle};
pub use store::StoreError;

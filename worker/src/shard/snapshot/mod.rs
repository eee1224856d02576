//! Snapshots of shards, so that a restart replays only the end of the log.

mod codec;
mod file;

pub(crate) use file::{SnapshotError, Stamp, Writer, read};

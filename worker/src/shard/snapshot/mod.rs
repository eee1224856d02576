//! Snapshots of shards, so that a restart replays only the end of the log.

mod codec;
mod file;
mod items;
mod rounds;

pub(crate) use file::Stamp;
pub(crate) use rounds::Snapshots;
#[cfg(test)]
pub(super) use rounds::due;

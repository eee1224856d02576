//! Snapshots of shards, so that a restart replays only the end of the log.
//!
//! A snapshot names the epoch and the highest position that it holds. Only the log can tell whether
//! they are of its own history, so the newest file is not simply loaded: the worker asks, and loads the
//! newest of those that the log accepts. What cannot be used is set aside, not deleted.

mod codec;
mod file;
mod items;
mod reader;
mod rounds;
mod shelf;
mod writer;

pub(crate) use file::Stamp;
pub(crate) use rounds::{FLOOR, Snapshots};
pub(crate) use shelf::check_formats;
#[cfg(test)]
pub(super) use {file::HEADER_BYTES, rounds::due};

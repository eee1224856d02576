//! Backups: everything that the cluster of one machine is made of, as it was at one moment.
//!
//! | in a backup | what it is |
//! |---|---|
//! | `backup.json` | what there is: each file with its size and hash |
//! | `FORMAT` | as in every data folder |
//! | `log/` | the log, whose end is taken last |
//! | `metadata.entries` | keys and values of the metadata |
//! | `artifacts/` | the files of the versions that the metadata names |
//! | `imports/` | the registers of imported files that the metadata names |
//! | `workers/ID/shards/` | snapshots of the workers whose folders lie in the coordinator's |
//!
//! A backup is made while the cluster runs, in an order in which nothing is ahead of the log:
//! snapshots, metadata, the files that it names, the log. Files that are not written any more are
//! linked, so that a backup takes little time and space until it is copied to another machine. What
//! is restored is another log, with an incarnation of its own: nobody takes it for the one that went
//! on after the backup. Proven by `tests`.

mod create;
mod entries;
mod error;
#[cfg(test)]
mod golden_tests;
mod manifest;
mod restore;
#[cfg(test)]
mod tests;
mod verify;

pub(crate) use create::Locks;
pub use create::{Backup, Backups};
pub use error::BackupError;
pub use manifest::{BackedUpFile, BackupManifest};
pub use restore::{Restored, restore};
pub use verify::verify;

/// How far a backup is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BackupProgress {
    /// Bytes that are checked.
    pub bytes_done: u64,
    /// Bytes in all; 0 until that is known.
    pub bytes: u64,
}

/// Names below a backup's folder.
const LOG: &str = "log";
const ENTRIES: &str = "metadata.entries";
const ARTIFACTS: &str = "artifacts";
const IMPORTS: &str = "imports";
const WORKERS: &str = "workers";
/// Name below a worker's folder.
const SHARDS: &str = "shards";

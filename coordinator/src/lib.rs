//! The coordinator: takes in events and catalogue changes, assigns shards to workers, runs
//! training jobs, and answers queries from what workers say.

mod ask;
mod backup;
mod cluster;
mod data_folder;
mod defaults;
mod domain;
mod health;
mod imports;
mod ingest;
mod jobs;
mod opening;
mod overview;
mod rebuild;
mod server;
mod service;
mod stamp;
mod start;
#[cfg(test)]
mod tests;
mod time;
mod validate;

pub use backup::{
    BackedUpFile, Backup, BackupError, BackupManifest, BackupProgress, Backups, Restored, restore,
    verify,
};
pub use cluster::identity::IdentityError;
pub use data_folder::FolderError;
pub use imports::ImportsError;
pub use ingest::ApplyVersionError;
pub use rebuild::{Rebuild, RebuildError, RebuildReport, RebuiltVersion};
pub use server::ListenError;
pub use start::{Coordinator, CoordinatorHandle, StartError};

//! What a worker keeps in sled: in [`results`] what training gave by item, and a small database that
//! keeps other processes out of its folder. Only this module names sled. Losing it costs time, never
//! data.
//!
//! The small database named the snapshot of each shard before the log decided which one is loaded; it
//! is left in it, and read no more.

mod block;
mod results;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use thiserror::Error;

pub(crate) use results::{Results, ResultsError, ResultsStore};

/// A worker's own small database, whose folder is locked as long as it lives.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    _db: sled::Db,
}

/// Why the store failed.
#[derive(Debug, Error)]
pub enum StoreError {
    /// Another process has it open.
    #[error("{} is in use by another process; give every worker its own worker.data_dir", path.display())]
    Locked {
        /// Which folder.
        path: PathBuf,
    },
    /// It cannot be opened or read.
    #[error(
        "{} cannot be used: {error}; delete worker.data_dir, and the shards are rebuilt from the log",
        path.display()
    )]
    Sled {
        /// Which folder.
        path: PathBuf,
        /// What sled says.
        #[source]
        error: sled::Error,
    },
}

impl Store {
    /// Opens the store in `data_dir`, which is created if necessary.
    pub(crate) fn open(data_dir: &Path) -> Result<Self, StoreError> {
        let path = data_dir.join("store");
        let opened = sled::Config::new().path(&path).cache_capacity(1 << 20).open();
        match opened {
            Ok(db) => Ok(Self { _db: db }),
            Err(error) if is_locked(&error) => Err(StoreError::Locked { path }),
            Err(error) => Err(StoreError::Sled { path, error }),
        }
    }
}

fn is_locked(error: &sled::Error) -> bool {
    match error {
        sled::Error::Io(error) => {
            error.kind() == std::io::ErrorKind::WouldBlock
                || error.to_string().contains("could not acquire lock")
        }
        _ => false,
    }
}

//! What a worker keeps in sled: which file is the snapshot of a shard, and in [`results`] what
//! training gave by item. Only this module names sled. Losing it costs time, never data.
//!
//! | key | value |
//! |---|---|
//! | `snapshot/` and the shard as u16, big endian | format 1 as one byte, name of the file |

mod block;
mod results;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use mercer_common::slot::ShardId;
use thiserror::Error;

pub(crate) use results::{Results, ResultsError, ResultsStore};

const FORMAT: u8 = 1;

/// A worker's own small database.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    db: sled::Db,
    path: PathBuf,
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
            Ok(db) => Ok(Self { db, path }),
            Err(error) if is_locked(&error) => Err(StoreError::Locked { path }),
            Err(error) => Err(StoreError::Sled { path, error }),
        }
    }

    /// The name of the file that is the snapshot of `shard`.
    pub(crate) fn snapshot(&self, shard: ShardId) -> Result<Option<String>, StoreError> {
        let value = self.db.get(snapshot_key(shard)).map_err(|error| self.failed(error))?;
        Ok(value.and_then(|value| match value.split_first() {
            Some((&FORMAT, name)) => String::from_utf8(name.to_vec()).ok(),
            _ => None,
        }))
    }

    /// Notes that the file at `path` is now the snapshot of `shard`.
    pub(crate) fn set_snapshot(&self, shard: ShardId, path: &Path) -> Result<(), StoreError> {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let value = [&[FORMAT], name.as_bytes()].concat();
        self.db.insert(snapshot_key(shard), value).map_err(|error| self.failed(error))?;
        self.db.flush().map_err(|error| self.failed(error))?;
        Ok(())
    }

    fn failed(&self, error: sled::Error) -> StoreError {
        StoreError::Sled { path: self.path.clone(), error }
    }
}

fn snapshot_key(shard: ShardId) -> Vec<u8> {
    [b"snapshot/".as_slice(), &shard.to_be_bytes()].concat()
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

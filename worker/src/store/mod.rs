//! What a worker keeps in sled: which file is the snapshot of a shard, and in [`results`] what
//! training gave by item. Only this module names sled. Losing it costs time, never data: what is
//! damaged is set aside and begun anew.
//!
//! | key | value |
//! |---|---|
//! | `snapshot/` and the shard as u16, big endian | format 1 as one byte, name of the file |

mod block;
mod results;
#[cfg(test)]
mod tests;

use std::{
    fs, io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::Arc,
};

use mercer_common::slot::ShardId;
use parking_lot::RwLock;
use thiserror::Error;

pub(crate) use results::{Results, ResultsError, ResultsStore};

const FORMAT: u8 = 1;

/// A worker's own small database.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    /// `None` only while it is begun anew.
    db: Arc<RwLock<Option<sled::Db>>>,
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
    /// The file system refused.
    #[error("cannot use {}: {source}; check the folder's space and permissions", path.display())]
    Io {
        /// Which folder.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// It cannot be read, although it is new.
    #[error(
        "{} cannot be used: {detail}; delete worker.data_dir, and the shards are rebuilt from the log",
        path.display()
    )]
    Damaged {
        /// Which folder.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
}

impl Store {
    /// Opens the store in `data_dir`, which is created if necessary; one that is damaged is set
    /// aside.
    pub(crate) fn open(data_dir: &Path) -> Result<Self, StoreError> {
        let path = data_dir.join("store");
        let opened = match open_sled(&path) {
            Err(StoreError::Damaged { detail, .. }) => begin_anew(&path, &detail),
            opened => opened,
        };
        Ok(Self { db: Arc::new(RwLock::new(Some(opened?))), path })
    }

    /// The name of the file that is the snapshot of `shard`.
    pub(crate) fn snapshot(&self, shard: ShardId) -> Result<Option<String>, StoreError> {
        let value = self.ask(|db| db.get(snapshot_key(shard)))?;
        Ok(value.and_then(|value| match value.split_first() {
            Some((&FORMAT, name)) => String::from_utf8(name.to_vec()).ok(),
            _ => None,
        }))
    }

    /// Notes that the file at `path` is now the snapshot of `shard`.
    pub(crate) fn set_snapshot(&self, shard: ShardId, path: &Path) -> Result<(), StoreError> {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let value = [&[FORMAT], name.as_bytes()].concat();
        let set = || {
            self.ask(|db| {
                db.insert(snapshot_key(shard), value.as_slice())?;
                db.flush()
            })
        };
        match set() {
            Err(StoreError::Damaged { detail, .. }) => {
                let mut db = self.db.write();
                drop(db.take());
                *db = Some(begin_anew(&self.path, &detail)?);
                drop(db);
                set()?;
            }
            other => {
                other?;
            }
        }
        Ok(())
    }

    fn ask<T>(
        &self,
        question: impl FnOnce(&sled::Db) -> Result<T, sled::Error>,
    ) -> Result<T, StoreError> {
        let db = self.db.read();
        let Some(db) = db.as_ref() else {
            return Err(damaged(&self.path, "it could not be begun anew"));
        };
        // sled panics on some kinds of damage.
        match catch_unwind(AssertUnwindSafe(|| question(db))) {
            Ok(answer) => answer.map_err(|error| failed(&self.path, error)),
            Err(_) => Err(damaged(&self.path, "it cannot be read")),
        }
    }
}

fn open_sled(path: &Path) -> Result<sled::Db, StoreError> {
    let config = sled::Config::new().path(path).cache_capacity(1 << 20);
    // sled panics on some kinds of damage.
    match catch_unwind(AssertUnwindSafe(|| config.open())) {
        Ok(Ok(db)) => Ok(db),
        Ok(Err(error)) => Err(failed(path, error)),
        Err(_) => Err(damaged(path, "it cannot be recovered")),
    }
}

/// An empty store in the place of a damaged one, which is set aside.
fn begin_anew(path: &Path, detail: &str) -> Result<sled::Db, StoreError> {
    tracing::error!(folder = %path.display(), detail, "the worker's store is begun anew");
    set_aside(path).map_err(|source| StoreError::Io { path: path.to_owned(), source })?;
    open_sled(path)
}

/// Renames a folder that cannot be used; the one that was set aside before it goes.
fn set_aside(folder: &Path) -> io::Result<()> {
    let mut name = folder.file_name().unwrap_or_default().to_owned();
    name.push(".set-aside");
    let aside = folder.with_file_name(name);
    let there = |done: io::Result<()>| match done {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    };
    there(fs::remove_dir_all(&aside))?;
    there(fs::rename(folder, &aside))
}

fn failed(path: &Path, error: sled::Error) -> StoreError {
    if is_locked(&error) {
        return StoreError::Locked { path: path.to_owned() };
    }
    match error {
        sled::Error::Io(source) => StoreError::Io { path: path.to_owned(), source },
        error => damaged(path, &error.to_string()),
    }
}

fn damaged(path: &Path, detail: &str) -> StoreError {
    StoreError::Damaged { path: path.to_owned(), detail: detail.to_owned() }
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

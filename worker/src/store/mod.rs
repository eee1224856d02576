//! What a worker keeps in sled: in [`results`] what training gave by item, and a small database that
//! keeps other processes out of its folder. Only this module names sled. Losing it costs time, never
//! data: what is damaged is set aside and begun anew.
//!
//! The small database named the snapshot of each shard before the log decided which one is loaded; it
//! is left in it, and read no more.

mod block;
#[cfg(test)]
mod golden_tests;
mod results;
#[cfg(test)]
mod tests;

use std::{
    fs, io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

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
        Ok(Self { _db: opened? })
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

fn is_locked(error: &sled::Error) -> bool {
    match error {
        sled::Error::Io(error) => {
            error.kind() == std::io::ErrorKind::WouldBlock
                || error.to_string().contains("could not acquire lock")
        }
        _ => false,
    }
}

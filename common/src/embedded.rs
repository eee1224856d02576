//! A sled database whose commits survive a power cut.
//!
//! sled's flush only hands its file to the operating system, so [`Database::sync`] also syncs
//! that file, through a descriptor opened before the first write: a descriptor opened later
//! might not report an earlier failure. Nodes above a quarter of the segment size would go to
//! files that are never synced; values of at most [`VALUE`] bytes, of which a node holds at most
//! 17, stay below.

use std::{
    fs::{self, File, TryLockError},
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use thiserror::Error;

use crate::space;

/// Bytes of a value.
pub(crate) const VALUE: usize = 96 << 10;
const SEGMENT: usize = 8 << 20;
/// How often, and how long apart, the lock is tried: sled releases it a moment after closing.
const LOCK_ATTEMPTS: u32 = 50;
const LOCK_DELAY: Duration = Duration::from_millis(100);

/// An open database.
pub(crate) struct Database {
    db: sled::Db,
    file: File,
    folder: PathBuf,
}

/// Why a database could not be opened.
#[derive(Debug, Error)]
pub(crate) enum DatabaseError {
    /// Another process has it open.
    #[error("it is in use by another process")]
    Locked,
    /// The database cannot be recovered.
    #[error("{0}")]
    Damaged(String),
    /// The file system refused.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// What went wrong with the database in `folder`, for people.
pub(crate) fn in_words(error: &sled::Error, folder: &Path) -> String {
    match error {
        sled::Error::Io(error) => space::in_words(error, folder),
        other => format!("{}: {other}", folder.display()),
    }
}

fn io_error(error: sled::Error) -> io::Error {
    match error {
        sled::Error::Io(error) => error,
        other => io::Error::other(other),
    }
}

impl Database {
    /// Opens the database in `folder`, or creates it. Blocks on the disk.
    pub(crate) fn open(folder: &Path, cache_bytes: u64) -> Result<Self, DatabaseError> {
        let db = open_sled(folder, cache_bytes)?;
        let file = File::options().read(true).write(true).open(folder.join("db"))?;
        Ok(Self { db, file, folder: folder.to_owned() })
    }

    /// Makes everything in the folder durable, and the folder itself; to be called once after
    /// creation.
    pub(crate) fn sync_creation(&self) -> io::Result<()> {
        self.db.flush().map_err(io_error)?;
        for entry in fs::read_dir(&self.folder)? {
            File::open(entry?.path())?.sync_all()?;
        }
        for folder in self.folder.ancestors().take(2) {
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    }

    /// Makes all changes so far durable. After an error nobody knows what is stored: write
    /// nothing any more, and open it again.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.db.flush().map_err(io_error)?;
        self.file.sync_data()
    }

    /// Makes all changes durable, closes it, and waits until sled has let go of its file.
    pub(crate) fn close(self) -> io::Result<()> {
        self.sync()?;
        let Self { db, file, .. } = self;
        drop(db);
        for _ in 0..LOCK_ATTEMPTS * 10 {
            match file.try_lock() {
                Ok(()) => return Ok(()),
                Err(TryLockError::WouldBlock) => thread::sleep(LOCK_DELAY / 10),
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
        Err(io::Error::new(io::ErrorKind::WouldBlock, "the database does not close"))
    }

    /// Folder of the database.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }
}

impl std::fmt::Debug for Database {
    /// Without the content, all of which sled would read and print.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl std::ops::Deref for Database {
    type Target = sled::Tree;

    fn deref(&self) -> &sled::Tree {
        &self.db
    }
}

/// Opens it, waiting for an earlier owner in this process to let go of it.
fn open_sled(folder: &Path, cache_bytes: u64) -> Result<sled::Db, DatabaseError> {
    let config = sled::Config::new()
        .path(folder)
        .segment_size(SEGMENT)
        .cache_capacity(cache_bytes)
        .flush_every_ms(None);
    for _ in 0..LOCK_ATTEMPTS {
        // sled panics on some kinds of damage.
        let detail = match catch_unwind(AssertUnwindSafe(|| config.open())) {
            Ok(Ok(db)) => return Ok(db),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "the database cannot be recovered".to_owned(),
        };
        if !detail.contains("could not acquire lock") {
            return Err(DatabaseError::Damaged(detail));
        }
        thread::sleep(LOCK_DELAY);
    }
    Err(DatabaseError::Locked)
}

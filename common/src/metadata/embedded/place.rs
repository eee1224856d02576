//! The folder of the metadata, and how a checked copy takes its place.
//!
//! | name | what it is |
//! |---|---|
//! | `metadata` | the truth: read and copied, renamed, and opened only when it is a checked copy |
//! | `metadata.opening` | a copy that is being checked, or a new store; removed and made anew at each start |
//! | `metadata.before` | what was the truth until a checked copy took its place, for a moment |
//! | `metadata.set-aside` | what could not be used; kept |
//! | `metadata.lock` | locked as long as somebody uses any of them |

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use crate::{files::copy_folder, metadata::MetadataOpenError};

/// The folder of the metadata and its neighbours, locked.
#[derive(Debug)]
pub(super) struct Place {
    folder: PathBuf,
    /// Steps of a test that still succeed; what follows is as if the process had died.
    #[cfg(test)]
    pub(super) steps: std::sync::atomic::AtomicUsize,
    _lock: File,
}

impl Place {
    /// Locks the place of `folder`, and puts back what a crash left in the middle of a swap.
    pub(super) fn lock(folder: &Path) -> Result<Self, MetadataOpenError> {
        let parent = folder.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(parent).map_err(MetadataOpenError::io(parent))?;
        let path = beside(folder, "lock");
        let lock = File::create(&path).map_err(MetadataOpenError::io(&path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(MetadataOpenError::Locked { folder: folder.to_owned() });
            }
            Err(TryLockError::Error(error)) => return Err(MetadataOpenError::io(&path)(error)),
        }
        let place = Self {
            folder: folder.to_owned(),
            #[cfg(test)]
            steps: std::sync::atomic::AtomicUsize::new(usize::MAX),
            _lock: lock,
        };
        let before = place.before();
        if !folder.exists() && before.exists() {
            rename(&before, folder).map_err(MetadataOpenError::io(&before))?;
        }
        Ok(place)
    }

    /// Folder of the metadata in force.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn opening(&self) -> PathBuf {
        beside(&self.folder, "opening")
    }

    fn before(&self) -> PathBuf {
        beside(&self.folder, "before")
    }

    /// An empty folder for a copy or a new store.
    pub(super) fn clear_opening(&self) -> Result<PathBuf, MetadataOpenError> {
        let opening = self.opening();
        self.step().and_then(|()| remove(&opening)).map_err(MetadataOpenError::io(&opening))?;
        let created = self.step().and_then(|()| fs::create_dir(&opening));
        created.map_err(MetadataOpenError::io(&opening))?;
        Ok(opening)
    }

    /// Copies the metadata in force, durably.
    pub(super) fn copy(&self) -> Result<PathBuf, MetadataOpenError> {
        let opening = self.clear_opening()?;
        let copied = self.step().and_then(|()| copy_folder(&self.folder, &opening));
        copied.map_err(MetadataOpenError::io(&self.folder))?;
        Ok(opening)
    }

    /// Puts the copy in the place of the truth, which stays as `metadata.before` until
    /// [`Self::forget_before`].
    pub(super) fn swap(&self) -> Result<(), MetadataOpenError> {
        let before = self.before();
        if self.folder.exists() {
            // One that a crash left: the truth was checked and is as new.
            self.step().and_then(|()| remove(&before)).map_err(MetadataOpenError::io(&before))?;
            let moved = self.step().and_then(|()| rename(&self.folder, &before));
            moved.map_err(MetadataOpenError::io(&self.folder))?;
        }
        self.take_place()
    }

    /// Puts a new store in the place of the truth, which is kept under another name; returns it.
    pub(super) fn set_aside(&self) -> Result<Option<PathBuf>, MetadataOpenError> {
        let mut aside = None;
        if self.folder.exists() {
            let names = (1..).map(|number| match number {
                1 => beside(&self.folder, "set-aside"),
                _ => beside(&self.folder, &format!("set-aside-{number}")),
            });
            let free = names.into_iter().find(|path| !path.exists()).expect("numbers do not end");
            let moved = self.step().and_then(|()| rename(&self.folder, &free));
            moved.map_err(MetadataOpenError::io(&self.folder))?;
            aside = Some(free);
        }
        self.take_place()?;
        Ok(aside)
    }

    fn take_place(&self) -> Result<(), MetadataOpenError> {
        let opening = self.opening();
        let synced = self.step().and_then(|()| sync(&opening));
        let moved = synced.and_then(|()| self.step()).and_then(|()| rename(&opening, &self.folder));
        moved.map_err(MetadataOpenError::io(&opening))
    }

    /// Removes what was the truth before the swap.
    pub(super) fn forget_before(&self) -> Result<(), MetadataOpenError> {
        let before = self.before();
        self.step().and_then(|()| remove(&before)).map_err(MetadataOpenError::io(&before))
    }

    /// Counts a step, and fails where a test wants the process to have died.
    #[cfg_attr(
        not(test),
        expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "for tests")
    )]
    fn step(&self) -> io::Result<()> {
        #[cfg(test)]
        {
            use std::sync::atomic::Ordering::Relaxed;
            let counted =
                self.steps.fetch_update(Relaxed, Relaxed, |steps: usize| steps.checked_sub(1));
            counted.map_err(|_| io::Error::other("the process died here"))?;
        }
        Ok(())
    }
}

/// The name beside `folder` that ends in `suffix`.
fn beside(folder: &Path, suffix: &str) -> PathBuf {
    let mut name = folder.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(suffix);
    folder.with_file_name(name)
}

fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Renames, durably. Both names lie in one folder.
fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    File::open(to.parent().unwrap_or(Path::new(".")))?.sync_all()
}

/// Makes everything in a folder durable.
fn sync(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync(&entry.path())?;
        } else {
            File::open(entry.path())?.sync_all()?;
        }
    }
    File::open(folder)?.sync_all()
}

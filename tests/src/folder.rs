//! Folders of files, and what may happen to them.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use anyhow::Context as _;

/// Copies a folder and everything below it, in the order in which its entries are listed, as `cp -r`
/// does. What goes away meanwhile is left out, as it is by whoever copies a folder in use.
///
/// # Errors
/// When a file cannot be read or written.
pub fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    let listed = fs::read_dir(from).with_context(|| format!("listing {}", from.display()));
    for entry in listed? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        let Ok(kind) = entry.file_type() else { continue };
        let copied = if kind.is_dir() {
            copy(&entry.path(), &target)
        } else {
            fs::copy(entry.path(), &target).map(|_| ()).map_err(anyhow::Error::from)
        };
        if copied.is_err() && entry.path().exists() {
            return copied.with_context(|| format!("copying {}", entry.path().display()));
        }
    }
    Ok(())
}

/// All files below a folder with their content, by their path in it. Folders without files are not
/// seen.
///
/// # Errors
/// When one cannot be read.
pub fn contents(folder: &Path) -> anyhow::Result<BTreeMap<PathBuf, Vec<u8>>> {
    let files = files(folder)?.into_iter().map(|path| {
        let content = fs::read(folder.join(&path))?;
        Ok((path, content))
    });
    files.collect()
}

/// The paths of all files below a folder, in order.
///
/// # Errors
/// When a folder cannot be listed.
pub fn files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    walk(folder, Path::new(""), &mut |path, is_folder| {
        if !is_folder {
            found.push(path.to_owned());
        }
    })?;
    found.sort();
    Ok(found)
}

/// The paths of a folder, which is empty, and of all folders below it, in order.
///
/// # Errors
/// When a folder cannot be listed.
pub fn folders(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = vec![PathBuf::new()];
    walk(folder, Path::new(""), &mut |path, is_folder| {
        if is_folder {
            found.push(path.to_owned());
        }
    })?;
    found.sort();
    Ok(found)
}

fn walk(root: &Path, below: &Path, see: &mut dyn FnMut(&Path, bool)) -> anyhow::Result<()> {
    for entry in fs::read_dir(root.join(below))? {
        let entry = entry?;
        let path = below.join(entry.file_name());
        let is_folder = entry.file_type()?.is_dir();
        see(&path, is_folder);
        if is_folder {
            walk(root, &path, see)?;
        }
    }
    Ok(())
}

/// The paths that two folders do not have alike.
#[must_use]
pub fn differences(
    left: &BTreeMap<PathBuf, Vec<u8>>,
    right: &BTreeMap<PathBuf, Vec<u8>>,
) -> Vec<PathBuf> {
    let paths = left.keys().chain(right.keys().filter(|path| !left.contains_key(*path)));
    paths.filter(|path| left.get(*path) != right.get(*path)).cloned().collect()
}

/// Damage to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// The file is gone.
    Removed,
    /// Nothing is left in it.
    Emptied,
    /// Half of what was written is left.
    Cut,
    /// One bit in the middle of what was written is another.
    Flipped,
}

impl Damage {
    /// All kinds of damage.
    pub const ALL: [Self; 4] = [Self::Removed, Self::Emptied, Self::Cut, Self::Flipped];

    /// Damages a file; returns whether that changed anything.
    ///
    /// # Errors
    /// When the file cannot be changed.
    pub fn strike(self, path: &Path) -> anyhow::Result<bool> {
        let content = fs::read(path)?;
        // What is reserved ahead reads as zeros and says nothing.
        let written = content.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        match self {
            Self::Removed => fs::remove_file(path)?,
            Self::Emptied if content.is_empty() => return Ok(false),
            Self::Emptied => File::options().write(true).open(path)?.set_len(0)?,
            Self::Cut | Self::Flipped if written == 0 => return Ok(false),
            Self::Cut => File::options().write(true).open(path)?.set_len(written as u64 / 2)?,
            Self::Flipped => {
                let middle = written / 2;
                let file = File::options().write(true).open(path)?;
                file.write_all_at(&[content[middle] ^ 1], middle as u64)?;
            }
        }
        Ok(true)
    }
}

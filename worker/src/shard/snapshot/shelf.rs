//! The snapshot files in a worker's folder: which there are, which are kept, what is set aside.

use std::{
    fmt::Display,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use mercer_common::slot::ShardId;

use super::{
    file::{SnapshotError, parse_name},
    reader,
};

/// Snapshots kept of a shard: where the log refuses the newest, the one before may be of use.
const KEPT: usize = 2;
/// What is added to the name of a file that cannot be used.
const SET_ASIDE: &str = ".set-aside";

/// Where a worker keeps its snapshots.
#[derive(Clone, Debug)]
pub(super) struct Shelf {
    folder: Arc<Path>,
}

/// Refuses the start of a worker whose folder holds a snapshot of a later release, which would be
/// of use no more once this one had gone on.
pub(crate) fn check_formats(data_dir: &Path) -> Result<(), SnapshotError> {
    let folder = folder_in(data_dir);
    if !folder.exists() {
        return Ok(());
    }
    let files = Shelf { folder: folder.into() }.all()?;
    files
        .iter()
        .filter(|path| parse_name(path).is_some())
        .try_for_each(|path| reader::check_format(path))
}

fn folder_in(data_dir: &Path) -> PathBuf {
    data_dir.join("shards")
}

impl Shelf {
    /// The shelf below `worker.data_dir`; removes what a crash left unfinished.
    pub(super) fn open(data_dir: &Path) -> Result<Self, SnapshotError> {
        let shelf = Self { folder: folder_in(data_dir).into() };
        fs::create_dir_all(&shelf.folder).map_err(|error| shelf.failed(error))?;
        for path in shelf.all()? {
            if is_unfinished(&path) {
                fs::remove_file(&path).map_err(|error| shelf.failed(error))?;
            }
        }
        Ok(shelf)
    }

    /// Where the files lie.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The snapshots of a shard, in the order of the watermarks that their names say.
    pub(super) fn files(&self, shard: ShardId) -> Result<Vec<PathBuf>, SnapshotError> {
        let watermark = |path: &PathBuf| parse_name(path).filter(|(of, _)| *of == shard);
        let mut files = self.all()?;
        files.retain(|path| watermark(path).is_some());
        files.sort_by_key(|path| watermark(path).map(|(_, watermark)| watermark));
        Ok(files)
    }

    /// Gives a file that cannot be used another name, under which it is not looked at again. Of
    /// these, a shard has one: an older one goes.
    pub(super) fn set_aside(&self, shard: ShardId, path: &Path, reason: &dyn Display) {
        let aside = add_to_name(path, SET_ASIDE);
        let result = fs::rename(path, &aside).and_then(|()| {
            for other in self.all().map_err(io::Error::other)? {
                if other != aside && is_set_aside(&other, shard) {
                    fs::remove_file(&other)?;
                }
            }
            Ok(())
        });
        let file = path.display();
        match result {
            Ok(()) => tracing::warn!(shard, %file, %reason, "snapshot set aside"),
            Err(error) => tracing::error!(shard, %file, %reason, %error, "snapshot not set aside"),
        }
    }

    /// Removes what is too old beside the snapshot that was just written, whatever its name says:
    /// it is the newest one. What a later release wrote, which came while this one ran, stays.
    pub(super) fn keep(&self, shard: ShardId, written: &Path) -> Result<(), SnapshotError> {
        let mut others = self.files(shard)?;
        others.retain(|path| path != written && reader::check_format(path).is_ok());
        let too_many = (others.len() + 1).saturating_sub(KEPT);
        others[..too_many].iter().try_for_each(fs::remove_file).map_err(|error| self.failed(error))
    }

    fn all(&self) -> Result<Vec<PathBuf>, SnapshotError> {
        let entries = fs::read_dir(&self.folder).map_err(|error| self.failed(error))?;
        let paths = entries.map(|entry| entry.map(|entry| entry.path()));
        paths.collect::<Result<_, _>>().map_err(|error| self.failed(error))
    }

    fn failed(&self, error: io::Error) -> SnapshotError {
        SnapshotError::Io { path: self.folder.to_path_buf(), error }
    }
}

/// Whether it is what a crash left of a snapshot that was being written.
fn is_unfinished(path: &Path) -> bool {
    let is_temporary = path.extension().is_some_and(|extension| extension == "temporary");
    is_temporary && path.is_file() && parse_name(&path.with_extension("snapshot")).is_some()
}

fn add_to_name(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

fn is_set_aside(path: &Path, shard: ShardId) -> bool {
    let name = path.to_str().and_then(|path| path.strip_suffix(SET_ASIDE));
    name.and_then(|name| parse_name(Path::new(name))).is_some_and(|(of, _)| of == shard)
}

//! Rows by month, on disk as they become too many for memory.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

use bytemuck::{Pod, Zeroable};
use mercer_common::{artifact::ArtifactError, log::Sequence};

use super::{
    register::Month,
    row::{Day, Known},
};

/// Below the folder of registers. What a crash left of another one goes.
const FOLDER: &str = "rebuilding";
/// Rows in memory: 36 MiB.
const HELD: usize = 1 << 20;

/// A row and where it lies in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Placed {
    pub(super) position: Sequence,
    pub(super) day: Day,
    pub(super) known: Known,
}

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Entry {
    position: Sequence,
    known: Known,
    day: Day,
    padding: u32,
}

/// Rows by month.
pub(super) struct Spill {
    folder: PathBuf,
    held: BTreeMap<Month, Vec<Entry>>,
    count: usize,
}

impl Spill {
    /// One at a time below a folder.
    pub(super) fn new(below: &Path) -> Result<Self, ArtifactError> {
        let folder = below.join(FOLDER);
        let made = match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => fs::create_dir_all(&folder),
        };
        made.map_err(io_error("write", &folder))?;
        Ok(Self { folder, held: BTreeMap::new(), count: 0 })
    }

    /// Takes a row; one that no month can have is dropped.
    pub(super) fn add(&mut self, row: Placed) -> Result<(), ArtifactError> {
        let Placed { position, day, known } = row;
        let Some(month) = Month::of(day) else { return Ok(()) };
        self.held.entry(month).or_default().push(Entry { position, known, day, padding: 0 });
        self.count += 1;
        if self.count < HELD {
            return Ok(());
        }
        for (month, rows) in &mut self.held {
            let path = self.folder.join(month.name());
            append(&path, rows).map_err(io_error("write", &path))?;
            rows.clear();
        }
        self.count = 0;
        Ok(())
    }

    /// The months of all rows.
    pub(super) fn months(&self) -> Vec<Month> {
        self.held.keys().copied().collect()
    }

    /// The rows of a month, which go with it.
    pub(super) fn take(&mut self, month: Month) -> Result<Vec<Placed>, ArtifactError> {
        let path = self.folder.join(month.name());
        let mut bytes = Vec::new();
        match File::open(&path).and_then(|mut file| file.read_to_end(&mut bytes)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(io_error("read", &path)(error));
            }
            _ => {}
        }
        let (whole, _) = bytes.as_chunks::<{ size_of::<Entry>() }>();
        let spilled = whole.iter().map(|entry| bytemuck::pod_read_unaligned::<Entry>(entry));
        let held = self.held.remove(&month).unwrap_or_default();
        let rows = spilled.chain(held);
        Ok(rows.map(|Entry { position, known, day, .. }| Placed { position, day, known }).collect())
    }
}

/// Writes rows to the end of a file, which is made when it is not there.
fn append(path: &Path, rows: &[Entry]) -> io::Result<()> {
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    file.write_all(bytemuck::cast_slice(rows))
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ArtifactError {
    let path = path.to_owned();
    move |source| ArtifactError::Io { action, path, source }
}

impl Drop for Spill {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

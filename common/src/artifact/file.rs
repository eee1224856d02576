//! An artifact as its readers see it: mapped and verified.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use bytemuck::Pod;
use memmap2::Mmap;
use xxhash_rust::xxh3::Xxh3;

use super::{
    ArtifactError,
    format::{self, Contents, Extent},
};

/// An open artifact. It stays readable after the file has been removed.
#[derive(Debug)]
pub struct Artifact {
    path: PathBuf,
    map: Mmap,
    kind: String,
    sections: Vec<Extent>,
}

impl Artifact {
    /// Maps the file and reads it once to verify it against `hash`.
    pub(super) fn open(path: &Path, bytes: u64, hash: u64) -> Result<Self, ArtifactError> {
        let damaged = |detail: String| ArtifactError::Damaged { path: path.to_owned(), detail };
        let file = File::open(path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => ArtifactError::Missing { path: path.to_owned() },
            _ => ArtifactError::io("open", path)(source),
        })?;
        let found = file.metadata().map_err(ArtifactError::io("open", path))?.len();
        if found != bytes {
            return Err(damaged(format!("it has {found} bytes instead of {bytes}")));
        }
        let map = map(&file).map_err(ArtifactError::io("map", path))?;
        let Contents { kind, sections, hash: stored } =
            format::contents(&map).map_err(|detail| damaged(detail.to_owned()))?;
        let mut hasher = Xxh3::new();
        hasher.update(&map[..map.len() - size_of::<u64>()]);
        let computed = hasher.digest();
        if computed != stored || computed != hash {
            return Err(damaged(format!(
                "its content hashes to {computed:016x}, its trailer says {stored:016x}, its name {hash:016x}"
            )));
        }
        Ok(Self { path: path.to_owned(), map, kind, sections })
    }

    /// What the file holds, as named by its writer.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Requires the file to hold `kind`.
    ///
    /// # Errors
    /// [`ArtifactError::Layout`] when it holds something else.
    pub fn expect_kind(&self, kind: &str) -> Result<(), ArtifactError> {
        if self.kind == kind {
            return Ok(());
        }
        let found = &self.kind;
        let detail = format!(
            "holds `{found}` where `{kind}` is read; train again if it is of before an upgrade"
        );
        Err(self.layout(detail))
    }

    /// Number of sections.
    #[must_use]
    pub fn sections(&self) -> usize {
        self.sections.len()
    }

    /// Section `index` as values; aligned to 64 bytes.
    ///
    /// # Errors
    /// [`ArtifactError::Layout`] when there is no such section, or it is no whole number of `T`.
    pub fn section<T: Pod>(&self, index: usize) -> Result<&[T], ArtifactError> {
        let extent = self.sections.get(index).ok_or_else(|| {
            self.layout(format!("has {} sections; {index} was asked for", self.sections.len()))
        })?;
        let start = usize::try_from(extent.offset).expect("lies within the map");
        let bytes = usize::try_from(extent.bytes).expect("lies within the map");
        bytemuck::try_cast_slice(&self.map[start..start + bytes]).map_err(|error| {
            self.layout(format!(
                "section {index} of {bytes} bytes cannot be read as {}: {error}",
                std::any::type_name::<T>()
            ))
        })
    }

    /// Bytes of the file.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.map.len() as u64
    }

    /// An error about the content of this file, for readers that find it inconsistent.
    pub fn layout(&self, detail: impl Into<String>) -> ArtifactError {
        ArtifactError::Layout { path: self.path.clone(), detail: detail.into() }
    }
}

#[expect(unsafe_code, reason = "mapping a file has no safe form")]
fn map(file: &File) -> io::Result<Mmap> {
    // SAFETY: artifacts are written under another name, and are never changed or shortened once
    // they have their own; removing one keeps the mapped pages alive.
    unsafe { Mmap::map(file) }
}

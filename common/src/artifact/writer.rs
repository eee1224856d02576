//! Writes an artifact piece by piece.

use std::{
    fs::{self, File},
    io::{BufWriter, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use bytemuck::Pod;
use uuid::Uuid;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::{
    ArtifactError, ArtifactRef,
    format::{self, BLOCK, Extent},
    names::{UNFINISHED, only},
};

/// Bytes that are handed to the system at once. Many kernels take no thread off its core within a
/// call, and what serves is not to wait for many megabytes to be copied.
const BUFFER: usize = BLOCK;

/// An artifact under construction. Dropping it without [`finish`](Self::finish) leaves nothing
/// behind.
pub struct ArtifactWriter {
    /// Where the store is.
    store: Arc<Path>,
    /// Relative to the store's folder; the hash completes it.
    prefix: String,
    temporary: Temporary,
    output: BufWriter<File>,
    /// Hasher of the block under way, which takes `hashed` bytes so far.
    hasher: Xxh3,
    hashed: usize,
    /// Checksums of the blocks that are complete.
    blocks: Vec<u64>,
    position: u64,
    sections: Vec<Extent>,
}

impl ArtifactWriter {
    pub(super) fn create(
        store: Arc<Path>,
        prefix: String,
        kind: &str,
    ) -> Result<Self, ArtifactError> {
        if kind.is_empty() || kind.len() > format::KIND || !kind.is_ascii() {
            return Err(ArtifactError::Name { name: kind.to_owned() });
        }
        let target = store.join(&prefix);
        let folder = target.parent().expect("the prefix names folders");
        fs::create_dir_all(folder).map_err(ArtifactError::io("create", folder))?;
        let path = folder.join(format!(".{}{UNFINISHED}", Uuid::new_v4().simple()));
        let file = File::create_new(&path).map_err(ArtifactError::io("create", &path))?;
        let mut writer = Self {
            store,
            prefix,
            temporary: Temporary { path, armed: true },
            output: BufWriter::with_capacity(BUFFER, file),
            hasher: Xxh3::new(),
            hashed: 0,
            blocks: Vec::new(),
            position: 0,
            sections: Vec::new(),
        };
        writer.write(&format::header(kind))?;
        Ok(writer)
    }

    /// Adds a section that is at hand as a whole; sections are numbered from 0.
    ///
    /// # Errors
    /// [`ArtifactError::Io`].
    pub fn section<T: Pod>(&mut self, values: &[T]) -> Result<(), ArtifactError> {
        self.begin_section()?;
        self.append(values)
    }

    /// Begins an empty section, which the following [`append`](Self::append) calls fill.
    ///
    /// # Errors
    /// [`ArtifactError::Io`].
    pub fn begin_section(&mut self) -> Result<(), ArtifactError> {
        self.pad()?;
        self.sections.push(Extent { offset: self.position, bytes: 0 });
        Ok(())
    }

    /// Appends values to the last section.
    ///
    /// # Errors
    /// [`ArtifactError::Io`], and [`ArtifactError::Layout`] when no section was begun.
    pub fn append<T: Pod>(&mut self, values: &[T]) -> Result<(), ArtifactError> {
        let bytes: &[u8] = bytemuck::cast_slice(values);
        let Some(section) = self.sections.last_mut() else {
            let detail = "values were appended before any section began".to_owned();
            return Err(ArtifactError::Layout { path: self.temporary.path.clone(), detail });
        };
        section.bytes += bytes.len() as u64;
        self.write(bytes)
    }

    /// Completes the file, makes it durable and gives it its name.
    ///
    /// The same content under the same name returns the file that exists already.
    ///
    /// # Errors
    /// [`ArtifactError::Nondeterministic`] when the name exists with other content, and
    /// [`ArtifactError::Io`].
    pub fn finish(mut self) -> Result<ArtifactRef, ArtifactError> {
        self.pad()?;
        if self.hashed > 0 {
            self.close_block();
        }
        let mut footer = format::footer(&self.blocks, &self.sections, self.position);
        let hash = xxh3_64(&footer);
        footer.extend(hash.to_le_bytes());
        self.output.write_all(&footer).map_err(ArtifactError::io("write", &self.temporary.path))?;
        self.position += footer.len() as u64;

        if let Some(existing) = only(&self.store, &self.prefix, hash)? {
            return Ok(existing);
        }
        let Self { store, prefix, mut temporary, mut output, position, .. } = self;
        let synced = output.flush().and_then(|()| output.get_ref().sync_all());
        synced.map_err(ArtifactError::io("write", &temporary.path))?;

        let artifact = ArtifactRef { path: format!("{prefix}-{hash:016x}"), bytes: position };
        let target = store.join(&artifact.path);
        fs::rename(&temporary.path, &target).map_err(ArtifactError::io("create", &target))?;
        temporary.armed = false;
        sync_folders(&store, &target)?;
        // Another process may have finished the same work in between.
        only(&store, &prefix, hash)?;
        Ok(artifact)
    }

    fn pad(&mut self) -> Result<(), ArtifactError> {
        self.write(&[0; format::ALIGNMENT][..format::padding(self.position)])
    }

    fn write(&mut self, mut bytes: &[u8]) -> Result<(), ArtifactError> {
        self.position += bytes.len() as u64;
        while !bytes.is_empty() {
            let piece;
            (piece, bytes) = bytes.split_at(bytes.len().min(BLOCK - self.hashed));
            let written = self.output.write_all(piece);
            written.map_err(ArtifactError::io("write", &self.temporary.path))?;
            self.hasher.update(piece);
            self.hashed += piece.len();
            if self.hashed == BLOCK {
                self.close_block();
            }
        }
        Ok(())
    }

    fn close_block(&mut self) {
        self.blocks.push(self.hasher.digest());
        self.hasher.reset();
        self.hashed = 0;
    }
}

/// Makes the entry of `file` durable in all folders from its own up to `root`.
fn sync_folders(root: &Path, file: &Path) -> Result<(), ArtifactError> {
    for folder in file.ancestors().skip(1) {
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(ArtifactError::io("sync", folder))?;
        if folder == root {
            break;
        }
    }
    Ok(())
}

/// Removes an unfinished file.
#[derive(Debug)]
struct Temporary {
    path: PathBuf,
    armed: bool,
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if self.armed
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::warn!(path = %self.path.display(), %error, "unfinished artifact not removed");
        }
    }
}

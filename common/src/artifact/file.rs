//! An artifact as its readers see it: verified, then mapped or held in memory.

use std::{
    fs::{File, Metadata},
    io,
    os::unix::fs::{FileExt as _, MetadataExt as _},
    path::{Path, PathBuf},
};

use bytemuck::Pod;
use memmap2::{Mmap, MmapMut, MmapOptions};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::{
    ArtifactError,
    format::{self, BLOCK, Extent, FORMAT, Foot, HEADER, Head},
};

/// An open artifact. It stays readable after the file has been removed.
///
/// One of few bytes lies in memory, where nothing can happen to it any more. A larger one is
/// mapped: what becomes of its file is read by whoever reads it, and one that is cut short ends
/// the process at the first touch behind its new end. [`Scrub`](super::Scrub) finds what it can.
#[derive(Debug)]
pub struct Artifact {
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
    content: Mmap,
    /// The file behind `content`, when it is mapped.
    pub(super) mapped: Option<FileId>,
    kind: String,
    sections: Vec<Extent>,
    pub(super) sums: Sums,
}

/// Which file a path led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino() }
    }
}

/// Checksums of the pieces of a file: the blocks of its body, then its footer.
#[derive(Debug)]
pub(super) struct Sums {
    /// Where the footer begins.
    body: u64,
    bytes: u64,
    /// By piece.
    sums: Vec<u64>,
}

impl Sums {
    /// Number of pieces.
    pub(super) fn pieces(&self) -> usize {
        self.sums.len()
    }

    /// Where a piece begins, and its length.
    fn extent(&self, piece: usize) -> (u64, usize) {
        let blocks = self.body.div_ceil(BLOCK as u64);
        let (begin, end) = match piece as u64 {
            block if block < blocks => {
                let begin = block * BLOCK as u64;
                (begin, (begin + BLOCK as u64).min(self.body))
            }
            _ => (self.body, self.bytes),
        };
        (begin, usize::try_from(end - begin).expect("a piece is read into memory"))
    }

    /// Reads a piece of `file` into `buffer` and verifies it; the number of its bytes.
    pub(super) fn verify(
        &self,
        file: &File,
        piece: usize,
        buffer: &mut Vec<u8>,
        path: &Path,
    ) -> Result<usize, ArtifactError> {
        let (begin, bytes) = self.extent(piece);
        buffer.resize(bytes, 0);
        read(file, begin, buffer, path)?;
        if xxh3_64(buffer) == self.sums[piece] {
            return Ok(bytes);
        }
        Err(wrong_piece(path, begin, bytes))
    }
}

fn wrong_piece(path: &Path, begin: u64, bytes: usize) -> ArtifactError {
    damaged(path, format!("the {bytes} bytes from byte {begin} on do not fit their checksum"))
}

fn damaged(path: &Path, detail: impl Into<String>) -> ArtifactError {
    ArtifactError::Damaged { path: path.to_owned(), detail: detail.into() }
}

/// Fills `buffer` from `begin` on.
fn read(file: &File, begin: u64, buffer: &mut [u8], path: &Path) -> Result<(), ArtifactError> {
    file.read_exact_at(buffer, begin).map_err(|source| match source.kind() {
        io::ErrorKind::UnexpectedEof => {
            damaged(path, format!("it ends within the {} bytes from byte {begin} on", buffer.len()))
        }
        _ => ArtifactError::io("read", path)(source),
    })
}

/// Opens the file of an artifact that has `bytes`.
pub(super) fn open(path: &Path, bytes: u64) -> Result<(File, Metadata), ArtifactError> {
    let file = File::open(path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => ArtifactError::Missing { path: path.to_owned() },
        _ => ArtifactError::io("open", path)(source),
    })?;
    let metadata = file.metadata().map_err(ArtifactError::io("open", path))?;
    let found = metadata.len();
    if found != bytes {
        return Err(damaged(path, format!("it has {found} bytes instead of {bytes}")));
    }
    Ok((file, metadata))
}

impl Artifact {
    /// Reads the file once to verify it against `hash`. Up to `resident_bytes` it stays in memory,
    /// beyond it is mapped. It is never read through the map here: a file that is being cut short
    /// is an error and not the end of the process.
    pub(super) fn open(
        path: &Path,
        bytes: u64,
        hash: u64,
        resident_bytes: u64,
    ) -> Result<Self, ArtifactError> {
        let (file, metadata) = open(path, bytes)?;
        let (head, foot, footer) = ends(&file, bytes, path)?;
        let Foot { sections, blocks, hash: stored } = foot;
        let body = bytes - footer.len() as u64;

        let in_memory = bytes <= resident_bytes;
        let memory = in_memory.then(|| MmapMut::map_anon(body as usize)).transpose();
        let mut memory = memory.map_err(ArtifactError::io("find memory for", path))?;
        let mut buffer = vec![0; if in_memory { 0 } else { BLOCK }];
        let mut sums = Vec::with_capacity(body.div_ceil(BLOCK as u64) as usize + 1);
        // What format 1 has in place of blocks.
        let mut whole = Xxh3::new();
        for begin in (0..body).step_by(BLOCK) {
            let length = (body - begin).min(BLOCK as u64) as usize;
            let block = match &mut memory {
                Some(memory) => &mut memory[begin as usize..][..length],
                None => &mut buffer[..length],
            };
            read(&file, begin, block, path)?;
            let sum = xxh3_64(block);
            match &blocks {
                None => whole.update(block),
                Some(blocks) if blocks[sums.len()] != sum => {
                    return Err(wrong_piece(path, begin, length));
                }
                Some(_) => {}
            }
            sums.push(sum);
        }
        let hashed = &footer[..footer.len() - size_of::<u64>()];
        whole.update(hashed);
        let computed = if blocks.is_some() { xxh3_64(hashed) } else { whole.digest() };
        if computed != stored || computed != hash {
            let detail = format!(
                "its content hashes to {computed:016x}, its trailer says {stored:016x}, its name {hash:016x}"
            );
            return Err(damaged(path, detail));
        }
        sums.push(xxh3_64(&footer));
        let content = match memory {
            Some(memory) => memory.make_read_only(),
            None => map(&file),
        };
        Ok(Self {
            path: path.to_owned(),
            bytes,
            content: content.map_err(ArtifactError::io("map", path))?,
            mapped: (!in_memory).then(|| FileId::of(&metadata)),
            kind: head.kind,
            sections,
            sums: Sums { body, bytes, sums },
        })
    }

    /// What the file holds, as named by its writer.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Requires the file to hold `kind`.
    ///
    /// # Errors
    /// [`ArtifactError::Newer`] when it holds a later version of it, and [`ArtifactError::Layout`]
    /// when it holds something else.
    pub fn expect_kind(&self, kind: &str) -> Result<(), ArtifactError> {
        if self.kind == kind {
            return Ok(());
        }
        let found = &self.kind;
        if let (Some((name, version)), Some((of, known))) = (versioned(found), versioned(kind))
            && name == of
            && version > known
        {
            return Err(self.newer(format!("kind `{found}`"), format!("`{kind}`")));
        }
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
        let start = usize::try_from(extent.offset).expect("lies within the content");
        let bytes = usize::try_from(extent.bytes).expect("lies within the content");
        bytemuck::try_cast_slice(&self.content[start..start + bytes]).map_err(|error| {
            self.layout(format!(
                "section {index} of {bytes} bytes cannot be read as {}: {error}",
                std::any::type_name::<T>()
            ))
        })
    }

    /// Bytes of the file.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// An error about a file of a later version than its reader knows.
    pub fn newer(&self, found: impl Into<String>, known: impl Into<String>) -> ArtifactError {
        let (path, found, known) = (self.path.clone(), found.into(), known.into());
        ArtifactError::Newer { path, found, known }
    }

    /// An error about the content of this file, for readers that find it inconsistent.
    pub fn layout(&self, detail: impl Into<String>) -> ArtifactError {
        ArtifactError::Layout { path: self.path.clone(), detail: detail.into() }
    }
}

/// Name and version of a kind such as `rows-1`.
fn versioned(kind: &str) -> Option<(&str, u32)> {
    let (name, version) = kind.rsplit_once('-')?;
    Some((name, version.parse().ok()?))
}

/// What header and footer say, and the footer.
fn ends(file: &File, bytes: u64, path: &Path) -> Result<(Head, Foot, Vec<u8>), ArtifactError> {
    let wrong = |detail: &'static str| damaged(path, detail);
    if bytes < format::SHORTEST {
        return Err(wrong("it is shorter than any artifact"));
    }
    let mut header = [0; HEADER];
    read(file, 0, &mut header, path)?;
    let head = Head::read(&header).map_err(wrong)?;
    let mut trailer = vec![0; head.trailer()];
    let begin = bytes.saturating_sub(trailer.len() as u64);
    read(file, begin, &mut trailer, path)?;
    if let Some(format) = head.newer_format() {
        if format::ends_as_known(&trailer) {
            return Err(wrong("its header names a format that its end is not of"));
        }
        let (found, known) = (format!("format {format}"), format!("format {FORMAT}"));
        return Err(ArtifactError::Newer { path: path.to_owned(), found, known });
    }
    let body = head.footer(&trailer, bytes).map_err(wrong)?;
    let mut footer = vec![0; usize::try_from(bytes - body).map_err(|_| wrong("is too long"))?];
    read(file, body, &mut footer, path)?;
    if !footer.ends_with(&trailer) {
        return Err(wrong("it changed while it was read"));
    }
    let foot = head.foot(&footer, body).map_err(wrong)?;
    Ok((head, foot, footer))
}

#[expect(unsafe_code, reason = "mapping a file has no safe form")]
fn map(file: &File) -> io::Result<Mmap> {
    // SAFETY: artifacts are written under another name, and Mercer never changes or shortens one
    // that has its own; removing one keeps the mapped pages alive. What others do to a mapped file
    // is not in our hands: values that kernels use as indexes without a look at bounds are copied
    // into memory and checked there.
    //
    // Populated, so that no answer waits for pages that verifying has just read.
    unsafe { MmapOptions::new().populate().map(file) }
}

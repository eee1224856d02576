//! Zip files with one member: the directory at the end, then the member's bytes.
//!
//! The directory alone is believed (sizes in front of a member may be missing), and everything in it
//! is checked against the file.

use std::{
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
};

use flate2::{Crc, read::DeflateDecoder};
use thiserror::Error;

use super::source::Stream;

/// Why a zip file is not read.
#[derive(Debug, Error)]
pub(super) enum ZipError {
    #[error(transparent)]
    Io(io::Error),
    #[error("{0}")]
    Refused(String),
}

impl From<io::Error> for ZipError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::UnexpectedEof { damaged() } else { Self::Io(error) }
    }
}

/// The only member.
pub(super) struct Member {
    pub(super) name: String,
    pub(super) reader: Stream,
}

/// End of the directory with the longest comment.
const TAIL: u64 = 22 + 65_535;
/// Members that are looked at.
const ENTRIES: u64 = 1_000;

fn damaged() -> ZipError {
    ZipError::Refused("the zip file is damaged".into())
}

fn refused(reason: impl Into<String>) -> ZipError {
    ZipError::Refused(reason.into())
}

fn u16_at(bytes: &[u8], at: usize) -> Result<u64, ZipError> {
    let bytes = bytes.get(at..at + 2).ok_or_else(damaged)?;
    Ok(u64::from(bytes[0]) | u64::from(bytes[1]) << 8)
}

fn u32_at(bytes: &[u8], at: usize) -> Result<u64, ZipError> {
    Ok(u16_at(bytes, at)? | u16_at(bytes, at + 2)? << 16)
}

/// A member, as the directory has it.
pub(super) struct Entry {
    name: String,
    method: u64,
    crc: u64,
    packed: u64,
    size: u64,
    offset: u64,
}

/// Whether a zip file is a workbook.
pub(super) fn is_workbook(file: &mut File) -> bool {
    let mut magic = [0; 4];
    let is_zip = file.read_exact(&mut magic).is_ok() && &magic == b"PK\x03\x04";
    is_zip
        && members(file)
            .is_ok_and(|members| members.iter().any(|one| one.name == "xl/workbook.xml"))
}

/// Finds the member by `directory` and reads it from `data`.
pub(super) fn open(
    mut directory: File,
    data: impl Read + Seek + Send + 'static,
) -> Result<Member, ZipError> {
    let mut entries = members(&mut directory)?;
    let entry = match (entries.pop(), entries.is_empty()) {
        (Some(entry), true) => entry,
        (None, _) => return Err(refused("the zip file is empty")),
        (Some(last), false) => {
            let names: Vec<String> =
                entries.iter().take(5).map(|one| one.name.clone()).chain([last.name]).collect();
            let names = names.join(", ");
            return Err(refused(format!(
                "the zip file holds several files ({names}); unpack it, and import what you need"
            )));
        }
    };
    let reader = entry.open(data)?;
    Ok(Member { name: entry.name, reader })
}

impl Entry {
    /// Name of the member with its folders.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Packed.
    pub(super) fn bytes(&self) -> u64 {
        self.packed
    }

    /// What it holds, read from the zip file.
    pub(super) fn open(
        &self,
        mut data: impl Read + Seek + Send + 'static,
    ) -> Result<Stream, ZipError> {
        let mut header = [0; 30];
        data.seek(SeekFrom::Start(self.offset))?;
        data.read_exact(&mut header)?;
        if !header.starts_with(b"PK\x03\x04") {
            return Err(damaged());
        }
        if u16_at(&header, 6)? & 1 != 0 {
            return Err(refused("the zip file is encrypted"));
        }
        let skipped = u16_at(&header, 26)? + u16_at(&header, 28)?;
        data.seek(SeekFrom::Current(i64::try_from(skipped).map_err(|_| damaged())?))?;
        let packed = BufReader::with_capacity(1 << 17, data.take(self.packed));
        let inner: Stream = match self.method {
            0 => Box::new(packed),
            8 => Box::new(DeflateDecoder::new(packed)),
            other => {
                return Err(refused(format!("the zip file is compressed by method {other}")));
            }
        };
        let (crc, expected, size) = (Crc::new(), self.crc, self.size);
        Ok(Box::new(Checked { inner, crc, expected, size }))
    }
}

/// All members that are files.
pub(super) fn members(file: &mut File) -> Result<Vec<Entry>, ZipError> {
    let length = file.seek(SeekFrom::End(0))?;
    let tail_at = length.saturating_sub(TAIL);
    file.seek(SeekFrom::Start(tail_at))?;
    let mut tail = Vec::new();
    file.take(TAIL).read_to_end(&mut tail)?;
    let end = tail.windows(4).rposition(|four| four == b"PK\x05\x06").ok_or_else(damaged)?;
    let end = &tail[end..];
    let (count, size, offset) = (u16_at(end, 10)?, u32_at(end, 12)?, u32_at(end, 16)?);
    if count == 0xffff || size == 0xffff_ffff || offset == 0xffff_ffff {
        return Err(refused("the zip file is above 4 GiB; use gzip or zstd"));
    }
    if count > ENTRIES || offset + size > length {
        return Err(if count > ENTRIES {
            refused("the zip file holds many files")
        } else {
            damaged()
        });
    }
    file.seek(SeekFrom::Start(offset))?;
    let mut directory = Vec::new();
    file.take(size).read_to_end(&mut directory)?;
    let mut entries = Vec::new();
    let mut at = 0;
    for _ in 0..count {
        let entry = directory.get(at..).ok_or_else(damaged)?;
        if !entry.starts_with(b"PK\x01\x02") {
            return Err(damaged());
        }
        let name_length = u16_at(entry, 28)? as usize;
        let name = entry.get(46..46 + name_length).ok_or_else(damaged)?;
        let name = String::from_utf8_lossy(name).into_owned();
        at += 46 + name_length + u16_at(entry, 30)? as usize + u16_at(entry, 32)? as usize;
        // Folders, and what macOS adds.
        if name.ends_with('/') || name.starts_with("__MACOSX/") || name.ends_with(".DS_Store") {
            continue;
        }
        let (packed, size, offset) = (u32_at(entry, 20)?, u32_at(entry, 24)?, u32_at(entry, 42)?);
        if [packed, size, offset].contains(&0xffff_ffff) {
            return Err(refused("the zip file is above 4 GiB; use gzip or zstd"));
        }
        let (method, crc) = (u16_at(entry, 10)?, u32_at(entry, 16)?);
        entries.push(Entry { name, method, crc, packed, size, offset });
    }
    Ok(entries)
}

/// Fails at the end when the bytes are not those that were packed.
struct Checked {
    inner: Stream,
    crc: Crc,
    expected: u64,
    size: u64,
}

impl Read for Checked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.crc.update(&buffer[..read]);
        let wrong =
            u64::from(self.crc.sum()) != self.expected || u64::from(self.crc.amount()) != self.size;
        if read == 0 && !buffer.is_empty() && wrong {
            return Err(io::Error::other("the zip file is damaged"));
        }
        Ok(read)
    }
}

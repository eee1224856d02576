//! Compressed files: gzip, zstd, and zip with one member. What comes out is bounded by what went in,
//! so that a few bytes cannot become a full disk.

use std::{
    fs::File,
    io::{self, BufReader, Read, Seek as _, SeekFrom},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use anyhow::{Context as _, Result};
use flate2::read::MultiGzDecoder;

use super::{
    TableError,
    source::{Input, Stream},
    zip,
};

/// Bytes that one compressed byte may become.
const RATIO: u64 = 1_000;
/// Bytes that any file may become.
const FREELY: u64 = 64 << 20;

/// Bytes of a file as they were before they were packed.
pub(super) struct Unpacked {
    pub(super) reader: Stream,
    /// Name of the member, without the ending that says how it was packed.
    pub(super) name: String,
    /// Bytes read of the file on disk so far.
    pub(super) read: Arc<AtomicU64>,
    pub(super) notes: Vec<String>,
    is_packed: bool,
    magic: [u8; 4],
    plain: Option<File>,
}

impl Unpacked {
    pub(super) fn is_parquet(&self) -> bool {
        &self.magic == b"PAR1" || self.name.to_ascii_lowercase().ends_with(".parquet")
    }

    /// A file that can be read in any order: packed Parquet is unpacked to a temporary one.
    pub(super) fn into_file(mut self, name: &str) -> Result<File> {
        if let Some(file) = self.plain.take().filter(|_| !self.is_packed) {
            return Ok(file);
        }
        let mut file = tempfile::tempfile()?;
        io::copy(&mut self.reader, &mut file).with_context(|| format!("unpacking {name}"))?;
        file.seek(SeekFrom::Start(0))?;
        Ok(file)
    }
}

/// Opens an input and looks at its first bytes.
pub(super) fn open(input: &Input) -> Result<Unpacked> {
    let mut file = input.file()?;
    let mut magic = [0; 4];
    let length =
        fill(&mut file, &mut magic).with_context(|| format!("reading {}", input.name()))?;
    file.seek(SeekFrom::Start(0))?;
    let plain = file.try_clone().ok();
    let read = Arc::new(AtomicU64::new(0));
    let counted = Counted { inner: file, read: Arc::clone(&read) };
    let packed = |reason: String| TableError::Packed { name: input.name().to_owned(), reason };
    let mut notes = Vec::new();
    let mut name = input.short_name().to_owned();
    let mut drop_ending = |endings: &[&str]| {
        let lower = name.to_ascii_lowercase();
        if let Some(ending) = endings.iter().find(|ending| lower.ends_with(**ending)) {
            name.truncate(name.len() - ending.len());
        }
    };
    let how = match &magic[..length] {
        [0x1f, 0x8b, ..] => "gzip",
        [0x28, 0xb5, 0x2f, 0xfd] => "zstd",
        [b'P', b'K', 3, 4] => "zip",
        [0x42, 0x5a, 0x68, ..] => return Err(packed(other("bzip2")).into()),
        [0xfd, b'7', b'z', b'X'] => return Err(packed(other("xz")).into()),
        [0x04, 0x22, 0x4d, 0x18] => return Err(packed(other("lz4")).into()),
        [0xd0, 0xcf, 0x11, 0xe0] => return Err(packed(document("an old Excel workbook")).into()),
        [b'%', b'P', b'D', b'F'] => return Err(packed(document("a PDF")).into()),
        [b'S', b'Q', b'L', b'i'] => return Err(packed(document("an SQLite database")).into()),
        [b'O', b'b', b'j', 1] => return Err(packed(document("an Avro file")).into()),
        [b'O', b'R', b'C', ..] => return Err(packed(document("an ORC file")).into()),
        _ => {
            let reader: Stream = Box::new(BufReader::with_capacity(1 << 18, counted));
            return Ok(Unpacked { reader, name, read, notes, is_packed: false, magic, plain });
        }
    };
    let reader: Stream = match how {
        "gzip" => {
            drop_ending(&[".gz", ".gzip"]);
            let decoder = MultiGzDecoder::new(BufReader::with_capacity(1 << 17, counted));
            Box::new(Whole(Box::new(decoder)))
        }
        "zstd" => {
            drop_ending(&[".zst", ".zstd"]);
            let mut decoder = zstd::Decoder::new(counted)?;
            // 128 MiB of window; more would be memory that a file asks for.
            decoder.window_log_max(27)?;
            Box::new(Whole(Box::new(decoder)))
        }
        _ => {
            let member = zip::open(input.file()?, counted).map_err(|error| match error {
                zip::ZipError::Io(error) => anyhow::Error::from(error),
                zip::ZipError::Refused(reason) => packed(reason).into(),
            })?;
            name = member.name;
            member.reader
        }
    };
    notes.push(format!("unpacked with {how}"));
    let most = input.bytes().saturating_mul(RATIO).max(FREELY);
    let mut reader: Stream = Box::new(Bounded { inner: reader, left: most });
    let mut magic = [0; 4];
    let length = fill(&mut reader, &mut magic).map_err(|error| packed(error.to_string()))?;
    let reader: Stream = Box::new(io::Cursor::new(magic[..length].to_vec()).chain(reader));
    Ok(Unpacked { reader, name, read, notes, is_packed: true, magic, plain })
}

fn other(how: &str) -> String {
    format!("it is compressed with {how}; unpack it first, or pack it with gzip or zstd")
}

fn document(what: &str) -> String {
    format!("it is {what}; export its table as CSV or Parquet")
}

fn fill(reader: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match reader.read(&mut buffer[length..])? {
            0 => break,
            read => length += read,
        }
    }
    Ok(length)
}

/// Says of a packed file that ends early what that means.
struct Whole(Stream);

impl Read for Whole {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => io::Error::new(
                error.kind(),
                format!("the packed file is cut off or damaged ({error}); copy it again"),
            ),
            _ => error,
        })
    }
}

/// Counts what is read.
struct Counted {
    inner: File,
    read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.read.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

impl io::Seek for Counted {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        self.inner.seek(position)
    }
}

/// Fails when more comes out than a file of its size should hold.
struct Bounded {
    inner: Stream,
    left: u64,
}

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        match self.left.checked_sub(read as u64) {
            Some(left) => self.left = left,
            None => {
                return Err(io::Error::other(format!(
                    "it unpacks to more than {RATIO} times its size; unpack it first if that is \
                     meant"
                )));
            }
        }
        Ok(read)
    }
}

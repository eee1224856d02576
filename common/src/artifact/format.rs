//! The bytes of an artifact.
//!
//! ```text
//! header   64 bytes: magic (8), format (u32), 4 zero bytes, kind (48, zero-padded)
//! sections each at a multiple of 64, zero-padded between; flat little-endian arrays
//! blocks   at a multiple of 64: xxh3-64 (u64) of each block of what stands before
//! table    per section offset (u64) and length in bytes (u64)
//! trailer  40 bytes: number of sections (u64), where the blocks begin (u64), bytes of a block
//!          (u64), end magic (8), xxh3-64 of everything from the blocks on before it
//! ```
//!
//! The tables stand last, so that sections can be written piece by piece. Numbers are little
//! endian. The hash in the trailer is also the one in the file's name. It covers the checksums of
//! the blocks, and these cover everything else: so one pass verifies a file, and any block of it
//! can be verified again by itself.
//!
//! Format 1 has no blocks: its table begins at a multiple of 64, its trailer is number of
//! sections, end magic and xxh3-64 of all bytes before it. Such files are read for ever.
//!
//! A later format needs another end magic as well as another number: so a flipped bit in the number
//! is not taken for a newer release.

#[cfg(target_endian = "big")]
compile_error!("artifacts are mapped as little-endian arrays");

/// Alignment of everything that is mapped.
pub(super) const ALIGNMENT: usize = 64;
pub(super) const HEADER: usize = 64;
/// Bytes that one checksum covers. Smaller ones cost a longer table and find no more; larger ones
/// do not stay in the core's own memory between being read and being hashed.
pub(super) const BLOCK: usize = 256 << 10;
/// A header and the shortest trailer.
pub(super) const SHORTEST: u64 = (HEADER + TRAILER_1) as u64;
const TABLE_ENTRY: usize = 16;
const CHECKSUM: usize = size_of::<u64>();
const TRAILER_1: usize = 24;
const TRAILER_2: usize = 40;
const MAGIC: [u8; 8] = *b"MERCERAF";
const END_MAGIC: [u8; 8] = *b"FARECREM";
pub(super) const FORMAT: u32 = 2;
const KIND_OFFSET: usize = 16;
/// Longest kind in bytes.
pub(super) const KIND: usize = HEADER - KIND_OFFSET;

/// Where a section lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) offset: u64,
    pub(super) bytes: u64,
}

impl Extent {
    /// Whether it begins where a section may, and ends at `end` or before.
    fn lies_before(&self, end: u64) -> bool {
        self.offset.is_multiple_of(ALIGNMENT as u64)
            && self.offset.checked_add(self.bytes).is_some_and(|own| own <= end)
    }
}

/// Zero bytes needed after `position` to reach the next multiple of [`ALIGNMENT`].
pub(super) fn padding(position: u64) -> usize {
    let over = usize::try_from(position % ALIGNMENT as u64).expect("below 64");
    (ALIGNMENT - over) % ALIGNMENT
}

/// The header; `kind` has at most [`KIND`] bytes.
pub(super) fn header(kind: &str) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[..8].copy_from_slice(&MAGIC);
    header[8..12].copy_from_slice(&FORMAT.to_le_bytes());
    header[KIND_OFFSET..KIND_OFFSET + kind.len()].copy_from_slice(kind.as_bytes());
    header
}

/// Blocks, table and trailer, all but the final hash; `body` is where they begin.
pub(super) fn footer(blocks: &[u64], sections: &[Extent], body: u64) -> Vec<u8> {
    let bytes = blocks.len() * CHECKSUM + sections.len() * TABLE_ENTRY + TRAILER_2;
    let mut footer = Vec::with_capacity(bytes);
    footer.extend(blocks.iter().flat_map(|sum| sum.to_le_bytes()));
    for section in sections {
        footer.extend(section.offset.to_le_bytes());
        footer.extend(section.bytes.to_le_bytes());
    }
    footer.extend((sections.len() as u64).to_le_bytes());
    footer.extend(body.to_le_bytes());
    footer.extend((BLOCK as u64).to_le_bytes());
    footer.extend(END_MAGIC);
    footer
}

/// Whether the trailer of a file, or its last bytes, are of a format that is known here.
pub(super) fn ends_as_known(trailer: &[u8]) -> bool {
    trailer[trailer.len() - 16..trailer.len() - 8] == END_MAGIC
}

/// What a header says: the format, and what the sections are.
#[derive(Debug)]
pub(super) struct Head {
    format: u32,
    pub(super) kind: String,
}

impl Head {
    pub(super) fn read(header: &[u8; HEADER]) -> Result<Self, &'static str> {
        if header[..8] != MAGIC {
            return Err("it does not begin like an artifact");
        }
        let format = u32_at(header, 8);
        if format == 0 {
            return Err("it names no format");
        }
        let kind = header[KIND_OFFSET..].split(|byte| *byte == 0).next().unwrap_or_default();
        let kind = std::str::from_utf8(kind).map_err(|_| "its kind is not text")?.to_owned();
        Ok(Self { format, kind })
    }

    /// The format, if it is one that a newer release wrote.
    pub(super) fn newer_format(&self) -> Option<u32> {
        (self.format > FORMAT).then_some(self.format)
    }

    /// Bytes at the end of a file that tell where its footer begins.
    pub(super) fn trailer(&self) -> usize {
        if self.format == 1 { TRAILER_1 } else { TRAILER_2 }
    }

    /// Where the footer of a file of `bytes` begins, as its trailer says.
    pub(super) fn footer(&self, trailer: &[u8], bytes: u64) -> Result<u64, &'static str> {
        if !ends_as_known(trailer) {
            return Err("it does not end like an artifact");
        }
        let sections = u64_at(trailer, 0);
        let mut begin = sections
            .checked_mul(TABLE_ENTRY as u64)
            .and_then(|table| bytes.checked_sub(table)?.checked_sub(trailer.len() as u64));
        if self.format > 1 {
            let body = u64_at(trailer, 8);
            let sums = body.div_ceil(BLOCK as u64).checked_mul(CHECKSUM as u64);
            begin = begin.zip(sums).and_then(|(table, sums)| table.checked_sub(sums));
            if u64_at(trailer, 16) != BLOCK as u64 || begin.is_some_and(|begin| begin != body) {
                return Err("its blocks do not fit its length");
            }
        }
        begin.filter(|begin| *begin >= HEADER as u64).ok_or("its tables are longer than the file")
    }

    /// What a footer says that begins at `body`; nothing of it is verified but that sections lie
    /// before it.
    pub(super) fn foot(&self, footer: &[u8], body: u64) -> Result<Foot, &'static str> {
        let (tables, trailer) = footer.split_at(footer.len() - self.trailer());
        let blocks = if self.format == 1 { 0 } else { body.div_ceil(BLOCK as u64) as usize };
        let (blocks, table) = tables.split_at(blocks * CHECKSUM);
        let sections: Vec<Extent> = table
            .chunks_exact(TABLE_ENTRY)
            .map(|entry| Extent { offset: u64_at(entry, 0), bytes: u64_at(entry, 8) })
            .collect();
        if !sections.iter().all(|section| section.lies_before(body)) {
            return Err("a section lies outside the file");
        }
        let sums = blocks.chunks_exact(CHECKSUM).map(|sum| u64_at(sum, 0)).collect();
        Ok(Foot {
            sections,
            blocks: (self.format > 1).then_some(sums),
            hash: u64_at(trailer, trailer.len() - size_of::<u64>()),
        })
    }
}

/// What a footer says.
#[derive(Debug)]
pub(super) struct Foot {
    pub(super) sections: Vec<Extent>,
    /// Checksums of the blocks before the footer; none in format 1.
    pub(super) blocks: Option<Vec<u64>>,
    /// Hash of the footer before it; in format 1 of the whole file before it.
    pub(super) hash: u64,
}

fn u64_at(bytes: &[u8], offset: usize) -> u64 {
    let mut number = [0; 8];
    number.copy_from_slice(&bytes[offset..offset + 8]);
    u64::from_le_bytes(number)
}

fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    let mut number = [0; 4];
    number.copy_from_slice(&bytes[offset..offset + 4]);
    u32::from_le_bytes(number)
}

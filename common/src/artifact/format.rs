//! The bytes of an artifact.
//!
//! ```text
//! header   64 bytes: magic (8), format (u32), 4 zero bytes, kind (48, zero-padded)
//! sections each at a multiple of 64, zero-padded between; flat little-endian arrays
//! table    at a multiple of 64: per section offset (u64) and length in bytes (u64)
//! trailer  24 bytes: number of sections (u64), end magic (8), xxh3-64 of all bytes before it
//! ```
//!
//! The table stands last, so that sections can be written piece by piece. Numbers are little
//! endian. The hash in the trailer is also the one in the file's name.

#[cfg(target_endian = "big")]
compile_error!("artifacts are mapped as little-endian arrays");

/// Alignment of everything that is mapped.
pub(super) const ALIGNMENT: usize = 64;
pub(super) const HEADER: usize = 64;
pub(super) const TABLE_ENTRY: usize = 16;
pub(super) const TRAILER: usize = 24;
const MAGIC: [u8; 8] = *b"MERCERAF";
const END_MAGIC: [u8; 8] = *b"FARECREM";
const FORMAT: u32 = 1;
const KIND_OFFSET: usize = 16;
/// Longest kind in bytes.
pub(super) const KIND: usize = HEADER - KIND_OFFSET;

/// Where a section lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) offset: u64,
    pub(super) bytes: u64,
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

/// Table and trailer, all but the final hash.
pub(super) fn footer(sections: &[Extent]) -> Vec<u8> {
    let mut footer = Vec::with_capacity(sections.len() * TABLE_ENTRY + TRAILER);
    for section in sections {
        footer.extend(section.offset.to_le_bytes());
        footer.extend(section.bytes.to_le_bytes());
    }
    footer.extend((sections.len() as u64).to_le_bytes());
    footer.extend(END_MAGIC);
    footer
}

/// What the header and footer of a file say.
#[derive(Debug)]
pub(super) struct Contents {
    pub(super) kind: String,
    pub(super) sections: Vec<Extent>,
    pub(super) hash: u64,
}

/// Reads header and footer of a whole file; the hash is returned, not checked.
pub(super) fn contents(file: &[u8]) -> Result<Contents, &'static str> {
    if file.len() < HEADER + TRAILER {
        return Err("it is shorter than any artifact");
    }
    if file[..8] != MAGIC {
        return Err("it does not begin like an artifact");
    }
    if file[8..12] != FORMAT.to_le_bytes() {
        return Err("its format is not one that this version of Mercer reads");
    }
    let kind = file[KIND_OFFSET..HEADER].split(|byte| *byte == 0).next().unwrap_or_default();
    let kind = std::str::from_utf8(kind).map_err(|_| "its kind is not text")?.to_owned();

    let (body, trailer) = file.split_at(file.len() - TRAILER);
    if trailer[8..16] != END_MAGIC {
        return Err("it does not end like an artifact");
    }
    let count = usize::try_from(u64_at(trailer, 0)).map_err(|_| "its table is too long")?;
    let table = count
        .checked_mul(TABLE_ENTRY)
        .and_then(|bytes| body.len().checked_sub(bytes))
        .filter(|start| *start >= HEADER)
        .ok_or("its table is longer than the file")?;
    let sections: Vec<Extent> = body[table..]
        .chunks_exact(TABLE_ENTRY)
        .map(|entry| Extent { offset: u64_at(entry, 0), bytes: u64_at(entry, 8) })
        .collect();
    let lies_within = |section: &Extent| {
        section.offset.is_multiple_of(ALIGNMENT as u64)
            && section.offset.checked_add(section.bytes).is_some_and(|end| end <= table as u64)
    };
    if !sections.iter().all(lies_within) {
        return Err("a section lies outside the file");
    }
    Ok(Contents { kind, sections, hash: u64_at(trailer, 16) })
}

fn u64_at(bytes: &[u8], offset: usize) -> u64 {
    let mut number = [0; 8];
    number.copy_from_slice(&bytes[offset..offset + 8]);
    u64::from_le_bytes(number)
}

//! The log's note of the metadata, in a file of its own.

use std::{fs, io, path::Path};

use super::{MetadataNote, OpenError, identity};

const FILE: &str = "note";
const LENGTH: usize = 8 + 16 + 4;

/// The last note, if there is any.
pub(super) fn read(folder: &Path) -> Result<Option<MetadataNote>, OpenError> {
    let path = folder.join(FILE);
    match fs::read(&path) {
        Ok(bytes) => decode(&bytes).map(Some).ok_or_else(|| OpenError::Damaged {
            folder: folder.to_owned(),
            detail: format!("`{FILE}` cannot be read"),
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(OpenError::io(&path)(error)),
    }
}

/// Replaces the note, durably.
pub(super) fn write(folder: &Path, note: MetadataNote) -> io::Result<()> {
    identity::write(folder, FILE, &encode(note))
}

fn encode(note: MetadataNote) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(LENGTH);
    bytes.extend(note.changes.to_le_bytes());
    bytes.extend(note.digest.to_le_bytes());
    bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
    bytes
}

fn decode(bytes: &[u8]) -> Option<MetadataNote> {
    let (changes, rest) = bytes.split_first_chunk()?;
    let (digest, _) = rest.split_first_chunk()?;
    let note = MetadataNote {
        changes: u64::from_le_bytes(*changes),
        digest: u128::from_le_bytes(*digest),
    };
    (encode(note) == bytes).then_some(note)
}

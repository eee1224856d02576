//! Rows of imported files, as clients announce them and as registers hold them.

use bytemuck::{Pod, Zeroable};

/// Number of days since 1970-01-01, UTC.
pub(super) type Day = i32;

/// Bytes of a row on the wire.
pub(super) const ROW_BYTES: usize = 20;

/// A row of a file: hashes of what identifies it and of what else it says, and when it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Row {
    pub(super) key: [u8; 12],
    pub(super) content: [u8; 4],
    /// Second of the day.
    pub(super) second: u32,
}

impl Row {
    pub(super) fn read(bytes: &[u8; ROW_BYTES]) -> Self {
        let part = |from: usize| {
            let mut part = [0; 4];
            part.copy_from_slice(&bytes[from..from + 4]);
            part
        };
        let mut key = [0; 12];
        key.copy_from_slice(&bytes[..12]);
        Self { key, content: part(12), second: u32::from_be_bytes(part(16)) }
    }
}

/// A loaded row as registers hold it; they are sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Known {
    pub(super) key: [u8; 12],
    pub(super) content: [u8; 4],
    /// Number of the import, within its source.
    pub(super) import: u32,
    pub(super) second: u32,
}

impl Known {
    pub(super) fn of(row: Row, import: u32) -> Self {
        let Row { key, content, second } = row;
        Self { key, content, import, second }
    }

    /// As records of the log hold it.
    pub(super) fn stamp(&self) -> [u8; 16] {
        let mut stamp = [0; 16];
        stamp[..12].copy_from_slice(&self.key);
        stamp[12..].copy_from_slice(&self.content);
        stamp
    }
}

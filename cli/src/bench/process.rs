//! What this process used, as the kernel counts it.

use std::{fs, io, path::Path};

/// Bytes that this process caused to be written to storage.
pub(super) fn bytes_written() -> Option<u64> {
    field("/proc/self/io", "write_bytes:")
}

/// The most memory that this process ever held, in bytes.
pub(super) fn peak_resident() -> Option<u64> {
    field("/proc/self/status", "VmHWM:").map(|kib| kib * 1024)
}

fn field(path: &str, name: &str) -> Option<u64> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Bytes of all files below `folder`.
pub(super) fn size_of(folder: &Path) -> io::Result<u64> {
    let mut total = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        // A file may go away meanwhile.
        let Ok(metadata) = entry.metadata() else { continue };
        total += if metadata.is_dir() { size_of(&entry.path())? } else { metadata.len() };
    }
    Ok(total)
}

//! What this process used, as the kernel counts it.

use std::fs;

/// Bytes that this process caused to be written to storage.
pub(super) fn bytes_written() -> Option<u64> {
    field("/proc/self/io", "write_bytes:")
}

/// The most memory that this process ever held, in bytes.
pub(super) fn peak_resident() -> Option<u64> {
    field("/proc/self/status", "VmHWM:").map(|kib| kib * 1024)
}

/// Memory of this process, without files that it has mapped.
pub(super) fn memory() -> Option<u64> {
    field("/proc/self/status", "RssAnon:").map(|kib| kib * 1024)
}

/// Seconds of CPU that all threads of this process have used.
pub(super) fn cpu_seconds() -> Option<f64> {
    /// Unit of the times that Linux reports, on every architecture.
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the program, in parentheses, may hold anything.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let (user, system): (f64, f64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some((user + system) / TICKS_PER_SECOND)
}

fn field(path: &str, name: &str) -> Option<u64> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

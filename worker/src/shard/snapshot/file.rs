//! What a snapshot file holds: frames, each with its length and CRC.
//!
//! ```text
//! frame   length u32, crc32 of the payload u32, payload; little endian
//! file    frame(SnapshotHeader), zeros up to HEADER_BYTES, frame(SnapshotBase),
//!         then per slot in order frame(zstd(SlotSection))
//! ```
//!
//! Slots are copied between the sections of the log, one after the other, so each stands at its
//! own position. The base is what had been applied at the lowest of these, the watermark: a replay
//! from there decides every duplicate, and finds every local day, as the first pass did. The highest
//! is known at the end only, so the header is written last, into the room that was left for it: whoever
//! looks for a snapshot to load reads nothing else.
//!
//! Before format 3 the header held the base, had no room of its own, and named neither epoch nor
//! highest position.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use jiff::tz::TimeZone;
use mercer_common::{
    event::APPLY_VERSION,
    log::{Ancestor, Epoch, Sequence},
    slot::{ShardId, ShardLayout},
};
use thiserror::Error;

/// The version of the format: since 4, users have ledgers.
pub(super) const FORMAT: u32 = 4;
/// Since 3, the header names the epoch and the highest position.
pub(super) const FORMAT_WITHOUT_LEDGERS: u32 = 3;
/// Since 2, items have daily series and there is a directory.
pub(super) const FORMAT_WITHOUT_EPOCH: u32 = 2;
/// The first one.
pub(super) const FORMAT_WITHOUT_SERIES: u32 = 1;
/// Room for the header since format 3; what it does not need is zero.
pub(in crate::shard) const HEADER_BYTES: usize = 256;
/// No frame is larger, so that a damaged length cannot exhaust the memory.
pub(super) const FRAME_BYTES: u32 = 1 << 30;

/// The cluster that a snapshot belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) incarnation: u64,
    /// The logs that the log was restored from; their snapshots are of use up to there.
    pub(crate) ancestors: Vec<Ancestor>,
    pub(crate) layout: ShardLayout,
    /// Time zone of days without a location's. Not in the file: it is fixed for the log.
    pub(crate) zone: TimeZone,
}

/// Why a snapshot was not written or loaded.
#[derive(Debug, Error)]
pub(crate) enum SnapshotError {
    /// The file system failed.
    #[error("{}: {error}", path.display())]
    Io {
        path: PathBuf,
        #[source]
        error: io::Error,
    },
    /// The content is not what was written.
    #[error("{} is damaged in frame {frame}: {detail}", path.display())]
    Damaged { path: PathBuf, frame: usize, detail: String },
    /// It belongs to another log, shard or layout.
    #[error("{} is not of use here: {detail}", path.display())]
    Foreign { path: PathBuf, detail: String },
    /// It was written without ledgers, of records that say what users paid.
    #[error("{} is not of use here: it has no ledgers, which are kept since before where it stands", path.display())]
    WithoutLedgers { path: PathBuf },
    /// A later release wrote it.
    #[error(
        "{} has format {format}, and {FORMAT} is the newest that is known here; start the release that wrote it, or move the file away: the shard is then rebuilt from the log",
        path.display()
    )]
    Newer { path: PathBuf, format: u32 },
    /// A later release wrote it, of records that mean what this one does not know.
    #[error(
        "{} is of records of apply version {version}, and {APPLY_VERSION} is the newest that is known here; start the release that wrote it, or a later one",
        path.display()
    )]
    NewerRecords { path: PathBuf, version: u32 },
}

/// The name of a snapshot.
pub(super) fn name(shard: ShardId, epoch: Epoch, watermark: Sequence) -> String {
    format!("{shard:02}-{:032x}-{watermark}.snapshot", epoch.0)
}

/// Shard and watermark that the name of a snapshot says, which had no epoch before format 3; `None`
/// for a file of another kind.
pub(super) fn parse_name(path: &Path) -> Option<(ShardId, Sequence)> {
    let name = path.file_name()?.to_str()?.strip_suffix(".snapshot")?;
    let (shard, rest) = name.split_once('-')?;
    let watermark = match rest.split_once('-') {
        Some((epoch, watermark)) => u128::from_str_radix(epoch, 16).ok().map(|_| watermark)?,
        None => rest,
    };
    Some((shard.parse().ok()?, watermark.parse().ok()?))
}

/// Makes the entry of `path` in its folder durable.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_with_and_without_epoch() {
        let name = name(5, Epoch(0xab), 90);
        assert_eq!(name, "05-000000000000000000000000000000ab-90.snapshot");
        let parsed = |name: &str| parse_name(&Path::new("shards").join(name));
        assert_eq!(parsed(&name), Some((5, 90)));
        assert_eq!(parsed("05-90.snapshot"), Some((5, 90)));
        for other in [
            "05-90.temporary",
            "05-90.snapshot.set-aside",
            "05-x-90.snapshot",
            "notes.snapshot",
            "05-.snapshot",
        ] {
            assert_eq!(parsed(other), None, "{other}");
        }
    }
}

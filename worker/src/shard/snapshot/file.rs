//! A snapshot file: the header and one frame a slot, each with its length and CRC.
//!
//! ```text
//! frame   length u32, crc32 of the payload u32, payload; little endian
//! file    frame(SnapshotHeader), then per slot in order frame(zstd(SlotSection))
//! ```
//!
//! Slots are copied between the sections of the log, one after the other, so each stands at its
//! own position. The header holds the lowest of these, and what had been applied by then: a
//! replay from there decides every duplicate, and finds every local day, as the first pass did.

use std::{
    fs::{self, File},
    io::{self, BufReader, BufWriter, Read as _, Write as _},
    path::{Path, PathBuf},
};

use jiff::tz::TimeZone;
use mercer_common::{
    event::APPLY_VERSION,
    log::Sequence,
    slot::{ShardId, ShardLayout},
};
use mercer_proto::internal::{SlotSection, SnapshotHeader};
use prost::Message as _;
use thiserror::Error;

use crate::shard::{Directory, ShardState, apply::ApplyError, dedup::Dedup};

/// The version of the format: since 2, items have daily series and the header a directory.
const FORMAT: u32 = 2;
/// The version before.
const FORMAT_WITHOUT_SERIES: u32 = 1;
/// Speed matters more than the last percent: histories compress well at any level.
const COMPRESSION: i32 = 1;
/// No frame is larger, so that a damaged length cannot exhaust the memory.
const FRAME_BYTES: u32 = 1 << 30;

/// The cluster that a snapshot belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) incarnation: u64,
    pub(crate) layout: ShardLayout,
    /// Of days without a location's zone. Not in the file: it is fixed for the log.
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
    /// It belongs to another log, shard or layout, or has an unknown format.
    #[error("{} is not of use here: {detail}", path.display())]
    Foreign { path: PathBuf, detail: String },
}

/// Writes a snapshot; nobody sees it before it is whole and durable.
#[derive(Debug)]
pub(crate) struct Writer {
    path: PathBuf,
    temporary: PathBuf,
    file: BufWriter<File>,
    bytes: u64,
}

impl Writer {
    /// Starts a snapshot of `state`; the watermark is where the state stands now.
    pub(crate) fn start(
        folder: &Path,
        stamp: &Stamp,
        state: &ShardState,
    ) -> Result<Self, SnapshotError> {
        let (shard, watermark) = (state.shard(), state.applied());
        let path = folder.join(format!("{shard:02}-{watermark}.snapshot"));
        let temporary = path.with_extension("temporary");
        let file = File::create(&temporary)
            .map_err(|error| SnapshotError::Io { path: temporary.clone(), error })?;
        let mut writer = Self { path, temporary, file: BufWriter::new(file), bytes: 0 };
        let header = SnapshotHeader {
            format: FORMAT,
            incarnation: stamp.incarnation,
            shard: shard.into(),
            shard_count: stamp.layout.shards().into(),
            watermark,
            dedup: Some(state.dedup.encode()),
            slots: u32::try_from(state.slots.len()).expect("at most 4,096"),
            directory: Some(state.directory.encode()),
            apply_version: state.apply_version,
        };
        writer.frame(&header.encode_to_vec())?;
        Ok(writer)
    }

    /// Adds the next slot.
    pub(crate) fn slot(&mut self, section: &SlotSection) -> Result<(), SnapshotError> {
        let payload = zstd::bulk::compress(&section.encode_to_vec(), COMPRESSION)
            .map_err(|error| self.io(error))?;
        self.frame(&payload)
    }

    /// Makes the snapshot durable under its name and returns that with its size.
    pub(crate) fn finish(mut self) -> Result<(PathBuf, u64), SnapshotError> {
        let result = (|| {
            self.file.flush()?;
            self.file.get_ref().sync_all()?;
            fs::rename(&self.temporary, &self.path)?;
            sync_folder(&self.path)
        })();
        match result {
            Ok(()) => Ok((self.path, self.bytes)),
            Err(error) => Err(self.io(error)),
        }
    }

    /// Gives up.
    pub(crate) fn discard(self) {
        // What is left is removed at the next start.
        let _ = fs::remove_file(&self.temporary);
    }

    fn frame(&mut self, payload: &[u8]) -> Result<(), SnapshotError> {
        let length = u32::try_from(payload.len()).ok().filter(|&length| length <= FRAME_BYTES);
        let length = length.ok_or_else(|| self.io(io::ErrorKind::FileTooLarge.into()))?;
        let parts = [&length.to_le_bytes(), &crc32fast::hash(payload).to_le_bytes(), payload];
        for part in parts {
            self.file.write_all(part).map_err(|error| self.io(error))?;
            self.bytes += part.len() as u64;
        }
        Ok(())
    }

    fn io(&self, error: io::Error) -> SnapshotError {
        SnapshotError::Io { path: self.temporary.clone(), error }
    }
}

/// Loads the snapshot of `shard`; the state stands at its watermark, and slots may be ahead.
pub(crate) fn read(
    path: &Path,
    stamp: &Stamp,
    shard: ShardId,
) -> Result<ShardState, SnapshotError> {
    let file = File::open(path).map_err(|error| SnapshotError::Io { path: path.into(), error })?;
    let mut reader = Reader { path, file: BufReader::new(file), frame: 0 };
    let header = reader.payload()?;
    let header = SnapshotHeader::decode(&*header).map_err(|error| reader.damaged(error))?;
    let expected = (stamp.incarnation, u32::from(stamp.layout.shards()), u32::from(shard));
    let found = (header.incarnation, header.shard_count, header.shard);
    let foreign = |detail| Err(SnapshotError::Foreign { path: path.into(), detail });
    if found != expected {
        let detail = format!("(log, shards, shard) are {found:?} in the file, {expected:?} here");
        return foreign(detail);
    }
    match header.format {
        FORMAT => {}
        // The log may not go back far enough to do without it.
        FORMAT_WITHOUT_SERIES => tracing::warn!(
            path = %path.display(),
            "an old snapshot without daily sales: forecasts know those after it only; to have all \
             that the log has, remove the file and restart"
        ),
        format => return foreign(format!("its format is {format}, and {FORMAT} is known here")),
    }
    if header.apply_version > APPLY_VERSION {
        let version = header.apply_version;
        let detail = format!("its apply version is {version}, and {APPLY_VERSION} is known here");
        return foreign(detail);
    }
    let mut state = ShardState::new(stamp.layout, shard, stamp.zone.clone());
    state.apply_version = header.apply_version.max(1);
    let dedup = header.dedup.unwrap_or_default();
    state.dedup = Dedup::decode(&dedup).map_err(|error| reader.damaged(error))?;
    let directory = header.directory.unwrap_or_default();
    state.directory = Directory::decode(directory, stamp.zone.clone());
    if header.slots as usize != state.slots.len() {
        return Err(reader.damaged("it holds another number of slots"));
    }
    for _ in 0..state.slots.len() {
        let payload = reader.payload()?;
        let section = zstd::stream::decode_all(&*payload).map_err(|error| reader.damaged(error))?;
        let section = SlotSection::decode(&*section).map_err(|error| reader.damaged(error))?;
        if section.sequence < header.watermark {
            return Err(reader.damaged("a slot is older than the watermark"));
        }
        state.load_slot(section).map_err(|error: ApplyError| reader.damaged(error))?;
    }
    if !reader.is_at_end()? {
        return Err(reader.damaged("bytes follow the last slot"));
    }
    state.index_popularity();
    state.applied = header.watermark;
    Ok(state)
}

/// The position at which the next snapshot of a state at `applied` would stand.
pub(crate) fn sequence_of(path: &Path) -> Option<Sequence> {
    path.file_stem()?.to_str()?.split_once('-')?.1.parse().ok()
}

/// Makes the entry of `path` in its folder durable.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

struct Reader<'a> {
    path: &'a Path,
    file: BufReader<File>,
    frame: usize,
}

impl Reader<'_> {
    fn payload(&mut self) -> Result<Vec<u8>, SnapshotError> {
        self.frame += 1;
        let mut head = [0; 8];
        self.file.read_exact(&mut head).map_err(|error| self.truncated(error))?;
        let [length, crc] =
            [[head[0], head[1], head[2], head[3]], [head[4], head[5], head[6], head[7]]]
                .map(u32::from_le_bytes);
        if length > FRAME_BYTES {
            return Err(self.damaged("its length is out of bounds"));
        }
        let mut payload = Vec::new();
        let mut content = (&mut self.file).take(length.into());
        content.read_to_end(&mut payload).map_err(|error| self.truncated(error))?;
        if payload.len() != length as usize {
            return Err(self.truncated(io::ErrorKind::UnexpectedEof.into()));
        }
        if crc32fast::hash(&payload) != crc {
            return Err(self.damaged("its checksum does not match"));
        }
        Ok(payload)
    }

    fn is_at_end(&mut self) -> Result<bool, SnapshotError> {
        let mut byte = [0];
        let read = self.file.read(&mut byte).map_err(|error| self.truncated(error))?;
        Ok(read == 0)
    }

    fn truncated(&self, error: io::Error) -> SnapshotError {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => self.damaged("the file ends early"),
            _ => SnapshotError::Io { path: self.path.into(), error },
        }
    }

    fn damaged(&self, detail: impl ToString) -> SnapshotError {
        SnapshotError::Damaged {
            path: self.path.into(),
            frame: self.frame - 1,
            detail: detail.to_string(),
        }
    }
}

//! Reads snapshots: first what they are, then, of the one that is loaded, everything.

use std::{
    fs::File,
    io::{self, BufReader, Read as _},
    path::{Path, PathBuf},
};

use mercer_common::{
    event::{APPLY_VERSION, LEDGERS_SINCE},
    log::{Ancestor, Epoch, Mark, Sequence},
    slot::ShardId,
};
use mercer_proto::internal::{SlotSection, SnapshotBase, SnapshotHeader};
use prost::Message;
use zstd::{stream::read::Decoder, zstd_safe::DCtx};

use super::file::{
    FORMAT, FORMAT_WITHOUT_EPOCH, FORMAT_WITHOUT_LEDGERS, FORMAT_WITHOUT_SERIES, FRAME_BYTES,
    HEADER_BYTES, SnapshotError, Stamp,
};
use crate::shard::{ApplyError, Directory, ShardState, dedup::Dedup, retractions::Retractions};

/// A snapshot that may be loaded if the log accepts its mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) path: PathBuf,
    pub(crate) watermark: Sequence,
    /// What a log must hold for the snapshot to be of its history.
    pub(crate) mark: Mark,
}

/// Where a slot stands; the rest of its section is skipped.
#[derive(Clone, PartialEq, Message)]
struct SlotPosition {
    #[prost(uint64, tag = "2")]
    sequence: u64,
}

/// What the file at `path` is, if it is a snapshot of `shard` in this cluster.
pub(super) fn inspect(
    path: &Path,
    stamp: &Stamp,
    shard: ShardId,
) -> Result<Candidate, SnapshotError> {
    let (mut reader, header) = Reader::open(path)?;
    let mark = match header.format {
        FORMAT | FORMAT_WITHOUT_LEDGERS => reader.mark(&header)?,
        // It does not say.
        _ => Mark { epoch: Epoch::NONE, position: reader.highest(&header)? },
    };
    let foreign = |detail| Err(SnapshotError::Foreign { path: path.into(), detail });
    let expected = (u32::from(stamp.layout.shards()), u32::from(shard));
    let found = (header.shard_count, header.shard);
    if found != expected {
        return foreign(format!("(shards, shard) are {found:?} in the file, {expected:?} here"));
    }
    let mut ancestors = stamp.ancestors.iter();
    match ancestors.find(|log| log.incarnation == header.incarnation) {
        _ if header.incarnation == stamp.incarnation => {}
        Some(Ancestor { through, .. }) if mark.position <= *through => {}
        Some(Ancestor { through, .. }) => {
            let highest = mark.position;
            return foreign(format!(
                "it holds position {highest} of the log that this one was restored from at {through}"
            ));
        }
        None => {
            let (found, here) = (header.incarnation, stamp.incarnation);
            return foreign(format!("it is of log {found:016x}, and here is {here:016x}"));
        }
    }
    // Who wrote it stopped at the record since which there are ledgers, so this is none of a release.
    if header.format < FORMAT && header.apply_version >= LEDGERS_SINCE {
        return Err(SnapshotError::WithoutLedgers { path: path.into() });
    }
    Ok(Candidate { path: path.into(), watermark: header.watermark, mark })
}

/// Refuses a file that only a later release can read.
pub(super) fn check_format(path: &Path) -> Result<(), SnapshotError> {
    match Reader::open(path) {
        Err(error @ (SnapshotError::Newer { .. } | SnapshotError::NewerRecords { .. })) => {
            Err(error)
        }
        // Whether it can be used is decided when it is to be loaded.
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Loads the snapshot of `shard`; the state stands at its watermark, and slots may be ahead.
pub(super) fn read(
    candidate: &Candidate,
    stamp: &Stamp,
    shard: ShardId,
) -> Result<ShardState, SnapshotError> {
    let (mut reader, header) = Reader::open(&candidate.path)?;
    if header.format == FORMAT_WITHOUT_SERIES {
        // The log may not go back far enough to do without it.
        tracing::warn!(
            path = %candidate.path.display(),
            "an old snapshot without daily sales: forecasts know those after it only; to have all \
             that the log has, remove the file and restart"
        );
    }
    let mut state = ShardState::new(stamp.layout, shard, stamp.zone.clone());
    if header.slots as usize != state.slots.len() {
        return Err(reader.damaged("it holds another number of slots"));
    }
    let SnapshotBase { dedup, directory, retractions, ledgers_since_ms } = reader.base(&header)?;
    let dedup = dedup.unwrap_or_default();
    state.dedup = Dedup::decode(&dedup).map_err(|error| reader.damaged(error))?;
    let directory = Directory::decode(directory.unwrap_or_default(), stamp.zone.clone());
    state.directory = directory.map_err(|error| reader.damaged(error))?;
    let retractions = Retractions::decode(&retractions);
    state.retractions = retractions.map_err(|error| reader.damaged(error))?;
    for _ in 0..state.slots.len() {
        let section: SlotSection = reader.slot()?;
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
    state.apply_version = header.apply_version.max(1);
    state.ledgers_since_ms = ledgers_since_ms;
    if state.is_bounded() {
        state.dedup.use_bounds();
    }
    state.epoch = candidate.mark.epoch;
    if state.mark() != candidate.mark {
        return Err(reader.damaged("its slots stand elsewhere than its header says"));
    }
    Ok(state)
}

struct Reader<'a> {
    path: &'a Path,
    file: BufReader<File>,
    frame: usize,
    /// Its tables serve all slots.
    context: DCtx<'static>,
}

impl<'a> Reader<'a> {
    /// Opens a file of a known format, and reads its header.
    fn open(path: &'a Path) -> Result<(Self, SnapshotHeader), SnapshotError> {
        let file =
            File::open(path).map_err(|error| SnapshotError::Io { path: path.into(), error })?;
        let mut reader =
            Self { path, file: BufReader::new(file), frame: 0, context: DCtx::create() };
        let payload = reader.payload()?;
        let header = SnapshotHeader::decode(&*payload).map_err(|error| reader.damaged(error))?;
        if header.apply_version > APPLY_VERSION {
            let version = header.apply_version;
            return Err(SnapshotError::NewerRecords { path: path.into(), version });
        }
        match header.format {
            FORMAT | FORMAT_WITHOUT_LEDGERS => reader.skip_room(payload.len())?,
            FORMAT_WITHOUT_EPOCH | FORMAT_WITHOUT_SERIES => {}
            0 => return Err(reader.damaged("it names no format")),
            format => return Err(SnapshotError::Newer { path: path.into(), format }),
        }
        Ok((reader, header))
    }

    /// What a header of the newest format says of the history that the file is of.
    fn mark(&self, header: &SnapshotHeader) -> Result<Mark, SnapshotError> {
        let epoch = Epoch::from_bytes(&header.epoch);
        let epoch = epoch.ok_or_else(|| self.damaged("its epoch has neither 16 bytes nor none"))?;
        Ok(Mark { epoch, position: header.highest })
    }

    /// The highest position of any slot, of which the header says nothing before format 3.
    fn highest(&mut self, header: &SnapshotHeader) -> Result<Sequence, SnapshotError> {
        let mut highest = header.watermark;
        for _ in 0..header.slots {
            highest = highest.max(self.slot::<SlotPosition>()?.sequence);
        }
        Ok(highest)
    }

    /// What belongs to no slot; the header held it before format 3.
    fn base(&mut self, header: &SnapshotHeader) -> Result<SnapshotBase, SnapshotError> {
        if header.format >= FORMAT_WITHOUT_LEDGERS {
            let payload = self.payload()?;
            return SnapshotBase::decode(&*payload).map_err(|error| self.damaged(error));
        }
        let SnapshotHeader { dedup, directory, .. } = header.clone();
        Ok(SnapshotBase { dedup, directory, ..SnapshotBase::default() })
    }

    /// The next slot, or what a message says of it.
    fn slot<M: Message + Default>(&mut self) -> Result<M, SnapshotError> {
        let payload = self.payload()?;
        let mut section = Vec::new();
        let decoded = Decoder::with_context(&*payload, &mut self.context).read_to_end(&mut section);
        decoded.map_err(|error| self.damaged(error))?;
        M::decode(&*section).map_err(|error| self.damaged(error))
    }

    /// Leaves out what a header of `used` bytes does not need of its room.
    fn skip_room(&mut self, used: usize) -> Result<(), SnapshotError> {
        let left = HEADER_BYTES.checked_sub(8 + used);
        let left = left.ok_or_else(|| self.damaged("it is larger than its room"))?;
        let mut room = vec![0; left];
        self.file.read_exact(&mut room).map_err(|error| self.truncated(error))?;
        if room.iter().any(|byte| *byte != 0) {
            return Err(self.damaged("bytes follow the header"));
        }
        Ok(())
    }

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

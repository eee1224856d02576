//! The segments of a log as readers see them: one may be written, the older ones are only read.

use std::{io, path::PathBuf, sync::Arc};

use parking_lot::{Mutex, RwLock};
use zstd::bulk::Decompressor;

use super::{
    disk::Disk,
    frame::{Header, decode_commit},
    segment::{Next, SEGMENT_HEADER, Scan, SegmentFile, SegmentHeader, file_name},
    summary::Summary,
    survey::seal,
};
use crate::log::{LogError, Sequence, commit::Commit};

/// Old segments kept open for readers that lag behind.
const OPEN_SEALED: usize = 2;

/// A segment that can be read.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) file: SegmentFile,
    reach: RwLock<Reach>,
}

/// What of a segment is durable.
#[derive(Debug)]
struct Reach {
    summary: Summary,
    /// Byte at which the frames end.
    end: u64,
    last: Sequence,
}

impl Segment {
    pub(super) fn new(file: SegmentFile, summary: Summary, end: u64, last: Sequence) -> Self {
        Self { file, reach: RwLock::new(Reach { summary, end, last }) }
    }

    /// Opens a segment whose last position is `last`.
    pub(super) fn open(disk: &dyn Disk, path: PathBuf, last: Sequence) -> Result<Self, LogError> {
        let damaged = |sequence, detail: &str| LogError::Damaged {
            sequence,
            detail: format!("{}: {detail}", path.display()),
        };
        let failed = |error: io::Error| damaged(last, &error.to_string());
        let file = disk.open(&path).map_err(failed)?;
        let mut bytes = vec![0; SEGMENT_HEADER];
        file.read_at(&mut bytes, 0).map_err(failed)?;
        let (header, checksum) =
            SegmentHeader::decode(&bytes).map_err(|why| damaged(last, why.detail()))?;
        let file = SegmentFile { path: path.clone(), file, header, checksum };
        if let Some(frame) = seal(&file).map_err(failed)?
            && frame.header.after == last
            && let Some(summary) = Summary::decode(&frame.payload)
        {
            return Ok(Self::new(file, summary, frame.offset, last));
        }
        let mut summary = Summary::default();
        let (mut reached, mut end) = (header.after, SEGMENT_HEADER as u64);
        let mut scan = Scan::new(&file).map_err(failed)?;
        while reached < last {
            match scan.next().map_err(failed)? {
                Next::Frame(frame) => {
                    summary.add(frame.offset, &frame.header, &frame.payload);
                    end = frame.offset + frame.header.bytes();
                    reached = frame.header.last();
                }
                Next::End(_) => return Err(damaged(reached + 1, "the segment ends early")),
                Next::Bad { why, .. } => return Err(damaged(reached + 1, why.detail())),
            }
        }
        Ok(Self::new(file, summary, end, last))
    }

    /// First position of the segment.
    pub(super) fn first(&self) -> Sequence {
        self.file.header.after + 1
    }

    /// Its last position that is durable.
    pub(super) fn last(&self) -> Sequence {
        self.reach.read().last
    }

    /// Bytes of its frames, and what precedes them.
    pub(super) fn end(&self) -> u64 {
        self.reach.read().end
    }

    /// Adds a frame that is durable.
    pub(super) fn advance(&self, offset: u64, header: &Header, payload: &[u8]) {
        let mut reach = self.reach.write();
        reach.summary.add(offset, header, payload);
        reach.end = offset + header.bytes();
        reach.last = header.last();
    }

    /// Summary of what the segment holds.
    pub(super) fn summary(&self) -> Summary {
        self.reach.read().summary.clone()
    }

    /// The place of the run of frames that holds `position`, and of what lies before.
    pub(super) fn extent(&self, position: Sequence) -> Extent {
        let reach = self.reach.read();
        let blocks = &reach.summary.blocks;
        let index = reach.summary.block_of(position);
        let Some(block) = blocks.get(index) else {
            let (offset, after) = (reach.end, reach.last);
            return Extent { offset, end: offset, after, last: after, previous: 0, shards: 0 };
        };
        let next = blocks.get(index + 1);
        Extent {
            offset: block.offset,
            end: next.map_or(reach.end, |next| next.offset),
            after: block.after,
            last: next.map_or(reach.last, |next| next.after),
            previous: block.previous,
            shards: block.shards,
        }
    }

    /// Reads and checks the commits of an extent. Blocks on the disk.
    pub(super) fn read(
        &self,
        extent: Extent,
        decompressor: &mut Decompressor<'_>,
    ) -> Result<Vec<Arc<Commit>>, LogError> {
        let Extent { offset, end, after, previous, .. } = extent;
        let mut reached = after;
        let damaged = |sequence, detail: &str| LogError::Damaged {
            sequence,
            detail: format!("{}: {detail}", self.file.path.display()),
        };
        let failed = |error: io::Error| damaged(after + 1, &error.to_string());
        let mut scan = Scan::within(&self.file, offset, end, after, previous).map_err(failed)?;
        let mut commits = Vec::new();
        let mut at = offset;
        while at < end {
            match scan.next().map_err(failed)? {
                Next::Frame(frame) => {
                    at = frame.offset + frame.header.bytes();
                    if frame.header.sections > 0 {
                        let commit = decode_commit(decompressor, &frame.header, &frame.payload);
                        let commit = commit.map_err(|detail| damaged(reached + 1, detail))?;
                        commits.push(Arc::new(commit));
                    }
                    reached = frame.header.last();
                }
                Next::End(_) => return Err(damaged(reached + 1, "a commit is missing")),
                Next::Bad { why, .. } => return Err(damaged(reached + 1, why.detail())),
            }
        }
        Ok(commits)
    }
}

/// A run of frames of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) offset: u64,
    pub(super) end: u64,
    /// The last position before it.
    pub(super) after: Sequence,
    /// Last position of the run.
    pub(super) last: Sequence,
    /// Checksum of the frame before it.
    pub(super) previous: u64,
    /// A bit for each shard that may have a section in it.
    pub(super) shards: u64,
}

/// A segment that is not written any more.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sealed {
    pub(super) first: Sequence,
    pub(super) last: Sequence,
    pub(super) bytes: u64,
}

/// All segments, by position.
#[derive(Debug)]
pub(super) struct Segments {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    state: Mutex<State>,
    /// Sealed segments that are open, the last used last. Held while one is being opened.
    open: Mutex<Vec<Arc<Segment>>>,
}

#[derive(Debug)]
struct State {
    sealed: Vec<Sealed>,
    active: Option<Arc<Segment>>,
    trimmed_through: Sequence,
}

impl Segments {
    pub(super) fn new(
        disk: Arc<dyn Disk>,
        folder: PathBuf,
        sealed: Vec<Sealed>,
        active: Option<Arc<Segment>>,
        trimmed_through: Sequence,
    ) -> Self {
        let state = Mutex::new(State { sealed, active, trimmed_through });
        Self { disk, folder, state, open: Mutex::default() }
    }

    /// Where a segment that begins at `first` is.
    pub(super) fn path(&self, first: Sequence) -> PathBuf {
        self.folder.join(file_name(first))
    }

    /// All that are not written any more.
    pub(super) fn sealed(&self) -> Vec<Sealed> {
        self.state.lock().sealed.clone()
    }

    /// Shows a new segment that is written from now on. The one before is only read, unless it holds
    /// no position: then the new one has taken its name.
    pub(super) fn activate(&self, next: Arc<Segment>) {
        let mut state = self.state.lock();
        if let Some(before) = state.active.replace(next)
            && before.last() >= before.first()
        {
            let (first, last, bytes) = (before.first(), before.last(), before.end());
            state.sealed.push(Sealed { first, last, bytes });
        }
    }

    /// The segment that holds `position`, which the log has reached; opened if necessary. `None`
    /// when it has been trimmed.
    pub(super) fn holding(&self, position: Sequence) -> Result<Option<Arc<Segment>>, LogError> {
        let Sealed { first, last, .. } = {
            let state = self.state.lock();
            if let Some(active) = &state.active
                && position >= active.first()
            {
                return Ok(Some(Arc::clone(active)));
            }
            let following = state.sealed.partition_point(|sealed| sealed.first <= position);
            let Some(index) = following.checked_sub(1) else { return Ok(None) };
            state.sealed[index]
        };
        let mut open = self.open.lock();
        if let Some(index) = open.iter().position(|segment| segment.first() == first) {
            let segment = open.remove(index);
            open.push(Arc::clone(&segment));
            return Ok(Some(segment));
        }
        let segment = match Segment::open(&*self.disk, self.path(first), last) {
            Ok(segment) => Arc::new(segment),
            Err(_) if self.trimmed_through() >= first => return Ok(None),
            Err(error) => return Err(error),
        };
        if open.len() == OPEN_SEALED {
            open.remove(0);
        }
        open.push(Arc::clone(&segment));
        Ok(Some(segment))
    }

    /// The segments, the oldest first, that hold nothing after `through`; never the one that is
    /// written, nor the last. With them the last position that goes with them.
    pub(super) fn trimmable(&self, through: Sequence) -> Option<(Vec<Sequence>, Sequence)> {
        let state = self.state.lock();
        let old = state.sealed.iter().take_while(|sealed| sealed.last <= through);
        let mut old: Vec<&Sealed> = old.collect();
        if state.active.is_none() && old.len() == state.sealed.len() {
            old.pop();
        }
        let last = old.last()?.last;
        Some((old.iter().map(|sealed| sealed.first).collect(), last))
    }

    /// Takes segments through `last` out, before their files are removed.
    pub(super) fn forget_through(&self, last: Sequence) {
        let mut state = self.state.lock();
        state.sealed.retain(|sealed| sealed.last > last);
        state.trimmed_through = state.trimmed_through.max(last);
        self.open.lock().retain(|segment| segment.last() > last);
    }

    /// The last position that is gone.
    pub(super) fn trimmed_through(&self) -> Sequence {
        self.state.lock().trimmed_through
    }

    /// The one that is written, or was until a failure.
    pub(super) fn last(&self) -> Option<Arc<Segment>> {
        self.state.lock().active.clone()
    }

    /// Bytes of all segments, without what is allocated ahead.
    pub(super) fn bytes(&self) -> u64 {
        let state = self.state.lock();
        let sealed = state.sealed.iter().map(|sealed| sealed.bytes).sum::<u64>();
        sealed + state.active.as_ref().map_or(0, |active| active.end())
    }
}

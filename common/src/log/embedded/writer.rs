//! Writes segments: one frame at a time, each synced before the next.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    MetadataNote,
    disk::{Disk, DiskFile},
    frame::{FrameKind, Header, checksum},
    segment::{
        Next, SEGMENT_HEADER, Scan, SegmentFile, SegmentHeader, TRAILER, file_name, trailer,
    },
    segments::{Segment, Segments},
    summary::{Summary, decode_control, encode_control},
    survey::{NEW, SET_ASIDE},
};
use crate::log::{Epoch, Sequence};

/// Space that is allocated ahead, at least and at most.
const AHEAD: std::ops::RangeInclusive<u64> = (256 << 10)..=(16 << 20);

/// Where the log ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Position {
    /// Position of the last section.
    pub(super) last: Sequence,
    /// Checksum of the last frame.
    pub(super) checksum: u64,
}

/// Writer of segments.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) disk: Arc<dyn Disk>,
    /// Folder of the segments.
    pub(super) folder: PathBuf,
    pub(super) segments: Arc<Segments>,
    pub(super) incarnation: u64,
    pub(super) epoch: Epoch,
    pub(super) position: Position,
    /// The last note.
    pub(super) noted: Option<MetadataNote>,
    /// The segment that is written; none before the first frame, after a seal and after a failure.
    pub(super) open: Option<Open>,
    /// The last frame says that the log was closed in order.
    pub(super) closed: bool,
}

/// A segment that is written.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) segment: Arc<Segment>,
    pub(super) file: Arc<dyn DiskFile>,
    /// Where the next frame goes.
    pub(super) offset: u64,
    /// What it names as the checksum before it.
    pub(super) previous: u64,
    /// Bytes of the file, with space that is allocated ahead.
    pub(super) allocated: u64,
}

impl Writer {
    /// Whether the segment that is written has `bytes`, and any position: the next one begins after.
    pub(super) fn is_full(&self, bytes: u64) -> bool {
        let Some(open) = &self.open else { return false };
        open.offset >= bytes && open.segment.last() >= open.segment.first()
    }

    /// Appends a frame durably; a segment is begun when none is open. After an error the segment is
    /// given up: nobody knows what of the frame is stored.
    pub(super) fn append(
        &mut self,
        header: Header,
        payload: &[u8],
        log_time_ms: i64,
    ) -> io::Result<()> {
        if self.open.is_none() {
            self.begin(log_time_ms)?;
        }
        let Some(mut open) = self.open.take() else { return Err(io::ErrorKind::NotFound.into()) };
        let header = Header { log_time_ms, epoch: self.epoch, previous: open.previous, ..header };
        let seed = open.segment.file.header.seed;
        let head = header.encode(seed);
        let end = open.offset + header.bytes();
        if end > open.allocated {
            let ahead = open.offset.clamp(*AHEAD.start(), *AHEAD.end());
            match open.file.allocate(end + ahead) {
                Ok(()) => open.allocated = end + ahead,
                // Where the space does not suffice, writing says so. What was allocated all the same
                // may be the last that is free, and `end` needs some.
                Err(_) => open.file.truncate(open.allocated.max(open.offset))?,
            }
        }
        open.file.write_at(&head, open.offset)?;
        open.file.write_at(payload, open.offset + head.len() as u64)?;
        open.file.sync()?;
        open.segment.advance(open.offset, &header, payload);
        open.offset = end;
        open.previous = checksum(&head);
        self.open = Some(open);
        self.closed = header.kind == FrameKind::Close;
        self.position = Position { last: header.last(), checksum: checksum(&head) };
        Ok(())
    }

    /// Appends a note, or a mere sign that writing works.
    pub(super) fn control(
        &mut self,
        note: Option<MetadataNote>,
        log_time_ms: i64,
    ) -> io::Result<()> {
        let payload = encode_control(note);
        let header = Header::plain(FrameKind::Control, &payload, self.position.last);
        self.append(header, &payload, log_time_ms)?;
        self.noted = note.or(self.noted);
        Ok(())
    }

    /// Takes the note of a control frame that was appended as it was found elsewhere.
    pub(super) fn remember(&mut self, payload: &[u8]) {
        self.noted = decode_control(payload).or(self.noted);
    }

    /// Seals the segment that is written: readers find their way in it, and nothing follows.
    pub(super) fn seal(&mut self, log_time_ms: i64) -> io::Result<()> {
        let Some(Open { segment, file, offset, previous, .. }) = self.open.take() else {
            return Ok(());
        };
        let payload = segment.summary().encode();
        let header = Header {
            log_time_ms,
            epoch: self.epoch,
            previous,
            ..Header::plain(FrameKind::Seal, &payload, self.position.last)
        };
        let head = header.encode(segment.file.header.seed);
        let end = offset + header.bytes();
        file.write_at(&[head.as_slice(), &payload, &trailer(offset)].concat(), offset)?;
        file.truncate(end + TRAILER as u64)?;
        file.sync()?;
        self.position.checksum = checksum(&head);
        Ok(())
    }

    /// Says that everything was written in order, and gives back what was allocated ahead.
    pub(super) fn close(&mut self, log_time_ms: i64) -> io::Result<()> {
        if self.closed || self.open.is_none() {
            return Ok(());
        }
        self.append(Header::plain(FrameKind::Close, &[], self.position.last), &[], log_time_ms)?;
        let Some(open) = &self.open else { return Ok(()) };
        open.file.truncate(open.offset)?;
        open.file.sync()
    }

    /// Begins the segment that follows the last position.
    fn begin(&mut self, log_time_ms: i64) -> io::Result<()> {
        let after = self.position.last;
        // A segment without a position gives its place to the new one.
        let replaced = self.segments.last().filter(|segment| segment.first() == after + 1);
        let previous =
            replaced.map_or(self.position.checksum, |segment| segment.file.header.previous);
        let header = SegmentHeader {
            incarnation: self.incarnation,
            seed: random(),
            after,
            epoch: self.epoch,
            previous,
            log_time_ms,
            noted: self.noted,
        };
        let path = self.folder.join(file_name(header.after + 1));
        let new = path.with_extension(format!("{}.{NEW}", super::segment::EXTENSION));
        let bytes = header.encode();
        create_folders(&*self.disk, &self.folder)?;
        let file = self.disk.create(&new)?;
        file.write_at(&bytes, 0)?;
        file.sync()?;
        if self.disk.open(&path).is_ok() {
            self.disk.rename(&path, &path.with_extension(SET_ASIDE))?;
        }
        self.disk.rename(&new, &path)?;
        self.disk.sync_folder(&self.folder)?;
        let (_, checksum) =
            SegmentHeader::decode(&bytes).map_err(|why| io::Error::other(why.detail()))?;
        let segment = SegmentFile { path, file: Arc::clone(&file), header, checksum };
        let offset = SEGMENT_HEADER as u64;
        let segment = Segment::new(segment, Summary::default(), offset, header.after);
        let segment = Arc::new(segment);
        self.segments.activate(Arc::clone(&segment));
        self.open = Some(Open { segment, file, offset, previous: checksum, allocated: offset });
        Ok(())
    }
}

/// Whether the device, and not the memory of the system, holds the frames of `segment` from its last
/// block on. What a failed sync leaves in memory is not believed.
pub(super) fn check_stored(segment: &Segment) -> io::Result<bool> {
    segment.file.file.forget_cached()?;
    let last = segment.last();
    let extent = segment.extent(last);
    let mut scan =
        Scan::within(&segment.file, extent.offset, extent.end, extent.after, extent.previous)?;
    let mut reached = extent.offset;
    while reached < extent.end {
        match scan.next()? {
            Next::Frame(frame) => reached = frame.offset + frame.header.bytes(),
            Next::End(_) | Next::Bad { .. } => return Ok(false),
        }
    }
    Ok(true)
}

/// Creates a folder and those above it, and makes their names durable.
fn create_folders(disk: &dyn Disk, folder: &Path) -> io::Result<()> {
    if disk.list(folder).is_ok() {
        return Ok(());
    }
    disk.create_folder(folder)?;
    for above in folder.ancestors().skip(1).take(3) {
        if !above.as_os_str().is_empty() {
            disk.sync_folder(above)?;
        }
    }
    Ok(())
}

/// 64 random bits.
pub(super) fn random() -> u64 {
    // Neither half of a UUID is wholly random, and their fixed bits lie in different places.
    let (high, low) = uuid::Uuid::new_v4().as_u64_pair();
    high ^ low
}

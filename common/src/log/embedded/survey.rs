//! Looks at the folder of a log and decides what it is. Nothing here writes: whatever is wrong, the
//! folder is as it was, so that it can be mended by hand or salvaged.
//!
//! What a crash may leave is told from damage: frames are written one after the other, each when the
//! one before was synced, so that only the last can be torn. It counts as torn only if nothing
//! valid follows, and only beyond what was acknowledged.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::{
    MetadataNote, OpenError,
    disk::{Disk, Listed, read_small},
    frame::FrameKind,
    identity::{self, Stored},
    position_file::{self, END, Said, TRIM},
    segment::{
        Frame, Next, SEGMENT_HEADER, Scan, SegmentFile, SegmentHeader, first_of, seal_offset,
    },
    summary::Summary,
    unread::Unread,
};
use crate::log::{Epochs, LogIdentity, Sequence};

pub(super) const SEGMENTS: &str = "segments";
/// What was cut off a segment, or could not be used.
pub(super) const SET_ASIDE: &str = "set-aside";
/// A file that is not complete yet.
pub(super) const NEW: &str = "new";

/// A segment as it was found.
#[derive(Debug)]
pub(super) struct FoundSegment {
    pub(super) segment: SegmentFile,
    pub(super) bytes: u64,
    /// Last position of the segment.
    pub(super) last: Sequence,
}

/// The last segment, which may be written further.
#[derive(Debug)]
pub(super) struct Tail {
    pub(super) summary: Summary,
    /// Byte at which the frames end.
    pub(super) end: u64,
    /// Checksum of its last frame.
    pub(super) checksum: u64,
    /// Its last frame is a seal.
    pub(super) sealed: bool,
    /// The log was closed in order.
    pub(super) closed: bool,
    /// What follows its frames is not blank: the rest of a write that a crash tore.
    pub(super) torn: Option<&'static str>,
}

/// What a folder holds.
#[derive(Debug)]
pub(super) struct Survey {
    pub(super) identity: Option<LogIdentity>,
    /// Segments by position.
    pub(super) segments: Vec<FoundSegment>,
    /// The last segment, if any may be written further.
    pub(super) tail: Option<Tail>,
    /// Segments that a trimming did not get to remove.
    pub(super) leftover: Vec<PathBuf>,
    pub(super) epochs: Epochs,
    pub(super) noted: Option<MetadataNote>,
    /// The latest in the log.
    pub(super) log_time_ms: i64,
    pub(super) end: Sequence,
    pub(super) trimmed_through: Sequence,
    /// Files among the segments that are none.
    pub(super) foreign: Vec<String>,
    pub(super) set_aside: Vec<Listed>,
}

/// Goes through a folder.
pub(super) fn survey(disk: &dyn Disk, folder: &Path) -> Result<Survey, OpenError> {
    let path = folder.join(identity::FILE);
    let stored = read_small(disk, &path).map_err(OpenError::io(&path))?;
    let identity = match stored.as_deref().map(identity::decode).transpose() {
        Ok(None) => None,
        Ok(Some(Stored::Present(identity))) => Some(identity),
        Ok(Some(Stored::Before(_))) => return Err(OpenError::Before { folder: folder.to_owned() }),
        Err(why) => return Err(why.refuses(folder, identity::PLACE)),
    };
    let said = |name: &str| {
        let path = folder.join(name);
        position_file::read(disk, &path).map_err(OpenError::io(&path))
    };
    let (acknowledged, trim) = (said(END)?, said(TRIM)?);
    let listing = list(disk, folder)?;
    if identity.is_none() && (!listing.firsts.is_empty() || acknowledged != Said::Missing) {
        let detail = "`identity` is missing although there are segments".into();
        return Err(OpenError::Damaged { folder: folder.to_owned(), detail });
    }
    let mut walk = Walk {
        disk,
        folder,
        incarnations: identity.as_ref().map(LogIdentity::incarnations).unwrap_or_default(),
        acknowledged: acknowledged.known().unwrap_or(0),
        survey: Survey {
            identity,
            segments: Vec::new(),
            tail: None,
            leftover: Vec::new(),
            epochs: Epochs::default(),
            noted: None,
            log_time_ms: 0,
            end: 0,
            trimmed_through: 0,
            foreign: listing.foreign,
            set_aside: listing.set_aside,
        },
    };
    let headers = listing.firsts.iter().map(|first| walk.header(*first));
    let headers = headers.collect::<Result<Vec<SegmentFile>, OpenError>>()?;
    walk.begin(&headers, trim)?;
    let kept = walk.survey.leftover.len();
    for (index, segment) in headers.iter().enumerate().skip(kept) {
        match headers.get(index + 1) {
            Some(next) => walk.inner(segment, &next.header)?,
            None => walk.last(segment)?,
        }
    }
    walk.finish()
}

/// The names in the folder of segments.
struct Listing {
    firsts: Vec<Sequence>,
    foreign: Vec<String>,
    set_aside: Vec<Listed>,
}

fn list(disk: &dyn Disk, folder: &Path) -> Result<Listing, OpenError> {
    let segments = folder.join(SEGMENTS);
    let listed = match disk.list(&segments) {
        Ok(listed) => listed,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(OpenError::io(&segments)(error)),
    };
    let mut listing = Listing { firsts: Vec::new(), foreign: Vec::new(), set_aside: Vec::new() };
    for entry in listed {
        let extension = Path::new(&entry.name).extension().and_then(|extension| extension.to_str());
        match (first_of(&entry.name), extension) {
            (Some(first), _) if entry.is_file => listing.firsts.push(first),
            (None, Some(SET_ASIDE)) if entry.is_file => listing.set_aside.push(entry),
            (None, Some(NEW)) if entry.is_file => {}
            _ => listing.foreign.push(entry.name),
        }
    }
    listing.firsts.sort_unstable();
    listing.foreign.sort_unstable();
    listing.set_aside.sort_unstable_by(|left, right| left.name.cmp(&right.name));
    Ok(listing)
}

struct Walk<'a> {
    disk: &'a dyn Disk,
    folder: &'a Path,
    /// Incarnations of the log and of those that it was restored from.
    incarnations: Vec<u64>,
    /// Last position known to have been acknowledged; 0 where none is.
    acknowledged: Sequence,
    survey: Survey,
}

impl Walk<'_> {
    fn damaged(&self, detail: String) -> OpenError {
        OpenError::Damaged { folder: self.folder.to_owned(), detail }
    }

    fn header(&self, first: Sequence) -> Result<SegmentFile, OpenError> {
        let path = self.folder.join(SEGMENTS).join(super::segment::file_name(first));
        let file = self.disk.open(&path).map_err(OpenError::io(&path))?;
        let mut bytes = vec![0; SEGMENT_HEADER];
        let read = file.read_at(&mut bytes, 0).map_err(OpenError::io(&path))?;
        bytes.truncate(read);
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (header, checksum) = SegmentHeader::decode(&bytes)
            .map_err(|why| why.refuses(self.folder, &format!("`{SEGMENTS}/{name}`")))?;
        if !self.incarnations.contains(&header.incarnation) {
            let (found, own) = (header.incarnation, self.incarnations.first().unwrap_or(&0));
            return Err(self.damaged(format!(
                "`{SEGMENTS}/{name}` belongs to another log, {found:016x}; this one is {own:016x}"
            )));
        }
        if header.after + 1 != first {
            let after = header.after;
            return Err(self.damaged(format!(
                "`{SEGMENTS}/{name}` begins after position {after} and has another's name"
            )));
        }
        Ok(SegmentFile { path, file, header, checksum })
    }

    /// Where the log begins.
    fn begin(&mut self, headers: &[SegmentFile], trim: Said) -> Result<(), OpenError> {
        let first = headers.first().map_or(0, |segment| segment.header.after);
        let trimmed = match trim {
            Said::Position(position) => position,
            Said::Missing | Said::Unreadable if first == 0 => 0,
            Said::Missing => {
                return Err(self.damaged(format!(
                    "positions 1 to {first} are missing, and so is `{TRIM}`, which would say that they were trimmed"
                )));
            }
            Said::Unreadable => return Err(self.damaged(format!("`{TRIM}` is damaged"))),
        };
        let gone = headers.windows(2).take_while(|pair| pair[1].header.after <= trimmed).count();
        let leftover = headers[..gone].iter().map(|segment| segment.path.clone());
        self.survey.leftover = leftover.collect();
        let begin = headers.get(gone).map_or(trimmed, |segment| segment.header.after);
        if begin > trimmed {
            let (from, through) = (trimmed + 1, begin);
            return Err(self
                .damaged(format!("positions {from} to {through} are missing: a segment is gone")));
        }
        self.survey.trimmed_through = begin;
        self.survey.end = begin;
        Ok(())
    }

    /// A segment that another one follows.
    fn inner(&mut self, segment: &SegmentFile, next: &SegmentHeader) -> Result<(), OpenError> {
        let failed = OpenError::io(&segment.path);
        let summary = match self.sealed(segment, next).map_err(failed)? {
            Some(summary) => summary,
            None => self.through(segment, next)?,
        };
        self.take(segment, next.after, &summary)
    }

    /// What the seal says, if there is one that the next segment names.
    fn sealed(&self, segment: &SegmentFile, next: &SegmentHeader) -> io::Result<Option<Summary>> {
        let Some(frame) = seal(segment)? else { return Ok(None) };
        let follows = frame.checksum == next.previous && frame.header.after == next.after;
        Ok(if follows { Summary::decode(&frame.payload) } else { None })
    }

    /// Goes through a segment up to what the next one follows. After a failed write a log goes on
    /// in a new segment, and what lies beyond in the old one does not count.
    fn through(&self, segment: &SegmentFile, next: &SegmentHeader) -> Result<Summary, OpenError> {
        let mut summary = Summary::default();
        let mut scan = Scan::new(segment).map_err(OpenError::io(&segment.path))?;
        let mut reached = (segment.header.after, segment.checksum);
        while reached != (next.after, next.previous) {
            match scan.next().map_err(OpenError::io(&segment.path))? {
                Next::Frame(frame) => {
                    summary.add(frame.offset, &frame.header, &frame.payload);
                    reached = (frame.header.last(), frame.checksum);
                }
                Next::End(offset) => {
                    let detail = format!("the segment ends early, at position {}", reached.0);
                    return Err(self.damaged_at(segment, offset, &detail));
                }
                Next::Bad { offset, why } => return Err(self.refused_at(segment, offset, why)),
            }
        }
        Ok(summary)
    }

    /// The segment that was written last.
    fn last(&mut self, segment: &SegmentFile) -> Result<(), OpenError> {
        let io = || OpenError::io(&segment.path);
        let mut tail = Tail {
            summary: Summary::default(),
            end: SEGMENT_HEADER as u64,
            checksum: segment.checksum,
            sealed: false,
            closed: false,
            torn: None,
        };
        let mut last = segment.header.after;
        let mut scan = Scan::new(segment).map_err(io())?;
        while !tail.sealed {
            match scan.next().map_err(io())? {
                Next::Frame(frame) => {
                    last = frame.header.last();
                    tail.end = frame.offset + frame.header.bytes();
                    tail.checksum = frame.checksum;
                    tail.sealed = frame.header.kind == FrameKind::Seal;
                    tail.closed = frame.header.kind == FrameKind::Close;
                    self.survey.log_time_ms = self.survey.log_time_ms.max(frame.header.log_time_ms);
                    if !tail.sealed {
                        tail.summary.add(frame.offset, &frame.header, &frame.payload);
                    }
                }
                Next::End(_) => break,
                // A crash tears no frame whose checksum holds.
                Next::Bad { offset, why: why @ Unread::Newer(_) } => {
                    return Err(self.refused_at(segment, offset, why));
                }
                Next::Bad { offset, why: Unread::Damaged(detail) } => {
                    if let Some(valid) = scan.frame_after(offset).map_err(io())? {
                        let detail = format!("{detail}, and a valid one follows at byte {valid}");
                        return Err(self.damaged_at(segment, offset, &detail));
                    }
                    if last < self.acknowledged {
                        let through = self.acknowledged;
                        let detail =
                            format!("{detail}, but everything through {through} was acknowledged");
                        return Err(self.damaged_at(segment, offset, &detail));
                    }
                    tail.torn = Some(detail);
                    break;
                }
            }
        }
        self.take(segment, last, &tail.summary)?;
        self.survey.tail = Some(tail);
        Ok(())
    }

    fn take(
        &mut self,
        segment: &SegmentFile,
        last: Sequence,
        summary: &Summary,
    ) -> Result<(), OpenError> {
        let bytes = segment.file.length().map_err(OpenError::io(&segment.path))?;
        let survey = &mut self.survey;
        for (first, epoch) in &summary.epochs {
            survey.epochs.note(*epoch, *first);
        }
        survey.noted = summary.noted.or(segment.header.noted).or(survey.noted);
        survey.log_time_ms = survey.log_time_ms.max(segment.header.log_time_ms);
        survey.end = last;
        survey.segments.push(FoundSegment { segment: segment.clone(), bytes, last });
        Ok(())
    }

    fn finish(self) -> Result<Survey, OpenError> {
        let (end, acknowledged) = (self.survey.end, self.acknowledged);
        if end < acknowledged {
            let first = end + 1;
            return Err(self.damaged(format!(
                "positions {first} to {acknowledged} were acknowledged and are missing: the folder is not complete, or `{END}` is newer than the segments"
            )));
        }
        Ok(self.survey)
    }

    fn refused_at(&self, segment: &SegmentFile, offset: u64, why: Unread) -> OpenError {
        let name = segment.path.file_name().unwrap_or_default().to_string_lossy();
        why.refuses(self.folder, &format!("`{SEGMENTS}/{name}` at byte {offset}"))
    }

    fn damaged_at(&self, segment: &SegmentFile, offset: u64, detail: &str) -> OpenError {
        let name = segment.path.file_name().unwrap_or_default().to_string_lossy();
        self.damaged(format!("`{SEGMENTS}/{name}` at byte {offset}: {detail}"))
    }
}

/// The seal of a segment, if there is a valid one.
pub(super) fn seal(segment: &SegmentFile) -> io::Result<Option<Frame>> {
    let Some(offset) = seal_offset(&*segment.file)? else { return Ok(None) };
    let found = Scan::anywhere(segment, offset)?;
    Ok(found.filter(|frame| frame.header.kind == FrameKind::Seal))
}

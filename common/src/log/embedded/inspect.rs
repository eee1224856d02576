//! Looks through a log whatever its state, frame by frame: to tell how far it is damaged, and to
//! save what is whole. Reads only.

use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    OpenError,
    disk::{Disk, MachineDisk, read_small},
    frame::FrameKind,
    identity::{self, Stored},
    position_file::{self, END, Said},
    segment::{Frame, Next, SEGMENT_HEADER, Scan, SegmentFile, SegmentHeader, first_of},
    survey::{SEGMENTS, survey},
};
use crate::log::{LogIdentity, Sequence};

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Below the folder of the log.
    pub file: String,
    /// Where it begins; 0 for the file as a whole.
    pub offset: u64,
    /// Description of the damage.
    pub detail: String,
}

/// A segment as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InspectedSegment {
    /// Its file, below the folder of the log.
    pub file: String,
    /// The position that its name gives.
    pub first: Sequence,
    /// The last position of a frame that is whole.
    pub last: Sequence,
    /// Bytes of the file.
    pub bytes: u64,
    /// Frames that are whole.
    pub frames: u64,
    /// Sections in whole frames.
    pub sections: u64,
    /// It ends in an index.
    pub sealed: bool,
}

/// What a log holds, and what is wrong with it.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// Which log, if that can be read.
    pub identity: Option<LogIdentity>,
    /// Segments by position.
    pub segments: Vec<InspectedSegment>,
    /// How far it was acknowledged, if that is known.
    pub acknowledged: Option<Sequence>,
    /// The last position that is whole.
    pub end: Sequence,
    /// Ranges of positions, both inclusive, that are not there.
    pub missing: Vec<(Sequence, Sequence)>,
    /// In order of the files.
    pub damage: Vec<Damage>,
    /// Why a start would be refused; `None` when it would not.
    pub refusal: Option<String>,
}

/// Looks through the log in `folder`; `tell` hears how many bytes of how many are done.
///
/// # Errors
/// [`OpenError::Before`], [`OpenError::Newer`], and [`OpenError::Io`] when the folder cannot be read.
pub fn inspect(folder: &Path, tell: &mut dyn FnMut(u64, u64)) -> Result<Inspection, OpenError> {
    walk(folder, tell, &mut |_, _| Ok(()))
}

/// Takes the frames that are whole, in order, with the segment that holds them.
type Take<'a> = &'a mut dyn FnMut(&SegmentFile, &Frame) -> Result<(), OpenError>;

/// As [`inspect`]; each commit goes to `take` once.
pub(super) fn walk(
    folder: &Path,
    tell: &mut dyn FnMut(u64, u64),
    take: Take<'_>,
) -> Result<Inspection, OpenError> {
    let disk = MachineDisk;
    let refusal = match survey(&disk, folder) {
        Ok(_) => None,
        // What a newer release wrote is not damage, and nothing is to be saved from it here.
        Err(
            error @ (OpenError::Before { .. } | OpenError::Newer { .. } | OpenError::Io { .. }),
        ) => return Err(error),
        Err(error) => Some(error.to_string()),
    };
    let path = folder.join(identity::FILE);
    let stored = read_small(&disk, &path).map_err(OpenError::io(&path))?;
    let mut damage = Vec::new();
    let identity = match stored.as_deref().map(identity::decode) {
        Some(Ok(Stored::Present(identity))) => Some(identity),
        Some(Ok(Stored::Before(_))) | None => None,
        Some(Err(why)) => {
            let (file, detail) = (identity::FILE.to_owned(), why.detail().to_owned());
            damage.push(Damage { file, offset: 0, detail });
            None
        }
    };
    let path = folder.join(END);
    let said = position_file::read(&disk, &path).map_err(OpenError::io(&path))?;
    if said == Said::Unreadable {
        let detail = "it cannot be read: how far the log was acknowledged is not known".to_owned();
        damage.push(Damage { file: END.to_owned(), offset: 0, detail });
    }
    let files = files(folder)?;
    let all: u64 = files.iter().map(|(_, _, bytes)| *bytes).sum();
    let mut inspection = Inspection {
        identity,
        segments: Vec::new(),
        acknowledged: said.known(),
        end: 0,
        missing: Vec::new(),
        damage,
        refusal,
    };
    let mut done = 0;
    for (number, (first, path, bytes)) in files.iter().enumerate() {
        let next = files.get(number + 1).map(|(first, ..)| *first);
        let failed = OpenError::io(path);
        let found = Look { inspection: &mut inspection, take: &mut *take, next };
        found.through(path, *first, *bytes).map_err(|error| match error {
            Failure::Io(error) => failed(error),
            Failure::Taken(error) => error,
        })?;
        done += bytes;
        tell(done, all);
    }
    let acknowledged = inspection.acknowledged.unwrap_or(0);
    if inspection.end < acknowledged {
        inspection.missing.push((inspection.end + 1, acknowledged));
    }
    Ok(inspection)
}

/// The segments: first position, path and bytes.
fn files(folder: &Path) -> Result<Vec<(Sequence, PathBuf, u64)>, OpenError> {
    let segments = folder.join(SEGMENTS);
    let listed = match MachineDisk.list(&segments) {
        Ok(listed) => listed,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(OpenError::io(&segments)(error)),
    };
    let files: BTreeSet<(Sequence, PathBuf, u64)> = listed
        .into_iter()
        .filter(|entry| entry.is_file)
        .filter_map(|entry| {
            first_of(&entry.name).map(|first| (first, segments.join(&entry.name), entry.bytes))
        })
        .collect();
    Ok(files.into_iter().collect())
}

enum Failure {
    Io(io::Error),
    Taken(OpenError),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Goes through one segment.
struct Look<'a> {
    inspection: &'a mut Inspection,
    take: Take<'a>,
    /// Where the next segment begins: what lies beyond in this one does not count.
    next: Option<Sequence>,
}

impl Look<'_> {
    fn through(mut self, path: &Path, first: Sequence, bytes: u64) -> Result<(), Failure> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let name = format!("{SEGMENTS}/{name}");
        let mut found = InspectedSegment {
            file: name.clone(),
            first,
            last: first.saturating_sub(1),
            bytes,
            frames: 0,
            sections: 0,
            sealed: false,
        };
        let file = MachineDisk.open(path)?;
        let mut head = vec![0; SEGMENT_HEADER];
        let read = file.read_at(&mut head, 0)?;
        let (header, checksum) = match SegmentHeader::decode(&head[..read]) {
            Ok(decoded) => decoded,
            Err(why) => {
                self.damaged(&name, 0, why.detail());
                (SegmentHeader::unchecked(&head[..read]), 0)
            }
        };
        let segment =
            SegmentFile { path: path.to_owned(), file: Arc::clone(&file), header, checksum };
        let mut scan = Scan::new(&segment)?;
        let mut more = checksum != 0 || self.skip(&mut scan, SEGMENT_HEADER as u64 - 1)?;
        while more && !found.sealed {
            match scan.next()? {
                Next::Frame(frame) => self.frame(&segment, &frame, &mut found)?,
                Next::End(_) => more = false,
                // After a failed write the next segment goes on, and this end does not count.
                Next::Bad { .. } if self.next.is_some_and(|next| found.last + 1 >= next) => {
                    more = false;
                }
                Next::Bad { offset, why } => {
                    self.damaged(&name, offset, why.detail());
                    more = self.skip(&mut scan, offset)?;
                }
            }
        }
        self.inspection.segments.push(found);
        Ok(())
    }

    /// Goes on at the next frame that is whole; whether there is any.
    fn skip(&self, scan: &mut Scan, offset: u64) -> io::Result<bool> {
        let mut from = offset;
        while let Some(valid) = scan.frame_after(from)? {
            if scan.go_to(valid)? {
                return Ok(true);
            }
            from = valid;
        }
        Ok(false)
    }

    fn frame(
        &mut self,
        segment: &SegmentFile,
        frame: &Frame,
        found: &mut InspectedSegment,
    ) -> Result<(), Failure> {
        let header = &frame.header;
        found.frames += 1;
        found.sealed = header.kind == FrameKind::Seal;
        let counts = self.next.is_none_or(|next| header.first < next);
        if header.kind == FrameKind::Commit && counts && header.first > self.inspection.end {
            let expected =
                if self.inspection.end == 0 { found.first } else { self.inspection.end + 1 };
            if header.after >= expected {
                self.inspection.missing.push((expected, header.after));
            }
            found.sections += u64::from(header.sections);
            found.last = header.last();
            self.inspection.end = header.last();
            (self.take)(segment, frame).map_err(Failure::Taken)?;
        } else if header.kind == FrameKind::Control {
            (self.take)(segment, frame).map_err(Failure::Taken)?;
        }
        Ok(())
    }

    fn damaged(&mut self, file: &str, offset: u64, detail: &str) {
        let (file, detail) = (file.to_owned(), detail.to_owned());
        self.inspection.damage.push(Damage { file, offset, detail });
    }
}

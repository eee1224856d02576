//! Saves what is whole of a damaged log as a new log, beside the old one.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    OpenError,
    disk::{Disk, MachineDisk, replace},
    frame::{FrameKind, Header},
    identity,
    inspect::{Inspection, walk},
    position_file::{self, END, TRIM},
    segments::Segments,
    survey::SEGMENTS,
    writer::{Position, Writer, random},
};
use crate::log::{LogIdentity, Sequence};

/// Bytes after which a segment of the new log is sealed.
const SEGMENT_BYTES: u64 = 256 << 20;

/// What was saved.
#[derive(Clone, Debug)]
pub struct Salvaged {
    /// What was found in the damaged log.
    pub inspection: Inspection,
    /// The new log.
    pub identity: LogIdentity,
    /// Both logs are the same up to here.
    pub through: Sequence,
}

/// Saves the log in `folder` as a new log in `target`, which must not exist. Positions stay, and those
/// that are lost stay empty. The damaged log is only read. `tell` hears how many bytes of how many
/// are done.
///
/// # Errors
/// As [`inspect`](super::inspect()), and [`OpenError::Damaged`] when the log does not say what it is.
pub fn salvage(
    folder: &Path,
    target: &Path,
    tell: &mut dyn FnMut(u64, u64),
) -> Result<Salvaged, OpenError> {
    let disk: Arc<dyn Disk> = Arc::new(MachineDisk);
    let looked = super::EmbeddedLog::look(folder)?;
    let super::LogFolder::Founded(old) = looked else {
        let detail = format!(
            "`{}` is missing, which says how its records were split; restore it from any copy of the folder",
            identity::FILE
        );
        return Err(OpenError::Damaged { folder: folder.to_owned(), detail });
    };
    fs::create_dir(target).map_err(OpenError::io(target))?;
    let segments = target.join(SEGMENTS);
    let incarnation = random();
    let mut saving = Saving {
        writer: Writer {
            disk: Arc::clone(&disk),
            folder: segments.clone(),
            segments: Arc::new(Segments::new(Arc::clone(&disk), segments, Vec::new(), None, 0)),
            incarnation,
            epoch: crate::log::Epoch::NONE,
            position: Position { last: 0, checksum: 0 },
            noted: None,
            open: None,
            closed: false,
        },
        target: target.to_owned(),
        begun: None,
        log_time_ms: 0,
    };
    let inspection = walk(folder, tell, &mut |segment, frame| {
        saving.take(segment.header.after, &frame.header, &frame.payload)
    })?;
    saving.writer.close(saving.log_time_ms).map_err(OpenError::io(target))?;
    let end = saving.writer.position.last;
    let first_lost = inspection.missing.first().map(|(first, _)| *first);
    let through = first_lost.map_or(end, |first| first - 1);
    let identity = LogIdentity { incarnation, ..old.restored(through) };
    if let Some(after) = saving.begun
        && after > 0
    {
        position_file::write(&*disk, &target.join(TRIM), after).map_err(OpenError::io(target))?;
    }
    position_file::write(&*disk, &target.join(END), end).map_err(OpenError::io(target))?;
    // Last: without it the folder is no log.
    replace(&*disk, &target.join(identity::FILE), &identity::encode(&identity))
        .map_err(OpenError::io(target))?;
    Ok(Salvaged { inspection, identity, through })
}

struct Saving {
    writer: Writer,
    target: PathBuf,
    /// The position before the first segment.
    begun: Option<Sequence>,
    log_time_ms: i64,
}

impl Saving {
    fn take(&mut self, begin: Sequence, header: &Header, payload: &[u8]) -> Result<(), OpenError> {
        if self.begun.is_none() {
            self.begun = Some(begin);
            self.writer.position.last = begin;
        }
        let failed = OpenError::io(&self.target);
        self.log_time_ms = self.log_time_ms.max(header.log_time_ms);
        if header.kind == FrameKind::Commit && self.writer.is_full(SEGMENT_BYTES) {
            self.writer.seal(header.log_time_ms).map_err(OpenError::io(&self.target))?;
        }
        self.writer.epoch = header.epoch;
        let after = self.writer.position.last;
        let first = if header.kind == FrameKind::Commit { header.first } else { after + 1 };
        let header_now = Header { after, first, ..*header };
        self.writer.append(header_now, payload, header.log_time_ms).map_err(failed)?;
        if header.kind == FrameKind::Control {
            self.writer.remember(payload);
        }
        Ok(())
    }
}

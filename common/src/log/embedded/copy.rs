//! Copies of a log, for backups: taken while it is written, and gone on with as another log.

use std::{
    fs::{self, File},
    io,
    path::Path,
};

use super::{
    EmbeddedLog, LogFolder, MetadataNote, OpenError, Shared,
    disk::{MachineDisk, replace},
    identity,
    position_file::{self, END, TRIM},
    segment::file_name,
    survey::SEGMENTS,
};
use crate::{
    files::link,
    log::{Epoch, EventLog as _, LogIdentity, Sequence},
};

/// Bytes copied at once.
const COPY: usize = 1 << 20;

/// How far a copy goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopiedLog {
    /// The last position in it.
    pub end: Sequence,
    /// The epoch at the end.
    pub epoch: Epoch,
    /// The last note of metadata in it, or one that was made while it was taken.
    pub noted: Option<MetadataNote>,
}

impl EmbeddedLog {
    /// Copies the log as it is now to `target`, which must not exist. Segments that are not written
    /// any more are linked where the file systems allow it, so that they take no space. Nothing is
    /// trimmed meanwhile. Blocks on the disk.
    ///
    /// # Errors
    /// [`OpenError::Io`].
    pub fn copy_to(&self, target: &Path) -> Result<CopiedLog, OpenError> {
        self.shared.copy_to(target).map_err(OpenError::io(target))?;
        let end = match position_file::read(&MachineDisk, &target.join(END)) {
            Ok(said) => said.known().unwrap_or(0),
            Err(error) => return Err(OpenError::io(target)(error)),
        };
        Ok(CopiedLog { end, epoch: self.epoch_at(end), noted: self.noted() })
    }

    /// Makes the copy in `folder` another log than the one that it was taken of, which was at
    /// `through` then: so that tokens of what the other one does afterwards are refused here.
    ///
    /// # Errors
    /// As [`Self::look`].
    pub fn refound(folder: &Path, through: Sequence) -> Result<LogIdentity, OpenError> {
        let LogFolder::Founded(old) = Self::look(folder)? else {
            let detail = format!("`{}` is missing", identity::FILE);
            return Err(OpenError::Damaged { folder: folder.to_owned(), detail });
        };
        let identity = old.restored(through);
        let path = folder.join(identity::FILE);
        replace(&MachineDisk, &path, &identity::encode(&identity)).map_err(OpenError::io(&path))?;
        Ok(identity)
    }
}

impl Shared {
    fn copy_to(&self, target: &Path) -> io::Result<()> {
        let _trimming = self.trimming.lock();
        fs::create_dir(target)?;
        let segments = target.join(SEGMENTS);
        fs::create_dir(&segments)?;
        // The one that is written first: what is sealed meanwhile is in the list already, or is it.
        let active = self.segments.last();
        let reach = active.as_ref().map(|segment| (segment.end(), segment.last()));
        let begin = active.as_ref().map_or(Sequence::MAX, |segment| segment.first());
        let mut end = self.segments.trimmed_through();
        for sealed in self.segments.sealed().into_iter().filter(|sealed| sealed.first < begin) {
            let name = file_name(sealed.first);
            link(&self.segments.path(sealed.first), &segments.join(name))?;
            end = sealed.last;
        }
        if let (Some(segment), Some((bytes, last))) = (active, reach) {
            let copy = File::create(segments.join(file_name(segment.first())))?;
            copy_part(&*segment.file.file, &copy, bytes)?;
            end = last;
        }
        let trimmed = self.segments.trimmed_through();
        if trimmed > 0 {
            position_file::write(&MachineDisk, &target.join(TRIM), trimmed)?;
        }
        position_file::write(&MachineDisk, &target.join(END), end)?;
        File::open(&segments)?.sync_all()?;
        // Last: without it the folder is no log.
        let identity = identity::encode(&self.identity);
        replace(&MachineDisk, &target.join(identity::FILE), &identity)
    }
}

fn copy_part(from: &dyn super::disk::DiskFile, to: &File, bytes: u64) -> io::Result<()> {
    use std::os::unix::fs::FileExt as _;
    let mut buffer = vec![0; COPY];
    let mut offset = 0;
    while offset < bytes {
        let wanted = usize::try_from(bytes - offset).unwrap_or(COPY).min(COPY);
        let read = from.read_at(&mut buffer[..wanted], offset)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        to.write_all_at(&buffer[..read], offset)?;
        offset += read as u64;
    }
    to.sync_all()
}

//! Makes a log of segment files of a log of before: the same sections at the same positions of the
//! same log. The old folder is only read, and kept as `log.old`.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use prost::Message;
use xxhash_rust::xxh3::Xxh3;
use zstd::bulk::{Compressor, Decompressor};

use super::{OldCommits, OldSegment, segments};
use crate::files::copy_folder;
use crate::log::{
    Epoch, Founding, LogIdentity, Sequence,
    commit::Commit,
    embedded::{
        OpenError,
        disk::{Disk, MachineDisk, replace},
        frame, identity,
        position_file::{self, END, TRIM},
        segments::{Segment, Segments},
        survey::{SEGMENTS, Survey, survey},
        writer::{Position, Writer},
    },
};

/// Bytes that stay free beside what a conversion takes.
const SPARE: u64 = 64 << 20;

/// What is read of a section: when it was appended.
#[derive(Clone, PartialEq, Message)]
struct Stamp {
    #[prost(int64, tag = "1")]
    append_time_ms: i64,
}

/// The folders beside a log that its conversion uses.
fn beside(folder: &Path) -> (PathBuf, PathBuf) {
    (folder.with_extension("new"), folder.with_extension("old"))
}

/// Where the log of `folder` is: beside it, when a conversion was interrupted between its last two
/// steps.
pub(in crate::log::embedded) fn place(folder: &Path) -> PathBuf {
    let (new, old) = beside(folder);
    if folder.exists() || !old.join(identity::FILE).exists() || !new.join(END).exists() {
        return folder.to_owned();
    }
    new
}

/// Completes a conversion that was interrupted between its last two steps.
pub(in crate::log::embedded) fn finish_renaming(folder: &Path) -> io::Result<()> {
    let place = place(folder);
    if place == folder {
        return Ok(());
    }
    fs::rename(&place, folder)?;
    sync_above(folder)
}

/// Converts the log in `folder`, of this incarnation. Afterwards `folder` is the new one. `tell` hears
/// which segment of how many is about to be converted.
pub(in crate::log::embedded) fn convert(
    folder: &Path,
    incarnation: u64,
    founding: &Founding,
    tell: &dyn Fn(usize, usize),
) -> Result<(), OpenError> {
    let (new, old) = beside(folder);
    let disk = MachineDisk;
    let all = segments(&folder.join(SEGMENTS))?;
    let path = folder.join(END);
    let acknowledged = position_file::read(&disk, &path).map_err(OpenError::io(&path))?;
    check_space(folder, &all)?;
    tracing::info!(folder = %folder.display(), segments = all.len(), "converting the log of an earlier version");
    begin(&disk, &new, incarnation, founding)?;
    if let Some(first) = all.first()
        && first.first > 1
    {
        let path = new.join(TRIM);
        position_file::write(&disk, &path, first.first - 1).map_err(OpenError::io(&path))?;
    }
    let mut end = all.first().map_or(0, |segment| segment.first - 1);
    for (number, segment) in all.iter().enumerate() {
        if segment.first != end + 1 {
            let detail = format!("positions {} to {} are missing", end + 1, segment.first - 1);
            return Err(OpenError::Damaged { folder: folder.to_owned(), detail });
        }
        tell(number + 1, all.len());
        let next = all.get(number + 1).map(|next| next.first);
        end = one(folder, &new, segment, next)?;
        tracing::info!(done = number + 1, of = all.len(), through = end, "segment converted");
    }
    if end < acknowledged.known().unwrap_or(0) {
        let through = acknowledged.known().unwrap_or(0);
        let detail =
            format!("positions {} to {through} were acknowledged and are missing", end + 1);
        return Err(OpenError::Damaged { folder: folder.to_owned(), detail });
    }
    let path = new.join(END);
    position_file::write(&disk, &path, end).map_err(OpenError::io(&path))?;
    fs::rename(folder, &old).map_err(OpenError::io(&old))?;
    sync_above(folder).map_err(OpenError::io(folder))?;
    fs::rename(&new, folder).map_err(OpenError::io(&new))?;
    sync_above(folder).map_err(OpenError::io(folder))?;
    tracing::info!(old = %old.display(), "the log is converted; `mercer log discard-old` removes the old one");
    Ok(())
}

/// The folder of the new log, that of an interrupted conversion of the same log included.
fn begin(
    disk: &dyn Disk,
    new: &Path,
    incarnation: u64,
    founding: &Founding,
) -> Result<(), OpenError> {
    // The key of the user's side is drawn anew at each start; the one of the first stays.
    if let Ok(Survey { identity: Some(found), .. }) = survey(disk, new)
        && found.incarnation == incarnation
        && found.founding
            == (Founding { user_visit_key: found.founding.user_visit_key, ..founding.clone() })
    {
        return Ok(());
    }
    if new.exists() {
        // What cannot be gone on with: it was made here, and the log is whole without it.
        fs::remove_dir_all(new).map_err(OpenError::io(new))?;
    }
    fs::create_dir_all(new.join(SEGMENTS)).map_err(OpenError::io(new))?;
    let identity = LogIdentity { incarnation, founding: founding.clone(), ancestors: Vec::new() };
    let path = new.join(identity::FILE);
    replace(disk, &path, &identity::encode(&identity)).map_err(OpenError::io(&path))?;
    sync_above(new).map_err(OpenError::io(new))
}

/// Converts a segment, unless that was done before. Returns its last position.
fn one(
    folder: &Path,
    new: &Path,
    old: &OldSegment,
    next: Option<Sequence>,
) -> Result<Sequence, OpenError> {
    let found = survey(&MachineDisk, new)?;
    if let Some(done) =
        found.segments.iter().find(|done| done.segment.header.after + 1 == old.first)
        && let Some(next) = next
        && done.last + 1 == next
        && found.tail.as_ref().is_some_and(|tail| tail.sealed)
    {
        return Ok(done.last);
    }
    for unfinished in found.segments.iter().filter(|one| one.segment.header.after + 1 >= old.first)
    {
        let path = &unfinished.segment.path;
        fs::remove_file(path).map_err(OpenError::io(path))?;
    }
    let copy = new.join("copy");
    if copy.exists() {
        fs::remove_dir_all(&copy).map_err(OpenError::io(&copy))?;
    }
    copy_folder(&old.folder, &copy).map_err(OpenError::io(&copy))?;
    let mut target = Target::open(new, old.first)?;
    let torn = OldCommits::open(&copy)?.each(|commit| target.add(&commit))?;
    if let Some(detail) = torn {
        if next.is_some() {
            return Err(OpenError::Damaged { folder: folder.to_owned(), detail });
        }
        tracing::warn!(detail, "the last write was left incomplete by a crash; it is left out");
    }
    let last = target.finish()?;
    fs::remove_dir_all(&copy).map_err(OpenError::io(&copy))?;
    if let Some(next) = next
        && last + 1 != next
    {
        let detail = format!("positions {} to {} are missing", last + 1, next - 1);
        return Err(OpenError::Damaged { folder: folder.to_owned(), detail });
    }
    Ok(last)
}

/// The segment that is made.
struct Target {
    writer: Writer,
    compressor: Compressor<'static>,
    segments: Arc<Segments>,
    log_time_ms: i64,
    /// Hasher of all that was given to it.
    hasher: Xxh3,
    failed: PathBuf,
}

impl Target {
    fn open(new: &Path, first: Sequence) -> Result<Self, OpenError> {
        let disk: Arc<dyn Disk> = Arc::new(MachineDisk);
        let found = survey(&*disk, new)?;
        let folder = new.join(SEGMENTS);
        let segments = Segments::new(Arc::clone(&disk), folder.clone(), Vec::new(), None, 0);
        let segments = Arc::new(segments);
        let incarnation = found.identity.map_or(0, |identity| identity.incarnation);
        let checksum = found.tail.map_or(0, |tail| tail.checksum);
        let writer = Writer {
            disk,
            folder,
            segments: Arc::clone(&segments),
            incarnation,
            epoch: Epoch::NONE,
            position: Position { last: first - 1, checksum },
            noted: None,
            open: None,
            closed: false,
        };
        let log_time_ms = found.log_time_ms;
        let compressor = frame::compressor().map_err(OpenError::io(new))?;
        let failed = new.to_owned();
        Ok(Self { writer, compressor, segments, log_time_ms, hasher: Xxh3::new(), failed })
    }

    fn damaged(&self, detail: String) -> OpenError {
        OpenError::Damaged { folder: self.failed.clone(), detail }
    }

    fn add(&mut self, commit: &Commit) -> Result<(), OpenError> {
        let after = self.writer.position.last;
        if commit.first() != after + 1 {
            let (from, through) = (after + 1, commit.first().saturating_sub(1));
            return Err(self.damaged(format!("positions {from} to {through} are missing")));
        }
        for (_, section) in commit.sections() {
            let stamp = Stamp::decode(section.as_ref()).unwrap_or_default();
            self.log_time_ms = self.log_time_ms.max(stamp.append_time_ms);
        }
        digest(&mut self.hasher, commit);
        let encoded = frame::encode_commit(&mut self.compressor, after, commit);
        let (header, payload) = encoded.map_err(|detail| self.damaged(detail.to_owned()))?;
        let appended = self.writer.append(header, &payload, self.log_time_ms);
        appended.map_err(OpenError::io(&self.failed))
    }

    /// Seals the segment, and reads it once to see that it holds what it was given.
    fn finish(mut self) -> Result<Sequence, OpenError> {
        self.writer.seal(self.log_time_ms).map_err(OpenError::io(&self.failed))?;
        let mut hasher = Xxh3::new();
        if let Some(segment) = self.segments.last() {
            self.read_back(&segment, &mut hasher)?;
        }
        if hasher.digest() != self.hasher.digest() {
            return Err(self.damaged("what was written reads otherwise".into()));
        }
        Ok(self.writer.position.last)
    }

    fn read_back(&self, segment: &Segment, hasher: &mut Xxh3) -> Result<(), OpenError> {
        let mut decompressor = Decompressor::new().map_err(OpenError::io(&self.failed))?;
        let mut position = segment.first();
        while position <= segment.last() {
            let extent = segment.extent(position);
            let commits = segment
                .read(extent, &mut decompressor)
                .map_err(|error| self.damaged(error.to_string()))?;
            for commit in commits {
                digest(hasher, &commit);
            }
            position = extent.last + 1;
        }
        Ok(())
    }
}

fn digest(hasher: &mut Xxh3, commit: &Commit) {
    hasher.update(&commit.first().to_le_bytes());
    for (shard, section) in commit.sections() {
        hasher.update(&shard.to_le_bytes());
        hasher.update(&(section.len() as u64).to_le_bytes());
        hasher.update(section);
    }
}

/// A conversion takes the space of the whole log once more, and that of one segment.
fn check_space(folder: &Path, all: &[OldSegment]) -> Result<(), OpenError> {
    let needed = all.iter().map(|segment| segment.bytes).sum::<u64>()
        + all.iter().map(|segment| segment.bytes).max().unwrap_or(0)
        + SPARE;
    let free = MachineDisk.space(folder).map_err(OpenError::io(folder))?.free_bytes;
    if free < needed {
        let detail =
            format!("converting it takes {needed} bytes and {free} are free; nothing was changed");
        let source = io::Error::new(io::ErrorKind::StorageFull, detail);
        return Err(OpenError::Io { path: folder.to_owned(), source });
    }
    Ok(())
}

/// Makes the names in the folder above durable.
fn sync_above(folder: &Path) -> io::Result<()> {
    folder.parent().map_or(Ok(()), |above| MachineDisk.sync_folder(above))
}

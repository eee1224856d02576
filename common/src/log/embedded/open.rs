//! Opens a log: looks at its folder, decides, and only then writes.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::{Mutex, RwLock};
use tokio::sync::{Semaphore, mpsc, watch};

use super::{
    EmbeddedLog, EmbeddedLogOptions, OpenError, QUEUE_BYTES, QUEUE_REQUESTS, RUNS_BYTES,
    STORED_READS, Shared,
    cache::{Recent, Runs},
    committer,
    disk::{Disk, MachineDisk, read_small, replace},
    identity::{self, Stored},
    old,
    position_file::Witness,
    reserve::Reserve,
    scrub::Scrubber,
    segment::SegmentFile,
    segments::{Sealed, Segment, Segments},
    survey::{FoundSegment, NEW, SEGMENTS, SET_ASIDE, Survey, Tail, survey},
    time::LogTime,
    writer::{Open, Position, Writer, check_stored, random},
};
use crate::{
    clock::{SharedClock, SystemClock},
    log::{Epoch, Founding, LogIdentity},
};

const LOCK: &str = "lock";
/// Bytes copied at once.
const COPY: usize = 1 << 20;

/// Which log a folder holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogFolder {
    /// There is no log.
    Absent,
    /// One of before, which knows nothing of its founding; the next start converts it.
    Unfounded {
        /// Incarnation of the log.
        incarnation: u64,
    },
    /// A log of this identity.
    Founded(LogIdentity),
}

impl EmbeddedLog {
    /// Opens the log in `folder`, or creates it for a cluster with this founding; what an existing
    /// log says of itself stands. Blocks on the disk.
    ///
    /// # Errors
    /// See [`OpenError`]; nothing was changed then.
    pub fn open(
        folder: &Path,
        founding: &Founding,
        options: EmbeddedLogOptions,
    ) -> Result<Self, OpenError> {
        Self::open_telling(folder, founding, options, &|_, _| ())
    }

    /// As [`Self::open`]; while a log of before is converted, `tell` hears which segment of how many.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_telling(
        folder: &Path,
        founding: &Founding,
        options: EmbeddedLogOptions,
        tell: &dyn Fn(usize, usize),
    ) -> Result<Self, OpenError> {
        old::finish_renaming(folder).map_err(OpenError::io(folder))?;
        fs::create_dir_all(folder).map_err(OpenError::io(folder))?;
        let folder = folder.canonicalize().map_err(OpenError::io(folder))?;
        let mut lock = lock(&folder)?;
        let clock: SharedClock = Arc::new(SystemClock);
        if let LogFolder::Unfounded { incarnation } = Self::look(&folder)? {
            old::convert(&folder, incarnation, founding, tell)?;
            lock = self::lock(&folder)?;
        }
        Self::open_on(Arc::new(MachineDisk), clock, &folder, founding, options, Some(lock))
    }

    /// Where the segments of the log in `folder` lie, and what was cut off or replaced.
    #[must_use]
    pub fn segments_folder(folder: &Path) -> PathBuf {
        folder.join(SEGMENTS)
    }

    /// Which log a folder holds. Reads only.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn look(folder: &Path) -> Result<LogFolder, OpenError> {
        let path = old::place(folder).join(identity::FILE);
        let stored = read_small(&MachineDisk, &path).map_err(OpenError::io(&path))?;
        match stored.as_deref().map(identity::decode).transpose() {
            // What else is missing is told when it is opened.
            Ok(None) => survey(&MachineDisk, folder).map(|_| LogFolder::Absent),
            Ok(Some(Stored::Present(identity))) => Ok(LogFolder::Founded(identity)),
            Ok(Some(Stored::Before(incarnation))) => Ok(LogFolder::Unfounded { incarnation }),
            Err(why) => Err(why.refuses(folder, identity::PLACE)),
        }
    }

    /// Opens the log on a file system.
    pub(super) fn open_on(
        disk: Arc<dyn Disk>,
        clock: SharedClock,
        folder: &Path,
        founding: &Founding,
        options: EmbeddedLogOptions,
        lock: Option<File>,
    ) -> Result<Self, OpenError> {
        let found = survey(&*disk, folder)?;
        let segments_folder = folder.join(SEGMENTS);
        let is_new = found.identity.is_none();
        let identity = match found.identity.clone() {
            Some(identity) => identity,
            None => create(&*disk, folder, founding)?,
        };
        let base_ms = if is_new { clock.now_ms() } else { found.log_time_ms };
        let mut notes = notes(&found);
        let Survey { segments, tail, leftover, epochs, noted, end, trimmed_through, .. } = found;
        let taken = take_up(&*disk, folder, segments, tail)?;
        notes.extend(taken.note);
        for path in leftover {
            disk.remove(&path).map_err(OpenError::io(&path))?;
        }
        let segments = Arc::new(Segments::new(
            Arc::clone(&disk),
            segments_folder.clone(),
            taken.sealed,
            taken.open.as_ref().map(|open| Arc::clone(&open.segment)),
            trimmed_through,
        ));
        let writer = Writer {
            disk: Arc::clone(&disk),
            folder: segments_folder,
            segments: Arc::clone(&segments),
            incarnation: identity.incarnation,
            epoch: Epoch::random(),
            position: Position { last: end, checksum: taken.checksum },
            noted,
            open: taken.open,
            closed: taken.closed,
        };
        let witness = Witness::new(Arc::clone(&disk), folder);
        let reserve = Reserve::open(Arc::clone(&disk), folder, options.reserve_bytes);
        let shared = Arc::new(Shared {
            disk,
            folder: folder.to_owned(),
            options,
            identity,
            time: LogTime::new(clock, base_ms),
            segments,
            epochs: RwLock::new(epochs),
            noted: Mutex::new(noted),
            end: watch::Sender::new(end),
            recent: RwLock::new(Recent::new(options.cache_bytes)),
            runs: Mutex::new(Runs::new(RUNS_BYTES)),
            stored_reads: Semaphore::new(STORED_READS),
            trimming: Mutex::default(),
            stopped: Mutex::default(),
            reserve: Mutex::new(reserve),
            notes,
            damage: Mutex::default(),
            _lock: lock,
        });
        let (queue, requests) = mpsc::channel(QUEUE_REQUESTS);
        let resume = queue.downgrade();
        let committer = committer::start(Arc::clone(&shared), writer, witness, resume, requests)?;
        let scrubber = Scrubber::start(&shared, options.scrub_bytes_a_second);
        Ok(Self {
            scrubber: scrubber.map_err(OpenError::io(folder))?,
            shared,
            queue_bytes: Arc::new(Semaphore::new(QUEUE_BYTES)),
            queue: Some(queue),
            committer: Some(committer),
        })
    }
}

/// The segments of a log as its writer goes on from them.
struct TakenUp {
    sealed: Vec<Sealed>,
    /// The last one, unless it is sealed too.
    open: Option<Open>,
    /// The log was closed in order.
    closed: bool,
    /// Checksum of the last frame.
    checksum: u64,
    /// Note of what was cut off.
    note: Option<String>,
}

/// Takes up the segments that were found, after the last frame that is whole.
fn take_up(
    disk: &dyn Disk,
    folder: &Path,
    mut segments: Vec<FoundSegment>,
    tail: Option<Tail>,
) -> Result<TakenUp, OpenError> {
    let last = segments.pop();
    let sealed = segments.iter().map(|one| Sealed {
        first: one.segment.header.after + 1,
        last: one.last,
        bytes: one.bytes,
    });
    let sealed = sealed.collect();
    let mut taken = TakenUp { sealed, open: None, closed: true, checksum: 0, note: None };
    let (Some(FoundSegment { segment, last, bytes }), Some(tail)) = (last, tail) else {
        return Ok(taken);
    };
    let (after, before) = (segment.header.after, segment.header.previous);
    taken.checksum = if tail.summary.blocks.is_empty() { before } else { tail.checksum };
    if tail.sealed {
        taken.sealed.push(Sealed { first: after + 1, last, bytes });
        return Ok(taken);
    }
    taken.closed = tail.closed;
    let path = segment.path.clone();
    let failed = || OpenError::io(&path);
    let file = disk.open_writable(&path).map_err(failed())?;
    taken.note = tail.torn.map(|detail| set_aside_note(&segment, &tail, detail));
    let segment = mend(disk, segment, &tail, last).map_err(failed())?;
    if !taken.closed && !check_stored(&segment).map_err(failed())? {
        let detail = format!("the device does not hold what {} holds in memory", path.display());
        return Err(OpenError::Damaged { folder: folder.to_owned(), detail });
    }
    let allocated = file.length().map_err(failed())?;
    let (offset, previous) = (tail.end, tail.checksum);
    taken.open = Some(Open { segment: Arc::new(segment), file, offset, previous, allocated });
    Ok(taken)
}

/// Locks the folder against other processes; the lock lasts as long as the file is open.
fn lock(folder: &Path) -> Result<File, OpenError> {
    let path = folder.join(LOCK);
    let mut options = File::options();
    let file = options.read(true).write(true).create(true).truncate(false).open(&path);
    let file = file.map_err(OpenError::io(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked { folder: folder.to_owned() }),
        Err(TryLockError::Error(error)) => Err(OpenError::io(&path)(error)),
    }
}

/// Creates the identity of a new log.
fn create(disk: &dyn Disk, folder: &Path, founding: &Founding) -> Result<LogIdentity, OpenError> {
    let identity =
        LogIdentity { incarnation: random(), founding: founding.clone(), ancestors: Vec::new() };
    let path = folder.join(identity::FILE);
    replace(disk, &path, &identity::encode(&identity)).map_err(OpenError::io(&path))?;
    Ok(identity)
}

/// Takes off what a crash left after the last frame; it is kept beside the segment. What was read is
/// synced, for the crash may have come before the sync.
fn mend(disk: &dyn Disk, segment: SegmentFile, tail: &Tail, last: u64) -> io::Result<Segment> {
    let file = disk.open_writable(&segment.path)?;
    if let Some(detail) = tail.torn {
        let kept = segment.path.with_extension(SET_ASIDE);
        tracing::warn!(note = set_aside_note(&segment, tail, detail), "the log was opened");
        let new = segment.path.with_extension(format!("{SET_ASIDE}.{NEW}"));
        let copy = disk.create(&new)?;
        let mut buffer = vec![0; COPY];
        let mut offset = tail.end;
        loop {
            let read = file.read_at(&mut buffer, offset)?;
            if read == 0 {
                break;
            }
            copy.write_at(&buffer[..read], offset - tail.end)?;
            offset += read as u64;
        }
        copy.sync()?;
        disk.rename(&new, &kept)?;
        if let Some(folder) = segment.path.parent() {
            disk.sync_folder(folder)?;
        }
        file.truncate(tail.end)?;
    }
    if !tail.closed {
        file.sync()?;
        if let Some(folder) = segment.path.parent() {
            disk.sync_folder(folder)?;
        }
    }
    Ok(Segment::new(segment, tail.summary.clone(), tail.end, last))
}

fn set_aside_note(segment: &SegmentFile, tail: &Tail, detail: &str) -> String {
    let name = segment.path.file_name().unwrap_or_default().to_string_lossy();
    format!(
        "a crash left the last write of `{SEGMENTS}/{name}` incomplete ({detail} at byte {}); nobody was told that it was stored, and it is kept as *.{SET_ASIDE}",
        tail.end
    )
}

/// What an operator should know of what was found.
fn notes(found: &Survey) -> Vec<String> {
    let set_aside = found.set_aside.iter().map(|file| {
        let (name, bytes) = (&file.name, file.bytes);
        format!("`{SEGMENTS}/{name}`, {bytes} bytes, was cut off or replaced after a crash; remove it when nobody misses anything")
    });
    let foreign = found
        .foreign
        .iter()
        .map(|name| format!("`{SEGMENTS}/{name}` is not a file of the log; it is left alone"));
    let notes: Vec<String> = set_aside.chain(foreign).collect();
    for note in &notes {
        tracing::warn!(note, "the log was opened");
    }
    notes
}

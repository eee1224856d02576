//! The one thread that writes: it drains a bounded queue of appends in groups, stores each group as
//! one frame, and answers when the frame is durable.
//!
//! After a failed write it refuses what waits, and tries to go on in a new segment: while the disk is
//! full for as long as it takes, after an error of the device a few times. A full disk costs the
//! [reserve](super::reserve) first, within which all but appends is written.

use std::{io, sync::Arc, thread, time::Duration};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use zstd::bulk::Compressor;

use super::{
    MetadataNote, OpenError, Shared,
    disk::is_full,
    frame,
    position_file::Witness,
    writer::{Writer, check_stored},
};
use crate::{
    log::{
        Appended, LogError, Sequence,
        commit::{Commit, raw_bytes},
    },
    slot::ShardId,
};

/// Bytes after which a group takes no further append.
const GROUP_BYTES: usize = 4 << 20;
/// Attempts to go on after an error of the device.
const DEVICE_ATTEMPTS: u32 = 3;
/// How long to wait before the first and between later attempts to go on.
const AGAIN: std::ops::RangeInclusive<Duration> =
    Duration::from_millis(250)..=Duration::from_secs(8);

/// What the thread is asked for.
#[derive(Debug)]
pub(super) enum Request {
    Append(Waiting),
    Note(MetadataNote, oneshot::Sender<Result<(), LogError>>),
    /// Try to go on after a failure.
    Resume,
}

/// An append that waits for its commit.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) sections: Vec<(ShardId, Bytes)>,
    pub(super) answer: oneshot::Sender<Result<Appended, LogError>>,
    /// Its share of the queue's bytes, given back when it has been answered.
    pub(super) permit: OwnedSemaphorePermit,
}

/// Starts the thread. It ends when the queue is closed and drained.
pub(super) fn start(
    shared: Arc<Shared>,
    writer: Writer,
    witness: Witness,
    resume: mpsc::WeakSender<Request>,
    queue: mpsc::Receiver<Request>,
) -> Result<thread::JoinHandle<()>, OpenError> {
    let folder = shared.folder.clone();
    let compressor = frame::compressor().map_err(OpenError::io(&folder))?;
    let (failure, waits) = (None, false);
    let mut committer = Committer { shared, writer, witness, compressor, resume, failure, waits };
    if committer.shared.reserve.lock().was_released() {
        // An earlier run met a full disk, and there is no more space than there was.
        committer.stop(committer.full(), true, 1);
        committer.within_reserve();
    }
    thread::Builder::new()
        .name("log-commit".into())
        .spawn(move || committer.run(queue))
        .map_err(OpenError::io(&folder))
}

/// Why nothing is appended at present.
struct Failure {
    cause: String,
    full: bool,
    attempts: u32,
    /// Writing works, in space that appends are not to take.
    within_reserve: bool,
}

struct Committer {
    shared: Arc<Shared>,
    writer: Writer,
    witness: Witness,
    compressor: Compressor<'static>,
    resume: mpsc::WeakSender<Request>,
    failure: Option<Failure>,
    /// It has asked itself to go on later.
    waits: bool,
}

impl Committer {
    fn run(&mut self, mut queue: mpsc::Receiver<Request>) {
        let mut next = queue.blocking_recv();
        while let Some(request) = next.take() {
            match request {
                Request::Append(waiting) => {
                    let group;
                    (group, next) = gather(waiting, &mut queue);
                    self.commit(group);
                }
                Request::Note(note, answer) => {
                    let _ = answer.send(self.note(note));
                }
                Request::Resume => {
                    self.waits = false;
                    self.go_on();
                }
            }
            if next.is_none() {
                next = queue.blocking_recv();
            }
        }
        if self.writes()
            && let Err(error) = self.close()
        {
            tracing::warn!(%error, "the log was not closed in order; the next start looks through its end");
        }
    }

    /// Stores a group and answers it.
    fn commit(&mut self, mut group: Vec<Waiting>) {
        if let Some(failure) = &self.failure {
            let cause = &failure.cause;
            return answer_all(group, || LogError::Stopped(cause.clone()));
        }
        let sections = group.iter_mut().map(|waiting| std::mem::take(&mut waiting.sections));
        let sections: Vec<Vec<(ShardId, Bytes)>> = sections.collect();
        let counts: Vec<usize> = sections.iter().map(Vec::len).collect();
        let mut first = self.writer.position.last + 1;
        let commit = Commit::new(first, sections.into_iter().flatten().collect());
        if let Err(error) = self.store(&commit) {
            self.fail(&error);
            // Nobody knows what of it is stored.
            return answer_all(group, || LogError::Unconfirmed);
        }
        let noted = self.witness.note(commit.last());
        // It is stored, whoever is told: readers must not skip it.
        self.shared.publish(self.writer.epoch, commit);
        if let Err(error) = noted {
            self.fail(&error);
            return answer_all(group, || LogError::Unconfirmed);
        }
        for (waiting, count) in group.into_iter().zip(counts) {
            let sequences = (first..).take(count).collect();
            first += count as u64;
            // Whoever no longer waits sends it again, and apply drops the duplicate.
            let _ = waiting.answer.send(Ok(Appended { sequences }));
            drop(waiting.permit);
        }
    }

    fn store(&mut self, commit: &Commit) -> io::Result<()> {
        let now = self.shared.time.now_ms();
        if self.writer.is_full(self.shared.options.segment_bytes) {
            self.writer.seal(now)?;
        }
        let after: Sequence = commit.first() - 1;
        let encoded = frame::encode_commit(&mut self.compressor, after, commit);
        let (header, payload) = encoded.map_err(io::Error::other)?;
        self.writer.append(header, &payload, now)
    }

    /// Says that the log was closed in order; the reserve is for this, too.
    fn close(&mut self) -> io::Result<()> {
        let now = self.shared.time.now_ms();
        match self.writer.close(now) {
            Err(error) if is_full(&error) && self.shared.reserve.lock().release() => {
                self.begin_anew()?;
                self.writer.close(now)
            }
            closed => closed,
        }
    }

    /// Whether frames can be written, if not appends.
    fn writes(&self) -> bool {
        self.failure.as_ref().is_none_or(|failure| failure.within_reserve)
    }

    /// Notes the state of the metadata.
    fn note(&mut self, note: MetadataNote) -> Result<(), LogError> {
        if let Some(failure) = &self.failure
            && !failure.within_reserve
        {
            return Err(LogError::Stopped(failure.cause.clone()));
        }
        let mut written = self.writer.control(Some(note), self.shared.time.now_ms());
        if let Err(error) = &written {
            self.fail(error);
            if self.writes() {
                // The reserve is for notes.
                written = self.writer.control(Some(note), self.shared.time.now_ms());
                if let Err(error) = &written {
                    self.fail(error);
                }
            }
        }
        written.map_err(|_| LogError::Unconfirmed)?;
        *self.shared.noted.lock() = Some(note);
        Ok(())
    }

    /// What is said of a full disk.
    fn full(&self) -> String {
        let (folder, reserve) = (self.shared.folder.display(), self.shared.reserve.lock());
        let when = match reserve.needed() {
            0 => "there is".to_owned(),
            needed => format!("{} MiB are free", needed.div_ceil(1 << 20)),
        };
        format!("there is no space left for the log in {folder}; it goes on by itself when {when}")
    }

    /// Stops appending, and tries again.
    fn fail(&mut self, error: &io::Error) {
        let full = is_full(error);
        let before = self.failure.take().filter(|failure| failure.full == full);
        let attempts = before.map_or(0, |failure| failure.attempts) + 1;
        let folder = self.shared.folder.display();
        let is_permanent = !full && attempts > DEVICE_ATTEMPTS;
        let cause = match (full, is_permanent) {
            (true, _) => self.full(),
            (false, false) => format!("writing the log in {folder} failed: {error}; trying again"),
            (false, true) => format!(
                "writing the log in {folder} failed {attempts} times: {error}; mend the device and start again"
            ),
        };
        self.stop(cause, full, attempts);
        if full && self.shared.reserve.lock().release() {
            self.go_on();
        } else if !is_permanent {
            self.try_later(attempts);
        }
    }

    fn stop(&mut self, cause: String, full: bool, attempts: u32) {
        tracing::error!(cause, attempts, "the log has stopped");
        *self.shared.stopped.lock() = Some(cause.clone());
        self.failure = Some(Failure { cause, full, attempts, within_reserve: false });
    }

    /// Asks itself to go on, the later the more often that failed.
    fn try_later(&mut self, attempts: u32) {
        if self.waits {
            return;
        }
        let Some(queue) = self.resume.upgrade() else { return };
        let longest = *AGAIN.end();
        let delay = AGAIN.start().saturating_mul(1 << (attempts - 1).min(8)).min(longest);
        // It holds no sender while it sleeps, so that a log that is dropped meanwhile ends.
        let queue = queue.downgrade();
        let sleeper = thread::Builder::new().name("log-resume".into()).spawn(move || {
            thread::sleep(delay);
            if let Some(queue) = queue.upgrade() {
                let _ = queue.blocking_send(Request::Resume);
            }
        });
        match sleeper {
            Ok(_) => self.waits = true,
            Err(error) => {
                tracing::error!(%error, "the log does not try again: start it anew");
            }
        }
    }

    /// Goes on in a new segment, if what was acknowledged is stored and writing works. Appends go on
    /// when there is a reserve again.
    fn go_on(&mut self) {
        match &self.failure {
            None => {}
            Some(Failure { within_reserve: true, .. }) => self.within_reserve(),
            Some(_) => match self.begin_anew() {
                Ok(()) => self.within_reserve(),
                Err(error) => self.fail(&error),
            },
        }
    }

    fn begin_anew(&mut self) -> io::Result<()> {
        let stored = match self.shared.segments.last() {
            Some(segment) => check_stored(&segment)?,
            None => true,
        };
        if stored {
            return self.writer.control(None, self.shared.time.now_ms());
        }
        let last = self.writer.position.last;
        let detail = format!("the device does not hold what was acknowledged through {last}");
        Err(io::Error::other(detail))
    }

    /// Writing works; whether for appends, too, the reserve says after the disk was full.
    fn within_reserve(&mut self) {
        let Some(failure) = &mut self.failure else { return };
        failure.within_reserve = true;
        let (full, attempts) = (failure.full, failure.attempts);
        let mut reserve = self.shared.reserve.lock();
        if reserve.is_lacking() && (full || reserve.was_released()) {
            match reserve.build() {
                Ok(true) => {}
                Ok(false) => {
                    failure.attempts += 1;
                    drop(reserve);
                    return self.try_later(attempts);
                }
                Err(error) => tracing::error!(%error, "the log goes on without a reserve"),
            }
        }
        drop(reserve);
        tracing::info!(full, attempts, "the log goes on");
        self.failure = None;
        *self.shared.stopped.lock() = None;
    }
}

/// An append with those that wait behind it, as many as one frame takes, and the next request that
/// is none.
fn gather(first: Waiting, queue: &mut mpsc::Receiver<Request>) -> (Vec<Waiting>, Option<Request>) {
    let mut bytes = raw_bytes(&first.sections);
    let mut group = vec![first];
    while bytes < GROUP_BYTES {
        match queue.try_recv() {
            Ok(Request::Append(waiting)) => {
                bytes += raw_bytes(&waiting.sections);
                group.push(waiting);
            }
            Ok(other) => return (group, Some(other)),
            Err(_) => break,
        }
    }
    (group, None)
}

fn answer_all(group: Vec<Waiting>, error: impl Fn() -> LogError) {
    for waiting in group {
        let _ = waiting.answer.send(Err(error()));
    }
}

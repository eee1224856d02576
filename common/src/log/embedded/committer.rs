//! The one thread that writes: it drains a bounded queue of appends in groups, stores each group as
//! one frame, and answers when the frame is durable.
//!
//! After a failed write it refuses what waits, and tries to go on in a new segment: while the disk is
//! full for as long as it takes, after an error of the device a few times.

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
    let mut committer = Committer { shared, writer, witness, compressor, resume, failure: None };
    thread::Builder::new()
        .name("log-commit".into())
        .spawn(move || committer.run(queue))
        .map_err(OpenError::io(&folder))
}

/// Why nothing is written at present.
struct Failure {
    cause: String,
    full: bool,
    attempts: u32,
}

struct Committer {
    shared: Arc<Shared>,
    writer: Writer,
    witness: Witness,
    compressor: Compressor<'static>,
    resume: mpsc::WeakSender<Request>,
    failure: Option<Failure>,
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
                Request::Resume => self.go_on(),
            }
            if next.is_none() {
                next = queue.blocking_recv();
            }
        }
        if self.failure.is_none()
            && let Err(error) = self.writer.close(self.shared.time.now_ms())
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
        self.shared.publish(self.writer.epoch, commit);
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
        self.writer.append(header, &payload, now)?;
        self.witness.note(commit.last())
    }

    /// Notes the state of the metadata.
    fn note(&mut self, note: MetadataNote) -> Result<(), LogError> {
        if let Some(failure) = &self.failure {
            return Err(LogError::Stopped(failure.cause.clone()));
        }
        match self.writer.control(Some(note), self.shared.time.now_ms()) {
            Ok(()) => {
                *self.shared.noted.lock() = Some(note);
                Ok(())
            }
            Err(error) => {
                self.fail(&error);
                Err(LogError::Unconfirmed)
            }
        }
    }

    /// Stops writing, and says when to try again.
    fn fail(&mut self, error: &io::Error) {
        let full = is_full(error);
        let attempts = self.failure.take().map_or(0, |failure| failure.attempts) + 1;
        let folder = self.shared.folder.display();
        let hopeless = !full && attempts > DEVICE_ATTEMPTS;
        let cause = match (full, hopeless) {
            (true, _) => format!(
                "there is no space left for the log in {folder}; it goes on by itself when there is"
            ),
            (false, false) => format!("writing the log in {folder} failed: {error}; trying again"),
            (false, true) => format!(
                "writing the log in {folder} failed {attempts} times: {error}; mend the device and start again"
            ),
        };
        tracing::error!(cause, attempts, "the log has stopped");
        *self.shared.stopped.lock() = Some(cause.clone());
        self.failure = Some(Failure { cause, full, attempts });
        if hopeless {
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
        if let Err(error) = sleeper {
            tracing::error!(%error, "the log does not try again: start it anew");
        }
    }

    /// Goes on in a new segment, if what was acknowledged is stored and writing works.
    fn go_on(&mut self) {
        let Some(failure) = &self.failure else { return };
        let (full, attempts) = (failure.full, failure.attempts);
        let stored = match self.shared.segments.last() {
            Some(segment) => check_stored(&segment),
            None => Ok(true),
        };
        let again = match stored {
            Ok(true) => self.writer.control(None, self.shared.time.now_ms()),
            Ok(false) => {
                let last = self.writer.position.last;
                let detail =
                    format!("the device does not hold what was acknowledged through {last}");
                Err(io::Error::other(detail))
            }
            Err(error) => Err(error),
        };
        match again {
            Ok(()) => {
                tracing::info!(full, attempts, "the log goes on");
                self.failure = None;
                *self.shared.stopped.lock() = None;
            }
            Err(error) => self.fail(&error),
        }
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

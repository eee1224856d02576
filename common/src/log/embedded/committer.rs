//! The one thread that writes: it drains a bounded queue of appends in groups, stores each
//! group as one commit, and answers when the commit is durable.

use std::{sync::Arc, thread};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use zstd::bulk::Compressor;

use super::{
    OpenError, Shared, codec,
    segment::{Segment, WriteError},
    witness::Witness,
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
    witness: Witness,
    queue: mpsc::Receiver<Waiting>,
) -> Result<thread::JoinHandle<()>, OpenError> {
    let folder = shared.folder.clone();
    let compressor = codec::compressor().map_err(OpenError::io(&folder))?;
    let segment = shared.segments.active();
    let next = *shared.end.borrow() + 1;
    let mut committer = Committer { shared, witness, compressor, segment, next };
    thread::Builder::new()
        .name("log-commit".into())
        .spawn(move || committer.run(queue))
        .map_err(OpenError::io(&folder))
}

struct Committer {
    shared: Arc<Shared>,
    witness: Witness,
    compressor: Compressor<'static>,
    segment: Arc<Segment>,
    next: Sequence,
}

impl Committer {
    fn run(&mut self, mut queue: mpsc::Receiver<Waiting>) {
        let mut failure: Option<WriteError> = None;
        while let Some(waiting) = queue.blocking_recv() {
            let mut bytes = raw_bytes(&waiting.sections);
            let mut group = vec![waiting];
            while bytes < GROUP_BYTES
                && let Ok(waiting) = queue.try_recv()
            {
                bytes += raw_bytes(&waiting.sections);
                group.push(waiting);
            }
            match failure {
                None => failure = self.commit(group).err(),
                Some(ref failure) => refuse(group, failure),
            }
        }
    }

    /// Stores a group and answers it.
    fn commit(&mut self, mut group: Vec<Waiting>) -> Result<(), WriteError> {
        let sections = group.iter_mut().map(|waiting| std::mem::take(&mut waiting.sections));
        let sections: Vec<Vec<(ShardId, Bytes)>> = sections.collect();
        let counts: Vec<usize> = sections.iter().map(Vec::len).collect();
        let commit = Commit::new(self.next, sections.into_iter().flatten().collect());
        if let Err(failure) = self.store(&commit) {
            tracing::error!(failure, "the log has stopped: open it again");
            refuse(group, &failure);
            return Err(failure);
        }
        let (mut first, last) = (self.next, commit.last());
        self.next = last + 1;
        self.shared.publish(commit);
        for (waiting, count) in group.into_iter().zip(counts) {
            let sequences = (first..).take(count).collect();
            first += count as u64;
            // Whoever no longer waits sends it again, and apply drops the duplicate.
            let _ = waiting.answer.send(Ok(Appended { sequences }));
            drop(waiting.permit);
        }
        Ok(())
    }

    fn store(&mut self, commit: &Commit) -> Result<(), WriteError> {
        #[cfg(test)]
        if self.shared.fail_writes.load(std::sync::atomic::Ordering::SeqCst) {
            return Err("on purpose".into());
        }
        let is_full = self.segment.bytes() >= self.shared.options.segment_bytes;
        if is_full && commit.first() > self.segment.first() {
            let next = self.shared.segments.rotate(commit.first());
            self.segment = next.map_err(|error| error.to_string())?;
        }
        let encoded = codec::encode(&mut self.compressor, commit)?;
        self.segment.write(commit.first(), &encoded)?;
        self.witness.write(commit.last()).map_err(|error| error.to_string())
    }
}

fn refuse(group: Vec<Waiting>, failure: &WriteError) {
    for waiting in group {
        let _ = waiting.answer.send(Err(LogError::Poisoned(failure.clone())));
    }
}

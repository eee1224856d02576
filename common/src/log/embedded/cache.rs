//! Decoded commits in memory, bounded by bytes.

use std::{collections::VecDeque, sync::Arc};

use crate::log::{Sequence, commit::Commit};

/// The newest commits without a gap.
#[derive(Debug)]
pub(super) struct Recent {
    commits: VecDeque<Arc<Commit>>,
    bytes: usize,
    capacity: usize,
}

impl Recent {
    pub(super) fn new(capacity: usize) -> Self {
        Self { commits: VecDeque::new(), bytes: 0, capacity }
    }

    /// Adds the commit that follows the last one; the oldest ones may go.
    pub(super) fn push(&mut self, commit: Arc<Commit>) {
        self.bytes += commit.memory();
        self.commits.push_back(commit);
        while self.bytes > self.capacity
            && let Some(oldest) = self.commits.pop_front()
        {
            self.bytes -= oldest.memory();
        }
    }

    /// The first position that is here, if any is.
    pub(super) fn first(&self) -> Option<Sequence> {
        self.commits.front().map(|commit| commit.first())
    }

    /// At most `limit` commits, from the one that holds `position`.
    pub(super) fn from(&self, position: Sequence, limit: usize) -> Vec<Arc<Commit>> {
        let start = self.commits.partition_point(|commit| commit.last() < position);
        self.commits.range(start..).take(limit).cloned().collect()
    }
}

/// The commits of a run of frames that was read.
#[derive(Debug)]
pub(super) struct Run {
    /// The last position before it.
    pub(super) after: Sequence,
    /// Last position of the run.
    pub(super) last: Sequence,
    pub(super) commits: Vec<Arc<Commit>>,
    memory: usize,
}

impl Run {
    pub(super) fn new(after: Sequence, last: Sequence, commits: Vec<Arc<Commit>>) -> Self {
        let memory = commits.iter().map(|commit| commit.memory()).sum();
        Self { after, last, commits, memory }
    }

    /// Bytes of memory that it takes, about.
    pub(super) fn memory(&self) -> usize {
        self.memory
    }
}

/// Runs that were read lately, for readers that take several turns at one.
#[derive(Debug)]
pub(super) struct Runs {
    runs: VecDeque<Arc<Run>>,
    bytes: usize,
    capacity: usize,
}

impl Runs {
    pub(super) fn new(capacity: usize) -> Self {
        Self { runs: VecDeque::new(), bytes: 0, capacity }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.runs.len()
    }

    /// The run of exactly these positions.
    pub(super) fn get(&mut self, after: Sequence, last: Sequence) -> Option<Arc<Run>> {
        let index = self.runs.iter().position(|run| run.after == after && run.last == last)?;
        let run = self.runs.remove(index)?;
        self.runs.push_back(Arc::clone(&run));
        Some(run)
    }

    /// Adds a run; those not used for longest may go.
    pub(super) fn insert(&mut self, run: Arc<Run>) {
        self.bytes += run.memory();
        self.runs.push_back(run);
        while self.bytes > self.capacity
            && self.runs.len() > 1
            && let Some(oldest) = self.runs.pop_front()
        {
            self.bytes -= oldest.memory();
        }
    }
}

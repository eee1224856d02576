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

/// Old commits that were read lately, for readers that take several turns at one.
#[derive(Debug)]
pub(super) struct Decoded {
    commits: VecDeque<Arc<Commit>>,
    bytes: usize,
    capacity: usize,
}

impl Decoded {
    pub(super) fn new(capacity: usize) -> Self {
        Self { commits: VecDeque::new(), bytes: 0, capacity }
    }

    /// The commit that holds `position`.
    pub(super) fn get(&mut self, position: Sequence) -> Option<Arc<Commit>> {
        let holds = |commit: &Arc<Commit>| (commit.first()..=commit.last()).contains(&position);
        let index = self.commits.iter().position(holds)?;
        let commit = self.commits.remove(index)?;
        self.commits.push_back(Arc::clone(&commit));
        Some(commit)
    }

    /// Adds a commit; those not used for longest may go.
    pub(super) fn insert(&mut self, commit: Arc<Commit>) {
        self.bytes += commit.memory();
        self.commits.push_back(commit);
        while self.bytes > self.capacity
            && self.commits.len() > 1
            && let Some(oldest) = self.commits.pop_front()
        {
            self.bytes -= oldest.memory();
        }
    }
}

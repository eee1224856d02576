//! Reads what a fetch asks for: from memory where possible, else from the segments.

use std::sync::Arc;

use zstd::bulk::Decompressor;

use super::{Shared, cache::Run, frame::shard_bit, segments::Extent};
use crate::log::{LogError, Sequence, collect::Collector};

/// Commits taken from the cache under one lock.
const CACHED_COMMITS: usize = 256;
/// Decoded bytes that one fetch reads from disk, so that shards that are up to date do not wait
/// long for others that are not.
const READ_BYTES: std::ops::RangeInclusive<usize> = (1 << 20)..=(16 << 20);

/// A run of frames, or that none of the shards asked for has anything in it.
enum Found {
    Run(Arc<Run>),
    Nothing(Extent),
}

impl Shared {
    /// Serves the cursors that lie within the cache. Returns whether others lag behind it.
    pub(super) fn collect_recent(&self, collector: &mut Collector, end: Sequence) -> bool {
        let Some(start) = self.recent.read().first() else {
            return collector.open_positions().any(|position| position < end);
        };
        let lags = collector.open_positions().any(|position| position + 1 < start);
        let reached = collector.open_positions().filter(|position| position + 1 >= start);
        let Some(mut position) = reached.min() else { return lags };
        while position < end {
            let commits = self.recent.read().from(position + 1, CACHED_COMMITS);
            // The cache may have moved on meanwhile; the rest is for the next fetch.
            let Some(last) = commits.last().map(|commit| commit.last()) else { break };
            for commit in commits.iter().filter(|commit| commit.last() <= end) {
                collector.offer(commit);
            }
            position = last;
        }
        lags
    }

    /// Serves the cursors that lag behind the cache, each in its turn and all of them from what was
    /// read. Stops at `end`, for more may be stored than is published and may count as ahead, and at
    /// what has been trimmed. Blocks on the disk.
    pub(super) fn collect_stored(
        &self,
        collector: &mut Collector,
        max_bytes: usize,
        end: Sequence,
    ) -> Result<(), LogError> {
        let start = self.recent.read().first().unwrap_or(end + 1);
        let lagging = collector.open_positions().filter(|position| position + 1 < start);
        let mut starts: Vec<Sequence> = lagging.collect();
        // The first one moves, whatever the others take of the budget.
        let Some(first) = starts.first().copied() else { return Ok(()) };
        starts.sort_unstable();
        starts.dedup();
        starts.retain(|position| *position != first);
        starts.insert(0, first);
        let shards = collector.shards().fold(0, |bits, shard| bits | shard_bit(shard));
        let mut budget = max_bytes.saturating_mul(2).clamp(*READ_BYTES.start(), *READ_BYTES.end());
        let mut read_through = 0;
        let mut decompressor = Decompressor::new()
            .map_err(|error| LogError::Damaged { sequence: 0, detail: error.to_string() })?;
        for (done, position) in starts.iter().copied().enumerate() {
            if done > 1 && position < read_through {
                continue;
            }
            if done > 0 && budget == 0 {
                break;
            }
            // What earlier turns left is shared by the later ones.
            let mut turn = budget / (starts.len() - done);
            budget -= turn;
            read_through = position;
            while read_through + 1 < start {
                let run = match self.stored(read_through + 1, shards, &mut decompressor)? {
                    None => return Ok(()),
                    Some(Found::Nothing(extent)) => {
                        collector.pass(extent.after, extent.last.min(end));
                        read_through = extent.last;
                        continue;
                    }
                    Some(Found::Run(run)) => run,
                };
                read_through = run.last;
                let mut open = false;
                for commit in run.commits.iter().filter(|commit| commit.last() <= end) {
                    open |= collector.offer(commit);
                }
                match turn.checked_sub(run.memory()) {
                    Some(left) if open => turn = left,
                    Some(left) => {
                        budget += left;
                        break;
                    }
                    None => {
                        budget = budget.saturating_sub(run.memory() - turn);
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    /// The run that holds `position`, from the segments; `None` when it has been trimmed.
    fn stored(
        &self,
        position: Sequence,
        shards: u64,
        decompressor: &mut Decompressor<'_>,
    ) -> Result<Option<Found>, LogError> {
        let Some(segment) = self.segments.holding(position)? else { return Ok(None) };
        let extent = segment.extent(position);
        if extent.shards & shards == 0 {
            return Ok(Some(Found::Nothing(extent)));
        }
        if let Some(run) = self.runs.lock().get(extent.after, extent.last) {
            return Ok(Some(Found::Run(run)));
        }
        let commits = match segment.read(extent, decompressor) {
            Ok(commits) => commits,
            Err(_) if self.segments.trimmed_through() >= position => return Ok(None),
            Err(error) => {
                self.report_damage(&error);
                return Err(error);
            }
        };
        let run = Arc::new(Run::new(extent.after, extent.last, commits));
        self.runs.lock().insert(Arc::clone(&run));
        Ok(Some(Found::Run(run)))
    }
}

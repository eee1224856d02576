//! A log in memory that can fail in the ways that real logs do, for tests.

use std::{collections::VecDeque, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout_at},
};

use super::{
    Appended, Cursor, Epoch, Epochs, EventLog, Fetched, Founding, LogError, LogIdentity, Mark,
    Sequence,
    collect::Collector,
    commit::{Commit, check_append},
};
use crate::slot::ShardId;

/// How often what goes wrong, as probabilities from 0 to 1. The same seed and the same order of
/// calls give the same faults.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// Seed of what happens when.
    pub seed: u64,
    /// An append is stored, but its caller gets [`LogError::Unconfirmed`].
    pub lost_acknowledgement: f64,
    /// An append is not stored, and its caller gets [`LogError::Unconfirmed`].
    pub lost_append: f64,
    /// An append is stored twice; the later positions are acknowledged.
    pub duplicate: f64,
    /// Positions are left out before an append.
    pub gap: f64,
    /// A fetch returns less than it could: one section a shard, or nothing at all.
    pub short_fetch: f64,
    /// A call takes up to [`Self::longest_delay`] longer.
    pub delay: f64,
    /// Longest time that [`Self::delay`] adds.
    pub longest_delay: Duration,
}

/// A log that lasts as long as the process.
#[derive(Debug)]
pub struct MemoryLog {
    identity: LogIdentity,
    opened: Instant,
    faults: Faults,
    state: Mutex<State>,
    end: watch::Sender<Sequence>,
}

#[derive(Debug)]
struct State {
    commits: VecDeque<Commit>,
    epoch: Epoch,
    epochs: Epochs,
    end: Sequence,
    trimmed_through: Sequence,
    random: Random,
}

impl MemoryLog {
    /// An empty log without faults.
    #[must_use]
    pub fn new(incarnation: u64) -> Self {
        Self::with_faults(incarnation, Faults::default())
    }

    /// An empty log that fails.
    #[must_use]
    pub fn with_faults(incarnation: u64, faults: Faults) -> Self {
        let state = State {
            commits: VecDeque::new(),
            epoch: Epoch(u128::from(incarnation) << 64 | 1),
            epochs: Epochs::default(),
            end: 0,
            trimmed_through: 0,
            random: Random(faults.seed),
        };
        let founding = Founding {
            shards: 4,
            currency: "USD".into(),
            time_zone: "UTC".into(),
            item_visit_key: incarnation,
            user_visit_key: !incarnation,
        };
        Self {
            identity: LogIdentity { incarnation, founding, ancestors: Vec::new() },
            opened: Instant::now(),
            faults,
            state: Mutex::new(state),
            end: watch::Sender::new(0),
        }
    }

    /// The same log of a cluster with this founding.
    #[must_use]
    pub fn founded(mut self, founding: Founding) -> Self {
        self.identity.founding = founding;
        self
    }

    /// Goes on as a copy does that was taken when the log ended at `through`, a position at which
    /// a commit ends.
    pub fn restore(&self, through: Sequence) {
        let mut state = self.state.lock();
        state.commits.retain(|commit| commit.last() <= through);
        state.epochs.cut(through);
        state.epoch.0 += 1;
        state.end = through;
        self.end.send_replace(through);
    }

    async fn delay(&self) {
        let delay = {
            let random = &mut self.state.lock().random;
            random.happens(self.faults.delay).then(|| random.fraction())
        };
        if let Some(fraction) = delay {
            sleep(self.faults.longest_delay.mul_f64(fraction)).await;
        }
    }
}

impl State {
    fn store(&mut self, sections: &[(ShardId, Bytes)], faults: &Faults) -> Vec<Sequence> {
        let skipped = if self.random.happens(faults.gap) { self.random.next() % 3 + 1 } else { 0 };
        let first = self.end + skipped + 1;
        let commit = Commit::new(first, sections.to_vec()).after_gap(self.end);
        self.end = commit.last();
        self.commits.push_back(commit);
        self.epochs.note(self.epoch, first);
        (first..=self.end).collect()
    }

    fn collect(&mut self, collector: &mut Collector, end: Sequence) {
        let Some(position) = collector.open_positions().min() else { return };
        let start = self.commits.partition_point(|commit| commit.last() <= position);
        for commit in self.commits.range(start..).take_while(|commit| commit.last() <= end) {
            collector.offer(commit);
        }
    }
}

#[async_trait]
impl EventLog for MemoryLog {
    fn identity(&self) -> &LogIdentity {
        &self.identity
    }

    fn accepts(&self, mark: Mark) -> bool {
        let state = self.state.lock();
        state.epochs.accept(mark, state.end)
    }

    fn epoch_at(&self, position: Sequence) -> Epoch {
        self.state.lock().epochs.at(position)
    }

    fn log_time_ms(&self) -> i64 {
        i64::try_from(self.opened.elapsed().as_millis()).unwrap_or(i64::MAX)
    }

    async fn append(&self, sections: Vec<(ShardId, Bytes)>) -> Result<Appended, LogError> {
        check_append(&sections)?;
        if sections.is_empty() {
            return Ok(Appended { sequences: Vec::new() });
        }
        self.delay().await;
        let (sequences, lost) = {
            let mut state = self.state.lock();
            if state.random.happens(self.faults.lost_append) {
                return Err(LogError::Unconfirmed);
            }
            let mut sequences = state.store(&sections, &self.faults);
            if state.random.happens(self.faults.duplicate) {
                sequences = state.store(&sections, &self.faults);
            }
            self.end.send_replace(state.end);
            (sequences, state.random.happens(self.faults.lost_acknowledgement))
        };
        self.delay().await;
        if lost { Err(LogError::Unconfirmed) } else { Ok(Appended { sequences }) }
    }

    async fn fetch(
        &self,
        cursors: &[Cursor],
        max_bytes: usize,
        wait: Duration,
    ) -> Result<Fetched, LogError> {
        self.delay().await;
        let deadline = Instant::now() + wait;
        let mut changed = self.end.subscribe();
        let short = self.state.lock().random.happens(self.faults.short_fetch);
        let max_bytes = if short { 0 } else { max_bytes };
        let mut collector = Collector::new(cursors, max_bytes);
        loop {
            let end = *changed.borrow_and_update();
            let (trimmed_through, nothing) = {
                let mut state = self.state.lock();
                state.epochs.check(cursors, state.end)?;
                let trimmed_through = state.trimmed_through;
                if let Some(&Cursor { shard, after, .. }) =
                    cursors.iter().find(|cursor| cursor.after < trimmed_through)
                {
                    return Err(LogError::Trimmed { shard, after, trimmed_through });
                }
                let nothing = short && state.random.happens(0.5);
                if !nothing {
                    state.collect(&mut collector, end);
                }
                (trimmed_through, nothing)
            };
            if nothing || collector.has_sections() || Instant::now() >= deadline {
                return Ok(collector.finish(end, trimmed_through, &self.state.lock().epochs));
            }
            // Whether the end has moved or the time is up, look once more.
            let _ = timeout_at(deadline, changed.changed()).await;
        }
    }

    fn end(&self) -> Sequence {
        *self.end.borrow()
    }

    fn trimmed_through(&self) -> Sequence {
        self.state.lock().trimmed_through
    }

    async fn trim(&self, through: Sequence) -> Result<Sequence, LogError> {
        let mut state = self.state.lock();
        while state.commits.front().is_some_and(|commit| commit.last() <= through) {
            if let Some(commit) = state.commits.pop_front() {
                state.trimmed_through = commit.last();
            }
        }
        Ok(state.trimmed_through)
    }

    fn disk_bytes(&self) -> u64 {
        0
    }
}

/// Random numbers by splitmix64.
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Uniform in [0, 1).
    fn fraction(&mut self) -> f64 {
        const BITS: u32 = f64::MANTISSA_DIGITS;
        (self.next() >> (u64::BITS - BITS)) as f64 / (1_u64 << BITS) as f64
    }

    fn happens(&mut self, probability: f64) -> bool {
        self.fraction() < probability
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::log::conformance;

    fn faults(seed: u64) -> Faults {
        Faults {
            seed,
            lost_acknowledgement: 0.1,
            lost_append: 0.1,
            duplicate: 0.1,
            gap: 0.2,
            short_fetch: 0.3,
            delay: 0.1,
            longest_delay: Duration::from_millis(2),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn conforms() {
        conformance::run(|| Arc::new(MemoryLog::new(7))).await;
    }

    #[tokio::test(start_paused = true)]
    async fn conforms_with_faults() {
        for seed in 0..20 {
            conformance::run(|| Arc::new(MemoryLog::with_faults(7, faults(seed)))).await;
        }
    }

    /// What 100 appends and fetches met.
    async fn transcript(seed: u64) -> Vec<String> {
        let log = MemoryLog::with_faults(7, faults(seed));
        let mut met = Vec::new();
        for number in 0..100_u8 {
            let sections = vec![(0, Bytes::from(vec![number])), (1, Bytes::new())];
            met.push(format!("{:?}", log.append(sections).await));
            let epoch = log.epoch_at(u64::from(number).min(log.end()));
            let cursor = Cursor { shard: 1, after: u64::from(number).min(log.end()), epoch };
            met.push(format!("{:?}", log.fetch(&[cursor], 10, Duration::ZERO).await));
        }
        met
    }

    #[tokio::test(start_paused = true)]
    async fn the_seed_decides() {
        let first = transcript(1).await;
        assert_eq!(first, transcript(1).await);
        assert_ne!(first, transcript(2).await);
        let lost = first.iter().filter(|met| met.contains("Unconfirmed")).count();
        assert!((5..50).contains(&lost), "{lost} of 100 appends were not confirmed");
    }
}

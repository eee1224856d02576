//! Accumulate and select, one source after another.

use std::{cell::Cell, cmp::Reverse, ops::Range};

use super::{
    Neighbours,
    accumulator::{Accumulator, Sum},
    columns::Columns,
    measure::Measure,
    shortlist::Shortlist,
    users::{User, Users},
};
use crate::{
    control::{Cancelled, Control, Meter, work_off},
    linalg::prefetch,
};

/// Multiply-adds of the sources that a thread takes at once.
const CHUNK: u64 = 500_000;
/// Sources that a thread takes at once.
const CHUNK_ROWS: usize = 256;
// These bounds choose between ways to the same result; tests take all ways with small matrices.

/// Multiply-adds up to which touched columns are recorded; beyond, all columns are scanned.
const RECORDED: u64 = if cfg!(test) { 512 } else { 65_536 };
/// Users of a source up to which sums in f32 lose nothing that matters.
const NARROW: usize = if cfg!(test) { 256 } else { 4_096 };
/// Columns whose sums stay in a core's cache. With many more than these, they are summed first, and
/// the best of them spare sources with much work the columns that cannot be better.
pub(super) const HEAD: usize = if cfg!(test) { 64 } else { 65_536 };
/// Sums in f32 may exceed what [`Measure::reach`] bounds by less than this.
const MARGIN: f64 = 1.0 + 1e-3;

pub(super) struct Task<'a, M> {
    users: &'a Users,
    columns: &'a Columns,
    measure: &'a M,
    /// Keys are far from the core: bounds spare reading them.
    is_wide: bool,
    sources: &'a [u32],
    row_of_label: &'a [u32],
    k: usize,
}

/// Source and the space of its neighbours.
struct Row<'a> {
    source: u32,
    work: u64,
    length: &'a mut u64,
    targets: &'a mut [u32],
    weights: &'a mut [f32],
}

/// Lanes are made when the first source needs them.
#[derive(Default)]
struct Scratch {
    counts: Option<Lane<u8>>,
    long_counts: Option<Lane<u16>>,
    narrow: Option<Lane<f32>>,
    wide: Option<Lane<f64>>,
    /// (Weight and row, label): the greater, the better.
    ranked: Vec<(u64, u32)>,
}

struct Lane<T> {
    sums: Accumulator<T>,
    best: Shortlist<T>,
}

impl<T: Sum> Lane<T> {
    fn new(items: usize, k: usize) -> Self {
        Self { sums: Accumulator::new(items), best: Shortlist::new(k) }
    }
}

impl<'a, M: Measure> Task<'a, M> {
    pub(super) fn new(
        users: &'a Users,
        columns: &'a Columns,
        measure: &'a M,
        sources: &'a [u32],
        row_of_label: &'a [u32],
        k: usize,
    ) -> Self {
        let is_wide = row_of_label.len() >= 2 * HEAD;
        Self { users, columns, measure, is_wide, sources, row_of_label, k }
    }

    pub(super) fn run(&self, control: &dyn Control) -> Result<Neighbours, Cancelled> {
        let items = self.row_of_label.len();
        let work = self.work(control)?;
        control.begin(work.iter().sum());
        let spaces = work.iter().map(|&work| work.min(self.k as u64).min(items as u64) as usize);
        let space: usize = spaces.clone().sum();
        let mut lengths = vec![0u64; self.sources.len() + 1];
        let mut targets = vec![0u32; space];
        let mut weights = vec![0f32; space];
        let mut rows = Vec::with_capacity(self.sources.len());
        let mut free = (targets.as_mut_slice(), weights.as_mut_slice());
        let sources = self.sources.iter().zip(&work);
        for (((&source, &work), space), length) in
            sources.zip(spaces.clone()).zip(&mut lengths[1..])
        {
            rows.push(Row {
                source,
                work,
                length,
                targets: free.0.split_off_mut(..space).expect("spaces add up"),
                weights: free.1.split_off_mut(..space).expect("spaces add up"),
            });
        }
        rows.sort_by_key(|row| Reverse(row.work));
        work_off(chunks(rows), control, Scratch::default, |scratch, meter, chunk| {
            chunk.into_iter().try_for_each(|row| self.neighbours(scratch, meter, row))
        })?;
        // Rows fill their spaces from the front: close the gaps.
        let (mut from, mut to) = (0, 0);
        for (space, length) in spaces.zip(&mut lengths[1..]) {
            let kept = *length as usize;
            targets.copy_within(from..from + kept, to);
            weights.copy_within(from..from + kept, to);
            from += space;
            to += kept;
            *length = to as u64;
        }
        targets.truncate(to);
        weights.truncate(to);
        Ok(Neighbours { offsets: lengths, targets, weights })
    }

    /// Multiply-adds of each source; its neighbours are at most as many.
    fn work(&self, control: &dyn Control) -> Result<Vec<u64>, Cancelled> {
        let mut work = vec![0; self.sources.len()];
        let jobs = work.chunks_mut(4096).zip(self.sources.chunks(4096)).collect();
        work_off(
            jobs,
            control,
            || (),
            |(), meter, (chunk, sources): (&mut [u64], &[u32])| {
                for (&source, work) in sources.iter().zip(chunk) {
                    let users = self.columns.users(source);
                    let lengths = users.iter().map(|&user| self.users.rows[user as usize].len());
                    *work = lengths.sum::<usize>() as u64;
                    meter.add(4 * users.len() as u64)?;
                }
                Ok(())
            },
        )?;
        Ok(work)
    }

    fn neighbours(
        &self,
        scratch: &mut Scratch,
        meter: &mut Meter<'_>,
        row: Row<'_>,
    ) -> Result<(), Cancelled> {
        let Scratch { counts, long_counts, narrow, wide, ranked } = scratch;
        let users = self.columns.users(row.source).len();
        if self.users.is_unit && users <= usize::from(u8::MAX) {
            self.select(counts, ranked, meter, &row)?;
        } else if self.users.is_unit && users <= usize::from(u16::MAX) {
            self.select(long_counts, ranked, meter, &row)?;
        } else if users <= NARROW {
            self.select(narrow, ranked, meter, &row)?;
        } else {
            self.select(wide, ranked, meter, &row)?;
        }
        meter.done(row.work);
        *row.length = ranked.len() as u64;
        for ((target, weight), &(rank, label)) in
            row.targets.iter_mut().zip(row.weights).zip(&*ranked)
        {
            *target = label;
            *weight = f32::from_bits((rank >> 32) as u32);
        }
        Ok(())
    }

    /// Leaves the neighbours of a source in `ranked`.
    fn select<T: Sum>(
        &self,
        lane: &mut Option<Lane<T>>,
        ranked: &mut Vec<(u64, u32)>,
        meter: &mut Meter<'_>,
        row: &Row<'_>,
    ) -> Result<(), Cancelled> {
        let lane = lane.get_or_insert_with(|| Lane::new(self.row_of_label.len(), self.k));
        if row.work <= RECORDED {
            self.select_recorded(lane, meter, row)?;
        } else {
            self.select_scanned(lane, meter, row)?;
        }
        self.rank(lane, ranked, row.source);
        Ok(())
    }

    /// For sources with little work: visits the columns that were touched.
    fn select_recorded<T: Sum>(
        &self,
        Lane { sums, best }: &mut Lane<T>,
        meter: &mut Meter<'_>,
        row: &Row<'_>,
    ) -> Result<(), Cancelled> {
        let source = row.source;
        sums.reserve(row.work as usize);
        self.accumulate::<T, true>(sums, meter, source, Span::Whole)?;
        let bar = Cell::new(best.bar());
        sums.take_touched(
            |column| {
                if self.is_wide && self.measure.bound(1.0, column as usize) > bar.get() {
                    self.measure.look_ahead_to_key(column);
                }
            },
            |column, sum| {
                if !self.is_wide || self.measure.bound(sum.narrow(), column as usize) > bar.get() {
                    self.offer(best, source, column, sum);
                    bar.set(best.bar());
                }
            },
        );
        meter.add(row.work)
    }

    /// For sources with much work: scans all columns, the head first where they are many.
    fn select_scanned<T: Sum>(
        &self,
        Lane { sums, best }: &mut Lane<T>,
        meter: &mut Meter<'_>,
        row: &Row<'_>,
    ) -> Result<(), Cancelled> {
        let source = row.source;
        let mut scan = |sums: &mut Accumulator<T>, range| {
            let bar = Cell::new(best.bar());
            sums.take_above(
                range,
                |column| bar.get() / self.measure.bound(1.0, column),
                |column, sum| self.measure.key(sum.narrow(), column) > bar.get(),
                |column, sum| {
                    self.offer(best, source, column, sum);
                    bar.replace(best.bar()) < best.bar()
                },
            );
            best.settle();
            best.bar()
        };
        let width = sums.width();
        if !self.is_wide {
            self.accumulate::<T, false>(sums, meter, source, Span::Whole)?;
            scan(sums, 0..width);
            return meter.add(width as u64 / 8);
        }
        self.accumulate::<T, false>(sums, meter, source, Span::Head)?;
        let bar = f64::from(scan(sums, 0..HEAD));
        let values = self.columns.values(source).iter().copied();
        let greatest = f64::from(values.reduce(f32::max).unwrap_or(1.0));
        let least = bar / (greatest * MARGIN);
        let end = self.measure.reach().partition_point(|&reach| reach >= least).max(HEAD);
        self.accumulate::<T, false>(sums, meter, source, Span::Tail { end: end as u32 })?;
        scan(sums, HEAD..end);
        meter.add(end as u64 / 8)
    }

    #[inline(always)]
    fn offer<T: Sum>(&self, best: &mut Shortlist<T>, source: u32, column: u32, sum: T) {
        let key = self.measure.key(sum.narrow(), column as usize);
        if key > best.bar() && column != source {
            best.push(key, column, sum);
        }
    }

    /// The k best of the shortlist by (weight descending, row ascending).
    fn rank<T: Sum>(&self, lane: &mut Lane<T>, ranked: &mut Vec<(u64, u32)>, source: u32) {
        lane.best.settle();
        for column in lane.best.columns() {
            prefetch(self.row_of_label, column as usize);
            self.measure.look_ahead(column);
        }
        ranked.clear();
        lane.best.drain(|column, sum| {
            let weight = self.measure.weight(source, column, sum.wide());
            let row = self.row_of_label[column as usize];
            // Positive floats order like their bits.
            ranked.push((u64::from(weight.to_bits()) << 32 | u64::from(!row), column));
        });
        // Rows are distinct, so labels decide nothing.
        ranked.sort_unstable_by_key(|&(rank, _)| Reverse(rank));
        ranked.truncate(self.k);
    }

    fn accumulate<T: Sum, const RECORD: bool>(
        &self,
        sums: &mut Accumulator<T>,
        meter: &mut Meter<'_>,
        source: u32,
        span: Span,
    ) -> Result<(), Cancelled> {
        let users = self.columns.users(source);
        let values = self.columns.values(source);
        for (at, &user) in users.iter().enumerate() {
            self.look_ahead(users, at, span);
            let row = self.users.rows[user as usize];
            let labels = self.users.labels(row);
            let range = span.of(row, labels);
            let columns = &labels[range.clone()];
            // SAFETY: labels are below the width of their part, which is that of the sums;
            // `select_recorded` reserves the work of the source, and no product is 0.
            #[allow(unsafe_code)]
            unsafe {
                if let Some(weights) = self.users.values(row) {
                    let weights = &weights[range];
                    let scale = row.scale * values[at];
                    sums.add::<RECORD>(columns, |at| (scale * weights[at]).max(f32::MIN_POSITIVE));
                } else {
                    sums.add::<RECORD>(columns, |_| row.scale);
                }
            }
            meter.add(columns.len() as u64)?;
        }
        Ok(())
    }

    /// Users are scattered over memory: asks for those that come next.
    #[inline(always)]
    fn look_ahead(&self, users: &[u32], at: usize, span: Span) {
        if let Some(&user) = users.get(at + 12) {
            prefetch(&self.users.rows, user as usize);
        }
        if let Some(&user) = users.get(at + 4) {
            let row = self.users.rows[user as usize];
            self.users.look_ahead(row, span.start(row));
        }
    }
}

/// Part of a user's columns that is added.
#[derive(Clone, Copy)]
enum Span {
    Whole,
    /// Columns below [`HEAD`].
    Head,
    /// Columns from [`HEAD`] to below `end`.
    Tail {
        end: u32,
    },
}

impl Span {
    #[inline(always)]
    fn start(self, user: User) -> usize {
        match self {
            Self::Whole | Self::Head => 0,
            Self::Tail { .. } => user.head as usize,
        }
    }

    #[inline(always)]
    fn of(self, user: User, labels: &[u32]) -> Range<usize> {
        match self {
            Self::Whole => 0..labels.len(),
            Self::Head => 0..user.head as usize,
            Self::Tail { end } => {
                let start = user.head as usize;
                let tail = &labels[start..];
                start..start + tail.partition_point(|&label| label < end)
            }
        }
    }
}

/// Groups rows, heaviest first, into what a thread takes at once.
fn chunks(rows: Vec<Row<'_>>) -> Vec<Vec<Row<'_>>> {
    let mut chunks: Vec<Vec<Row<'_>>> = Vec::new();
    let mut work = CHUNK;
    for row in rows {
        if work >= CHUNK || chunks.last().is_none_or(|chunk| chunk.len() == CHUNK_ROWS) {
            chunks.push(Vec::new());
            work = 0;
        }
        work += row.work;
        chunks.last_mut().expect("one was pushed").push(row);
    }
    chunks
}

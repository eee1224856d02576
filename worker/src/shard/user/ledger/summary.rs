//! A ledger as it is read.

use std::{iter, sync::Arc};

use mercer_common::{limits, time::Day};

use super::{Ledger, LineKind, Row, Sums, row};

/// What was entered of one kind, in and below the rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KindSums {
    /// How many lines.
    pub lines: u64,
    /// What they add up to.
    pub sums: Sums,
}

/// A row as it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept<'a> {
    /// Local to the location.
    pub day: Day,
    /// Stands for the visit.
    pub visit: u32,
    /// Empty where none was said.
    pub channel: &'a str,
    /// What was done.
    pub kind: LineKind,
    /// What its lines add up to.
    pub sums: Sums,
}

/// What was bought by one channel, since [`Summary::rows_since`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChannelSums {
    /// Visits with a purchase.
    pub orders: u64,
    /// Bought by it.
    pub bought: Sums,
    /// Brought back by it.
    pub returned: Sums,
}

/// A ledger in few numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Everything that was entered, by kind.
    pub kinds: [KindSums; LineKind::ALL.len()],
    /// From which day on every row is kept; `None` where all of them are.
    pub rows_since: Option<Day>,
    /// Visits with a purchase, since then.
    pub orders: u64,
    /// Days with a purchase, of the 4,096 that end with the last of them.
    pub purchase_days: u32,
    /// The last of them.
    pub last_purchase: Option<Day>,
    /// What each channel sold since `rows_since`, in the order of names.
    pub channels: Vec<(Arc<str>, ChannelSums)>,
}

impl Ledger {
    /// The rows that are kept, oldest first.
    pub fn rows(&self) -> impl DoubleEndedIterator<Item = Kept<'_>> + ExactSizeIterator {
        self.rows.iter().map(|row| {
            let (day, visit, place) = row.key();
            let channel = self.aside().channels.name(row::channel_of(place));
            Kept { day, visit, channel, kind: row.kind(), sums: self.sums(row) }
        })
    }

    /// The ledger in few numbers.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let mut summary = Summary { rows_since: self.rows_since(), ..Summary::default() };
        let lines = self.lines();
        for (index, kind) in summary.kinds.iter_mut().enumerate() {
            kind.lines = lines[index];
            kind.sums = self.folded().map(|folded| folded.sums[index]).unwrap_or_default();
        }
        for row in &self.rows {
            summary.kinds[row.kind() as usize].sums.add(self.sums(row));
        }
        (summary.purchase_days, summary.last_purchase) = self.purchase_days();
        let since = summary.rows_since.unwrap_or_default();
        let first = self.rows.partition_point(|row| row.key().0 < since);
        let names = &self.aside().channels;
        let mut channels = vec![ChannelSums::default(); names.count()];
        for visit in self.rows[first..].chunk_by(is_same_visit) {
            summary.orders += u64::from(visit.iter().any(|row| row.kind().is_purchase()));
            self.add_visit(visit, &mut channels);
        }
        let names = iter::once(Arc::from("")).chain(names.named().iter().cloned());
        let named = names.zip(channels);
        summary.channels = named.filter(|(_, sums)| *sums != ChannelSums::default()).collect();
        summary
    }

    /// The rows of a visit lie together by channel.
    fn add_visit(&self, visit: &[Row], channels: &mut [ChannelSums]) {
        let mut ordered = None;
        for row in visit {
            let index = row::channel_of(row.key().2);
            let channel = &mut channels[index];
            if !row.kind().is_purchase() {
                channel.returned.add(self.sums(row));
                continue;
            }
            channel.bought.add(self.sums(row));
            channel.orders += u64::from(ordered != Some(index));
            ordered = Some(index);
        }
    }

    /// The day after that of the oldest row, of which something may lie below it.
    fn rows_since(&self) -> Option<Day> {
        self.folded()?;
        let oldest = self.rows.first()?.key().0;
        Some(Day(oldest.0.saturating_add(1)))
    }

    fn purchase_days(&self) -> (u32, Option<Day>) {
        if let Some(folded) = self.folded() {
            return (folded.days.count(), folded.days.newest());
        }
        let purchases = self.rows.iter().filter(|row| row.kind().is_purchase());
        let mut days: Vec<Day> = purchases.map(|row| row.key().0).collect();
        days.dedup();
        let Some(&newest) = days.last() else { return (0, None) };
        let within = days.iter().filter(|day| newest.0 - day.0 < limits::PURCHASE_DAYS);
        (u32::try_from(within.count()).unwrap_or(u32::MAX), Some(newest))
    }
}

/// Whether two rows are of one visit, whatever their channels.
fn is_same_visit(left: &Row, right: &Row) -> bool {
    let ((day, visit, _), (other_day, other_visit, _)) = (left.key(), right.key());
    (day, visit) == (other_day, other_visit)
}

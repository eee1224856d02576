//! What a user paid: purchases and returns by (local day, visit, channel, kind).
//!
//! The newest rows in that order stay, and what lies below them is folded into sums. Every number is whole
//! and only grows, the kept rows are the newest keys that ever were, and a line for a key below them is
//! folded whether its row was there once or not: so a ledger depends on the lines that it was told, and
//! not on the order in which they came.
//!
//! Channels are ordered by name. Lines of records that were written before there were ledgers say nothing
//! of money, and are never entered.

mod days;
mod row;
mod stored;
mod summary;

use std::sync::Arc;

use mercer_common::{limits, time::Day};

use self::{
    days::PurchaseDays,
    row::{Key, Row, WideRow},
};
pub use self::{
    row::{LineKind, Sums},
    summary::{ChannelSums, Kept, KindSums, Summary},
};
use crate::shard::labels::Labels;

/// A purchase or a return, as a ledger takes it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line<'a> {
    /// Local to the location.
    pub(crate) day: Day,
    /// Stands for the visit, within the user and the day.
    pub(crate) visit: u32,
    pub(crate) channel: &'a str,
    pub(crate) kind: LineKind,
    pub(crate) sums: Sums,
}

/// What a user paid.
#[derive(Debug, Default)]
pub struct Ledger {
    /// Channels that any row names, sorted.
    channels: Vec<Arc<str>>,
    /// The newest ones by key, sorted.
    rows: Vec<Row>,
    /// Sums of the rows that are wide, by key.
    wide: Vec<WideRow>,
    /// How many lines were entered, by kind.
    lines: [u64; LineKind::ALL.len()],
    /// As soon as a row does not fit.
    folded: Option<Box<Folded>>,
}

/// What lies below the rows.
#[derive(Debug, Default)]
struct Folded {
    /// Sums by kind.
    sums: [Sums; LineKind::ALL.len()],
    /// Days of purchase, of the rows as well.
    days: PurchaseDays,
}

impl Ledger {
    /// Enters a line.
    pub(in crate::shard) fn enter(&mut self, line: &Line<'_>, labels: &mut Labels) {
        self.lines[line.kind as usize] += 1;
        self.enter_row(line, labels);
        if line.kind.is_purchase()
            && let Some(folded) = &mut self.folded
        {
            folded.days.insert(line.day);
        }
    }

    /// Adds to the row of a line. A new one that is older than all that may stay is folded at once.
    fn enter_row(&mut self, line: &Line<'_>, labels: &mut Labels) {
        let place = row::place(self.channel(line.channel, labels), line.kind);
        let key = (line.day, line.visit, place);
        let index = match self.rows.last().map(Row::key) {
            Some(last) if last >= key => self.rows.partition_point(|row| row.key() < key),
            _ => self.rows.len(),
        };
        match self.rows.get(index) {
            Some(row) if row.key() == key => {
                let mut sums = self.sums(row);
                sums.add(line.sums);
                self.set(index, key, sums);
            }
            _ => {
                if self.rows.len() == self.rows.capacity() {
                    self.rows.reserve_exact((self.rows.len() / 4).max(2));
                }
                self.rows.insert(index, Row::new(key, line.sums));
                self.set(index, key, line.sums);
                if self.rows.len() > limits::LEDGER_ROWS {
                    self.fold_oldest();
                }
            }
        }
    }

    /// Sums of a row.
    fn sums(&self, row: &Row) -> Sums {
        row.sums().unwrap_or_else(|| {
            let found = self.wide.binary_search_by_key(&row.key(), |wide| wide.key);
            self.wide[found.expect("a wide row stands apart")].sums
        })
    }

    /// Sets the sums of a row, which stand apart exactly while they do not fit.
    fn set(&mut self, index: usize, key: Key, sums: Sums) {
        let row = Row::new(key, sums);
        self.rows[index] = row;
        match (row.sums().is_none(), self.wide.binary_search_by_key(&key, |wide| wide.key)) {
            (true, Ok(place)) => self.wide[place].sums = sums,
            (true, Err(place)) => self.wide.insert(place, WideRow { key, sums }),
            (false, Ok(place)) => {
                self.wide.remove(place);
            }
            (false, Err(_)) => {}
        }
    }

    fn fold_oldest(&mut self) {
        let oldest = self.rows[0];
        let (sums, kind) = (self.sums(&oldest), oldest.kind());
        self.folded().sums[kind as usize].add(sums);
        self.rows.remove(0);
        self.wide.retain(|wide| wide.key != oldest.key());
        let channel = row::channel_of(oldest.key().2);
        if self.rows.iter().all(|row| row::channel_of(row.key().2) != channel) {
            self.channels.remove(channel);
            self.move_channels(|other| if other > channel { other - 1 } else { other });
        }
    }

    /// What lies below the rows; from the first time on, with all days so far.
    fn folded(&mut self) -> &mut Folded {
        let rows = &self.rows;
        self.folded.get_or_insert_with(|| {
            let mut folded = Box::<Folded>::default();
            for row in rows.iter().filter(|row| row.kind().is_purchase()) {
                folded.days.insert(row.key().0);
            }
            folded
        })
    }

    /// Index of a channel, a new one if there is none.
    fn channel(&mut self, name: &str, labels: &mut Labels) -> usize {
        match self.channels.binary_search_by(|other| (**other).cmp(name)) {
            Ok(channel) => channel,
            Err(channel) => {
                if self.channels.len() == self.channels.capacity() {
                    self.channels.reserve_exact((self.channels.len() / 4).max(1));
                }
                self.channels.insert(channel, labels.label(name));
                self.move_channels(|other| if other >= channel { other + 1 } else { other });
                channel
            }
        }
    }

    /// Gives channels other indexes, in the same order.
    fn move_channels(&mut self, index: impl Fn(usize) -> usize) {
        for row in &mut self.rows {
            row.move_channel(&index);
        }
        for wide in &mut self.wide {
            wide.key.2 = row::move_channel(wide.key.2, &index);
        }
    }
}

//! What a user paid: purchases and returns by (local day, visit, channel, kind).
//!
//! The newest rows in that order stay, and what lies below them is folded into sums. Every number is whole
//! and only grows, the kept rows are the newest keys that ever were, and a line for a key below them is
//! folded whether its row was there once or not: so a ledger depends on the lines that it was told, and
//! not on the order in which they came.
//!
//! Channels are ordered by name. Lines of records that were written before there were ledgers say nothing
//! of money, and are never entered.

mod aside;
mod channels;
mod days;
mod row;
mod stored;
mod summary;

use mercer_common::{limits, time::Day};

use self::{
    aside::{Aside, Folded},
    row::{Key, Row},
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

/// What a user paid. Most ledgers are their rows alone, so that a line costs one look at memory.
#[derive(Debug, Default)]
pub struct Ledger {
    /// The newest ones by key, sorted.
    rows: Vec<Row>,
    /// What few ledgers have beside their rows.
    aside: Option<Box<Aside>>,
}

const _: () = assert!(size_of::<Ledger>() == 32);

impl Ledger {
    /// Whether nothing was ever entered.
    pub(in crate::shard) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Enters a line.
    pub(in crate::shard) fn enter(&mut self, line: &Line<'_>, labels: &mut Labels) {
        self.enter_row(line, labels);
        if line.kind.is_purchase()
            && let Some(folded) = self.aside.as_mut().and_then(|aside| aside.folded.as_mut())
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
                self.rows[index] = self.row(key, sums);
                self.aside.get_or_insert_default().more_lines[line.kind as usize] += 1;
            }
            _ => {
                if self.rows.len() == self.rows.capacity() {
                    self.rows.reserve_exact((self.rows.len() / 4).max(2));
                }
                let row = self.row(key, line.sums);
                self.rows.insert(index, row);
                if self.rows.len() > limits::LEDGER_ROWS {
                    self.fold_oldest();
                }
            }
        }
    }

    /// Sums of a row.
    fn sums(&self, row: &Row) -> Sums {
        row.sums().unwrap_or_else(|| self.aside().wide(row.key()))
    }

    /// The row of a key with these sums, which stand apart exactly while they do not fit.
    fn row(&mut self, key: Key, sums: Sums) -> Row {
        let row = Row::new(key, sums);
        if row.is_wide() {
            self.aside.get_or_insert_default().set_wide(key, sums);
        } else if let Some(aside) = &mut self.aside {
            aside.remove_wide(key);
        }
        row
    }

    fn fold_oldest(&mut self) {
        let oldest = self.rows[0];
        let (sums, kind) = (self.sums(&oldest), oldest.kind());
        let aside = self.aside.get_or_insert_default();
        aside.remove_wide(oldest.key());
        aside.more_lines[kind as usize] += 1;
        aside.fold(&self.rows).sums[kind as usize].add(sums);
        self.rows.remove(0);
        let channel = row::channel_of(oldest.key().2);
        let is_used = self.rows.iter().any(|row| row::channel_of(row.key().2) == channel);
        if channel > 0 && !is_used {
            aside.channels.remove(channel);
            self.move_channels(|other| if other > channel { other - 1 } else { other });
        }
    }

    /// How many lines were entered, by kind.
    fn lines(&self) -> [u64; LineKind::ALL.len()] {
        let mut lines = self.aside().more_lines;
        for row in &self.rows {
            lines[row.kind() as usize] += 1;
        }
        lines
    }

    fn aside(&self) -> &Aside {
        self.aside.as_deref().unwrap_or(&aside::NOTHING)
    }

    /// What lies below the rows, if anything does.
    fn folded(&self) -> Option<&Folded> {
        self.aside().folded.as_deref()
    }

    /// Index of a channel, a new one if there is none.
    fn channel(&mut self, name: &str, labels: &mut Labels) -> usize {
        match self.aside().channels.find(name) {
            Ok(channel) => channel,
            Err(channel) => {
                let aside = self.aside.get_or_insert_default();
                aside.channels.insert(channel, labels.label(name));
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
        for wide in self.aside.iter_mut().flat_map(|aside| &mut aside.wide) {
            wide.key.2 = row::move_channel(wide.key.2, &index);
        }
    }
}

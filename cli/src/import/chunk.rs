//! Cuts a file into chunks, at a fixed number of rows, good or bad, and wherever their records grow large:
//! the same file always gives the same chunks.

use anyhow::{Result, anyhow};
use tokio::sync::mpsc;

use super::{
    identity::Selection,
    plan::Plan,
    records::Records,
    rows::collector::{Amounts, Collector, Outcome},
};

/// Rows of a chunk unless the user says: more cost memory and time until the first answer, and gain
/// nothing.
pub(crate) const ROWS: u16 = 5_000;
/// A chunk ends with the row that brings its records to so many bytes. What is left of the limit on a
/// message holds any row.
pub(crate) const BYTES: usize = 1 << 20;

/// Some rows of a file, read and checked.
#[derive(Debug)]
pub(crate) struct Chunk {
    /// Rows read, good or bad.
    #[cfg_attr(not(test), expect(dead_code, reason = "tests read it"))]
    pub(crate) rows: u64,
    pub(crate) records: Records,
    /// Each row of the records.
    pub(crate) accepted: Vec<Accepted>,
    /// Bytes of the file up to the end of the chunk.
    pub(crate) position: u64,
}

/// A row whose record is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Accepted {
    pub(crate) line: u64,
    pub(crate) is_return: bool,
    /// Amounts of the row, as the file has them.
    pub(crate) amounts: Amounts,
}

/// Rows and chunks of a file that was cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    /// Rows of the file, and the good ones among them.
    pub(crate) rows: (u64, u64),
    pub(crate) chunks: u64,
}

impl Chunk {
    /// The same with the events that are to be sent alone; `number` counts the good rows before it.
    pub(crate) fn selected(mut self, selection: &Selection, number: &mut u64) -> Self {
        let Records::Events(events) = self.records else { return self };
        let first = *number;
        *number += events.len() as u64;
        let rows = (first..*number).zip(events.into_iter().zip(self.accepted));
        let chosen = rows.filter(|(number, _)| selection.contains(*number)).map(|(_, row)| row);
        let (events, accepted) = chosen.unzip();
        (self.records, self.accepted) = (Records::Events(events), accepted);
        self
    }
}

/// Cuts a file into chunks.
pub(crate) struct Chunker {
    /// Rows per chunk, at most.
    pub(crate) batch: usize,
    pub(crate) sender: mpsc::Sender<Chunk>,
}

impl Chunker {
    /// Reads the whole file; returns early when nobody listens any more.
    pub(crate) fn run(self, plan: &Plan) -> Result<Cut> {
        let mut collector = Collector::new(plan.kind, &plan.fields, plan.context.clone());
        let (mut rows, mut bytes) = (0, 0);
        let mut cut = Cut { rows: (0, 0), chunks: 0 };
        let mut accepted = Vec::new();
        let mut position = 0;
        plan.read(&mut collector, &mut |collector, visit| {
            rows += 1;
            cut.rows.0 += 1;
            position = visit.position;
            if let Outcome::Taken { is_return } = visit.outcome {
                accepted.push(Accepted { line: visit.line, is_return, amounts: visit.amounts });
                cut.rows.1 += 1;
                bytes += collector.last_bytes();
            }
            if rows as usize == self.batch || bytes >= BYTES {
                let next = Vec::with_capacity(accepted.len());
                let accepted = std::mem::replace(&mut accepted, next);
                let records = collector.take();
                let chunk = Chunk { rows, records, accepted, position };
                (rows, bytes) = (0, 0);
                cut.chunks += 1;
                self.pass(chunk)?;
            }
            Ok(())
        })?;
        if rows > 0 {
            cut.chunks += 1;
            self.pass(Chunk { rows, records: collector.take(), accepted, position })?;
        }
        Ok(cut)
    }

    fn pass(&self, chunk: Chunk) -> Result<()> {
        self.sender.blocking_send(chunk).map_err(|_| anyhow!("the import ended early"))
    }
}

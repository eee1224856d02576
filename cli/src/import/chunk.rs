//! Cuts a file into chunks of a fixed number of rows, good or bad: the same file always gives the
//! same chunks.

use anyhow::{Result, anyhow, bail};
use tokio::sync::mpsc;

use super::{
    identity::Selection,
    plan::Plan,
    rows::collector::{Collector, Outcome},
    send::{MESSAGE_BYTES, Records},
};

/// A fixed number of rows of a file, read and checked.
#[derive(Debug)]
pub(crate) struct Chunk {
    /// Rows read, good or bad.
    pub(crate) rows: u64,
    pub(crate) records: Records,
    /// Line of each accepted row.
    pub(crate) lines: Vec<u64>,
    /// How far the file was read after it.
    pub(crate) position: u64,
}

impl Chunk {
    /// The same with the events that are to be sent alone; `number` counts the good rows before it.
    pub(crate) fn selected(mut self, selection: &Selection, number: &mut u64) -> Self {
        let Records::Events(events) = self.records else { return self };
        let first = *number;
        *number += events.len() as u64;
        let chosen = |index: usize| selection.contains(first + index as u64);
        let keep = |(index, event)| chosen(index).then_some(event);
        self.lines = self
            .lines
            .into_iter()
            .enumerate()
            .filter(|(i, _)| chosen(*i))
            .map(|(_, line)| line)
            .collect();
        self.records = Records::Events(events.into_iter().enumerate().filter_map(keep).collect());
        self
    }
}

/// Cuts a file into chunks.
pub(crate) struct Chunker {
    /// Rows per chunk.
    pub(crate) batch: usize,
    pub(crate) sender: mpsc::Sender<Chunk>,
}

impl Chunker {
    /// Reads the whole file; returns early when nobody listens any more. Returns how many rows it
    /// has and how many of them are good.
    pub(crate) fn run(self, plan: &Plan) -> Result<(u64, u64)> {
        let mut collector = Collector::new(plan.kind, &plan.fields, plan.context.clone());
        let mut rows = 0;
        let (mut all, mut good) = (0, 0);
        let mut lines = Vec::new();
        let mut position = 0;
        plan.read(&mut collector, &mut |collector, visit| {
            rows += 1;
            all += 1;
            position = visit.position;
            if let Outcome::Taken { .. } = visit.outcome {
                lines.push(visit.line);
                good += 1;
            }
            if rows as usize == self.batch {
                let lines = std::mem::take(&mut lines);
                let records = collector.take();
                let chunk = Chunk { rows, records, lines, position };
                rows = 0;
                self.pass(chunk)?;
            }
            Ok(())
        })?;
        if rows > 0 {
            let chunk = Chunk { rows, records: collector.take(), lines, position };
            self.pass(chunk)?;
        }
        Ok((all, good))
    }

    fn pass(&self, chunk: Chunk) -> Result<()> {
        if matches!(chunk.records, Records::Events(_))
            && chunk.records.encoded_len() > MESSAGE_BYTES
        {
            bail!("{} rows make more than 4 MiB; import with a smaller --batch", chunk.rows);
        }
        self.sender.blocking_send(chunk).map_err(|_| anyhow!("the import ended early"))
    }
}

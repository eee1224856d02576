//! Users' events as rows of weights: the matrix that similarity is computed from.

use std::ops::Range;

use mercer_algorithms::{
    control::{Cancelled, Control as _},
    linalg::sparse::CsrBuf,
    recommend::profile::{HistoryEvent, ProfileSpec, profile},
};
use mercer_common::artifact::ArtifactRef;
use mercer_proto::internal::{Phase, TrainingSpec};

use crate::{
    artifact::{
        EncodedRun, ItemTable,
        cut::{Cut, CutEntries},
        write_encoded,
    },
    shard::{ItemHandle, WindowEntry},
    task::{Context, Inputs, TrainingError, Watch, in_order},
    version::profile_spec,
};

/// Events that a thread encodes at once: at most some 2 ms.
const BLOCK: usize = 16_384;
/// Items that a thread looks up at once.
const LOOKUPS: usize = 8_192;
const SECONDS_PER_DAY: f64 = 86_400.0;

pub(super) fn run(
    context: &Context<'_>,
    inputs: &Inputs,
    spec: &TrainingSpec,
) -> Result<ArtifactRef, TrainingError> {
    let table = ItemTable::open(context.store, inputs.one(Phase::Dictionary, "")?)?;
    let cut = Cut::open(context.store, inputs.of_shard(Phase::Cut, context.shard, "")?)?;
    let spec = profile_spec(spec);
    let blocks = blocks(&cut);
    context.watch.begin(cut.entries() as u64);
    let runs = context.pool.install(|| {
        let rows = rows_of_referred(&cut, &table, context.watch)?;
        let labels: Vec<Option<u32>> =
            rows.into_iter().map(|row| row.map(|row| table.ranks()[row as usize])).collect();
        let encoder = Encoder { spec: &spec, labels: &labels, as_of: table.as_of() };
        in_order(&blocks, context.watch, |users| {
            let mut run = EncodedRun { rows: CsrBuf::new(spec.weighted), users: Vec::new() };
            for user in users.clone() {
                let entries = cut.user_entries(user);
                if encoder.push(&mut run.rows, entries) {
                    run.users.push(u32::try_from(user).expect("a shard has fewer than 2^32 users"));
                }
                context.watch.advance(entries.items.len() as u64);
            }
            Ok(run)
        })
    })?;
    let name = context.name("");
    Ok(write_encoded(context.store, context.job, &name, table.rows(), &runs)?)
}

/// The row of each item that a cut refers to. An item that only windows name, because its own shard
/// dropped the event as a duplicate, is in no dictionary and counts nowhere. Call it inside the pool.
pub(super) fn rows_of_referred(
    cut: &Cut,
    table: &ItemTable,
    watch: &Watch,
) -> Result<Vec<Option<u32>>, Cancelled> {
    let referred: Vec<usize> = (0..cut.referred_items()).collect();
    let runs: Vec<&[usize]> = referred.chunks(LOOKUPS).collect();
    let looked_up = in_order(&runs, watch, |run| {
        let rows = run.iter().map(|&item| table.row(cut.referred_id(item)));
        Ok(rows.collect::<Vec<Option<u32>>>())
    })?;
    Ok(looked_up.concat())
}

/// Cuts the users into runs of some [`BLOCK`] events.
pub(super) fn blocks(cut: &Cut) -> Vec<Range<usize>> {
    let mut blocks = Vec::new();
    let (mut start, mut events) = (0, 0);
    for user in 0..cut.users() {
        events += cut.user_entries(user).items.len();
        if events >= BLOCK || user + 1 == cut.users() {
            blocks.push(start..user + 1);
            (start, events) = (user + 1, 0);
        }
    }
    blocks
}

struct Encoder<'a> {
    spec: &'a ProfileSpec,
    /// Popularity rank of each item that the cut refers to.
    labels: &'a [Option<u32>],
    as_of: u32,
}

impl Encoder<'_> {
    /// Appends the user's row unless it is empty, and says whether it did; pairs at or below 0 are
    /// left out.
    fn push(&self, rows: &mut CsrBuf, entries: CutEntries<'_>) -> bool {
        let CutEntries { items, times, kinds } = entries;
        let columns = items.iter().zip(times).zip(kinds);
        let events: Vec<HistoryEvent> = columns
            .filter_map(|((&item, &time), &kind)| {
                let entry = WindowEntry { time, item: ItemHandle(item), kind };
                Some(HistoryEvent {
                    item: self.labels[item as usize]?,
                    kind: entry.event_type() as u8,
                    age_days: (f64::from(self.as_of) - f64::from(time)) / SECONDS_PER_DAY,
                    value: entry.value(),
                })
            })
            .collect();
        let mut weights = profile(&events, self.spec);
        weights.retain(|&(_, weight)| weight > 0.0);
        if !weights.is_empty() {
            rows.push_row(&mut weights);
        }
        !weights.is_empty()
    }
}

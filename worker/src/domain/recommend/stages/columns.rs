//! Who has which item, from the encoded rows: the columns of the items of a shard, and the rows of
//! users with their ids.

use std::{
    ops::Range,
    sync::atomic::{AtomicU32, Ordering},
};

use mercer_algorithms::{
    control::{Cancelled, Control as _},
    linalg::sparse::{Csr, CsrBuf},
};
use mercer_common::artifact::ArtifactRef;
use mercer_proto::internal::Phase;

use crate::{
    artifact::{EncodedUsers, ItemTable, cut::UserCut, write_item_users, write_user_rows},
    task::{Context, Inputs, TrainingError, USERS, Watch, in_order},
};

/// Entries between two looks at the watch: at most some 2 ms.
const BLOCK: usize = 250_000;
const ELSEWHERE: u32 = u32::MAX;

/// The users of each item of a shard, from the encoded rows of all users.
///
/// Users are numbered over all shards in order. Every thread walks over all rows for its share of
/// the items, which needs no memory beside the columns.
pub(super) fn run(context: &Context<'_>, inputs: &Inputs) -> Result<ArtifactRef, TrainingError> {
    let table = ItemTable::open(context.store, inputs.one(Phase::Dictionary, "")?)?;
    let parts = EncodedUsers::open_all(context.store, inputs.of_all_shards(Phase::Encode, "")?)?;
    let parts: Vec<Csr<'_>> = parts.iter().map(EncodedUsers::view).collect();
    if parts.iter().any(|part| part.width() != table.rows() as usize) {
        let detail = "encoded rows of another dictionary".to_owned();
        return Err(TrainingError::Inputs { phase: "columns", detail });
    }
    let users: usize = parts.iter().map(Csr::rows).sum();
    let own = table.shard_rows(context.shard);
    let mut item_of_label = vec![ELSEWHERE; table.rows() as usize];
    for (item, row) in (0..).zip(own.clone()) {
        item_of_label[table.ranks()[row as usize] as usize] = item;
    }
    let transposed = Transposed { parts: &parts, item_of_label: &item_of_label };
    let entries: usize = parts.iter().map(Csr::entries).sum();
    context.watch.begin(2 * entries as u64);
    let runs = context.pool.install(|| {
        let counts = transposed.counts(own.len(), context.watch)?;
        let shares = shares(&counts, rayon::current_num_threads());
        in_order(&shares, context.watch, |share| {
            transposed.columns(share.clone(), &counts, context.watch, shares.len())
        })
    })?;
    let name = context.name("");
    Ok(write_item_users(context.store, context.job, &name, users, &runs)?)
}

/// Rows of users as seen from the items of a shard.
struct Transposed<'a> {
    parts: &'a [Csr<'a>],
    /// The place of an item in its shard.
    item_of_label: &'a [u32],
}

impl Transposed<'_> {
    /// Users of each of the shard's `items`.
    fn counts(&self, items: usize, watch: &Watch) -> Result<Vec<u32>, Cancelled> {
        let counts: Vec<AtomicU32> = (0..items).map(|_| AtomicU32::new(0)).collect();
        in_order(self.parts, watch, |part| {
            walk(part, 0, watch, 1, |_, labels, _| {
                for &label in labels {
                    let item = self.item_of_label[label as usize];
                    if item != ELSEWHERE {
                        counts[item as usize].fetch_add(1, Ordering::Relaxed);
                    }
                }
            })
        })?;
        Ok(counts.into_iter().map(AtomicU32::into_inner).collect())
    }

    /// The columns of a share of the items, one of `shares` walks over all rows.
    fn columns(
        &self,
        items: Range<u32>,
        counts: &[u32],
        watch: &Watch,
        shares: usize,
    ) -> Result<CsrBuf, Cancelled> {
        let mut offsets = vec![0_u64];
        let mut length = 0;
        let mut next: Vec<usize> = Vec::with_capacity(items.len());
        for item in items.clone() {
            next.push(length);
            length += counts[item as usize] as usize;
            offsets.push(length as u64);
        }
        let is_weighted = self.parts.iter().any(Csr::is_weighted);
        let mut columns = vec![0_u32; length];
        let mut values = is_weighted.then(|| vec![1_f32; length]);
        let mut first = 0;
        for part in self.parts {
            walk(part, first, watch, shares, |user, labels, weights| {
                for (at, &label) in labels.iter().enumerate() {
                    let item = self.item_of_label[label as usize];
                    if !items.contains(&item) {
                        continue;
                    }
                    let slot = &mut next[(item - items.start) as usize];
                    columns[*slot] = user;
                    if let (Some(values), Some(weights)) = (&mut values, weights) {
                        values[*slot] = weights[at];
                    }
                    *slot += 1;
                }
            })?;
            first += u32::try_from(part.rows()).expect("users are numbered in 32 bits");
        }
        Ok(CsrBuf { offsets, columns, values })
    }
}

/// Shows each user of a part, numbered from `first`, in blocks; one of `times` walks that are
/// reported as one.
fn walk(
    part: &Csr<'_>,
    first: u32,
    watch: &Watch,
    times: usize,
    mut see: impl FnMut(u32, &[u32], Option<&[f32]>),
) -> Result<(), Cancelled> {
    let mut since = 0;
    for (user, row) in (first..).zip(0..part.rows()) {
        let labels = part.columns(row);
        see(user, labels, part.values(row));
        since += labels.len();
        if since >= BLOCK {
            watch.checkpoint()?;
            watch.advance((since / times) as u64);
            since = 0;
        }
    }
    watch.advance((since / times) as u64);
    Ok(())
}

/// Cuts the items into at most `count` runs of about equal numbers of users.
fn shares(counts: &[u32], count: usize) -> Vec<Range<u32>> {
    let total: u64 = counts.iter().map(|&users| u64::from(users)).sum();
    let target = total.div_ceil(count as u64).max(1);
    let (mut shares, mut start, mut users) = (Vec::new(), 0, 0);
    for (item, &more) in (1..).zip(counts) {
        users += u64::from(more);
        if users >= target || item as usize == counts.len() {
            shares.push(start..item);
            (start, users) = (item, 0);
        }
    }
    shares
}

/// The encoded rows of the users of a shard with the users' ids.
pub(super) fn user_rows(
    context: &Context<'_>,
    inputs: &Inputs,
    algorithm: &str,
) -> Result<ArtifactRef, TrainingError> {
    let artifact = inputs.of_shard(Phase::Encode, context.shard, "")?;
    let encoded = EncodedUsers::open(context.store, artifact)?;
    let users = encoded.users();
    let ids = UserCut::open(context.store, inputs.of_shard(Phase::Cut, context.shard, USERS)?)?;
    if users.last().is_some_and(|&last| last as usize >= ids.len()) {
        let detail = "users of the same cut".to_owned();
        return Err(TrainingError::Inputs { phase: "rows", detail });
    }
    let ids = users.iter().map(|&user| ids.id(user as usize));
    let name = context.name(algorithm);
    Ok(write_user_rows(context.store, context.job, &name, encoded.view(), ids)?)
}

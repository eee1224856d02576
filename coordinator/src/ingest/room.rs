//! Whether there is room for what every shard keeps, before it is appended.
//!
//! Workers alone know what they keep, and decide for themselves what they take. Here are the highest
//! sizes that are possible after everything that was appended: while these lie within the bounds,
//! nobody is asked. Beyond, a shard is asked that has applied all of it. One change at a time, so that
//! what was found out still holds when it is appended.

use std::{collections::BTreeMap, time::Duration};

use mercer_common::{
    limits::{self, Bound},
    log::Sequence,
    rpc::Deadline,
    slot::ShardId,
};
use mercer_proto::internal::{
    BoundedKind, CheckRoomRequest, CheckRoomResponse, Mutation, ShardPosition, mutation,
};
use prost::Message as _;
use tokio::sync::{Mutex, MutexGuard};

use super::IngestError;
use crate::ask::{Fanout, any};

/// How long a shard may take to say whether there is room.
const ANSWER: Duration = Duration::from_secs(5);

/// Number and bytes of records.
#[derive(Clone, Copy, Debug, Default)]
struct Size {
    records: u64,
    bytes: u64,
}

/// Highest sizes that are possible; none while nobody was asked.
#[derive(Debug)]
struct Highest {
    sizes: Option<BTreeMap<BoundedKind, Size>>,
    /// Where the last append stands, by shard.
    appended: BTreeMap<ShardId, Sequence>,
}

/// What there is room for.
pub(crate) struct Room {
    fanout: Fanout,
    highest: Mutex<Highest>,
}

/// The right to append a change that there is room for. Others wait for it to be over.
pub(crate) struct Reserved<'a> {
    highest: MutexGuard<'a, Highest>,
}

impl Room {
    /// In a log that holds nothing yet, if `is_new`.
    pub(crate) fn new(fanout: Fanout, is_new: bool) -> Self {
        let sizes = is_new.then(BTreeMap::new);
        Self { fanout, highest: Mutex::new(Highest { sizes, appended: BTreeMap::new() }) }
    }

    /// Waits until this change may be appended.
    ///
    /// # Errors
    /// `Full` when there is no room for it, and what a query says when nobody can tell.
    pub(super) async fn reserve(
        &self,
        mutations: &[mutation::Kind],
        finishing_producer_id: &[u8],
    ) -> Result<Reserved<'_>, IngestError> {
        let mut highest = self.highest.lock().await;
        let mut added: BTreeMap<BoundedKind, Size> = BTreeMap::new();
        for (kind, bytes) in mutations.iter().filter_map(growth) {
            let size = added.entry(kind).or_default();
            size.records += 1;
            size.bytes += bytes as u64;
        }
        if !finishing_producer_id.is_empty() {
            added.entry(BoundedKind::FinishedProducers).or_default().records += 1;
        }
        if !highest.fits(&added) {
            let answer = self.ask(&highest, mutations, finishing_producer_id).await?;
            highest.learn(&answer);
            if let Some(bound) = bound(answer.full()) {
                return Err(IngestError::Full { bound });
            }
        }
        highest.add(&added);
        Ok(Reserved { highest })
    }

    async fn ask(
        &self,
        highest: &Highest,
        mutations: &[mutation::Kind],
        finishing_producer_id: &[u8],
    ) -> Result<CheckRoomResponse, IngestError> {
        let shard = any(&self.fanout.routes()?, 0);
        let sequence = highest.appended.get(&shard).copied().unwrap_or_default();
        let mutations = mutations.iter().map(|kind| Mutation { kind: Some(kind.clone()) });
        let message = CheckRoomRequest {
            shard: Some(ShardPosition { shard: shard.into(), sequence }),
            mutations: mutations.collect(),
            finishing_producer_id: finishing_producer_id.to_vec(),
        };
        let call = self.fanout.ask_shard(
            shard,
            Deadline::after(ANSWER),
            message,
            |mut client, request| async move { client.check_room(request).await },
        );
        Ok(call.await?)
    }
}

impl Reserved<'_> {
    /// Notes where the change stands in the log. Without this it may stand there or not.
    pub(super) fn appended(&mut self, positions: impl Iterator<Item = (ShardId, Sequence)>) {
        self.highest.appended.extend(positions);
    }
}

impl Highest {
    /// Whether there is room for what is added, as far as is known here.
    fn fits(&self, added: &BTreeMap<BoundedKind, Size>) -> bool {
        let Some(sizes) = &self.sizes else { return added.is_empty() };
        added.iter().all(|(&kind, more)| {
            let size = sizes.get(&kind).copied().unwrap_or_default();
            bound(kind).is_some_and(|bound| {
                size.records + more.records <= bound.records as u64
                    && size.bytes + more.bytes <= bound.bytes as u64
            })
        })
    }

    fn learn(&mut self, answer: &CheckRoomResponse) {
        let mut sizes = BTreeMap::new();
        for size in &answer.sizes {
            sizes.insert(size.kind(), Size { records: size.records, bytes: size.bytes });
        }
        self.sizes = Some(sizes);
    }

    fn add(&mut self, added: &BTreeMap<BoundedKind, Size>) {
        let Some(sizes) = &mut self.sizes else { return };
        for (&kind, more) in added {
            let size = sizes.entry(kind).or_default();
            size.records += more.records;
            size.bytes += more.bytes;
        }
    }
}

/// Bytes by which a change may let a kind grow; `None` when it does not.
fn growth(change: &mutation::Kind) -> Option<(BoundedKind, usize)> {
    use mutation::Kind;
    match change {
        Kind::UpsertLocation(one) => Some((BoundedKind::Locations, one.encoded_len())),
        Kind::UpsertSupplier(one) => Some((BoundedKind::Suppliers, one.encoded_len())),
        // What is known can grow by no more than what is added.
        Kind::MergeLocation(one) => Some((BoundedKind::Locations, one.encoded_len())),
        Kind::MergeSupplier(one) => Some((BoundedKind::Suppliers, one.encoded_len())),
        Kind::SetCategoryPriceRule(one) if one.rule.is_some() => {
            // What a shard counts for a level is a little more.
            let levels = 2 * one.category_path.len();
            Some((BoundedKind::PriceRules, one.encoded_len() + levels))
        }
        Kind::SetRecommendRule(one) => Some((BoundedKind::RecommendRules, one.encoded_len())),
        _ => None,
    }
}

/// Whether a change is of what every shard keeps.
pub(super) fn is_of_directory(change: &mutation::Kind) -> bool {
    use mutation::Kind;
    matches!(
        change,
        Kind::UpsertLocation(_)
            | Kind::MergeLocation(_)
            | Kind::DeleteLocation(_)
            | Kind::UpsertSupplier(_)
            | Kind::MergeSupplier(_)
            | Kind::DeleteSupplier(_)
            | Kind::SetCategoryPriceRule(_)
            | Kind::SetRecommendRule(_)
            | Kind::RemoveRecommendRule(_)
    )
}

fn bound(kind: BoundedKind) -> Option<Bound> {
    match kind {
        BoundedKind::Unspecified => None,
        BoundedKind::Locations => Some(limits::LOCATIONS),
        BoundedKind::Suppliers => Some(limits::SUPPLIERS),
        BoundedKind::PriceRules => Some(limits::PRICE_RULES),
        BoundedKind::RecommendRules => Some(limits::RECOMMEND_RULES),
        BoundedKind::FinishedProducers => Some(limits::FINISHED_PRODUCERS),
    }
}

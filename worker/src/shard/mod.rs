//! The shards that a worker holds: their live state and how it follows the log.
//!
//! - `follow` pulls sections of the log for all shards; a lane a shard applies them in order.
//! - [`apply`] is the only code that changes a [`ShardState`], a pure function of the log.
//! - `snapshot` bounds what a restart replays; a lost or damaged snapshot costs a longer replay,
//!   never data.
//! - `cut` writes what training reads.
//! - `ledger` keeps what each user paid, by visit.
//! - `experiments` joins what users of experiments were shown with what they did.
//! - users and items belong to slots; `directory` stands in every shard and belongs to none.
//!
//! Nothing here answers queries, and nothing reads the wall clock to decide what the state is.
//! `tests` compares with a plain model and replays from snapshots at random positions.

pub mod apply;
mod apply_error;
pub(crate) mod cut;
mod dedup;
mod directory;
mod error;
pub(crate) mod experiments;
pub(crate) mod follow;
mod handle;
mod interner;
mod item;
mod labels;
mod merge;
mod origin;
mod retractions;
pub(crate) mod shop_days;
pub(crate) mod snapshot;
mod state;
mod terms;
#[cfg(test)]
mod tests;
mod user;
mod zone;

use std::{collections::BTreeMap, sync::Arc};

use mercer_common::{
    log::{Mark, Sequence},
    slot::ShardId,
};
use parking_lot::RwLock;

pub use apply_error::ApplyError;
pub(crate) use cut::CutError;
pub use directory::Directory;
pub(crate) use directory::{Full, RecommendRules};
pub use error::ShardError;
pub use handle::{Shard, ShardStatus};
pub use interner::{Interner, ItemHandle};
pub use item::{CompetitorEntry, ItemState, SalesDay, Series, Stock};
pub(crate) use state::PriceRange;
pub use state::{Counters, ShardState};
pub use terms::{Amount, CompetitorReference, PriceRule, ServiceLevel, Supplier, Supply, Terms};
pub use user::{
    Met, UserState, WindowEntry,
    ledger::{ChannelSums, Kept, KindSums, Ledger, LineKind, Summary, Sums},
};

/// The shards that this worker holds.
#[derive(Debug, Default)]
pub struct Shards {
    held: RwLock<BTreeMap<ShardId, Arc<Shard>>>,
}

impl Shards {
    /// The shard `id`.
    ///
    /// # Errors
    /// `NotHeld`.
    pub fn get(&self, id: ShardId) -> Result<Arc<Shard>, ShardError> {
        self.held.read().get(&id).cloned().ok_or(ShardError::NotHeld { shard: id })
    }

    /// All shards in order.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Shard>> {
        self.held.read().values().cloned().collect()
    }

    /// Those of `assigned` that are to be loaded: they are not held, or the log refused them.
    pub(crate) fn missing(&self, assigned: &[ShardId]) -> Vec<ShardId> {
        let held = self.held.read();
        let mut missing = assigned.to_vec();
        missing.retain(|id| held.get(id).is_none_or(|shard| shard.is_refused()));
        missing
    }

    /// Takes a shard in, in place of one that the log refused.
    pub(crate) fn hold(&self, shard: Shard) {
        self.held.write().insert(shard.id(), Arc::new(shard));
    }

    /// The highest position that any of them has applied.
    pub(crate) fn applied(&self) -> Sequence {
        self.held.read().values().map(|shard| shard.applied()).max().unwrap_or(0)
    }

    /// Where all of them stand. Takes their read locks; do not call it on a thread of the runtime.
    pub(crate) fn marks(&self) -> Vec<(ShardId, Mark)> {
        self.all().iter().map(|shard| (shard.id(), shard.read().mark())).collect()
    }

    /// Drops all shards that are not in `assigned`.
    pub(crate) fn retain(&self, assigned: &[ShardId]) {
        self.held.write().retain(|id, _| assigned.contains(id));
    }
}

//! The catalogue: items and users, each from its own shard, and what stands in every shard.

mod directory;
mod lookup;

use crate::ask::Engine;

/// Answers what is known of items and users, and of what stands in every shard.
pub(crate) struct Catalog {
    pub(crate) engine: Engine,
}

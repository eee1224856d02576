//! The engine of answers: the live state and the open versions that domains answer from, and what
//! is shown of the state as it is.
//!
//! Every answer is computed at the call, on the compute threads, after the shards have applied
//! what the call's tokens require. A version is named by the caller, so that all workers answer
//! from the same one; live state (windows, stock, popularity, status) is always the present one.
//! Nothing here knows gRPC, or which domains there are.

mod catalog;
mod directory;
mod error;
mod experiments;
pub(crate) mod filter;
mod ledger;
mod page;
pub(crate) mod property;
mod room;
#[cfg(test)]
mod tests;
mod titles;
mod users;

use std::{
    sync::{Arc, OnceLock},
    time::Instant,
};

use mercer_common::{
    log::Sequence, process::resident_bytes, rpc::status::InvalidRequest, slot::ShardId,
};
use mercer_proto::{
    internal::{ClusterIdentity, DescribeShardsResponse, ShardPosition},
    v1,
};

use crate::{
    compute::Compute,
    shard::{Shard, ShardError, ShardState, Shards},
    version::OpenVersions,
};

pub(crate) use error::{NotTrained, ServeError};
use filter::Filter;

/// What queries are answered from.
#[derive(Debug)]
pub(crate) struct Serving {
    shards: Arc<Shards>,
    versions: Arc<OpenVersions>,
    compute: Arc<Compute>,
    cluster: OnceLock<ClusterIdentity>,
}

impl Serving {
    /// Answers from these shards and versions, once [`Self::join`] was called.
    pub(crate) fn new(
        shards: Arc<Shards>,
        versions: Arc<OpenVersions>,
        compute: Arc<Compute>,
    ) -> Self {
        Self { shards, versions, compute, cluster: OnceLock::new() }
    }

    /// Notes what is fixed for the cluster; later calls change nothing.
    pub(crate) fn join(&self, cluster: ClusterIdentity) {
        self.cluster.get_or_init(|| cluster);
    }

    /// The highest position that any shard has applied.
    pub(crate) fn applied(&self) -> Sequence {
        self.shards.applied()
    }

    pub(crate) fn shards(&self) -> &Shards {
        &self.shards
    }

    pub(crate) fn versions(&self) -> &OpenVersions {
        &self.versions
    }

    pub(crate) fn compute(&self) -> &Compute {
        &self.compute
    }

    pub(crate) fn cluster(&self) -> Result<&ClusterIdentity, ServeError> {
        self.cluster.get().ok_or(ServeError::NotJoined)
    }

    /// A filter of a request, checked.
    pub(crate) fn filter(&self, filter: Option<&v1::Filter>) -> Result<Option<Filter>, ServeError> {
        let Some(filter) = filter else { return Ok(None) };
        Ok(Some(Filter::new(filter, &self.cluster()?.currency)?))
    }

    /// The shard of a position, when it has applied what is required.
    pub(crate) async fn shard_at(
        &self,
        position: Option<ShardPosition>,
        deadline: Instant,
    ) -> Result<Arc<Shard>, ServeError> {
        let position = position.ok_or_else(|| InvalidRequest::field("shard", "is required"))?;
        let shard = self.shards.get(shard_id(position)?)?;
        shard.wait_applied(position.sequence, deadline).await?;
        Ok(shard)
    }

    /// The asked shards that can answer, in their order. A shard that is not here or not ready is left out; one
    /// that lags behind the tokens, or that none can answer, is an error.
    pub(crate) async fn shards_at(
        &self,
        positions: &[ShardPosition],
        deadline: Instant,
    ) -> Result<Vec<Arc<Shard>>, ServeError> {
        let mut ready = Vec::with_capacity(positions.len());
        let mut missing = None;
        for &position in positions {
            match self.shard_at(Some(position), deadline).await {
                Ok(shard) => ready.push(shard),
                Err(error @ ServeError::Shard(ShardError::Lagging { .. })) => return Err(error),
                Err(error @ ServeError::Shard(_)) => missing = missing.or(Some(error)),
                Err(error) => return Err(error),
            }
        }
        match missing {
            Some(error) if ready.is_empty() => Err(error),
            _ => {
                ready.sort_unstable_by_key(|shard| shard.id());
                Ok(ready)
            }
        }
    }

    /// What operators see of the asked shards, as exact as the positions require where the shard
    /// serves.
    pub(crate) async fn describe(
        &self,
        positions: &[ShardPosition],
        deadline: Instant,
    ) -> Result<DescribeShardsResponse, ServeError> {
        let mut shards = Vec::with_capacity(positions.len());
        for &position in positions {
            let shard = self.shards.get(shard_id(position)?)?;
            match shard.wait_applied(position.sequence, deadline).await {
                Ok(()) | Err(ShardError::Recovering { .. } | ShardError::Failed { .. }) => {}
                Err(error) => return Err(error.into()),
            }
            shards.push(shard);
        }
        let versions = self.versions.problems();
        let described = self.compute.serve(move || DescribeShardsResponse {
            shards: shards.iter().map(|shard| shard.describe()).collect(),
            resident_bytes: resident_bytes().unwrap_or_default(),
            versions,
        });
        Ok(described.await?)
    }
}

pub(crate) fn shard_id(position: ShardPosition) -> Result<ShardId, InvalidRequest> {
    ShardId::try_from(position.shard)
        .map_err(|_| InvalidRequest::field("shard", format!("{} is no shard", position.shard)))
}

/// How far the state had come when it was read.
pub(crate) fn position(state: &ShardState) -> ShardPosition {
    ShardPosition { shard: state.shard().into(), sequence: state.applied() }
}

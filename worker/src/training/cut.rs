//! Waits for the cut of a shard, which the shard itself writes when it reaches the job's marker.

use std::time::Duration;

use mercer_algorithms::recommend::control::Control as _;
use mercer_common::{
    artifact::{ArtifactError, ArtifactRef, ArtifactStore},
    slot::ShardId,
};
use mercer_proto::internal::TaskCounts;

use super::{TrainingError, blocks::Watch};
use crate::{compute::ComputeError, shard::cut};

/// Time between two looks at the store.
const POLL: Duration = Duration::from_millis(20);

/// The cut of the job, as soon as it is there.
pub(super) async fn written(
    store: &ArtifactStore,
    job: &str,
    shard: ShardId,
    watch: &Watch,
) -> Result<ArtifactRef, TrainingError> {
    loop {
        watch.checkpoint()?;
        let (store, job) = (store.clone(), job.to_owned());
        let look = move || store.find(&job, cut::PHASE, &cut::name(shard));
        let found = tokio::task::spawn_blocking(look)
            .await
            .map_err(|error| ComputeError::Panicked(error.to_string()))?;
        if let Some(found) = found? {
            return Ok(found);
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Users with a window, the shard's items, all events in windows, and the newest of them.
pub(super) fn counts(
    store: &ArtifactStore,
    artifact: &ArtifactRef,
) -> Result<TaskCounts, ArtifactError> {
    let cut = cut::Cut::open(store, artifact)?;
    Ok(TaskCounts {
        users: cut.users() as u64,
        items: cut.items() as u64,
        interactions: cut.entries() as u64,
        as_of: cut.newest_event(),
    })
}

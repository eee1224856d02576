//! Waits for the cut of a shard, which the shard itself writes when it reaches the job's marker.

use std::time::{Duration, Instant};

use mercer_algorithms::recommend::control::Cancelled;
use mercer_common::{
    artifact::{ArtifactError, ArtifactRef, ArtifactStore},
    slot::ShardId,
};
use mercer_proto::internal::TaskCounts;

use super::TrainingError;
use crate::{compute::ComputeError, shard::cut};

/// Time between two looks at the store.
const POLL: Duration = Duration::from_millis(20);

/// The cut of the job as soon as it is there; `None` when it is not there by `until`.
///
/// Only its callers wait: nothing is left behind when they give up.
pub(super) async fn written(
    store: &ArtifactStore,
    job: &str,
    shard: ShardId,
    until: Instant,
    is_cancelled: impl Fn() -> bool,
) -> Result<Option<(ArtifactRef, TaskCounts)>, TrainingError> {
    loop {
        if is_cancelled() {
            return Err(Cancelled.into());
        }
        let (store, job) = (store.clone(), job.to_owned());
        let look = move || match store.find(&job, cut::PHASE, &cut::name(shard))? {
            Some(found) => counts(&store, &found).map(|counts| Some((found, counts))),
            None => Ok(None),
        };
        let found = tokio::task::spawn_blocking(look)
            .await
            .map_err(|error| ComputeError::Panicked(error.to_string()))??;
        if found.is_some() || Instant::now() + POLL >= until {
            return Ok(found);
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Users with a window, the shard's items, all events in windows, and the newest of them.
fn counts(store: &ArtifactStore, artifact: &ArtifactRef) -> Result<TaskCounts, ArtifactError> {
    let cut = cut::Cut::open(store, artifact)?;
    Ok(TaskCounts {
        users: cut.users() as u64,
        items: cut.items() as u64,
        interactions: cut.entries() as u64,
        as_of: cut.newest_event(),
        sale_days: 0,
    })
}

//! Waits for the cut of a shard, which the shard itself writes when it reaches the job's marker.

use std::time::{Duration, Instant};

use mercer_algorithms::recommend::control::Cancelled;
use mercer_common::{
    artifact::{ArtifactError, ArtifactRef, ArtifactStore},
    slot::ShardId,
};
use mercer_proto::internal::TaskCounts;

use super::{TrainingError, plan::Part};
use crate::{
    compute::ComputeError,
    shard::{
        content_cut, cut,
        series_cut::{self, SeriesCut},
        user_cut,
    },
};

/// Time between two looks at the store.
const POLL: Duration = Duration::from_millis(20);

/// The part of the job's cut as soon as it is there; `None` when it is not there by `until`.
///
/// Only its callers wait: nothing is left behind when they give up.
pub(super) async fn written(
    store: &ArtifactStore,
    job: &str,
    shard: ShardId,
    part: Part,
    until: Instant,
    is_cancelled: impl Fn() -> bool,
) -> Result<Option<(ArtifactRef, TaskCounts)>, TrainingError> {
    loop {
        if is_cancelled() {
            return Err(Cancelled.into());
        }
        let (store, job) = (store.clone(), job.to_owned());
        let name = match part {
            Part::Interactions => cut::name(shard),
            Part::Series => series_cut::name(shard),
            Part::Content => content_cut::name(shard),
            Part::Users => user_cut::name(shard),
        };
        let look = move || match store.find(&job, cut::PHASE, &name)? {
            Some(found) => counts(&store, &found, part).map(|counts| Some((found, counts))),
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

/// Of interactions: users with a window, the shard's items, all events in windows, and the newest
/// of them. Of series: the shard's items, their days with a sale, and the newest event.
fn counts(
    store: &ArtifactStore,
    artifact: &ArtifactRef,
    part: Part,
) -> Result<TaskCounts, ArtifactError> {
    match part {
        Part::Interactions => {
            let cut = cut::Cut::open(store, artifact)?;
            Ok(TaskCounts {
                users: cut.users() as u64,
                items: cut.items() as u64,
                interactions: cut.entries() as u64,
                as_of: cut.newest_event(),
                ..TaskCounts::default()
            })
        }
        // Damage is found before the next phase reads the file.
        Part::Content | Part::Users => store.open_artifact(artifact).map(|_| TaskCounts::default()),
        Part::Series => {
            let cut = SeriesCut::open(store, artifact)?;
            Ok(TaskCounts {
                items: cut.len() as u64,
                as_of: cut.newest_event(),
                sale_days: cut.sale_days(),
                ..TaskCounts::default()
            })
        }
    }
}

//! Waits for the cut of a shard, which the shard itself writes when it reaches the job's marker.
//!
//! A shard that has passed the marker and left no cut never will: the wait ends with what kept it
//! from that, or with the fact when a restart has forgotten the reason.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use mercer_algorithms::control::Cancelled;
use mercer_common::{
    artifact::{ArtifactError, ArtifactRef, ArtifactStore},
    log::Sequence,
    slot::ShardId,
};
use mercer_proto::internal::TaskCounts;

use super::{TrainingError, names::Part};
use crate::{
    artifact::cut::Cut,
    compute::ComputeError,
    shard::{
        CutError, Shards,
        cut::{self, series::SeriesCut},
    },
};

/// Time between two looks at the store.
const POLL: Duration = Duration::from_millis(20);

/// A part of the cut of a job.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    pub(super) job: &'a str,
    pub(super) shard: ShardId,
    pub(super) part: Part,
    /// The job's marker; 0 when it is not known.
    pub(super) marker: Sequence,
}

impl Wanted<'_> {
    /// As soon as it is there; `None` when it is not there by `until`.
    ///
    /// Only its callers wait: nothing is left behind when they give up.
    ///
    /// # Errors
    /// [`TrainingError::Cut`] when it will never be there.
    pub(super) async fn written(
        self,
        store: &ArtifactStore,
        shards: &Shards,
        until: Instant,
        is_cancelled: impl Fn() -> bool,
    ) -> Result<Option<(ArtifactRef, TaskCounts)>, TrainingError> {
        loop {
            if is_cancelled() {
                return Err(Cancelled.into());
            }
            // Before the store is looked at: a shard passes the marker when the cut is written.
            let failure = self.failure(shards);
            match (self.look(store.clone()).await, failure) {
                (Ok(Some(found)), _) => return Ok(Some(found)),
                (Ok(None) | Err(_), Some(cause)) => {
                    let (shard, job) = (self.shard, self.job.to_owned());
                    return Err(TrainingError::Cut { shard, job, cause });
                }
                (Err(error), None) => return Err(error),
                (Ok(None), None) if Instant::now() + POLL >= until => return Ok(None),
                (Ok(None), None) => tokio::time::sleep(POLL).await,
            }
        }
    }

    /// Why the shard will not write it, if it will not. A shard that another worker holds by now
    /// may have written it all the same.
    fn failure(self, shards: &Shards) -> Option<Arc<CutError>> {
        let shard = shards.get(self.shard).ok()?;
        let marker = self.marker;
        let passed = marker > 0 && shard.applied() >= marker;
        let noted = shard.failed_cut(self.job);
        noted.or_else(|| passed.then(|| Arc::new(CutError::Passed { marker })))
    }

    async fn look(
        self,
        store: ArtifactStore,
    ) -> Result<Option<(ArtifactRef, TaskCounts)>, TrainingError> {
        let (job, part) = (self.job.to_owned(), self.part);
        let name = match part {
            Part::Interactions => cut::interactions::name(self.shard),
            Part::Series => cut::series::name(self.shard),
            Part::Content => cut::content::name(self.shard),
            Part::Users => cut::users::name(self.shard),
        };
        let looking = tokio::task::spawn_blocking(move || {
            let Some(found) = store.find(&job, cut::PHASE, &name)? else { return Ok(None) };
            counts(&store, &found, part).map(|counts| Some((found, counts)))
        });
        let looked = looking.await;
        Ok(looked.map_err(|error| ComputeError::Panicked(error.to_string()))??)
    }
}

/// What a part counts. Of interactions: users with a window, the shard's items, all events in
/// windows, and the newest of them. Of series: the shard's items, their days with a sale, and the
/// newest event.
fn counts(
    store: &ArtifactStore,
    artifact: &ArtifactRef,
    part: Part,
) -> Result<TaskCounts, ArtifactError> {
    match part {
        Part::Interactions => {
            let cut = Cut::open(store, artifact)?;
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

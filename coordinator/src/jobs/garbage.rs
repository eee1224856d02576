//! Removes files that no version and no unfinished job refers to.

use std::collections::BTreeSet;

use mercer_common::artifact::{ArtifactError, ArtifactStore};

use super::{phase, runner::Runner};

impl Runner {
    /// Failures are logged only: what stays behind is removed after the next job.
    pub(super) async fn collect_garbage(&self) {
        let published: BTreeSet<String> =
            self.versions.list().into_iter().map(|manifest| manifest.job_id.clone()).collect();
        let artifacts = self.artifacts.clone();
        let listed = tokio::task::spawn_blocking(move || job_ids(&artifacts)).await;
        let job_ids = match listed {
            Ok(Ok(job_ids)) => job_ids,
            Ok(Err(error)) => {
                tracing::warn!(%error, "artifacts are not listed");
                return;
            }
            Err(_) => return,
        };
        for job_id in job_ids.into_iter().filter(|job_id| !self.jobs.is_open(job_id)) {
            let artifacts = self.artifacts.clone();
            let published = published.contains(&job_id);
            let removed = tokio::task::spawn_blocking(move || {
                phase::folders(published)
                    .try_for_each(|folder| artifacts.remove_job_phase(&job_id, folder))
            });
            if let Ok(Err(error)) = removed.await {
                tracing::warn!(%error, "artifacts are not removed");
            }
        }
    }
}

/// The jobs that have files.
fn job_ids(artifacts: &ArtifactStore) -> Result<BTreeSet<String>, ArtifactError> {
    let listed = artifacts.list()?;
    Ok(listed.iter().filter_map(|one| one.path.split('/').nth(1)).map(String::from).collect())
}

//! Removes files that no version and no unfinished job refers to.
//!
//! That a file is not named is no proof that nobody needs it: nothing is removed while a manifest
//! may name more than this version of Mercer can read, and nothing of a job that is not known to
//! have ended.

use std::{collections::BTreeSet, sync::Arc};

use mercer_common::{
    artifact::{ArtifactError, ArtifactStore},
    manifest,
};
use mercer_proto::internal::VersionManifest;

use super::{phase, published, runner::Runner};

impl Runner {
    /// Failures are logged only: what stays behind is removed after the next job.
    pub(super) async fn collect_garbage(&self) {
        let unread = self.versions.read_in_part();
        if !unread.is_empty() {
            let versions = unread.join(", ");
            tracing::warn!(versions, "manifests of a newer Mercer: no artifacts are removed");
            return;
        }
        let published: BTreeSet<(String, String)> =
            self.versions.list().iter().flat_map(|manifest| folders_of(manifest)).collect();
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
        for job_id in job_ids.into_iter().filter(|job_id| self.jobs.has_ended(job_id)) {
            let artifacts = self.artifacts.clone();
            let unused = phase::folders()
                .filter(|folder| !published.contains(&(job_id.clone(), (*folder).to_owned())));
            let unused: Vec<&str> = unused.collect();
            let removing = Arc::clone(&self.removing);
            let removed = tokio::task::spawn_blocking(move || {
                let _removing = removing.lock();
                unused.iter().try_for_each(|folder| artifacts.remove_job_phase(&job_id, folder))
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

/// Job and phase of every file that a version refers to, which may be of several jobs, and of its
/// manifest.
fn folders_of(manifest: &VersionManifest) -> BTreeSet<(String, String)> {
    let mut folders = BTreeSet::from([published::folder_of(&manifest.job_id)]);
    for file in manifest::files(manifest) {
        let mut parts = file.path.split('/').skip(1);
        if let (Some(job), Some(phase)) = (parts.next(), parts.next()) {
            folders.insert((job.to_owned(), phase.to_owned()));
        }
    }
    folders
}

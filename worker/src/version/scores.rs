//! One number for every item, the same for all users.

use std::sync::Arc;

use mercer_common::artifact::{Artifact, ArtifactError, ArtifactRef, ArtifactStore};

/// One section: f32 by row.
const KIND: &str = "scores-1";

/// Open scores.
#[derive(Debug)]
pub(crate) struct ItemScores {
    artifact: Arc<Artifact>,
}

impl ItemScores {
    /// Opens and verifies the scores of `items` items.
    ///
    /// # Errors
    /// As [`ArtifactStore::open_artifact`], and [`ArtifactError::Layout`] when it holds anything
    /// else.
    pub(crate) fn open(
        store: &ArtifactStore,
        artifact: &ArtifactRef,
        items: usize,
    ) -> Result<Self, ArtifactError> {
        let artifact = store.open_artifact(artifact)?;
        artifact.expect_kind(KIND)?;
        let scores = artifact.section::<f32>(0)?;
        if scores.len() != items || !scores.iter().all(|score| score.is_finite()) {
            return Err(artifact.layout(format!("does not hold the scores of {items} items")));
        }
        Ok(Self { artifact })
    }

    /// By row.
    pub(crate) fn view(&self) -> &[f32] {
        self.artifact.section(0).expect("verified when opened")
    }
}

/// Writes the artifact `name` of a scores task.
///
/// # Errors
/// As [`ArtifactStore::put`].
pub(crate) fn write_scores(
    store: &ArtifactStore,
    job: &str,
    name: &str,
    scores: &[f32],
) -> Result<ArtifactRef, ArtifactError> {
    store.put(job, "scores", name, KIND, &[bytemuck::cast_slice(scores)])
}

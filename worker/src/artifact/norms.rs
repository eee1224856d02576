//! Lengths of the vectors of kept weights, by source row: what a neighbourhood's scores are scaled
//! by before they are mixed.

use std::sync::Arc;

use mercer_common::artifact::{Artifact, ArtifactError, ArtifactRef, ArtifactStore};

/// One section: f32 by row.
const KIND: &str = "norms-1";

/// Open norms.
#[derive(Debug)]
pub(crate) struct Norms {
    artifact: Arc<Artifact>,
}

impl Norms {
    /// Opens norms and verifies that they are those of `sources` rows.
    pub(crate) fn open(
        store: &ArtifactStore,
        artifact: &ArtifactRef,
        sources: usize,
    ) -> Result<Self, ArtifactError> {
        let artifact = store.open_artifact(artifact)?;
        artifact.expect_kind(KIND)?;
        let norms = artifact.section::<f32>(0)?;
        let is_sound = |norm: &f32| norm.is_finite() && *norm >= 0.0;
        if norms.len() != sources || !norms.iter().all(is_sound) {
            return Err(artifact.layout(format!("does not hold the norms of {sources} rows")));
        }
        Ok(Self { artifact })
    }

    /// Lengths by source row.
    pub(crate) fn view(&self) -> &[f32] {
        self.artifact.section(0).expect("verified when opened")
    }
}

/// Writes the artifact of a norms task.
pub(crate) fn write_norms(
    store: &ArtifactStore,
    job: &str,
    name: &str,
    norms: &[f32],
) -> Result<ArtifactRef, ArtifactError> {
    store.put(job, "norms", name, KIND, &[bytemuck::cast_slice(norms)])
}

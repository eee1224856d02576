//! Lengths of the vectors of kept weights, by source row: what a neighbourhood's scores are scaled
//! by before they are mixed.

use mercer_common::{
    artifact::{ArtifactError, ArtifactRef, ArtifactStore, Sections},
    layout,
};

layout! {
    /// Norms of an algorithm's source rows.
    enum File: "norms-1" {
        /// One length a row.
        NORMS: f32,
    }
}

/// Open norms.
#[derive(Debug)]
pub(crate) struct Norms {
    file: Sections,
}

impl Norms {
    /// Opens norms and verifies that they are those of `sources` rows.
    ///
    /// # Errors
    /// As [`mercer_common::artifact::Layout::open`], and [`ArtifactError::Layout`] for other rows.
    pub(crate) fn open(
        store: &ArtifactStore,
        artifact: &ArtifactRef,
        sources: usize,
    ) -> Result<Self, ArtifactError> {
        let file = File::LAYOUT.open(store, artifact)?;
        let norms = file.get(File::NORMS);
        let are_sound = norms.iter().all(|norm| norm.is_finite() && *norm >= 0.0);
        if norms.len() != sources || !are_sound {
            return Err(file.layout(format!("does not hold the norms of {sources} rows")));
        }
        Ok(Self { file })
    }

    /// Lengths by source row.
    pub(crate) fn view(&self) -> &[f32] {
        self.file.get(File::NORMS)
    }
}

/// Writes the artifact of a norms task.
///
/// # Errors
/// As [`mercer_common::artifact::SectionWriter::finish`].
pub(crate) fn write_norms(
    store: &ArtifactStore,
    job: &str,
    name: &str,
    norms: &[f32],
) -> Result<ArtifactRef, ArtifactError> {
    let mut writer = File::LAYOUT.writer(store, job, "norms", name)?;
    writer.write(File::NORMS, norms)?;
    writer.finish()
}

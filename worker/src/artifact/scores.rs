//! One number for every item, the same for all users.

use std::sync::Arc;

use mercer_algorithms::recommend::hybrid::score_scale;
use mercer_common::artifact::{Artifact, ArtifactError, ArtifactRef, ArtifactStore};

/// One section: f32 by row.
const KIND: &str = "scores-1";
/// Items that are candidates for everybody in a mix.
const BEST: usize = 5_000;

/// Open scores.
#[derive(Debug)]
pub(crate) struct ItemScores {
    artifact: Arc<Artifact>,
    best: Vec<u32>,
    scale: f64,
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
        let (best, scale) = (best(scores), score_scale(scores));
        Ok(Self { artifact, best, scale })
    }

    /// Scores by row.
    pub(crate) fn view(&self) -> &[f32] {
        self.artifact.section(0).expect("verified when opened")
    }

    /// Ascending rows of the 5,000 items with the highest scores above 0, ties by row.
    pub(crate) fn best(&self) -> &[u32] {
        &self.best
    }

    /// What the scores are divided by in a mix.
    pub(crate) fn scale(&self) -> f64 {
        self.scale
    }
}

fn best(scores: &[f32]) -> Vec<u32> {
    let mut best: Vec<u32> =
        (0..).zip(scores).filter(|(_, score)| **score > 0.0).map(|(row, _)| row).collect();
    if best.len() > BEST {
        let score = |row: u32| scores[row as usize];
        best.select_nth_unstable_by(BEST, |&left, &right| {
            score(right).total_cmp(&score(left)).then(left.cmp(&right))
        });
        best.truncate(BEST);
        best.sort_unstable();
    }
    best
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

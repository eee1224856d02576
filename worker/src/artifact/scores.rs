//! One number for every item, the same for all users.

use mercer_algorithms::recommend::hybrid::score_scale;
use mercer_common::{
    artifact::{ArtifactError, ArtifactRef, ArtifactStore, Sections},
    layout,
};

layout! {
    /// Scores of all items.
    enum File: "scores-1" {
        /// One score a row.
        SCORES: f32,
    }
}

/// Items that are candidates for everybody in a mix.
const BEST: usize = 5_000;

/// Open scores.
#[derive(Debug)]
pub(crate) struct ItemScores {
    file: Sections,
    best: Vec<u32>,
    scale: f64,
}

impl ItemScores {
    /// Opens and verifies the scores of `items` items.
    ///
    /// # Errors
    /// As [`mercer_common::artifact::Layout::open`], and [`ArtifactError::Layout`] when it holds
    /// anything else.
    pub(crate) fn open(
        store: &ArtifactStore,
        artifact: &ArtifactRef,
        items: usize,
    ) -> Result<Self, ArtifactError> {
        let file = File::LAYOUT.open(store, artifact)?;
        let scores = file.get(File::SCORES);
        if scores.len() != items || !scores.iter().all(|score| score.is_finite()) {
            return Err(file.layout(format!("does not hold the scores of {items} items")));
        }
        let (best, scale) = (best(scores), score_scale(scores));
        Ok(Self { file, best, scale })
    }

    /// Scores by row.
    pub(crate) fn view(&self) -> &[f32] {
        self.file.get(File::SCORES)
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
/// As [`mercer_common::artifact::SectionWriter::finish`].
pub(crate) fn write_scores(
    store: &ArtifactStore,
    job: &str,
    name: &str,
    scores: &[f32],
) -> Result<ArtifactRef, ArtifactError> {
    let mut writer = File::LAYOUT.writer(store, job, "scores", name)?;
    writer.write(File::SCORES, scores)?;
    writer.finish()
}

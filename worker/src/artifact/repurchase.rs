//! How each item is bought again, by row.

use mercer_algorithms::recommend::repurchase::{Repurchase, RepurchaseBuf};
use mercer_common::{
    artifact::{ArtifactError, ArtifactRef, ArtifactStore, Section, Sections},
    layout,
};

layout! {
    /// Parameters of the repurchase model: after the facts one number an item.
    enum File: "repurchase-1" {
        /// `[is any event]`.
        FACTS: u64,
        /// Repeats a day of a user who has bought the item, at least 0.
        RATES: f32,
        /// Probability that one who has bought the item will again, within (0, 1).
        AGAIN: f32,
        /// Means of ln(days between purchases).
        INTERVAL_MEANS: f32,
        /// Standard deviations of the same, above 0.
        INTERVAL_DEVIATIONS: f32,
    }
}

/// Whether a parameter is in its range.
type IsWithin = fn(f32) -> bool;

/// Open parameters of the repurchase model.
#[derive(Debug)]
pub(crate) struct RepurchaseModel {
    file: Sections,
    is_any_event: bool,
}

impl RepurchaseModel {
    /// Opens and verifies the parameters of `items` items.
    ///
    /// # Errors
    /// As [`mercer_common::artifact::Layout::open`], and [`ArtifactError::Layout`] when a parameter
    /// is missing or out of its range.
    pub(crate) fn open(
        store: &ArtifactStore,
        artifact: &ArtifactRef,
        items: usize,
    ) -> Result<Self, ArtifactError> {
        let file = File::LAYOUT.open(store, artifact)?;
        let is_any_event = match file.exactly(File::FACTS)? {
            [is_any_event @ (0 | 1)] => is_any_event == 1,
            [_] => return Err(file.layout("has no facts")),
        };
        let ranges: [(Section<f32>, IsWithin); 4] = [
            (File::RATES, |rate| rate >= 0.0),
            (File::AGAIN, |again| again > 0.0 && again < 1.0),
            (File::INTERVAL_MEANS, |_| true),
            (File::INTERVAL_DEVIATIONS, |deviation| deviation > 0.0),
        ];
        for (section, is_within) in ranges {
            let values = file.get(section);
            let are_sound = values.iter().all(|&value| value.is_finite() && is_within(value));
            if values.len() != items || !are_sound {
                let detail = format!("does not hold the parameters of {items} items");
                return Err(file.layout(detail));
            }
        }
        Ok(Self { file, is_any_event })
    }

    /// How each item is bought again, by row.
    pub(crate) fn view(&self) -> Repurchase<'_> {
        Repurchase {
            rates: self.file.get(File::RATES),
            again: self.file.get(File::AGAIN),
            interval_means: self.file.get(File::INTERVAL_MEANS),
            interval_deviations: self.file.get(File::INTERVAL_DEVIATIONS),
            is_any_event: self.is_any_event,
        }
    }
}

/// Writes the artifact `name` of the scores task of `repurchase`.
///
/// # Errors
/// As [`mercer_common::artifact::SectionWriter::finish`].
pub(crate) fn write_repurchase(
    store: &ArtifactStore,
    job: &str,
    name: &str,
    model: &RepurchaseBuf,
) -> Result<ArtifactRef, ArtifactError> {
    let mut writer = File::LAYOUT.writer(store, job, "scores", name)?;
    writer.write(File::FACTS, &[u64::from(model.is_any_event)])?;
    writer.write(File::RATES, &model.rates)?;
    writer.write(File::AGAIN, &model.again)?;
    writer.write(File::INTERVAL_MEANS, &model.interval_means)?;
    writer.write(File::INTERVAL_DEVIATIONS, &model.interval_deviations)?;
    writer.finish()
}

//! How each item is bought again, by row.

use std::sync::Arc;

use mercer_algorithms::recommend::repurchase::{Repurchase, RepurchaseBuf};
use mercer_common::artifact::{Artifact, ArtifactError, ArtifactRef, ArtifactStore};

const KIND: &str = "repurchase-1";

/// Sections of the artifact, in order; all but the first f32 by row.
enum Section {
    /// `[is any event]`, as u64.
    Facts,
    Rates,
    Again,
    IntervalMeans,
    IntervalDeviations,
}

/// Open parameters of the repurchase model.
#[derive(Debug)]
pub(crate) struct RepurchaseModel {
    artifact: Arc<Artifact>,
    is_any_event: bool,
}

impl RepurchaseModel {
    /// Opens and verifies the parameters of `items` items.
    ///
    /// # Errors
    /// As [`ArtifactStore::open_artifact`], and [`ArtifactError::Layout`] when a parameter is
    /// missing or out of its range.
    pub(crate) fn open(
        store: &ArtifactStore,
        artifact: &ArtifactRef,
        items: usize,
    ) -> Result<Self, ArtifactError> {
        let artifact = store.open_artifact(artifact)?;
        artifact.expect_kind(KIND)?;
        let is_any_event = match artifact.section::<u64>(Section::Facts as usize)? {
            &[is_any_event @ (0 | 1)] => is_any_event == 1,
            _ => return Err(artifact.layout("has no facts")),
        };
        let within = |section: Section, is_sound: fn(f32) -> bool| {
            let values = artifact.section::<f32>(section as usize)?;
            let sound = values.len() == items
                && values.iter().all(|&value| value.is_finite() && is_sound(value));
            let wrong =
                || artifact.layout(format!("does not hold the parameters of {items} items"));
            if sound { Ok(()) } else { Err(wrong()) }
        };
        within(Section::Rates, |rate| rate >= 0.0)?;
        within(Section::Again, |again| again > 0.0 && again < 1.0)?;
        within(Section::IntervalMeans, |_| true)?;
        within(Section::IntervalDeviations, |deviation| deviation > 0.0)?;
        Ok(Self { artifact, is_any_event })
    }

    /// How each item is bought again, by row.
    pub(crate) fn view(&self) -> Repurchase<'_> {
        let section = |section: Section| {
            self.artifact.section(section as usize).expect("verified when opened")
        };
        Repurchase {
            rates: section(Section::Rates),
            again: section(Section::Again),
            interval_means: section(Section::IntervalMeans),
            interval_deviations: section(Section::IntervalDeviations),
            is_any_event: self.is_any_event,
        }
    }
}

/// Writes the artifact `name` of the scores task of `repurchase`.
///
/// # Errors
/// As [`mercer_common::artifact::ArtifactWriter::finish`].
pub(crate) fn write_repurchase(
    store: &ArtifactStore,
    job: &str,
    name: &str,
    model: &RepurchaseBuf,
) -> Result<ArtifactRef, ArtifactError> {
    let mut writer = store.writer(job, "scores", name, KIND)?;
    writer.section(&[u64::from(model.is_any_event)])?;
    for values in [&model.rates, &model.again, &model.interval_means, &model.interval_deviations] {
        writer.section(values)?;
    }
    writer.finish()
}

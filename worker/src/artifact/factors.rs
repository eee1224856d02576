//! Factors of users and items: what half-steps exchange, and what serving folds users in with.

use mercer_common::{
    artifact::{ArtifactError, ArtifactRef, ArtifactStore, Sections},
    layout,
};

layout! {
    /// What a half-step gives for a shard.
    enum Part: "factors-1" {
        /// `[rows, dimensions]`.
        FACTS: u64,
        /// Rows of numbers.
        FACTORS: f32,
    }
}

layout! {
    /// All items, with what folding a user in needs of all of them together.
    enum Side: "factor-side-1" {
        /// `[rows, dimensions]`.
        FACTS: u64,
        /// Rows of numbers.
        FACTORS: f32,
        /// Sum over rows of the outer product of each with itself, by row.
        GRAMIAN: f64,
        /// Covariance of the rows, by row.
        COVARIANCE: f64,
    }
}

/// Factors of the users or items of one shard.
#[derive(Debug)]
pub(crate) struct FactorPart {
    file: Sections,
}

impl FactorPart {
    /// Opens and verifies rows of `dimensions` numbers.
    ///
    /// # Errors
    /// As [`mercer_common::artifact::Layout::open`], and [`ArtifactError::Layout`] when it holds
    /// anything else.
    pub(crate) fn open(
        store: &ArtifactStore,
        artifact: &ArtifactRef,
        dimensions: usize,
    ) -> Result<Self, ArtifactError> {
        let file = Part::LAYOUT.open(store, artifact)?;
        let [rows, found] = file.exactly(Part::FACTS)?;
        let factors = file.get(Part::FACTORS);
        if found != dimensions as u64 || !are_rows(factors, rows, dimensions) {
            return Err(file.layout(format!("does not hold factors of {dimensions} dimensions")));
        }
        Ok(Self { file })
    }

    /// Rows after one another.
    pub(crate) fn view(&self) -> &[f32] {
        self.file.get(Part::FACTORS)
    }
}

/// Whether `factors` are `rows` rows of so many finite numbers.
fn are_rows(factors: &[f32], rows: u64, dimensions: usize) -> bool {
    let rows = usize::try_from(rows).ok();
    let numbers = rows.and_then(|rows| rows.checked_mul(dimensions));
    numbers == Some(factors.len()) && factors.iter().all(|number| number.is_finite())
}

/// Writes the factors of the users or items of a shard: the artifact `name` of a step.
///
/// # Errors
/// As [`mercer_common::artifact::SectionWriter::finish`].
pub(crate) fn write_factor_part(
    store: &ArtifactStore,
    job: &str,
    name: &str,
    factors: &[f32],
    dimensions: usize,
) -> Result<ArtifactRef, ArtifactError> {
    let rows = factors.len() / dimensions.max(1);
    let mut writer = Part::LAYOUT.writer(store, job, "factors", name)?;
    writer.write(Part::FACTS, &[rows as u64, dimensions as u64])?;
    writer.write(Part::FACTORS, factors)?;
    writer.finish()
}

/// The factors of all items, with what serving needs of all of them together.
#[derive(Debug)]
pub(crate) struct FactorSide {
    file: Sections,
    dimensions: usize,
}

impl FactorSide {
    /// Opens and verifies the factors of `items` items.
    ///
    /// # Errors
    /// As [`FactorPart::open`].
    pub(crate) fn open(
        store: &ArtifactStore,
        artifact: &ArtifactRef,
        items: usize,
    ) -> Result<Self, ArtifactError> {
        let file = Side::LAYOUT.open(store, artifact)?;
        let [rows, dimensions] = file.exactly(Side::FACTS)?;
        let dimensions = usize::try_from(dimensions).unwrap_or_default();
        let are_sound = rows == items as u64
            && dimensions > 0
            && are_rows(file.get(Side::FACTORS), rows, dimensions);
        if !are_sound {
            return Err(file.layout(format!("does not hold the factors of {items} items")));
        }
        for section in [Side::GRAMIAN, Side::COVARIANCE] {
            let square = file.get(section);
            let are_finite = square.iter().all(|number| number.is_finite());
            if Some(square.len()) != dimensions.checked_mul(dimensions) || !are_finite {
                return Err(file.layout("its sums do not fit its dimensions"));
            }
        }
        Ok(Self { file, dimensions })
    }

    /// Numbers of a row.
    pub(crate) fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// The items' factors after one another, by row.
    pub(crate) fn factors(&self) -> &[f32] {
        self.file.get(Side::FACTORS)
    }

    /// The sum over items of the outer product of each with itself, by row.
    pub(crate) fn gramian(&self) -> &[f64] {
        self.file.get(Side::GRAMIAN)
    }

    /// The covariance of the items' factors, by row.
    pub(crate) fn covariance(&self) -> &[f64] {
        self.file.get(Side::COVARIANCE)
    }
}

/// The content of a [`FactorSide`], in memory.
#[derive(Debug)]
pub(crate) struct FactorSideParts<'a> {
    /// Factors of all items, as the parts that shards wrote, in order.
    pub(crate) factors: &'a [&'a [f32]],
    /// Numbers of a row.
    pub(crate) dimensions: usize,
    /// The sum over items of the outer product of each with itself, by row.
    pub(crate) gramian: &'a [f64],
    /// The covariance of the items' factors, by row.
    pub(crate) covariance: &'a [f64],
}

/// Writes the artifact `name` of a side task.
///
/// # Errors
/// As [`mercer_common::artifact::SectionWriter::finish`].
pub(crate) fn write_factor_side(
    store: &ArtifactStore,
    job: &str,
    name: &str,
    side: &FactorSideParts<'_>,
) -> Result<ArtifactRef, ArtifactError> {
    let numbers: usize = side.factors.iter().map(|part| part.len()).sum();
    let rows = numbers / side.dimensions.max(1);
    let mut writer = Side::LAYOUT.writer(store, job, "side", name)?;
    writer.write(Side::FACTS, &[rows as u64, side.dimensions as u64])?;
    for part in side.factors {
        writer.write(Side::FACTORS, part)?;
    }
    writer.write(Side::GRAMIAN, side.gramian)?;
    writer.write(Side::COVARIANCE, side.covariance)?;
    writer.finish()
}

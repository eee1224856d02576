//! Factors of users and items: what half-steps exchange, and what serving folds users in with.

use std::sync::Arc;

use mercer_common::artifact::{Artifact, ArtifactError, ArtifactRef, ArtifactStore};

const PART: &str = "factors-1";
const SIDE: &str = "factor-side-1";

/// Sections of a part, in order.
enum PartSection {
    /// `[rows, dimensions]`, as u64.
    Facts,
    /// Rows of numbers, f32.
    Factors,
}

/// Sections of a side, in order.
enum SideSection {
    /// `[rows, dimensions]`, as u64.
    Facts,
    /// Rows of numbers, f32.
    Factors,
    /// Sum over rows of the outer product of each with itself, f64 by row.
    Gramian,
    /// Covariance of the rows, f64 by row.
    Covariance,
}

/// Factors of the users or items of one shard.
#[derive(Debug)]
pub(crate) struct FactorPart {
    artifact: Arc<Artifact>,
}

impl FactorPart {
    /// Opens and verifies rows of `dimensions` numbers.
    ///
    /// # Errors
    /// As [`ArtifactStore::open_artifact`], and [`ArtifactError::Layout`] when it holds anything
    /// else.
    pub(crate) fn open(
        store: &ArtifactStore,
        artifact: &ArtifactRef,
        dimensions: usize,
    ) -> Result<Self, ArtifactError> {
        let artifact = store.open_artifact(artifact)?;
        artifact.expect_kind(PART)?;
        let facts = artifact.section::<u64>(PartSection::Facts as usize)?;
        let factors = artifact.section::<f32>(PartSection::Factors as usize)?;
        expect_rows(&artifact, facts, factors, dimensions)?;
        Ok(Self { artifact })
    }

    /// Rows after one another.
    pub(crate) fn view(&self) -> &[f32] {
        self.artifact.section(PartSection::Factors as usize).expect("verified when opened")
    }
}

/// The first two of `facts` are the rows and dimensions of `factors`, all of which are finite.
fn expect_rows(
    artifact: &Artifact,
    facts: &[u64],
    factors: &[f32],
    dimensions: usize,
) -> Result<(), ArtifactError> {
    let rows = factors.len() / dimensions.max(1);
    let fits = facts.starts_with(&[rows as u64, dimensions as u64])
        && Some(factors.len()) == rows.checked_mul(dimensions)
        && factors.iter().all(|number| number.is_finite());
    let wrong = || artifact.layout(format!("does not hold factors of {dimensions} dimensions"));
    if fits { Ok(()) } else { Err(wrong()) }
}

/// Writes the factors of the users or items of a shard: the artifact `name` of a step.
///
/// # Errors
/// As [`ArtifactStore::put`].
pub(crate) fn write_factor_part(
    store: &ArtifactStore,
    job: &str,
    name: &str,
    factors: &[f32],
    dimensions: usize,
) -> Result<ArtifactRef, ArtifactError> {
    let rows = factors.len() / dimensions.max(1);
    let facts = [rows as u64, dimensions as u64];
    let sections: [&[u8]; 2] = [bytemuck::cast_slice(&facts), bytemuck::cast_slice(factors)];
    store.put(job, "factors", name, PART, &sections)
}

/// The factors of all items, with what serving needs of all of them together.
#[derive(Debug)]
pub(crate) struct FactorSide {
    artifact: Arc<Artifact>,
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
        let artifact = store.open_artifact(artifact)?;
        artifact.expect_kind(SIDE)?;
        let facts = artifact.section::<u64>(SideSection::Facts as usize)?;
        let dimensions = match facts {
            &[rows, dimensions] if rows == items as u64 && dimensions > 0 => {
                usize::try_from(dimensions).ok()
            }
            _ => None,
        };
        let wrong = || artifact.layout(format!("does not hold the factors of {items} items"));
        let dimensions = dimensions.ok_or_else(wrong)?;
        let factors = artifact.section::<f32>(SideSection::Factors as usize)?;
        expect_rows(&artifact, facts, factors, dimensions)?;
        for section in [SideSection::Gramian, SideSection::Covariance] {
            let square = artifact.section::<f64>(section as usize)?;
            if Some(square.len()) != dimensions.checked_mul(dimensions)
                || square.iter().any(|n| !n.is_finite())
            {
                return Err(artifact.layout("its sums do not fit its dimensions"));
            }
        }
        Ok(Self { artifact, dimensions })
    }

    /// Numbers of a row.
    pub(crate) fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// The items' factors after one another, by row.
    pub(crate) fn factors(&self) -> &[f32] {
        self.artifact.section(SideSection::Factors as usize).expect("verified when opened")
    }

    /// The sum over items of the outer product of each with itself, by row.
    pub(crate) fn gramian(&self) -> &[f64] {
        self.artifact.section(SideSection::Gramian as usize).expect("verified when opened")
    }

    /// The covariance of the items' factors, by row.
    pub(crate) fn covariance(&self) -> &[f64] {
        self.artifact.section(SideSection::Covariance as usize).expect("verified when opened")
    }
}

/// What [`FactorSide`] holds, in memory.
#[derive(Debug)]
pub(crate) struct FactorSideParts<'a> {
    /// Factors of all items, as the parts that shards wrote, in order.
    pub(crate) factors: &'a [&'a [f32]],
    /// Numbers of a row.
    pub(crate) dimensions: usize,
    /// See [`FactorSide::gramian`].
    pub(crate) gramian: &'a [f64],
    /// See [`FactorSide::covariance`].
    pub(crate) covariance: &'a [f64],
}

/// Writes the artifact `name` of a side task.
///
/// # Errors
/// As [`mercer_common::artifact::ArtifactWriter::finish`].
pub(crate) fn write_factor_side(
    store: &ArtifactStore,
    job: &str,
    name: &str,
    side: &FactorSideParts<'_>,
) -> Result<ArtifactRef, ArtifactError> {
    let numbers: usize = side.factors.iter().map(|part| part.len()).sum();
    let rows = numbers / side.dimensions.max(1);
    let mut writer = store.writer(job, "side", name, SIDE)?;
    writer.section(&[rows as u64, side.dimensions as u64])?;
    writer.begin_section()?;
    for part in side.factors {
        writer.append(part)?;
    }
    writer.section(side.gramian)?;
    writer.section(side.covariance)?;
    writer.finish()
}

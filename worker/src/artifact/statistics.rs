//! Degrees and norms of all items, and how much a job trains on.

use mercer_algorithms::recommend::similarity::ItemStatistics;
use mercer_common::{
    artifact::{ArtifactError, ArtifactRef, ArtifactStore},
    layout,
};

layout! {
    /// Statistics of all items: after the facts one number an item, by popularity rank.
    enum File: "statistics-1" {
        /// `[users, items, interactions, as_of]`.
        FACTS: u64,
        /// Users of each item.
        DEGREE: u32,
        /// Sums of their values.
        SUM: f64,
        /// Norms of the vectors of values.
        NORM: f64,
        /// What walks from user to user divide by.
        WALK: f64,
    }
}

/// What a job trains on as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    /// Users with any item.
    pub(crate) users: u64,
    /// Items of the dictionary.
    pub(crate) items: u64,
    /// Pairs of a user and an item.
    pub(crate) interactions: u64,
    /// Time of the newest event, in seconds since 1990-01-01T00:00:00Z.
    pub(crate) as_of: u32,
}

/// Reads the statistics of `items` items.
///
/// # Errors
/// As [`mercer_common::artifact::Layout::open`], and [`ArtifactError::Layout`] when it holds those
/// of another number of items.
pub(crate) fn read_statistics(
    store: &ArtifactStore,
    artifact: &ArtifactRef,
    items: usize,
) -> Result<ItemStatistics, ArtifactError> {
    let file = File::LAYOUT.open(store, artifact)?;
    let statistics = ItemStatistics {
        degree: file.get(File::DEGREE).to_vec(),
        sum: file.get(File::SUM).to_vec(),
        norm: file.get(File::NORM).to_vec(),
        walk: file.get(File::WALK).to_vec(),
    };
    let lengths = [statistics.sum.len(), statistics.norm.len(), statistics.walk.len()];
    if statistics.degree.len() != items || lengths != [items; 3] {
        return Err(file.layout(format!("does not cover {items} items")));
    }
    Ok(statistics)
}

/// Reads how much a job trains on.
///
/// # Errors
/// As [`mercer_common::artifact::Layout::open`], and [`ArtifactError::Layout`] when it does not say.
pub(crate) fn read_extent(
    store: &ArtifactStore,
    artifact: &ArtifactRef,
) -> Result<Extent, ArtifactError> {
    let file = File::LAYOUT.open(store, artifact)?;
    let [users, items, interactions, as_of] = file.exactly(File::FACTS)?;
    let as_of = u32::try_from(as_of).map_err(|_| file.layout("has an invalid time"))?;
    Ok(Extent { users, items, interactions, as_of })
}

/// Writes the artifact of the statistics phase.
///
/// # Errors
/// As [`mercer_common::artifact::SectionWriter::finish`].
pub(crate) fn write_statistics(
    store: &ArtifactStore,
    job: &str,
    extent: Extent,
    statistics: &ItemStatistics,
) -> Result<ArtifactRef, ArtifactError> {
    let Extent { users, items, interactions, as_of } = extent;
    let mut writer = File::LAYOUT.writer(store, job, "statistics", "00")?;
    writer.write(File::FACTS, &[users, items, interactions, as_of.into()])?;
    writer.write(File::DEGREE, &statistics.degree)?;
    writer.write(File::SUM, &statistics.sum)?;
    writer.write(File::NORM, &statistics.norm)?;
    writer.write(File::WALK, &statistics.walk)?;
    writer.finish()
}

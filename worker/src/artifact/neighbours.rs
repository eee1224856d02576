//! The nearest items of each item of a shard, or of all: what a rows task gives.

use mercer_algorithms::recommend::{postings::NeighbourRows, similarity::Neighbours};
use mercer_common::{
    artifact::{ArtifactError, ArtifactRef, ArtifactStore, Sections},
    layout,
};

use super::spans::{are_below, offsets_fit};

layout! {
    /// Neighbours by item.
    enum File: "rows-1" {
        /// Where the neighbours of each item start, and the end of the last.
        OFFSETS: u64,
        /// Popularity ranks of the neighbours.
        TARGETS: u32,
        /// Their weights.
        WEIGHTS: f32,
    }
}

/// Open neighbours.
#[derive(Debug)]
pub(crate) struct ItemNeighbours {
    file: Sections,
}

impl ItemNeighbours {
    /// Opens and verifies the neighbours of `sources` items out of `items`.
    ///
    /// # Errors
    /// As [`mercer_common::artifact::Layout::open`], and [`ArtifactError::Layout`] when the arrays
    /// are not these neighbours.
    pub(crate) fn open(
        store: &ArtifactStore,
        artifact: &ArtifactRef,
        sources: usize,
        items: usize,
    ) -> Result<Self, ArtifactError> {
        let opened = Self { file: File::LAYOUT.open(store, artifact)? };
        let NeighbourRows { offsets, targets, weights } = opened.view();
        let are_consistent = offsets.len() == sources + 1
            && offsets_fit(offsets, targets.len())
            && weights.len() == targets.len()
            && are_below(targets, items);
        if !are_consistent {
            return Err(opened.file.layout("its arrays are inconsistent"));
        }
        Ok(opened)
    }

    /// Neighbours by source, as postings are made from them.
    pub(crate) fn view(&self) -> NeighbourRows<'_> {
        NeighbourRows {
            offsets: self.file.get(File::OFFSETS),
            targets: self.file.get(File::TARGETS),
            weights: self.file.get(File::WEIGHTS),
        }
    }
}

/// Writes the artifact `name` of a rows task.
///
/// # Errors
/// As [`mercer_common::artifact::SectionWriter::finish`].
pub(crate) fn write_neighbours(
    store: &ArtifactStore,
    job: &str,
    name: &str,
    neighbours: &Neighbours,
) -> Result<ArtifactRef, ArtifactError> {
    let mut writer = File::LAYOUT.writer(store, job, "rows", name)?;
    writer.write(File::OFFSETS, &neighbours.offsets)?;
    writer.write(File::TARGETS, &neighbours.targets)?;
    writer.write(File::WEIGHTS, &neighbours.weights)?;
    writer.finish()
}

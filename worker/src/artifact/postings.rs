//! The postings of one algorithm and shard as an artifact.

use mercer_algorithms::recommend::postings::{Postings, PostingsBuf};
use mercer_common::{
    artifact::{ArtifactError, ArtifactRef, ArtifactStore, Sections},
    layout,
    slot::ShardId,
};

layout! {
    /// Candidates among the items of a shard, by source row.
    enum File: "postings-1" {
        /// `[shard, items of the shard]`.
        FACTS: u64,
        /// Where the candidates of each source row start, and the end of the last.
        OFFSETS: u64,
        /// Candidates as indexes into the shard's items.
        CANDIDATES: u32,
        /// Weights of the candidates.
        WEIGHTS: f32,
    }
}

/// Open postings.
#[derive(Debug)]
pub(crate) struct ShardPostings {
    file: Sections,
    items: usize,
}

impl ShardPostings {
    /// Opens postings and verifies that they are those of `shard` over `sources` source rows.
    ///
    /// # Errors
    /// As [`mercer_common::artifact::Layout::open`], and [`ArtifactError::Layout`] when the arrays
    /// are other postings or none.
    pub(crate) fn open(
        store: &ArtifactStore,
        artifact: &ArtifactRef,
        shard: ShardId,
        items: usize,
        sources: usize,
    ) -> Result<Self, ArtifactError> {
        let file = File::LAYOUT.open(store, artifact)?;
        if file.get(File::FACTS) != [u64::from(shard), items as u64] {
            return Err(file.layout(format!("is not of shard {shard} with {items} items")));
        }
        let (candidates, weights) = (file.get(File::CANDIDATES), file.get(File::WEIGHTS));
        let postings = Postings::new(file.get(File::OFFSETS), candidates, weights, items)
            .map_err(|error| file.layout(error.to_string()))?;
        if postings.sources() != sources {
            return Err(file.layout(format!("does not cover {sources} source rows")));
        }
        Ok(Self { file, items })
    }

    /// What scoring reads.
    pub(crate) fn view(&self) -> Postings<'_> {
        Postings::verified(
            self.file.get(File::OFFSETS),
            self.file.get(File::CANDIDATES),
            self.file.get(File::WEIGHTS),
            self.items,
        )
    }
}

/// Writes the artifact of a postings task.
///
/// # Errors
/// As [`mercer_common::artifact::SectionWriter::finish`].
pub(crate) fn write_postings(
    store: &ArtifactStore,
    job: &str,
    name: &str,
    shard: ShardId,
    postings: &PostingsBuf,
) -> Result<ArtifactRef, ArtifactError> {
    let mut writer = File::LAYOUT.writer(store, job, "postings", name)?;
    writer.write(File::FACTS, &[u64::from(shard), postings.items as u64])?;
    writer.write(File::OFFSETS, &postings.offsets)?;
    writer.write(File::CANDIDATES, &postings.candidates)?;
    writer.write(File::WEIGHTS, &postings.weights)?;
    writer.finish()
}

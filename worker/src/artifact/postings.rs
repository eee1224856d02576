//! The postings of one algorithm and shard as an artifact.

use std::sync::Arc;

use mercer_algorithms::recommend::postings::{Postings, PostingsBuf};
use mercer_common::{
    artifact::{Artifact, ArtifactError, ArtifactRef, ArtifactStore},
    slot::ShardId,
};

const KIND: &str = "postings-1";

/// Sections of the artifact, in order.
enum Section {
    /// `[shard, items of the shard]`, as u64.
    Facts,
    /// Where the candidates of each source row start, u64, and the end of the last.
    Offsets,
    /// Candidates as indexes into the shard's items, u32.
    Candidates,
    /// Their weights, f32.
    Weights,
}

/// Open postings.
#[derive(Debug)]
pub(crate) struct ShardPostings {
    artifact: Arc<Artifact>,
    items: usize,
}

impl ShardPostings {
    /// Opens postings and verifies that they are those of `shard` over `sources` source rows.
    pub(crate) fn open(
        store: &ArtifactStore,
        artifact: &ArtifactRef,
        shard: ShardId,
        items: usize,
        sources: usize,
    ) -> Result<Self, ArtifactError> {
        let artifact = store.open_artifact(artifact)?;
        artifact.expect_kind(KIND)?;
        let facts = artifact.section::<u64>(Section::Facts as usize)?;
        if facts != [u64::from(shard), items as u64] {
            return Err(artifact.layout(format!("is not of shard {shard} with {items} items")));
        }
        let postings = Postings::new(
            artifact.section(Section::Offsets as usize)?,
            artifact.section(Section::Candidates as usize)?,
            artifact.section(Section::Weights as usize)?,
            items,
        )
        .map_err(|error| artifact.layout(error.to_string()))?;
        if postings.sources() != sources {
            return Err(artifact.layout(format!("does not cover {sources} source rows")));
        }
        Ok(Self { artifact, items })
    }

    /// What scoring reads.
    pub(crate) fn view(&self) -> Postings<'_> {
        const OPENED: &str = "verified when opened";
        Postings::verified(
            self.artifact.section(Section::Offsets as usize).expect(OPENED),
            self.artifact.section(Section::Candidates as usize).expect(OPENED),
            self.artifact.section(Section::Weights as usize).expect(OPENED),
            self.items,
        )
    }
}

/// Writes the artifact of a postings task.
pub(crate) fn write_postings(
    store: &ArtifactStore,
    job: &str,
    name: &str,
    shard: ShardId,
    postings: &PostingsBuf,
) -> Result<ArtifactRef, ArtifactError> {
    let mut writer = store.writer(job, "postings", name, KIND)?;
    writer.section(&[u64::from(shard), postings.items as u64])?;
    writer.section(&postings.offsets)?;
    writer.section(&postings.candidates)?;
    writer.section(&postings.weights)?;
    writer.finish()
}

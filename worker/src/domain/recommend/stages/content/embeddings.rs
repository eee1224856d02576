//! Embeddings of all items beside their terms.

use std::collections::BTreeMap;

use mercer_algorithms::{control::Control as _, linalg::sparse::CsrBuf};
use mercer_common::artifact::ArtifactRef;

use crate::{
    artifact::{ItemTermsWriter, cut::ContentCut},
    task::{Context, TrainingError},
};

/// Items whose embeddings are written between two looks at the watch.
const BLOCK: usize = 512;

/// The embeddings of all items.
#[derive(Debug)]
pub(super) struct Embeddings<'a> {
    cuts: &'a [ContentCut],
    /// How many numbers most of them have; all others are taken for none. 0 when there are none.
    dimensions: usize,
}

impl<'a> Embeddings<'a> {
    /// Collects the embeddings of the shards' items, in order.
    pub(super) fn of(cuts: &'a [ContentCut]) -> Self {
        let mut lengths = BTreeMap::<usize, u64>::new();
        for cut in cuts {
            for item in 0..cut.len() {
                *lengths.entry(cut.embedding(item).len()).or_default() += 1;
            }
        }
        lengths.remove(&0);
        // Of equally many the fewest numbers.
        let most = lengths.iter().rev().max_by_key(|&(_, count)| count);
        Self { cuts, dimensions: most.map_or(0, |(&dimensions, _)| dimensions) }
    }
}

/// Writes the artifact `name` of the statistics phase: terms, with the items' embeddings.
pub(super) fn write(
    context: &Context<'_>,
    name: &str,
    matrix: &CsrBuf,
    items: usize,
    embeddings: Embeddings<'_>,
) -> Result<ArtifactRef, TrainingError> {
    let Embeddings { cuts, dimensions } = embeddings;
    let mut writer =
        ItemTermsWriter::new(context.store, context.job, name, matrix, items, dimensions)?;
    let none = vec![0_f32; dimensions];
    for cut in cuts.iter().filter(|_| dimensions > 0) {
        for item in 0..cut.len() {
            if item % BLOCK == 0 {
                context.watch.checkpoint()?;
            }
            let embedding = cut.embedding(item);
            writer.push(if embedding.len() == dimensions { embedding } else { &none })?;
        }
    }
    Ok(writer.finish()?)
}

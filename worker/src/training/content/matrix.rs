//! Terms and embeddings of all items as an artifact.

use std::{collections::BTreeMap, sync::Arc};

use mercer_algorithms::{
    control::Control as _,
    linalg::sparse::{Csr, CsrBuf},
    recommend::factors::FactorMatrix,
};
use mercer_common::artifact::{Artifact, ArtifactError, ArtifactRef, ArtifactStore};

use crate::{
    shard::content_cut::ContentCut,
    training::{TrainingError, context::Context, malformed},
};

const KIND: &str = "content-1";
/// Items whose embeddings are written between two looks at the watch.
const BLOCK: usize = 512;

/// Sections of the artifact, in order.
enum Section {
    /// `[items, numbers of an embedding]`, as u64; no numbers where no item has an embedding.
    Facts,
    /// Where the items of each term start, u64, and the end of the last.
    Offsets,
    /// Popularity ranks of the items, u32.
    Items,
    /// Weights of each term's items, f32, parallel to `Items`.
    Weights,
    /// Embeddings of the items by row, f32; zeros where an item has none.
    Embeddings,
}

/// The embeddings of all items.
#[derive(Debug)]
pub(super) struct Embeddings<'a> {
    cuts: &'a [ContentCut],
    /// How many numbers most of them have; all others are taken for none. 0 when there are none.
    dimensions: usize,
}

impl<'a> Embeddings<'a> {
    /// Those of the shards' items, in order.
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

/// Writes the artifact `name`.
pub(super) fn write(
    context: &Context<'_>,
    name: &str,
    matrix: &CsrBuf,
    items: usize,
    embeddings: Embeddings<'_>,
) -> Result<ArtifactRef, TrainingError> {
    let Embeddings { cuts, dimensions } = embeddings;
    let mut writer = context.store.writer(context.job, "statistics", name, KIND)?;
    writer.section(&[items as u64, dimensions as u64])?;
    writer.section(&matrix.offsets)?;
    writer.section(&matrix.columns)?;
    writer.section(matrix.values.as_deref().unwrap_or_default())?;
    writer.begin_section()?;
    let none = vec![0_f32; dimensions];
    for cut in cuts.iter().filter(|_| dimensions > 0) {
        for item in 0..cut.len() {
            if item % BLOCK == 0 {
                context.watch.checkpoint()?;
            }
            let embedding = cut.embedding(item);
            writer.append(if embedding.len() == dimensions { embedding } else { &none })?;
        }
    }
    Ok(writer.finish()?)
}

/// Open terms and embeddings: mapped and checked.
#[derive(Debug)]
pub(super) struct TermMatrix {
    artifact: Arc<Artifact>,
    items: usize,
    dimensions: usize,
}

impl TermMatrix {
    /// Opens those of `items` items.
    pub(super) fn open(
        store: &ArtifactStore,
        artifact: &ArtifactRef,
        items: usize,
    ) -> Result<Self, TrainingError> {
        let artifact = store.open_artifact(artifact)?;
        artifact.expect_kind(KIND)?;
        let dimensions = match artifact.section::<u64>(Section::Facts as usize)? {
            &[found, dimensions] if found == items as u64 => usize::try_from(dimensions).ok(),
            _ => None,
        };
        let wrong = || artifact.layout(format!("is not of {items} items"));
        let dimensions = dimensions.ok_or_else(wrong)?;
        let matrix = Self { artifact, items, dimensions };
        let (offsets, columns, weights) = matrix.arrays()?;
        Csr::new(offsets, columns, Some(weights), items)
            .map_err(|error| malformed(&matrix.artifact, error))?;
        let numbers = matrix.artifact.section::<f32>(Section::Embeddings as usize)?;
        if Some(numbers.len()) != items.checked_mul(dimensions) {
            return Err(matrix.artifact.layout("its embeddings are incomplete").into());
        }
        Ok(matrix)
    }

    #[expect(clippy::type_complexity, reason = "the arrays of a matrix")]
    fn arrays(&self) -> Result<(&[u64], &[u32], &[f32]), ArtifactError> {
        Ok((
            self.artifact.section(Section::Offsets as usize)?,
            self.artifact.section(Section::Items as usize)?,
            self.artifact.section(Section::Weights as usize)?,
        ))
    }

    /// One row a term; columns are labels.
    pub(super) fn terms(&self) -> Csr<'_> {
        let (offsets, items, weights) = self.arrays().expect("verified when opened");
        Csr::verified(offsets, items, Some(weights), self.items)
    }

    /// Embeddings of the items by row; `None` when no item has one.
    pub(super) fn embeddings(&self) -> Result<Option<FactorMatrix<'_>>, TrainingError> {
        if self.dimensions == 0 {
            return Ok(None);
        }
        let numbers = self.artifact.section(Section::Embeddings as usize)?;
        let matrix = FactorMatrix::new(self.dimensions, [numbers]);
        matrix.map(Some).map_err(|error| self.artifact.layout(error.to_string()).into())
    }
}

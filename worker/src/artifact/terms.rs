//! Terms and embeddings of all items: what items that are described alike are found by.

use mercer_algorithms::{
    linalg::sparse::{Csr, CsrBuf},
    recommend::factors::FactorMatrix,
};
use mercer_common::{
    artifact::{ArtifactError, ArtifactRef, ArtifactStore, SectionWriter, Sections},
    layout,
};

layout! {
    /// The contents of all items.
    enum File: "content-1" {
        /// `[items, numbers of an embedding]`; no numbers where no item has an embedding.
        FACTS: u64,
        /// Where the items of each term start, and the end of the last.
        OFFSETS: u64,
        /// Popularity ranks of the items.
        ITEMS: u32,
        /// Weights of each term's items, parallel to `ITEMS`.
        WEIGHTS: f32,
        /// Embeddings of the items by row; zeros where an item has none.
        EMBEDDINGS: f32,
    }
}

/// Open terms and embeddings: mapped and checked.
#[derive(Debug)]
pub(crate) struct ItemTerms {
    file: Sections,
    items: usize,
    dimensions: usize,
}

impl ItemTerms {
    /// Opens and verifies those of `items` items.
    ///
    /// # Errors
    /// As [`mercer_common::artifact::Layout::open`], and [`ArtifactError::Layout`] when the arrays
    /// do not agree or are of other items.
    pub(crate) fn open(
        store: &ArtifactStore,
        artifact: &ArtifactRef,
        items: usize,
    ) -> Result<Self, ArtifactError> {
        let file = File::LAYOUT.open(store, artifact)?;
        let [found, dimensions] = file.exactly(File::FACTS)?;
        if found != items as u64 {
            return Err(file.layout(format!("is not of {items} items")));
        }
        let (postings, weights) = (file.get(File::ITEMS), file.get(File::WEIGHTS));
        Csr::new(file.get(File::OFFSETS), postings, Some(weights), items)
            .map_err(|error| file.layout(error.to_string()))?;
        let dimensions = usize::try_from(dimensions).ok().filter(|&dimensions| {
            items.checked_mul(dimensions) == Some(file.get(File::EMBEDDINGS).len())
        });
        match dimensions {
            Some(dimensions) => Ok(Self { file, items, dimensions }),
            None => Err(file.layout("its embeddings are incomplete")),
        }
    }

    /// One row a term; columns are labels.
    pub(crate) fn terms(&self) -> Csr<'_> {
        let (items, weights) = (self.file.get(File::ITEMS), self.file.get(File::WEIGHTS));
        Csr::verified(self.file.get(File::OFFSETS), items, Some(weights), self.items)
    }

    /// Embeddings of the items by row; `None` when no item has one.
    ///
    /// # Errors
    /// [`ArtifactError::Layout`] when a number is not finite.
    pub(crate) fn embeddings(&self) -> Result<Option<FactorMatrix<'_>>, ArtifactError> {
        if self.dimensions == 0 {
            return Ok(None);
        }
        let matrix = FactorMatrix::new(self.dimensions, [self.file.get(File::EMBEDDINGS)]);
        matrix.map(Some).map_err(|error| self.file.layout(error.to_string()))
    }
}

/// Writes terms, then embeddings one by one. Dropping it without [`finish`](Self::finish) leaves
/// nothing behind.
pub(crate) struct ItemTermsWriter {
    file: SectionWriter,
}

impl ItemTermsWriter {
    /// Begins the artifact `name` of the statistics phase: the terms of `items` items, whose
    /// embeddings have so many `dimensions`.
    ///
    /// # Errors
    /// As [`mercer_common::artifact::Layout::writer`].
    pub(crate) fn new(
        store: &ArtifactStore,
        job: &str,
        name: &str,
        terms: &CsrBuf,
        items: usize,
        dimensions: usize,
    ) -> Result<Self, ArtifactError> {
        let mut file = File::LAYOUT.writer(store, job, "statistics", name)?;
        file.write(File::FACTS, &[items as u64, dimensions as u64])?;
        file.write(File::OFFSETS, &terms.offsets)?;
        file.write(File::ITEMS, &terms.columns)?;
        file.write(File::WEIGHTS, terms.values.as_deref().unwrap_or_default())?;
        Ok(Self { file })
    }

    /// Adds the embedding of the next item, which readers verify to be one of the dimensions.
    ///
    /// # Errors
    /// [`ArtifactError::Io`].
    pub(crate) fn push(&mut self, embedding: &[f32]) -> Result<(), ArtifactError> {
        self.file.write(File::EMBEDDINGS, embedding)
    }

    /// Completes the artifact.
    ///
    /// # Errors
    /// As [`SectionWriter::finish`].
    pub(crate) fn finish(self) -> Result<ArtifactRef, ArtifactError> {
        self.file.finish()
    }
}

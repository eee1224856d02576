//! Compressed sparse rows in a file: what all kinds of files that hold a matrix check and map alike.

use mercer_algorithms::linalg::sparse::{Csr, CsrBuf};
use mercer_common::artifact::{ArtifactError, Section, SectionWriter, Sections};

use super::spans::write_offsets;

/// The sections of a kind of file that hold its matrix.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrays {
    /// `[width, is weighted]`.
    pub(super) facts: Section<u64>,
    /// Where the entries of each row start, and the end of the last.
    pub(super) offsets: Section<u64>,
    /// Columns of the entries, ascending in each row.
    pub(super) columns: Section<u32>,
    /// Values of the entries; empty when all are 1.
    pub(super) values: Section<f32>,
}

impl Arrays {
    /// Writes consecutive runs of rows of a matrix of `width` columns.
    pub(super) fn write<'a>(
        self,
        writer: &mut SectionWriter,
        width: u64,
        runs: impl Iterator<Item = &'a CsrBuf> + Clone,
    ) -> Result<(), ArtifactError> {
        let is_weighted = runs.clone().any(|run| run.values.is_some());
        writer.write(self.facts, &[width, u64::from(is_weighted)])?;
        write_offsets(writer, self.offsets, runs.clone().map(|run| &run.offsets[..]))?;
        for run in runs.clone() {
            writer.write(self.columns, &run.columns)?;
        }
        for run in runs {
            writer.write(self.values, run.values.as_deref().unwrap_or_default())?;
        }
        Ok(())
    }
}

/// A mapped matrix, checked when it was opened.
#[derive(Debug)]
pub(super) struct Matrix {
    pub(super) file: Sections,
    arrays: Arrays,
    width: usize,
    is_weighted: bool,
}

impl Matrix {
    /// Checks that `arrays` of a file are a matrix.
    pub(super) fn open(file: Sections, arrays: Arrays) -> Result<Self, ArtifactError> {
        let (width, is_weighted) = match file.exactly(arrays.facts)? {
            [width, is_weighted @ (0 | 1)] => (width, is_weighted == 1),
            [_, _] => return Err(file.layout("has no facts")),
        };
        let width = usize::try_from(width).map_err(|_| file.layout("is too wide"))?;
        let matrix = Self { file, arrays, width, is_weighted };
        let (offsets, columns, values) = matrix.parts();
        Csr::new(offsets, columns, values, width)
            .map_err(|error| matrix.file.layout(error.to_string()))?;
        Ok(matrix)
    }

    /// Columns of the matrix.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// What kernels read.
    pub(super) fn view(&self) -> Csr<'_> {
        let (offsets, columns, values) = self.parts();
        Csr::verified(offsets, columns, values, self.width)
    }

    fn parts(&self) -> (&[u64], &[u32], Option<&[f32]>) {
        let Arrays { offsets, columns, values, .. } = self.arrays;
        let values = self.is_weighted.then(|| self.file.get(values));
        (self.file.get(offsets), self.file.get(columns), values)
    }
}

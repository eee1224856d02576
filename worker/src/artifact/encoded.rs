//! The users of a shard as compressed sparse rows: the output of the encode phase.

use mercer_algorithms::linalg::sparse::{Csr, CsrBuf};
use mercer_common::{
    artifact::{ArtifactError, ArtifactRef, ArtifactStore},
    layout,
};

use super::matrix::{Arrays, Matrix};

layout! {
    /// What the users of a shard have, by item.
    enum File: "users-2" {
        /// `[items, is weighted]`.
        FACTS: u64,
        /// Where the items of each user start, and the end of the last.
        OFFSETS: u64,
        /// Popularity ranks of the items, ascending for each user.
        COLUMNS: u32,
        /// Their values; empty when all are 1.
        VALUES: f32,
        /// Place of each user in the cut.
        USERS: u32,
    }
}

impl File {
    const ARRAYS: Arrays = Arrays {
        facts: Self::FACTS,
        offsets: Self::OFFSETS,
        columns: Self::COLUMNS,
        values: Self::VALUES,
    };
}

/// Consecutive users, on their way into the matrix.
#[derive(Debug)]
pub(crate) struct EncodedRun {
    /// One row a user.
    pub(crate) rows: CsrBuf,
    /// Parallel: the place of the user in the cut.
    pub(crate) users: Vec<u32>,
}

/// An open part of the user-item matrix.
#[derive(Debug)]
pub(crate) struct EncodedUsers(Matrix);

impl EncodedUsers {
    /// Opens and verifies the rows of a shard.
    ///
    /// # Errors
    /// As [`mercer_common::artifact::Layout::open`], and [`ArtifactError::Layout`] when the arrays
    /// are no matrix or its users are out of order.
    pub(crate) fn open(
        store: &ArtifactStore,
        artifact: &ArtifactRef,
    ) -> Result<Self, ArtifactError> {
        let matrix = Matrix::open(File::LAYOUT.open(store, artifact)?, File::ARRAYS)?;
        let users = matrix.file.get(File::USERS);
        let are_sorted = users.is_sorted_by(|left, right| left < right);
        if users.len() != matrix.view().rows() || !are_sorted {
            return Err(matrix.file.layout("its users are out of order"));
        }
        Ok(Self(matrix))
    }

    /// Opens all parts, in the order of shards.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub(crate) fn open_all(
        store: &ArtifactStore,
        artifacts: Vec<&ArtifactRef>,
    ) -> Result<Vec<Self>, ArtifactError> {
        artifacts.into_iter().map(|artifact| Self::open(store, artifact)).collect()
    }

    /// One row a user; columns are popularity ranks.
    pub(crate) fn view(&self) -> Csr<'_> {
        self.0.view()
    }

    /// The places of the users in the cut, ascending and parallel to the rows.
    pub(crate) fn users(&self) -> &[u32] {
        self.0.file.get(File::USERS)
    }
}

/// Writes the artifact of an encode task from consecutive runs of users.
///
/// # Errors
/// As [`mercer_common::artifact::SectionWriter::finish`].
pub(crate) fn write_encoded(
    store: &ArtifactStore,
    job: &str,
    name: &str,
    items: u32,
    runs: &[EncodedRun],
) -> Result<ArtifactRef, ArtifactError> {
    let mut writer = File::LAYOUT.writer(store, job, "encode", name)?;
    File::ARRAYS.write(&mut writer, items.into(), runs.iter().map(|run| &run.rows))?;
    for run in runs {
        writer.write(File::USERS, &run.users)?;
    }
    writer.finish()
}

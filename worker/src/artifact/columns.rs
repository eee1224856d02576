//! Who has which item, both ways: what methods that compare users, and half-steps that solve items,
//! read.
//!
//! Users are numbered over all shards in order, as the encoded rows are; a user whose encoded row
//! is empty has no number.

use mercer_algorithms::linalg::sparse::{Csr, CsrBuf};
use mercer_common::{
    artifact::{ArtifactError, ArtifactRef, ArtifactStore},
    layout,
};

use super::{
    matrix::{Arrays, Matrix},
    spans::{are_texts, between, offsets_fit, text},
};

layout! {
    /// The users of each item of a shard.
    enum Columns: "columns-1" {
        /// `[users, is weighted]`.
        FACTS: u64,
        /// Where the users of each item start, and the end of the last.
        OFFSETS: u64,
        /// Numbers of the users, ascending for each item.
        COLUMNS: u32,
        /// Their values; empty when all are 1.
        VALUES: f32,
    }
}

impl Columns {
    const ARRAYS: Arrays = Arrays {
        facts: Self::FACTS,
        offsets: Self::OFFSETS,
        columns: Self::COLUMNS,
        values: Self::VALUES,
    };
}

layout! {
    /// The items of each user of a shard, with the users' ids.
    enum Rows: "user-rows-1" {
        /// `[items, is weighted]`.
        FACTS: u64,
        /// Where the items of each user start, and the end of the last.
        OFFSETS: u64,
        /// Popularity ranks of the items, ascending for each user.
        COLUMNS: u32,
        /// Their values; empty when all are 1.
        VALUES: f32,
        /// Where the id of each user starts, and the end of the last.
        ID_OFFSETS: u64,
        /// Ids of the users, concatenated.
        ID_BYTES: u8,
    }
}

impl Rows {
    const ARRAYS: Arrays = Arrays {
        facts: Self::FACTS,
        offsets: Self::OFFSETS,
        columns: Self::COLUMNS,
        values: Self::VALUES,
    };
}

/// The users of each item of a shard.
#[derive(Debug)]
pub(crate) struct ItemUsers(Matrix);

impl ItemUsers {
    /// Opens and verifies the columns of a shard's `items` items.
    ///
    /// # Errors
    /// As [`mercer_common::artifact::Layout::open`], and [`ArtifactError::Layout`] when the arrays
    /// are not these columns.
    pub(crate) fn open(
        store: &ArtifactStore,
        artifact: &ArtifactRef,
        items: usize,
    ) -> Result<Self, ArtifactError> {
        let matrix = Matrix::open(Columns::LAYOUT.open(store, artifact)?, Columns::ARRAYS)?;
        if matrix.view().rows() != items {
            return Err(matrix.file.layout(format!("is not of {items} items")));
        }
        Ok(Self(matrix))
    }

    /// One row an item of the shard, by (slot, id); as wide as there are users, with values as in
    /// the encoded rows.
    pub(crate) fn view(&self) -> Csr<'_> {
        self.0.view()
    }
}

/// The users of a shard with their items and ids.
#[derive(Debug)]
pub(crate) struct UserRows(Matrix);

impl UserRows {
    /// Opens and verifies the users of a shard, over `items` items.
    ///
    /// # Errors
    /// As [`ItemUsers::open`].
    pub(crate) fn open(
        store: &ArtifactStore,
        artifact: &ArtifactRef,
        items: usize,
    ) -> Result<Self, ArtifactError> {
        let matrix = Matrix::open(Rows::LAYOUT.open(store, artifact)?, Rows::ARRAYS)?;
        let (offsets, ids) = (matrix.file.get(Rows::ID_OFFSETS), matrix.file.get(Rows::ID_BYTES));
        let are_consistent = matrix.width() == items
            && offsets.len() == matrix.view().rows() + 1
            && offsets_fit(offsets, ids.len())
            && are_texts(offsets, ids);
        if !are_consistent {
            return Err(matrix.file.layout("its users disagree"));
        }
        Ok(Self(matrix))
    }

    /// One row a user; columns are labels.
    pub(crate) fn view(&self) -> Csr<'_> {
        self.0.view()
    }

    /// The id of a user, who may have been deleted since the training.
    ///
    /// # Panics
    /// When there is no such row.
    pub(crate) fn id(&self, user: usize) -> &str {
        let file = &self.0.file;
        text(file.get(Rows::ID_BYTES), between(file.get(Rows::ID_OFFSETS), user))
    }
}

/// Writes the artifact `name` of a columns task from consecutive runs of items, over `users` users.
///
/// # Errors
/// As [`mercer_common::artifact::SectionWriter::finish`].
pub(crate) fn write_item_users(
    store: &ArtifactStore,
    job: &str,
    name: &str,
    users: usize,
    runs: &[CsrBuf],
) -> Result<ArtifactRef, ArtifactError> {
    let mut writer = Columns::LAYOUT.writer(store, job, "columns", name)?;
    Columns::ARRAYS.write(&mut writer, users as u64, runs.iter())?;
    writer.finish()
}

/// Writes the artifact `name` of a rows task of a user-based method: the encoded rows of a shard's
/// users, with `ids` parallel to them.
///
/// # Errors
/// As [`write_item_users`].
pub(crate) fn write_user_rows<'a>(
    store: &ArtifactStore,
    job: &str,
    name: &str,
    rows: Csr<'_>,
    ids: impl Iterator<Item = &'a str>,
) -> Result<ArtifactRef, ArtifactError> {
    let mut writer = Rows::LAYOUT.writer(store, job, "rows", name)?;
    writer.write(Rows::FACTS, &[rows.width() as u64, u64::from(rows.is_weighted())])?;
    let (mut end, mut offsets) = (0, vec![0_u64]);
    for row in 0..rows.rows() {
        end += rows.columns(row).len() as u64;
        offsets.push(end);
    }
    writer.write(Rows::OFFSETS, &offsets)?;
    for row in 0..rows.rows() {
        writer.write(Rows::COLUMNS, rows.columns(row))?;
    }
    for row in 0..rows.rows() {
        writer.write(Rows::VALUES, rows.values(row).unwrap_or_default())?;
    }
    let (mut offsets, mut bytes) = (vec![0_u64], String::new());
    for id in ids {
        bytes.push_str(id);
        offsets.push(bytes.len() as u64);
    }
    writer.write(Rows::ID_OFFSETS, &offsets)?;
    writer.write(Rows::ID_BYTES, bytes.as_bytes())?;
    writer.finish()
}

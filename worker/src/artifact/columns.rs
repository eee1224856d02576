//! Who has which item, both ways: what methods that compare users, and half-steps that solve items,
//! read.
//!
//! Users are numbered over all shards in order, as the encoded rows are; a user whose encoded row
//! is empty has no number.

use std::sync::Arc;

use mercer_algorithms::linalg::sparse::{Csr, CsrBuf};
use mercer_common::artifact::{Artifact, ArtifactError, ArtifactRef, ArtifactStore};

const USERS: &str = "columns-1";
const ROWS: &str = "user-rows-1";

/// Sections of both kinds of artifact, in order.
enum Section {
    /// `[width, is weighted]`, as u64.
    Facts,
    /// Where the entries of each row start, u64, and the end of the last.
    Offsets,
    /// Columns of the entries, u32, ascending for each row.
    Columns,
    /// Values of the entries, f32; empty when all are 1.
    Values,
    /// Where the id of each row of users starts, u64, and the end of the last.
    IdOffsets,
    /// Ids of the rows of users, concatenated.
    IdBytes,
}

/// A mapped matrix, checked when it was opened.
#[derive(Debug)]
struct Matrix {
    artifact: Arc<Artifact>,
    width: usize,
    is_weighted: bool,
}

impl Matrix {
    fn open(
        store: &ArtifactStore,
        artifact: &ArtifactRef,
        kind: &str,
    ) -> Result<Self, ArtifactError> {
        let artifact = store.open_artifact(artifact)?;
        artifact.expect_kind(kind)?;
        let (width, is_weighted) = match artifact.section::<u64>(Section::Facts as usize)? {
            &[width, is_weighted @ (0 | 1)] => (width, is_weighted == 1),
            _ => return Err(artifact.layout("has no facts")),
        };
        let width = usize::try_from(width).map_err(|_| artifact.layout("is too wide"))?;
        let matrix = Self { artifact, width, is_weighted };
        let (offsets, columns, values) = matrix.arrays()?;
        Csr::new(offsets, columns, values, width)
            .map_err(|error| matrix.artifact.layout(error.to_string()))?;
        Ok(matrix)
    }

    fn view(&self) -> Csr<'_> {
        let (offsets, columns, values) = self.arrays().expect("verified when opened");
        Csr::verified(offsets, columns, values, self.width)
    }

    #[expect(clippy::type_complexity, reason = "the arrays of a matrix")]
    fn arrays(&self) -> Result<(&[u64], &[u32], Option<&[f32]>), ArtifactError> {
        let values = match self.is_weighted {
            true => Some(self.artifact.section(Section::Values as usize)?),
            false => None,
        };
        let offsets = self.artifact.section(Section::Offsets as usize)?;
        Ok((offsets, self.artifact.section(Section::Columns as usize)?, values))
    }
}

/// The users of each item of a shard.
#[derive(Debug)]
pub(crate) struct ItemUsers(Matrix);

impl ItemUsers {
    /// Opens and verifies the columns of a shard's `items` items.
    ///
    /// # Errors
    /// As [`ArtifactStore::open_artifact`], and [`ArtifactError::Layout`] when the arrays are not
    /// these columns.
    pub(crate) fn open(
        store: &ArtifactStore,
        artifact: &ArtifactRef,
        items: usize,
    ) -> Result<Self, ArtifactError> {
        let matrix = Matrix::open(store, artifact, USERS)?;
        if matrix.view().rows() != items {
            return Err(matrix.artifact.layout(format!("is not of {items} items")));
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
        let matrix = Matrix::open(store, artifact, ROWS)?;
        let offsets = matrix.artifact.section::<u64>(Section::IdOffsets as usize)?;
        let ids = matrix.artifact.section::<u8>(Section::IdBytes as usize)?;
        let covers = matrix.width == items
            && offsets.len() == matrix.view().rows() + 1
            && offsets.is_sorted()
            && [offsets[0], offsets[offsets.len() - 1]] == [0, ids.len() as u64]
            && std::str::from_utf8(ids)
                .is_ok_and(|text| offsets.iter().all(|&at| text.is_char_boundary(at as usize)));
        if covers { Ok(Self(matrix)) } else { Err(matrix.artifact.layout("its users disagree")) }
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
        const OPENED: &str = "verified when opened";
        let offsets = self.0.artifact.section::<u64>(Section::IdOffsets as usize).expect(OPENED);
        let bytes = self.0.artifact.section::<u8>(Section::IdBytes as usize).expect(OPENED);
        let id = &bytes[offsets[user] as usize..offsets[user + 1] as usize];
        std::str::from_utf8(id).expect(OPENED)
    }
}

/// Writes the artifact `name` of a columns task from consecutive runs of items, over `users` users.
///
/// # Errors
/// As [`mercer_common::artifact::ArtifactWriter::finish`].
pub(crate) fn write_item_users(
    store: &ArtifactStore,
    job: &str,
    name: &str,
    users: usize,
    runs: &[CsrBuf],
) -> Result<ArtifactRef, ArtifactError> {
    let is_weighted = runs.iter().any(|run| run.values.is_some());
    let mut writer = store.writer(job, "columns", name, USERS)?;
    writer.section(&[users as u64, u64::from(is_weighted)])?;
    writer.section(&[0_u64])?;
    let mut start = 0;
    for run in runs {
        let offsets: Vec<u64> = run.offsets[1..].iter().map(|offset| start + offset).collect();
        writer.append(&offsets)?;
        start += run.columns.len() as u64;
    }
    writer.begin_section()?;
    for run in runs {
        writer.append(&run.columns)?;
    }
    writer.begin_section()?;
    for run in runs {
        writer.append(run.values.as_deref().unwrap_or_default())?;
    }
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
    let mut writer = store.writer(job, "rows", name, ROWS)?;
    writer.section(&[rows.width() as u64, u64::from(rows.is_weighted())])?;
    let mut end = 0;
    let ends = (0..rows.rows()).map(|row| {
        end += rows.columns(row).len() as u64;
        end
    });
    writer.section(&[0].into_iter().chain(ends).collect::<Vec<u64>>())?;
    writer.begin_section()?;
    for row in 0..rows.rows() {
        writer.append(rows.columns(row))?;
    }
    writer.begin_section()?;
    for row in 0..rows.rows() {
        writer.append(rows.values(row).unwrap_or_default())?;
    }
    let (mut offsets, mut bytes) = (vec![0_u64], String::new());
    for id in ids {
        bytes.push_str(id);
        offsets.push(bytes.len() as u64);
    }
    writer.section(&offsets)?;
    writer.section(bytes.as_bytes())?;
    writer.finish()
}

//! The item table of a version: which row an item has, and which item a row is.
//!
//! Rows are numbered by (slot, id), so the rows of a shard are contiguous. One mapped artifact,
//! the same on every worker; a lookup allocates nothing.

use std::ops::Range;

use mercer_common::{
    artifact::{ArtifactError, ArtifactRef, ArtifactStore, Sections},
    layout,
    slot::ShardId,
};
use xxhash_rust::xxh3::xxh3_64;

use super::spans::{are_below, are_texts, between, offsets_fit, text};

layout! {
    /// The item table of a version.
    pub(super) enum File: "item-table-2" {
        /// `[as_of]`.
        FACTS: u64,
        /// Where the id of each row starts, and the end of the last.
        ID_OFFSETS: u64,
        /// All ids, concatenated.
        ID_BYTES: u8,
        /// First row of each shard, and the number of rows.
        SHARD_ROWS: u32,
        /// Open addressing by the top bits of xxh3-64 of the id, a power of two of numbers: the
        /// low 32 bits of the hash above `row + 1`, or 0 where free.
        INDEX: u64,
        /// Popularity rank of each row.
        RANKS: u32,
        /// Row of each popularity rank.
        ROWS_BY_RANK: u32,
        /// Category path of each row.
        CATEGORIES: u32,
        /// Where the levels of each path start, and the end of the last.
        PATH_LEVELS: u32,
        /// Where each level starts, and the end of the last.
        LEVEL_OFFSETS: u32,
        /// All levels, concatenated.
        LEVEL_BYTES: u8,
        /// Popularity of each row at the training.
        POPULARITY: u64,
    }
}

/// An open item table.
#[derive(Debug)]
pub(crate) struct ItemTable {
    file: Sections,
}

impl ItemTable {
    /// Opens and verifies the table.
    ///
    /// # Errors
    /// As [`mercer_common::artifact::Layout::open`], and [`ArtifactError::Layout`] when its parts
    /// disagree.
    pub(crate) fn open(
        store: &ArtifactStore,
        artifact: &ArtifactRef,
    ) -> Result<Self, ArtifactError> {
        let table = Self { file: File::LAYOUT.open(store, artifact)? };
        match table.inconsistent() {
            None => Ok(table),
            Some(part) => Err(table.file.layout(format!("its {part} are inconsistent"))),
        }
    }

    /// Looks at everything that lookups rely on; the first part that does not hold.
    fn inconsistent(&self) -> Option<&'static str> {
        let file = &self.file;
        let (offsets, ids) = (file.get(File::ID_OFFSETS), file.get(File::ID_BYTES));
        let rows = offsets.len().saturating_sub(1);
        let index = file.get(File::INDEX);
        let ranks = file.get(File::RANKS);
        let rows_by_rank = file.get(File::ROWS_BY_RANK);
        let categories = file.get(File::CATEGORIES);
        let paths = file.get(File::PATH_LEVELS);
        let (levels, level_bytes) = (file.get(File::LEVEL_OFFSETS), file.get(File::LEVEL_BYTES));
        let parts = [
            ("facts", file.get(File::FACTS).len() == 1),
            ("ids", offsets_fit(offsets, ids.len()) && are_texts(offsets, ids)),
            ("shards", offsets_fit(file.get(File::SHARD_ROWS), rows)),
            (
                "index",
                index.len().is_power_of_two() && index.len() > rows && names_rows(index, rows),
            ),
            ("ranks", ranks.len() == rows && are_below(ranks, rows)),
            ("popularity", file.get(File::POPULARITY).len() == rows),
            ("rows by rank", rows_by_rank.len() == rows && are_below(rows_by_rank, rows)),
            ("paths", offsets_fit(paths, levels.len().saturating_sub(1))),
            ("levels", offsets_fit(levels, level_bytes.len()) && are_texts(levels, level_bytes)),
            (
                "categories",
                categories.len() == rows && are_below(categories, paths.len().saturating_sub(1)),
            ),
        ];
        parts.into_iter().find(|(_, holds)| !holds).map(|(part, _)| part)
    }

    /// Number of items.
    pub(crate) fn rows(&self) -> u32 {
        let rows = self.file.get(File::RANKS).len();
        u32::try_from(rows).expect("the writer numbers rows in 32 bits")
    }

    /// The newest event of the training, in seconds since 1990.
    pub(crate) fn as_of(&self) -> u32 {
        u32::try_from(self.file.get(File::FACTS)[0]).unwrap_or(u32::MAX)
    }

    /// The rows of a shard; empty when there is no such shard.
    pub(crate) fn shard_rows(&self, shard: ShardId) -> Range<u32> {
        let first = self.file.get(File::SHARD_ROWS);
        let shard = usize::from(shard);
        first.get(shard..shard + 2).map_or(0..0, |bounds| bounds[0]..bounds[1])
    }

    /// Number of shards at the training.
    pub(crate) fn shards(&self) -> u16 {
        let shards = self.file.get(File::SHARD_ROWS).len() - 1;
        u16::try_from(shards).expect("at most 64 shards")
    }

    /// The item of a row.
    ///
    /// # Panics
    /// When `row` is not below [`Self::rows`].
    pub(crate) fn id(&self, row: u32) -> &str {
        let range = between(self.file.get(File::ID_OFFSETS), row as usize);
        text(self.file.get(File::ID_BYTES), range)
    }

    /// The row of an item.
    pub(crate) fn row(&self, id: &str) -> Option<u32> {
        let index = self.file.get(File::INDEX);
        let offsets = self.file.get(File::ID_OFFSETS);
        let bytes = self.file.get(File::ID_BYTES);
        let hash = xxh3_64(id.as_bytes());
        let mut rows = probe(index, hash);
        rows.find(|&row| &bytes[between(offsets, row as usize)] == id.as_bytes())
    }

    /// Popularity rank of each row.
    pub(crate) fn ranks(&self) -> &[u32] {
        self.file.get(File::RANKS)
    }

    /// Popularity of each row at the training.
    pub(crate) fn popularity(&self) -> &[u64] {
        self.file.get(File::POPULARITY)
    }

    /// Row of each popularity rank.
    pub(crate) fn rows_by_rank(&self) -> &[u32] {
        self.file.get(File::ROWS_BY_RANK)
    }

    /// The category path of a row, as a number below the number of distinct paths.
    pub(crate) fn category(&self, row: u32) -> u32 {
        self.file.get(File::CATEGORIES)[row as usize]
    }

    /// The levels of a category path, from the broadest; none for uncategorized items.
    pub(crate) fn category_path(&self, path: u32) -> impl ExactSizeIterator<Item = &str> {
        let levels = self.file.get(File::PATH_LEVELS);
        let offsets = self.file.get(File::LEVEL_OFFSETS);
        let bytes = self.file.get(File::LEVEL_BYTES);
        between(levels, path as usize).map(move |level| text(bytes, between(offsets, level)))
    }
}

/// Whether every entry that is not free names one of `rows` rows.
fn names_rows(index: &[u64], rows: usize) -> bool {
    index.iter().all(|&entry| entry == 0 || (1..=rows as u64).contains(&(entry & 0xffff_ffff)))
}

/// The rows whose entries share the hash's home and tag.
fn probe(index: &[u64], hash: u64) -> impl Iterator<Item = u32> {
    let mask = index.len() - 1;
    let home = home(hash, index.len());
    (0..index.len())
        .map(move |step| index[(home + step) & mask])
        .take_while(|&entry| entry != 0)
        .filter(move |&entry| (entry >> 32) as u32 == hash as u32)
        .map(|entry| entry as u32 - 1)
}

/// Where the search for a hash starts: its top bits.
fn home(hash: u64, capacity: usize) -> usize {
    // A table of one entry takes no bits at all.
    hash.checked_shr(u64::BITS - capacity.trailing_zeros()).unwrap_or(0) as usize
}

/// The index over `ids`, which are distinct.
pub(super) fn build_index<'a>(ids: impl ExactSizeIterator<Item = &'a str>) -> Vec<u64> {
    let capacity = (ids.len() * 2 + 1).next_power_of_two();
    let mut index = vec![0_u64; capacity];
    for (row, id) in (1_u32..).zip(ids) {
        let hash = xxh3_64(id.as_bytes());
        let mut at = home(hash, capacity);
        while index[at] != 0 {
            at = (at + 1) & (capacity - 1);
        }
        index[at] = u64::from(hash as u32) << 32 | u64::from(row);
    }
    index
}

//! The item table of a version: which row an item has, and which item a row is.
//!
//! Rows are numbered by (slot, id), so the rows of a shard are contiguous. One mapped artifact,
//! the same on every worker; a lookup allocates nothing.

use std::{ops::Range, sync::Arc};

use mercer_common::{
    artifact::{Artifact, ArtifactError, ArtifactRef, ArtifactStore},
    slot::ShardId,
};
use xxhash_rust::xxh3::xxh3_64;

pub(super) const KIND: &str = "item-table-2";

/// Sections of the artifact, in order.
#[derive(Clone, Copy, Debug)]
pub(super) enum Section {
    /// `[as_of]`, as u64.
    Facts,
    /// Where the id of each row starts, u64, and the end of the last.
    IdOffsets,
    /// All ids, concatenated.
    IdBytes,
    /// First row of each shard, u32, and the number of rows.
    ShardRows,
    /// Open addressing by the top bits of xxh3-64 of the id, a power of two of u64: the low 32
    /// bits of the hash above `row + 1`, or 0 where free.
    Index,
    /// Popularity rank of each row, u32.
    Ranks,
    /// Row of each popularity rank, u32.
    RowsByRank,
    /// Category path of each row, u32.
    Categories,
    /// Where the levels of each path start, u32, and the end of the last.
    PathLevels,
    /// Where each level starts, u32, and the end of the last.
    LevelOffsets,
    /// All levels, concatenated.
    LevelBytes,
    /// Popularity of each row at the training, u64.
    Popularity,
}

/// An open item table.
#[derive(Debug)]
pub(crate) struct ItemTable {
    artifact: Arc<Artifact>,
}

impl ItemTable {
    /// Opens and verifies the table.
    pub(crate) fn open(
        store: &ArtifactStore,
        artifact: &ArtifactRef,
    ) -> Result<Self, ArtifactError> {
        let table = Self { artifact: store.open_artifact(artifact)? };
        table.artifact.expect_kind(KIND)?;
        table.verify()?;
        Ok(table)
    }

    /// Everything that lookups rely on; the checksum has been verified already.
    fn verify(&self) -> Result<(), ArtifactError> {
        let get32 = |section| self.artifact.section::<u32>(section as usize);
        let offsets = self.artifact.section::<u64>(Section::IdOffsets as usize)?;
        let ids = self.artifact.section::<u8>(Section::IdBytes as usize)?;
        let index = self.artifact.section::<u64>(Section::Index as usize)?;
        let rows = offsets.len().saturating_sub(1);
        let shards = get32(Section::ShardRows)?;
        let paths = get32(Section::PathLevels)?;
        let levels = get32(Section::LevelOffsets)?;
        let level_bytes = self.artifact.section::<u8>(Section::LevelBytes as usize)?;
        let facts = self.artifact.section::<u64>(Section::Facts as usize)?;
        let row_bounded = |rows_of: &[u32]| {
            rows_of.len() == rows && rows_of.iter().all(|&row| (row as usize) < rows)
        };
        let categories = get32(Section::Categories)?;
        let popularity = self.artifact.section::<u64>(Section::Popularity as usize)?;
        let consistent = [
            ("facts", facts.len() == 1),
            ("ids", spans(offsets, ids.len() as u64) && texts(offsets, ids)),
            ("shards", spans(shards, rows as u64)),
            (
                "index",
                index.len().is_power_of_two() && index.len() > rows && names_rows(index, rows),
            ),
            ("ranks", row_bounded(get32(Section::Ranks)?)),
            ("popularity", popularity.len() == rows),
            ("rows by rank", row_bounded(get32(Section::RowsByRank)?)),
            ("paths", spans(paths, levels.len().saturating_sub(1) as u64)),
            ("levels", spans(levels, level_bytes.len() as u64) && texts(levels, level_bytes)),
            (
                "categories",
                categories.len() == rows
                    && categories.iter().all(|&path| (path as usize) + 1 < paths.len()),
            ),
        ];
        match consistent.iter().find(|(_, holds)| !holds) {
            None => Ok(()),
            Some((part, _)) => Err(self.artifact.layout(format!("its {part} are inconsistent"))),
        }
    }

    fn section<T: bytemuck::Pod>(&self, section: Section) -> &[T] {
        self.artifact.section(section as usize).expect("verified when opened")
    }

    /// Number of items.
    pub(crate) fn rows(&self) -> u32 {
        let rows = self.section::<u32>(Section::Ranks).len();
        u32::try_from(rows).expect("the writer numbers rows in 32 bits")
    }

    /// The newest event of the training, in seconds since 1990.
    pub(crate) fn as_of(&self) -> u32 {
        u32::try_from(self.section::<u64>(Section::Facts)[0]).unwrap_or(u32::MAX)
    }

    /// The rows of a shard; empty when there is no such shard.
    pub(crate) fn shard_rows(&self, shard: ShardId) -> Range<u32> {
        let first = self.section::<u32>(Section::ShardRows);
        let shard = usize::from(shard);
        first.get(shard..shard + 2).map_or(0..0, |bounds| bounds[0]..bounds[1])
    }

    /// Number of shards at the training.
    pub(crate) fn shards(&self) -> u16 {
        let shards = self.section::<u32>(Section::ShardRows).len() - 1;
        u16::try_from(shards).expect("at most 64 shards")
    }

    /// The item of a row.
    ///
    /// # Panics
    /// When `row` is not below [`Self::rows`].
    pub(crate) fn id(&self, row: u32) -> &str {
        text(self.section::<u64>(Section::IdOffsets), self.section(Section::IdBytes), row as usize)
    }

    /// The row of an item.
    pub(crate) fn row(&self, id: &str) -> Option<u32> {
        let index = self.section::<u64>(Section::Index);
        let offsets = self.section::<u64>(Section::IdOffsets);
        let bytes = self.section::<u8>(Section::IdBytes);
        let hash = xxh3_64(id.as_bytes());
        probe(index, hash).find(|&row| {
            let row = row as usize;
            let (start, end) = (offsets[row] as usize, offsets[row + 1] as usize);
            &bytes[start..end] == id.as_bytes()
        })
    }

    /// Popularity rank of each row.
    pub(crate) fn ranks(&self) -> &[u32] {
        self.section(Section::Ranks)
    }

    /// Popularity of each row at the training.
    pub(crate) fn popularity(&self) -> &[u64] {
        self.section(Section::Popularity)
    }

    /// Row of each popularity rank.
    pub(crate) fn rows_by_rank(&self) -> &[u32] {
        self.section(Section::RowsByRank)
    }

    /// The category path of a row, as a number below the number of distinct paths.
    pub(crate) fn category(&self, row: u32) -> u32 {
        self.section::<u32>(Section::Categories)[row as usize]
    }

    /// The levels of a category path, from the broadest; none for uncategorized items.
    pub(crate) fn category_path(&self, path: u32) -> impl ExactSizeIterator<Item = &str> {
        let levels = self.section::<u32>(Section::PathLevels);
        let offsets = self.section::<u32>(Section::LevelOffsets);
        let bytes = self.section::<u8>(Section::LevelBytes);
        let path = path as usize;
        (levels[path] as usize..levels[path + 1] as usize)
            .map(move |level| text(offsets, bytes, level))
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

/// An offset of either width.
trait Offset: Copy + Into<u64> + Ord {}
impl Offset for u32 {}
impl Offset for u64 {}

/// Whether offsets start at 0, never decrease and end at `end`.
fn spans<T: Offset>(offsets: &[T], end: u64) -> bool {
    let ends = |offset: Option<&T>, wanted| offset.is_some_and(|&offset| offset.into() == wanted);
    ends(offsets.first(), 0) && ends(offsets.last(), end) && offsets.is_sorted()
}

/// Whether every span of `bytes` is text.
fn texts<T: Offset>(offsets: &[T], bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|text| {
        offsets.iter().all(|&offset| text.is_char_boundary(offset.into() as usize))
    })
}

fn text<'a, T: Offset>(offsets: &[T], bytes: &'a [u8], at: usize) -> &'a str {
    let (start, end) = (offsets[at].into() as usize, offsets[at + 1].into() as usize);
    std::str::from_utf8(&bytes[start..end]).expect("verified when opened")
}

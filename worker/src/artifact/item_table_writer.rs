//! Writes the item table of a version.

use std::collections::BTreeMap;

use mercer_common::artifact::{ArtifactError, ArtifactRef, ArtifactStore};

use super::item_table::{File, build_index};

/// Collects the items of all shards in row order: by (slot, id).
#[derive(Debug)]
pub(crate) struct ItemTableWriter {
    id_offsets: Vec<u64>,
    id_bytes: Vec<u8>,
    shard_rows: Vec<u32>,
    popularity: Vec<u64>,
    categories: Vec<u32>,
    /// Distinct paths, numbered as they appear.
    paths: BTreeMap<Vec<String>, u32>,
}

impl Default for ItemTableWriter {
    fn default() -> Self {
        Self {
            id_offsets: vec![0],
            id_bytes: Vec::new(),
            shard_rows: vec![0],
            popularity: Vec::new(),
            categories: Vec::new(),
            paths: BTreeMap::new(),
        }
    }
}

impl ItemTableWriter {
    /// The number of a category path, a new one if there is none.
    pub(crate) fn path<'a>(&mut self, levels: impl Iterator<Item = &'a str>) -> u32 {
        let next = number(self.paths.len());
        *self.paths.entry(levels.map(str::to_owned).collect()).or_insert(next)
    }

    /// Adds the next item of the present shard; `path` is its category path's number.
    pub(crate) fn push(&mut self, id: &str, popularity: u64, path: u32) {
        self.id_bytes.extend_from_slice(id.as_bytes());
        self.id_offsets.push(self.id_bytes.len() as u64);
        self.popularity.push(popularity);
        self.categories.push(path);
    }

    /// Ends the present shard.
    pub(crate) fn end_shard(&mut self) {
        self.shard_rows.push(self.rows());
    }

    fn rows(&self) -> u32 {
        number(self.popularity.len())
    }

    /// Writes the artifact of the dictionary phase.
    pub(crate) fn finish(
        self,
        store: &ArtifactStore,
        job: &str,
        as_of: u32,
    ) -> Result<ArtifactRef, ArtifactError> {
        let mut rows_by_rank: Vec<u32> = (0..self.rows()).collect();
        rows_by_rank.sort_by_key(|&row| std::cmp::Reverse(self.popularity[row as usize]));
        let mut ranks = vec![0_u32; rows_by_rank.len()];
        for (rank, &row) in (0_u32..).zip(&rows_by_rank) {
            ranks[row as usize] = rank;
        }

        let mut path_levels = vec![0_u32];
        let mut level_offsets = vec![0_u32];
        let mut level_bytes = Vec::new();
        let mut paths: Vec<_> = self.paths.iter().collect();
        paths.sort_by_key(|&(_, number)| *number);
        for (path, _) in paths {
            for level in path {
                level_bytes.extend_from_slice(level.as_bytes());
                level_offsets.push(number(level_bytes.len()));
            }
            path_levels.push(number(level_offsets.len() - 1));
        }

        let ids = self.id_offsets.windows(2).map(|bounds| {
            let id = &self.id_bytes[bounds[0] as usize..bounds[1] as usize];
            std::str::from_utf8(id).expect("ids were pushed as text")
        });
        let index = build_index(ids);

        let mut writer = File::LAYOUT.writer(store, job, "dictionary", "00")?;
        writer.write(File::FACTS, &[u64::from(as_of)])?;
        writer.write(File::ID_OFFSETS, &self.id_offsets)?;
        writer.write(File::ID_BYTES, &self.id_bytes)?;
        writer.write(File::SHARD_ROWS, &self.shard_rows)?;
        writer.write(File::INDEX, &index)?;
        writer.write(File::RANKS, &ranks)?;
        writer.write(File::ROWS_BY_RANK, &rows_by_rank)?;
        writer.write(File::CATEGORIES, &self.categories)?;
        writer.write(File::PATH_LEVELS, &path_levels)?;
        writer.write(File::LEVEL_OFFSETS, &level_offsets)?;
        writer.write(File::LEVEL_BYTES, &level_bytes)?;
        writer.write(File::POPULARITY, &self.popularity)?;
        writer.finish()
    }
}

/// Items and categories are numbered in 32 bits: far more than fit in memory.
fn number(count: usize) -> u32 {
    u32::try_from(count).expect("fewer than 2^32 items and bytes of category names")
}

//! The interactions part of a cut: what training of neighbours reads of a shard, as it was at the
//! job's marker. `series_cut`, `content_cut` and `user_cut` are the other parts.
//!
//! | section | values | content |
//! |---|---|---|
//! | 0 | u64 | version of the layout; time of the newest event |
//! | 1 | u64 | users that have a window, by (slot, id): end of each one's entries |
//! | 2, 3 | u64, u8 | items that windows refer to, by (slot, id): ends of their ids, ids |
//! | 4, 5, 6 | u32 | entries by (user, time, item id, type, value): referred item, time, kind |
//! | 7, 8 | u64, u8 | the shard's own items by (slot, id): ends of their ids, ids |
//! | 9, 10 | u64, u32 | of each own item: popularity, category path |
//! | 11 | u32 | category paths, sorted: end of each one's levels |
//! | 12, 13 | u64, u8 | levels of category paths: ends, text |
//!
//! It names no user: training needs to know only which events are of the same one.

use std::{collections::BTreeMap, ops::Range, sync::Arc};

use mercer_common::{
    artifact::{Artifact, ArtifactError, ArtifactRef, ArtifactStore},
    slot::ShardId,
};

use super::{ItemHandle, ShardState};

/// Name of the phase in artifact paths.
pub(crate) const PHASE: &str = "cut";
const KIND: &str = "cut";
const VERSION: u64 = 1;

/// Name of the artifact of a shard.
pub(crate) fn name(shard: ShardId) -> String {
    format!("{shard:02}")
}

/// Writes the cut of `job`. It depends on nothing but the log before the job's marker.
///
/// # Errors
/// When the artifact cannot be written, or exists with other content.
pub(crate) fn write(
    state: &ShardState,
    job: &str,
    artifacts: &ArtifactStore,
) -> Result<ArtifactRef, ArtifactError> {
    let interner = state.interner();
    let mut user_ends: Vec<u64> = Vec::new();
    let mut referred: Vec<ItemHandle> = Vec::new();
    let (mut handles, mut times, mut kinds) = (Vec::new(), Vec::new(), Vec::new());
    for (_, user) in state.users().filter(|(_, user)| !user.window().is_empty()) {
        for entry in user.window() {
            handles.push(entry.item);
            times.push(entry.time);
            kinds.push(entry.kind);
        }
        user_ends.push(handles.len() as u64);
    }
    referred.extend(&handles);
    referred.sort_unstable();
    referred.dedup();
    let mut index_of = vec![0_u32; interner.len()];
    referred.sort_unstable_by(|&left, &right| interner.compare(left, right));
    let mut referred_ids = Texts::default();
    for (index, &handle) in (0..).zip(&referred) {
        index_of[handle.0 as usize] = index;
        referred_ids.push(interner.id(handle));
    }
    let entry_items: Vec<u32> = handles.iter().map(|handle| index_of[handle.0 as usize]).collect();

    let mut paths: BTreeMap<&[Arc<str>], u32> =
        state.items().map(|item| (item.category_path(), 0)).collect();
    for (index, path) in (0..).zip(paths.values_mut()) {
        *path = index;
    }
    let mut levels = Texts::default();
    let mut path_ends: Vec<u32> = Vec::new();
    let mut level_count = 0;
    for path in paths.keys() {
        for level in *path {
            levels.push(level);
            level_count += 1;
        }
        path_ends.push(level_count);
    }
    let mut items = Texts::default();
    let (mut popularity, mut item_paths) = (Vec::new(), Vec::new());
    for item in state.items() {
        items.push(item.id());
        popularity.push(item.popularity());
        item_paths.push(paths[item.category_path()]);
    }

    let newest = times.iter().copied().max().unwrap_or_default();
    let mut writer = artifacts.writer(job, PHASE, &name(state.shard()), KIND)?;
    writer.section(&[VERSION, u64::from(newest)])?;
    writer.section(&user_ends)?;
    writer.section(&referred_ids.ends)?;
    writer.section(referred_ids.text.as_bytes())?;
    for column in [&entry_items, &times, &kinds] {
        writer.section(column)?;
    }
    writer.section(&items.ends)?;
    writer.section(items.text.as_bytes())?;
    writer.section(&popularity)?;
    writer.section(&item_paths)?;
    writer.section(&path_ends)?;
    writer.section(&levels.ends)?;
    writer.section(levels.text.as_bytes())?;
    writer.finish()
}

#[derive(Debug, Default)]
struct Texts {
    ends: Vec<u64>,
    text: String,
}

impl Texts {
    fn push(&mut self, text: &str) {
        self.text.push_str(text);
        self.ends.push(self.text.len() as u64);
    }
}

/// A cut as training reads it.
#[derive(Clone, Debug)]
pub(crate) struct Cut {
    artifact: Arc<Artifact>,
}

/// The events of one user, in window order; parallel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CutEntries<'a> {
    /// Indexes of referred items.
    pub(crate) items: &'a [u32],
    /// Seconds since 1990-01-01T00:00:00Z.
    pub(crate) times: &'a [u32],
    /// As [`super::WindowEntry::kind`].
    pub(crate) kinds: &'a [u32],
}

impl Cut {
    /// Opens a cut and checks that its sections agree, so that no access fails later.
    ///
    /// # Errors
    /// When the artifact is missing, damaged or not a cut.
    pub(crate) fn open(
        artifacts: &ArtifactStore,
        artifact: &ArtifactRef,
    ) -> Result<Self, ArtifactError> {
        let artifact = artifacts.open_artifact(artifact)?;
        artifact.expect_kind(KIND)?;
        let cut = Self { artifact };
        cut.check()?;
        Ok(cut)
    }

    /// Time of the newest event; 0 when there is none.
    pub(crate) fn newest_event(&self) -> u32 {
        u32::try_from(self.u64s(0)[1]).unwrap_or(u32::MAX)
    }

    /// Number of users that have a window; they are ordered by (slot, id).
    pub(crate) fn users(&self) -> usize {
        self.u64s(1).len()
    }

    /// Events of a user.
    pub(crate) fn user_entries(&self, user: usize) -> CutEntries<'_> {
        let range = range(self.u64s(1), user);
        CutEntries {
            items: &self.u32s(4)[range.clone()],
            times: &self.u32s(5)[range.clone()],
            kinds: &self.u32s(6)[range],
        }
    }

    /// Events of all users.
    pub(crate) fn entries(&self) -> usize {
        self.u32s(4).len()
    }

    /// Number of items that windows refer to, of any shard.
    pub(crate) fn referred_items(&self) -> usize {
        self.u64s(2).len()
    }

    /// Id of a referred item; they are ordered by (slot, id).
    pub(crate) fn referred_id(&self, item: usize) -> &str {
        self.text(2, item)
    }

    /// Number of the shard's own items.
    pub(crate) fn items(&self) -> usize {
        self.u64s(7).len()
    }

    /// Id of an own item; they are ordered by (slot, id).
    pub(crate) fn item_id(&self, item: usize) -> &str {
        self.text(7, item)
    }

    /// Popularity of an own item.
    pub(crate) fn item_popularity(&self, item: usize) -> u64 {
        self.u64s(9)[item]
    }

    /// Index of an own item's category path.
    pub(crate) fn item_path(&self, item: usize) -> usize {
        self.u32s(10)[item] as usize
    }

    /// Number of distinct category paths.
    pub(crate) fn paths(&self) -> usize {
        self.u32s(11).len()
    }

    /// Levels of a category path, from the broadest; paths are sorted.
    pub(crate) fn path(&self, path: usize) -> impl Iterator<Item = &str> {
        let ends = self.u32s(11);
        let start = if path == 0 { 0 } else { ends[path - 1] };
        (start..ends[path]).map(|level| self.text(12, level as usize))
    }

    fn text(&self, ends: usize, index: usize) -> &str {
        let bytes = &self.bytes(ends + 1)[range(self.u64s(ends), index)];
        std::str::from_utf8(bytes).expect("checked when the cut was opened")
    }

    fn u64s(&self, section: usize) -> &[u64] {
        self.artifact.section(section).expect("checked when the cut was opened")
    }

    fn u32s(&self, section: usize) -> &[u32] {
        self.artifact.section(section).expect("checked when the cut was opened")
    }

    fn bytes(&self, section: usize) -> &[u8] {
        self.artifact.section(section).expect("checked when the cut was opened")
    }

    fn check(&self) -> Result<(), ArtifactError> {
        let artifact = &*self.artifact;
        expect_version(artifact, VERSION)?;
        for section in [0, 1, 2, 7, 9, 12] {
            artifact.section::<u64>(section)?;
        }
        for section in [4, 5, 6, 10, 11] {
            artifact.section::<u32>(section)?;
        }
        for section in [3, 8, 13] {
            artifact.section::<u8>(section)?;
        }
        let levels = self.u64s(12).len();
        let path_ends: Vec<u64> = self.u32s(11).iter().map(|&end| end.into()).collect();
        let consistent = self.u64s(0).first() == Some(&VERSION)
            && self.u64s(0).len() == 2
            && [2, 7, 12].into_iter().all(|ends| self.texts_fit(ends))
            && ends_fit(self.u64s(1), self.entries())
            && [5, 6].into_iter().all(|column| self.u32s(column).len() == self.entries())
            && below(self.u32s(4), self.referred_items())
            && self.u64s(9).len() == self.items()
            && self.u32s(10).len() == self.items()
            && below(self.u32s(10), self.paths())
            && ends_fit(&path_ends, levels);
        if consistent { Ok(()) } else { Err(artifact.layout("the sections of the cut disagree")) }
    }

    fn texts_fit(&self, ends: usize) -> bool {
        let bytes = self.bytes(ends + 1);
        let ends = self.u64s(ends);
        std::str::from_utf8(bytes).is_ok_and(|text| {
            ends_fit(ends, text.len())
                && ends.iter().all(|&end| text.is_char_boundary(end as usize))
        })
    }
}

/// Refuses a part of a cut that a newer release wrote, as its first section says.
pub(super) fn expect_version(artifact: &Artifact, known: u64) -> Result<(), ArtifactError> {
    match artifact.section::<u64>(0)?.first() {
        Some(found) if *found > known => {
            Err(artifact.newer(format!("version {found}"), format!("version {known}")))
        }
        Some(_) | None => Ok(()),
    }
}

/// Where the part `index` of what ends at `ends` lies.
pub(super) fn range(ends: &[u64], index: usize) -> Range<usize> {
    let start = if index == 0 { 0 } else { ends[index - 1] };
    start as usize..ends[index] as usize
}

/// Whether ends never fall and the last is `length`.
pub(super) fn ends_fit(ends: &[u64], length: usize) -> bool {
    ends.is_sorted() && ends.last().copied().unwrap_or_default() == length as u64
}

/// Whether every index is below `length`.
pub(super) fn below(indexes: &[u32], length: usize) -> bool {
    indexes.iter().all(|&index| (index as usize) < length)
}

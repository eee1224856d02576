//! The interactions part of a cut: what training of neighbours reads of a shard, as it was at the
//! job's marker.
//!
//! It names no user: training needs to know only which events are of the same one.

use mercer_common::{
    artifact::{ArtifactError, ArtifactRef, ArtifactStore, Section, Sections},
    layout,
};

use crate::artifact::spans::{are_below, ends_fit, text, texts_fit, until};

layout! {
    /// The interactions of a shard.
    pub(crate) enum InteractionsFile: "cut" numbered 1 {
        /// `[version, time of the newest event]`.
        HEAD: u64,
        /// Users that have a window, by (slot, id): where each one's entries end.
        USER_ENDS: u64,
        /// Items that windows refer to, by (slot, id): where their ids end.
        REFERRED_ENDS: u64,
        /// Their ids.
        REFERRED_IDS: u8,
        /// Entries by (user, time, item id, type, value): the referred item.
        ENTRY_ITEMS: u32,
        /// Seconds since 1990-01-01T00:00:00Z of each entry.
        ENTRY_TIMES: u32,
        /// Type and value of each entry.
        ENTRY_KINDS: u32,
        /// The shard's own items, by (slot, id): where their ids end.
        ITEM_ENDS: u64,
        /// Their ids.
        ITEM_IDS: u8,
        /// Popularity of each own item.
        POPULARITY: u64,
        /// Category path of each own item.
        ITEM_PATHS: u32,
        /// Category paths, sorted: where each one's levels end.
        PATH_ENDS: u32,
        /// Levels of category paths: where each one's text ends.
        LEVEL_ENDS: u64,
        /// Their text.
        LEVELS: u8,
    }
}

use InteractionsFile as File;

/// A cut as training reads it.
#[derive(Clone, Debug)]
pub(crate) struct Cut {
    file: Sections,
}

/// The events of one user, in window order; parallel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CutEntries<'a> {
    /// Indexes of referred items.
    pub(crate) items: &'a [u32],
    /// Seconds since 1990-01-01T00:00:00Z.
    pub(crate) times: &'a [u32],
    /// Types in the lowest 3 bits, the upper 29 bits of `f32` values above.
    pub(crate) kinds: &'a [u32],
}

impl Cut {
    /// Opens a cut and checks that its sections agree, so that no access fails later.
    ///
    /// # Errors
    /// As [`mercer_common::artifact::Layout::open`], and [`ArtifactError::Layout`] when its sections
    /// disagree.
    pub(crate) fn open(
        artifacts: &ArtifactStore,
        artifact: &ArtifactRef,
    ) -> Result<Self, ArtifactError> {
        let cut = Self { file: File::LAYOUT.open(artifacts, artifact)? };
        match cut.is_consistent() {
            true => Ok(cut),
            false => Err(cut.file.layout("the sections of the cut disagree")),
        }
    }

    /// Time of the newest event; 0 when there is none.
    pub(crate) fn newest_event(&self) -> u32 {
        u32::try_from(self.file.get(File::HEAD)[1]).unwrap_or(u32::MAX)
    }

    /// Number of users that have a window; they are ordered by (slot, id).
    pub(crate) fn users(&self) -> usize {
        self.file.get(File::USER_ENDS).len()
    }

    /// Events of a user.
    pub(crate) fn user_entries(&self, user: usize) -> CutEntries<'_> {
        let range = until(self.file.get(File::USER_ENDS), user);
        CutEntries {
            items: &self.file.get(File::ENTRY_ITEMS)[range.clone()],
            times: &self.file.get(File::ENTRY_TIMES)[range.clone()],
            kinds: &self.file.get(File::ENTRY_KINDS)[range],
        }
    }

    /// Events of all users.
    pub(crate) fn entries(&self) -> usize {
        self.file.get(File::ENTRY_ITEMS).len()
    }

    /// Number of items that windows refer to, of any shard.
    pub(crate) fn referred_items(&self) -> usize {
        self.file.get(File::REFERRED_ENDS).len()
    }

    /// Id of a referred item; they are ordered by (slot, id).
    pub(crate) fn referred_id(&self, item: usize) -> &str {
        self.text(File::REFERRED_ENDS, File::REFERRED_IDS, item)
    }

    /// Number of the shard's own items.
    pub(crate) fn items(&self) -> usize {
        self.file.get(File::ITEM_ENDS).len()
    }

    /// Id of an own item; they are ordered by (slot, id).
    pub(crate) fn item_id(&self, item: usize) -> &str {
        self.text(File::ITEM_ENDS, File::ITEM_IDS, item)
    }

    /// Popularity of an own item.
    pub(crate) fn item_popularity(&self, item: usize) -> u64 {
        self.file.get(File::POPULARITY)[item]
    }

    /// Index of an own item's category path.
    pub(crate) fn item_path(&self, item: usize) -> usize {
        self.file.get(File::ITEM_PATHS)[item] as usize
    }

    /// Number of distinct category paths.
    pub(crate) fn paths(&self) -> usize {
        self.file.get(File::PATH_ENDS).len()
    }

    /// Levels of a category path, from the broadest; paths are sorted.
    pub(crate) fn path(&self, path: usize) -> impl Iterator<Item = &str> {
        let levels = until(self.file.get(File::PATH_ENDS), path);
        levels.map(|level| self.text(File::LEVEL_ENDS, File::LEVELS, level))
    }

    fn text(&self, ends: Section<u64>, bytes: Section<u8>, index: usize) -> &str {
        text(self.file.get(bytes), until(self.file.get(ends), index))
    }

    fn is_consistent(&self) -> bool {
        let file = &self.file;
        let texts = [
            (File::REFERRED_ENDS, File::REFERRED_IDS),
            (File::ITEM_ENDS, File::ITEM_IDS),
            (File::LEVEL_ENDS, File::LEVELS),
        ];
        let (items, paths) = (self.items(), self.paths());
        let levels = file.get(File::LEVEL_ENDS).len();
        let (of_items, of_paths) = (file.get(File::ITEM_PATHS), file.get(File::PATH_ENDS));
        matches!(file.get(File::HEAD), &[File::VERSION, _])
            && texts.into_iter().all(|(ends, bytes)| texts_fit(file.get(ends), file.get(bytes)))
            && ends_fit(file.get(File::USER_ENDS), self.entries())
            && file.get(File::ENTRY_TIMES).len() == self.entries()
            && file.get(File::ENTRY_KINDS).len() == self.entries()
            && are_below(file.get(File::ENTRY_ITEMS), self.referred_items())
            && file.get(File::POPULARITY).len() == items
            && of_items.len() == items
            && are_below(of_items, paths)
            && ends_fit(of_paths, levels)
    }
}

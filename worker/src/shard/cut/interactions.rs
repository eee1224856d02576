//! Writes the interactions part of a cut, from windows and items.

use std::{collections::BTreeMap, sync::Arc};

use mercer_common::{
    artifact::{ArtifactError, ArtifactRef, ArtifactStore},
    slot::ShardId,
};

use super::PHASE;
use crate::{
    artifact::cut::InteractionsFile as File,
    shard::{ItemHandle, ShardState},
};

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
    let mut writer = File::LAYOUT.writer(artifacts, job, PHASE, &name(state.shard()))?;
    writer.write(File::HEAD, &[File::VERSION, u64::from(newest)])?;
    writer.write(File::USER_ENDS, &user_ends)?;
    writer.write(File::REFERRED_ENDS, &referred_ids.ends)?;
    writer.write(File::REFERRED_IDS, referred_ids.text.as_bytes())?;
    writer.write(File::ENTRY_ITEMS, &entry_items)?;
    writer.write(File::ENTRY_TIMES, &times)?;
    writer.write(File::ENTRY_KINDS, &kinds)?;
    writer.write(File::ITEM_ENDS, &items.ends)?;
    writer.write(File::ITEM_IDS, items.text.as_bytes())?;
    writer.write(File::POPULARITY, &popularity)?;
    writer.write(File::ITEM_PATHS, &item_paths)?;
    writer.write(File::PATH_ENDS, &path_ends)?;
    writer.write(File::LEVEL_ENDS, &levels.ends)?;
    writer.write(File::LEVELS, levels.text.as_bytes())?;
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

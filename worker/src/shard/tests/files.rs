//! Snapshot files: written and loaded, damaged, foreign, left over.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use jiff::tz::TimeZone;
use mercer_common::{config::WorkerConfig, slot::ShardLayout};

use super::{
    golden::state,
    workload::{SHARD, layout},
};
use crate::{
    shard::{
        Shard, ShardState,
        snapshot::{Snapshots, Stamp, due},
    },
    store::Store,
};

pub(super) fn shard(state: ShardState) -> Shard {
    Shard::new(state, "worker".into(), Instant::now())
}

pub(super) fn stamp() -> Stamp {
    Stamp { incarnation: 7, layout: layout(), zone: TimeZone::UTC }
}

/// A worker's folder.
pub(super) struct Folder {
    pub(super) folder: tempfile::TempDir,
    store: Store,
}

impl Folder {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(folder.path()).expect("opens");
        Self { folder, store }
    }

    pub(super) fn open(&self, stamp: Stamp) -> Snapshots {
        let data_dir = self.folder.path().to_owned();
        let config = WorkerConfig { data_dir, ..WorkerConfig::default() };
        Snapshots::open(&config, stamp, self.store.clone()).expect("opens")
    }

    pub(super) fn load(&self) -> Shard {
        self.open(stamp()).load(SHARD, &Arc::from("worker"))
    }

    /// The files beside the store, by name.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.folder.path().join("shards")).expect("readable");
        let mut files: Vec<_> = entries.map(|entry| entry.expect("readable").path()).collect();
        files.sort();
        files
    }

    fn names(&self) -> Vec<String> {
        let name = |path: &PathBuf| path.file_name()?.to_str().map(ToOwned::to_owned);
        self.files().iter().map(|path| name(path).expect("ASCII")).collect()
    }
}

#[test]
fn what_was_written_is_loaded_and_older_files_go() {
    let folder = Folder::new();
    let snapshots = folder.open(stamp());
    fs::write(folder.folder.path().join("shards/05-99.temporary"), b"unfinished").expect("written");
    let live = shard(ShardState::new(layout(), SHARD, TimeZone::UTC));
    snapshots.write(&live).expect("written");
    assert_eq!(folder.names(), ["05-0.snapshot", "05-99.temporary"]);
    let live = shard(state());
    live.count(9);
    snapshots.write(&live).expect("written");
    assert_eq!((live.unsaved(), live.snapshot_sequence()), (0, 90));

    let loaded = folder.load();
    assert_eq!(folder.names(), ["05-90.snapshot"]);
    assert_eq!((loaded.applied(), loaded.snapshot_sequence()), (90, 90));
    assert!(loaded.read().canonical_encoding() == live.read().canonical_encoding());
    let popular = |shard: &Shard| -> Vec<String> {
        shard.read().by_popularity().map(|item| item.id().to_owned()).collect()
    };
    assert_eq!(popular(&loaded), popular(&live));
}

#[test]
fn the_newest_file_counts_when_the_store_has_forgotten() {
    let folder = Folder::new();
    let snapshots = folder.open(stamp());
    snapshots.write(&shard(state())).expect("written");
    let older = folder.files()[0].with_file_name("05-9.snapshot");
    fs::copy(&folder.files()[0], older).expect("copied");
    folder.store.set_snapshot(SHARD, Path::new("05-1.snapshot")).expect("noted");
    assert_eq!(folder.load().applied(), 90);
}

#[test]
fn a_damaged_file_is_set_aside_wherever_the_damage_is() {
    let folder = Folder::new();
    folder.open(stamp()).write(&shard(state())).expect("written");
    let path = folder.files().remove(0);
    let bytes = fs::read(&path).expect("readable");
    let flipped = (0..bytes.len()).step_by(23).map(|place| {
        let mut damaged = bytes.clone();
        damaged[place] ^= 0x41;
        damaged
    });
    let truncated = (0..bytes.len()).step_by(101).map(|end| bytes[..end].to_vec());
    let longer = [&bytes[..], b"!"].concat();
    for damaged in flipped.chain(truncated).chain([longer]) {
        fs::write(&path, damaged).expect("written");
        assert_eq!(folder.load().applied(), 0);
        assert_eq!(folder.names(), ["05-90.damaged"]);
    }
}

#[test]
fn a_snapshot_of_another_log_or_layout_is_ignored() {
    let folder = Folder::new();
    folder.open(stamp()).write(&shard(state())).expect("written");
    let others =
        [Stamp { incarnation: 8, ..stamp() }, Stamp { layout: ShardLayout::new(63), ..stamp() }];
    for other in others {
        assert_eq!(folder.open(other).load(SHARD, &Arc::from("worker")).applied(), 0);
    }
    assert_eq!(folder.load().applied(), 90);
}

#[test]
fn shards_take_turns() {
    let shards: Vec<Arc<Shard>> = (0..5)
        .map(|id| {
            let shard = shard(ShardState::new(layout(), id, TimeZone::UTC));
            shard.count(u64::from(id) * 10);
            Arc::new(shard)
        })
        .collect();
    let due = |records, last| -> Vec<u16> {
        due(&shards, records, last).iter().map(|shard| shard.id()).collect()
    };
    assert_eq!(due(1, None), [1, 2, 3, 4], "shard 0 has nothing new");
    assert_eq!(due(20, None), [2, 3, 4]);
    assert_eq!(due(20, Some(3)), [4, 2, 3]);
    // Of what it has, an eighth must be new.
    for hash in 0..250 {
        shards[3].write().slots[0].interactions.add(hash);
    }
    assert_eq!(due(20, Some(3)), [4, 2]);
    shards[3].count(1);
    assert_eq!(due(20, Some(3)), [4, 2, 3]);
    shards[4].fail("on purpose");
    assert_eq!(due(20, Some(3)), [2, 3]);
}

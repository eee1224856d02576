//! Snapshot files: written and loaded, damaged, foreign, left over.

use std::{fs, path::PathBuf, sync::Arc, time::Instant};

use jiff::tz::TimeZone;
use mercer_common::{
    config::{FreeBytesFloor, WorkerConfig},
    log::{Ancestor, Epoch, EventLog as _, Mark, memory::MemoryLog},
    slot::ShardLayout,
};

use tokio::runtime::Runtime;

use super::{
    golden::state,
    workload::{SHARD, layout},
};
use crate::shard::{
    Shard, ShardState, Shards,
    snapshot::{HEADER_BYTES, Snapshots, Stamp, check_formats, due},
};

pub(super) fn shard(state: ShardState) -> Shard {
    Shard::new(state, "worker".into(), Instant::now())
}

pub(super) fn stamp() -> Stamp {
    Stamp { incarnation: 7, ancestors: Vec::new(), layout: layout(), zone: TimeZone::UTC }
}

/// A worker's folder.
pub(super) struct Folder {
    pub(super) folder: tempfile::TempDir,
}

impl Folder {
    pub(super) fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder") }
    }

    pub(super) fn open(&self, stamp: Stamp) -> Snapshots {
        self.open_with_floor(stamp, FreeBytesFloor::Auto)
    }

    fn open_with_floor(&self, stamp: Stamp, free_bytes_floor: FreeBytesFloor) -> Snapshots {
        let data_dir = self.folder.path().to_owned();
        let config = WorkerConfig { data_dir, free_bytes_floor, ..WorkerConfig::default() };
        Snapshots::open(&config, stamp).expect("opens")
    }

    pub(super) fn load(&self) -> Shard {
        self.load_where(stamp(), |_| true)
    }

    /// What is loaded when the log accepts these marks.
    pub(super) fn load_where(&self, stamp: Stamp, mut accepts: impl FnMut(Mark) -> bool) -> Shard {
        let snapshots = self.open(stamp);
        let judged = snapshots.candidates(SHARD).into_iter().map(|candidate| {
            let accepted = accepts(candidate.mark);
            (candidate, accepted)
        });
        let judged = judged.collect();
        snapshots.load(SHARD, judged, &Arc::from("worker"))
    }

    /// The files by name.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.folder.path().join("shards")).expect("readable");
        let mut files: Vec<_> = entries.map(|entry| entry.expect("readable").path()).collect();
        files.sort();
        files
    }

    fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        for path in self.files() {
            let name = path.file_name().and_then(|name| name.to_str());
            names.push(name.expect("ASCII").to_owned());
        }
        names
    }
}

/// An empty shard that has followed the log so far, in this epoch.
fn followed(epoch: u128, position: u64) -> Shard {
    let mut state = ShardState::new(layout(), SHARD, TimeZone::UTC);
    state.enter(Mark { epoch: Epoch(epoch), position });
    state.advance(position);
    shard(state)
}

fn name(epoch: u128, watermark: u64) -> String {
    format!("05-{epoch:032x}-{watermark}.snapshot")
}

fn aside(epoch: u128, watermark: u64) -> String {
    format!("{}.set-aside", name(epoch, watermark))
}

#[test]
fn what_was_written_is_loaded_and_two_files_are_kept() {
    let folder = Folder::new();
    let snapshots = folder.open(stamp());
    fs::write(folder.folder.path().join("shards/05-99.temporary"), b"unfinished").expect("written");
    for position in [0, 3, 8] {
        snapshots.write(&followed(1, position)).expect("written");
    }
    assert_eq!(folder.names(), [name(1, 3), name(1, 8), "05-99.temporary".into()]);
    let live = shard(state());
    live.count(9);
    snapshots.write(&live).expect("written");
    assert_eq!((live.unsaved(), live.snapshot_sequence()), (0, 90));

    let loaded = folder.load();
    assert_eq!(folder.names(), [name(0, 90), name(1, 8)]);
    assert_eq!((loaded.applied(), loaded.snapshot_sequence()), (90, 90));
    assert!(loaded.read().canonical_encoding() == live.read().canonical_encoding());
    let popular = |shard: &Shard| -> Vec<String> {
        shard.read().by_popularity().map(|item| item.id().to_owned()).collect()
    };
    assert_eq!(popular(&loaded), popular(&live));
    // What is not a snapshot of this shard stays whatever happens.
    let others = ["06-3.snapshot", "05-notes.txt", "05-x.snapshot", "05-3.damaged"];
    for other in others {
        fs::write(folder.folder.path().join("shards").join(other), b"?").expect("written");
    }
    snapshots.write(&followed(2, 95)).expect("written");
    assert_eq!(folder.load().applied(), 95);
    let names = folder.names();
    assert!(others.iter().all(|other| names.iter().any(|name| name == other)), "{names:?}");
}

#[test]
fn a_snapshot_says_where_its_highest_slot_stands() {
    let folder = Folder::new();
    let live = followed(1, 10);
    live.write().slots[3].loaded_through = 17;
    folder.open(stamp()).write(&live).expect("written");
    let mark = Mark { epoch: Epoch(1), position: 17 };
    let mut asked = Vec::new();
    let loaded = folder.load_where(stamp(), |mark| {
        asked.push(mark);
        true
    });
    assert_eq!(asked, [mark]);
    assert_eq!((loaded.applied(), loaded.read().mark()), (10, mark));
    // A replay through less than that was read before: the epoch of the snapshot still counts.
    let mut state = loaded.write();
    state.enter(Mark { epoch: Epoch(9), position: 16 });
    assert_eq!(state.mark(), mark);
    state.enter(Mark { epoch: Epoch(2), position: 20 });
    assert_eq!(state.mark(), Mark { epoch: Epoch(2), position: 17 });
    state.advance(20);
    assert_eq!(state.mark(), Mark { epoch: Epoch(2), position: 20 });
}

#[test]
fn the_newest_snapshot_that_the_log_accepts_is_loaded() {
    let log = MemoryLog::new(7);
    let runtime = Runtime::new().expect("threads");
    let append = |count| {
        for _ in 0..count {
            let stored = log.append(vec![(SHARD, "x".into())]);
            runtime.block_on(stored).expect("stored");
        }
        log.epoch_at(log.end()).0
    };
    let folder = Folder::new();
    let snapshots = folder.open(stamp());
    let old = append(10);
    snapshots.write(&followed(old, 10)).expect("written");
    append(10);
    snapshots.write(&followed(old, 20)).expect("written");
    let load = || folder.load_where(stamp(), |mark| log.accepts(mark)).applied();
    assert_eq!(load(), 20);

    // Restored as it was at 15, and grown past what the newest snapshot holds.
    log.restore(15);
    let new = append(10);
    assert_eq!((load(), folder.names()), (10, vec![name(old, 10), aside(old, 20)]));
    snapshots.write(&followed(new, 25)).expect("written");
    // Restored once more, before that: nothing but the oldest holds, and one file is set aside.
    log.restore(12);
    append(30);
    assert_eq!((load(), folder.names()), (10, vec![name(old, 10), aside(new, 25)]));
    log.restore(9);
    assert_eq!((load(), folder.names()), (0, vec![aside(old, 10)]));
}

#[test]
fn a_damaged_file_is_set_aside_wherever_the_damage_is() {
    let folder = Folder::new();
    let snapshots = folder.open(stamp());
    snapshots.write(&shard(state())).expect("written");
    let path = folder.files().remove(0);
    let bytes = fs::read(&path).expect("readable");
    let header = (0..HEADER_BYTES).step_by(3);
    let flipped = header.chain((HEADER_BYTES..bytes.len()).step_by(23)).map(|place| {
        let mut damaged = bytes.clone();
        damaged[place] ^= 0x41;
        damaged
    });
    let truncated = (0..bytes.len()).step_by(101).map(|end| bytes[..end].to_vec());
    let longer = [&bytes[..], b"!"].concat();
    snapshots.write(&followed(1, 3)).expect("written");
    for damaged in flipped.chain(truncated).chain([longer]) {
        fs::write(&path, damaged).expect("written");
        assert_eq!(folder.load().applied(), 3, "the one before is of use");
        assert_eq!(folder.names(), [aside(0, 90), name(1, 3)]);
    }
    fs::write(&path, bytes).expect("written");
    assert_eq!(folder.load().applied(), 90);
}

#[test]
fn a_snapshot_of_another_log_or_layout_is_set_aside() {
    let folder = Folder::new();
    let others =
        [Stamp { incarnation: 8, ..stamp() }, Stamp { layout: ShardLayout::new(63), ..stamp() }];
    for other in others {
        folder.open(stamp()).write(&shard(state())).expect("written");
        assert_eq!(folder.load_where(other, |_| true).applied(), 0);
        assert_eq!(folder.names(), [aside(0, 90)]);
        assert_eq!(folder.load().applied(), 0);
        // The damage is undone.
        let aside = folder.files().remove(0);
        fs::rename(&aside, aside.with_extension("")).expect("renamed");
        assert_eq!(folder.load().applied(), 90);
    }
}

#[test]
fn a_restored_log_takes_the_snapshots_of_its_ancestor_up_to_the_backup() {
    let folder = Folder::new();
    let mut ahead = state();
    ahead.slots[0].loaded_through = 95;
    let restored = |through| Stamp {
        incarnation: 9,
        ancestors: [(8, 200), (7, through)]
            .map(|(incarnation, through)| Ancestor { incarnation, through })
            .into(),
        ..stamp()
    };
    folder.open(stamp()).write(&shard(ahead)).expect("written");
    assert_eq!(folder.load_where(restored(95), |_| true).applied(), 90);
    assert_eq!(
        folder.load_where(restored(95), |_| false).applied(),
        0,
        "of a copy of the ancestor"
    );
    let aside = folder.files().remove(0);
    fs::rename(&aside, aside.with_extension("")).expect("renamed");
    assert_eq!(folder.load_where(restored(94), |_| true).applied(), 0, "a slot is beyond it");
}

#[test]
fn a_snapshot_of_a_later_release_refuses_the_start_and_stays() {
    let folder = Folder::new();
    folder.open(stamp()).write(&shard(state())).expect("written");
    check_formats(folder.folder.path()).expect("of this release");
    let path = folder.files().remove(0);
    let bytes = fs::read(&path).expect("readable");
    // The header of format 4 with another number, and a checksum that fits.
    let length = usize::from(bytes[0]);
    let mut newer = bytes.clone();
    assert_eq!(newer[8..10], [8, 4]);
    newer[9] = 5;
    let crc = crc32fast::hash(&newer[8..8 + length]);
    newer[4..8].copy_from_slice(&crc.to_le_bytes());
    fs::write(&path, &newer).expect("written");
    let refused = check_formats(folder.folder.path()).expect_err("newer").to_string();
    assert!(refused.contains("format 5") && refused.contains("05-0000"), "{refused}");
    assert_eq!(folder.load().applied(), 0);
    assert_eq!(fs::read(&path).expect("still there"), newer);
    // One that comes into the folder of a running worker is not removed for its age.
    for position in [91, 92, 93] {
        folder.open(stamp()).write(&followed(1, position)).expect("written");
    }
    assert_eq!(folder.names(), [name(0, 90), name(1, 92), name(1, 93)]);
    assert_eq!(fs::read(&path).expect("still there"), newer);
    assert_eq!(folder.load().applied(), 93);
    // A flipped bit is no release.
    newer[4] ^= 1;
    fs::write(&path, &newer).expect("written");
    check_formats(folder.folder.path()).expect("damaged, which the load decides");
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
    shards[2].refuse();
    assert_eq!(due(20, Some(3)), [3]);
}

#[tokio::test]
async fn below_the_floor_of_free_space_none_is_written() {
    let folder = Folder::new();
    let shards = Shards::default();
    let live = followed(1, 8);
    live.count(3);
    shards.hold(live);
    let low = folder.open_with_floor(stamp(), FreeBytesFloor::Bytes(u64::MAX));
    low.save_all(&shards).await;
    assert_eq!(folder.names(), [""; 0]);
    assert_eq!(shards.get(SHARD).expect("held").unsaved(), 3, "it is due as before");
    folder.open_with_floor(stamp(), FreeBytesFloor::Bytes(0)).save_all(&shards).await;
    assert_eq!(folder.names(), [name(1, 8)]);
}

#[test]
fn what_fails_leaves_no_part_of_a_file_behind() {
    let folder = Folder::new();
    let snapshots = folder.open(stamp());
    // Nothing can be renamed to it.
    let in_the_way = folder.folder.path().join("shards").join(name(1, 8));
    fs::create_dir_all(in_the_way.join("x")).expect("created");
    snapshots.write(&followed(1, 8)).expect_err("in the way");
    assert_eq!(folder.names(), [name(1, 8)]);
}

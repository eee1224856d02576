//! Snapshot files: written and loaded, damaged, foreign, left over; and the golden one.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use jiff::tz::TimeZone;
use mercer_common::{config::WorkerConfig, event::event_hash, slot::ShardLayout};
use mercer_proto::{
    internal::{
        AdjustStock, Interaction, ItemEvent, ItemFields, Mutation, ProducerBatch, Section,
        SetStock, UpsertItem, UpsertUser, UserFields, mutation, section,
    },
    v1::{EventType, ItemStatus},
};

use super::workload::{ITEMS, SHARD, USERS, layout};
use crate::{
    shard::{
        Shard, ShardState,
        apply::{Prepared, apply},
        snapshot::{Snapshots, Stamp, due},
    },
    store::Store,
};

/// A log that uses every field of the format. Never change it: the golden file holds its state.
fn log() -> Vec<Section> {
    let mut sections: Vec<Section> = (1..=4_u32)
        .map(|number| Section {
            append_time_ms: 1_700_000_000_000 + i64::from(number),
            origin: Some(section::Origin::Producer(ProducerBatch {
                producer_id: vec![u8::try_from(number % 2).expect("small"); 16],
                batch_sequence: number.into(),
                acknowledged_through: number.saturating_sub(2).into(),
                r#final: number == 3,
            })),
            interactions: (USERS.iter().zip(ITEMS.iter().cycle().skip(number as usize)))
                .map(|(user_id, item_id)| Interaction {
                    user_id: user_id.clone(),
                    item_id: item_id.clone(),
                    r#type: (if number == 4 { EventType::Rating } else { EventType::Purchase })
                        .into(),
                    time: 900_000_000 + number,
                    value: number as f32 * 1.25,
                    event_hash: event_hash(&format!("{user_id} {number}")),
                })
                .collect(),
            item_events: (ITEMS.iter())
                .map(|item_id| ItemEvent {
                    item_id: item_id.clone(),
                    r#type: EventType::Purchase.into(),
                    quantity: 0.75,
                    amount_micros: Some(1_990_000),
                    visit: 0xdead_beef_0000_0000 | u64::from(number / 2),
                    ..ItemEvent::default()
                })
                .collect(),
            ..Section::default()
        })
        .collect();
    let mutations = [
        mutation::Kind::UpsertItem(UpsertItem {
            item_id: ITEMS[0].clone(),
            fields: Some(ItemFields {
                title: "Äpfel".into(),
                description: "Red ones".into(),
                category_path: vec!["PRODUCE".into(), "FRUIT".into()],
                brand: "National".into(),
                attributes: [("size".into(), "3 LB".into()), ("colour".into(), "red".into())]
                    .into(),
                list_price_micros: Some(3_990_000),
                unit_cost_micros: Some(-1),
                status: ItemStatus::Inactive.into(),
            }),
            mask: Vec::new(),
        }),
        mutation::Kind::DeleteItem(ITEMS[1].clone()),
        mutation::Kind::UpsertUser(UpsertUser {
            user_id: USERS[0].clone(),
            fields: Some(UserFields {
                attributes: [("tier".into(), "gold".into())].into(),
                denied_item_ids: vec!["elsewhere".into(), ITEMS[2].clone()],
            }),
            mask: Vec::new(),
        }),
        mutation::Kind::DeleteUser(USERS[1].clone()),
        mutation::Kind::SetStock(SetStock {
            item_id: ITEMS[0].clone(),
            location_id: "north".into(),
            on_hand: 12.5,
            as_of_ms: 1_700_000_000_000,
            ..SetStock::default()
        }),
        mutation::Kind::AdjustStock(AdjustStock {
            item_id: ITEMS[0].clone(),
            location_id: String::new(),
            delta: -2.0,
            ..AdjustStock::default()
        }),
    ];
    for origin in ["catalogue", "catalogue"] {
        sections.push(Section {
            append_time_ms: 1_700_000_000_100,
            origin: Some(section::Origin::RequestHash(event_hash(origin))),
            mutations: mutations
                .iter()
                .cloned()
                .map(|kind| Mutation { kind: Some(kind) })
                .collect(),
            ..Section::default()
        });
    }
    sections
}

fn state() -> ShardState {
    let mut state = ShardState::new(layout(), SHARD, TimeZone::UTC);
    for (sequence, section) in (1..).map(|n| n * 10).zip(log()) {
        let prepared = Prepared::new(layout(), SHARD, section).expect("well formed");
        apply(&mut state, sequence, prepared).expect("applies");
    }
    state
}

fn shard(state: ShardState) -> Shard {
    Shard::new(state, "worker".into(), Instant::now())
}

fn stamp() -> Stamp {
    Stamp { incarnation: 7, layout: layout(), zone: TimeZone::UTC }
}

/// A worker's folder.
struct Folder {
    folder: tempfile::TempDir,
    store: Store,
}

impl Folder {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(folder.path()).expect("opens");
        Self { folder, store }
    }

    fn open(&self, stamp: Stamp) -> Snapshots {
        let data_dir = self.folder.path().to_owned();
        let config = WorkerConfig { data_dir, ..WorkerConfig::default() };
        Snapshots::open(&config, stamp, self.store.clone()).expect("opens")
    }

    fn load(&self) -> Shard {
        self.open(stamp()).load(SHARD, &Arc::from("worker"))
    }

    /// The files beside the store, by name.
    fn files(&self) -> Vec<PathBuf> {
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
    assert_eq!((live.unsaved(), live.snapshot_sequence()), (0, 60));

    let loaded = folder.load();
    assert_eq!(folder.names(), ["05-60.snapshot"]);
    assert_eq!((loaded.applied(), loaded.snapshot_sequence()), (60, 60));
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
    assert_eq!(folder.load().applied(), 60);
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
        assert_eq!(folder.names(), ["05-60.damaged"]);
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
    assert_eq!(folder.load().applied(), 60);
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
    shards[4].fail("on purpose");
    assert_eq!(due(20, Some(3)), [2, 3]);
}

/// Format 1 must load for ever. After a new format, add a file and keep this one; to write it,
/// set `MERCER_WRITE_GOLDEN`.
#[test]
fn the_golden_file_loads() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/shard/tests/golden.snapshot");
    let folder = Folder::new();
    let snapshots = folder.open(stamp());
    if std::env::var_os("MERCER_WRITE_GOLDEN").is_some() {
        snapshots.write(&shard(state())).expect("written");
        fs::copy(&folder.files()[0], &golden).expect("copied");
    }
    let path = folder.folder.path().join("shards/05-60.snapshot");
    fs::copy(&golden, path).expect("the golden file is there");
    let loaded = folder.load();
    assert_eq!(loaded.applied(), 60);
    assert!(loaded.read().canonical_encoding() == state().canonical_encoding());
}

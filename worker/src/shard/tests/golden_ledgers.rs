//! What came with version 5 of what records mean, and with format 4 of snapshots, loads for ever.

use std::{fs, path::Path};

use mercer_common::{
    event::encode_section,
    limits,
    log::{Epoch, Mark},
};
use mercer_proto::{
    internal::{Interaction, Section, SnapshotHeader},
    v1::EventType,
};
use prost::Message as _;

use super::{
    files::{Folder, shard, stamp},
    golden::{load, log_1, log_2, state_after},
    workload::{ITEMS, USERS, use_version},
};
use crate::shard::{LineKind, Met, ShardState, snapshot::HEADER_BYTES};

const MARK: Mark = Mark { epoch: Epoch(0x1234 << 100 | 0x5678), position: 110 };

/// Never change it: the golden files hold it.
fn lines() -> Section {
    let line = |number: u32, r#type: EventType| Interaction {
        user_id: USERS[number as usize % 2].clone(),
        item_id: ITEMS[0].clone(),
        r#type: r#type.into(),
        // Past midnight in UTC, not in New York.
        time: 900_000_000 + number / 4 * 86_400 + 36_000,
        value: 1.5,
        quantity_micros: Some(1_500_000 + u64::from(number)),
        amount_micros: (number % 5 != 4).then_some(i64::from(number) * 1_000_000),
        list_price_micros: Some(4_990_000),
        visit: Some(0xab00_0000 + number / 3),
        channel: ["", "app", "shop"][number as usize % 3].into(),
        location_id: (if number.is_multiple_of(3) { "" } else { "north" }).into(),
        promotion: number.is_multiple_of(2),
        ..Interaction::default()
    };
    let mut interactions: Vec<Interaction> = (0..12)
        .map(|number| match number {
            7 | 8 => line(number, EventType::Return),
            _ => line(number, EventType::Purchase),
        })
        .collect();
    // More than there are rows for, and more money than 64 bits hold.
    let many = u32::try_from(limits::LEDGER_ROWS).expect("few") + 3;
    interactions.extend((0..many).map(|day| Interaction {
        user_id: USERS[2].clone(),
        time: 900_000_000 - day * 86_400,
        ..line(1, EventType::Purchase)
    }));
    interactions.extend((0..3).map(|_| Interaction {
        user_id: USERS[2].clone(),
        amount_micros: Some(i64::MAX),
        ..line(1, EventType::Purchase)
    }));
    Section {
        append_time_ms: 1_700_000_000_700,
        log_time_ms: 86_400_000,
        interactions,
        ..Section::default()
    }
}

fn state(lines: Section) -> ShardState {
    let since = Section { append_time_ms: 1_700_000_000_600, ..use_version(5) };
    let mut state = state_after(log_1().into_iter().chain(log_2()).chain([since, lines]));
    state.advance(110);
    state.enter(MARK);
    state
}

/// After a new version, add files and keep these; to write them, set `MERCER_WRITE_GOLDEN`.
#[test]
fn records_of_version_5_and_their_state_load() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/shard/tests");
    let section = tests.join("golden-5.section");
    let snapshot = tests.join("golden-4.snapshot");
    if std::env::var_os("MERCER_WRITE_GOLDEN").is_some() && !snapshot.exists() {
        fs::write(&section, encode_section(&lines())).expect("written");
        let folder = Folder::new();
        folder.open(stamp()).write(&shard(state(lines()))).expect("written");
        fs::copy(&folder.files()[0], snapshot).expect("copied");
    }
    let stored = fs::read(&section).expect("the golden file is there");
    assert_eq!(encode_section(&lines()), stored);
    let decoded = Section::decode(&*stored).expect("decodes");
    assert_eq!(decoded, lines());
    let loaded = load("golden-4.snapshot", 110, MARK);
    let loaded = loaded.read();
    let expected = state(decoded);
    assert_eq!((loaded.apply_version(), loaded.ledgers_since_ms()), (5, Some(1_700_000_000_600)));
    assert!(loaded.canonical_encoding() == expected.canonical_encoding());
    let met =
        |state: &ShardState| -> Vec<Met> { state.users().map(|(_, user)| user.met()).collect() };
    assert_eq!(met(&loaded), met(&expected));
}

/// So that a change of meaning is seen, and not only of bytes.
#[test]
fn records_of_version_5_mean_the_same_for_ever() {
    let state = state(lines());
    let user = state.user(&USERS[1]).expect("known");
    let rows: Vec<_> = (user.ledger().expect("bought").rows())
        .map(|row| {
            let date = row.day.date().to_string();
            (date, row.visit & 0xff, row.channel, row.kind, row.sums.units, row.sums.money)
        })
        .collect();
    let line = |date: &str, visit, channel, kind, number: i128, money: i128| {
        (date.to_owned(), visit, channel, kind, 1_500_000 + number, money * 1_000_000)
    };
    use LineKind::{Regular, Returned, WithoutAmount};
    let expected = [
        line("2018-07-09", 0, "app", Regular, 1, 1),
        line("2018-07-10", 1, "", Regular, 3, 3),
        line("2018-07-10", 1, "shop", Regular, 5, 5),
        line("2018-07-10", 2, "app", Returned, 7, 7),
        line("2018-07-12", 3, "", WithoutAmount, 9, 0),
        line("2018-07-11", 3, "shop", Regular, 11, 11),
    ];
    let mut expected = expected.to_vec();
    expected.sort();
    assert_eq!(rows, expected);
    // They were deleted in between, and met again.
    assert_eq!(user.met(), Met::new(100, 1_700_000_000_700));
    let heavy = state.user(&USERS[2]).expect("known");
    let summary = heavy.ledger().expect("bought").summary();
    assert_eq!(summary.kinds[0].lines, 518);
    assert_eq!(summary.kinds[0].sums.money, 515_000_000 + 3 * i128::from(i64::MAX));
    assert_eq!((summary.orders, summary.purchase_days), (511, 515));
    assert_eq!(heavy.met(), Met::new(10, 1_700_000_000_001));
}

/// A snapshot whose header says something else.
fn with_header(change: impl FnOnce(&mut SnapshotHeader)) -> Folder {
    let golden =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("src/shard/tests/golden-3-keeping.snapshot");
    let mut bytes = fs::read(golden).expect("the golden file is there");
    let length = u32::from_le_bytes(bytes[..4].try_into().expect("4 bytes")) as usize;
    let mut header = SnapshotHeader::decode(&bytes[8..8 + length]).expect("a header");
    assert_eq!((header.format, header.apply_version), (3, 4));
    change(&mut header);
    let payload = header.encode_to_vec();
    bytes[..HEADER_BYTES].fill(0);
    bytes[..4].copy_from_slice(&u32::try_from(payload.len()).expect("small").to_le_bytes());
    bytes[4..8].copy_from_slice(&crc32fast::hash(&payload).to_le_bytes());
    bytes[8..8 + payload.len()].copy_from_slice(&payload);
    let folder = Folder::new();
    drop(folder.open(stamp()));
    fs::write(folder.folder.path().join("shards/05-100.snapshot"), bytes).expect("written");
    folder
}

#[test]
fn a_snapshot_without_ledgers_is_used_where_there_were_none_yet() {
    let before = with_header(|_| {}).load();
    assert_eq!((before.applied(), before.read().ledgers_since_ms()), (100, None));
    // Whoever was met before it was kept was met nowhere.
    assert!(before.read().users().all(|(_, user)| user.met() == Met::default()));
    let beyond = with_header(|header| header.apply_version = 5);
    assert_eq!(beyond.load().applied(), 0, "the log has what it lacks");
    let files = beyond.files();
    let [file] = &*files else { panic!("{files:?}") };
    assert!(file.to_string_lossy().ends_with(".set-aside"), "{}", file.display());
}

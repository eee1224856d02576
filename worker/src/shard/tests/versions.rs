//! What a worker does with records that a later release wrote, and where the meaning changes.

use std::fs;

use jiff::tz::TimeZone;
use mercer_common::event::{APPLY_VERSION, IdHasher, Side, encode_section, event_hash};
use mercer_proto::internal::{
    Interaction, ItemEvent, Mutation, Section, UseApplyVersion, section::Origin,
};
use prost::encoding::{WireType, encode_key, encode_varint};

use super::{
    files::{Folder, shard},
    workload::{HASHER, ITEMS, SHARD, USERS, layout, use_version, use_version_2},
};
use crate::shard::{
    ApplyError, ShardState,
    apply::{Prepared, apply},
};

fn state() -> ShardState {
    ShardState::new(layout(), SHARD, TimeZone::UTC)
}

fn decode(bytes: &[u8]) -> Result<Prepared, ApplyError> {
    Prepared::decode(layout(), SHARD, bytes)
}

fn step(state: &mut ShardState, sequence: u64, section: &Section) {
    apply(state, sequence, decode(&encode_section(section)).expect("valid")).expect("applies");
}

#[test]
fn a_version_that_is_not_known_is_refused_and_says_to_upgrade() {
    let mut state = state();
    let section = encode_section(&use_version(APPLY_VERSION + 1));
    let refused = apply(&mut state, 1, decode(&section).expect("a section")).expect_err("refused");
    assert_eq!(
        refused.to_string(),
        format!(
            "records mean what apply version {} says from here on, and this release knows \
             {APPLY_VERSION}; upgrade this worker",
            APPLY_VERSION + 1
        )
    );
}

#[test]
fn a_record_of_unknown_kind_is_refused_and_says_to_upgrade() {
    // A field that comes after all known ones.
    let mut later = encode_section(&use_version_2()).to_vec();
    encode_key(13, WireType::Varint, &mut later);
    encode_varint(1, &mut later);
    let mutation = Section { mutations: vec![Mutation { kind: None }], ..Section::default() };
    let event = ItemEvent { item_id: ITEMS[0].clone(), r#type: 77, ..ItemEvent::default() };
    let event = Section { item_events: vec![event], ..Section::default() };
    for bytes in [later, encode_section(&mutation).to_vec(), encode_section(&event).to_vec()] {
        let refused = decode(&bytes).expect_err("refused");
        assert!(matches!(refused, ApplyError::UnknownRecord(_)), "{refused}");
        assert!(refused.to_string().ends_with("upgrade this worker"), "{refused}");
    }
}

#[test]
fn malformed_hashes_and_keys_are_refused() {
    let key = HASHER.key_of("a", 1, Side::User).to_bytes();
    let hash = event_hash("a");
    let ids = [
        (hash.clone(), key.clone()),
        (hash[1..].to_vec(), Vec::new()),
        (Vec::new(), key[1..].to_vec()),
        (Vec::new(), [&key[..8], &[0; 8]].concat()),
    ];
    for (event_hash, event_key) in ids {
        let interaction = Interaction {
            user_id: USERS[0].clone(),
            item_id: ITEMS[0].clone(),
            r#type: 1,
            event_hash: event_hash.clone(),
            event_key: event_key.clone(),
            ..Interaction::default()
        };
        let section = Section { interactions: vec![interaction], ..Section::default() };
        let refused = decode(&encode_section(&section)).expect_err("refused");
        assert!(matches!(refused, ApplyError::Malformed(_)), "{event_hash:?} {event_key:?}");
    }
    for origin in [Origin::RequestHash(Vec::new()), Origin::RequestKey(vec![1; 15])] {
        let section = Section { origin: Some(origin), ..Section::default() };
        assert!(decode(&encode_section(&section)).is_err());
    }
}

#[test]
fn only_a_rise_counts_and_its_first_key() {
    let mut state = state();
    assert_eq!(state.apply_version(), 1);
    let origin = Some(Origin::RequestHash(event_hash("a")));
    step(&mut state, 1, &Section { origin, ..Section::default() });
    step(&mut state, 2, &use_version(0));
    step(&mut state, 3, &use_version(1));
    assert_eq!(state.apply_version(), 1);
    step(&mut state, 4, &use_version_2());
    assert_eq!(state.apply_version(), 2);
    let before = state.canonical_encoding();
    let id_key = IdHasher::of_cluster(99).key();
    let other = UseApplyVersion { version: 2, id_key };
    step(&mut state, 5, &Section { use_apply_version: Some(other), ..Section::default() });
    step(&mut state, 6, &use_version(1));
    assert!(state.canonical_encoding() == before);
    assert_eq!(state.apply_version(), 2);
}

#[test]
fn a_snapshot_of_a_later_version_is_not_used() {
    let folder = Folder::new();
    let mut live = state();
    step(&mut live, 7, &use_version_2());
    live.apply_version = APPLY_VERSION + 1;
    let snapshots = folder.open(super::files::stamp());
    snapshots.write(&shard(live)).expect("written");
    assert_eq!(folder.load().applied(), 0);
    let mut live = state();
    step(&mut live, 7, &use_version_2());
    fs::remove_dir_all(folder.folder.path().join("shards")).expect("removed");
    fs::create_dir(folder.folder.path().join("shards")).expect("created");
    snapshots.write(&shard(live)).expect("written");
    let loaded = folder.load();
    assert_eq!((loaded.applied(), loaded.read().apply_version()), (7, 2));
}

//! A replay ends where the first pass did, wherever a snapshot caught each slot; and the order
//! in which events arrive does not matter.

use mercer_proto::internal::{Section, SlotSection};
use proptest::{collection::vec, prelude::*, sample::Index};
use prost::Message as _;

use super::{
    keeping_workload,
    workload::{SHARD, interaction, item_event, layout, log, zone},
};
use crate::shard::{
    ApplyError, Directory, Met, ShardState,
    apply::{Application, Prepared, apply},
    dedup::Dedup,
};

fn step(state: &mut ShardState, sequence: u64, section: &Section) {
    let prepared = Prepared::new(layout(), SHARD, section.clone()).expect("well formed");
    apply(state, sequence, prepared).expect("applies");
}

/// Goes on from `position` sections, begins a snapshot after `start`, copies each slot some
/// sections later, crashes, and loads what was written.
fn snapshot(
    mut live: ShardState,
    log: &[(u64, Section)],
    position: usize,
    start: usize,
    copies: &[Index],
) -> ShardState {
    let copies: Vec<usize> =
        copies.iter().map(|copy| start + copy.index(log.len() + 1 - start)).collect();
    let mut loaded = ShardState::new(layout(), SHARD, zone());
    for applied in position..=log.len() {
        if applied == start {
            loaded.dedup = Dedup::decode(&live.dedup.encode()).expect("its own encoding");
            loaded.directory = Directory::decode(live.directory.encode(), zone()).expect("amounts");
            loaded.applied = live.applied;
            loaded.apply_version = live.apply_version;
            loaded.ledgers_since_ms = live.ledgers_since_ms;
        }
        for (place, _) in copies.iter().enumerate().filter(|(_, copy)| **copy == applied) {
            let bytes = live.encode_slot(place).encode_to_vec();
            let section = SlotSection::decode(&*bytes).expect("its own encoding");
            loaded.load_slot(section).expect("its own encoding");
        }
        if let Some((sequence, section)) = log.get(applied) {
            step(&mut live, *sequence, section);
        }
    }
    loaded.index_popularity();
    loaded
}

fn everything(state: &ShardState) -> (Vec<u8>, Vec<String>) {
    let popular = state.by_popularity().map(|item| item.id().to_owned());
    (state.canonical_encoding(), popular.collect())
}

fn met(state: &ShardState) -> Vec<Met> {
    state.users().map(|(_, user)| user.met()).collect()
}

proptest! {
    #[test]
    fn replay_from_snapshots_equals_no_crash(
        log in prop_oneof![2 => log(30), 1 => keeping_workload::logs()],
        snapshots in vec((any::<Index>(), vec(any::<Index>(), layout().slots(SHARD).len())), 1..4),
    ) {
        let mut first = ShardState::new(layout(), SHARD, zone());
        for (sequence, section) in &log {
            step(&mut first, *sequence, section);
        }
        // Each snapshot is taken while the shard replays from the one before.
        let mut replayed = ShardState::new(layout(), SHARD, zone());
        let mut position = 0;
        for (start, copies) in &snapshots {
            let start = position + start.index(log.len() + 1 - position);
            replayed = snapshot(replayed, &log[..], position, start, copies);
            position = start;
        }
        for (sequence, section) in &log[position..] {
            step(&mut replayed, *sequence, section);
        }
        prop_assert_eq!(everything(&replayed), everything(&first));
        prop_assert_eq!(met(&replayed), met(&first));
        // What is already applied changes nothing.
        for (sequence, section) in &log {
            step(&mut replayed, *sequence, section);
        }
        prop_assert_eq!(everything(&replayed), everything(&first));
    }

    #[test]
    fn arrival_order_of_events_does_not_matter(
        (records, shuffled) in vec((interaction(), item_event()), 0..60).prop_flat_map(|records| {
            let unhashed: Vec<_> = records
                .into_iter()
                .map(|(mut left, mut right)| {
                    left.event_hash.clear();
                    left.event_key.clear();
                    right.event_hash.clear();
                    right.event_key.clear();
                    (left, right)
                })
                .collect();
            (Just(unhashed.clone()), Just(unhashed).prop_shuffle())
        }),
        size in 1..7_usize,
    ) {
        let run = |records: &[(_, _)], size: usize| {
            let mut state = ShardState::new(layout(), SHARD, zone());
            for (sequence, records) in (1..).zip(records.chunks(size)) {
                let (interactions, item_events) = records.iter().cloned().unzip();
                step(&mut state, sequence, &Section { interactions, item_events, ..Section::default() });
            }
            everything(&state)
        };
        prop_assert_eq!(run(&records, 3), run(&shuffled, size));
    }

    #[test]
    fn a_section_in_steps_equals_a_section_at_once(
        log in prop_oneof![log(8), keeping_workload::logs()],
        budget in 1..5_usize,
    ) {
        let (mut whole, mut steps) =
            (ShardState::new(layout(), SHARD, zone()), ShardState::new(layout(), SHARD, zone()));
        for (sequence, section) in &log {
            step(&mut whole, *sequence, section);
            let prepared = Prepared::new(layout(), SHARD, section.clone()).expect("well formed");
            let mut application = Application::new(*sequence, prepared);
            while !application.advance(&mut steps, &mut budget.clone()).expect("applies") {
                prop_assert!(steps.applied() < *sequence);
            }
        }
        prop_assert_eq!(everything(&whole), everything(&steps));
    }

    #[test]
    fn damaged_sections_are_refused_or_applied_but_never_panic(
        log in prop_oneof![log(4), keeping_workload::logs()],
        damage in vec((any::<Index>(), any::<u8>()), 0..4),
        cut in any::<Index>(),
    ) {
        let mut state = ShardState::new(layout(), SHARD, zone());
        for (sequence, section) in log {
            let mut bytes = section.encode_to_vec();
            for (place, byte) in &damage {
                if !bytes.is_empty() {
                    let place = place.index(bytes.len());
                    bytes[place] = *byte;
                }
            }
            bytes.truncate(bytes.len() - cut.index(bytes.len() + 1) / 4);
            match Prepared::decode(layout(), SHARD, &bytes) {
                Ok(prepared) => match apply(&mut state, sequence, prepared) {
                    Ok(()) | Err(ApplyError::NewerVersion { .. }) => {}
                    Err(error) => panic!("{error}"),
                },
                Err(ApplyError::Undecodable(_) | ApplyError::Malformed(_) | ApplyError::UnknownRecord(_)) => {}
                Err(error) => panic!("{error}"),
            }
        }
        prop_assert!(!state.canonical_encoding().is_empty());
    }
}

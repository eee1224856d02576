//! The edges of deduplication: floor, window, final producers, forgetting.

use mercer_common::event::{IdHasher, IdKey, Side};

use crate::shard::{
    apply::{Batch, Origin, SentAs},
    dedup::{Dedup, Times},
};

const DAY_MS: i64 = 86_400_000;

fn batch(batch: u64, acknowledged_through: u64) -> Origin {
    let (producer, number) = ([7; 16], batch);
    Origin::Producer(Batch { producer, number, acknowledged_through, is_final: false })
}

fn last_batch(batch: u64, acknowledged_through: u64) -> Origin {
    let (producer, number) = ([7; 16], batch);
    Origin::Producer(Batch { producer, number, acknowledged_through, is_final: true })
}

/// By the wall clock, which counts in version 1.
fn at(append_ms: i64) -> Times {
    Times { append_ms, log_ms: 0 }
}

/// Decides as it did before, after a restart.
fn restarted(dedup: &Dedup) -> Dedup {
    Dedup::decode(&dedup.encode()).expect("its own encoding")
}

#[test]
fn batches_apply_once_in_any_order_within_the_window() {
    let mut dedup = Dedup::default();
    for number in [3, 1, 64, 2, 63] {
        assert!(dedup.admit(at(0), &batch(number, 0), 5), "{number}");
        dedup = restarted(&dedup);
    }
    for number in [1, 2, 3, 63, 64] {
        assert!(!dedup.admit(at(0), &batch(number, 0), 5), "{number}");
    }
    assert_eq!(dedup.duplicates(), 25);
    assert!(dedup.admit(at(0), &batch(4, 0), 1), "not applied before");
}

#[test]
fn everything_at_or_below_the_floor_is_a_duplicate() {
    let mut dedup = Dedup::default();
    assert!(dedup.admit(at(0), &batch(10, 8), 1));
    assert!(
        !dedup.admit(at(0), &batch(8, 0), 1),
        "acknowledged, so applied or without records here"
    );
    assert!(dedup.admit(at(0), &batch(9, 0), 1), "above the floor");
    assert!(!dedup.admit(at(0), &batch(10, 8), 1));
    assert!(dedup.admit(at(0), &batch(10_000, 9_936), 1), "a shard may see few batches");
    assert!(!dedup.admit(at(0), &batch(9_936, 9_935), 1));
    assert!(dedup.admit(at(0), &batch(9_937, 9_936), 1));
    assert!(dedup.admit(at(0), &batch(u64::MAX, u64::MAX - 1), 1));
    assert!(!restarted(&dedup).admit(at(0), &batch(u64::MAX, 0), 1));
}

#[test]
fn a_producer_is_forgotten_a_week_after_its_last_batch() {
    let mut dedup = Dedup::default();
    assert!(dedup.admit(at(0), &batch(1, 0), 1));
    assert!(!dedup.admit(at(6 * DAY_MS), &batch(1, 0), 1), "this counts as its last batch");
    assert!(!restarted(&dedup).admit(at(13 * DAY_MS), &batch(1, 0), 1));
    assert!(restarted(&dedup).admit(at(13 * DAY_MS + 1), &batch(1, 0), 1));
}

#[test]
fn a_final_producer_is_never_forgotten() {
    let mut dedup = Dedup::default();
    assert!(dedup.admit(at(0), &last_batch(3, 1), 1));
    assert!(dedup.admit(at(0), &batch(2, 0), 1), "still under way when the last one arrived");
    let mut dedup = restarted(&dedup);
    for number in 1..=3 {
        assert!(!dedup.admit(at(1_000 * DAY_MS), &batch(number, number - 1), 1), "{number}");
    }
}

#[test]
fn ids_are_forgotten_after_a_day_and_sides_are_apart() {
    let mut dedup = Dedup::default();
    assert!(dedup.admit(at(0), &Origin::Request(SentAs::Hash(4)), 1));
    for side in [Side::User, Side::Item] {
        assert!(dedup.admit_event(SentAs::Hash(4), side));
        assert!(!dedup.admit_event(SentAs::Hash(4), side));
    }
    let mut dedup = restarted(&dedup);
    assert!(!dedup.admit(at(DAY_MS), &Origin::Request(SentAs::Hash(4)), 3));
    assert!(!dedup.admit_event(SentAs::Hash(4), Side::User));
    assert!(
        dedup.admit(at(DAY_MS + 1), &Origin::Request(SentAs::Hash(4)), 3),
        "being seen again prolongs nothing"
    );
    assert!(dedup.admit_event(SentAs::Hash(4), Side::User));
    assert_eq!(dedup.duplicates(), 2 + 3 + 1);
}

#[test]
fn the_oldest_ids_give_way_to_new_ones() {
    let mut dedup = Dedup::with_capacity(3);
    // The lowest two bits of a hash are not kept.
    for hash in [0, 4, 8, 12] {
        assert!(dedup.admit_event(SentAs::Hash(hash), Side::User));
    }
    assert!(!dedup.admit_event(SentAs::Hash(4), Side::User));
    assert!(dedup.admit_event(SentAs::Hash(0), Side::User), "forgotten");
    assert!(dedup.admit_event(SentAs::Hash(4), Side::User), "given way to 0");
}

#[test]
fn append_times_that_fall_do_no_harm() {
    let mut dedup = Dedup::default();
    assert!(dedup.admit(at(i64::MAX), &batch(1, 0), 1));
    assert!(dedup.admit_event(SentAs::Hash(4), Side::Item));
    assert!(!dedup.admit(at(i64::MIN), &batch(1, 0), 1));
    assert!(!dedup.admit_event(SentAs::Hash(4), Side::Item));
}

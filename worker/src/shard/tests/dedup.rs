//! The edges of deduplication: floor, window, final producers, forgetting.

use mercer_common::event::{IdHasher, Side, event_hash};

use crate::shard::{
    dedup::{Capacity, Dedup, Times},
    origin::{Batch, Origin, SentAs},
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

/// Times by the wall clock, which counts in version 1.
fn at(append_ms: i64) -> Times {
    Times { append_ms, log_ms: 0 }
}

/// Times by the log's clock, which counts since version 2; the wall clock says anything.
fn logged(log_ms: i64) -> Times {
    Times { append_ms: log_ms.wrapping_mul(-977), log_ms }
}

fn hasher() -> IdHasher {
    IdHasher::of_cluster(3)
}

/// The number of an id and of its content.
fn sent(id: u128, content: u128, side: Side) -> SentAs {
    SentAs::Key(hasher().key_of(&id.to_string(), content, side))
}

/// As `sent`, in version 1.
fn hash(id: u128) -> SentAs {
    SentAs::Hash(u128::from_be_bytes(event_hash(&id.to_string()).try_into().expect("16 bytes")))
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
    let mut dedup = Dedup::with_capacity(3, Capacity::default());
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

#[test]
fn an_id_with_other_content_is_another_event_and_counts_as_a_clash() {
    let mut dedup = Dedup::default();
    dedup.use_content(hasher(), logged(0));
    for content in [1, 2, 3] {
        for side in [Side::User, Side::Item] {
            assert!(dedup.admit_event(sent(7, content, side), side), "{content} {side:?}");
            dedup = restarted(&dedup);
            for repeated in 1..=content {
                assert!(!dedup.admit_event(sent(7, repeated, side), side), "{repeated} {side:?}");
            }
        }
    }
    // An event counts on its item's side alone.
    assert_eq!((dedup.clashes(), dedup.duplicates()), (2, 2 * (1 + 2 + 3)));
    let request = |content| Origin::Request(sent(7, content, Side::Request));
    assert!(dedup.admit(logged(0), &request(1), 5));
    assert!(dedup.admit(logged(0), &request(2), 5));
    assert!(!dedup.admit(logged(0), &request(1), 5));
    assert_eq!(dedup.clashes(), 3);
}

#[test]
fn what_was_remembered_in_version_1_matches_any_content() {
    let mut dedup = Dedup::default();
    assert!(dedup.admit(at(0), &Origin::Request(hash(7)), 1));
    for side in [Side::User, Side::Item] {
        assert!(dedup.admit_event(hash(7), side));
    }
    let mut dedup = restarted(&dedup);
    dedup.use_content(hasher(), logged(0));
    let mut dedup = restarted(&dedup);
    for content in [1, 2] {
        assert!(!dedup.admit(logged(0), &Origin::Request(sent(7, content, Side::Request)), 1));
        for side in [Side::User, Side::Item] {
            assert!(!dedup.admit_event(sent(7, content, side), side), "{content} {side:?}");
        }
    }
    // What was written before the switch and came to the log after it means the same.
    assert!(!dedup.admit_event(hash(7), Side::User));
    assert!(dedup.admit_event(hash(8), Side::User));
    assert!(!dedup.admit_event(sent(8, 1, Side::User), Side::User));
    assert!(dedup.admit_event(sent(9, 1, Side::User), Side::User));
    assert!(!dedup.admit_event(hash(9), Side::User), "whatever its content is");
    assert_eq!(dedup.clashes(), 0);
}

/// Whatever both clocks say at the switch: near each other, or years apart.
#[test]
fn what_is_remembered_keeps_its_age_at_the_switch() {
    const YEAR_MS: i64 = 365 * DAY_MS;
    for (wall, log) in
        [(0, 0), (50 * YEAR_MS, 50 * YEAR_MS), (50 * YEAR_MS, 17), (17, 50 * YEAR_MS)]
    {
        let mut dedup = Dedup::default();
        assert!(dedup.admit(at(wall), &batch(1, 0), 1));
        assert!(dedup.admit_event(hash(1), Side::Item));
        let hour = DAY_MS / 24;
        assert!(dedup.admit(at(wall + 10 * hour), &Origin::Request(hash(2)), 1));
        assert!(dedup.admit(at(wall + 20 * hour), &Origin::Untracked, 1));
        dedup.use_content(hasher(), logged(log));
        // The first is 20 hours old, the second 10 hours.
        for (passed, first, second) in [
            (0, true, true),
            (4, true, true),
            (5, false, true),
            (14, false, true),
            (15, false, false),
        ] {
            let mut dedup = restarted(&dedup);
            let now = logged(log + passed * hour);
            let known = !dedup.admit(now, &Origin::Request(sent(2, 1, Side::Request)), 1);
            assert_eq!(known, second, "{wall} {log}, {passed} hours later");
            let known = !dedup.admit_event(sent(1, 1, Side::Item), Side::Item);
            assert_eq!(known, first, "{wall} {log}, {passed} hours later");
        }
        let week = 7 * DAY_MS - 20 * hour;
        assert!(!restarted(&dedup).admit(logged(log + week), &batch(1, 0), 1));
        assert!(restarted(&dedup).admit(logged(log + week + 1), &batch(1, 0), 1));
    }
}

/// Set between any two calls, to any time.
#[test]
fn no_setting_of_the_wall_clock_forgets_or_remembers() {
    const STEPS_MS: [i64; 5] = [0, 1_000, DAY_MS / 24, 2 * DAY_MS, 8 * DAY_MS];
    let steps: Vec<i64> = STEPS_MS.iter().flat_map(|&step| [step, -step]).collect();
    let hour = DAY_MS / 24;
    for first in &steps {
        for second in &steps {
            let mut dedup = Dedup::default();
            dedup.use_content(hasher(), logged(0));
            let mut wall = 1_700_000_000_000;
            let mut call = |hours: i64, step: i64, sent: SentAs| {
                wall += hour + step;
                let times = Times { append_ms: wall, log_ms: hours * hour };
                let batch = dedup.admit(times, &batch(1, 0), 0);
                (batch, dedup.admit_event(sent, Side::Item))
            };
            let event = sent(1, 1, Side::Item);
            assert_eq!(call(1, 0, event), (true, true));
            assert_eq!(call(2, *first, event), (false, false), "{first} {second}");
            assert_eq!(call(25, *second, event), (false, false), "{first} {second}");
            assert_eq!(call(26, -*first, event), (false, true), "a day of log time has passed");
            assert_eq!(call(26 + 7 * 24, 0, event), (false, true), "a week after its last batch");
            assert_eq!(call(27 + 14 * 24, 0, event), (true, true), "more than a week");
        }
    }
}

#[test]
fn the_oldest_keys_give_way_to_new_ones() {
    let mut dedup = Dedup::with_capacity(3, Capacity::default());
    dedup.use_content(hasher(), logged(0));
    let key = |id, content| sent(id, content, Side::Item);
    for (id, content) in [(1, 1), (1, 2), (2, 1), (3, 1)] {
        assert!(dedup.admit_event(key(id, content), Side::Item));
    }
    assert!(!dedup.admit_event(key(1, 2), Side::Item));
    assert!(dedup.admit_event(key(1, 1), Side::Item), "forgotten");
    assert_eq!(dedup.clashes(), 2, "its id was known by its other content");
}

/// Decides as it did before, after a restart since version 3.
fn restarted_bounded(dedup: &Dedup) -> Dedup {
    let mut dedup = restarted(dedup);
    dedup.use_bounds();
    dedup
}

fn bounded(producers: usize, finished: usize) -> Dedup {
    let mut dedup = Dedup::with_capacity(100, Capacity { producers, finished });
    dedup.use_content(hasher(), logged(0));
    dedup.use_bounds();
    dedup
}

fn batch_of(producer: u8, number: u64, is_final: bool) -> Origin {
    let acknowledged_through = number.saturating_sub(2);
    Origin::Producer(Batch { producer: [producer; 16], number, acknowledged_through, is_final })
}

#[test]
fn since_version_3_the_producers_that_were_quiet_longest_give_way() {
    let mut dedup = bounded(3, 3);
    for producer in [1, 2, 3, 1, 4] {
        let time = logged(i64::from(producer) + 10);
        dedup.admit(time, &batch_of(producer, 5, false), 1);
    }
    assert!(!dedup.admit(logged(20), &batch_of(1, 5, false), 1), "it came again");
    assert!(!dedup.admit(logged(20), &batch_of(4, 5, false), 1));
    assert!(dedup.admit(logged(20), &batch_of(2, 5, false), 1), "forgotten");
    assert_eq!(dedup.encode().producers.len(), 3);
}

#[test]
fn since_version_3_a_finished_producer_keeps_its_window_for_a_week_then_its_highest_number() {
    let mut dedup = bounded(10, 10);
    assert!(dedup.admit(logged(0), &batch_of(1, 9, true), 1));
    assert!(dedup.admit(logged(0), &batch_of(1, 8, false), 1), "was still on its way");
    dedup = restarted_bounded(&dedup);
    assert!(!dedup.admit(logged(1), &batch_of(1, 9, true), 1));
    // Others move the clock.
    assert!(dedup.admit(logged(8 * DAY_MS), &batch_of(2, 1, false), 1));
    let entries = dedup.encode().producers;
    let of_first = entries.iter().find(|entry| entry.producer_id == [1; 16]).expect("remembered");
    assert!(of_first.floor_only && of_first.r#final, "{of_first:?}");
    assert_eq!((of_first.floor, of_first.applied_above), (9, 0));
    for dedup in [&mut restarted_bounded(&dedup), &mut dedup] {
        for number in 1..=9 {
            let late = dedup.admit(logged(900 * DAY_MS), &batch_of(1, number, number == 9), 1);
            assert!(!late, "{number} is of a replay from the start");
        }
        assert!(dedup.admit(logged(900 * DAY_MS), &batch_of(1, 10, false), 1), "it goes on");
        assert!(!dedup.admit(logged(900 * DAY_MS), &batch_of(1, 10, false), 1));
        assert!(!dedup.admit(logged(900 * DAY_MS), &batch_of(1, 9, true), 1));
        assert_eq!(dedup.finished(), 1);
    }
}

#[test]
fn since_version_3_a_finished_producer_too_many_is_remembered_like_any_other() {
    let mut dedup = bounded(10, 2);
    for producer in 1..=3 {
        assert!(dedup.admit(logged(0), &batch_of(producer, 1, true), 1));
        assert!(!dedup.admit(logged(0), &batch_of(producer, 1, true), 1));
    }
    assert_eq!(dedup.finished(), 2);
    assert!([1, 2].iter().all(|&known| dedup.is_finished(&[known; 16])));
    assert!(!dedup.is_finished(&[3; 16]));
    let late = logged(8 * DAY_MS);
    assert!(!dedup.admit(late, &batch_of(1, 1, true), 1));
    assert!(!dedup.admit(late, &batch_of(2, 1, true), 1));
    assert!(dedup.admit(late, &batch_of(3, 1, false), 1), "forgotten after a week");
}

#[test]
fn before_version_3_finished_producers_are_remembered_without_a_bound() {
    let mut dedup = Dedup::with_capacity(100, Capacity { producers: 1, finished: 1 });
    dedup.use_content(hasher(), logged(0));
    for producer in 1..=9 {
        assert!(dedup.admit(logged(0), &batch_of(producer, 1, true), 1));
    }
    let late = logged(900 * DAY_MS);
    for producer in 1..=9 {
        assert!(!dedup.admit(late, &batch_of(producer, 1, true), 1));
    }
    assert_eq!((dedup.finished(), dedup.encode().producers.len()), (9, 9));
    // What is remembered beyond the bound stays, and takes the little that is needed.
    dedup.use_bounds();
    assert!(dedup.admit(logged(910 * DAY_MS), &batch_of(10, 1, true), 1));
    for producer in 1..=9 {
        assert!(!dedup.admit(logged(910 * DAY_MS), &batch_of(producer, 1, true), 1));
    }
    assert_eq!(dedup.finished(), 9);
}

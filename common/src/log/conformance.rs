//! What every implementation of [`EventLog`] must do, as one suite that their tests run.
//!
//! It holds for logs that store an append twice, do not confirm it, or return less than they
//! could, as long as they lose nothing that they acknowledged.

use std::{collections::HashSet, ops::Range, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::time::timeout;

use super::{APPEND_BYTES, Appended, Cursor, Epoch, EventLog, Fetched, LogError, Sequence};
use crate::slot::ShardId;

const LOTS: usize = 1 << 20;
/// Only a log that hangs is stopped by it.
const HANGS: Duration = Duration::from_secs(60);
const SHARDS: ShardId = 4;

/// Runs the suite; `create` makes an empty log for every part of it.
///
/// # Panics
/// When the log breaks the contract.
pub async fn run<L: EventLog>(create: impl Fn() -> Arc<L>) {
    timeout(HANGS, sections_come_back_in_order(create().as_ref())).await.expect("hangs");
    timeout(HANGS, positions_bound_a_fetch(create().as_ref())).await.expect("hangs");
    timeout(HANGS, appends_are_whole(create())).await.expect("hangs");
    timeout(HANGS, a_fetch_waits_for_its_shards(create())).await.expect("hangs");
    timeout(HANGS, a_busy_shard_starves_nobody(create().as_ref())).await.expect("hangs");
    timeout(HANGS, trimming_is_seen(create().as_ref())).await.expect("hangs");
    timeout(HANGS, nobody_is_ahead(create().as_ref())).await.expect("hangs");
    timeout(HANGS, log_time_never_goes_back(create().as_ref())).await.expect("hangs");
    timeout(HANGS, refusals_leave_no_trace(create().as_ref())).await.expect("hangs");
}

/// Appends until it is confirmed, as producers do.
async fn append(log: &dyn EventLog, sections: Vec<(ShardId, Bytes)>) -> Appended {
    loop {
        match log.append(sections.clone()).await {
            Ok(appended) => {
                assert_eq!(appended.sequences.len(), sections.len());
                assert!(appended.sequences.is_sorted_by(|left, right| left < right));
                assert!(appended.sequences.last().is_none_or(|last| *last <= log.end()));
                return appended;
            }
            Err(LogError::Unconfirmed) => {}
            Err(error) => panic!("append: {error}"),
        }
    }
}

/// A section that names its append and its place in it.
fn section(append: usize, place: usize) -> Bytes {
    Bytes::from(format!("{append}/{place}"))
}

/// Checks what holds for every fetch, and moves the cursors on.
fn advance(cursors: &mut [Cursor], fetched: &Fetched) {
    assert_eq!(fetched.shards.len(), cursors.len());
    for (cursor, shard) in cursors.iter_mut().zip(&fetched.shards) {
        assert_eq!(shard.shard, cursor.shard);
        let mut position = cursor.after;
        for found in &shard.sections {
            assert!(found.sequence > position, "positions grow");
            position = found.sequence;
        }
        assert!(shard.next >= position, "the cursor never moves back");
        (cursor.after, cursor.epoch) = (shard.next, shard.epoch);
    }
}

/// Reads shards from the positions given until they reach `end`.
async fn read(
    log: &dyn EventLog,
    cursors: &mut [Cursor],
    end: Sequence,
    max_bytes: usize,
) -> Vec<Vec<(Sequence, Bytes)>> {
    let mut found = vec![Vec::new(); cursors.len()];
    while cursors.iter().any(|cursor| cursor.after < end) {
        let fetched = log.fetch(cursors, max_bytes, Duration::ZERO).await.expect("fetched");
        assert!(fetched.end >= end);
        advance(cursors, &fetched);
        for (found, shard) in found.iter_mut().zip(fetched.shards) {
            found.extend(shard.sections.into_iter().map(|found| (found.sequence, found.section)));
        }
    }
    found
}

/// A cursor at what the log holds.
fn cursor(log: &dyn EventLog, shard: ShardId, after: Sequence) -> Cursor {
    Cursor { shard, after, epoch: log.epoch_at(after) }
}

fn all_shards(log: &dyn EventLog, after: Sequence) -> Vec<Cursor> {
    (0..SHARDS).map(|shard| cursor(log, shard, after)).collect()
}

/// Without repetitions, as apply drops duplicates.
fn distinct(sections: &[(Sequence, Bytes)]) -> Vec<Bytes> {
    let mut seen = HashSet::new();
    let sections = sections.iter().map(|(_, section)| section.clone());
    sections.filter(|section| seen.insert(section.clone())).collect()
}

async fn sections_come_back_in_order(log: &dyn EventLog) {
    let mut expected = vec![Vec::new(); usize::from(SHARDS)];
    let mut acknowledged = Vec::new();
    for number in 0..50_usize {
        let sections: Vec<(ShardId, Bytes)> = (0..number % 7)
            .map(|place| {
                let shard = (number * 5 + place * place) % usize::from(SHARDS);
                (ShardId::try_from(shard).expect("few shards"), section(number, place))
            })
            .collect();
        for (shard, section) in &sections {
            expected[usize::from(*shard)].push(section.clone());
        }
        let appended = append(log, sections.clone()).await;
        acknowledged.extend(appended.sequences.into_iter().zip(sections));
    }
    for max_bytes in [LOTS, 100, 0] {
        let found = read(log, &mut all_shards(log, 0), log.end(), max_bytes).await;
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!(&distinct(found), expected);
        }
        for (sequence, (shard, section)) in &acknowledged {
            assert!(found[usize::from(*shard)].contains(&(*sequence, section.clone())));
        }
    }
}

async fn positions_bound_a_fetch(log: &dyn EventLog) {
    for number in 0..10 {
        append(
            log,
            vec![(1, section(number, 0)), (2, section(number, 1)), (1, section(number, 2))],
        )
        .await;
    }
    let end = log.end();
    let all = read(log, &mut all_shards(log, 0), end, LOTS).await;
    assert!(all[0].is_empty() && all[3].is_empty());
    for after in 0..=end {
        // The same shard twice.
        let mut cursors = [(1, after), (2, end - after), (1, end)]
            .map(|(shard, after)| cursor(log, shard, after));
        let found = read(log, &mut cursors, end, 1 + after as usize).await;
        let later = |shard: usize, after| {
            all[shard].iter().filter(|(at, _)| *at > after).cloned().collect::<Vec<_>>()
        };
        assert_eq!(found, [later(1, after), later(2, end - after), vec![]]);
        assert_eq!(cursors.map(|cursor| cursor.after), [end; 3]);
    }
}

/// Appends for each of these numbers, one after another, a section to every shard.
async fn write<L: EventLog>(log: Arc<L>, numbers: Range<usize>) {
    for number in numbers {
        let sections = (0..SHARDS).map(|shard| (shard, section(number, usize::from(shard))));
        append(log.as_ref(), sections.collect()).await;
    }
}

/// Fetches until each shard has given `count` different sections; what it gave, by shard.
async fn follow<L: EventLog>(log: Arc<L>, count: usize) -> Vec<Vec<(Sequence, Bytes)>> {
    let mut cursors = all_shards(log.as_ref(), 0);
    let mut found: Vec<Vec<(Sequence, Bytes)>> = vec![Vec::new(); cursors.len()];
    while found.iter().any(|found| distinct(found).len() != count) {
        let fetched = log.fetch(&cursors, 200, HANGS).await.expect("fetched");
        advance(&mut cursors, &fetched);
        for (found, shard) in found.iter_mut().zip(fetched.shards) {
            found.extend(shard.sections.into_iter().map(|it| (it.sequence, it.section)));
        }
    }
    found
}

async fn appends_are_whole<L: EventLog>(log: Arc<L>) {
    const WRITERS: usize = 4;
    const APPENDS: usize = 25;
    let mut followers = Vec::new();
    for _ in 0..2 {
        followers.push(tokio::spawn(follow(Arc::clone(&log), WRITERS * APPENDS)));
    }
    let mut writers = Vec::new();
    for writer in 0..WRITERS {
        let numbers = writer * APPENDS..(writer + 1) * APPENDS;
        writers.push(tokio::spawn(write(Arc::clone(&log), numbers)));
    }
    for writer in writers {
        writer.await.expect("written");
    }
    for follower in followers {
        let found = follower.await.expect("followed");
        for (shard, found) in found.iter().enumerate() {
            let mut found = distinct(found);
            found.sort();
            let mut expected: Vec<Bytes> =
                (0..WRITERS * APPENDS).map(|number| section(number, shard)).collect();
            expected.sort();
            assert_eq!(found, expected);
        }
    }
}

async fn a_fetch_waits_for_its_shards<L: EventLog>(log: Arc<L>) {
    append(log.as_ref(), vec![(0, section(0, 0))]).await;
    let waiting = {
        let log = Arc::clone(&log);
        let mut cursors = vec![cursor(log.as_ref(), 1, 0)];
        tokio::spawn(async move {
            loop {
                let fetched = log.fetch(&cursors, LOTS, HANGS).await.expect("fetched");
                advance(&mut cursors, &fetched);
                if let Some(found) = fetched.shards[0].sections.first() {
                    return found.section.clone();
                }
            }
        })
    };
    // Other shards do not end the wait with a section.
    append(log.as_ref(), vec![(0, section(1, 0))]).await;
    append(log.as_ref(), vec![(1, section(2, 0)), (0, section(2, 1))]).await;
    assert_eq!(waiting.await.expect("fetched"), section(2, 0));

    // Nothing to wait for: the cursor moves to the end all the same.
    let mut cursors = [cursor(log.as_ref(), 3, 0)];
    assert_eq!(read(log.as_ref(), &mut cursors, log.end(), LOTS).await, [vec![]]);
    let fetched = log.fetch(&cursors, LOTS, Duration::from_millis(1)).await.expect("fetched");
    assert!(fetched.shards[0].sections.is_empty());
    assert_eq!(fetched.shards[0].next, log.end());
}

async fn a_busy_shard_starves_nobody(log: &dyn EventLog) {
    let large = Bytes::from(vec![7; 1_000]);
    for _ in 0..50 {
        append(log, vec![(0, large.clone()); 4]).await;
    }
    append(log, vec![(1, section(0, 0))]).await;
    let mut cursors = all_shards(log, 0);
    let mut fetched_of_busy = 0;
    loop {
        let fetched = log.fetch(&cursors, 10_000, Duration::ZERO).await.expect("fetched");
        advance(&mut cursors, &fetched);
        let bytes = |shard: usize| {
            fetched.shards[shard].sections.iter().map(|found| found.section.len()).sum::<usize>()
        };
        assert!(bytes(0) <= 10_000, "a fetch keeps to its size");
        fetched_of_busy += bytes(0);
        if bytes(1) > 0 {
            break;
        }
    }
    assert!(fetched_of_busy < 50 * 4 * 1_000, "the busy shard came first");
}

async fn trimming_is_seen(log: &dyn EventLog) {
    for number in 0..20 {
        append(log, vec![(0, section(number, 0)), (1, section(number, 1))]).await;
    }
    let end = log.end();
    let before = read(log, &mut all_shards(log, 0), end, LOTS).await;
    assert_eq!(log.trimmed_through(), 0);
    let trimmed = log.trim(end / 2).await.expect("trimmed");
    assert!(trimmed <= end / 2 && trimmed == log.trimmed_through());
    assert_eq!(log.end(), end);
    if trimmed > 0 {
        let cursors = [cursor(log, 0, end), cursor(log, 1, trimmed - 1)];
        match log.fetch(&cursors, LOTS, Duration::ZERO).await {
            Err(LogError::Trimmed { shard: 1, after, trimmed_through }) => {
                assert_eq!((after, trimmed_through), (trimmed - 1, trimmed));
            }
            other => panic!("positions through {trimmed} are gone, but got {other:?}"),
        }
    }
    let after = read(log, &mut all_shards(log, trimmed), end, LOTS).await;
    for (mut before, after) in before.into_iter().zip(after) {
        before.retain(|(at, _)| *at > trimmed);
        assert_eq!(after, before);
    }
    let appended = append(log, vec![(0, section(20, 0))]).await;
    assert!(appended.sequences[0] > end, "positions are never used again");
}

async fn refusals_leave_no_trace(log: &dyn EventLog) {
    append(log, vec![(0, section(0, 0))]).await;
    let end = log.end();
    let half = Bytes::from(vec![0; APPEND_BYTES / 2]);
    match log.append(vec![(0, half.clone()), (1, half)]).await {
        Err(LogError::TooLarge { limit: APPEND_BYTES, .. }) => {}
        other => panic!("expected a refusal, got {:?}", other.map(|_| "an acknowledgement")),
    }
    assert_eq!(append(log, vec![]).await.sequences, [0; 0]);
    assert_eq!(log.end(), end);
    let found = read(log, &mut all_shards(log, 0), end, LOTS).await;
    assert_eq!(distinct(&found.concat()), [section(0, 0)]);
}

async fn nobody_is_ahead(log: &dyn EventLog) {
    for number in 0..5 {
        append(log, vec![(0, section(number, 0)), (1, section(number, 1))]).await;
    }
    let end = log.end();
    for after in 0..=end {
        assert!(log.accepts(cursor(log, 0, after).mark()));
    }
    let lost = Epoch::random();
    for ahead in [
        Cursor { after: end + 1, ..cursor(log, 1, end) },
        Cursor { epoch: lost, ..cursor(log, 1, end) },
        Cursor { epoch: lost, ..cursor(log, 1, 1) },
    ] {
        assert!(!log.accepts(ahead.mark()));
        let cursors = [cursor(log, 0, end), ahead];
        match log.fetch(&cursors, LOTS, Duration::from_secs(1)).await {
            Err(LogError::Ahead { shard: 1, after, epoch }) => {
                assert_eq!((after, epoch), (ahead.after, ahead.epoch));
            }
            other => panic!("{ahead:?} was answered: {other:?}"),
        }
    }
    let anew = Cursor { shard: 1, after: 0, epoch: lost };
    log.fetch(&[anew], LOTS, Duration::ZERO).await.expect("who has nothing is behind");
}

async fn log_time_never_goes_back(log: &dyn EventLog) {
    let mut latest = log.log_time_ms();
    for number in 0..20 {
        append(log, vec![(0, section(number, 0))]).await;
        let now = log.log_time_ms();
        assert!(now >= latest);
        latest = now;
    }
}

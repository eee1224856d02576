//! Appends batches of 500 events over 16 shards to an embedded log, 8 at a time, while two
//! readers follow it, and prints what it took.
//!
//! `cargo run --release -p mercer-common --example log_throughput [EVENTS]`

#![expect(clippy::print_stdout, reason = "it prints its result")]

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use mercer_common::{
    event::{APPLY_VERSION, RecordContext, SplitEvents, encode_section},
    log::{
        Cursor, Epoch, EventLog, Founding, LogError,
        embedded::{EmbeddedLog, EmbeddedLogOptions},
    },
    slot::{ShardId, ShardLayout},
};
use mercer_proto::v1::{Event, EventType};

const BATCH: usize = 500;
const IN_FLIGHT: usize = 8;
const SHARDS: u16 = 16;
const BATCHES: usize = 512;
const FETCH_BYTES: usize = 4 << 20;

type Batch = Vec<(ShardId, Bytes)>;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let events: usize = std::env::args().nth(1).map_or(Ok(5_000_000), |count| count.parse())?;
    let batches: Arc<Vec<Batch>> = Arc::new((0..BATCHES).map(batch).collect());
    let raw: usize = batches.iter().flatten().map(|(_, section)| section.len()).sum();

    let folder = std::env::temp_dir().join(format!("log_throughput-{}", std::process::id()));
    let log = Arc::new(EmbeddedLog::open(
        &folder,
        &Founding::new(SHARDS, "USD", "UTC"),
        EmbeddedLogOptions::default(),
    )?);
    let appends = events.div_ceil(BATCH);
    let begin = Instant::now();
    let readers: Vec<_> =
        (0..2).map(|half| tokio::spawn(follow(Arc::clone(&log), half, begin))).collect();
    let next = Arc::new(AtomicUsize::new(0));
    let writers: Vec<_> = (0..IN_FLIGHT)
        .map(|_| {
            let (log, batches, next) = (Arc::clone(&log), Arc::clone(&batches), Arc::clone(&next));
            tokio::spawn(async move {
                let mut times = Vec::new();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= appends {
                        return Ok::<_, LogError>(times);
                    }
                    let begin = Instant::now();
                    log.append(batches[number % BATCHES].clone()).await?;
                    times.push(begin.elapsed());
                }
            })
        })
        .collect();
    let mut times: Vec<Duration> = Vec::new();
    for writer in writers {
        times.extend(writer.await??);
    }
    let seconds = begin.elapsed().as_secs_f64();
    // The readers stop at a position that nothing else reaches.
    log.append((0..SHARDS).map(|shard| (shard, Bytes::from_static(b"end"))).collect()).await?;
    for reader in readers {
        let (sections, late) = reader.await??;
        println!("reader: {sections} sections, done {:.3} s after the writers", late - seconds);
    }
    times.sort_unstable();
    let at = |quantile: usize| times[(times.len() - 1) * quantile / 1_000].as_secs_f64() * 1e3;
    println!(
        "{:.0} events/s; acknowledged after p50 {:.2} ms, p99 {:.2} ms, p99.9 {:.2} ms, max {:.2} ms",
        (appends * BATCH) as f64 / seconds,
        at(500),
        at(990),
        at(999),
        at(1_000)
    );
    println!(
        "bytes/event: {:.1} raw, {:.1} on disk; peak memory {}",
        raw as f64 / (BATCHES * BATCH) as f64,
        log.disk_bytes() as f64 / (appends * BATCH) as f64,
        peak_memory()
    );
    drop(log);
    let begin = Instant::now();
    let log = EmbeddedLog::open(
        &folder,
        &Founding::new(SHARDS, "USD", "UTC"),
        EmbeddedLogOptions::default(),
    )?;
    println!("opened again in {:.3} s at {}", begin.elapsed().as_secs_f64(), log.end());
    let begin = Instant::now();
    let (sections, _) = follow(Arc::new(log), 0, begin).await?;
    println!(
        "read {sections} sections of 8 shards from disk in {:.3} s",
        begin.elapsed().as_secs_f64()
    );
    fs::remove_dir_all(Path::new(&folder))?;
    Ok(())
}

/// Reads half of the shards until their end; how many sections, and when it was done.
async fn follow(
    log: Arc<EmbeddedLog>,
    half: u16,
    begin: Instant,
) -> Result<(usize, f64), LogError> {
    let mut cursors: Vec<Cursor> = (0..SHARDS / 2)
        .map(|shard| Cursor { shard: shard * 2 + half, after: 0, epoch: Epoch::NONE })
        .collect();
    let mut sections = 0;
    let mut ended = 0;
    while ended < cursors.len() {
        let fetched = log.fetch(&cursors, FETCH_BYTES, Duration::from_secs(1)).await?;
        for (cursor, shard) in cursors.iter_mut().zip(fetched.shards) {
            (cursor.after, cursor.epoch) = (shard.next, shard.epoch);
            sections += shard.sections.len();
            ended += shard.sections.iter().filter(|found| found.section.len() == 3).count();
        }
    }
    Ok((sections, begin.elapsed().as_secs_f64()))
}

fn batch(number: usize) -> Batch {
    let context = RecordContext {
        layout: ShardLayout::new(SHARDS),
        currency: "USD".into(),
        time_zone: jiff::tz::TimeZone::UTC,
        visit_key: 7,
        user_visit_key: 8,
    };
    let mut random = number as u64;
    let mut next = |below: u64| {
        // splitmix64
        random = random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (random ^ (random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % below
    };
    let events = (0..BATCH).map(|_| Event {
        r#type: EventType::View.into(),
        item_id: (1_000_000 + next(1_000_000)).to_string(),
        user_id: Some(next(1_000_000).to_string()),
        event_time: Some(prost_types::Timestamp {
            seconds: i64::try_from(1_700_000_000 + next(86_400)).expect("fits"),
            nanos: 0,
        }),
        ..Event::default()
    });
    let split = SplitEvents::new(events.collect(), &context, APPLY_VERSION);
    let split = split.expect("events without ids");
    split.into_sections().map(|(shard, section)| (shard, encode_section(&section))).collect()
}

fn peak_memory() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.map_or_else(|| "unknown".into(), |peak| peak.trim().into())
}

//! Power cuts at random moments: whatever was acknowledged is there, and what is there is a prefix
//! of what was sent.

use std::path::Path;

use super::{
    fake_disk::{FOLDER, FakeDisk, Random, open_on},
    *,
};

/// What a log was told, and what of it was acknowledged.
#[derive(Default)]
struct Told {
    /// Sections at their positions less one, as far as anybody knows.
    sections: Vec<(ShardId, Bytes)>,
    acknowledged: usize,
    noted: Option<MetadataNote>,
    trimmed: Sequence,
}

/// Appends, notes and trims until the power is off.
async fn work(log: &EmbeddedLog, told: &mut Told, random: &mut Random, steps: u64) {
    for _ in 0..steps {
        match random.below(10) {
            0 => {
                let note = MetadataNote {
                    changes: told.noted.map_or(1, |noted| noted.changes + 1),
                    digest: u128::from(random.next()),
                };
                if log.note(note).await.is_err() {
                    return;
                }
                told.noted = Some(note);
            }
            1 => {
                let through = random.below(told.acknowledged as u64 + 1);
                match log.trim(through).await {
                    Ok(trimmed) => told.trimmed = trimmed,
                    Err(_) => return told.trimmed = told.trimmed.max(through),
                }
            }
            _ => {
                let count = 1 + random.below(4);
                let sections: Vec<(ShardId, Bytes)> = (0..count)
                    .map(|_| {
                        let shard = ShardId::try_from(random.below(4)).expect("small");
                        let length = usize::try_from(random.below(9_000)).expect("small");
                        (shard, noise(random.next(), length))
                    })
                    .collect();
                told.sections.extend(sections.iter().cloned());
                if log.append(sections).await.is_err() {
                    return;
                }
                told.acknowledged = told.sections.len();
            }
        }
    }
}

/// Checks what a log holds against what it was told, and takes that for what it was told.
async fn check(log: &EmbeddedLog, told: &mut Told, seed: u64) {
    let end = usize::try_from(log.end()).expect("small");
    assert!(end >= told.acknowledged, "seed {seed}: {end} of {} are left", told.acknowledged);
    assert!(end <= told.sections.len(), "seed {seed}: more than was sent");
    let trimmed = log.trimmed_through();
    assert!(trimmed <= told.trimmed, "seed {seed}");
    if let Some(noted) = told.noted {
        assert!(log.noted().is_some_and(|found| found.changes >= noted.changes), "seed {seed}");
    }
    for shard in 0..4 {
        let expected: Vec<(Sequence, Bytes)> = (1..)
            .zip(&told.sections[..end])
            .filter(|(at, (of, _))| *of == shard && *at > trimmed)
            .map(|(at, (_, section))| (at, section.clone()))
            .collect();
        assert_eq!(read(log, shard, trimmed).await, expected, "seed {seed}, shard {shard}");
    }
    told.sections.truncate(end);
    told.acknowledged = end;
    told.noted = log.noted();
    told.trimmed = trimmed;
}

async fn one(seed: u64) {
    let mut random = Random(seed);
    let segment_bytes = [1, 30_000, 200_000, 1 << 30][random.below(4) as usize];
    let options = EmbeddedLogOptions {
        segment_bytes,
        cache_bytes: 1,
        scrub_bytes_a_second: 0,
        reserve_bytes: [0, 50_000][random.below(2) as usize],
    };
    let mut disk = FakeDisk::default();
    let mut told = Told::default();
    for _ in 0..4 {
        // From within the opening to after some dozens of frames, or an orderly stop.
        let orderly = random.below(4) == 0;
        if !orderly {
            disk.cut_after(random.below(120));
        }
        // Without a reserve it opens, too, also when that is what the power was cut at.
        if let Ok(log) = open_on(&disk, options)
            && !disk.is_off()
        {
            check(&log, &mut told, seed).await;
            work(&log, &mut told, &mut random, 25).await;
        }
        let left = disk.after_power_cut(&mut random);
        // Looking alone changes nothing.
        let before = left.files();
        survey::survey(&left, Path::new(FOLDER)).unwrap_or_else(|error| {
            panic!("seed {seed}: {error}");
        });
        assert_eq!(left.files(), before);
        disk = left;
    }
    let log = open_on(&disk, options).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    check(&log, &mut told, seed).await;
    assert_eq!(append(&log, &[(0, noise(1, 10))]).await, [told.sections.len() as u64 + 1]);
}

/// As many as the environment asks for, else a few.
fn seeds() -> u64 {
    if std::env::var_os("MERCER_SLOW_TESTS").is_some() { 2_000 } else { 200 }
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::print_stdout, reason = "long tests say how long they took")]
async fn everything_acknowledged_survives_power_cuts() {
    const TASKS: u64 = 2;
    let begin = std::time::Instant::now();
    let all = seeds();
    let tasks = (0..TASKS).map(|task| async move {
        for seed in (task..all).step_by(TASKS as usize) {
            one(seed).await;
        }
    });
    let tasks: Vec<_> = tasks.map(tokio::spawn).collect();
    for task in tasks {
        task.await.expect("every seed passes");
    }
    println!("{all} seeds of power cuts in {:.1} s", begin.elapsed().as_secs_f64());
}

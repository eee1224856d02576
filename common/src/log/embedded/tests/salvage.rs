//! What is whole of a damaged log is found, and saved.

use super::*;

const SMALL: EmbeddedLogOptions = EmbeddedLogOptions {
    segment_bytes: 40_000,
    cache_bytes: 1,
    scrub_bytes_a_second: 0,
    reserve_bytes: 0,
};

async fn filled(folder: &TempDir) {
    let log = open(folder, SMALL);
    for number in 0..40 {
        append(&log, &[(0, noise(number, 3_000)), (1, noise(number, 500))]).await;
        log.note(MetadataNote { changes: number, digest: 1 }).await.expect("noted");
    }
    assert!(log.trim(30).await.expect("trimmed") > 0);
}

fn look(folder: &TempDir) -> Inspection {
    let mut told = (0, 0);
    let found = inspect(folder.path(), &mut |done, all| told = (done, all)).expect("readable");
    assert_eq!(told.0, told.1);
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_log_has_no_damage() {
    let folder = folder();
    filled(&folder).await;
    let found = look(&folder);
    assert_eq!((found.end, found.acknowledged), (80, Some(80)));
    assert_eq!((found.damage, found.missing, found.refusal), (vec![], vec![], None));
    assert!(found.segments.len() > 2 && found.segments[0].sealed);
    let first = found.segments[0].first;
    let sections: u64 = found.segments.iter().map(|segment| segment.sections).sum();
    assert_eq!(first + sections - 1, 80);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_costs_one_frame() {
    let folder = folder();
    filled(&folder).await;
    let first = look(&folder).segments[0].first;
    let names = segments(&folder);
    // The first frame of the second segment, of the last one, and the header of the second.
    for (name, byte, lost) in
        [(&names[1], 5_000, 1), (&names[names.len() - 1], 5_000, 1), (&names[1], 2_000, 0)]
    {
        let path = folder.path().join("segments").join(name);
        let good = fs::read(&path).expect("read");
        let mut bad = good.clone();
        bad[byte] ^= 4;
        fs::write(&path, &bad).expect("written");
        let found = look(&folder);
        assert_eq!(found.damage.len(), 1, "{name}: {:?}", found.damage);
        assert_eq!(found.damage[0].file, format!("segments/{name}"));
        assert_eq!(found.missing.len(), lost);
        let missing = found.missing.first().copied();
        let named: u64 = name.trim_end_matches(".log").parse().expect("a position");
        assert!(missing.is_none_or(|missing| missing == (named, named + 1)), "{missing:?}");

        let target = self::folder();
        let saved = target.path().join("log");
        let outcome = salvage(folder.path(), &saved, &mut |_, _| {}).expect("saved");
        assert_eq!(fs::read(&path).expect("read"), bad, "the old one is only read");
        let log = EmbeddedLog::open(&saved, &founding(), SMALL).expect("opens");
        assert_eq!(log.identity(), &outcome.identity);
        assert_eq!((log.end(), log.trimmed_through()), (80, first - 1));
        assert_eq!(log.noted().map(|noted| noted.changes), Some(39));
        for shard in 0..2 {
            let found = read(&log, shard, first - 1).await;
            let expected = (1..).zip(0..40).map(|(number, seed)| {
                let length = if shard == 0 { 3_000 } else { 500 };
                (number * 2 - 1 + u64::from(shard), noise(seed, length))
            });
            let kept = expected.filter(|(at, _)| {
                *at >= first && missing.is_none_or(|(from, through)| *at < from || *at > through)
            });
            assert_eq!(found, kept.collect::<Vec<_>>());
        }
        // Whoever read the old one up to the damage goes on.
        let ancestor = outcome.identity.ancestors[0];
        assert_eq!(ancestor.through, missing.map_or(80, |(from, _)| from - 1));
        assert_eq!(append(&log, &[(0, noise(1, 10))]).await, [81]);
        drop(log);
        assert_eq!(EmbeddedLog::open(&saved, &founding(), SMALL).expect("opens").end(), 81);
        fs::write(&path, good).expect("mended");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn old_segments_are_read_for_damage() {
    let folder = folder();
    filled(&folder).await;
    let name = segments(&folder)[0].clone();
    let path = folder.path().join("segments").join(&name);
    let mut bad = fs::read(&path).expect("read");
    bad[6_000] ^= 1;
    fs::write(&path, bad).expect("written");
    let log = open(&folder, EmbeddedLogOptions { scrub_bytes_a_second: 1 << 30, ..SMALL });
    let deadline = Instant::now() + Duration::from_secs(20);
    while !log.health().notes.iter().any(|note| note.contains(&name)) {
        assert!(Instant::now() < deadline, "{:?}", log.health());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(log.health().stopped, None);
}

//! Copies of a log that is written meanwhile, and logs that go on from them.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_a_busy_log_is_a_whole_prefix_of_it() {
    let folder = folder();
    let options = EmbeddedLogOptions {
        segment_bytes: 100_000,
        cache_bytes: 1,
        scrub_bytes_a_second: 0,
        reserve_bytes: 0,
    };
    let log = Arc::new(open(&folder, options));
    let writing = tokio::spawn({
        let log = Arc::clone(&log);
        async move {
            for number in 0..1_000 {
                append(&log, &[(0, noise(number, 2_000)), (1, noise(number, 50))]).await;
                if number % 10 == 0 {
                    log.note(MetadataNote { changes: number, digest: 0 }).await.expect("noted");
                }
                if number == 300 {
                    assert!(log.trim(200).await.expect("trimmed") > 0);
                }
            }
        }
    });
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let before = log.end();
        let target = self::folder();
        let copy = target.path().join("log");
        let copied = tokio::task::spawn_blocking({
            let (log, copy) = (Arc::clone(&log), copy.clone());
            move || log.copy_to(&copy).expect("copied")
        });
        let copied = copied.await.expect("no panic");
        assert!(copied.end >= before && copied.end <= log.end());
        let opened = EmbeddedLog::open(&copy, &founding(), options).expect("opens");
        assert_eq!((opened.end(), opened.identity()), (copied.end, log.identity()));
        assert_eq!(opened.epoch_at(copied.end), copied.epoch);
        let begin = opened.trimmed_through();
        let expected: Vec<_> = (begin / 2..copied.end / 2)
            .map(|number| (number * 2 + 1, noise(number, 2_000)))
            .collect();
        assert_eq!(read(&opened, 0, begin).await, expected);
        drop(opened);

        // Restored, it is another log that knows where it comes from.
        let restored = EmbeddedLog::refound(&copy, copied.end).expect("refounded");
        assert_ne!(restored.incarnation, log.incarnation());
        assert_eq!(restored.founding, log.identity().founding);
        let ancestor = restored.ancestors[0];
        assert_eq!((ancestor.incarnation, ancestor.through), (log.incarnation(), copied.end));
        let opened = EmbeddedLog::open(&copy, &founding(), options).expect("opens");
        assert_eq!(opened.identity(), &restored);
        assert_eq!(append(&opened, &[(0, noise(1, 10))]).await, [copied.end + 1]);
        assert_eq!(read(&opened, 0, begin).await.len(), expected.len() + 1);
        drop(opened);
        assert_eq!(
            EmbeddedLog::open(&copy, &founding(), options).expect("opens").end(),
            copied.end + 1
        );
    }
    writing.await.expect("written");
}

//! A disk that is full, or fails, and comes back.

use std::{io::ErrorKind, path::Path};

use super::{
    fake_disk::{FOLDER, FakeDisk, Operation, open_on},
    *,
};

/// Appends until it is stored; the refusals that came before.
async fn append_at_last(log: &EmbeddedLog, section: &Bytes) -> (Sequence, Vec<LogError>) {
    let mut refusals = Vec::new();
    loop {
        match log.append(vec![(0, section.clone())]).await {
            Ok(appended) => return (appended.sequences[0], refusals),
            Err(error) => refusals.push(error),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn goes_on_when_there_is_space_again() {
    for operation in [
        Operation::Create,
        Operation::Write,
        Operation::Sync,
        Operation::Rename,
        Operation::SyncFolder,
    ] {
        for options in [UNCACHED, TINY] {
            let disk = FakeDisk::default();
            let log = open_on(&disk, options).expect("opens");
            append(&log, &[(0, noise(1, 5_000))]).await;
            log.note(MetadataNote { changes: 1, digest: 1 }).await.expect("noted");
            disk.fail(operation, ErrorKind::StorageFull);
            let refused = log.append(vec![(0, noise(2, 5_000))]).await;
            let only_begins =
                matches!(operation, Operation::Create | Operation::Rename | Operation::SyncFolder);
            if refused.is_ok() {
                assert!(only_begins && options.segment_bytes > 1, "{operation:?}");
                continue;
            }
            assert!(matches!(refused, Err(LogError::Unconfirmed)), "{operation:?}: {refused:?}");
            let refused = log.append(vec![(0, noise(3, 5_000))]).await;
            assert!(matches!(refused, Err(LogError::Stopped(_))), "{operation:?}: {refused:?}");
            let refused = log.note(MetadataNote { changes: 2, digest: 2 }).await;
            assert!(matches!(refused, Err(LogError::Stopped(_))), "{operation:?}: {refused:?}");
            let stopped = log.health().stopped.expect("is told");
            assert!(stopped.contains("no space left"), "{stopped}");
            // Reading goes on.
            assert_eq!(read(&log, 0, 0).await, [(1, noise(1, 5_000))]);

            disk.heal();
            let (sequence, refusals) = append_at_last(&log, &noise(4, 5_000)).await;
            assert_eq!(sequence, 2, "{operation:?}: nothing of what was refused is there");
            assert!(refusals.iter().all(|error| matches!(error, LogError::Stopped(_))));
            assert_eq!(log.health().stopped, None);
            assert_eq!(log.noted().map(|noted| noted.changes), Some(1));
            let expected = [(1, noise(1, 5_000)), (2, noise(4, 5_000))];
            assert_eq!(read(&log, 0, 0).await, expected);
            drop(log);
            let log = open_on(&disk, options).expect("opens");
            assert_eq!(read(&log, 0, 0).await, expected, "{operation:?}");
            assert_eq!(log.noted().map(|noted| noted.changes), Some(1));
            assert_eq!(append(&log, &[(0, noise(5, 10))]).await, [3]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stays_stopped_after_several_errors_of_the_device() {
    let disk = FakeDisk::default();
    let log = open_on(&disk, UNCACHED).expect("opens");
    append(&log, &[(0, noise(1, 10))]).await;
    disk.fail(Operation::Sync, ErrorKind::Other);
    let error = log.append(vec![(0, noise(2, 10))]).await;
    assert!(matches!(error, Err(LogError::Unconfirmed)), "{error:?}");
    let deadline = Instant::now() + Duration::from_secs(30);
    while !log.health().stopped.is_some_and(|cause| cause.contains("start again")) {
        assert!(Instant::now() < deadline, "{:?}", log.health());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    disk.heal();
    let error = log.append(vec![(0, noise(3, 10))]).await;
    assert!(matches!(error, Err(LogError::Stopped(_))), "{error:?}");
    drop(log);
    let log = open_on(&disk, UNCACHED).expect("opens");
    assert_eq!(read(&log, 0, 0).await[0], (1, noise(1, 10)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_failed_sync_left_in_memory_is_not_believed() {
    let disk = FakeDisk::default();
    let log = open_on(&disk, UNCACHED).expect("opens");
    append(&log, &[(0, noise(1, 10))]).await;
    disk.fail(Operation::Sync, ErrorKind::Other);
    let error = log.append(vec![(0, noise(2, 10))]).await;
    assert!(matches!(error, Err(LogError::Unconfirmed)), "{error:?}");
    disk.heal();
    let (sequence, _) = append_at_last(&log, &noise(3, 10)).await;
    assert_eq!(sequence, 2);
    drop(log);
    // Whatever of the failed one the device has or not: the log says the same.
    let mut random = super::fake_disk::Random(1);
    for _ in 0..20 {
        let left = disk.after_power_cut(&mut random);
        let log = open_on(&left, UNCACHED).expect("opens");
        assert_eq!(read(&log, 0, 0).await, [(1, noise(1, 10)), (2, noise(3, 10))]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_whose_acknowledgement_cannot_be_written_down_is_stored_and_read_in_order() {
    for cache_bytes in [1, 1 << 20] {
        let options = EmbeddedLogOptions { cache_bytes, ..UNCACHED };
        let disk = FakeDisk::default();
        let log = open_on(&disk, options).expect("opens");
        append(&log, &[(0, noise(1, 10))]).await;
        disk.refuse(&Path::new(FOLDER).join("end"), ErrorKind::StorageFull);
        let refused = log.append(vec![(0, noise(2, 10))]).await;
        assert!(matches!(refused, Err(LogError::Unconfirmed)), "{refused:?}");
        disk.heal();
        let (sequence, _) = append_at_last(&log, &noise(3, 10)).await;
        assert_eq!(sequence, 3, "the frame before it is whole");
        let expected = [1, 2, 3].map(|number| (number, noise(number, 10)));
        assert_eq!(read(&log, 0, 0).await, expected, "{cache_bytes} bytes of cache");
        assert_eq!(read(&log, 0, 1).await, expected[1..]);
        drop(log);
        let log = open_on(&disk, options).expect("opens");
        assert_eq!(read(&log, 0, 0).await, expected);
    }
}

//! A whole log as an earlier build left it: sealed segments, a note of metadata, an orderly end.

use std::path::{Path, PathBuf};

use super::*;
use crate::files::copy_folder;

const NOTE: MetadataNote = MetadataNote { changes: 3, digest: 4 };

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/log")
}

fn sections() -> Vec<(ShardId, Bytes)> {
    let text = |text: &str| Bytes::copy_from_slice(text.as_bytes());
    vec![(0, text("one")), (3, text("two")), (0, Bytes::new()), (2, noise(1, 300))]
}

/// With `MERCER_WRITE_GOLDEN` set, the folder is written if it is not there.
#[tokio::test]
async fn a_log_in_segments_loads_for_ever() {
    if std::env::var_os("MERCER_WRITE_GOLDEN").is_some() && !golden().exists() {
        let folder = folder();
        let log = open(&folder, TINY);
        for section in sections() {
            append(&log, &[section]).await;
        }
        log.note(NOTE).await.expect("noted");
        drop(log);
        for name in ["lock", "reserve"] {
            let _ = fs::remove_file(folder.path().join(name));
        }
        copy_folder(folder.path(), &golden()).expect("written");
    }
    let folder = folder();
    copy_folder(&golden(), folder.path()).expect("the golden folder is there");
    let inspection = inspect(folder.path(), &mut |_, _| ()).expect("readable");
    assert_eq!((inspection.end, inspection.acknowledged), (4, Some(4)));
    assert!(inspection.damage.is_empty() && inspection.refusal.is_none(), "{inspection:?}");
    assert!(inspection.segments.iter().any(|segment| segment.sealed), "{inspection:?}");

    let log = open(&folder, UNCACHED);
    assert_eq!((log.end(), log.noted()), (4, Some(NOTE)));
    assert_eq!(log.identity().founding.currency, "USD");
    let health = log.health();
    assert!(health.stopped.is_none() && health.notes.is_empty(), "{health:?}");
    let mut found = Vec::new();
    for shard in 0..4 {
        found.extend(read(&log, shard, 0).await);
    }
    found.sort();
    let expected = (1..).zip(sections()).map(|(position, (_, section))| (position, section));
    assert_eq!(found, expected.collect::<Vec<_>>());
    // It goes on from there.
    assert_eq!(append(&log, &[(1, Bytes::from_static(b"more"))]).await, [5]);
}

use std::fs;

use super::*;

fn options() -> EmbeddedLogOptions {
    EmbeddedLogOptions::default()
}

fn section(shard: ShardId, byte: u8, len: usize) -> (ShardId, Bytes) {
    (shard, Bytes::from(vec![byte; len]))
}

#[tokio::test(flavor = "multi_thread")]
async fn smoke() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let log = EmbeddedLog::open(folder.path(), options()).expect("opens");
    let appended = log.append(vec![section(0, 1, 10), section(3, 2, 20)]).await.expect("appended");
    assert_eq!(appended.sequences, [1, 2]);
    let incarnation = log.incarnation();
    drop(log);
    let log = EmbeddedLog::open(folder.path(), options()).expect("opens");
    assert_eq!((log.end(), log.incarnation()), (2, incarnation));
    let fetched =
        log.fetch(&[Cursor { shard: 3, after: 0 }], 1_000, Duration::ZERO).await.expect("fetched");
    assert_eq!(fetched.shards[0].sections[0].section, vec![2; 20]);
    assert!(fs::read_dir(folder.path()).is_ok());
}

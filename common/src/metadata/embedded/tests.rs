use super::*;
use crate::metadata::conformance;

#[tokio::test(flavor = "multi_thread")]
async fn conforms() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let metadata = EmbeddedMetadata::open(folder.path()).expect("opens");
    conformance::run(Arc::new(metadata)).await;
}

#[tokio::test]
async fn survives_a_restart_and_refuses_a_second_owner() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let metadata = EmbeddedMetadata::open(folder.path()).expect("opens");
    let value = Bytes::from(vec![7; VALUE - HEADER]);
    // Enough large values to fill several nodes.
    for number in 0..40 {
        let key = format!("k/{number:02}");
        metadata.compare_and_set(&key, None, Some(value.clone())).await.expect("set");
    }
    metadata.compare_and_set("k/00", Some(1), None).await.expect("removed");
    let second = EmbeddedMetadata::open(folder.path()).expect_err("in use");
    assert!(second.to_string().contains("in use by another process"), "{second}");
    drop(metadata);

    let metadata = EmbeddedMetadata::open(folder.path()).expect("opens again");
    assert_eq!(metadata.get("k/00").await.expect("read"), None);
    let entries = metadata.list("k/").await.expect("listed");
    assert_eq!(entries.len(), 39);
    assert!(entries.iter().all(|entry| entry.value == value && entry.revision == 1));
    assert_eq!(metadata.compare_and_set("k/00", None, Some(value)).await.expect("set"), 3);
    let blobs = std::fs::read_dir(folder.path().join("blobs")).expect("listed");
    assert_eq!(blobs.count(), 0, "values must stay in the file that is synced");

    let large = Some(Bytes::from(vec![0; PARTS * VALUE + 1]));
    let error = metadata.compare_and_set("large", None, large).await.expect_err("too large");
    assert!(error.to_string().contains("`large`"), "{error}");
}

/// All keys, those of parts too.
fn keys(metadata: &EmbeddedMetadata) -> usize {
    metadata.store.read().db.len()
}

#[tokio::test]
async fn large_values_are_kept_in_parts_that_nobody_sees() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let metadata = EmbeddedMetadata::open(folder.path()).expect("opens");
    let value = |length: usize| Bytes::from((0..length).map(|at| at as u8).collect::<Vec<_>>());
    let lengths = [0, VALUE - HEADER, VALUE - HEADER + 1, VALUE, 5 * VALUE + 3, 2 * VALUE, 1];
    let parts = [0, 0, 1, 1, 6, 2, 0];
    for (revision, (length, parts)) in (1..).zip(lengths.into_iter().zip(parts)) {
        let expected = (revision > 1).then(|| revision - 1);
        let stored = metadata.compare_and_set("k/a", expected, Some(value(length))).await;
        assert_eq!(stored.expect("set"), revision);
        let found = metadata.get("k/a").await.expect("read").expect("stored");
        assert_eq!((found.value, found.revision), (value(length), revision));
        assert_eq!(keys(&metadata), 1 + parts, "{length}");
        assert_eq!(metadata.list("").await.expect("listed").len(), 1);
    }
    metadata.compare_and_set("k/b", None, Some(value(3 * VALUE))).await.expect("set");
    metadata.compare_and_set("k/a", Some(7), None).await.expect("removed");

    // A change that was cut short before the value named its parts.
    {
        let store = metadata.store.write();
        store.write_parts("k/b", 2, &[&[1; 10], &[2; 10]]).expect("written");
        store.write_parts("k/c", 1, &[&[3; 10]]).expect("written");
    }
    drop(metadata);
    let metadata = EmbeddedMetadata::open(folder.path()).expect("opens again");
    assert_eq!(keys(&metadata), 2 + 3);
    let listed = metadata.list("k/").await.expect("listed");
    let [entry] = &listed[..] else { panic!("{} entries", listed.len()) };
    assert_eq!((entry.key.as_str(), entry.revision, &entry.value), ("k/b", 1, &value(3 * VALUE)));
    let blobs = std::fs::read_dir(folder.path().join("blobs")).expect("listed");
    assert_eq!(blobs.count(), 0, "values must stay in the file that is synced");
}

#[test]
fn the_format_does_not_change() {
    let encoded = |revision, content| encode(&Stored { revision, content });
    let whole = Content::Whole(Bytes::from_static(b"ab"));
    assert_eq!(encoded(258, whole), [1, 2, 1, 0, 0, 0, 0, 0, 0, 1, b'a', b'b']);
    assert_eq!(encoded(1, Content::Removed), [1, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(encoded(1, Content::Parts(3)), [1, 1, 0, 0, 0, 0, 0, 0, 0, 2, 3, 0, 0, 0]);
    let part = part_key("k", 2, 3);
    assert_eq!(part, [0, b'k', 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 3]);
    assert_eq!(part_of(&part), Some(("k", 2, 3)));
    assert!(part_of(&part[..12]).is_none());
    assert!(decode(&[2, 1, 0, 0, 0, 0, 0, 0, 0, 0]).is_none());
    assert!(decode(&[1]).is_none());
}

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
};

use tempfile::TempDir;

use super::{store::PARTS, *};
use crate::{
    embedded::{Database, VALUE},
    log::Epoch,
    metadata::{conformance, tie::Standing},
};

mod damage;

/// What a log does for metadata.
#[derive(Default)]
struct Notes {
    noted: parking_lot::Mutex<Option<MetadataNote>>,
    end: AtomicU64,
    /// Notes that fail from now on.
    failures: AtomicUsize,
}

#[async_trait]
impl TiedLog for Notes {
    async fn note(&self, note: MetadataNote) -> Result<(), LogError> {
        let counted =
            self.failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left: usize| {
                left.checked_sub(1)
            });
        if counted.is_ok() {
            return Err(LogError::Unconfirmed);
        }
        *self.noted.lock() = Some(note);
        Ok(())
    }
}

impl Standing for Notes {
    fn noted(&self) -> Option<MetadataNote> {
        *self.noted.lock()
    }

    fn mark(&self) -> Mark {
        Mark { epoch: Epoch(1), position: self.end.load(Ordering::SeqCst) }
    }

    fn accepts(&self, mark: Mark) -> bool {
        mark.position <= self.end.load(Ordering::SeqCst)
    }
}

/// A folder of metadata, and the log that it is tied to.
struct Bench {
    folder: TempDir,
    log: Arc<Notes>,
    stop: CancellationToken,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self { folder, log: Arc::default(), stop: CancellationToken::new() }
    }

    fn metadata(&self) -> PathBuf {
        self.folder.path().join("metadata")
    }

    fn try_open(&self) -> Result<EmbeddedMetadata, MetadataOpenError> {
        let log = Arc::clone(&self.log);
        MetadataCopy::open(&self.metadata())?.tie(log, self.stop.clone())
    }

    fn open(&self) -> EmbeddedMetadata {
        self.try_open().expect("opens")
    }

    fn refused(&self) -> String {
        let before = tree(&self.metadata());
        let error = self.try_open().expect_err("refused").to_string();
        assert_eq!(tree(&self.metadata()), before, "{error}");
        error
    }

    /// Names that are there besides the metadata.
    fn neighbours(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).expect("listed");
        let name = |entry: fs::DirEntry| entry.file_name().into_string().expect("text");
        let mut names: Vec<String> = entries.map(|entry| name(entry.expect("an entry"))).collect();
        names.retain(|name| name != "metadata" && name != "metadata.lock");
        names.sort();
        names
    }
}

/// All files below a folder, with their content.
fn tree(folder: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut files = BTreeMap::new();
    let Ok(entries) = fs::read_dir(folder) else { return files };
    for entry in entries {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(tree(&path));
            files.insert(path, None);
        } else {
            let content = fs::read(&path).expect("reads");
            files.insert(path, Some(content));
        }
    }
    files
}

async fn set(metadata: &EmbeddedMetadata, key: &str, value: &str) {
    let found = metadata.get(key).await.expect("read").map(|entry| entry.revision);
    let value = Some(Bytes::copy_from_slice(value.as_bytes()));
    metadata.compare_and_set(key, found, value).await.expect("set");
}

async fn entries(metadata: &EmbeddedMetadata) -> Vec<Entry> {
    metadata.list("").await.expect("listed")
}

#[tokio::test(flavor = "multi_thread")]
async fn conforms() {
    let bench = Bench::new();
    conformance::run(Arc::new(bench.open())).await;
    drop(bench.open());
}

#[tokio::test]
async fn survives_a_restart_and_refuses_a_second_owner() {
    let bench = Bench::new();
    let metadata = bench.open();
    let value = Bytes::from(vec![7; VALUE - record::HEADER]);
    // Enough large values to fill several nodes.
    for number in 0..40 {
        let key = format!("k/{number:02}");
        metadata.compare_and_set(&key, None, Some(value.clone())).await.expect("set");
    }
    metadata.compare_and_set("k/00", Some(1), None).await.expect("removed");
    let second = bench.try_open().expect_err("in use");
    assert!(second.to_string().contains("in use by another process"), "{second}");
    drop(metadata);

    let metadata = bench.open();
    assert_eq!(bench.neighbours(), [""; 0]);
    assert_eq!(metadata.get("k/00").await.expect("read"), None);
    let entries = metadata.list("k/").await.expect("listed");
    assert_eq!(entries.len(), 39);
    assert!(entries.iter().all(|entry| entry.value == value && entry.revision == 1));
    assert_eq!(metadata.compare_and_set("k/00", None, Some(value)).await.expect("set"), 3);
    let blobs = fs::read_dir(bench.metadata().join("blobs")).expect("listed");
    assert_eq!(blobs.count(), 0, "values must stay in the file that is synced");

    let large = Some(Bytes::from(vec![0; PARTS * VALUE + 1]));
    let error = metadata.compare_and_set("large", None, large).await.expect_err("too large");
    assert!(error.to_string().contains("`large`"), "{error}");
}

/// All keys, those of parts too.
fn keys(metadata: &EmbeddedMetadata) -> usize {
    metadata.shared.store.read().db.len()
}

#[tokio::test]
async fn large_values_are_kept_in_parts_that_nobody_sees() {
    let bench = Bench::new();
    let metadata = bench.open();
    let value = |length: usize| Bytes::from((0..length).map(|at| at as u8).collect::<Vec<_>>());
    let whole = VALUE - record::HEADER;
    let lengths = [0, whole, whole + 1, VALUE, 5 * VALUE + 3, 2 * VALUE, 1];
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
        let store = metadata.shared.store.write();
        store.write_parts("k/b", 2, &[&[1; 10], &[2; 10]]).expect("written");
        store.write_parts("k/c", 1, &[&[3; 10]]).expect("written");
    }
    drop(metadata);
    let metadata = bench.open();
    assert_eq!(keys(&metadata), 2 + 3);
    let listed = metadata.list("k/").await.expect("listed");
    let [entry] = &listed[..] else { panic!("{} entries", listed.len()) };
    assert_eq!((entry.key.as_str(), entry.revision, &entry.value), ("k/b", 1, &value(3 * VALUE)));
    let blobs = fs::read_dir(bench.metadata().join("blobs")).expect("listed");
    assert_eq!(blobs.count(), 0, "values must stay in the file that is synced");
}

/// A store as the releases of before wrote it.
fn write_unstated(folder: &Path) {
    fs::create_dir_all(folder).expect("created");
    let db = Database::open(folder, 1 << 20).expect("opens");
    let header = |revision: u8, kind: u8| [1, revision, 0, 0, 0, 0, 0, 0, 0, kind];
    let whole = vec![7; VALUE - header(1, 1).len()];
    db.insert("whole", [&header(3, 1)[..], &whole].concat()).expect("stored");
    db.insert("removed", &header(2, 0)).expect("stored");
    db.insert(record::part_key("parts", 1, 0), vec![1; VALUE]).expect("stored");
    db.insert(record::part_key("parts", 1, 1), vec![2; 5]).expect("stored");
    db.insert("parts", [&header(1, 2)[..], &[2, 0, 0, 0]].concat()).expect("stored");
    db.close().expect("closes");
}

#[tokio::test]
async fn metadata_of_before_is_taken_over_once() {
    let bench = Bench::new();
    write_unstated(&bench.metadata());
    bench.log.end.store(9, Ordering::SeqCst);
    let check = async |metadata: &EmbeddedMetadata| {
        let found = entries(metadata).await;
        let found: Vec<_> =
            found.iter().map(|entry| (&*entry.key, entry.revision, entry.value.len())).collect();
        let header = 10;
        assert_eq!(found, [("parts", 1, VALUE + 5), ("whole", 3, VALUE - header)]);
    };
    let metadata = bench.open();
    check(&metadata).await;
    let note = metadata.settle().await.expect("noted");
    assert_eq!(note.changes, 1);
    drop(metadata);
    let metadata = bench.open();
    check(&metadata).await;
    assert_eq!(metadata.compare_and_set("removed", None, None).await.expect("removed"), 3);
    drop(metadata);

    // The same folder as of before again, when the log knows better.
    fs::remove_dir_all(bench.metadata()).expect("removed");
    write_unstated(&bench.metadata());
    let error = bench.refused();
    assert!(error.contains("old copy") && error.contains("change 0"), "{error}");
}

#[tokio::test]
async fn what_a_stopped_log_has_not_noted_is_noted_later() {
    let bench = Bench::new();
    let metadata = Arc::new(bench.open());
    set(&metadata, "a", "1").await;
    // A change waits until the log is back.
    bench.log.failures.store(3, Ordering::SeqCst);
    set(&metadata, "a", "2").await;
    assert_eq!(bench.log.noted().expect("noted").changes, 2);

    // One that nobody waits for any more is made and noted all the same.
    bench.log.failures.store(2, Ordering::SeqCst);
    let value = Some(Bytes::from_static(b"3"));
    let change = metadata.compare_and_set("a", Some(2), value);
    timeout(Duration::from_millis(50), change).await.expect_err("waits for the log");
    set(&metadata, "b", "1").await;
    assert_eq!(bench.log.noted().expect("noted").changes, 4);

    // At the end it is told that it does not know, and nothing is changed after it.
    bench.log.failures.store(usize::MAX, Ordering::SeqCst);
    bench.stop.cancel();
    let value = || Some(Bytes::from_static(b"4"));
    let error = metadata.compare_and_set("a", Some(3), value()).await.expect_err("not noted");
    assert!(error.to_string().contains("the change was made"), "{error}");
    let error = metadata.compare_and_set("a", Some(4), value()).await.expect_err("not made");
    assert!(error.to_string().contains("was not made"), "{error}");
    assert_eq!(bench.log.noted().expect("noted").changes, 4);
    drop(metadata);
    bench.log.failures.store(0, Ordering::SeqCst);
    let metadata = bench.open();
    let found = metadata.get("a").await.expect("read").expect("stored");
    assert_eq!((found.revision, &found.value[..]), (4, &b"4"[..]));
    assert_eq!(metadata.settle().await.expect("noted").changes, 5);
}

#[tokio::test]
async fn what_is_built_anew_follows_what_the_log_knows() {
    let bench = Bench::new();
    let metadata = bench.open();
    set(&metadata, "a", "lost").await;
    set(&metadata, "b", "lost").await;
    drop(metadata);
    let known = bench.log.noted().expect("noted");
    fs::write(bench.metadata().join("db"), b"").expect("emptied");
    let damaged = tree(&bench.metadata());
    bench.refused();

    for (number, name) in [(1, "metadata.set-aside"), (2, "metadata.set-aside-2")] {
        let new = NewMetadata::lock(&bench.metadata()).expect("locks");
        let locked = bench.try_open().expect_err("locked").to_string();
        assert!(locked.contains("in use"), "{locked}");
        let log: Arc<Notes> = Arc::clone(&bench.log);
        let values = BTreeMap::from([("c".to_owned(), Bytes::from_static(b"kept"))]);
        let aside = new.replace(values, log).await.expect("replaces").expect("kept");
        assert_eq!(aside, bench.folder.path().join(name));
        assert_eq!(bench.log.noted().expect("noted").changes, known.changes + number);
        let metadata = bench.open();
        let found = entries(&metadata).await;
        assert_eq!((found.len(), &*found[0].key), (1, "c"));
    }
    let aside: Vec<_> =
        tree(&bench.folder.path().join("metadata.set-aside")).into_values().collect();
    assert_eq!(aside, damaged.into_values().collect::<Vec<_>>(), "it is kept as it was");
}

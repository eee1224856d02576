//! What is not what was written: refused, and not a byte changed.

use super::*;

/// Bits that are flipped in a file.
const FLIPS: usize = 24;

/// What can happen to a file.
fn damages(content: &[u8]) -> Vec<(String, Option<Vec<u8>>)> {
    let mut damages = vec![("removed".to_owned(), None), ("emptied".to_owned(), Some(Vec::new()))];
    for share in [1, 2, 3] {
        let cut = content[..content.len() * share / 4].to_vec();
        damages.push((format!("cut to {share} quarters"), Some(cut)));
    }
    // Evenly among what is not zero, which most of a file of sled is.
    let written: Vec<usize> = (0..content.len()).filter(|at| content[*at] != 0).collect();
    for at in (0..FLIPS).filter_map(|part| written.get(written.len() * part / FLIPS)).copied() {
        let mut flipped = content.to_vec();
        flipped[at] ^= 1 << (at % 8);
        damages.push((format!("one bit at {at}"), Some(flipped)));
    }
    damages
}

#[tokio::test]
async fn no_damage_of_any_file_is_taken_for_metadata() {
    let bench = Bench::new();
    let metadata = bench.open();
    for number in 0..60 {
        bench.log.end.fetch_add(1, Ordering::SeqCst);
        set(&metadata, &format!("k/{}", number % 23), &"v".repeat(number * 31)).await;
    }
    let large = Some(Bytes::from(vec![5; 2 * VALUE]));
    metadata.compare_and_set("large", None, large).await.expect("set");
    set(&metadata, "last", "change").await;
    let whole = entries(&metadata).await;
    drop(metadata);
    // A store that was opened and closed once more: with a snapshot of sled.
    drop(bench.open());

    let original = tree(&bench.metadata());
    let files = original.iter().filter_map(|(path, content)| Some((path, content.as_ref()?)));
    let (mut refused, mut complete) = (0, 0);
    for (path, content) in files {
        for (what, damaged) in damages(content) {
            match damaged {
                Some(damaged) => fs::write(path, damaged).expect("damages"),
                None => fs::remove_file(path).expect("removes"),
            }
            let before = tree(&bench.metadata());
            let opened = bench.try_open();
            let told = format!("{what}: {}", path.display());
            match opened {
                // What does not matter, such as unused space: all of it is there.
                Ok(metadata) => {
                    complete += 1;
                    assert_eq!(entries(&metadata).await, whole, "{told}");
                }
                Err(error) => {
                    refused += 1;
                    assert_eq!(tree(&bench.metadata()), before, "{told}: {error}");
                    let error = error.to_string();
                    assert!(error.contains(&*bench.metadata().to_string_lossy()), "{error}");
                    assert!(error.contains("mercer metadata rebuild"), "{error}");
                }
            }
            restore(&bench.metadata(), &original);
        }
    }
    assert!(refused > 10 && complete > 1, "{refused} refused, {complete} complete");
    assert_eq!(entries(&bench.open()).await, whole);
}

/// Puts a folder back as it was.
fn restore(folder: &Path, original: &BTreeMap<PathBuf, Option<Vec<u8>>>) {
    fs::remove_dir_all(folder).expect("removed");
    fs::create_dir(folder).expect("created");
    for (path, content) in original {
        match content {
            None => fs::create_dir_all(path).expect("created"),
            Some(content) => {
                fs::create_dir_all(path.parent().expect("a folder")).expect("created");
                fs::write(path, content).expect("written");
            }
        }
    }
}

#[tokio::test]
async fn old_and_foreign_metadata_is_refused() {
    let bench = Bench::new();
    let metadata = bench.open();
    set(&metadata, "a", "1").await;
    drop(metadata);
    let old = tree(&bench.metadata());
    let old_note = bench.log.noted();
    let metadata = bench.open();
    bench.log.end.store(5, Ordering::SeqCst);
    set(&metadata, "a", "2").await;
    set(&metadata, "a", "3").await;
    drop(metadata);
    let new = tree(&bench.metadata());
    let new_note = bench.log.noted();

    restore(&bench.metadata(), &old);
    let error = bench.refused();
    assert!(error.contains("change 1") && error.contains("change 3"), "{error}");

    // An old log beside newer metadata.
    restore(&bench.metadata(), &new);
    bench.log.end.store(4, Ordering::SeqCst);
    *bench.log.noted.lock() = old_note;
    let error = bench.refused();
    assert!(error.contains("position 5"), "{error}");
    // The positions are there again, but not of this history.
    bench.log.end.store(9, Ordering::SeqCst);
    let error = bench.refused();
    assert!(error.contains("does not belong"), "{error}");
    // One change more than the log knows of, but after another one.
    let other = MetadataNote { changes: 2, digest: 2 };
    *bench.log.noted.lock() = Some(other);
    let error = bench.refused();
    assert!(error.contains("does not belong"), "{error}");
    let other = MetadataNote { changes: 3, digest: 2 };
    *bench.log.noted.lock() = Some(other);
    bench.refused();

    // Of another cluster.
    let stranger = Bench::new();
    let metadata = stranger.open();
    for value in ["1", "2", "4"] {
        set(&metadata, "a", value).await;
    }
    drop(metadata);
    *bench.log.noted.lock() = new_note;
    let strangers = tree(&stranger.metadata()).into_iter();
    let strangers: BTreeMap<_, _> = strangers
        .map(|(path, content)| {
            let path = path.strip_prefix(stranger.folder.path()).expect("below it").to_owned();
            (bench.folder.path().join(path), content)
        })
        .collect();
    restore(&bench.metadata(), &strangers);
    let error = bench.refused();
    assert!(error.contains("does not belong"), "{error}");
    restore(&bench.metadata(), &new);
    assert_eq!(entries(&bench.open()).await[0].value, "3");
}

#[tokio::test]
async fn missing_metadata_is_no_new_cluster() {
    let bench = Bench::new();
    let metadata = bench.open();
    set(&metadata, "a", "1").await;
    drop(metadata);
    let kept = bench.folder.path().join("kept");
    fs::rename(bench.metadata(), &kept).expect("moved");
    let missing = |bench: &Bench| {
        let error = bench.refused();
        assert!(error.contains("is missing"), "{error}");
        assert!(error.contains("mercer metadata rebuild"), "{error}");
    };
    missing(&bench);
    assert!(!bench.metadata().exists());
    fs::create_dir(bench.metadata()).expect("created");
    missing(&bench);
    // A log of before has no note, but records.
    let note = bench.log.noted.lock().take();
    bench.log.end.store(1, Ordering::SeqCst);
    missing(&bench);

    *bench.log.noted.lock() = note;
    fs::remove_dir(bench.metadata()).expect("removed");
    fs::rename(&kept, bench.metadata()).expect("moved back");
    assert_eq!(entries(&bench.open()).await.len(), 1);
}

/// Opens the metadata as [`Bench::try_open`] does, in a process that dies after so many steps.
fn open_for(steps: usize, bench: &Bench) -> Result<EmbeddedMetadata, MetadataOpenError> {
    let place = Place::lock(&bench.metadata())?;
    place.steps.store(steps, Ordering::SeqCst);
    let opening = place.copy()?;
    let (store, found) = open(&place, &opening)?;
    let copy = MetadataCopy { place, store: Some(store), found };
    copy.tie(Arc::clone(&bench.log) as _, bench.stop.clone())
}

#[tokio::test]
async fn a_crash_at_any_step_of_opening_loses_nothing() {
    let bench = Bench::new();
    let metadata = bench.open();
    set(&metadata, "a", "1").await;
    drop(metadata);
    let mut steps = 0;
    loop {
        let opened = open_for(steps, &bench);
        let is_open = opened.is_ok();
        match opened {
            Ok(metadata) => drop(metadata),
            Err(error) => {
                assert!(error.to_string().contains("the process died here"), "{error}");
            }
        }
        let metadata = bench.open();
        assert_eq!(entries(&metadata).await[0].value, format!("{}", steps + 1));
        set(&metadata, "a", &format!("{}", steps + 2)).await;
        drop(metadata);
        assert_eq!(bench.neighbours(), [""; 0], "after {steps} steps");
        steps += 1;
        if is_open {
            break;
        }
    }
    assert!(steps > 7, "{steps}");
}

#[tokio::test]
async fn a_crash_at_any_step_of_building_anew_can_be_repeated() {
    let mut steps = 0;
    loop {
        let bench = Bench::new();
        let metadata = bench.open();
        set(&metadata, "a", "1").await;
        drop(metadata);
        let replace = async |steps| {
            let new = NewMetadata::lock(&bench.metadata()).expect("locks");
            new.place.steps.store(steps, Ordering::SeqCst);
            let values = BTreeMap::from([("b".to_owned(), Bytes::new())]);
            new.replace(values, Arc::clone(&bench.log) as _).await
        };
        let replaced = replace(steps).await;
        if replaced.is_err() {
            // The old or none: what is there is never a part.
            let found = bench.try_open().map(|metadata| metadata.shared.store.read().state.changes);
            assert!(matches!(found, Ok(1) | Err(MetadataOpenError::Missing { .. })), "{found:?}");
            replace(usize::MAX).await.expect("replaces");
        }
        let metadata = bench.open();
        assert_eq!(&*entries(&metadata).await[0].key, "b", "after {steps} steps");
        drop(metadata);
        assert!(bench.neighbours().contains(&"metadata.set-aside".to_owned()));
        steps += 1;
        if replaced.is_ok() {
            break;
        }
    }
    assert!(steps > 4, "{steps}");
}

#[tokio::test]
async fn metadata_of_a_newer_release_is_named_and_left() {
    let bench = Bench::new();
    let metadata = bench.open();
    set(&metadata, "a", "1").await;
    set(&metadata, "b", "2").await;
    drop(metadata);
    let database = Database::open(&bench.metadata(), 1 << 20).expect("opens");
    let mut newer = database.get("b").expect("reads").expect("there").to_vec();
    newer[0] = 3;
    database.insert("b", newer).expect("stored");
    database.close().expect("closed");
    let error = bench.refused();
    assert!(error.contains("`b` has format 3") && error.contains("start that release"), "{error}");
    assert!(!error.contains("rebuild") && !error.contains("damaged"), "{error}");
    let before = tree(&bench.metadata());
    let error = NewMetadata::lock(&bench.metadata()).expect_err("newer");
    assert!(matches!(error, MetadataOpenError::Newer { .. }), "{error}");
    assert_eq!(tree(&bench.metadata()), before);
}

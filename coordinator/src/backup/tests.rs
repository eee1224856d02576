use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use mercer_common::{
    artifact::{ArtifactRef, ArtifactStore},
    clock::SystemClock,
    config::{Config, FreeBytesFloor},
    event::encode_section,
    log::{
        Ancestor, Cursor, EventLog, LogIdentity,
        embedded::{EmbeddedLog, LogFolder},
    },
    manifest::part,
    metadata::{EmbeddedMetadata, Metadata},
    slot::ShardId,
    space::Floor,
};
use mercer_proto::{
    internal::{JobRecord, Marker, Model, ModelSet, Section, VersionManifest},
    v1::JobState,
};
use prost::Message;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    cluster::record::{CurrentRecord, GenerationRecord, NumbersRecord},
    data_folder, imports,
    jobs::published,
};

const SNAPSHOT: &str = "worker-1/shards/00-000000000000000000000000000000ab-2.snapshot";

/// A folder as a coordinator and a worker leave it.
struct Shop {
    folder: TempDir,
    /// The file that version 1 stands on.
    model: ArtifactRef,
    /// The register of a source of imports.
    register: ArtifactRef,
}

impl Shop {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let artifacts = ArtifactStore::open(&folder.path().join("shop/artifacts")).expect("opens");
        let put = |job: &str| {
            let bytes = vec![7_u8; 5_000];
            artifacts.put(job, "postings", "p3-00", "postings-1", &[&bytes]).expect("written")
        };
        let model = put("job-000001");
        let unnamed = put("job-000002");
        let (source, register) = imports::example(&folder.path().join("shop"));
        let shop = Self { folder, model, register };
        let snapshot = shop.data_dir().join(SNAPSHOT);
        fs::create_dir_all(snapshot.parent().expect("a folder")).expect("created");
        fs::write(&snapshot, b"what a worker wrote").expect("written");
        fs::write(snapshot.with_extension("temporary"), b"half of it").expect("written");

        let manifest = |number: u32, file: &ArtifactRef| VersionManifest {
            version: format!("v{number}"),
            job_id: format!("job-{number:06}"),
            model_sets: vec![ModelSet {
                models: vec![Model {
                    algorithm: "p3".into(),
                    parts: vec![part::new(part::POSTINGS, vec![file.clone()])],
                    ..Model::default()
                }],
                ..ModelSet::default()
            }],
            ..VersionManifest::default()
        };
        let first = manifest(1, &shop.model);
        published::write(&artifacts, &first).expect("written");
        let job = |number: u32, state: JobState, version: &str| {
            let job_id = format!("job-{number:06}");
            let mut record = JobRecord { job_id, version: version.into(), ..JobRecord::default() };
            record.set_state(state);
            (format!("jobs/job-{number:06}"), record.encode_to_vec())
        };
        let values = [
            source,
            ("versions/v1".to_owned(), first.encode_to_vec()),
            // A job has stored it and not published yet.
            ("versions/v2".to_owned(), manifest(2, &unnamed).encode_to_vec()),
            ("current".to_owned(), CurrentRecord { version: "v1".into() }.encode_to_vec()),
            job(1, JobState::Succeeded, "v1"),
            job(2, JobState::Running, "v2"),
            job(3, JobState::Queued, ""),
            ("workers/worker-1".to_owned(), Vec::new()),
            ("experiments/e".to_owned(), vec![9; 200_000]),
            ("cluster/generation".to_owned(), GenerationRecord { generation: 5 }.encode_to_vec()),
        ];
        let (log, metadata) = shop.open();
        for number in 0..3 {
            append(&*log, number).await;
        }
        for (key, value) in values {
            let value = Some(Bytes::from(value));
            metadata.compare_and_set(&key, None, value).await.expect("stored");
        }
        append(&*log, 3).await;
        shop
    }

    fn data_dir(&self) -> PathBuf {
        self.folder.path().join("shop")
    }

    fn open(&self) -> (Arc<EmbeddedLog>, EmbeddedMetadata) {
        let mut config = Config::default();
        config.cluster.shards = 2;
        config.coordinator.data_dir = self.data_dir();
        data_folder::open(&config, CancellationToken::new()).expect("opens")
    }

    async fn create(&self, name: &str) -> Result<Backup, BackupError> {
        let data_dir = self.data_dir();
        let backups = Backups::of_stopped(&data_dir, None, None, Arc::new(SystemClock))?;
        let (progress, told) = watch::channel(BackupProgress::default());
        let made = backups.create(Some(name), progress).await;
        if made.is_ok() {
            let told = *told.borrow();
            assert!(told.bytes_done > 0 && told.bytes > 0, "{told:?}");
        }
        made
    }

    async fn restore(&self, backup: &Path, name: &str) -> Result<Restored, BackupError> {
        restore(backup, &self.folder.path().join(name), &SystemClock, &mut |_| {}).await
    }
}

async fn append(log: &dyn EventLog, number: u32) {
    let section = Section { append_time_ms: number.into(), ..Section::default() };
    append_section(log, &section).await;
}

async fn append_section(log: &dyn EventLog, section: &Section) {
    let sections = (0..2_u16).map(|shard| (ShardId::from(shard), encode_section(section)));
    log.append(sections.collect()).await.expect("stored");
}

/// Every section of a log, by shard.
async fn sections(log: &EmbeddedLog) -> Vec<(ShardId, u64, Bytes)> {
    let cursors = [0, 1].map(|shard| Cursor { shard, after: 0, epoch: log.epoch_at(0) });
    let fetched = log.fetch(&cursors, 1 << 20, Duration::ZERO).await.expect("fetched");
    let mut sections = Vec::new();
    for shard in fetched.shards {
        for one in shard.sections {
            sections.push((shard.shard, one.sequence, one.section));
        }
    }
    sections
}

async fn values(metadata: &EmbeddedMetadata) -> BTreeMap<String, Bytes> {
    let entries = metadata.list("").await.expect("listed");
    entries.into_iter().map(|entry| (entry.key, entry.value)).collect()
}

fn verified(backup: &Path) -> Vec<String> {
    verify(backup, &mut |_| {}).expect("read").1
}

#[tokio::test]
async fn what_was_backed_up_comes_back_as_another_log() {
    let shop = Shop::new().await;
    let made = shop.create("b").await.expect("made");
    assert_eq!(made.folder, shop.data_dir().join("backups/b"));
    assert_eq!(made.manifest.problems, [""; 0]);
    assert_eq!(made.manifest.version.as_deref(), Some("v1"));
    assert_eq!(verified(&made.folder), [""; 0]);
    let has = |path: &str| made.manifest.files.iter().any(|file| file.path == path);
    assert!(has(&format!("artifacts/{}", shop.model.path)));
    assert!(has(&format!("workers/{SNAPSHOT}")));
    let registers = made.manifest.files.iter().filter(|file| file.path.starts_with("imports/"));
    let registers: Vec<&str> = registers.map(|file| file.path.as_str()).collect();
    assert_eq!(registers, [format!("imports/{}", shop.register.path)]);
    assert!(!made.manifest.files.iter().any(|file| file.path.contains("temporary")));

    // The cluster goes on, and is not what comes back.
    let (log, metadata) = shop.open();
    let before = (sections(&log).await, values(&metadata).await, log.identity().clone());
    append(&*log, 9).await;
    drop((log, metadata));

    let restored = shop.restore(&made.folder, "restored").await.expect("restored");
    assert_eq!(restored.left_out, [""; 0]);
    let data_dir = shop.folder.path().join("restored");
    assert_eq!(fs::read(data_dir.join(SNAPSHOT)).expect("there"), b"what a worker wrote");
    assert!(data_dir.join("artifacts").join(&shop.model.path).is_file());
    assert!(data_dir.join("imports").join(&shop.register.path).is_file());
    assert!(data_dir.join("FORMAT").is_file());
    let shop = Shop { folder: moved(shop.folder, "restored"), ..shop };
    let (log, metadata) = shop.open();
    let (old_sections, old_values, old_identity) = before;
    assert_eq!(sections(&log).await, old_sections);
    let LogIdentity { incarnation, founding, ancestors } = log.identity();
    assert_ne!(*incarnation, old_identity.incarnation);
    assert_eq!(founding, &old_identity.founding);
    let through = made.manifest.end;
    assert_eq!(*ancestors, [Ancestor { incarnation: old_identity.incarnation, through }]);

    let new_values = values(&metadata).await;
    for key in [
        "imports/sources/shop",
        "versions/v1",
        "current",
        "experiments/e",
        "workers/worker-1",
        "jobs/job-000003",
    ] {
        assert_eq!(new_values.get(key), old_values.get(key), "{key}");
    }
    // What a job stored and did not publish goes with it.
    assert!(!new_values.contains_key("versions/v2"));
    let job = JobRecord::decode(&*new_values["jobs/job-000002"]).expect("a job");
    assert_eq!((job.state(), job.version.as_str()), (JobState::Failed, ""));
    assert!(job.error.contains("backup"), "{}", job.error);
    let generation = GenerationRecord::decode(&*new_values["cluster/generation"]).expect("read");
    assert!(generation.generation > 5);
    let numbers = NumbersRecord::decode(&*new_values["job-numbers"]).expect("read");
    assert_eq!(numbers.last, 3);
}

/// The folder as if `name` were the shop's.
fn moved(folder: TempDir, name: &str) -> TempDir {
    fs::rename(folder.path().join("shop"), folder.path().join("before")).expect("renamed");
    fs::rename(folder.path().join(name), folder.path().join("shop")).expect("renamed");
    folder
}

#[tokio::test]
async fn a_job_that_began_after_the_metadata_was_read_leaves_its_number() {
    let shop = Shop::new().await;
    let (log, metadata) = shop.open();
    let entries = entries::Entries::new(metadata.list("").await.expect("listed"));
    let position = log.end();
    let marker = Some(Marker { job_id: "job-000017".into(), parts: Vec::new() });
    append_section(&*log, &Section { marker, ..Section::default() }).await;
    let said = crate::rebuild::read_log(&log, position).await.expect("read");
    let values = entries.restored(log.identity(), &said, 1_000).expect("read");
    let numbers = NumbersRecord::decode(&*values["job-numbers"]).expect("read");
    assert_eq!(numbers.last, 17);
}

#[tokio::test]
async fn damage_of_any_file_is_told_and_truth_is_not_restored() {
    let shop = Shop::new().await;
    let made = shop.create("b").await.expect("made");
    let backup = made.folder;
    let manifest = "backup.json".to_owned();
    let names = made.manifest.files.iter().map(|file| file.path.clone()).chain([manifest]);
    for (number, name) in names.enumerate() {
        let path = backup.join(&name);
        let good = fs::read(&path).expect("reads");
        let mut flipped = good.clone();
        if let Some(byte) = flipped.get_mut(good.len() / 2) {
            *byte ^= 0x10;
        }
        let damages =
            [None, Some(Vec::new()), Some(good[..good.len() / 2].to_vec()), Some(flipped)];
        for (kind, damage) in damages.into_iter().enumerate() {
            let is_same = damage.as_ref() == Some(&good);
            // A backup links to what it was made of: only the name in the backup is damaged.
            fs::remove_file(&path).expect("removed");
            if let Some(bytes) = &damage {
                fs::write(&path, bytes).expect("written");
            }
            let told = match verify(&backup, &mut |_| {}) {
                Ok((_, problems)) => problems.join("; "),
                Err(error) => error.to_string(),
            };
            let target = format!("restored-{number}-{kind}");
            let restored = shop.restore(&backup, &target).await;
            if is_same {
                restored.expect("whole");
            } else {
                assert!(told.contains(&name), "{name} {kind}: {told}");
                let derived = ["artifacts/", "workers/", "imports/"];
                let is_derived = derived.iter().any(|folder| name.starts_with(folder));
                match restored {
                    Ok(restored) => {
                        assert!(is_derived, "{name} {kind} was restored");
                        assert!(restored.left_out.iter().any(|left| left.contains(&name)));
                    }
                    Err(error) => {
                        assert!(!is_derived, "{name} {kind}: {error}");
                        assert!(error.to_string().contains(&name), "{name} {kind}: {error}");
                        assert!(!shop.folder.path().join(&target).exists());
                    }
                }
            }
            let _ = fs::remove_file(&path);
            fs::write(&path, &good).expect("undone");
        }
    }
    assert_eq!(verified(&backup), [""; 0]);
    fs::write(backup.join("log/notes"), b"mine").expect("written");
    let told = verified(&backup).join("; ");
    assert!(told.contains("log/notes"), "{told}");
}

#[tokio::test]
async fn a_backup_of_damaged_files_says_so() {
    let shop = Shop::new().await;
    let model = shop.data_dir().join("artifacts").join(&shop.model.path);
    let mut bytes = fs::read(&model).expect("reads");
    bytes[4_500] ^= 1;
    fs::write(&model, bytes).expect("written");
    let made = shop.create("b").await.expect("made");
    let told = made.manifest.problems.join("; ");
    assert!(told.contains(&shop.model.path) && told.contains("damaged"), "{told}");
    fs::remove_file(&model).expect("removed");
    let made = shop.create("c").await.expect("made");
    let told = made.manifest.problems.join("; ");
    assert!(told.contains(&shop.model.path) && told.contains("missing"), "{told}");
    assert_eq!(verified(&made.folder), made.manifest.problems);
    shop.restore(&made.folder, "restored").await.expect("what there was");
}

#[tokio::test]
async fn names_are_given_once_and_lead_nowhere() {
    let shop = Shop::new().await;
    for name in ["", ".", "../b", "a/b", ".hidden", "b.unfinished", "lock", "ä", &"n".repeat(129)]
    {
        let error = shop.create(name).await.expect_err("refused");
        assert!(error.to_string().starts_with("name: must be"), "{name}: {error}");
    }
    assert!(!shop.data_dir().join("backups").exists());
    shop.create("b").await.expect("made");
    let error = shop.create("b").await.expect_err("refused").to_string();
    assert!(error.contains("exists already"), "{error}");
    // What a crash left of another one goes.
    let unfinished = shop.data_dir().join("backups/a.unfinished/log");
    fs::create_dir_all(&unfinished).expect("created");
    let foreign = shop.data_dir().join("backups/mine.unfinished/notes");
    fs::create_dir_all(&foreign).expect("created");
    let lock = fs::File::create(shop.data_dir().join("backups/lock")).expect("there");
    lock.lock().expect("locked");
    let error = shop.create("c").await.expect_err("refused").to_string();
    assert!(error.contains("another backup"), "{error}");
    assert!(unfinished.exists());
    drop(lock);
    shop.create("c").await.expect("made");
    assert!(!unfinished.exists());
    assert!(foreign.exists());
}

#[tokio::test]
async fn a_backup_waits_for_space() {
    let shop = Shop::new().await;
    let data_dir = shop.data_dir();
    let clock = Arc::new(SystemClock);
    let mut backups = Backups::of_stopped(&data_dir, None, None, clock).expect("opens");
    let all = FreeBytesFloor::Bytes(u64::MAX);
    backups.floors = vec![Floor::new("coordinator.free_bytes_floor", &data_dir, all)];
    let (progress, _told) = watch::channel(BackupProgress::default());
    let error = backups.create(Some("b"), progress).await.expect_err("refused").to_string();
    assert!(error.contains("coordinator.free_bytes_floor"), "{error}");
    assert!(!data_dir.join("backups").exists());
}

#[tokio::test]
async fn a_backup_that_nobody_waits_for_leaves_nothing() {
    let shop = Shop::new().await;
    let data_dir = shop.data_dir();
    let clock = Arc::new(SystemClock);
    let backups = Backups::of_stopped(&data_dir, None, None, clock).expect("opens");
    let (progress, told) = watch::channel(BackupProgress::default());
    drop(told);
    let error = backups.create(Some("b"), progress).await.expect_err("given up");
    assert!(matches!(error, BackupError::GivenUp), "{error}");
    let left: Vec<_> = fs::read_dir(data_dir.join("backups")).expect("there").collect();
    assert_eq!(left.len(), 1, "only the lock: {left:?}");
}

#[tokio::test]
async fn what_is_no_cluster_and_what_is_no_place_is_refused() {
    let shop = Shop::new().await;
    let nothing = shop.folder.path().join("nothing");
    let clock = Arc::new(SystemClock);
    let Err(error) = Backups::of_stopped(&nothing, None, None, clock) else { panic!("opened") };
    assert!(matches!(error, BackupError::NoCluster { .. }), "{error}");
    assert!(!nothing.exists());
    let error = shop.restore(&nothing, "restored").await.expect_err("refused");
    assert!(matches!(error, BackupError::NoBackup { .. }), "{error}");

    let backup = shop.create("b").await.expect("made").folder;
    let error = shop.restore(&backup, "shop").await.expect_err("refused");
    assert!(matches!(error, BackupError::Occupied { .. }), "{error}");
    fs::create_dir(shop.folder.path().join("empty")).expect("created");
    shop.restore(&backup, "empty").await.expect("restored");
    fs::create_dir(shop.folder.path().join("again.restoring")).expect("created");
    let error = shop.restore(&backup, "again").await.expect_err("refused").to_string();
    assert!(error.contains("again.restoring"), "{error}");

    let newer = fs::read_to_string(backup.join("backup.json")).expect("reads");
    let newer = newer.replace("\"format\": 2", "\"format\": 3, \"more\": 1");
    fs::write(backup.join("backup.json"), newer).expect("written");
    let error = shop.restore(&backup, "newer").await.expect_err("refused");
    assert!(matches!(error, BackupError::Newer { found: 3, .. }), "{error}");
}

#[tokio::test]
async fn a_restored_log_can_be_backed_up_and_restored_again() {
    let shop = Shop::new().await;
    for round in 1..4 {
        let backup = shop.create(&format!("b{round}")).await.expect("made").folder;
        shop.restore(&backup, "restored").await.expect("restored");
        let kept = shop.folder.path().join(format!("before-{round}"));
        fs::rename(shop.folder.path().join("shop"), kept).expect("renamed");
        fs::rename(shop.folder.path().join("restored"), shop.data_dir()).expect("renamed");
        let (log, metadata) = shop.open();
        append(&*log, 10 + round).await;
        assert_eq!(sections(&log).await.len(), 2 * (4 + round as usize));
        assert_eq!(log.identity().ancestors.len(), round as usize);
        drop((log, metadata));
    }
    let look = EmbeddedLog::look(&shop.data_dir().join("log")).expect("read");
    assert!(matches!(look, LogFolder::Founded(identity) if identity.ancestors.len() == 3));
}

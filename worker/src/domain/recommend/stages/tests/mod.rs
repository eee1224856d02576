pub(crate) mod everything;
pub(crate) mod golden;
pub(crate) mod reference;
pub(crate) mod shop;
mod steps;

use std::{
    collections::BTreeMap,
    fs,
    sync::{
        Arc, Barrier,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use mercer_algorithms::control::Cancelled;
use mercer_common::{artifact::ArtifactStore, rpc::status::Describe as _, time::EventTime};
use mercer_proto::internal::{Phase, TaskCounts};
use tempfile::TempDir;

use crate::{
    compute::{Compute, TRAINING},
    domain,
    task::{TaskRunner, TrainingError, Watch, in_order},
    version::{self, OpenVersions},
};
use reference::Neighbours;
use shop::{Job, Random, Shop, spec, write_cuts};

pub(crate) struct Bench {
    _folder: TempDir,
    pub(crate) store: ArtifactStore,
    compute: Arc<Compute>,
    pub(crate) runner: TaskRunner,
}

impl Bench {
    pub(crate) fn new(threads: usize) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store = ArtifactStore::open(folder.path()).expect("opens");
        let compute = Arc::new(Compute::new(threads).expect("threads"));
        let runner =
            TaskRunner::new(store.clone(), Arc::clone(&compute), Arc::default(), domain::stages());
        Self { _folder: folder, store, compute, runner }
    }

    fn open(&self, job: &Job<'_>, shards: u16) -> Arc<version::OpenSet> {
        let versions = OpenVersions::new(self.store.clone(), self.store.folder());
        let held: Vec<u16> = (0..shards).collect();
        versions.prepare(job.manifest("v1"), &held).expect("opens");
        versions.newest_models("v1").expect("open").expect("has models")
    }
}

/// The postings of all shards as source, neighbour, weight.
pub(crate) fn neighbours(version: &version::OpenSet, algorithm: &str, shards: u16) -> Neighbours {
    let items = version.items();
    let mut found = Neighbours::new();
    for shard in 0..shards {
        let rows = items.shard_rows(shard);
        let postings = version.model(algorithm).expect("trained").postings(shard).expect("held");
        for source in 0..items.rows() {
            let (candidates, weights) = postings.of(source);
            for (candidate, weight) in candidates.iter().zip(weights) {
                let target = items.id(rows.start + candidate).to_owned();
                found
                    .entry(items.id(source).to_owned())
                    .or_default()
                    .insert(target, f64::from(*weight));
            }
        }
    }
    found
}

/// The path of every artifact of a job (its name holds the hash of its bytes).
fn artifacts(store: &ArtifactStore, job: &str) -> Vec<String> {
    let prefix = format!("jobs/{job}/");
    let all = store.list().expect("lists");
    all.into_iter().filter_map(|found| Some(found.path.strip_prefix(&prefix)?.to_owned())).collect()
}

#[tokio::test]
async fn equals_plain_loops_for_every_spec_and_number_of_shards() {
    let shop = Shop::random(1, 30, 40, 600);
    let plain = spec(1);
    let mut decayed = plain.clone();
    (decayed.weighted, decayed.half_life_days, decayed.log_quantity) = (true, 20.0, true);
    let mut capped = plain.clone();
    (capped.history_cap, capped.weighted) = (5, true);
    for (number, mut spec) in [plain, decayed, capped].into_iter().enumerate() {
        let mut bytes_by_shards = Vec::new();
        for shards in [1, 7] {
            spec.shard_count = shards;
            let bench = Bench::new(2);
            let name = format!("job-{number}");
            write_cuts(&shop.states(shards as u16), &name, &bench.store);
            let mut job = Job::new(&name, spec.clone(), &bench.runner);
            job.run().await.expect("trains");
            let version = bench.open(&job, shards as u16);
            for algorithm in ["p3", "item-cosine"] {
                let sums = reference::sums(&shop, &spec);
                let matrix = reference::matrix(&sums, &spec);
                let expected = reference::similarities(&matrix, algorithm);
                let found = neighbours(&version, algorithm, shards as u16);
                assert_same(&found, &expected);
                bytes_by_shards.push((algorithm, found));
            }
        }
        // Bit for bit the same for any number of shards.
        let (one, seven) = bytes_by_shards.split_at(2);
        assert_eq!(one, seven);
    }
}

fn assert_same(found: &Neighbours, expected: &Neighbours) {
    let keys = |of: &Neighbours| -> Vec<(String, String)> {
        let mut keys = Vec::new();
        for (source, targets) in of {
            keys.extend(targets.keys().map(|target| (source.clone(), target.clone())));
        }
        keys
    };
    assert_eq!(keys(found), keys(expected));
    for (source, targets) in expected {
        for (target, weight) in targets {
            let got = found[source][target];
            assert!((got - weight).abs() <= 1e-5 * weight, "{source} {target} {got} {weight}");
        }
    }
}

#[tokio::test]
async fn keeps_the_best_k_of_each_source() {
    let shop = Shop::random(2, 60, 50, 1_500);
    let mut spec = spec(3);
    spec.top_k = 4;
    let bench = Bench::new(2);
    write_cuts(&shop.states(3), "job", &bench.store);
    let mut job = Job::new("job", spec.clone(), &bench.runner);
    job.run().await.expect("trains");
    let version = bench.open(&job, 3);
    let matrix = reference::matrix(&reference::sums(&shop, &spec), &spec);
    for algorithm in ["p3", "item-cosine"] {
        let all = reference::similarities(&matrix, algorithm);
        let kept = neighbours(&version, algorithm, 3);
        assert_eq!(kept.len(), all.len());
        for (source, targets) in &all {
            assert_eq!(kept[source].len(), targets.len().min(4));
            let worst = kept[source].values().copied().fold(f64::INFINITY, f64::min);
            let better = targets.values().filter(|weight| **weight > worst * (1.0 + 1e-5)).count();
            assert!(better <= 4, "{source}: {better} are better than {worst}");
        }
    }
}

#[tokio::test]
async fn the_item_table_knows_every_item_by_row_rank_and_id() {
    let shop = Shop::random(3, 30, 200, 900);
    let bench = Bench::new(1);
    let states = shop.states(5);
    write_cuts(&states, "job", &bench.store);
    let mut job = Job::new("job", spec(5), &bench.runner);
    job.run().await.expect("trains");
    let version = bench.open(&job, 5);
    let table = version.items();

    let mut ids: Vec<String> =
        states.iter().flat_map(|state| state.items().map(|item| item.id().to_owned())).collect();
    reference::sort_items(&mut ids);
    assert_eq!(table.rows() as usize, ids.len());
    let mut popularity = BTreeMap::new();
    for item in states.iter().flat_map(crate::shard::ShardState::items) {
        let row = table.row(item.id()).expect("known");
        assert_eq!(ids[row as usize], item.id());
        assert_eq!(table.id(row), item.id());
        let path: Vec<&str> = table.category_path(table.category(row)).collect();
        assert_eq!(path, item.category_path().iter().map(|level| &**level).collect::<Vec<_>>());
        popularity.insert(row, item.popularity());
    }
    for stranger in ["", "item", "item-200", "Item-1"] {
        assert_eq!(table.row(stranger), None);
    }
    let by_rank: Vec<(u64, u32)> =
        table.rows_by_rank().iter().map(|row| (popularity[row], *row)).collect();
    assert!(by_rank.is_sorted_by_key(|&(popularity, row)| (std::cmp::Reverse(popularity), row)));
    for (rank, (_, row)) in (0_u32..).zip(&by_rank) {
        assert_eq!(table.ranks()[*row as usize], rank);
    }
    let as_of = EventTime::from_unix_seconds(reference::as_of(&shop)).expect("in range");
    assert_eq!(table.as_of(), as_of.0);
}

#[tokio::test]
async fn bytes_do_not_depend_on_threads_or_on_what_was_lost_between() {
    let shop = Shop::random(4, 40, 60, 1_200);
    let states = shop.states(4);
    let train = async |threads: usize| {
        let bench = Bench::new(threads);
        write_cuts(&states, "job", &bench.store);
        Job::new("job", spec(4), &bench.runner).run().await.expect("trains");
        bench
    };
    let bench = train(1).await;
    let expected = artifacts(&bench.store, "job");
    assert_eq!(expected.len(), 4 + 1 + 4 + 1 + 2 * (4 + 4));
    assert_eq!(artifacts(&train(3).await.store, "job"), expected);

    // Half of them are lost; a fresh runner finds the rest and makes the others again.
    let mut random = Random::new(9);
    for artifact in bench.store.list().expect("lists") {
        if !artifact.path.contains("/cut/") && random.flip() {
            bench.store.remove(&artifact).expect("removed");
        }
    }
    assert!(artifacts(&bench.store, "job").len() < expected.len());
    let compute = Arc::new(Compute::new(2).expect("threads"));
    let fresh = TaskRunner::new(bench.store.clone(), compute, Arc::default(), domain::stages());
    Job::new("job", spec(4), &fresh).run().await.expect("trains");
    assert_eq!(artifacts(&bench.store, "job"), expected);
}

#[tokio::test]
async fn a_task_found_finished_reports_the_same_counts() {
    let shop = Shop::random(5, 30, 40, 500);
    let bench = Bench::new(2);
    write_cuts(&shop.states(2), "job", &bench.store);
    Job::new("job", spec(2), &bench.runner).run().await.expect("trains");
    let fresh = TaskRunner::new(
        bench.store.clone(),
        Arc::new(Compute::new(1).expect("threads")),
        Arc::default(),
        domain::stages(),
    );
    let mut job = Job::new("job", spec(2), &fresh);
    job.run().await.expect("trains");
    let statistics = job.task(Phase::Statistics, 0, "").await.expect("found");
    let matrix = reference::matrix(&reference::sums(&shop, &spec(2)), &spec(2));
    let as_of = EventTime::from_unix_seconds(reference::as_of(&shop)).expect("in range");
    let expected = TaskCounts {
        users: matrix.len() as u64,
        items: u64::from(bench.open(&job, 2).items().rows()),
        interactions: matrix.values().map(|row| row.len() as u64).sum(),
        as_of: as_of.0,
        sale_days: 0,
    };
    assert_eq!(statistics.counts, Some(expected));
}

#[tokio::test]
async fn damage_is_reported_with_the_path() {
    let shop = Shop::random(6, 20, 20, 200);
    let bench = Bench::new(1);
    write_cuts(&shop.states(2), "job", &bench.store);
    let mut job = Job::new("job", spec(2), &bench.runner);
    job.run().await.expect("trains");

    let damage = |phase: Phase, algorithm: &str| {
        let artifact = job.output(phase, 1, algorithm);
        let file = bench.store.folder().join(&artifact.path);
        let mut bytes = fs::read(&file).expect("reads");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        // A new file under the same name, as maps of the old one may be in use.
        fs::remove_file(&file).expect("removes");
        fs::write(&file, bytes).expect("writes");
        artifact.path
    };
    let path = damage(Phase::Encode, "");
    let fresh = TaskRunner::new(
        ArtifactStore::open(bench.store.folder()).expect("opens"),
        Arc::new(Compute::new(1).expect("threads")),
        Arc::default(),
        domain::stages(),
    );
    let mut again = Job::new("job", spec(2), &fresh);
    let error = again.run().await.expect_err("damaged");
    assert!(matches!(&*error, TrainingError::Artifact(_)), "{error}");
    assert!(error.to_string().contains(&path), "{error}");

    let path = damage(Phase::Postings, "p3");
    let store = ArtifactStore::open(bench.store.folder()).expect("opens");
    let versions = OpenVersions::new(store, bench.store.folder());
    let error = versions.prepare(job.manifest("v1"), &[0, 1]).expect_err("damaged");
    assert!(error.to_string().contains(&path), "{error}");
    assert!(versions.named("v1").is_err());
    // At a start the sound version opens all the same, and queries are told about the other.
    let mut sound = job.manifest("v2");
    sound.model_sets[0].models.retain(|model| model.algorithm != "p3");
    let error = versions.replace(vec![job.manifest("v1"), sound], &[0, 1]).expect_err("damaged");
    assert!(error.to_string().contains(&path), "{error}");
    let told = versions.named("v1").expect_err("unusable");
    assert!(told.to_string().contains(&path), "{told}");
    assert_eq!(told.describe().reason, "VERSION_GONE");
    versions.named("v2").expect("open");
    // A worker that does not hold the shard does not read its file.
    versions.prepare(job.manifest("v1"), &[0]).expect("shard 0 is sound");
    versions.named("v1").expect("open");
}

#[tokio::test]
async fn cancel_ends_tasks_and_takes_no_more_of_the_job() {
    let shop = Shop::random(8, 20, 20, 200);
    let bench = Bench::new(1);
    write_cuts(&shop.states(1), "job", &bench.store);
    let mut job = Job::new("job", spec(1), &bench.runner);
    job.task(Phase::Cut, 0, "").await.expect("is there");
    job.task(Phase::Dictionary, 0, "").await.expect("runs");

    // All permits to train are taken, so the task is under way and not done.
    let gate = Arc::new(Barrier::new(TRAINING + 1));
    let busy = [(); TRAINING].map(|()| {
        let (open, compute) = (Arc::clone(&gate), Arc::clone(&bench.compute));
        tokio::spawn(async move { compute.train(move |_| open.wait()).await })
    });
    tokio::task::yield_now().await;
    let mut request = job.request(Phase::Encode, 0, "");
    request.wait_ms = 0;
    let deadline = Instant::now() + Duration::from_secs(60);
    assert!(!bench.runner.run(request.clone(), deadline).await.expect("under way").done);
    request.wait_ms = 60_000;
    let (ended, ()) = tokio::join!(bench.runner.run(request, deadline), async {
        tokio::task::yield_now().await;
        bench.runner.cancel("job");
        tokio::task::spawn_blocking(move || gate.wait()).await.expect("joins");
    });
    for task in busy {
        task.await.expect("joins").expect("trains");
    }
    assert!(matches!(&*ended.expect_err("cancelled"), TrainingError::Cancelled(_)));
    assert!(!artifacts(&bench.store, "job").iter().any(|path| path.starts_with("encode")));
    for phase in [Phase::Cut, Phase::Encode] {
        let late = job.task(phase, 0, "").await.expect_err("cancelled");
        assert!(matches!(&*late, TrainingError::Cancelled(_)), "{late}");
    }
}

#[tokio::test]
async fn a_cut_is_waited_for_as_long_as_the_caller_says() {
    let bench = Bench::new(1);
    let mut request = Job::new("job", spec(1), &bench.runner).request(Phase::Cut, 0, "");
    request.wait_ms = 0;
    let deadline = Instant::now() + Duration::from_secs(60);
    let absent = bench.runner.run(request.clone(), deadline).await.expect("waits");
    assert!(!absent.done);
    request.wait_ms = 60_000;
    let states = Shop::random(9, 20, 20, 200).states(1);
    let (found, ()) = tokio::join!(bench.runner.run(request, deadline), async {
        tokio::task::yield_now().await;
        write_cuts(&states, "job", &bench.store);
    });
    assert!(found.expect("found").done);
}

#[test]
fn a_cancel_stops_work_at_the_next_block() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().expect("threads");
    let jobs: Vec<u32> = (0..1_000).collect();
    let watch = Watch::default();
    let worked = AtomicUsize::new(0);
    let stopped = pool.install(|| {
        in_order(&jobs, &watch, |job| {
            worked.fetch_add(1, Ordering::Relaxed);
            if *job == 10 {
                watch.cancel();
            }
            Ok(())
        })
    });
    assert_eq!(stopped, Err(Cancelled));
    // Each thread finishes at most the block that it is in.
    assert!(worked.into_inner() < jobs.len());
    let squares = pool.install(|| in_order(&jobs, &Watch::default(), |job| Ok(job * job)));
    assert_eq!(squares, Ok(jobs.iter().map(|job| job * job).collect()));
}

#[tokio::test]
async fn a_failed_task_is_tried_again() {
    let shop = Shop::random(7, 20, 20, 200);
    let bench = Bench::new(1);
    write_cuts(&shop.states(1), "job", &bench.store);
    let mut job = Job::new("job", spec(1), &bench.runner);
    let error = job.task(Phase::Dictionary, 0, "").await.expect_err("has no input");
    assert!(matches!(&*error, TrainingError::Inputs { .. }), "{error}");
    job.task(Phase::Cut, 0, "").await.expect("is there");
    job.task(Phase::Dictionary, 0, "").await.expect("has its input now");
}

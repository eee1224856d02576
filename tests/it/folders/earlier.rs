//! A folder of the release before logs were segment files and metadata had a witness.
//!
//! `tests/data/earlier_folder.tar.gz` was written by a release build of commit a6dd93f: by this test,
//! with `MERCER_TEST_EARLIER` naming that binary, which then packs the folder anew. Beside the folder
//! it holds what was acknowledged.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use anyhow::{Context as _, ensure};
use mercer_proto::v1::{
    AppliedRecords, RecommendRequest, recommend_service_client::RecommendServiceClient,
};
use mercer_tests::{
    answers::{self, request},
    applied::{Applied, expected, reported},
    catalogue,
    folder::{Damage, contents, copy, differences},
    processes::describe,
    single::{Running, Single},
    workload::Workload,
};

use super::{
    BINARY,
    shop::{Bench, SHARDS, add_users, check_seen},
};

/// Smaller than the other shops: the folder lies in the repository.
const WORKLOAD: Workload = Workload { users: 30, items: 24, seed: 22 };
const EVENTS: usize = 800;
/// What the release before knows of the settings.
const CONFIG: &str = "\
[cluster]
workers = 2
shards = 4
[worker]
snapshot_seconds = 0.2
snapshot_records = 100
";
const ACKNOWLEDGED: &str = "acknowledged.txt";

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/earlier_folder.tar.gz")
}

/// What was acknowledged in the folder.
struct Acknowledged {
    applied: BTreeMap<u32, Applied>,
    users: Vec<(String, String)>,
}

impl Acknowledged {
    /// A line a shard (number, then count and sum of both sides), then a line a user (id, token).
    fn write(&self) -> String {
        let mut text = String::new();
        for (shard, (interactions, item_events)) in &self.applied {
            let (one, other) = (interactions, item_events);
            let _ = writeln!(
                text,
                "shard {shard} {} {} {} {}",
                one.count, one.hash_sum, other.count, other.hash_sum
            );
        }
        for (user, token) in &self.users {
            let _ = writeln!(text, "user {} {token}", user.replace(' ', "_"));
        }
        text
    }

    fn read(text: &str) -> anyhow::Result<Self> {
        let mut found = Self { applied: BTreeMap::new(), users: Vec::new() };
        for line in text.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            match words[..] {
                ["shard", shard, one, one_sum, other, other_sum] => {
                    let records = |count: &str, sum: &str| -> anyhow::Result<_> {
                        Ok(AppliedRecords { count: count.parse()?, hash_sum: sum.into() })
                    };
                    let applied = (records(one, one_sum)?, records(other, other_sum)?);
                    found.applied.insert(shard.parse()?, applied);
                }
                ["user", user, token] => {
                    found.users.push((user.replace('_', " "), token.to_owned()));
                }
                _ => anyhow::bail!("`{line}` is not understood"),
            }
        }
        Ok(found)
    }
}

/// Runs `tar`.
fn tar(arguments: &[&str], archive: &Path, folder: &Path) -> anyhow::Result<()> {
    let mut command = Command::new("tar");
    command.args(arguments).arg(archive).arg("-C").arg(folder);
    if arguments.contains(&"-czf") {
        command.args(["data", ACKNOWLEDGED]);
    }
    let status = command.status().context("tar is needed for this test")?;
    ensure!(status.success(), "tar ended with {status}");
    Ok(())
}

/// Has a binary of before write the folder, and packs it.
async fn make(binary: &str) -> anyhow::Result<()> {
    let bench = Bench::new()?;
    let config = bench.path("earlier.toml");
    fs::write(&config, CONFIG)?;
    let single = Single::new(binary, &bench.path("data")).with_config(&config);
    let running = single.serve().await?;
    let channel = running.connect().await?;
    catalogue::set_up(&channel, WORKLOAD.items).await?;
    answers::record(&channel, WORKLOAD.events(EVENTS)).await?;
    answers::train(&channel, &["p3", "demand"]).await?;
    let users = add_users(&channel, "before", 10).await?;
    check_seen(&channel, &users).await?;
    running.stop().await?;
    let applied = expected(&WORKLOAD.events(EVENTS), SHARDS);
    let text = Acknowledged { applied, users }.write();
    fs::write(bench.path(ACKNOWLEDGED), text)?;
    tar(&["-czf"], &fixture(), &bench.path(""))
}

/// The number of records, which snapshots of before count as they are counted now.
fn counts(applied: &BTreeMap<u32, Applied>) -> Vec<(u64, u64)> {
    applied.values().map(|(one, other)| (one.count, other.count)).collect()
}

/// Fails unless everything is there, and the version answers.
async fn check(running: &Running, acknowledged: &Acknowledged) -> anyhow::Result<()> {
    let channel = running.connect().await?;
    check_seen(&channel, &acknowledged.users).await?;
    let tokens = acknowledged.users.iter().map(|(_, token)| token.clone()).collect();
    let described = describe(running.endpoint(), tokens).await?;
    let (found, wanted) = (counts(&reported(&described)), counts(&acknowledged.applied));
    ensure!(found == wanted, "applied is {found:?} instead of {wanted:?}");
    ensure!(described.current_version == "v1", "{:?} serves", described.current_version);
    for user in 0..WORKLOAD.users {
        let message =
            RecommendRequest { user_id: format!("user-{user}"), n: 5, ..Default::default() };
        let answer =
            RecommendServiceClient::new(channel.clone()).recommend(request(message)).await?;
        let answer = answer.into_inner();
        let is_served = answer.version == "v1" && answer.algorithm == "p3";
        ensure!(is_served && answer.fallback_reason.is_empty(), "{answer:?}");
    }
    Ok(())
}

/// Runs `mercer log discard-old`; whether it succeeded, and what it printed.
fn discard_old(data: &Path, flags: &[&str]) -> anyhow::Result<(bool, String)> {
    let mut command = Command::new(BINARY);
    command.args(["log", "discard-old", "--data-dir"]).arg(data).args(flags);
    let ran = command.output()?;
    let printed = [ran.stdout, ran.stderr].concat();
    Ok((ran.status.success(), String::from_utf8(printed)?))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::print_stderr, reason = "a long run says what it did")]
async fn a_folder_of_the_release_before_goes_on() -> anyhow::Result<()> {
    let begin = Instant::now();
    if let Ok(binary) = std::env::var("MERCER_TEST_EARLIER") {
        make(&binary).await?;
    }
    let bench = Bench::new()?;
    tar(&["-xzf"], &fixture(), &bench.path(""))?;
    let acknowledged = Acknowledged::read(&fs::read_to_string(bench.path(ACKNOWLEDGED))?)?;
    ensure!(acknowledged.users.len() == 10 && acknowledged.applied.len() == usize::from(SHARDS));
    let (data, damaged, bare) = (bench.path("data"), bench.path("damaged"), bench.path("bare"));
    copy(&data, &damaged)?;
    copy(&data, &bare)?;
    ensure!(!data.join("FORMAT").exists(), "the folder is not of before");

    // Converted, and again as it was left.
    let single = bench.single("data");
    let mut new = Vec::new();
    for round in ["first", "second"] {
        let running = single.serve().await?;
        check(&running, &acknowledged).await.context(round)?;
        let channel = running.connect().await?;
        check_seen(&channel, &new).await?;
        new.extend(add_users(&channel, round, 10).await?);
        check_seen(&channel, &new).await?;
        running.stop().await?;
    }
    // Metadata that went on since, beside the log of before.
    let mixed = bench.path("mixed");
    copy(&data, &mixed)?;
    fs::remove_dir_all(mixed.join("log"))?;
    fs::remove_dir_all(mixed.join("log.old"))?;
    copy(&bare.join("log"), &mixed.join("log"))?;
    let before = contents(&mixed)?;
    let said = bench.single("mixed").refused().await?;
    ensure!(said.contains("mixed/metadata") && said.contains("same moment"), "{said}");
    let mut changed = differences(&before, &contents(&mixed)?);
    changed.retain(|path| !path.ends_with("lock") && !path.ends_with("metadata.lock"));
    changed.retain(|path| !path.starts_with("metadata.opening"));
    ensure!(changed.is_empty(), "{said}\nchanged although refused: {changed:?}");

    let old = data.join("log.old");
    let (done, said) = discard_old(&data, &[])?;
    ensure!(!done && said.contains("--yes") && old.exists(), "{said}");
    let (done, said) = discard_old(&data, &["--yes"])?;
    ensure!(done && !old.exists(), "{said}");
    let running = single.serve().await?;
    check(&running, &acknowledged).await?;
    check_seen(&running.connect().await?, &new).await?;
    answers::train(&running.connect().await?, &["p3"]).await?;
    running.stop().await?;

    // From the log alone, record by record.
    for worker in ["worker-1", "worker-2"] {
        fs::remove_dir_all(bare.join(worker))?;
    }
    let running = bench.single("bare").serve().await?;
    check(&running, &acknowledged).await?;
    let tokens = acknowledged.users.iter().map(|(_, token)| token.clone()).collect();
    let found = reported(&describe(running.endpoint(), tokens).await?);
    let wanted = &acknowledged.applied;
    ensure!(found == *wanted, "applied is {found:?} instead of {wanted:?}");
    running.stop().await?;

    // What is damaged is not converted, and not changed.
    let single = bench.single("damaged");
    // Metadata of before has no witness: what was cut off it, nobody can know.
    let (all, whole) = (&Damage::ALL[..], &[Damage::Removed, Damage::Emptied][..]);
    let segment = "log/segments/00000000000000000001/db";
    for (part, damages) in [(segment, all), ("log/identity", all), ("metadata/db", whole)] {
        for damage in damages {
            let whole = fs::read(damaged.join(part))?;
            ensure!(damage.strike(&damaged.join(part))?);
            let before = contents(&damaged)?;
            let said = single.refused().await.with_context(|| format!("{part} {damage:?}"))?;
            let is_named = said.contains("damaged/") || said.contains("the metadata folder");
            ensure!(is_named, "{part} {damage:?}: {said}");
            let mut changed = differences(&before, &contents(&damaged)?);
            changed.retain(|path| {
                let is_made = ["log.new", "metadata.opening", "metadata.lock"];
                !is_made.iter().any(|made| path.starts_with(made)) && *path != Path::new("log/lock")
            });
            ensure!(changed.is_empty(), "{part} {damage:?}: {said}\nchanged: {changed:?}");
            fs::write(damaged.join(part), whole)?;
        }
    }
    let running = single.serve().await?;
    check(&running, &acknowledged).await?;
    running.stop().await?;
    eprintln!("earlier: in {:.0?}", begin.elapsed());
    Ok(())
}

//! Data folders that were put together from parts of different moments: nobody is ahead of the log,
//! and what is acknowledged afterwards is there, with its token, also after another restart.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use mercer_proto::v1::{
    JobState, ListJobsRequest, StartJobRequest, job_service_client::JobServiceClient,
};
use mercer_tests::{
    answers::{self, request},
    folder::copy,
    random::{Random, seed},
    single::{Running, Single},
};

use super::{
    is_slow,
    shop::{Bench, By, Served, Shop, WORKLOAD, add_users, check_lost, check_seen},
};

const LIMIT: Duration = Duration::from_secs(120);
/// Mixtures that are tried, unless all are.
const SAMPLE: usize = 3;
/// The parts of a folder that are restored together.
const LOG: &str = "log";
const METADATA: &str = "metadata";
const ARTIFACTS: &str = "artifacts";
const WORKERS: [&str; 2] = ["worker-1", "worker-2"];

/// A folder of today, with parts of yesterday in it.
struct Mixture {
    name: &'static str,
    /// Restored from yesterday.
    old: &'static [&'static str],
    /// The workers' folders have each other's place.
    swapped: bool,
    /// Words of the refusal; empty when it serves.
    refused: &'static str,
}

const MIXTURES: &[Mixture] = &[
    Mixture { name: "log-and-metadata", old: &[LOG, METADATA], swapped: false, refused: "" },
    Mixture { name: "one-worker", old: &["worker-1"], swapped: false, refused: "" },
    Mixture { name: "both-workers", old: &["worker-1", "worker-2"], swapped: false, refused: "" },
    Mixture { name: "artifacts", old: &[ARTIFACTS], swapped: false, refused: "" },
    Mixture { name: "swapped", old: &[], swapped: true, refused: "" },
    Mixture { name: "metadata", old: &[METADATA], swapped: false, refused: "is an old copy" },
    Mixture { name: "log", old: &[LOG], swapped: false, refused: "this log does not have" },
    Mixture {
        name: "log-metadata-and-worker",
        old: &[LOG, METADATA, "worker-2"],
        swapped: false,
        refused: "",
    },
    Mixture { name: "log-and-metadata-swapped", old: &[LOG, METADATA], swapped: true, refused: "" },
    Mixture {
        name: "everything-but-one-worker-swapped",
        old: &[LOG, METADATA, ARTIFACTS, "worker-1"],
        swapped: true,
        refused: "",
    },
    Mixture {
        name: "worker-and-artifacts-swapped",
        old: &["worker-2", ARTIFACTS],
        swapped: true,
        refused: "",
    },
];

/// Yesterday's folder and today's, and what was acknowledged in them.
struct Days {
    bench: Bench,
    yesterday: Shop,
    /// Acknowledged since.
    since: Vec<(String, String)>,
    today: Shop,
}

impl Days {
    async fn make() -> anyhow::Result<Self> {
        let bench = Bench::new()?;
        let yesterday = Shop::make(&bench.single("today")).await?;
        copy(&bench.path("today"), &bench.path("yesterday"))?;
        let running = bench.single("today").serve().await?;
        let channel = running.connect().await?;
        let since = add_users(&channel, "since", 20).await?;
        let mut tokens = yesterday.tokens.clone();
        tokens.extend(since.iter().map(|(_, token)| token.clone()));
        let events = WORKLOAD.events(4_000).split_off(3_000);
        tokens.extend(answers::record(&channel, events).await?);
        answers::train(&channel, &["p3", "demand"]).await?;
        let today = Shop::found(&running, &tokens, yesterday.users.clone()).await?;
        running.stop().await?;
        Ok(Self { bench, yesterday, since, today })
    }

    fn mix(&self, mixture: &Mixture, folder: &Path) -> anyhow::Result<()> {
        copy(&self.bench.path("today"), folder)?;
        for part in mixture.old {
            fs::remove_dir_all(folder.join(part))?;
            copy(&self.bench.path("yesterday").join(part), &folder.join(part))?;
        }
        if mixture.swapped {
            let [one, other] = WORKERS.map(|worker| folder.join(worker));
            let aside = folder.join("aside");
            fs::rename(&one, &aside)?;
            fs::rename(&other, &one)?;
            fs::rename(&aside, &other)?;
        }
        Ok(())
    }

    async fn check(&self, mixture: &Mixture) -> anyhow::Result<()> {
        let folder = self.bench.path(mixture.name);
        self.mix(mixture, &folder)?;
        let single = self.bench.single(mixture.name);
        if !mixture.refused.is_empty() {
            let said = single.refused().await?;
            ensure!(said.contains(mixture.refused) && said.contains("restore"), "{said}");
            return Ok(());
        }
        let is_old = mixture.old.contains(&LOG);
        let mut new = Vec::new();
        for round in ["first", "second", "third"] {
            let mut running = single.serve().await?;
            self.check_log(&running, is_old).await.context(round)?;
            let channel = running.connect().await?;
            check_seen(&channel, &new).await.context(round)?;
            // So many that the log grows past where it was.
            let more = add_users(&channel, round, 40).await?;
            check_seen(&channel, &more).await.context(round)?;
            new.extend(more);
            let shop = if is_old { &self.yesterday } else { &self.today };
            let by = shop.until_answered(&mut running).await.context(round)?;
            // Of the newer version, files are missing.
            let is_whole = is_old || !mixture.old.contains(&ARTIFACTS);
            ensure!(by == By::Version || !is_whole, "a fallback answers");
            running.stop().await?;
        }
        self.check_training(&single, &new).await
    }

    /// What is trained next is of this log alone, whatever files of its lost future there are: as in
    /// a folder that has only what the log has.
    async fn check_training(
        &self,
        single: &Single,
        users: &[(String, String)],
    ) -> anyhow::Result<()> {
        let mut running = single.serve().await?;
        let channel = running.connect().await?;
        answers::train(&channel, &["p3", "demand"]).await.context("after the restore")?;
        check_seen(&channel, users).await?;
        let trained = Served::of(&running).await?;
        running.check()?;
        answers::train(&channel, &["p3", "demand"]).await.context("again")?;
        let again = Served::of(&running).await?;
        running.stop().await?;
        ensure!(
            trained.contents() == again.contents(),
            "the first training after the restore is not of what the log holds: {trained:?}, and then {again:?}"
        );
        Ok(())
    }

    /// What is in the log that is there is found, and nothing of its lost future.
    async fn check_log(&self, running: &Running, is_old: bool) -> anyhow::Result<()> {
        let channel = running.connect().await?;
        if is_old {
            check_lost(&channel, &self.since).await?;
            self.yesterday.check_facts(running).await
        } else {
            check_seen(&channel, &self.since).await?;
            self.today.check_facts(running).await
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::print_stderr, reason = "a long run says what it did")]
async fn folders_of_parts_of_different_moments_follow_their_log() -> anyhow::Result<()> {
    let begin = Instant::now();
    let days = Days::make().await?;
    let mut mixtures: Vec<&Mixture> = MIXTURES.iter().collect();
    let seed = seed();
    if !is_slow() {
        Random::new(seed).shuffle(&mut mixtures);
        mixtures.truncate(SAMPLE);
    }
    eprintln!("restored: {} mixtures, MERCER_TEST_SEED={seed}", mixtures.len());
    for mixture in &mixtures {
        days.check(mixture).await.with_context(|| format!("mixture {}", mixture.name))?;
        fs::remove_dir_all(days.bench.path(mixture.name))?;
    }
    eprintln!("restored: {} mixtures in {:.0?}", mixtures.len(), begin.elapsed());
    Ok(())
}

/// Waits until all jobs have succeeded.
async fn until_idle(running: &mut Running) -> anyhow::Result<()> {
    let begin = Instant::now();
    let mut client = JobServiceClient::new(running.connect().await?);
    loop {
        running.check()?;
        let listed = client.list_jobs(request(ListJobsRequest::default())).await?.into_inner();
        let mut open = None;
        for job in &listed.jobs {
            match job.state() {
                JobState::Queued | JobState::Running => open = open.or(Some(job)),
                JobState::Failed | JobState::Cancelled => {
                    bail!("a job did not succeed: {job:#?}");
                }
                JobState::Succeeded | JobState::Unspecified => {}
            }
        }
        let Some(open) = open else { return Ok(()) };
        ensure!(begin.elapsed() < LIMIT, "it does not end: {open:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_waited_takes_no_file_of_a_lost_future() -> anyhow::Result<()> {
    let bench = Bench::new()?;
    let single = bench.single("today");
    Shop::make(&single).await?;
    // The process dies with jobs in its queue, and the folder is backed up.
    let running = single.serve().await?;
    let mut client = JobServiceClient::new(running.connect().await?);
    for _ in 0..3 {
        let kinds = vec!["p3".to_owned(), "demand".to_owned()];
        client.start_job(request(StartJobRequest { kinds, request_id: None })).await?;
    }
    running.kill()?;
    copy(&bench.path("today"), &bench.path("yesterday"))?;
    // They run when much has happened since.
    let mut running = single.serve().await?;
    let channel = running.connect().await?;
    answers::record(&channel, WORKLOAD.events(9_000).split_off(3_000)).await?;
    until_idle(&mut running).await?;
    let lost = Served::of(&running).await?;
    running.stop().await?;

    for part in [LOG, METADATA] {
        fs::remove_dir_all(bench.path("today").join(part))?;
        copy(&bench.path("yesterday").join(part), &bench.path("today").join(part))?;
    }
    let mut running = single.serve().await?;
    until_idle(&mut running).await?;
    let waited = Served::of(&running).await?;
    answers::train(&running.connect().await?, &["p3", "demand"]).await?;
    let again = Served::of(&running).await?;
    running.stop().await?;
    ensure!(lost.contents() != again.contents(), "the lost future is not another one");
    ensure!(waited.contents() == again.contents(), "a job is of a lost future: {waited:?}");
    Ok(())
}

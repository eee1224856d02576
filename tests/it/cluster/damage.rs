//! What becomes of answers and jobs when files of artifacts are damaged or cannot be written.

use std::{
    fs,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use mercer_proto::v1::{
    RecommendRequest, RecommendResponse, recommend_service_client::RecommendServiceClient,
};
use mercer_tests::{
    answers, catalogue,
    processes::{Processes, describe},
    workload::Workload,
};
use tonic::transport::Channel;

use super::BINARY;

const WORKLOAD: Workload = Workload { users: 20, items: 40, seed: 12 };

/// Two workers and two versions of the same algorithm.
async fn trained() -> anyhow::Result<(Processes, Channel)> {
    let mut cluster = Processes::cluster(BINARY, 2)?;
    cluster.wait_until_serving().await?;
    let channel = answers::connect(cluster.endpoint()).await?;
    catalogue::set_up(&channel, WORKLOAD.items).await?;
    let mut events = WORKLOAD.events(2_000);
    let later = events.split_off(1_000);
    answers::record(&channel, events).await?;
    answers::train(&channel, &["p3"]).await?;
    answers::record(&channel, later).await?;
    answers::train(&channel, &["p3"]).await?;
    Ok((cluster, channel))
}

/// What each user is recommended.
async fn recommended(channel: &Channel) -> anyhow::Result<Vec<RecommendResponse>> {
    let mut client = RecommendServiceClient::new(channel.clone());
    let mut answered = Vec::new();
    for user in 0..WORKLOAD.users {
        let user_id = format!("user-{user}");
        let message = RecommendRequest { user_id, n: 20, ..RecommendRequest::default() };
        answered.push(client.recommend(answers::request(message)).await?.into_inner());
    }
    Ok(answered)
}

/// Waits until every user is answered, wholly, from `version`. What is read between damage and its
/// discovery may be anything, an error too.
async fn until(channel: &Channel, version: &str) -> anyhow::Result<Vec<RecommendResponse>> {
    let answered = async {
        loop {
            match recommended(channel).await {
                Ok(answered) if is_wholly_from(&answered, version) => return answered,
                Ok(_) | Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(120), answered)
        .await
        .with_context(|| format!("not all are answered from `{version}`"))
}

/// Whether every user is answered, wholly, from `version`.
fn is_wholly_from(answered: &[RecommendResponse], version: &str) -> bool {
    answered.iter().all(|one| one.coverage == 1.0 && one.version == version)
}

/// Items and scores of each answer.
fn items(answered: &[RecommendResponse]) -> Vec<Vec<(&str, u64)>> {
    answered
        .iter()
        .map(|one| one.items.iter().map(|i| (i.item_id.as_str(), i.score.to_bits())).collect())
        .collect()
}

/// The files of a phase of a job, in order.
fn files(cluster: &Processes, job: &str, phase: &str) -> anyhow::Result<Vec<PathBuf>> {
    let folder = cluster.folder().join("artifacts/jobs").join(job).join(phase);
    let files = fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path()));
    let mut files = files.collect::<Result<Vec<_>, _>>()?;
    files.sort();
    Ok(files)
}

/// Flips a bit in place.
fn flip(path: &Path) -> anyhow::Result<()> {
    let file = fs::File::options().read(true).write(true).open(path)?;
    let middle = file.metadata()?.len() / 2;
    let mut byte = [0];
    file.read_exact_at(&mut byte, middle)?;
    file.write_all_at(&[byte[0] ^ 1], middle)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_artifacts_cost_a_version_and_no_process_until_they_are_restored()
-> anyhow::Result<()> {
    let (mut cluster, channel) = trained().await?;
    let newer = until(&channel, "v2").await?;
    assert!(newer.iter().all(|one| one.fallback_reason.is_empty()));

    // Removed, emptied, cut and flipped before the worker starts.
    let postings = files(&cluster, "job-000002", "postings")?;
    let mut older = None;
    let damages: [fn(&Path) -> anyhow::Result<()>; 4] = [
        |path| Ok(fs::remove_file(path)?),
        |path| Ok(fs::write(path, b"")?),
        |path| {
            let file = fs::File::options().write(true).open(path)?;
            Ok(file.set_len(file.metadata()?.len() - 8)?)
        },
        flip,
    ];
    for damage in damages {
        let whole: Vec<Vec<u8>> = postings.iter().map(fs::read).collect::<Result<_, _>>()?;
        cluster.kill(1)?;
        // Files of shards of both workers: one of them has the version still.
        postings.iter().take(12).try_for_each(|path| damage(path))?;
        cluster.restart(1)?;
        cluster.wait_until_serving().await?;
        // From the first call on.
        let answered = recommended(&channel).await?;
        assert!(answered.iter().all(|one| one.coverage == 1.0 && one.version == "v1"));
        assert!(answered.iter().all(|one| one.fallback_reason.contains("v2")));
        assert!(answered.iter().all(|one| !one.items.is_empty() && one.algorithm == "p3"));
        match &older {
            None => older = Some(answered),
            Some(older) => assert_eq!(items(older), items(&answered)),
        }
        let described = describe(cluster.endpoint(), Vec::new()).await?;
        assert_eq!(described.current_version, "v2");
        let version = described.versions.iter().find(|one| one.version == "v2").expect("kept");
        let problem = version.problems.iter().find(|one| one.worker_id == "worker-1");
        let problem = problem.expect("worker-1 says so");
        assert!(problem.gone && problem.reason.contains("job-000002/postings"), "{problem:?}");

        for (path, whole) in postings.iter().zip(whole) {
            fs::write(path, whole)?;
        }
        assert_eq!(items(&until(&channel, "v2").await?), items(&newer));
    }

    // Flipped while they serve, mapped, and read again at full speed.
    for worker in [1, 2] {
        cluster.kill(worker)?;
        let config = cluster.folder().join(format!("worker-{worker}.toml"));
        let mapped = "[artifacts]\nresident_bytes = 0\nscrub_bytes_per_second = 1000000000\n";
        fs::write(&config, fs::read_to_string(&config)?.replace("[artifacts]\n", mapped))?;
        cluster.restart(worker)?;
    }
    cluster.wait_until_serving().await?;
    assert_eq!(items(&until(&channel, "v2").await?), items(&newer));
    let table = files(&cluster, "job-000002", "dictionary")?;
    for path in table.iter().chain(&postings[..1]) {
        flip(path)?;
        let answered = until(&channel, "v1").await?;
        assert_eq!(items(&answered), items(older.as_deref().expect("answered above")));
        flip(path)?;
        assert_eq!(items(&until(&channel, "v2").await?), items(&newer));
    }

    // Nothing is left of the version before either: what sells most, and nobody is refused.
    let all = ["job-000001", "job-000002"].map(|job| files(&cluster, job, "dictionary"));
    for path in all.into_iter().collect::<anyhow::Result<Vec<_>>>()?.concat() {
        flip(&path)?;
    }
    let answered = until(&channel, "").await?;
    assert!(answered.iter().all(|one| one.algorithm == "popular" && !one.items.is_empty()));
    cluster.check_running()?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_that_cannot_be_written_fails_its_job_and_no_other() -> anyhow::Result<()> {
    let (mut cluster, channel) = trained().await?;
    // Nobody can write below a file, whatever they may.
    fs::write(cluster.folder().join("artifacts/jobs/job-000003"), b"")?;
    let (failed, next) = tokio::join!(answers::train(&channel, &["p3"]), async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        answers::train(&channel, &["p3"]).await
    });
    let failed = failed.expect_err("no cut").to_string();
    assert!(failed.contains("job-000003") && failed.contains("no cut"), "{failed}");
    assert!(failed.contains("start the job again once the folder can be written"), "{failed}");
    assert_eq!(next?.version, "v4");
    cluster.check_running()?;
    Ok(())
}

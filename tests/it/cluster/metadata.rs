//! A shop whose metadata is lost: it does not start as another one, and what it had learned serves
//! again when the metadata has been built anew.

use std::{fs, path::Path, process::Command};

use anyhow::Context as _;
use mercer_tests::{
    answers::{self, Result},
    catalogue,
    processes::{Processes, describe},
    workload::Workload,
};

use super::BINARY;

const WORKLOAD: Workload = Workload { users: 40, items: 50, seed: 5 };

async fn recommend(cluster: &Processes) -> anyhow::Result<Vec<Vec<Result>>> {
    let channel = answers::connect(cluster.endpoint()).await?;
    let users = (0..WORKLOAD.users).map(|user| format!("user-{user}"));
    answers::recommendations(&channel, users, &["p3"]).await
}

/// Runs `mercer metadata rebuild`; whether it succeeded, and what it printed.
fn rebuild(folder: &Path, flags: &[&str]) -> anyhow::Result<(bool, String)> {
    let folder = folder.to_str().context("a path in UTF-8")?;
    let arguments = ["metadata", "rebuild", "--data-dir", folder];
    let ran = Command::new(BINARY).args(arguments).args(flags).output()?;
    let printed = [ran.stdout, ran.stderr].concat();
    Ok((ran.status.success(), String::from_utf8(printed)?))
}

/// Starts the cluster, which must refuse to; what it says.
async fn refused(cluster: &mut Processes) -> anyhow::Result<String> {
    cluster.restart(0)?;
    for _ in 0..600 {
        if let Err(ended) = cluster.check_running() {
            return Ok(ended.to_string());
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    anyhow::bail!("it goes on:\n{}", cluster.logs())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn versions_serve_again_after_metadata_was_lost() -> anyhow::Result<()> {
    let mut cluster = Processes::up(BINARY, 2, 8)?;
    cluster.wait_until_serving().await?;
    let channel = answers::connect(cluster.endpoint()).await?;
    let mut tokens = catalogue::set_up(&channel, WORKLOAD.items).await?;
    tokens.extend(answers::record(&channel, WORKLOAD.events(3_000)).await?);
    describe(cluster.endpoint(), tokens).await?;
    answers::train(&channel, &["p3"]).await?;
    let before = recommend(&cluster).await?;

    let data = cluster.folder().join("data");
    let (done, said) = rebuild(&data, &["--yes"])?;
    assert!(!done && said.contains("in use by another process"), "{said}");
    cluster.kill(0)?;
    fs::remove_dir_all(data.join("metadata"))?;
    let said = refused(&mut cluster).await?;
    assert!(said.contains("is missing") && said.contains("mercer metadata rebuild"), "{said}");
    assert!(!data.join("metadata").exists());

    let (done, said) = rebuild(&data, &[])?;
    assert!(!done && said.contains("run it again with --yes"), "{said}");
    assert!(
        said.contains("comes back: version v1") && said.contains("lost: the history"),
        "{said}"
    );
    assert!(!data.join("metadata").exists());
    let (done, said) = rebuild(&data, &["--yes", "--output", "json"])?;
    assert!(done && said.contains("\"current_version\":\"v1\""), "{said}");
    assert!(said.contains("\"next_job\":\"job-000002\""), "{said}");

    cluster.restart(0)?;
    let described = cluster.wait_until_serving().await?;
    assert_eq!((described.current_version.as_str(), described.shards.len()), ("v1", 8));
    assert_eq!(recommend(&cluster).await?, before);
    let channel = answers::connect(cluster.endpoint()).await?;
    let job = answers::train(&channel, &["p3"]).await?;
    assert_eq!(job.job_id, "job-000002");
    assert_eq!(recommend(&cluster).await?, before);
    Ok(())
}

//! Each runbook after the harm that it is for: what it says one sees is seen, and what it says to do
//! mends it.

use std::{fs, time::Instant};

use anyhow::ensure;
use mercer_proto::v1::{UpsertUsersRequest, User, catalog_service_client::CatalogServiceClient};
use mercer_tests::{
    answers::{self, request},
    folder::{Damage, files},
    processes::describe,
    small_disk::{LIMIT, SmallDisk},
    workload::Workload,
};

use super::{machine::Machine, page::Page};

const WORKLOAD: Workload = Workload { users: 40, items: 60, seed: 31 };
const EVENTS: usize = 2_000;
const SEE: &str = "What you see";
const DO: &str = "What to do";
const OVER: &str = "How to know that it is over";

/// Events of a small shop, and a version.
async fn load(machine: &Machine) -> anyhow::Result<u64> {
    send(machine).await?;
    let channel = answers::connect(machine.endpoint()).await?;
    answers::train(&channel, &["p3", "demand"]).await?;
    machine.users().await
}

async fn send(machine: &Machine) -> anyhow::Result<()> {
    let channel = answers::connect(machine.endpoint()).await?;
    let tokens = answers::record(&channel, WORKLOAD.events(EVENTS)).await?;
    describe(machine.endpoint(), tokens).await?;
    Ok(())
}

/// Adds so many users, and waits for their effect.
async fn add_users(machine: &Machine, numbers: std::ops::Range<usize>) -> anyhow::Result<()> {
    let users =
        numbers.map(|number| User { user_id: format!("added {number}"), ..User::default() });
    let message = UpsertUsersRequest { users: users.collect(), ..Default::default() };
    let mut catalog = CatalogServiceClient::new(answers::connect(machine.endpoint()).await?);
    let token = catalog.upsert_users(request(message)).await?.into_inner().token;
    describe(machine.endpoint(), vec![token]).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
async fn a_full_disk_is_over_when_the_page_was_followed() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let disk = match SmallDisk::mount(folder.path())? {
        Ok(disk) => disk,
        Err(reason) => {
            eprintln!("runbook: SKIPPED, no small disk can be mounted here: {}", reason.trim());
            return Ok(());
        }
    };
    let page = Page::read("runbooks/full-disk.md")?;
    let mut machine = Machine::install(Some(disk.path()))?;
    machine.start("mercer")?;
    machine.until_serving()?;
    let users = load(&machine).await?;

    // Backups of before fill the disk.
    let backup = machine.path("/var/lib/mercer/backups/daily");
    fs::create_dir_all(&backup)?;
    let begin = Instant::now();
    let mut number = 0;
    loop {
        disk.fill(&backup.join("ballast"))?;
        // Refused or not: what lies in the place that is reserved ahead is stored still.
        let _ = add_users(&machine, number..number + 500).await;
        number += 500;
        let log = describe(machine.endpoint(), Vec::new()).await?.log.unwrap_or_default();
        if log.stopped.contains("space") {
            break;
        }
        ensure!(begin.elapsed() < LIMIT, "the log does not stop: {log:?}");
    }
    machine.follow(&page, SEE)?;
    machine.follow(&page, DO)?;
    machine.follow(&page, OVER)?;
    let (_, said) = machine.run("mercer status")?;
    ensure!(!said.contains("nothing can be stored"), "{said}");
    let before = machine.users().await?;
    ensure!(before >= users, "{before} of {users}");
    add_users(&machine, 1_000_000..1_000_007).await?;
    ensure!(machine.users().await? == before + 7, "what is sent now is not stored");
    machine.stop("mercer")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_log_serves_again_when_the_page_was_followed() -> anyhow::Result<()> {
    let page = Page::read("runbooks/damaged-log.md")?;
    let mut machine = Machine::install(None)?;
    machine.start("mercer")?;
    machine.until_serving()?;
    let users = load(&machine).await?;
    machine.stop("mercer")?;
    let segments = machine.path("/var/lib/mercer/log/segments");
    for segment in files(&segments)? {
        ensure!(Damage::Flipped.strike(&segments.join(segment))?, "nothing to damage");
    }
    machine.start("mercer")?;
    machine.follow(&page, SEE)?;
    machine.until_failed("mercer")?;
    machine.follow(&page, DO)?;
    machine.follow(&page, OVER)?;
    send(&machine).await?;
    ensure!(machine.users().await? == users, "not everything came back");
    machine.stop("mercer")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_worker_folder_is_built_anew_when_the_page_was_followed() -> anyhow::Result<()> {
    let page = Page::read("runbooks/lost-worker-folder.md")?;
    let mut machine = Machine::install(None)?;
    machine.follow(&Page::read("README.md")?, "The secret")?;
    machine.start("mercer-coordinator")?;
    for number in 1..=3 {
        machine.start(&format!("mercer-worker@{number}"))?;
    }
    machine.until_serving()?;
    let users = load(&machine).await?;
    machine.kill("mercer-worker@2")?;
    fs::remove_dir_all(machine.path("/var/lib/mercer/worker-2"))?;
    machine.follow(&page, SEE)?;
    machine.follow(&page, DO)?;
    machine.follow(&page, OVER)?;
    ensure!(machine.users().await? == users, "not everything came back");
    for name in ["mercer-worker@1", "mercer-worker@2", "mercer-worker@3", "mercer-coordinator"] {
        machine.stop(name)?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_data_folder_is_restored_when_the_page_was_followed() -> anyhow::Result<()> {
    let page = Page::read("runbooks/restore-from-backup.md")?;
    let mut machine = Machine::install(None)?;
    machine.start("mercer")?;
    machine.until_serving()?;
    let users = load(&machine).await?;
    machine.follow(&page, "What must have been done before")?;
    add_users(&machine, 0..7).await?;
    ensure!(machine.users().await? == users + 7, "users that come after the backup");
    machine.kill("mercer")?;
    fs::remove_dir_all(machine.path("/var/lib/mercer/log"))?;
    machine.start("mercer")?;
    machine.follow(&page, SEE)?;
    machine.follow(&page, DO)?;
    machine.follow(&page, OVER)?;
    ensure!(machine.users().await? == users, "the state of the backup, and nothing after it");
    // A bare name, as in the README.
    let bare = "cd /var/backups && mercer backup restore mercer/NAME --data-dir restored";
    let (restored, said) = machine.run(bare)?;
    ensure!(restored, "{said}");
    machine.stop("mercer")
}

#[test]
fn every_page_has_the_same_parts() -> anyhow::Result<()> {
    for entry in fs::read_dir(super::deploy().join("runbooks"))? {
        let name = entry?.file_name().into_string().unwrap_or_default();
        let page = Page::read(&format!("runbooks/{name}"))?;
        for heading in [SEE, DO, OVER, "Never"] {
            page.section(heading)?;
        }
    }
    Ok(())
}

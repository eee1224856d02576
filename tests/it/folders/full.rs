//! A disk that fills up under a running shop: nothing is acknowledged that is not stored, reading goes
//! on, and when there is space again, so does everything else.

use std::{
    fs,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use mercer_proto::v1::{
    GetUserRequest, RecommendRequest, catalog_service_client::CatalogServiceClient,
    recommend_service_client::RecommendServiceClient,
};
use mercer_tests::{
    answers::{self, request},
    catalogue,
    processes::describe,
    random::{Random, seed},
    single::{Running, Started},
    small_disk::{LIMIT, SmallDisk},
};

use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use super::{
    is_slow,
    producer::{Calls, Producer},
    shop::{Bench, WORKLOAD},
};

/// Takes all space of the disk.
fn ballast(disk: &SmallDisk) -> PathBuf {
    disk.path().join("ballast")
}

fn free(disk: &SmallDisk) -> anyhow::Result<()> {
    Ok(fs::remove_file(ballast(disk))?)
}

/// What is under way while the disk fills up.
#[derive(Clone, Copy, Debug)]
enum Beside {
    /// Events, and snapshots of them.
    Snapshots,
    /// Training as well.
    Training,
}

/// End of the process afterwards.
#[derive(Clone, Copy, Debug)]
enum End {
    Stopped,
    Killed,
    /// Killed before there is space again.
    KilledWhileFull,
}

/// Trains until it is over, whatever becomes of it.
async fn train_until(endpoint: String, is_over: Arc<AtomicBool>) {
    while !is_over.load(Ordering::SeqCst) {
        let attempt = async {
            let channel = answers::connect(&endpoint).await?;
            answers::train(&channel, &["p3", "demand"]).await
        };
        if attempt.await.is_err() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// Fills the disk until the log says that it is.
async fn fill(disk: &SmallDisk, running: &mut Running) -> anyhow::Result<()> {
    let begin = Instant::now();
    loop {
        disk.fill(&ballast(disk))?;
        running.check()?;
        let log = describe(running.endpoint(), Vec::new()).await?.log.context("a log")?;
        if log.stopped.contains("space") {
            return Ok(());
        }
        ensure!(begin.elapsed() < LIMIT, "the log does not stop: {log:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until health checks say whether something can be stored; that the process lives and answers
/// they say all the time.
async fn until_stores(running: &Running, stores: bool) -> anyhow::Result<()> {
    let mut health = HealthClient::new(running.connect().await?);
    let begin = Instant::now();
    loop {
        let mut serves = async |service: &str| {
            let request = HealthCheckRequest { service: service.into() };
            let status = health.check(request).await?.into_inner().status();
            anyhow::Ok(status == ServingStatus::Serving)
        };
        for service in ["", "mercer.v1.RecommendService"] {
            ensure!(serves(service).await?, "`{service}` does not serve");
        }
        if serves("mercer.v1.EventService").await? == stores {
            return Ok(());
        }
        ensure!(begin.elapsed() < LIMIT, "EventService never says that it stores: {stores}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Fails unless questions are answered.
async fn check_reading(running: &mut Running) -> anyhow::Result<()> {
    let channel = running.connect().await?;
    for user in 0..5 {
        let user_id = format!("user-{user}");
        let message = GetUserRequest { user_id: user_id.clone(), tokens: Vec::new(), rows: 0 };
        CatalogServiceClient::new(channel.clone()).get_user(request(message)).await?;
        let message = RecommendRequest { user_id, n: 5, ..RecommendRequest::default() };
        let answer =
            RecommendServiceClient::new(channel.clone()).recommend(request(message)).await?;
        let answer = answer.into_inner();
        ensure!(answer.coverage == 1.0 && !answer.items.is_empty(), "{answer:?}");
    }
    running.check()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::print_stderr, reason = "a skipped or long run says so")]
async fn a_full_disk_stops_the_log_alone_until_there_is_space() -> anyhow::Result<()> {
    let begin = Instant::now();
    let bench = Bench::new()?;
    let disk = match SmallDisk::mount(&bench.path(""))? {
        Ok(disk) => disk,
        Err(reason) => {
            eprintln!("full: SKIPPED, no small disk can be mounted here: {}", reason.trim());
            return Ok(());
        }
    };
    let single = bench.single_at(&disk.path().join("data")).with_log(&bench.path("full.log"));
    let mut running = single.serve().await?;
    let calls = Calls::new();
    let channel = running.connect().await?;
    catalogue::set_up(&channel, WORKLOAD.items).await?;
    for _ in 0..50 {
        ensure!(calls.send(running.endpoint()).await?, "{:?}", calls.take_refusals());
    }
    answers::train(&channel, &["p3", "demand"]).await?;
    drop(channel);

    let mut rounds = Vec::new();
    for beside in [Beside::Snapshots, Beside::Training] {
        for end in [End::Stopped, End::Killed, End::KilledWhileFull] {
            rounds.push((beside, end));
        }
    }
    let seed = seed();
    Random::new(seed).shuffle(&mut rounds);
    if !is_slow() {
        rounds.truncate(1);
    }
    eprintln!("full: {rounds:?}, MERCER_TEST_SEED={seed}");
    for (beside, end) in rounds.clone() {
        let is_over = Arc::new(AtomicBool::new(false));
        let trainer = match beside {
            Beside::Training => {
                let endpoint = running.endpoint().to_owned();
                Some(tokio::spawn(train_until(endpoint, Arc::clone(&is_over))))
            }
            Beside::Snapshots => None,
        };
        let producer = Producer::start(&calls, running.endpoint());
        let round = async {
            calls.until_more(50).await?;
            fill(&disk, &mut running).await?;
            until_stores(&running, false).await?;
            check_reading(&mut running).await?;
            let refusals = calls.take_refusals();
            for reason in &refusals {
                let is_known = matches!(&**reason, "LOG_STOPPED" | "LOG_UNCONFIRMED");
                ensure!(is_known, "other answers: {refusals:?}");
            }
            if !matches!(end, End::KilledWhileFull) {
                free(&disk)?;
                calls.until_more(50).await?;
                until_stores(&running, true).await?;
            }
            anyhow::Ok(())
        };
        let done = round.await.with_context(|| format!("{beside:?}, {end:?}:\n{}", running.said()));
        is_over.store(true, Ordering::SeqCst);
        done?;
        producer.end().await?;
        match end {
            End::Stopped => {
                calls.check(&running).await?;
                running.stop().await?;
            }
            End::Killed | End::KilledWhileFull => running.kill()?,
        }
        if let Some(trainer) = trainer {
            trainer.await?;
        }
        if matches!(end, End::KilledWhileFull) {
            // A start without space serves what is there, or says what is missing.
            match single.start().await? {
                Started::Serving(running) => running.kill()?,
                Started::Refused(said) => ensure!(said.contains("space"), "{said}"),
            }
            free(&disk)?;
        }
        running = single.serve().await?;
        calls.check(&running).await.with_context(|| format!("{beside:?}, {end:?}"))?;
        calls.take_refusals();
        check_reading(&mut running).await?;
        answers::train(&running.connect().await?, &["p3"]).await?;
    }
    running.stop().await?;
    eprintln!(
        "full: {} rounds, {} calls in {:.0?}",
        rounds.len(),
        calls.acknowledged(),
        begin.elapsed()
    );
    Ok(())
}

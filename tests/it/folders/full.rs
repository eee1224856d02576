//! A disk that fills up under a running shop: nothing is acknowledged that is not stored, reading goes
//! on, and when there is space again, so does everything else.

use std::{
    fs::{self, File},
    io::{ErrorKind, Write as _},
    path::{Path, PathBuf},
    process::Command,
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
};

use super::{
    is_slow,
    producer::{Calls, Producer},
    shop::{Bench, WORKLOAD},
};

/// Bytes of the disk.
const SIZE: u64 = 384 << 20;
const LIMIT: Duration = Duration::from_secs(90);

/// A small file system in a file, mounted; it is unmounted when this is dropped.
struct SmallDisk {
    mount: PathBuf,
}

impl SmallDisk {
    /// Mounts a new file system below `folder`, or says why that is not possible here.
    fn mount(folder: &Path) -> anyhow::Result<Result<Self, String>> {
        let (image, mount) = (folder.join("disk.img"), folder.join("disk"));
        File::create(&image)?.set_len(SIZE)?;
        fs::create_dir(&mount)?;
        let run = |command: &mut Command| match command.output() {
            Ok(output) if output.status.success() => Ok(()),
            Ok(output) => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
            Err(error) => Err(format!("{:?}: {error}", command.get_program())),
        };
        let made = run(Command::new("mkfs.ext4").args(["-q", "-F", "-m", "0"]).arg(&image));
        let mounted = made
            .and_then(|()| run(Command::new("mount").args(["-o", "loop"]).arg(&image).arg(&mount)));
        Ok(mounted.map(|()| Self { mount }))
    }

    fn data(&self) -> PathBuf {
        self.mount.join("data")
    }

    fn ballast(&self) -> PathBuf {
        self.mount.join("ballast")
    }

    /// Leaves no byte free.
    fn fill(&self) -> anyhow::Result<()> {
        let mut ballast = File::options().create(true).append(true).open(self.ballast())?;
        let mut piece = vec![1; 1 << 20];
        while !piece.is_empty() {
            match ballast.write(&piece) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => {
                    piece.truncate(piece.len() / 2)
                }
                Err(error) => return Err(error.into()),
            }
        }
        // What lies in memory only counts as well, and may turn out to have no place.
        let _ = ballast.sync_all();
        Ok(())
    }

    fn free(&self) -> anyhow::Result<()> {
        Ok(fs::remove_file(self.ballast())?)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.mount).status();
    }
}

/// What is under way while the disk fills up.
#[derive(Clone, Copy, Debug)]
enum Beside {
    /// Events, and snapshots of them.
    Snapshots,
    /// Training as well.
    Training,
}

/// How the process ends afterwards.
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
        disk.fill()?;
        running.check()?;
        let log = describe(running.endpoint(), Vec::new()).await?.log.context("a log")?;
        if log.stopped.contains("space") {
            return Ok(());
        }
        ensure!(begin.elapsed() < LIMIT, "the log does not stop: {log:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Fails unless questions are answered.
async fn check_reading(running: &mut Running) -> anyhow::Result<()> {
    let channel = running.connect().await?;
    for user in 0..5 {
        let user_id = format!("user-{user}");
        let message = GetUserRequest { user_id: user_id.clone(), tokens: Vec::new() };
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
    let single = bench.single_at(&disk.data()).with_log(&bench.path("full.log"));
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
            check_reading(&mut running).await?;
            let refusals = calls.take_refusals();
            let known = |reason: &String| reason == "LOG_STOPPED" || reason == "LOG_UNCONFIRMED";
            ensure!(refusals.iter().all(known), "other answers: {refusals:?}");
            if !matches!(end, End::KilledWhileFull) {
                disk.free()?;
                calls.until_more(50).await?;
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
            disk.free()?;
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

//! A folder that is copied while it is in use, as most people back up, starts as a whole prefix of what
//! was acknowledged, or is refused by name.

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use mercer_proto::v1::Event;
use mercer_tests::{
    answers,
    applied::{expected, reported},
    catalogue,
    folder::{contents, copy, differences},
    processes::describe,
    random::{Random, seed},
    single::{Running, Started},
};

use super::{
    BINARY, is_slow,
    shop::{Bench, SHARDS, WORKLOAD, add_users, check_seen},
};

/// Events of a call.
const CALL: usize = 20;
const CALLS: usize = 20_000;

/// What was sent, call by call, and how far.
struct Progress {
    calls: Vec<Vec<Event>>,
    begun: AtomicUsize,
    acknowledged: AtomicUsize,
    is_over: AtomicBool,
}

/// A copy, and which calls must and may be in it.
struct Copied {
    name: String,
    at_least: usize,
    at_most: usize,
}

/// Sends call after call; one that is not acknowledged is sent again.
async fn send(endpoint: String, progress: Arc<Progress>) -> anyhow::Result<()> {
    let channel = answers::connect(&endpoint).await?;
    for (number, events) in progress.calls.iter().enumerate() {
        if progress.is_over.load(Ordering::SeqCst) {
            return Ok(());
        }
        progress.begun.store(number + 1, Ordering::SeqCst);
        answers::record(&channel, events.clone()).await?;
        progress.acknowledged.store(number + 1, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    anyhow::bail!("{CALLS} calls were not enough")
}

/// Trains until it is over; returns how often.
async fn train(endpoint: String, progress: Arc<Progress>) -> anyhow::Result<usize> {
    let channel = answers::connect(&endpoint).await?;
    let mut trained = 0;
    while !progress.is_over.load(Ordering::SeqCst) {
        answers::train(&channel, &["p3", "demand"]).await?;
        trained += 1;
    }
    Ok(trained)
}

/// Copies a folder in use at some moments.
async fn take_copies(
    bench: &Bench,
    copies: usize,
    random: &mut Random,
    progress: &Progress,
) -> anyhow::Result<Vec<Copied>> {
    let mut taken = Vec::new();
    for number in 0..copies {
        tokio::time::sleep(Duration::from_millis(200 + random.below(800))).await;
        let name = format!("copy-{number}");
        let at_least = progress.acknowledged.load(Ordering::SeqCst);
        let (from, to) = (bench.path("live"), bench.path(&name));
        tokio::task::spawn_blocking(move || copy(&from, &to)).await??;
        let at_most = progress.begun.load(Ordering::SeqCst);
        taken.push(Copied { name, at_least, at_most });
    }
    Ok(taken)
}

impl Copied {
    /// Checks a copy that serves: it holds the first calls, each once, and goes on.
    async fn check(&self, mut running: Box<Running>, progress: &Progress) -> anyhow::Result<()> {
        let channel = running.connect().await?;
        let new = add_users(&channel, "new", 3).await?;
        check_seen(&channel, &new).await?;
        let tokens = new.iter().map(|(_, token)| token.clone()).collect();
        let found = reported(&describe(running.endpoint(), tokens).await?);
        // Every event is an item event once.
        let events: u64 = found.values().map(|(_, item_events)| item_events.count).sum();
        let events = usize::try_from(events)?;
        let calls = events / CALL;
        ensure!(
            events.is_multiple_of(CALL) && (self.at_least..=self.at_most).contains(&calls),
            "{events} events, where {} to {} calls of {CALL} were made",
            self.at_least,
            self.at_most
        );
        let wanted = expected(&progress.calls[..calls].concat(), SHARDS);
        ensure!(found == wanted, "{calls} calls are not applied once each");
        answers::train(&channel, &["p3", "demand"]).await?;
        running.check()?;
        running.stop().await
    }

    /// Checks a copy that was refused: nothing in it has changed, and the advice leads on.
    async fn check_refused(
        &self,
        said: &str,
        bench: &Bench,
        before: &BTreeMap<PathBuf, Vec<u8>>,
        progress: &Progress,
    ) -> anyhow::Result<()> {
        let folder = bench.path(&self.name);
        ensure!(said.contains(&self.name), "no folder is named: {said}");
        let mut changed = differences(before, &contents(&folder)?);
        changed.retain(|path| {
            let is_lock = path.ends_with("lock") || path.ends_with("metadata.lock");
            !is_lock && !path.starts_with("metadata.opening")
        });
        ensure!(changed.is_empty(), "{said}\nchanged although refused: {changed:?}");
        if said.contains("mercer metadata rebuild") {
            let mut command = Command::new(BINARY);
            command.args(["metadata", "rebuild", "--yes", "--data-dir"]).arg(&folder);
            let ran = command.output()?;
            let printed = String::from_utf8_lossy(&ran.stderr);
            ensure!(ran.status.success(), "it cannot be built anew: {printed}");
            let running = bench.single(&self.name).serve().await.context("built anew")?;
            self.check(running, progress).await.context("built anew")?;
        }
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::print_stderr, reason = "a long run says what it did")]
async fn copies_of_a_folder_in_use_are_whole_or_refused() -> anyhow::Result<()> {
    if mercer_tests::long_form_follows() {
        return Ok(());
    }
    let begin = Instant::now();
    let (copies, seed) = (if is_slow() { 20 } else { 3 }, seed());
    eprintln!("copies: {copies}, MERCER_TEST_SEED={seed}");
    let bench = Bench::new()?;
    let mut running = bench.single("live").serve().await?;
    catalogue::set_up(&running.connect().await?, WORKLOAD.items).await?;
    let events = WORKLOAD.events(CALLS * CALL);
    let progress = Arc::new(Progress {
        calls: events.chunks(CALL).map(<[Event]>::to_vec).collect(),
        begun: AtomicUsize::new(0),
        acknowledged: AtomicUsize::new(0),
        is_over: AtomicBool::new(false),
    });
    let sender = tokio::spawn(send(running.endpoint().to_owned(), Arc::clone(&progress)));
    let trainer = tokio::spawn(train(running.endpoint().to_owned(), Arc::clone(&progress)));
    let taken = take_copies(&bench, copies, &mut Random::new(seed), &progress).await?;
    progress.is_over.store(true, Ordering::SeqCst);
    sender.await?.context("sending")?;
    let trained = trainer.await?.context("training")?;
    running.check()?;
    running.stop().await?;

    let (mut whole, mut refused) = (0, 0);
    for copied in taken {
        let folder = bench.path(&copied.name);
        let before = contents(&folder)?;
        let single = bench.single(&copied.name);
        let started = single.start().await.with_context(|| copied.name.clone())?;
        match started {
            Started::Serving(running) => {
                copied.check(running, &progress).await.with_context(|| copied.name.clone())?;
                whole += 1;
            }
            Started::Refused(said) => {
                eprintln!("copies: {} is refused: {said}", copied.name);
                let checked = copied.check_refused(&said, &bench, &before, &progress).await;
                checked.with_context(|| copied.name.clone())?;
                refused += 1;
            }
        }
        fs::remove_dir_all(folder)?;
    }
    let calls = progress.acknowledged.load(Ordering::SeqCst);
    eprintln!(
        "copies: {whole} whole, {refused} refused, after {calls} calls and {trained} trainings, in {:.0?}",
        begin.elapsed()
    );
    ensure!(whole > 0, "no copy starts");
    Ok(())
}

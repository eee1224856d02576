//! The gate: a cluster whose processes are killed with SIGKILL at random moments during ingest
//! and training ends up with exactly what was acknowledged, once each, and answers bit for bit
//! like a cluster that nobody disturbed.

#![expect(clippy::print_stderr, reason = "a failing run is repeated from what it printed")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::ensure;
use mercer_cli::ingest_client::{Batch, IngestOptions, ingest};
use mercer_proto::v1::{Event, GetUserResponse};
use mercer_tests::{
    answers,
    applied::{expected, reported},
    catalogue,
    decisions::decisions,
    processes::{Processes, describe},
    random::{Random, seed},
    workload::Workload,
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;

const BINARY: &str = env!("CARGO_BIN_EXE_mercer-node");
const USERS: u64 = 120;
const ITEMS: u64 = 150;
const BATCH: usize = 5;
const KINDS: &[&str] = &["all"];
/// Items whose stock is taken from while processes are killed: all of them have some.
const STOCKED: u64 = 20;
const ALGORITHMS: &[&str] = &["p3", "hybrid", "ials", "repurchase", "popular"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_lose_nothing_and_change_nothing() -> anyhow::Result<()> {
    if mercer_tests::long_form_follows() {
        return Ok(());
    }
    let kills = if std::env::var_os("MERCER_SLOW_TESTS").is_some() { 20 } else { 3 };
    let seed = seed();
    eprintln!("gate: {kills} kills, MERCER_TEST_SEED={seed}");
    let events = Workload { users: USERS, items: ITEMS, seed }.events(kills * 1_200 + 6_000);

    let mut disturbed = Processes::cluster(BINARY, 3)?;
    disturbed.wait_until_serving().await?;
    let taken = disturb(&mut disturbed, &events, kills, seed)
        .await
        .inspect_err(|_| eprintln!("{}", disturbed.logs()))?;
    disturbed.wait_until_serving().await?;

    let mut undisturbed = Processes::up(BINARY, 2, 16)?;
    undisturbed.wait_until_serving().await?;
    set_up(undisturbed.endpoint()).await?;
    send_all(undisturbed.endpoint(), &events).await?;
    let channel = answers::connect(undisturbed.endpoint()).await?;
    for number in 0..taken {
        take_one(&channel, number).await?;
    }

    let truth = answer(&mut undisturbed, &events).await?;
    let survived =
        answer(&mut disturbed, &events).await.inspect_err(|_| eprintln!("{}", disturbed.logs()))?;
    ensure!(truth.0.iter().flatten().count() > 1_000, "the comparison must compare something");
    for (position, (truth, survived)) in truth.0.iter().zip(&survived.0).enumerate() {
        assert_eq!(truth, survived, "answer {position} differs, seed {seed}");
    }
    for (position, (truth, survived)) in truth.1.iter().zip(&survived.1).enumerate() {
        assert_eq!(truth, survived, "decision {position} differs, seed {seed}");
    }
    assert_eq!(truth.1.len(), survived.1.len());
    let rows = truth.2.iter().filter_map(|user| user.ledger.as_ref()).map(|one| one.rows.len());
    ensure!(rows.sum::<usize>() > 1_000, "the ledgers must hold something");
    for (truth, survived) in truth.2.iter().zip(&survived.2) {
        assert_eq!(truth, survived, "seed {seed}");
    }
    assert_eq!(truth.2.len(), survived.2.len());
    Ok(())
}

/// Ingests all events, takes from the stock and trains again and again while processes are killed
/// and restarted; returns how many units were taken.
async fn disturb(
    cluster: &mut Processes,
    events: &[Event],
    kills: usize,
    seed: u64,
) -> anyhow::Result<u64> {
    let endpoint = cluster.endpoint().to_owned();
    set_up(&endpoint).await?;
    let calm = Arc::new(AtomicBool::new(false));
    let producer = tokio::spawn(send_slowly(endpoint.clone(), events.to_vec(), Arc::clone(&calm)));
    let taker = tokio::spawn(take_until(endpoint.clone(), Arc::clone(&calm)));
    let trainer = tokio::spawn(train_until(endpoint, Arc::clone(&calm)));

    let mut random = Random::new(seed);
    for victim in victims(&mut random, cluster.len(), kills) {
        tokio::time::sleep(Duration::from_millis(300 + random.below(1_500))).await;
        eprintln!("gate: killing {}", cluster.name(victim));
        cluster.kill(victim)?;
        tokio::time::sleep(Duration::from_millis(random.below(400))).await;
        cluster.restart(victim)?;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    calm.store(true, Ordering::Relaxed);
    producer.await??;
    let attempts = trainer.await?;
    let taken = taker.await?;
    eprintln!("gate: {attempts} jobs succeeded, {taken} units taken while processes were killed");
    cluster.check_running()?;
    Ok(taken)
}

/// Every process gets its turn before any gets its next.
fn victims(random: &mut Random, processes: usize, kills: usize) -> Vec<usize> {
    let mut victims = Vec::new();
    while victims.len() < kills {
        let mut round: Vec<usize> = (0..processes).collect();
        random.shuffle(&mut round);
        victims.extend(round);
    }
    victims.truncate(kills);
    victims
}

/// What the cluster has applied is exactly `events`; returns its answers after one more training, its
/// decisions, and what it knows of the users.
async fn answer(
    cluster: &mut Processes,
    events: &[Event],
) -> anyhow::Result<(Vec<Vec<answers::Result>>, Vec<String>, Vec<GetUserResponse>)> {
    let channel = answers::connect(cluster.endpoint()).await?;
    let job = answers::train(&channel, KINDS).await?;
    ensure!(job.users > 0 && job.interactions > 0, "nothing was trained: {job:#?}");
    // The job's marker lies behind every event in every shard.
    let description = describe(cluster.endpoint(), Vec::new()).await?;
    assert_eq!(reported(&description), expected(events, 16), "applied differs from acknowledged");
    let users = (0..USERS).map(|user| format!("user-{user}"));
    let items = (0..ITEMS).map(|item| format!("item-{item}"));
    let known = answers::known_users(&channel, users.clone()).await?;
    let mut all = answers::recommendations(&channel, users, ALGORITHMS).await?;
    all.extend(answers::similar_items(&channel, items.clone(), "p3").await?);
    Ok((all, decisions(&channel, items).await?, known))
}

async fn set_up(endpoint: &str) -> anyhow::Result<()> {
    let channel = answers::connect(endpoint).await?;
    catalogue::set_up(&channel, ITEMS).await?;
    Ok(())
}

/// Takes a unit off the stock of one of the items with stock.
async fn take_one(channel: &Channel, number: u64) -> anyhow::Result<()> {
    catalogue::take_one(channel, number % STOCKED * 4 + 1, number).await?;
    Ok(())
}

/// Takes a unit over a connection of its own.
async fn connect_and_take_one(endpoint: &str, number: u64) -> anyhow::Result<()> {
    take_one(&answers::connect(endpoint).await?, number).await
}

/// Takes unit after unit, each until it is acknowledged under its own number; returns how many.
async fn take_until(endpoint: String, calm: Arc<AtomicBool>) -> u64 {
    let mut taken = 0;
    while !calm.load(Ordering::Relaxed) {
        // Whether a call that failed took its unit or not, only the next one can tell.
        while connect_and_take_one(&endpoint, taken).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        taken += 1;
    }
    taken
}

async fn send_all(endpoint: &str, events: &[Event]) -> anyhow::Result<()> {
    send_slowly(endpoint.to_owned(), events.to_vec(), Arc::new(AtomicBool::new(true))).await
}

/// Sends bursts that fill the window until it is calm, then the rest at full speed.
async fn send_slowly(
    endpoint: String,
    events: Vec<Event>,
    calm: Arc<AtomicBool>,
) -> anyhow::Result<()> {
    let (batches, queue) = mpsc::channel(1);
    let feeder = tokio::spawn(async move {
        let last = events.len().div_ceil(BATCH) - 1;
        for (index, events) in events.chunks(BATCH).enumerate() {
            if index % 8 == 0 && !calm.load(Ordering::Relaxed) {
                tokio::time::sleep(Duration::from_millis(30)).await;
            }
            let batch = Batch { events: events.to_vec(), last: index == last };
            if batches.send(batch).await.is_err() {
                return;
            }
        }
    });
    let mut refused = None;
    let channel = Channel::from_shared(endpoint)?.connect_lazy();
    let queue = ReceiverStream::new(queue);
    let summary = ingest(channel, IngestOptions::new(), queue, |answer| {
        refused = answer.outcome.err().or(refused.take());
    })
    .await?;
    feeder.await?;
    ensure!(refused.is_none(), "a batch was refused: {refused:?}");
    eprintln!("gate: {} events, {} batches sent again", summary.events, summary.resent);
    Ok(())
}

/// Trains again and again; returns how many jobs succeeded. Errors are what kills cause.
async fn train_until(endpoint: String, calm: Arc<AtomicBool>) -> usize {
    let mut succeeded = 0;
    while !calm.load(Ordering::Relaxed) {
        let attempt = async {
            let channel = answers::connect(&endpoint).await?;
            answers::train(&channel, KINDS).await
        };
        match attempt.await {
            Ok(_) => succeeded += 1,
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
    succeeded
}

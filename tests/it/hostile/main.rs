//! Clients that want all of a server: they begin calls and send nothing, announce messages that never
//! come whole, open streams and sockets and keep them, ask for everything and read nothing. A second
//! client must be answered meanwhile, and the server's memory stay within a bound. The server has 256
//! descriptors.

#![expect(clippy::print_stdout, reason = "figures for people who read the test's output")]

mod attacker;
mod guest;
mod server;

use std::time::Duration;

use anyhow::ensure;
use bytes::Bytes;
use mercer_common::rpc::IDLE;

use attacker::{Attacker, SILENT};
use guest::Guest;
use server::Server;

/// Beyond what the server had before: the room for bodies (256 MiB) and as much for all else.
const MEMORY_BYTES: u64 = 512 << 20;
/// After this no call of a silent client is left: the time for a body, and some.
const BODIES_END: Duration = Duration::from_secs(20);
/// After this a connection is closed that takes nothing: a minute, and a full machine.
const CLOSED: Duration = Duration::from_secs(180);
const RECOMMEND: &str = "/mercer.v1.RecommendService/Recommend";
const UPSERT: &str = "/mercer.v1.CatalogService/UpsertItems";
const LIST: &str = "/mercer.v1.CatalogService/ListItems";
const INGEST: &str = "/mercer.v1.EventService/Ingest";
const BATCH: &str = "/mercer.v1.RecommendService/BatchRecommend";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_of_headers_only_lock_nobody_out() -> anyhow::Result<()> {
    let server = Server::start().await?;
    let attacker = Attacker::connect(&server).await?;
    let calls = attacker.begin(RECOMMEND, 1_100, SILENT).await?;
    server.withstands("calls of headers only", Guest::connect(&server).await?).await?;
    // Those that were admitted end although they asked for years.
    let ended = tokio::time::timeout(BODIES_END, calls.all_ended()).await;
    let ended = ended.map_err(|_| anyhow::anyhow!("silent calls are held"))?;
    let reasons: Vec<&str> = ended.iter().map(|status| status.reason.as_str()).collect();
    let of = |reason: &str| reasons.iter().filter(|found| **found == reason).count();
    println!("    {} were shed, {} ended", of("OVERLOADED"), of("REQUEST_INCOMPLETE"));
    ensure!(of("OVERLOADED") > 0, "nobody was shed: {reasons:?}");
    ensure!(of("OVERLOADED") + of("REQUEST_INCOMPLETE") == 1_100, "{reasons:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_that_never_come_whole_take_no_more_than_their_room() -> anyhow::Result<()> {
    let server = Server::start().await?;
    let length: u32 = 4 << 20;
    let mut almost = vec![0];
    almost.extend(length.to_be_bytes());
    almost.resize(almost.len() + length as usize - 1, 0);
    let almost = Bytes::from(almost);
    let mut attackers = Vec::new();
    for _ in 0..8 {
        let attacker = Attacker::connect(&server).await?;
        attackers.push((attacker.begin(UPSERT, 64, almost.clone()).await?, attacker));
    }
    server.withstands("messages one byte short", Guest::connect(&server).await?).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_streams_make_room() -> anyhow::Result<()> {
    let server = Server::start().await?;
    let attacker = Attacker::connect(&server).await?;
    let ingest = attacker.begin(INGEST, 300, SILENT).await?;
    let batches = attacker.begin(BATCH, 100, SILENT).await?;
    let mut guest = Guest::connect(&server).await?;
    // Nobody is idle at first; the kept eighth is there for a guest all the same.
    guest.ingest(4).await?;
    guest.recommend_stream().await?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    // Far more than is free: the attacker's streams end for them.
    let streams = guest.ingest(100).await?;
    let mut batches_of_guest = Vec::new();
    for _ in 0..30 {
        batches_of_guest.push(guest.recommend_stream().await?);
    }
    server.withstands("idle streams", guest).await?;
    drop((streams, batches_of_guest));
    for (kind, mut calls) in [("Ingest", ingest), ("BatchRecommend", batches)] {
        let ended = calls.ended().await;
        let of = |reason: &str| ended.iter().filter(|ended| ended.reason == reason).count();
        println!("    {} streams of {kind} ended for being idle", of(IDLE));
        ensure!(of(IDLE) > 0, "none of {kind} ended: {ended:?}");
    }
    attacker.leave().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_sockets_leave_room_for_others() -> anyhow::Result<()> {
    let server = Server::start().await?;
    let mut sockets = Vec::new();
    for _ in 0..300 {
        sockets.push(server.socket().await?);
    }
    // Each guest is another connection.
    for _ in 0..20 {
        Guest::connect(&server).await?.answers(2).await?;
    }
    let before = server.cpu()?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let spent = server.cpu()? - before;
    println!("    {spent:?} of processor time in 2 s beside silent sockets");
    ensure!(spent < Duration::from_secs(1), "the server spins: {spent:?} in 2 s");
    server.withstands("silent sockets", Guest::connect(&server).await?).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_nobody_takes_are_bounded() -> anyhow::Result<()> {
    let server = Server::start().await?;
    let mut guest = Guest::connect(&server).await?;
    guest.fill_catalogue().await?;
    let mut attackers = Vec::new();
    for _ in 0..2 {
        let attacker = Attacker::connect_without_window(&server).await?;
        attackers.push((attacker.ask(LIST, 600, guest::list_items()).await?, attacker));
    }
    server.withstands("answers that nobody takes", guest).await?;
    if std::env::var_os("MERCER_SLOW_TESTS").is_some() {
        for (_, attacker) in attackers {
            let closed = tokio::time::timeout(CLOSED, attacker.closed()).await;
            closed.map_err(|_| anyhow::anyhow!("who takes nothing is held on to"))?;
        }
    }
    Ok(())
}

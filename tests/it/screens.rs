//! What people see who type the first commands: that nothing is catalogued, how training goes on where
//! there is no terminal, why something is recommended, and who it is that does not answer.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    path::Path,
    process::{Command, Output, Stdio},
    thread,
};

use anyhow::{Context as _, ensure};
use mercer_tests::processes::Processes;
use serde_json::Value;

const BINARY: &str = env!("CARGO_BIN_EXE_mercer-node");

/// Runs a command as a script does: without a terminal.
fn run(endpoint: &str, line: &[&str]) -> anyhow::Result<Output> {
    let output = Command::new(BINARY)
        .args(line)
        .args(["--endpoint", endpoint])
        .stdin(Stdio::null())
        .output()
        .context("running the command")?;
    Ok(output)
}

/// What a command that succeeds writes to standard output and standard error.
fn told(endpoint: &str, line: &[&str]) -> anyhow::Result<(String, String)> {
    let Output { status, stdout, stderr } = run(endpoint, line)?;
    let (stdout, stderr) = (String::from_utf8(stdout)?, String::from_utf8(stderr)?);
    ensure!(status.success(), "{line:?}: {stdout}{stderr}");
    Ok((stdout, stderr))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shop_without_a_catalogue_is_told_so_and_one_with_it_why() -> anyhow::Result<()> {
    let mut cluster = Processes::up(BINARY, 1, 2)?;
    cluster.wait_until_serving().await?;
    let endpoint = cluster.endpoint().to_owned();
    let events = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/cases/uncatalogued.csv");
    let events = events.to_str().context("a path of text")?;
    told(&endpoint, &["import", "events", events])?;

    let bare = "none of the 6 known items is catalogued";
    let what_to_do = "mercer import items";
    let (status, _) = told(&endpoint, &["status"])?;
    ensure!(status.contains(bare) && status.contains(what_to_do), "{status}");
    let (_, train) = told(&endpoint, &["train", "p3,item-cosine", "fresh", "--wait"])?;
    ensure!(train.contains(bare) && train.contains("\ntraining: "), "{train}");
    for line in [&["recommend", "--user", "u1"][..], &["popular"]] {
        let (_, note) = told(&endpoint, line)?;
        ensure!(note.contains(bare) && note.contains(what_to_do), "{line:?}: {note}");
    }

    let items = cluster.folder().join("items.csv");
    let rows: Vec<String> = (0..6).map(|item| format!("i{item},Item number {item}\n")).collect();
    std::fs::write(&items, format!("item_id,title\n{}", rows.concat()))?;
    told(&endpoint, &["import", "items", items.to_str().context("a path of text")?])?;
    let (status, _) = told(&endpoint, &["status"])?;
    ensure!(!status.contains("catalogued"), "{status}");

    let ask = |more: &[&str]| {
        let line = ["recommend", "--user", "u1", "--seen", "include", "--algorithm", "p3"];
        told(&endpoint, &[&line, more].concat()).map(|(answer, _)| answer)
    };
    let english = ask(&["--explain"])?;
    let bought = "often chosen by those who chose Item number";
    ensure!(english.contains(bought) && english.contains(", which you bought on"), "{english}");
    let german = ask(&["--explain", "--language", "de"])?;
    ensure!(german.contains("bei denselben Kunden beliebt wie Item number"), "{german}");
    let parts = ask(&["--explain=parts"])?;
    ensure!(parts.contains("because of Item number"), "{parts}");
    let json: Value = serde_json::from_str(&ask(&["--explain", "--output", "json"])?)?;
    let items = json["items"].as_array().context("a list")?;
    ensure!(!items.is_empty(), "{json}");
    for item in items.iter().filter(|item| item["source"] == "algorithm") {
        let reasons = item["reasons"].as_array().context("reasons")?;
        let sum: f64 = reasons.iter().filter_map(|part| part["contribution"].as_f64()).sum();
        let score = item["score"].as_f64().context("a score")?;
        ensure!((sum - score).abs() < 1e-9 * score.abs(), "{item}");
        for part in reasons.iter().filter(|part| part["kind"] == "history_item") {
            ensure!(part["code"] == "chosen_by_the_same", "{part}");
            ensure!(part["event_type"] == "purchase", "{part}");
            let date = part["event_date"].as_str().context("a date")?;
            ensure!(date.starts_with("2026-11-"), "{part}");
        }
    }

    // Tokens are for programs.
    let rule = ["rules", "set", "r", "--exclude", "--filter", "item=i5"];
    ensure!(told(&endpoint, &rule)?.0 == "done\n");
    let (json, _) = told(&endpoint, &[&rule[..], &["--output", "json"]].concat())?;
    ensure!(json.contains("\"token\""), "{json}");
    Ok(())
}

#[test]
fn a_demo_without_a_terminal_writes_a_line_a_phase() -> anyhow::Result<()> {
    // It loads and trains a whole shop.
    if std::env::var_os("MERCER_SLOW_TESTS").is_none() {
        return Ok(());
    }
    let line = ["demo", "--dataset", "synthetic", "--once", "--listen", "127.0.0.1:0"];
    let Output { status, stdout, stderr } =
        Command::new(BINARY).args(line).stdin(Stdio::null()).output()?;
    let (stdout, stderr) = (String::from_utf8(stdout)?, String::from_utf8(stderr)?);
    ensure!(status.success(), "{stdout}{stderr}");
    let phases = ["looking for", "starting", "loading ", "training: ", "deciding"];
    let at: Vec<Option<usize>> = phases
        .iter()
        .map(|phase| stderr.lines().position(|line| line.starts_with(phase)))
        .collect();
    ensure!(at.iter().all(Option::is_some) && at.is_sorted(), "{at:?}: {stderr}");
    // Sentences, and no percentages of a score.
    ensure!(!stdout.contains("because of "), "{stdout}");
    Ok(())
}

#[test]
fn who_answers_something_else_is_told_from_who_does_not() -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let web = format!("http://{}", listener.local_addr()?);
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 1_024]);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        }
    });
    let free = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    for (endpoint, what, next) in [
        (web.clone(), format!("error: what answers at {web} is no Mercer\n"), "--endpoint"),
        (
            format!("http://{free}"),
            format!("error: no coordinator answers at http://{free}"),
            "mercer up",
        ),
        ("http://127.0.0.1:99999".into(), "a port is a number from 1 to 65535".into(), "7400"),
    ] {
        let Output { status, stderr, .. } = run(&endpoint, &["status"])?;
        let stderr = String::from_utf8(stderr)?;
        ensure!(!status.success(), "{endpoint}: {stderr}");
        ensure!(stderr.contains(&what) && stderr.contains(next), "{endpoint}: {stderr}");
    }
    Ok(())
}

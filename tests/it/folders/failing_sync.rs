//! A device that fails to sync: what was acknowledged is there after a kill, what was under way is
//! answered as unconfirmed, and nothing is acknowledged until writing works.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use mercer_proto::v1::{GetItemRequest, catalog_service_client::CatalogServiceClient};
use mercer_tests::{
    answers::{self, request},
    catalogue,
    processes::describe,
    single::{Running, Single},
};

use super::{
    producer::Calls,
    shop::{Bench, WORKLOAD},
};

const LIMIT: Duration = Duration::from_secs(60);

/// The shared object that makes syncing fail, or why there is none.
fn shared_object(folder: &Path) -> Result<PathBuf, String> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("it/folders/failing_sync.c");
    let shared_object = folder.join("failing_sync.so");
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&shared_object).arg(source).arg("-ldl");
    match compiler.output() {
        Ok(output) if output.status.success() => Ok(shared_object),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        Err(error) => Err(format!("cc: {error}")),
    }
}

/// A shop on a device that can fail.
struct Device {
    bench: Bench,
    shared_object: PathBuf,
}

impl Device {
    fn new() -> anyhow::Result<Result<Self, String>> {
        let bench = Bench::new()?;
        let shared_object = shared_object(&bench.path(""));
        Ok(shared_object.map(|shared_object| Self { bench, shared_object }))
    }

    fn data(&self) -> PathBuf {
        self.bench.path("data")
    }

    /// The process over it, whose files below `part` of the data folder fail to sync on demand.
    fn single(&self, part: &str) -> anyhow::Result<Single> {
        fs::create_dir_all(self.data())?;
        let below = self.data().canonicalize()?.join(part);
        let below = below.to_str().context("a path in UTF-8")?;
        let shared_object = self.shared_object.to_str().context("a path in UTF-8")?;
        let control = self.bench.path("fail");
        let control = control.to_str().context("a path in UTF-8")?;
        let single = self.bench.single("data").with_variable("LD_PRELOAD", shared_object);
        Ok(single.with_variable("FAILING_BELOW", below).with_variable("FAILING_WHILE", control))
    }

    fn fail(&self) -> anyhow::Result<()> {
        Ok(fs::write(self.bench.path("fail"), b"")?)
    }

    fn mend(&self) -> anyhow::Result<()> {
        Ok(fs::remove_file(self.bench.path("fail"))?)
    }
}

/// Waits until the log says so of why it has stopped.
async fn until_stopped(running: &Running, words: &str) -> anyhow::Result<()> {
    let begin = Instant::now();
    loop {
        let log = describe(running.endpoint(), Vec::new()).await?.log.context("a log")?;
        if log.stopped.contains(words) {
            return Ok(());
        }
        ensure!(begin.elapsed() < LIMIT, "the log says {:?}", log.stopped);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn check_reading(running: &Running) -> anyhow::Result<()> {
    let message = GetItemRequest { item_id: "item-1".into(), tokens: Vec::new() };
    CatalogServiceClient::new(running.connect().await?).get_item(request(message)).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::print_stderr, reason = "a skipped or long run says so")]
async fn what_cannot_be_synced_is_not_acknowledged() -> anyhow::Result<()> {
    let begin = Instant::now();
    let device = match Device::new()? {
        Ok(device) => device,
        Err(reason) => {
            eprintln!("failing_sync: SKIPPED, nothing can be compiled here: {}", reason.trim());
            return Ok(());
        }
    };
    let calls = Calls::new();
    let send = async |running: &Running| calls.send(running.endpoint()).await;

    // A device that works again after a while: the log goes on by itself.
    let single = device.single("log/segments")?;
    let running = single.serve().await?;
    catalogue::set_up(&running.connect().await?, WORKLOAD.items).await?;
    for _ in 0..20 {
        ensure!(send(&running).await?, "{:?}", calls.take_refusals());
    }
    device.fail()?;
    ensure!(!send(&running).await?, "acknowledged although nothing can be synced");
    ensure!(calls.take_refusals().into_iter().eq(["LOG_UNCONFIRMED".to_owned()]));
    ensure!(!send(&running).await?, "acknowledged although the log has stopped");
    ensure!(calls.take_refusals().into_iter().eq(["LOG_STOPPED".to_owned()]));
    check_reading(&running).await?;
    device.mend()?;
    calls.check(&running).await?;
    calls.take_refusals();

    // One that does not: the log stays stopped and names the error, and a kill loses nothing.
    for _ in 0..20 {
        ensure!(send(&running).await?, "{:?}", calls.take_refusals());
    }
    device.fail()?;
    ensure!(!send(&running).await?, "acknowledged although nothing can be synced");
    ensure!(calls.take_refusals().into_iter().eq(["LOG_UNCONFIRMED".to_owned()]));
    until_stopped(&running, "mend the device and start again").await?;
    until_stopped(&running, "Input/output error").await?;
    check_reading(&running).await?;
    device.mend()?;
    // It is not believed again without a start.
    ensure!(!send(&running).await?, "acknowledged although the device had failed");
    running.kill()?;
    let running = device.bench.single("data").serve().await?;
    calls.check(&running).await?;
    answers::train(&running.connect().await?, &["p3"]).await?;
    running.stop().await?;

    // Metadata that cannot be synced starts no job, and takes no event with it.
    let running = device.single("metadata/")?.serve().await?;
    device.fail()?;
    let refused = answers::train(&running.connect().await?, &["p3"]).await;
    ensure!(refused.is_err(), "a job was started that nobody will remember");
    ensure!(send(&running).await?, "{:?}", calls.take_refusals());
    check_reading(&running).await?;
    running.kill()?;
    device.mend()?;
    let running = device.bench.single("data").serve().await?;
    calls.check(&running).await?;
    answers::train(&running.connect().await?, &["p3"]).await?;
    running.stop().await?;
    eprintln!("failing_sync: {} calls in {:.0?}", calls.acknowledged(), begin.elapsed());
    Ok(())
}

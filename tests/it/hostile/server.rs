//! The server under attack, and what it takes of the machine.

use std::{fs, time::Duration};

use anyhow::{Context as _, ensure};
use mercer_tests::single::{Running, Single};
use tempfile::TempDir;
use tokio::net::TcpStream;

use super::{MEMORY_BYTES, guest::Guest};

const DESCRIPTORS: usize = 256;
/// Calls of the second client.
const CALLS: usize = 200;
/// The unit of processor time, 10 ms: the same on all Linux machines of today.
const TICK: Duration = Duration::from_millis(10);

pub(crate) struct Server {
    running: Box<Running>,
    memory_before: u64,
    _folder: TempDir,
}

impl Server {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let single = Single::new(env!("CARGO_BIN_EXE_mercer-node"), &folder.path().join("data"));
        let running = single.with_descriptors(DESCRIPTORS).serve().await?;
        Guest::connect_to(running.endpoint()).await?.answers(CALLS).await?;
        let memory_before = memory(running.process())?;
        Ok(Self { running, memory_before, _folder: folder })
    }

    pub(crate) fn endpoint(&self) -> &str {
        self.running.endpoint()
    }

    pub(crate) async fn socket(&self) -> anyhow::Result<TcpStream> {
        let address = self.endpoint().trim_start_matches("http://");
        Ok(TcpStream::connect(address).await?)
    }

    /// Processor time so far.
    pub(crate) fn cpu(&self) -> anyhow::Result<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.running.process()))?;
        let after_name = stat.rsplit(") ").next().context("a name")?;
        let ticks = after_name.split(' ').skip(11).take(2).map(str::parse::<u32>);
        Ok(TICK * ticks.sum::<Result<u32, _>>()?)
    }

    /// Fails unless `guest` is answered, and the server takes no more memory than it may.
    pub(crate) async fn withstands(&self, attack: &str, mut guest: Guest) -> anyhow::Result<()> {
        let mut times = guest.answers(CALLS).await.with_context(|| attack.to_owned())?;
        times.sort_unstable();
        let (median, high) = (times[times.len() / 2], times[times.len() * 99 / 100]);
        let memory = memory(self.running.process())?.saturating_sub(self.memory_before);
        println!(
            "{attack}: a second client's p50 {median:.1?}, p99 {high:.1?}; the server grew by {} MiB",
            memory >> 20
        );
        ensure!(memory < MEMORY_BYTES, "{attack}: the server grew by {memory} bytes");
        Ok(())
    }
}

/// Bytes of memory that a process has.
fn memory(process: u32) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").trim().parse()?;
    Ok(kilobytes << 10)
}

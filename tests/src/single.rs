//! `mercer up` as a process over a folder of the test's choice, which may refuse to start.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use mercer_proto::v1::DescribeClusterResponse;
use rustix::process::{Pid, Signal, kill_process};
use tonic::transport::Channel;

use crate::{
    answers,
    processes::{READY, describe, free_address, serves},
};

const BETWEEN: Duration = Duration::from_millis(50);
/// Held back for a full disk.
const RESERVE_BYTES: &str = "4194304";
/// The word that a panic prints; sled has some on damage, which Mercer catches.
const PANIC: &str = "panicked at";

/// Way to start `mercer up`.
#[derive(Clone, Debug)]
pub struct Single {
    binary: PathBuf,
    data: PathBuf,
    log: PathBuf,
    config: Option<PathBuf>,
    environment: Vec<(String, String)>,
    descriptors: Option<usize>,
}

/// Outcome of a start.
#[derive(Debug)]
pub enum Started {
    /// All shards serve.
    Serving(Box<Running>),
    /// The process ended by itself, with this message.
    Refused(String),
}

/// A running `mercer up`; dropping it kills it.
#[derive(Debug)]
pub struct Running {
    child: Child,
    log: PathBuf,
    endpoint: String,
    /// Description of the cluster when all shards served.
    pub described: DescribeClusterResponse,
}

impl Single {
    /// `mercer up` of `binary` over the folder `data`, whose log goes to a file beside the folder.
    #[must_use]
    pub fn new(binary: &str, data: &Path) -> Self {
        let (binary, data, log) = (binary.into(), data.to_owned(), data.with_extension("log"));
        Self { binary, data, log, config: None, environment: Vec::new(), descriptors: None }
    }

    /// Chooses another file for what the process prints.
    #[must_use]
    pub fn with_log(mut self, log: &Path) -> Self {
        self.log = log.to_owned();
        self
    }

    /// Gives the process a file of settings.
    #[must_use]
    pub fn with_config(mut self, config: &Path) -> Self {
        self.config = Some(config.to_owned());
        self
    }

    /// Allows the process at most so many descriptors.
    #[must_use]
    pub fn with_descriptors(mut self, limit: usize) -> Self {
        self.descriptors = Some(limit);
        self
    }

    /// Sets a variable in the process's environment.
    #[must_use]
    pub fn with_variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts it and waits until all shards serve or it has ended.
    ///
    /// # Errors
    /// When it neither serves nor ends in time, ends otherwise than by a refusal, or panics.
    pub async fn start(&self) -> anyhow::Result<Started> {
        loop {
            match self.attempt().await? {
                // Somebody else was given the same free port.
                Started::Refused(said) if said.contains("cannot listen on") => {}
                started => return Ok(started),
            }
        }
    }

    /// Starts it and waits until all shards serve.
    ///
    /// # Errors
    /// When they do not.
    pub async fn serve(&self) -> anyhow::Result<Box<Running>> {
        match self.start().await? {
            Started::Serving(running) => Ok(running),
            Started::Refused(said) => bail!("the start was refused: {said}"),
        }
    }

    /// Starts it, which must be refused; returns what it says.
    ///
    /// # Errors
    /// When it serves.
    pub async fn refused(&self) -> anyhow::Result<String> {
        match self.start().await? {
            Started::Serving(_) => bail!("it serves {}", self.data.display()),
            Started::Refused(said) => Ok(said),
        }
    }

    async fn attempt(&self) -> anyhow::Result<Started> {
        let address = free_address()?;
        let log = self.log.clone();
        let output = File::create(&log)?;
        let mut command = match self.descriptors {
            None => Command::new(&self.binary),
            Some(limit) => {
                let mut shell = Command::new("sh");
                shell.args(["-c", "ulimit -n \"$1\"; shift; exec \"$@\"", "sh"]);
                shell.arg(limit.to_string()).arg(&self.binary);
                shell
            }
        };
        command.arg("up").arg("--data-dir").arg(&self.data).args(["--listen", &address]);
        if let Some(config) = &self.config {
            command.arg("--config").arg(config);
        }
        // Folders are copied and compared often: what is held back for a full disk shall be small.
        command.env("MERCER_COORDINATOR__RESERVE_BYTES", RESERVE_BYTES);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let child =
            command.spawn().with_context(|| format!("starting {}", self.binary.display()))?;
        let described = DescribeClusterResponse::default();
        let endpoint = format!("http://{address}");
        let mut running = Running { child, log, endpoint, described };
        let begin = Instant::now();
        loop {
            if let Some(status) = running.child.try_wait()? {
                return running.refusal(status).map(Started::Refused);
            }
            let last = match describe(&running.endpoint, Vec::new()).await {
                Ok(described) if serves(&described) => {
                    running.described = described;
                    running.check_log()?;
                    return Ok(Started::Serving(Box::new(running)));
                }
                Ok(described) => format!("{:#?}", described.shards),
                Err(error) => format!("{error:#}"),
            };
            if begin.elapsed() > READY {
                bail!("neither serving nor refused after {READY:?}: {last}\n{}", running.said());
            }
            tokio::time::sleep(BETWEEN).await;
        }
    }
}

impl Running {
    /// Endpoint of the public API.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Number of the process on the machine.
    #[must_use]
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// A connection to the public API.
    ///
    /// # Errors
    /// When nobody listens.
    pub async fn connect(&self) -> anyhow::Result<Channel> {
        answers::connect(&self.endpoint).await
    }

    /// Text that the process has printed.
    #[must_use]
    pub fn said(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Fails when the process has ended.
    ///
    /// # Errors
    /// With what it printed.
    pub fn check(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait()? {
            None => self.check_log(),
            Some(status) => bail!("it ended with {status}:\n{}", self.said()),
        }
    }

    /// Asks the process to stop and waits until it has.
    ///
    /// # Errors
    /// When it does not stop in order, or panicked.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        self.check()?;
        let process = Pid::from_child(&self.child);
        kill_process(process, Signal::TERM)?;
        let begin = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                ensure!(status.success(), "it stopped with {status}:\n{}", self.said());
                return self.check_log();
            }
            ensure!(begin.elapsed() < READY, "it does not stop:\n{}", self.said());
            tokio::time::sleep(BETWEEN).await;
        }
    }

    /// Kills the process with SIGKILL. Fails when it had ended by itself, which none may.
    ///
    /// # Errors
    /// When the process was not running.
    pub fn kill(mut self) -> anyhow::Result<()> {
        self.check()?;
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// The message of a process that ended by itself.
    fn refusal(&self, status: ExitStatus) -> anyhow::Result<String> {
        self.check_log()?;
        let said = self.said();
        let message = said.find("\nerror: ").map(|at| &said[at + 1..]);
        let message = message.or(Some(said.as_str()).filter(|said| said.starts_with("error: ")));
        match (status.code(), message) {
            (Some(1), Some(message)) => Ok(message.trim().to_owned()),
            _ => bail!("it ended with {status}:\n{said}"),
        }
    }

    /// Fails when a thread of the process panicked, but for sled on files that it cannot read.
    fn check_log(&self) -> anyhow::Result<()> {
        let said = self.said();
        let mut panics = said.lines().filter(|line| line.contains(PANIC));
        match panics.find(|line| !line.contains("/sled-")) {
            Some(line) => bail!("a thread panicked: {line}\n{said}"),
            None => Ok(()),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A process that has ended already is as dead as can be wished.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

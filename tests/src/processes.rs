//! Clusters made of real processes, so that they can be killed.

use std::{
    fs::{self, File},
    io::Write as _,
    net::TcpListener,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use mercer_proto::v1::{
    DescribeClusterRequest, DescribeClusterResponse, ShardState,
    cluster_service_client::ClusterServiceClient,
};
use tempfile::TempDir;

/// How long a cluster may take to serve, on a slow machine with everything else running.
pub(crate) const READY: Duration = Duration::from_secs(120);

/// Process and how to start it again.
#[derive(Debug)]
struct Process {
    name: String,
    arguments: Vec<String>,
    child: Child,
}

/// A cluster of processes over one temporary folder; dropping it kills them all.
#[derive(Debug)]
pub struct Processes {
    binary: PathBuf,
    folder: TempDir,
    processes: Vec<Process>,
    endpoint: String,
}

impl Processes {
    /// One coordinator and `workers` workers, each a process of `binary`. The coordinator is
    /// process 0.
    ///
    /// # Errors
    /// When a process cannot be started.
    pub fn cluster(binary: &str, workers: usize) -> anyhow::Result<Self> {
        let (public, internal) = (free_address()?, free_address()?);
        let mut cluster = Self::new(binary, &public)?;
        let artifacts = cluster.folder.path().join("artifacts");
        // Workers may be there before the coordinator could make one.
        let secret = cluster.folder.path().join("secret");
        let mut file = File::options().write(true).create_new(true).mode(0o600).open(&secret)?;
        writeln!(file, "a-secret-of-a-test-cluster")?;
        let shared = format!(
            "[cluster]\nworkers = {workers}\nshards = 16\nsecret_file = \"{}\"\n\
             [artifacts]\nurl = \"file://{}\"\n",
            secret.display(),
            artifacts.display()
        );
        let coordinator = format!(
            "{shared}[coordinator]\nlisten = \"{public}\"\ninternal_listen = \"{internal}\"\n\
             data_dir = \"{}\"\nworker_timeout_seconds = 1.5\n",
            cluster.folder.path().display()
        );
        cluster.start_role("coordinator", "coordinator", &coordinator)?;
        for number in 1..=workers {
            let name = format!("worker-{number}");
            // Small snapshots, often: kills shall meet every state of them.
            let worker = format!(
                "{shared}[worker]\nid = \"{name}\"\ncoordinator = \"http://{internal}\"\n\
                 listen = \"{}\"\ndata_dir = \"{}\"\nsnapshot_seconds = 0.2\nsnapshot_records = 500\n",
                free_address()?,
                cluster.folder.path().join(&name).display()
            );
            cluster.start_role(&name, "worker", &worker)?;
        }
        Ok(cluster)
    }

    /// `mercer up` with its own shape of cluster.
    ///
    /// # Errors
    /// When the process cannot be started.
    pub fn up(binary: &str, workers: usize, shards: usize) -> anyhow::Result<Self> {
        let address = free_address()?;
        let mut cluster = Self::new(binary, &address)?;
        let data = cluster.folder.path().join("data").display().to_string();
        let (workers, shards) = (workers.to_string(), shards.to_string());
        let flags = ["up", "--data-dir", &data, "--listen", &address];
        let shape = ["--workers", &workers, "--shards", &shards];
        cluster.start("up", flags.iter().chain(&shape).map(ToString::to_string).collect())?;
        Ok(cluster)
    }

    fn new(binary: &str, address: &str) -> anyhow::Result<Self> {
        Ok(Self {
            binary: binary.into(),
            folder: tempfile::tempdir()?,
            processes: Vec::new(),
            endpoint: format!("http://{address}"),
        })
    }

    fn start_role(&mut self, name: &str, role: &str, config: &str) -> anyhow::Result<()> {
        let file = self.folder.path().join(format!("{name}.toml"));
        fs::write(&file, config)?;
        self.start(name, vec![role.into(), "--config".into(), file.display().to_string()])
    }

    fn start(&mut self, name: &str, arguments: Vec<String>) -> anyhow::Result<()> {
        let child = self.spawn(name, &arguments)?;
        self.processes.push(Process { name: name.into(), arguments, child });
        Ok(())
    }

    fn spawn(&self, name: &str, arguments: &[String]) -> anyhow::Result<Child> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.folder.path().join(format!("{name}.log")))?;
        Command::new(&self.binary)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("starting {name} from {}", self.binary.display()))
    }

    /// Endpoint of the public API.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The folder of everything the cluster stores.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Number of processes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.processes.len()
    }

    /// Tells whether there is no process.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.processes.is_empty()
    }

    /// The name of a process.
    #[must_use]
    pub fn name(&self, index: usize) -> &str {
        &self.processes[index].name
    }

    /// Kills a process with SIGKILL. Fails when it had ended by itself, which none may.
    ///
    /// # Errors
    /// When the process was not running.
    pub fn kill(&mut self, index: usize) -> anyhow::Result<()> {
        self.check_process(index)?;
        let process = &mut self.processes[index];
        process.child.kill()?;
        process.child.wait()?;
        Ok(())
    }

    /// Starts a killed process again.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn restart(&mut self, index: usize) -> anyhow::Result<()> {
        let child = self.spawn(&self.processes[index].name, &self.processes[index].arguments)?;
        self.processes[index].child = child;
        Ok(())
    }

    /// Gives a killed worker process the identity and the folder of a new worker.
    ///
    /// # Errors
    /// When its configuration cannot be rewritten.
    pub fn rename_worker(&mut self, index: usize, name: &str) -> anyhow::Result<()> {
        let old = std::mem::replace(&mut self.processes[index].name, name.to_owned());
        let config = fs::read_to_string(self.folder.path().join(format!("{old}.toml")))?;
        let file = self.folder.path().join(format!("{name}.toml"));
        fs::write(&file, config.replace(&old, name))?;
        self.processes[index].arguments[2] = file.display().to_string();
        Ok(())
    }

    /// Fails with the log of the first process that has ended by itself.
    ///
    /// # Errors
    /// When any process has ended.
    pub fn check_running(&mut self) -> anyhow::Result<()> {
        (0..self.processes.len()).try_for_each(|index| self.check_process(index))
    }

    fn check_process(&mut self, index: usize) -> anyhow::Result<()> {
        let process = &mut self.processes[index];
        if let Some(status) = process.child.try_wait()? {
            let log = self.folder.path().join(format!("{}.log", process.name));
            let log = fs::read_to_string(log).unwrap_or_default();
            bail!("{} ended with {status}:\n{log}", process.name);
        }
        Ok(())
    }

    /// All logs, for the message of a failing test.
    #[must_use]
    pub fn logs(&self) -> String {
        let mut logs = Vec::new();
        for process in &self.processes {
            let path = self.folder.path().join(format!("{}.log", process.name));
            let log = fs::read_to_string(path).unwrap_or_default();
            logs.push(format!("== {} ==\n{log}", process.name));
        }
        logs.join("\n")
    }

    /// Waits until every shard serves.
    ///
    /// # Errors
    /// When that takes too long or a process ends.
    pub async fn wait_until_serving(&mut self) -> anyhow::Result<DescribeClusterResponse> {
        let start = Instant::now();
        loop {
            self.check_running()?;
            let last = match describe(&self.endpoint, Vec::new()).await {
                Ok(description) if serves(&description) => return Ok(description),
                Ok(description) => format!("{:#?}", description.shards),
                Err(error) => format!("{error:#}"),
            };
            if start.elapsed() > READY {
                bail!("not serving after {READY:?}: {last}\n{}", self.logs());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        for process in &mut self.processes {
            // A process that has ended already is as dead as can be wished.
            let _ = process.child.kill();
            let _ = process.child.wait();
        }
    }
}

/// Describes the cluster after the effects of `tokens`.
///
/// # Errors
/// When the cluster cannot answer.
pub async fn describe(
    endpoint: &str,
    tokens: Vec<String>,
) -> anyhow::Result<DescribeClusterResponse> {
    let mut client = ClusterServiceClient::connect(endpoint.to_owned()).await?;
    let mut request = tonic::Request::new(DescribeClusterRequest { tokens });
    request.set_timeout(Duration::from_secs(30));
    Ok(client.describe_cluster(request).await?.into_inner())
}

pub(crate) fn serves(description: &DescribeClusterResponse) -> bool {
    !description.shards.is_empty()
        && description.shards.iter().all(|shard| shard.state() == ShardState::Serving)
}

/// An address on loopback that nobody listens on now.
pub(crate) fn free_address() -> anyhow::Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}

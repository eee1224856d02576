//! The compose file as the tool of its own reads it: its commands and probes, as processes.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use mercer_tests::processes::describe;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::{BINARY, deploy, machine::free_address, page::read};

/// Names the tool; without it the test is skipped.
const TOOL: &str = "MERCER_DOCKER_COMPOSE";
const LIMIT: Duration = Duration::from_secs(90);
const BETWEEN: Duration = Duration::from_millis(100);
/// The port of workers, each in a container of its own.
const WORKER_PORT: &str = "7402";

/// A container without its walls.
struct Service {
    name: String,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    probe: Vec<String>,
    stop_limit: Duration,
    child: Option<Child>,
}

impl Service {
    /// Reads a service; `places` stand for what is the same in all containers.
    fn read(
        name: &str,
        said: &Value,
        folder: &Path,
        places: &[(String, String)],
    ) -> anyhow::Result<Self> {
        // What a container has for itself: its volumes, its loopback.
        let mut places = places.to_vec();
        let own = places.iter().find(|(written, _)| written == &format!("{name}:{WORKER_PORT}"));
        if let Some((_, address)) = own.cloned() {
            places.push((format!("0.0.0.0:{WORKER_PORT}"), address.clone()));
            places.push((format!("127.0.0.1:{WORKER_PORT}"), address));
        }
        let mut volumes = Vec::new();
        for volume in said["volumes"].as_array().context("volumes")? {
            let (source, target) = (text(&volume["source"])?, text(&volume["target"])?);
            let here = folder.join("volumes").join(source);
            fs::create_dir_all(&here)?;
            volumes.push((target.to_owned(), here.display().to_string()));
        }
        // The innermost first.
        volumes.sort_by_key(|(target, _)| std::cmp::Reverse(target.len()));
        places.extend(volumes);
        for secret in said["secrets"].as_array().context("secrets")? {
            ensure!(secret["source"] == "cluster", "{secret}");
            let file = folder.join("secret").display().to_string();
            places.push((text(&secret["target"])?.to_owned(), file));
        }
        let here = |text: &str| {
            let mut text = text.to_owned();
            for (written, here) in &places {
                text = text.replace(written, here);
            }
            text
        };
        let mut configs = Vec::new();
        for config in said["configs"].as_array().context("configs")? {
            let target = text(&config["target"])?;
            let file = deploy().join("config").join(target.rsplit('/').next().unwrap_or_default());
            let copy = folder.join(format!("{name}.toml"));
            fs::write(&copy, here(&read(&file)?))?;
            configs.push((target.to_owned(), copy.display().to_string()));
        }
        let words = |list: &Value| -> anyhow::Result<Vec<String>> {
            let list = list.as_array().with_context(|| format!("{list} is no list"))?;
            list.iter().map(|word| Ok(here(text(word)?))).collect()
        };
        let environment = said["environment"].as_object().context("environment")?;
        let environment =
            environment.iter().map(|(key, value)| Ok((key.clone(), here(text(value)?))));
        let grace = text(&said["stop_grace_period"])?;
        let seconds = grace.strip_suffix('s').with_context(|| grace.to_owned())?;
        let mut arguments = words(&said["command"])?;
        for argument in &mut arguments {
            if let Some((_, copy)) = configs.iter().find(|(target, _)| target == argument) {
                argument.clone_from(copy);
            }
        }
        Ok(Self {
            name: name.to_owned(),
            arguments,
            environment: environment.collect::<anyhow::Result<_>>()?,
            probe: words(&said["healthcheck"]["test"])?,
            stop_limit: Duration::from_secs(seconds.parse()?),
            child: None,
        })
    }

    fn start(&mut self, folder: &Path) -> anyhow::Result<()> {
        let log = fs::File::create(folder.join(format!("{}.log", self.name)))?;
        let mut command = Command::new(BINARY);
        command.args(&self.arguments).envs(self.environment.clone());
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        self.child = Some(command.spawn()?);
        Ok(())
    }

    /// Tells whether the container's own probe says that it is well.
    fn is_healthy(&self) -> anyhow::Result<bool> {
        let [kind, command, arguments @ ..] = self.probe.as_slice() else { bail!("no probe") };
        ensure!(kind == "CMD" && command == "mercer", "{:?}", self.probe);
        let output = Command::new(BINARY).args(arguments).stdin(Stdio::null()).output()?;
        Ok(output.status.success())
    }

    fn until_healthy(&mut self, wanted: bool, folder: &Path) -> anyhow::Result<()> {
        let begin = Instant::now();
        while self.is_healthy()? != wanted {
            let child = self.child.as_mut().map(Child::try_wait).transpose()?.flatten();
            let log = folder.join(format!("{}.log", self.name));
            let ended = wanted && child.is_some();
            ensure!(
                !ended && begin.elapsed() < LIMIT,
                "{} is not healthy: {wanted}, {child:?}\n{}",
                self.name,
                fs::read_to_string(log)?
            );
            std::thread::sleep(BETWEEN);
        }
        Ok(())
    }

    /// Stops the container as the engine does.
    fn stop(&mut self) -> anyhow::Result<()> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        kill_process(Pid::from_child(&child), Signal::TERM)?;
        let begin = Instant::now();
        loop {
            if let Some(status) = child.try_wait()? {
                ensure!(status.success(), "{} stopped with {status}", self.name);
                return Ok(());
            }
            if begin.elapsed() > self.stop_limit {
                child.kill()?;
                child.wait()?;
                bail!("{} does not stop within its grace period", self.name);
            }
            std::thread::sleep(BETWEEN);
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // A process that has ended already is as dead as can be wished.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn text(value: &Value) -> anyhow::Result<&str> {
    value.as_str().with_context(|| format!("{value} is no text"))
}

/// The compose file, everything in it said in full; `None` where the tool is not named.
fn composed() -> anyhow::Result<Option<Value>> {
    let Some(tool) = std::env::var_os(TOOL) else { return Ok(None) };
    let output = Command::new(tool)
        .arg("--file")
        .arg(deploy().join("compose.yaml"))
        .args(["config", "--format", "json"])
        .output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(Some(serde_json::from_slice(&output.stdout)?))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
async fn the_containers_commands_and_probes_make_a_cluster() -> anyhow::Result<()> {
    let Some(compose) = composed()? else {
        eprintln!("compose: SKIPPED, {TOOL} does not name docker-compose; `just deploy` does");
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    let secret = folder.join("secret");
    fs::write(&secret, "a-secret-of-a-test-cluster\n")?;
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600))?;

    let services = compose["services"].as_object().context("services")?;
    let mut places = BTreeMap::new();
    for (port, listening) in [("7400", "0.0.0.0:7400"), ("7401", "0.0.0.0:7401")] {
        let address = free_address()?;
        places.insert(format!("coordinator:{port}"), address.clone());
        places.insert(format!("127.0.0.1:{port}"), address.clone());
        places.insert(listening.to_owned(), address);
    }
    for name in services.keys().filter(|name| name.starts_with("worker")) {
        places.insert(format!("{name}:{WORKER_PORT}"), free_address()?);
    }
    let endpoint = format!("http://{}", places["0.0.0.0:7400"]);
    let places: Vec<_> = places.into_iter().collect();
    let mut started = Vec::new();
    for (name, said) in services {
        // Walls that only an engine can build are at least said.
        for (key, value) in [("read_only", Value::Bool(true)), ("user", "10001:10001".into())] {
            ensure!(said[key] == value, "{name}: {key} is {}", said[key]);
        }
        ensure!(said["cap_drop"] == serde_json::json!(["ALL"]), "{name}: {}", said["cap_drop"]);
        for port in said["ports"].as_array().into_iter().flatten() {
            ensure!(port["host_ip"] == "127.0.0.1", "{name} publishes {port}");
        }
        started.push(Service::read(name, said, folder, &places)?);
    }
    ensure!(started.len() == 4 && started[0].name == "coordinator", "a coordinator, three workers");
    for service in &started {
        ensure!(!service.is_healthy()?, "{} is healthy before it was started", service.name);
    }
    // Workers wait for the coordinator, as the file says, and then for each other.
    let (coordinator, workers) = started.split_at_mut(1);
    for together in [coordinator, workers] {
        for service in &mut *together {
            service.start(folder)?;
        }
        for service in together {
            service.until_healthy(true, folder)?;
        }
    }
    // A probe speaks for its own process: that the cluster is whole is asked of the cluster.
    let begin = Instant::now();
    loop {
        let described = describe(&endpoint, Vec::new()).await?;
        let live = described.workers.iter().filter(|worker| worker.live).count();
        if live == 3 && described.shards.len() == 16 {
            break;
        }
        ensure!(begin.elapsed() < LIMIT, "{described:?}");
        tokio::time::sleep(BETWEEN).await;
    }
    for service in started.iter_mut().rev() {
        service.stop()?;
        service.until_healthy(false, folder)?;
    }
    Ok(())
}

//! A machine of which Mercer's part is real: services that run as processes, folders below a
//! temporary one, and an operator who types what a page says.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    net::TcpListener,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use mercer_tests::processes::describe;
use rustix::process::{Pid, Signal, getgid, getuid, kill_process};
use tempfile::TempDir;

use super::{
    BINARY, deploy,
    page::{Page, Step, read},
    unit::Unit,
};

/// How long anything may take that a page waits for.
const LIMIT: Duration = Duration::from_secs(90);
const BETWEEN: Duration = Duration::from_millis(100);
/// What only looks, so that an operator does it again until it is as the page says.
const LOOKS: [&str; 3] = ["mercer health", "mercer status", "journalctl"];

/// The name that pages write for a backup.
const BACKUP: &str = "NAME";

/// A machine; dropping it ends its processes.
#[derive(Debug)]
pub(crate) struct Machine {
    folder: TempDir,
    endpoint: String,
    /// What is written in `deploy/`, and what stands for it here.
    places: Vec<(String, String)>,
    services: BTreeMap<String, (Child, Unit)>,
}

impl Machine {
    /// A machine that is installed as the README says, and runs nothing yet. `var` takes the place of
    /// `/var` when it is given.
    pub(crate) fn install(var: Option<&Path>) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let root = folder.path();
        let var = var.map_or_else(|| root.join("var"), Path::to_owned);
        let address = free_address()?;
        let owner = format!("{}:{}", getuid().as_raw(), getgid().as_raw());
        let below = |folder: &Path, name: &str| folder.join(name).display().to_string();
        let places = [
            ("/etc/mercer", below(root, "etc")),
            ("/var/lib", below(&var, "lib")),
            ("/var/backups", below(&var, "backups")),
            ("/usr/bin/mercer", BINARY.to_owned()),
            ("runuser -u mercer -- ", String::new()),
            ("mercer:mercer", owner),
            ("127.0.0.1:7400", address.clone()),
            ("127.0.0.1:7401", free_address()?),
            // The currency of the tests' events.
            ("\"EUR\"", "\"USD\"".to_owned()),
        ];
        let places = places.into_iter().map(|(written, here)| (written.to_owned(), here));
        let places = places.collect();
        let endpoint = format!("http://{address}");
        let machine = Self { folder, endpoint, places, services: BTreeMap::new() };
        for made in [machine.path("/etc/mercer"), machine.path("/var/lib/mercer")] {
            fs::create_dir_all(made)?;
        }
        fs::create_dir_all(machine.path("/var/backups/mercer"))?;
        fs::create_dir_all(machine.folder.path().join("bin"))?;
        symlink(BINARY, machine.folder.path().join("bin/mercer"))?;
        for entry in fs::read_dir(deploy().join("config"))? {
            let path = entry?.path();
            let name = path.file_name().context("a file")?;
            fs::write(machine.path("/etc/mercer").join(name), machine.here(&read(&path)?))?;
        }
        Ok(machine)
    }

    /// Where the public API listens.
    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// What is here in place of a path that `deploy/` writes.
    pub(crate) fn path(&self, written: &str) -> PathBuf {
        self.here(written).into()
    }

    fn here(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (written, here) in &self.places {
            text = text.replace(written, here);
        }
        text
    }

    /// What was printed, as it would be on a machine of its own.
    fn there(&self, text: &str) -> String {
        let said = self.places.iter().filter(|(_, here)| here.contains(['/', '.']));
        said.fold(text.to_owned(), |text, (written, here)| text.replace(here.as_str(), written))
    }

    /// Waits until all shards serve.
    pub(crate) fn until_serving(&mut self) -> anyhow::Result<()> {
        let shown = vec!["16 of 16 shards serving".to_owned()];
        let step = Step { commands: vec!["mercer status".to_owned()], shown };
        self.take(&step).with_context(|| self.logs())
    }

    /// Does what a section of a page says, and fails where it is otherwise than the page says.
    pub(crate) fn follow(&mut self, page: &Page, heading: &str) -> anyhow::Result<()> {
        for step in &page.section(heading)?.steps {
            self.take(step).with_context(|| format!("in `{heading}`: {}", self.logs()))?;
        }
        Ok(())
    }

    fn take(&mut self, step: &Step) -> anyhow::Result<()> {
        let mut printed = String::new();
        for (number, command) in step.commands.iter().enumerate() {
            let is_last = number + 1 == step.commands.len();
            let shown = if is_last { step.shown.as_slice() } else { &[] };
            let begin = Instant::now();
            loop {
                let (succeeded, said) = self.run(command)?;
                let all = format!("{printed}{said}");
                let missing = shown.iter().find(|text| !all.contains(text.as_str()));
                let fails = shown.iter().any(|text| text.starts_with("error:"));
                let is_journal = command.starts_with("journalctl");
                if missing.is_none() && (is_journal || succeeded != fails) {
                    printed = all;
                    break;
                }
                let may_wait = LOOKS.iter().any(|look| command.starts_with(look));
                if !may_wait || begin.elapsed() > LIMIT {
                    bail!("`{command}` (succeeded: {succeeded}) lacks {missing:?}:\n{all}");
                }
                std::thread::sleep(BETWEEN);
            }
        }
        Ok(())
    }

    /// Runs one command, as the operator types it; returns whether it succeeded and what it printed.
    pub(crate) fn run(&mut self, command: &str) -> anyhow::Result<(bool, String)> {
        let words: Vec<&str> = command.split(' ').collect();
        match words.as_slice() {
            ["systemctl", "start", name] => self.start(name)?,
            ["systemctl", "stop", name] => self.stop(name)?,
            // It counts no starts here.
            ["systemctl", "reset-failed", _] => {}
            ["journalctl", "--unit", name, ..] => return Ok((true, self.there(&self.log(name)))),
            _ => {
                let path = std::env::var("PATH").unwrap_or_default();
                let bin = self.folder.path().join("bin");
                let output = Command::new("bash")
                    .args(["-euo", "pipefail", "-c", &self.here(&command.replace(BACKUP, "daily"))])
                    .env("PATH", format!("{}:{path}", bin.display()))
                    .env("MERCER_ENDPOINT", &self.endpoint)
                    .stdin(Stdio::null())
                    .output()?;
                let said = [output.stdout, output.stderr].concat();
                let said = self.there(&String::from_utf8_lossy(&said)).replace("daily", BACKUP);
                return Ok((output.status.success(), said));
            }
        }
        Ok((true, String::new()))
    }

    /// Starts a unit, with the command and the environment that it names.
    pub(crate) fn start(&mut self, name: &str) -> anyhow::Result<()> {
        let unit = Unit::read(name)?;
        let command = self.here(unit.command()?);
        let mut words = command.split(' ');
        let mut process = Command::new(words.next().context("a command")?);
        process.args(words);
        for variable in unit.values("Environment") {
            let (variable, value) = variable.split_once('=').context("NAME=VALUE")?;
            process.env(variable, self.here(value));
        }
        for folder in unit.values("StateDirectory").flat_map(|folders| folders.split(' ')) {
            fs::create_dir_all(self.path(&format!("/var/lib/{folder}")))?;
        }
        let log = File::options().create(true).append(true).open(self.log_path(name))?;
        process.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = process.spawn().with_context(|| format!("starting {name}"))?;
        ensure!(self.services.insert(name.to_owned(), (child, unit)).is_none(), "{name} runs");
        Ok(())
    }

    /// Waits until a unit has failed, which may be a moment after it has said why.
    pub(crate) fn until_failed(&mut self, name: &str) -> anyhow::Result<()> {
        let (child, unit) = self.services.get_mut(name).with_context(|| format!("{name} runs"))?;
        let (begin, limit) = (Instant::now(), unit.stop_limit()?);
        loop {
            if let Some(status) = child.try_wait()? {
                ensure!(!status.success(), "{name} ended with {status}");
                return Ok(());
            }
            ensure!(begin.elapsed() < limit, "{name} runs on after {limit:?}");
            std::thread::sleep(BETWEEN);
        }
    }

    /// Stops a unit in the time that it is given.
    pub(crate) fn stop(&mut self, name: &str) -> anyhow::Result<()> {
        let Some((mut child, unit)) = self.services.remove(name) else { return Ok(()) };
        if child.try_wait()?.is_some() {
            return Ok(());
        }
        kill_process(Pid::from_child(&child), Signal::TERM)?;
        let (begin, limit) = (Instant::now(), unit.stop_limit()?);
        loop {
            if let Some(status) = child.try_wait()? {
                ensure!(status.success(), "{name} stopped with {status}:\n{}", self.log(name));
                return Ok(());
            }
            if begin.elapsed() > limit {
                child.kill()?;
                child.wait()?;
                bail!("{name} does not stop within {limit:?}:\n{}", self.log(name));
            }
            std::thread::sleep(BETWEEN);
        }
    }

    /// Kills a unit's process, as a crash does.
    pub(crate) fn kill(&mut self, name: &str) -> anyhow::Result<()> {
        let (mut child, _) = self.services.remove(name).with_context(|| format!("{name} runs"))?;
        child.kill()?;
        child.wait()?;
        Ok(())
    }

    /// Users that all shards know together.
    pub(crate) async fn users(&self) -> anyhow::Result<u64> {
        let described = describe(&self.endpoint, Vec::new()).await?;
        Ok(described.shards.iter().map(|shard| shard.users).sum())
    }

    fn log_path(&self, name: &str) -> PathBuf {
        self.folder.path().join(format!("{name}.log"))
    }

    fn log(&self, name: &str) -> String {
        String::from_utf8_lossy(&fs::read(self.log_path(name)).unwrap_or_default()).into_owned()
    }

    fn logs(&self) -> String {
        let logs = self.services.keys().map(|name| format!("== {name} ==\n{}", self.log(name)));
        logs.collect()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        for (child, _) in self.services.values_mut() {
            // A process that has ended already is as dead as can be wished.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// An address on loopback that nobody listens on now.
pub(crate) fn free_address() -> anyhow::Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}

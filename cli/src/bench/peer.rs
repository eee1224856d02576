//! Other people's programs on the same matrix.

use std::{
    ffi::OsString,
    fs::File,
    io::{BufWriter, Write as _},
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail};
use mercer_algorithms::linalg::sparse::CsrBuf;

use crate::show::progress;

/// Writes the pattern of a matrix as two files of raw little-endian numbers, offsets (`u64`) and
/// columns (`u32`); returns their names.
pub(super) fn write_matrix(folder: &Path, matrix: &CsrBuf) -> Result<Vec<OsString>> {
    let (indptr, indices) = (folder.join("indptr"), folder.join("indices"));
    write(&indptr, matrix.offsets.iter().map(|offset| offset.to_le_bytes()))?;
    write(&indices, matrix.columns.iter().map(|column| column.to_le_bytes()))?;
    Ok(vec![indptr.into(), indices.into()])
}

/// Writes numbers, each as its bytes.
pub(super) fn write<const N: usize>(
    path: &Path,
    values: impl Iterator<Item = [u8; N]>,
) -> Result<()> {
    let writing = || format!("writing {}", path.display());
    let mut file = BufWriter::new(File::create(path).with_context(writing)?);
    for value in values {
        file.write_all(&value).with_context(writing)?;
    }
    file.flush().with_context(writing)
}

/// Runs a command of the shell with these arguments behind it and reads the JSON that it prints
/// last.
pub(super) fn run(command: &str, arguments: &[OsString]) -> Result<serde_json::Value> {
    let spinner = progress::spinner("running the peer");
    let output = Command::new("sh")
        .arg("-c")
        .arg(format!("{command} \"$@\""))
        .arg("peer")
        .args(arguments)
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("running `{command}`"));
    spinner.finish_and_clear();
    let output = output?;
    if !output.status.success() {
        bail!("the peer ended with {}", output.status);
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
    serde_json::from_str(last).with_context(|| format!("the peer printed `{last}`, not JSON"))
}

//! Backups as they are shown.

use std::path::PathBuf;

use mercer_common::escape;
use mercer_coordinator::BackupManifest;
use mercer_proto::v1::Backup;
use prost_types::Timestamp;
use serde::Serialize;

use crate::show::output::{self, count};

/// A backup, and what is wrong with it.
#[derive(Debug, Serialize)]
pub(crate) struct BackupRow {
    folder: PathBuf,
    incarnation: String,
    create_time: String,
    /// The last position of the log.
    end: u64,
    version: Option<String>,
    files: u64,
    bytes: u64,
    pub(crate) problems: Vec<String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct RestoredRow {
    #[serde(flatten)]
    pub(crate) backup: BackupRow,
    pub(crate) data_dir: PathBuf,
    /// The log that goes on.
    pub(crate) new_incarnation: String,
    pub(crate) left_out: Vec<String>,
}

impl BackupRow {
    /// A backup that a running coordinator has made.
    pub(crate) fn made(made: Backup) -> Self {
        Self {
            folder: made.folder.into(),
            incarnation: made.incarnation,
            create_time: made.create_time.as_ref().map(output::time).unwrap_or_default(),
            end: made.end_sequence,
            version: Some(made.version).filter(|version| !version.is_empty()),
            files: made.files,
            bytes: made.bytes,
            problems: made.problems,
        }
    }

    pub(crate) fn new(folder: PathBuf, manifest: &BackupManifest, problems: Vec<String>) -> Self {
        Self {
            folder,
            incarnation: manifest.incarnation.clone(),
            create_time: output::time(&Timestamp {
                seconds: manifest.create_time_ms.div_euclid(1_000),
                nanos: i32::try_from(manifest.create_time_ms.rem_euclid(1_000) * 1_000_000)
                    .unwrap_or_default(),
            }),
            end: manifest.end,
            version: manifest.version.clone(),
            files: manifest.files.len() as u64,
            bytes: manifest.bytes(),
            problems,
        }
    }

    pub(crate) fn table(&self, verdict: &str) -> String {
        let mut text = format!(
            "{verdict}: {}\nlog {} through position {}, at {}\nversion {}\n{} files, {}",
            escape::text(&self.folder.to_string_lossy()),
            escape::text(&self.incarnation),
            count(self.end),
            self.create_time,
            escape::text(self.version.as_deref().unwrap_or("none")),
            count(self.files),
            output::bytes(self.bytes),
        );
        for problem in &self.problems {
            text.push_str("\nproblem: ");
            text.push_str(&escape::text(problem));
        }
        text
    }
}

impl RestoredRow {
    pub(crate) fn table(&self) -> String {
        let dir = self.data_dir.to_string_lossy();
        let dir = escape::text(&dir);
        let mut text = self.backup.table("restored");
        for file in &self.left_out {
            text.push_str("\nleft out: ");
            text.push_str(&escape::text(file));
        }
        text.push_str(&format!(
            "\nas log {} in {dir}\nnext:  mercer up --data-dir {dir}",
            self.new_incarnation
        ));
        text
    }
}

//! Builds the metadata of a cluster anew from what its log and its artifacts say.
//!
//! Nothing changes before [`Rebuild::apply`]: what would come back and what would not is looked at
//! first. No name or number that was ever given may be given again: jobs count on from the highest
//! that a file, a version or a marker in the log names, and workers' generations from the clock,
//! whose milliseconds no counter reaches.

use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use mercer_common::{
    artifact::{ArtifactError, ArtifactRef, ArtifactStore},
    clock::Clock,
    format_file::{FormatError, FormatFile},
    log::{
        Cursor, EventLog as _, Founding, LogError, Sequence,
        embedded::{EmbeddedLog, EmbeddedLogOptions, LogFolder, OpenError},
    },
    manifest,
    metadata::{MetadataOpenError, NewMetadata},
};
use mercer_proto::internal::Section;
use prost::Message;
use thiserror::Error;

use crate::{
    cluster::{
        identity,
        membership::GENERATION,
        record::{ApplyVersionRecord, CurrentRecord, GenerationRecord, NumbersRecord},
        versions::{self, CURRENT, VERSIONS},
    },
    data_folder::{LOG, METADATA},
    ingest::APPLY_VERSION_KEY,
    jobs::{self, published},
};

/// Bytes of the log that are read at once.
const READ_BYTES: usize = 8 << 20;

/// Why metadata cannot be built anew. Nothing has changed then.
#[derive(Debug, Error)]
pub enum RebuildError {
    /// Another release wrote the folder.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// There is nothing to build it from.
    #[error("there is no log in {}; name the folder of a coordinator, or of `mercer up`", folder.display())]
    NoLog {
        /// Where the log should be.
        folder: PathBuf,
    },
    /// The log is of before it held the identity of its cluster.
    #[error(
        "the log in {} was written before logs held the cluster's shards, currency, zone and keys, and nothing else does; restore the metadata folder from a backup",
        folder.display()
    )]
    Unfounded {
        /// Folder of the log.
        folder: PathBuf,
    },
    /// The log cannot be opened.
    #[error(transparent)]
    Log(#[from] OpenError),
    /// The log cannot be read.
    #[error("the log cannot be read: {0}")]
    Read(#[from] LogError),
    /// The versions' files are not there.
    #[error("{} does not exist; name the folder of the cluster's artifacts", folder.display())]
    NoArtifacts {
        /// Where the artifacts should be.
        folder: PathBuf,
    },
    /// The artifacts cannot be listed.
    #[error(transparent)]
    Artifacts(#[from] ArtifactError),
    /// The metadata cannot be locked or written.
    #[error(transparent)]
    Metadata(#[from] MetadataOpenError),
}

/// What would come back, and what would not.
#[derive(Clone, Debug)]
pub struct RebuildReport {
    /// How the cluster was founded, as the log says.
    pub founding: Founding,
    /// What records mean from now on, if the log says.
    pub apply_version: Option<u32>,
    /// All versions of which there is a manifest, the newest first.
    pub versions: Vec<RebuiltVersion>,
    /// The version that will serve: the newest that is whole.
    pub current: Option<String>,
    /// The number of the next job.
    pub next_job: u64,
}

/// A version of which there is a manifest.
#[derive(Clone, Debug)]
pub struct RebuiltVersion {
    /// Its name; that of the file when it cannot be read.
    pub version: String,
    /// The files that it stands on.
    pub files: usize,
    /// Why it does not come back; `None` when it does.
    pub lost: Option<String>,
}

/// The metadata that is to be: log and metadata of the folder are locked as long as this lives.
#[derive(Debug)]
pub struct Rebuild {
    log: Arc<EmbeddedLog>,
    new: NewMetadata,
    values: BTreeMap<String, Bytes>,
    report: RebuildReport,
}

impl Rebuild {
    /// Looks at what there is in the folder of a coordinator and in that of the artifacts.
    ///
    /// # Errors
    /// See [`RebuildError`].
    pub async fn plan(
        data_dir: &Path,
        artifacts: &Path,
        clock: &dyn Clock,
    ) -> Result<Self, RebuildError> {
        let _ = FormatFile::check(data_dir)?;
        let folder = data_dir.join(LOG);
        let founding = match EmbeddedLog::look(&folder)? {
            LogFolder::Absent => return Err(RebuildError::NoLog { folder }),
            LogFolder::Unfounded { .. } => return Err(RebuildError::Unfounded { folder }),
            LogFolder::Founded(identity) => identity.founding,
        };
        if !artifacts.is_dir() {
            return Err(RebuildError::NoArtifacts { folder: artifacts.to_owned() });
        }
        let new = NewMetadata::lock(&data_dir.join(METADATA))?;
        let log = EmbeddedLog::open(&folder, &founding, EmbeddedLogOptions::default())?;
        let artifacts = ArtifactStore::open(artifacts)?;
        let found = found_versions(&artifacts)?;
        let said = read_log(&log, 0).await?;

        let mut values = BTreeMap::from([identity::entry_of(log.identity())]);
        let mut put = |key: &str, value: Vec<u8>| values.insert(key.to_owned(), value.into());
        for (version, manifest) in found.whole.values() {
            put(&format!("{VERSIONS}{version}"), manifest.to_vec());
        }
        let current = found.whole.last_key_value().map(|(_, (version, _))| version.clone());
        if let Some(version) = current.clone() {
            put(CURRENT, CurrentRecord { version }.encode_to_vec());
        }
        let last = found.last_job.max(said.last_job);
        put(jobs::NUMBERS, NumbersRecord { last }.encode_to_vec());
        let generation = u64::try_from(clock.now_ms()).unwrap_or_default();
        put(GENERATION, GenerationRecord { generation }.encode_to_vec());
        if let Some(record) = &said.apply_version {
            put(APPLY_VERSION_KEY, record.encode_to_vec());
        }
        let report = RebuildReport {
            founding,
            apply_version: said.apply_version.map(|record| record.version),
            versions: found.versions,
            current,
            next_job: last + 1,
        };
        Ok(Self { log: Arc::new(log), new, values, report })
    }

    /// What would come back, and what would not.
    #[must_use]
    pub fn report(&self) -> &RebuildReport {
        &self.report
    }

    /// Builds it. What was there is kept under the name that is returned.
    ///
    /// # Errors
    /// [`RebuildError::Metadata`]. It can be tried again.
    pub async fn apply(self) -> Result<Option<PathBuf>, RebuildError> {
        let Self { log, new, values, .. } = self;
        Ok(new.replace(values, log).await?)
    }
}

/// Versions that the artifacts tell of.
struct FoundVersions {
    /// Name of each whole version and its manifest as the file holds it, by number.
    whole: BTreeMap<u64, (String, Bytes)>,
    /// Versions, the newest first.
    versions: Vec<RebuiltVersion>,
    /// The highest number of a job that has files or a version.
    last_job: u64,
}

fn found_versions(store: &ArtifactStore) -> Result<FoundVersions, ArtifactError> {
    let listed = store.list()?;
    let names = listed.iter().filter_map(|artifact| artifact.path.split('/').nth(1));
    let last_job = names.filter_map(|name| jobs::number(name).ok()).max().unwrap_or_default();
    let sizes: HashMap<&str, u64> =
        listed.iter().map(|artifact| (artifact.path.as_str(), artifact.bytes)).collect();
    let mut found = FoundVersions { whole: BTreeMap::new(), versions: Vec::new(), last_job };
    for artifact in listed.iter().rev().filter(|artifact| published::is_manifest(artifact)) {
        let read = published::read(store, artifact).map_err(|error| error.to_string());
        let numbered = read.and_then(|(manifest, encoded)| {
            let number = versions::number(&manifest.version).map_err(|error| error.to_string())?;
            Ok((number, manifest, encoded))
        });
        let (number, manifest, encoded) = match numbered {
            Ok(numbered) => numbered,
            Err(lost) => {
                let (version, lost) = (artifact.path.clone(), Some(lost));
                found.versions.push(RebuiltVersion { version, files: 0, lost });
                continue;
            }
        };
        found.last_job = found.last_job.max(number);
        let files: Vec<&ArtifactRef> = manifest::files(&manifest).collect();
        let lost = files.iter().find_map(|file| loss(file, &sizes));
        let is_whole = lost.is_none();
        let (version, files) = (manifest.version.clone(), files.len());
        found.versions.push(RebuiltVersion { version: version.clone(), files, lost });
        if is_whole {
            found.whole.insert(number, (version, encoded));
        }
    }
    Ok(found)
}

/// What is wrong with a file that a version names, by the sizes of those that are there.
fn loss(file: &ArtifactRef, sizes: &HashMap<&str, u64>) -> Option<String> {
    match sizes.get(file.path.as_str()) {
        Some(bytes) if *bytes == file.bytes => None,
        Some(bytes) => Some(format!("{} has {bytes} bytes instead of {}", file.path, file.bytes)),
        None => Some(format!("{} is missing", file.path)),
    }
}

/// What a part of the log says.
#[derive(Default)]
pub(crate) struct Said {
    /// The highest number of a job that left a marker.
    pub(crate) last_job: u64,
    pub(crate) apply_version: Option<ApplyVersionRecord>,
}

/// Reads one shard behind a position: what is asked here stands in all of them.
pub(crate) async fn read_log(log: &EmbeddedLog, after: Sequence) -> Result<Said, LogError> {
    let mut said = Said::default();
    let mut after = after.max(log.trimmed_through());
    while after < log.end() {
        let cursor = Cursor { shard: 0, after, epoch: log.epoch_at(after) };
        let fetched = log.fetch(&[cursor], READ_BYTES, Duration::ZERO).await?;
        for shard in &fetched.shards {
            for fetched in &shard.sections {
                let sequence = fetched.sequence;
                let section = Section::decode(fetched.section.as_ref())
                    .map_err(|error| LogError::Damaged { sequence, detail: error.to_string() })?;
                let job = section.marker.and_then(|marker| jobs::number(&marker.job_id).ok());
                said.last_job = said.last_job.max(job.unwrap_or_default());
                if let Some(used) = section.use_apply_version {
                    said.apply_version = Some(ApplyVersionRecord {
                        version: used.version,
                        position: sequence,
                        epoch: log.epoch_at(sequence).to_bytes(),
                    });
                }
            }
            after = after.max(shard.next);
        }
    }
    Ok(said)
}

#[cfg(test)]
mod tests;

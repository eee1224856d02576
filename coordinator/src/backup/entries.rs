//! The metadata in a backup: its keys and values, and what a restored cluster makes of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use bytes::Bytes;
use mercer_common::{
    artifact::ArtifactRef,
    log::LogIdentity,
    manifest,
    metadata::{Entry, MetadataError},
};
use mercer_proto::{
    internal::{JobRecord, VersionManifest},
    v1::JobState,
};
use prost::Message;

use super::{BackupError, ENTRIES};
use crate::{
    cluster::{
        identity,
        membership::{GENERATION, WORKERS},
        record::{CurrentRecord, GenerationRecord, NumbersRecord},
        versions::{CURRENT, VERSIONS},
    },
    imports,
    ingest::APPLY_VERSION_KEY,
    jobs::{self, published},
    rebuild::Said,
};

/// What is said of a job whose work a backup does not hold.
const INTERRUPTED: &str =
    "it was running when the backup was made that this cluster was restored from; start it again";

/// `metadata.entries`. Fields are never renumbered.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Entries {
    #[prost(message, repeated, tag = "1")]
    entries: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct KeyValue {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(bytes = "bytes", tag = "2")]
    value: Bytes,
}

impl Entries {
    pub(super) fn new(entries: Vec<Entry>) -> Self {
        let entries = entries.into_iter().map(|Entry { key, value, .. }| KeyValue { key, value });
        Self { entries: entries.collect() }
    }

    /// Reads those of a backup.
    pub(super) fn read(backup: &Path) -> Result<Self, BackupError> {
        let path = backup.join(ENTRIES);
        let bytes = fs::read(&path).map_err(BackupError::io(&path))?;
        Self::decode(bytes.as_slice())
            .map_err(|error| BackupError::Damaged { path, detail: error.to_string() })
    }

    fn with_prefix<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a Bytes)> {
        self.entries.iter().filter_map(move |entry| {
            let rest = entry.key.strip_prefix(prefix)?;
            Some((rest, &entry.value))
        })
    }

    /// The names of the workers that have registered.
    pub(super) fn workers(&self) -> Vec<String> {
        self.with_prefix(WORKERS).map(|(worker_id, _)| worker_id.to_owned()).collect()
    }

    /// The version that serves.
    pub(super) fn current(&self) -> Option<String> {
        let (_, value) = self.with_prefix(CURRENT).find(|(rest, _)| rest.is_empty())?;
        CurrentRecord::decode(value.as_ref()).ok().map(|record| record.version)
    }

    /// The artifacts that the versions stand on.
    pub(super) fn files(&self) -> Result<NamedFiles, MetadataError> {
        let mut named = NamedFiles::default();
        for (version, value) in self.with_prefix(VERSIONS) {
            let manifest: VersionManifest = decode(VERSIONS, version, value)?;
            named.all |= manifest.encoded_len() != value.len();
            let manifest = manifest::with_parts(manifest);
            named.paths.extend(manifest::files(&manifest).map(|file| file.path.clone()));
            named.jobs.insert(manifest.job_id);
        }
        Ok(named)
    }

    /// The registers of imports.
    pub(super) fn registers(&self) -> Result<NamedFiles, MetadataError> {
        let entries = self.entries.iter().map(|entry| (entry.key.as_str(), &entry.value));
        Ok(NamedFiles { paths: imports::files_of(entries)?, ..NamedFiles::default() })
    }

    /// What the metadata of a cluster begins with that is restored as `log`, of whose history after
    /// the metadata was read `said` tells. No name or number that was given is given again.
    pub(super) fn restored(
        self,
        log: &LogIdentity,
        said: &Said,
        now_ms: i64,
    ) -> Result<BTreeMap<String, Bytes>, MetadataError> {
        let current = self.current().unwrap_or_default();
        let mut values = BTreeMap::new();
        let mut last_job = said.last_job;
        let mut withdrawn = Vec::new();
        let mut generation = u64::try_from(now_ms).unwrap_or_default();
        for KeyValue { key, value } in self.entries {
            let mut value = value;
            if let Some(job_id) = key.strip_prefix(jobs::JOBS) {
                let mut record: JobRecord = decode(jobs::JOBS, job_id, &value)?;
                last_job = last_job.max(jobs::number(&record.job_id)?);
                if record.state() == JobState::Running {
                    if record.version == current {
                        record.set_state(JobState::Succeeded);
                    } else {
                        withdrawn.push(format!("{VERSIONS}{}", record.version));
                        record.set_state(JobState::Failed);
                        record.error = INTERRUPTED.to_owned();
                        record.version.clear();
                    }
                    record.end_time_ms = now_ms;
                    value = record.encode_to_vec().into();
                }
            } else if key == jobs::NUMBERS {
                last_job = last_job.max(decode::<NumbersRecord>("", &key, &value)?.last);
            } else if key == GENERATION {
                let given = decode::<GenerationRecord>("", &key, &value)?.generation;
                generation = generation.max(given + 1);
            }
            values.insert(key, value);
        }
        for key in withdrawn {
            values.remove(&key);
        }
        let (key, value) = identity::entry_of(log);
        values.insert(key, value);
        let numbers = NumbersRecord { last: last_job };
        values.insert(jobs::NUMBERS.to_owned(), numbers.encode_to_vec().into());
        let generation = GenerationRecord { generation };
        values.insert(GENERATION.to_owned(), generation.encode_to_vec().into());
        if let Some(record) = &said.apply_version {
            values.insert(APPLY_VERSION_KEY.to_owned(), record.encode_to_vec().into());
        }
        Ok(values)
    }
}

/// Files that entries of a backup name.
#[derive(Default)]
pub(super) struct NamedFiles {
    pub(super) paths: BTreeSet<String>,
    /// Whose manifests are artifacts too.
    jobs: BTreeSet<String>,
    /// A version names more than this release can read.
    all: bool,
}

impl NamedFiles {
    pub(super) fn is_empty(&self) -> bool {
        self.paths.is_empty() && !self.all
    }

    pub(super) fn contain(&self, artifact: &ArtifactRef) -> bool {
        if self.all || self.paths.contains(&artifact.path) {
            return true;
        }
        let job = artifact.path.split('/').nth(1).unwrap_or_default();
        published::is_manifest(artifact) && self.jobs.contains(job)
    }
}

fn decode<M: Message + Default>(
    prefix: &str,
    name: &str,
    value: &Bytes,
) -> Result<M, MetadataError> {
    M::decode(value.as_ref())
        .map_err(|error| MetadataError::Store(format!("`{prefix}{name}` cannot be read: {error}")))
}

//! Published versions: their manifests, and the one that serves.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use mercer_common::{
    manifest,
    metadata::{Metadata, MetadataError, Revision},
};
use mercer_proto::internal::VersionManifest;
use parking_lot::RwLock;
use prost::Message as _;

use super::record::{CurrentRecord, decode, put};

pub(crate) const CURRENT: &str = "current";
pub(crate) const VERSIONS: &str = "versions/";
/// How long calls leave out a version that was damaged at a worker, before one tries it again.
const LEFT_OUT: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
struct State {
    /// Manifests by number, so that `v10` follows `v9`.
    manifests: BTreeMap<u64, (Arc<VersionManifest>, Revision)>,
    current: Option<u64>,
    current_revision: Option<Revision>,
    /// Kept whatever comes after them.
    pinned: BTreeSet<String>,
    /// Versions whose stored manifests hold more than this version of Mercer reads.
    read_in_part: Vec<String>,
    /// Versions that were damaged at a worker, and when one said so last.
    damaged: BTreeMap<String, Instant>,
}

/// The versions of the cluster.
pub(crate) struct Versions {
    metadata: Arc<dyn Metadata>,
    state: RwLock<State>,
}

impl Versions {
    /// Loads what an earlier run stored.
    pub(crate) async fn load(metadata: Arc<dyn Metadata>) -> Result<Self, MetadataError> {
        let mut state = State::default();
        for entry in metadata.list(VERSIONS).await? {
            let manifest: VersionManifest = decode(&entry)?;
            let number = number(&manifest.version)?;
            // Fields that are not known are left out when it is encoded again.
            if manifest.encoded_len() != entry.value.len() {
                state.read_in_part.push(manifest.version.clone());
            }
            let manifest = Arc::new(manifest::with_parts(manifest));
            state.manifests.insert(number, (manifest, entry.revision));
        }
        if let Some(entry) = metadata.get(CURRENT).await? {
            let name = decode::<CurrentRecord>(&entry)?.version;
            let number = number(&name)?;
            if !state.manifests.contains_key(&number) {
                let problem = format!("`current` is {name}, whose manifest is missing");
                return Err(MetadataError::Store(problem));
            }
            state.current = Some(number);
            state.current_revision = Some(entry.revision);
        }
        Ok(Self { metadata, state: RwLock::new(state) })
    }

    /// The version that serves.
    pub(crate) fn current(&self) -> Option<Arc<VersionManifest>> {
        let state = self.state.read();
        let (manifest, _) = state.manifests.get(&state.current?)?;
        Some(Arc::clone(manifest))
    }

    /// The version of a name, if it is kept.
    pub(crate) fn find(&self, version: &str) -> Option<Arc<VersionManifest>> {
        let state = self.state.read();
        let (manifest, _) = state.manifests.get(&number(version).ok()?)?;
        (manifest.version == version).then(|| Arc::clone(manifest))
    }

    /// Versions that were stored by a newer version of Mercer and may stand on files that this one
    /// does not know of.
    pub(crate) fn read_in_part(&self) -> Vec<String> {
        self.state.read().read_in_part.clone()
    }

    /// The newest version before this one that is kept and `fits`.
    pub(crate) fn before(
        &self,
        version: &str,
        fits: impl Fn(&VersionManifest) -> bool,
    ) -> Option<Arc<VersionManifest>> {
        let state = self.state.read();
        let older = state.manifests.range(..number(version).ok()?).rev();
        older.map(|(_, (manifest, _))| manifest).find(|manifest| fits(manifest)).cloned()
    }

    /// Notes that a version is damaged at a worker; whether that is news.
    pub(crate) fn note_damaged(&self, version: &str) -> bool {
        let now = Instant::now();
        let mut state = self.state.write();
        let State { damaged, manifests, .. } = &mut *state;
        damaged.retain(|version, _| {
            number(version).is_ok_and(|number| manifests.contains_key(&number))
        });
        damaged.insert(version.to_owned(), now).is_none()
    }

    /// Whether that was noted a moment ago.
    pub(crate) fn is_damaged(&self, version: &str) -> bool {
        self.state.read().damaged.get(version).is_some_and(|noted| noted.elapsed() < LEFT_OUT)
    }

    /// Keeps these versions and no longer those that were pinned before.
    pub(crate) fn pin(&self, versions: BTreeSet<String>) {
        self.state.write().pinned = versions;
    }

    /// All versions, newest first.
    pub(crate) fn list(&self) -> Vec<Arc<VersionManifest>> {
        let state = self.state.read();
        state.manifests.values().rev().map(|(manifest, _)| Arc::clone(manifest)).collect()
    }

    /// What a worker must open before it serves: the current version, then the others.
    pub(crate) fn to_open(&self) -> Vec<VersionManifest> {
        let current = self.current();
        let name = current.as_ref().map(|manifest| manifest.version.clone());
        let others = self.list().into_iter().filter(|m| Some(&m.version) != name.as_ref());
        current.into_iter().chain(others).map(|manifest| (*manifest).clone()).collect()
    }

    /// Stores a manifest, so that workers which register from now on open it. Storing it again
    /// for the same job changes nothing.
    pub(crate) async fn store(&self, manifest: VersionManifest) -> Result<(), MetadataError> {
        let number = number(&manifest.version)?;
        let stored = self.state.read().manifests.get(&number).map(|(m, _)| m.job_id.clone());
        if stored.is_some_and(|job_id| job_id == manifest.job_id) {
            return Ok(());
        }
        let key = format!("{VERSIONS}{}", manifest.version);
        let revision = put(&*self.metadata, &key, None, &manifest).await?;
        self.state.write().manifests.insert(number, (Arc::new(manifest), revision));
        Ok(())
    }

    /// Makes a stored version the one that serves.
    pub(crate) async fn commit(&self, version: &str) -> Result<(), MetadataError> {
        let number = number(version)?;
        let expected = self.state.read().current_revision;
        let record = CurrentRecord { version: version.to_owned() };
        let revision = put(&*self.metadata, CURRENT, expected, &record).await?;
        let mut state = self.state.write();
        state.current = Some(number);
        state.current_revision = Some(revision);
        Ok(())
    }

    /// The versions beyond `keep`, oldest first. The version before the current one stays in any
    /// case: calls that began before the last commit still use it. So do pinned ones.
    pub(crate) fn retirable(&self, keep: u16) -> Vec<String> {
        let state = self.state.read();
        let Some(current) = state.current else { return Vec::new() };
        let before = usize::from(keep).saturating_sub(1).max(1);
        let older: Vec<&Arc<VersionManifest>> =
            state.manifests.range(..current).map(|(_, (manifest, _))| manifest).collect();
        let retired = older.len().saturating_sub(before);
        let names = older[..retired].iter().map(|manifest| &manifest.version);
        names.filter(|name| !state.pinned.contains(*name)).cloned().collect()
    }

    /// Forgets a version that does not serve.
    pub(crate) async fn remove(&self, version: &str) -> Result<(), MetadataError> {
        let number = number(version)?;
        let stored = self.state.read().manifests.get(&number).map(|(_, revision)| *revision);
        let Some(revision) = stored else { return Ok(()) };
        let key = format!("{VERSIONS}{version}");
        self.metadata.compare_and_set(&key, Some(revision), None).await?;
        let mut state = self.state.write();
        state.manifests.remove(&number);
        state.read_in_part.retain(|known| known != version);
        Ok(())
    }
}

/// The number in the name of a version.
pub(crate) fn number(version: &str) -> Result<u64, MetadataError> {
    version
        .strip_prefix('v')
        .and_then(|number| number.parse().ok())
        .ok_or_else(|| MetadataError::Store(format!("`{version}` is not the name of a version")))
}

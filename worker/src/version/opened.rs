//! All versions that a worker can answer from, and those that it could if their files were sound.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use mercer_common::{
    artifact::{Artifact, ArtifactError, ArtifactStore, Condition, Scrub},
    manifest::{self, with_parts},
    slot::ShardId,
};
use mercer_proto::{
    internal::{ModelSet, VersionManifest, WorkerVersionProblem},
    v1::VersionProblem,
};
use parking_lot::{Mutex, RwLock};

use super::{OpenSet, OpenVersion, VersionError, kinds};
use crate::store::ResultsStore;

/// How soon a damaged version is tried again, and how late at most.
const FIRST_TRIAL: Duration = Duration::from_secs(1);
const LATEST_TRIAL: Duration = Duration::from_secs(60);

/// A version as it is here.
#[derive(Debug)]
enum State {
    Open {
        version: Arc<OpenVersion>,
        /// What is wrong with files that it could not be opened from again, by path.
        lost: BTreeMap<String, String>,
    },
    Damaged(Damaged),
}

/// A version that cannot be answered from.
#[derive(Clone, Debug)]
struct Damaged {
    manifest: VersionManifest,
    shards: Vec<ShardId>,
    cause: Arc<VersionError>,
    /// Trials that failed.
    trials: u32,
    next_trial: Instant,
}

impl Damaged {
    fn new(manifest: VersionManifest, shards: Vec<ShardId>, cause: Arc<VersionError>) -> Self {
        let next_trial = Instant::now() + FIRST_TRIAL;
        Self { manifest, shards, cause, trials: 0, next_trial }
    }

    /// After one more trial that failed.
    fn again(self, cause: VersionError) -> Self {
        let trials = self.trials + 1;
        let wait = FIRST_TRIAL.saturating_mul(1 << trials.min(16)).min(LATEST_TRIAL);
        let next_trial = Instant::now() + wait;
        Self { cause: Arc::new(cause), trials, next_trial, ..self }
    }
}

impl State {
    fn open(&self) -> Option<&Arc<OpenVersion>> {
        match self {
            Self::Open { version, .. } => Some(version),
            Self::Damaged(_) => None,
        }
    }

    fn manifest(&self) -> &VersionManifest {
        match self {
            Self::Open { version, .. } => &version.manifest,
            Self::Damaged(damaged) => &damaged.manifest,
        }
    }
}

/// All versions that this worker can answer from.
#[derive(Debug)]
pub(crate) struct OpenVersions {
    store: ArtifactStore,
    results: ResultsStore,
    /// Held while versions are opened or closed, so that no results are removed that are just
    /// being loaded, and no file is found damaged that a version is just being opened from.
    changing: Mutex<Scrub>,
    states: RwLock<BTreeMap<String, State>>,
}

impl OpenVersions {
    /// No version yet; artifacts are in `store`, and results are kept in `data_dir`.
    pub(crate) fn new(store: ArtifactStore, data_dir: &Path) -> Self {
        let results = ResultsStore::new(data_dir);
        let changing = Mutex::new(Scrub::new(store.clone()));
        Self { store, results, changing, states: RwLock::default() }
    }

    /// Opens a version for `shards`, the ones that this worker holds. Opening it again is free.
    ///
    /// # Errors
    /// [`VersionError::Manifest`] and [`VersionError::Artifact`]; nothing has changed then.
    pub(crate) fn prepare(
        &self,
        manifest: VersionManifest,
        shards: &[ShardId],
    ) -> Result<(), VersionError> {
        let _changing = self.changing.lock();
        self.open(with_parts(manifest), shards)
    }

    fn open(&self, manifest: VersionManifest, shards: &[ShardId]) -> Result<(), VersionError> {
        let name = manifest.version.clone();
        let known = self.states.read().get(&name).and_then(State::open).cloned();
        if let Some(open) = known
            && open.manifest == manifest
            && open.holds(shards)
        {
            return Ok(());
        }
        let version = OpenVersion::open(&self.store, &self.results, manifest, shards, |set| {
            self.shared(set, shards)
        })?;
        let version = Arc::new(version);
        let items = version.newest_models().map_or(0, |models| models.items().rows());
        let kinds = version.manifest.kinds.len();
        tracing::info!(version = name, items, kinds, "version opened");
        self.states.write().insert(name, State::Open { version, lost: BTreeMap::new() });
        Ok(())
    }

    /// A set that a version has open for these shards.
    fn shared(&self, wanted: &ModelSet, shards: &[ShardId]) -> Option<Arc<OpenSet>> {
        let states = self.states.read();
        let sets = states.values().filter_map(State::open).flat_map(|one| {
            let OpenVersion { manifest, sets, .. } = &**one;
            manifest.model_sets.iter().zip(sets)
        });
        let mut usable = sets.filter(|(set, open)| *set == wanted && open.holds(shards));
        usable.next().map(|(_, open)| Arc::clone(open))
    }

    /// Opens these versions, as at a start, and retires all others, with the results that no
    /// version needs. One that cannot be opened is damaged and does not keep the rest closed.
    ///
    /// # Errors
    /// As [`Self::prepare`], of the first version that cannot be opened.
    pub(crate) fn replace(
        &self,
        manifests: Vec<VersionManifest>,
        shards: &[ShardId],
    ) -> Result<(), Arc<VersionError>> {
        let _changing = self.changing.lock();
        // A coordinator of an older release may have sent them.
        let manifests: Vec<_> = manifests.into_iter().map(with_parts).collect();
        let names: Vec<String> =
            manifests.iter().map(|manifest| manifest.version.clone()).collect();
        self.states.write().retain(|name, _| names.contains(name));
        let needed = manifests.iter().flat_map(kinds::names);
        let needed: BTreeSet<(String, String)> =
            needed.map(|(job, kind)| (job.to_owned(), kind.to_owned())).collect();
        let mut outcome = Ok(());
        for (name, manifest) in names.into_iter().zip(manifests) {
            if let Err(error) = self.open(manifest.clone(), shards) {
                let error = Arc::new(error);
                let damaged = Damaged::new(manifest, shards.to_vec(), Arc::clone(&error));
                self.states.write().insert(name, State::Damaged(damaged));
                outcome = outcome.and(Err(error));
            }
        }
        self.results.retain(&needed);
        outcome
    }

    /// Closes a version as soon as the answers under way are done, and removes the results that
    /// no other needs; one that is not open is no error.
    pub(crate) fn retire(&self, version: &str) {
        let _changing = self.changing.lock();
        let mut states = self.states.write();
        let Some(retired) = states.remove(version) else { return };
        let others = states.values().flat_map(|state| kinds::names(state.manifest()));
        let needed: BTreeSet<_> =
            others.map(|(job, kind)| (job.to_owned(), kind.to_owned())).collect();
        drop(states);
        self.results.retain(&needed);
        drop(retired);
        tracing::info!(version, "version retired");
    }

    /// The models that a version serves an algorithm from; `None` for the empty name.
    ///
    /// # Errors
    /// As [`Self::named`] and [`OpenVersion::models`].
    pub(crate) fn models(
        &self,
        version: &str,
        algorithm: &str,
    ) -> Result<Option<Arc<OpenSet>>, VersionError> {
        let Some(version) = self.named(version)? else { return Ok(None) };
        version.models(algorithm).cloned().map(Some)
    }

    /// The newest models of a version; `None` for the empty name and for a version without any.
    ///
    /// # Errors
    /// As [`Self::named`].
    pub(crate) fn newest_models(
        &self,
        version: &str,
    ) -> Result<Option<Arc<OpenSet>>, VersionError> {
        Ok(self.named(version)?.and_then(|version| version.newest_models().cloned()))
    }

    /// The version of this name; `None` for the empty name, which is before the first training.
    ///
    /// # Errors
    /// [`VersionError::Gone`] and [`VersionError::Damaged`].
    pub(crate) fn named(&self, version: &str) -> Result<Option<Arc<OpenVersion>>, VersionError> {
        if version.is_empty() {
            return Ok(None);
        }
        let name = version.to_owned();
        match self.states.read().get(version) {
            Some(State::Open { version, .. }) => Ok(Some(Arc::clone(version))),
            Some(State::Damaged(Damaged { cause, .. })) => {
                Err(VersionError::Damaged { version: name, cause: Arc::clone(cause) })
            }
            None => Err(VersionError::Gone { version: name }),
        }
    }

    /// Reads about `bytes` of the files of open versions again. A version of which something that
    /// is read is damaged is closed as soon as the answers under way are done.
    pub(crate) fn scrub(&self, bytes: u64) {
        let mut scrub = self.changing.lock();
        let ended = scrub.step(bytes);
        let mut states = self.states.write();
        for (path, condition) in ended {
            let concerned = states.iter_mut().filter(|(_, state)| match state {
                State::Open { version, .. } => version.names(&path),
                State::Damaged(_) => false,
            });
            match condition {
                Condition::Sound => concerned.for_each(|(_, state)| state.found(&path)),
                Condition::Lost(error) => {
                    concerned.for_each(|(name, state)| state.lost(name, &path, &error));
                }
                Condition::Damaged(error) => {
                    let cause = Arc::new(VersionError::Artifact(error));
                    concerned.for_each(|(name, state)| state.damage(name, &cause));
                }
            }
        }
    }

    /// Tries to open damaged versions of which a trial is due at `now`.
    pub(crate) fn mend(&self, now: Instant) {
        let due: Vec<(String, Damaged)> = {
            let states = self.states.read();
            let damaged = states.iter().filter_map(|(name, state)| match state {
                State::Damaged(damaged) if damaged.next_trial <= now => {
                    Some((name.clone(), damaged.clone()))
                }
                State::Open { .. } | State::Damaged(_) => None,
            });
            damaged.collect()
        };
        for (name, damaged) in due {
            // First what was wrong, by itself: there may be much to read beside it.
            let trial = self.open_culprit(&damaged);
            let _changing = self.changing.lock();
            // It may have been retired or opened in between.
            if !matches!(self.states.read().get(&name), Some(State::Damaged(_))) {
                continue;
            }
            let trial = trial.map_err(VersionError::from);
            let opened =
                trial.and_then(|_held| self.open(damaged.manifest.clone(), &damaged.shards));
            match opened {
                Ok(()) => tracing::info!(version = name, "a damaged version serves again"),
                Err(cause) => {
                    let damaged = State::Damaged(damaged.again(cause));
                    self.states.write().insert(name, damaged);
                }
            }
        }
    }

    /// The file that a version is damaged by, if it is sound; `None` where no file is to blame.
    fn open_culprit(&self, damaged: &Damaged) -> Result<Option<Arc<Artifact>>, ArtifactError> {
        let Some(path) = damaged.cause.file() else { return Ok(None) };
        let culprit = manifest::files(&damaged.manifest).find(|file| path.ends_with(&file.path));
        culprit.map(|file| self.store.open_artifact(file)).transpose()
    }

    /// What is wrong with versions here, for operators.
    pub(crate) fn problems(&self) -> Vec<WorkerVersionProblem> {
        let states = self.states.read();
        let problem = |name: &String, gone, reason: String| WorkerVersionProblem {
            version: name.clone(),
            problem: Some(VersionProblem { gone, reason, ..VersionProblem::default() }),
        };
        let problems = states.iter().filter_map(|(name, state)| match state {
            State::Damaged(damaged) => Some(problem(name, true, damaged.cause.to_string())),
            State::Open { lost, .. } => {
                let first = lost.values().next()?;
                let others = match lost.len() - 1 {
                    0 => String::new(),
                    others => format!(" (and {others} more)"),
                };
                let reason = format!("serves, but could not be opened again: {first}{others}");
                Some(problem(name, false, reason))
            }
        });
        problems.collect()
    }
}

impl State {
    /// Notes that an open version's file is sound.
    fn found(&mut self, path: &str) {
        if let Self::Open { lost, .. } = self {
            lost.remove(path);
        }
    }

    /// Notes that an open version could not be opened again from its file.
    fn lost(&mut self, name: &str, path: &str, error: &ArtifactError) {
        if let Self::Open { lost, .. } = self
            && lost.insert(path.to_owned(), error.to_string()).is_none()
        {
            tracing::error!(version = name, %error, "a file that a version serves from is lost");
        }
    }

    /// Closes an open version.
    fn damage(&mut self, name: &str, cause: &Arc<VersionError>) {
        if let Self::Open { version, .. } = self {
            tracing::error!(version = name, %cause, "a version that serves is damaged");
            let (manifest, shards) = (version.manifest.clone(), version.shards.clone());
            *self = Self::Damaged(Damaged::new(manifest, shards, Arc::clone(cause)));
        }
    }
}

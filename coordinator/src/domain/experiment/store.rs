//! The definitions, in metadata and in memory.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use mercer_common::{
    clock::SharedClock,
    ids::Checker,
    limits,
    metadata::{Metadata, MetadataError, Revision},
};
use mercer_proto::v1::{Experiment, ExperimentState};
use parking_lot::RwLock;

use super::{ExperimentError, check::check};
use crate::{
    cluster::{
        record::{decode, put},
        versions::Versions,
    },
    time::now,
};

const EXPERIMENTS: &str = "experiments/";
/// Versions that running experiments may keep.
const VERSIONS: usize = 8;

type Definitions = BTreeMap<String, (Arc<Experiment>, Revision)>;

/// All experiments.
pub(crate) struct Experiments {
    metadata: Arc<dyn Metadata>,
    clock: SharedClock,
    versions: Arc<Versions>,
    /// Held while metadata changes, so that memory follows it in order.
    writes: tokio::sync::Mutex<()>,
    definitions: RwLock<Definitions>,
}

impl Experiments {
    /// Loads what an earlier run stored.
    pub(crate) async fn load(
        metadata: Arc<dyn Metadata>,
        clock: SharedClock,
        versions: Arc<Versions>,
    ) -> Result<Self, MetadataError> {
        let mut definitions = Definitions::new();
        for entry in metadata.list(EXPERIMENTS).await? {
            let experiment: Experiment = decode(&entry)?;
            let id = experiment.experiment_id.clone();
            definitions.insert(id, (Arc::new(experiment), entry.revision));
        }
        versions.pin(pinned(definitions.values().map(|(one, _)| &**one)));
        let (writes, definitions) = (tokio::sync::Mutex::default(), RwLock::new(definitions));
        Ok(Self { metadata, clock, versions, writes, definitions })
    }

    /// The experiment of an id.
    pub(crate) fn get(&self, experiment_id: &str) -> Result<Arc<Experiment>, ExperimentError> {
        let definitions = self.definitions.read();
        let found = definitions.get(experiment_id).map(|(experiment, _)| Arc::clone(experiment));
        found.ok_or_else(|| ExperimentError::Unknown { experiment_id: experiment_id.to_owned() })
    }

    /// All of them, by id.
    pub(crate) fn list(&self) -> Vec<Experiment> {
        self.definitions.read().values().map(|(experiment, _)| (**experiment).clone()).collect()
    }

    /// Creates an experiment, or changes its state.
    pub(crate) async fn set(&self, experiment: Experiment) -> Result<Experiment, ExperimentError> {
        let mut experiment = check(experiment)?;
        let _writes = self.writes.lock().await;
        let id = experiment.experiment_id.clone();
        let (stored, count) = {
            let definitions = self.definitions.read();
            (definitions.get(&id).cloned(), definitions.len())
        };
        match &stored {
            Some((stored, _)) if stored.arms != experiment.arms => {
                return Err(ExperimentError::ArmsDiffer { experiment_id: id });
            }
            None if count >= limits::EXPERIMENTS => {
                return Err(ExperimentError::TooMany { limit: limits::EXPERIMENTS });
            }
            Some((stored, _)) => experiment.create_time = stored.create_time,
            None => experiment.create_time = Some(now(&self.clock)),
        }
        // First pinned, then looked up, so that none retires in between.
        let result = self.pin_with(&experiment).map_err(ExperimentError::from);
        let stored = match result {
            Ok(()) => {
                let revision = stored.map(|(_, revision)| revision);
                let key = format!("{EXPERIMENTS}{id}");
                put(&*self.metadata, &key, revision, &experiment).await.map_err(Into::into)
            }
            Err(error) => Err(error),
        };
        if let Ok(revision) = &stored {
            let entry = (Arc::new(experiment.clone()), *revision);
            self.definitions.write().insert(id, entry);
        }
        self.pin();
        stored.map(|_| experiment)
    }

    /// Removes an experiment, if it exists.
    pub(crate) async fn remove(&self, experiment_id: &str) -> Result<(), ExperimentError> {
        let _writes = self.writes.lock().await;
        let revision = self.definitions.read().get(experiment_id).map(|(_, revision)| *revision);
        let Some(revision) = revision else { return Ok(()) };
        let key = format!("{EXPERIMENTS}{experiment_id}");
        self.metadata.compare_and_set(&key, Some(revision), None).await?;
        self.definitions.write().remove(experiment_id);
        self.pin();
        Ok(())
    }

    fn pin(&self) {
        let definitions = self.definitions.read();
        self.versions.pin(pinned(definitions.values().map(|(one, _)| &**one)));
    }

    /// Keeps also the versions that `experiment` names; they must be there.
    fn pin_with(
        &self,
        experiment: &Experiment,
    ) -> Result<(), mercer_common::rpc::status::InvalidRequest> {
        let mut checker = Checker::default();
        {
            let definitions = self.definitions.read();
            let others = definitions.values().map(|(one, _)| &**one);
            let others = others.filter(|one| one.experiment_id != experiment.experiment_id);
            let pins = pinned(others.chain([experiment]));
            if pins.len() > VERSIONS {
                let problem = format!("would keep {} versions; at most {VERSIONS}", pins.len());
                checker.violation("experiment.arms", problem);
            }
            self.versions.pin(pins);
        }
        if experiment.state() == ExperimentState::Running {
            for (index, arm) in experiment.arms.iter().enumerate() {
                if !arm.version.is_empty() && self.versions.find(&arm.version).is_none() {
                    let field = format!("experiment.arms[{index}].version");
                    checker.violation(field, format!("`{:.64}` is not kept", arm.version));
                }
            }
        }
        checker.finish()
    }
}

/// The versions that running experiments need.
fn pinned<'a>(experiments: impl Iterator<Item = &'a Experiment>) -> BTreeSet<String> {
    experiments
        .filter(|experiment| experiment.state() == ExperimentState::Running)
        .flat_map(|experiment| &experiment.arms)
        .map(|arm| arm.version.clone())
        .filter(|version| !version.is_empty())
        .collect()
}

//! Which meanings of records the workers know: the log may use one that all of them know, and then
//! admits no worker that does not.

use std::collections::{BTreeMap, BTreeSet};

use parking_lot::Mutex;

use super::error::MembershipError;

/// Workers that are remembered. What is forgotten comes again with the next heartbeat.
const WORKERS: usize = 1_024;

/// The highest apply version that each worker knows, by what it said last.
#[derive(Debug, Default)]
pub(crate) struct WorkerVersions {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    known: BTreeMap<String, u32>,
    required: u32,
}

impl WorkerVersions {
    /// Notes what a worker knows; 0 is 1.
    ///
    /// # Errors
    /// When the log uses more than that.
    pub(crate) fn note(&self, worker_id: &str, version: u32) -> Result<(), MembershipError> {
        let version = version.max(1);
        let mut state = self.state.lock();
        let required = state.required;
        if version < required {
            let worker_id = worker_id.to_owned();
            return Err(MembershipError::TooOld { worker_id, version, required });
        }
        if state.known.len() >= WORKERS {
            state.known.clear();
        }
        state.known.insert(worker_id.to_owned(), version);
        Ok(())
    }

    /// From here on refuses workers that do not know `version`, unless one of `workers` does not.
    pub(crate) fn require(&self, version: u32, workers: &BTreeSet<String>) -> bool {
        let mut state = self.state.lock();
        let all_know =
            workers.iter().all(|id| state.known.get(id).is_some_and(|known| *known >= version));
        if all_know {
            state.required = state.required.max(version);
        }
        all_know
    }

    /// Those of `workers` that do not know `version`, with what they know; 0 when they have not said.
    pub(crate) fn lagging(&self, version: u32, workers: &BTreeSet<String>) -> Vec<(String, u32)> {
        let state = self.state.lock();
        let known = workers.iter().map(|id| {
            let known = state.known.get(id).copied().unwrap_or(0);
            (id.clone(), known)
        });
        known.filter(|(_, known)| *known < version).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_required_once_all_know_it() {
        let versions = WorkerVersions::default();
        let workers = BTreeSet::from(["a".to_owned(), "b".to_owned()]);
        assert!(!versions.require(2, &workers), "nobody was heard of");
        versions.note("a", 3).expect("nothing is required");
        versions.note("b", 0).expect("nothing is required");
        assert!(!versions.require(2, &workers));
        assert!(versions.require(1, &workers), "0 is 1");
        let others = BTreeSet::from(["a".to_owned(), "b".to_owned(), "c".to_owned()]);
        assert_eq!(versions.lagging(2, &others), [("b".to_owned(), 1), ("c".to_owned(), 0)]);
        versions.note("b", 2).expect("upgraded");
        assert!(versions.require(2, &workers));
        assert!(!versions.require(3, &workers));
        let refused = versions.note("b", 1).expect_err("downgraded");
        assert!(refused.to_string().contains("upgrade it"), "{refused}");
        versions.note("c", 2).expect("knows it");
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let versions = WorkerVersions::default();
        for number in 0..3 * WORKERS {
            versions.note(&number.to_string(), 2).expect("accepted");
        }
        assert!(versions.state.lock().known.len() <= WORKERS);
    }
}
